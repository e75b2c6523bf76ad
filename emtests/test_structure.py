"""The package's structure: imports run one way, files stay small, the stub is true."""

from __future__ import annotations

import ast
import builtins
import importlib
import pydoc
import re
import sys
from collections.abc import Iterator
from graphlib import TopologicalSorter
from pathlib import Path
from typing import Any

import pytest

import emheap
from emheap.heap.flat_names import ALLOC_NAMES, FLAT_NAMES
from emheap.types import scalar_types, text_types, wide_types
from emtests import stubs
from emtests.conftest import skip_for_gap

ROOT = Path(emheap.__file__).parent

FLOORS = (
    "errors",
    "_util",
    "javascript",
    "types",
    "memories",
    "allocators",
    "blocks",
    "refs",
    "calls",
    "c",
    "diagnosis",
    "heap",
    "backends",
    "testing",
    "pytest_plugin",
)
"""The house, ground floor first: a file imports from floors below its own, or from its own."""

UPWARD = {("refs.base", "diagnosis.notebook")}
"""What a notebook shows of a reference is imported when a notebook asks."""

PUBLIC = {"emheap", "emheap.testing", "emheap.c", "emheap.memories.base", "emheap.allocators.base"}
"""The modules whose names users may rely on; all others may move."""

REFERENCE = {"docs_extension.py", "flat_reference.py"}
"""What writes the reference of the flat names, from their table."""

FOR_JAVASCRIPT = {"js", "pyodide", "pyodide_js"}
MAY_SEE_JAVASCRIPT = ("javascript/", "javascript.py", "javascript_access.py")
"""How the files begin or end that exist for JavaScript."""


def modules() -> list[Path]:
    return sorted(ROOT.rglob("*.py"))


def name_of(path: Path) -> str:
    """The module of a file, without the package: ``memories.base``."""
    parts = path.relative_to(ROOT).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" and len(parts) > 1 else parts)


def imports_of(path: Path, *, late: bool = True) -> Iterator[str]:
    """The modules that a file imports; with `late`, in functions and for type checkers too."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    pending: list[ast.AST] = list(tree.body)
    while pending:
        node = pending.pop()
        if isinstance(node, ast.ImportFrom) and node.module and not node.level:
            yield from (f"{node.module}.{alias.name}" for alias in node.names)
        elif isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif not late and _is_late(node):
            continue
        else:
            pending.extend(ast.iter_child_nodes(node))


def _is_late(node: ast.AST) -> bool:
    """Whether what is in a node does not run when the module is imported."""
    if isinstance(node, ast.If):
        return ast.unparse(node.test) == "TYPE_CHECKING"
    return isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef))


def floor_of(module: str) -> int:
    return FLOORS.index(module.split(".")[0])


def own_imports(path: Path, *, late: bool = True) -> set[str]:
    """The modules of this package that a file imports, as `imports_of`, without the package."""
    names = {name_of(module) for module in modules()}
    own = set()
    for imported in imports_of(path, late=late):
        if imported.split(".")[0] == "emheap":
            target = imported.removeprefix("emheap.")
            while target and target not in names:
                target = target.rpartition(".")[0]
            own.add(target or "__init__")
    return own - {name_of(path)}


@pytest.mark.parametrize("path", modules(), ids=name_of)
def test_a_module_imports_from_its_own_floor_or_below(path: Path) -> None:
    name = name_of(path)
    if name in ("__init__", "__main__"):
        return
    for target in own_imports(path) - {"__init__"}:
        if (name, target) not in UPWARD:
            assert floor_of(target) <= floor_of(name), f"{name} imports {target}"


def test_the_comment_of_the_package_gives_the_order_of_the_imports() -> None:
    text = (ROOT / "__init__.py").read_text(encoding="utf-8")
    comment = text.partition("# Imports run one way")[2].partition("\n\n")[0]
    lines = [line for line in comment.splitlines() if "->" in line]
    assert tuple(re.findall(r"\w+", " ".join(lines))) == FLOORS


def test_imports_have_no_circle_at_run_time_or_for_type_checkers() -> None:
    graph = {name_of(path): own_imports(path) - {"__init__"} for path in modules()}
    done: set[str] = set()

    def visit(module: str, way: tuple[str, ...]) -> None:
        assert module not in way, " -> ".join((*way, module))
        if module in done:
            return
        for target in graph.get(module, ()):
            visit(target, (*way, module))
        done.add(module)

    for module in graph:
        visit(module, ())


def test_the_modules_of_the_demonstration_import_one_way() -> None:
    graph = {
        path.stem: {
            imported.split(".")[1]
            for imported in imports_of(path)
            if imported.startswith("pyodide_demo.")
        }
        for path in (ROOT.parent / "pyodide_demo").glob("*.py")
    }
    assert "picture" in graph["filters"]
    TopologicalSorter(graph).prepare()  # raises CycleError


@pytest.mark.parametrize("path", modules(), ids=name_of)
def test_javascript_is_seen_only_where_it_must_be(path: Path) -> None:
    used = {module.split(".")[0] for module in imports_of(path)}
    relative = path.relative_to(ROOT).as_posix()
    allowed = relative.startswith(MAY_SEE_JAVASCRIPT) or relative.endswith(MAY_SEE_JAVASCRIPT)
    assert allowed or not used & FOR_JAVASCRIPT, f"{relative} imports {used & FOR_JAVASCRIPT}"


def test_no_file_is_long() -> None:
    tests = Path(__file__).parent
    files = [*modules(), *tests.rglob("*.py")]
    long = {path: len(path.read_text(encoding="utf-8").splitlines()) for path in files}
    assert not {path: count for path, count in long.items() if count > 600}


def test_no_module_hides_one_of_the_standard_library() -> None:
    # Imports are absolute, so only the first level could; `types` is what the thing is called.
    heads = {name_of(path).split(".")[0] for path in modules()} - {"__init__", "types"}
    assert not heads & set(sys.stdlib_module_names)


def test_the_core_imports_nothing_but_the_standard_library() -> None:
    known = {*sys.stdlib_module_names, "emheap", *FOR_JAVASCRIPT}
    for path in modules():
        if name_of(path) == "pytest_plugin" or path.is_relative_to(ROOT / "javascript"):
            continue  # imported by pytest, and inside Pyodide, only
        foreign = {module.split(".")[0] for module in imports_of(path, late=False)} - known
        assert not foreign, f"{name_of(path)} imports {foreign}"


def test_the_stub_declares_what_the_table_makes() -> None:
    assert stubs.PATH.read_text(encoding="utf-8") == stubs.stub_text()


def test_every_name_of_the_documentation_exists() -> None:
    expected = set()
    for scalar in scalar_types:
        t = scalar.name
        expected |= {f"read_{t}", f"write_{t}", f"read_{t}_atomic", f"write_{t}_atomic"}
        expected |= {f"alloc_{t}", f"wrap_{t}", f"view_{t}_array", f"alloc_{t}_array"}
        expected |= {f"wrap_{t}_array"}
    for wide in wide_types:
        expected |= {f"{verb}_{wide.name}" for verb in ("read", "write", "alloc", "wrap")}
    for text in text_types:
        verbs = ("read", "write", "alloc", "wrap")
        expected |= {f"{verb}_null_terminated_{text.name}_string" for verb in verbs}
    assert set(FLAT_NAMES) == expected
    assert {name for name in expected if name.startswith("alloc_")} == set(ALLOC_NAMES)


def test_flat_names_are_attributes_with_a_name_and_a_docstring() -> None:
    heap = emheap.open()
    for name in FLAT_NAMES:
        function = getattr(heap, name)
        assert function is getattr(heap, name)
        assert function.__name__ == name
        assert function.__doc__
        assert name in dir(heap)
    with pytest.raises(AttributeError, match="'HeapManager' object has no attribute 'read_int33'"):
        heap.read_int33  # type: ignore[attr-defined]  # noqa: B018


def test_a_star_import_hides_no_builtin() -> None:
    names: dict[str, object] = {}
    exec("from emheap import *", names)
    assert set(emheap.__all__) <= names.keys()
    assert not {name for name in emheap.__all__ if hasattr(builtins, name)}
    assert {"open", "ascii"} <= set(dir(emheap)) - names.keys()


def test_the_names_that_are_imported_when_used_are_those_declared_for_type_checkers() -> None:
    declared: dict[str, str] = {}
    for node in ast.walk(ast.parse((ROOT / "__init__.py").read_text(encoding="utf-8"))):
        if isinstance(node, ast.ImportFrom) and (node.module or "").startswith("emheap."):
            declared |= {alias.name: str(node.module) for alias in node.names}
    assert {name: f"emheap.{module}" for name, module in emheap._MODULE_OF.items()} == declared
    assert declared.keys() == {*emheap.__all__, "open", "ascii"} - {"__version__"}
    assert {*emheap.__all__, "open", "ascii"} <= set(dir(emheap))


def test_each_public_name_is_what_its_module_defines() -> None:
    for name, module in emheap._MODULE_OF.items():
        assert getattr(emheap, name) is getattr(importlib.import_module(f"emheap.{module}"), name)
    with pytest.raises(AttributeError, match="module 'emheap' has no attribute 'int33'"):
        emheap.int33  # type: ignore[attr-defined]  # noqa: B018


def imported_with(name: str) -> set[str]:
    """The modules of this package that are imported when one is, itself among them."""
    known = {name_of(path): path for path in modules()}
    found, pending = set(), [name]
    while pending:
        module = pending.pop()
        if module not in found:
            found.add(module)
            pending += own_imports(known[module], late=False) - {"__init__"}
    return found


def test_importing_the_package_imports_none_of_its_modules() -> None:
    assert imported_with("__init__") == {"__init__"}


def test_a_heap_of_numbers_and_texts_imports_nothing_for_structures_calls_or_diagnosis() -> None:
    # Each takes as long as a tenth of all that is imported then.
    loaded = imported_with("backends.process")
    assert {"heap.manager", "refs.short_cuts", "memories.process"} <= loaded
    assert not {name for name in loaded if name.startswith(("calls", "diagnosis"))}
    assert not {name for name in loaded if "struct" in name or "pointer." in name}
    assert not loaded & {"refs.pointer", "types.pointers", "heap.arena", "allocators.debug"}


@pytest.mark.parametrize("path", modules(), ids=name_of)
def test_a_module_says_what_it_offers(path: Path) -> None:
    tree = ast.parse(path.read_text(encoding="utf-8"))
    assigned = [ast.unparse(node.targets[0]) for node in tree.body if isinstance(node, ast.Assign)]
    offers = f"emheap.{name_of(path)}" in PUBLIC or any(
        isinstance(node, (ast.FunctionDef, ast.ClassDef)) for node in tree.body
    )
    assert "__all__" in assigned or not offers or path.name == "__main__.py"


def test_a_program_needs_public_modules_only() -> None:
    # The demonstration is a program like any user's. What it needs is what is public.
    demo = ROOT.parent / "pyodide_demo"
    for path in demo.rglob("*.py"):
        for imported in imports_of(path):
            assert imported.split(".")[0] != "emtests", f"{path.name} imports {imported}"
            if imported.startswith("emheap.") and path.name not in REFERENCE:
                module = imported.rpartition(".")[0]
                assert module in PUBLIC or imported in PUBLIC, f"{path.name} imports {imported}"


def test_the_guide_for_contributors_names_the_public_modules() -> None:
    guide = ROOT.parent / ".github" / "CONTRIBUTING.md"
    if not guide.is_file():
        skip_for_gap("the guide for contributors", "only a checkout has .github")
    sentence = guide.read_text(encoding="utf-8").partition("Public are")[2].partition(". The")[0]
    assert set(re.findall(r"`(emheap(?:\.[a-z]+)*)`", sentence)) == PUBLIC


def test_flat_names_are_shown_by_the_class() -> None:
    from inspect import signature
    from unittest.mock import create_autospec

    shown = pydoc.plain(pydoc.render_doc(emheap.HeapManager))
    assert re.search(r"read_int32\(address: '?int'?\) -> '?int'?", shown)
    for name in FLAT_NAMES:
        function = getattr(emheap.HeapManager, name)
        assert signature(function).parameters
        assert function.__doc__
    for name in ALLOC_NAMES:
        assert callable(getattr(emheap.Arena, name))
    heap = emheap.open()
    with heap.alloc(emheap.int32, 7) as number:
        read: Any = emheap.HeapManager.read_int32
        assert read(heap, number.address) == 7
    mock = create_autospec(emheap.HeapManager, instance=True)
    mock.read_int32(16)
    with pytest.raises(TypeError, match="missing a required argument: 'address'"):
        mock.read_int32()
    with pytest.raises(AttributeError, match="has no attribute 'read_int33'"):
        mock.read_int33(16)


def test_public_names_are_real_and_errors_fit_a_builtin() -> None:
    exported = emheap.__all__
    errors = [
        value
        for name in exported
        if isinstance(value := getattr(emheap, name), type) and issubclass(value, Exception)
    ]
    assert emheap.HeapError in errors
    for error in errors:
        assert issubclass(error, emheap.HeapError)
        assert error.__doc__
    names: dict[str, list[str]] = {}
    for error in errors:
        fits = next(base for base in error.__mro__ if base.__module__ == "builtins")
        names.setdefault(fits.__name__, []).append(error.__name__)
    values = (
        "AlreadyOwnedError CapacityError DoubleFreeError EmbeddedNullError MisalignedError "
        "NotAllocatedError ShapeError UnterminatedStringError UseAfterFreeError"
    )
    assert {fits: sorted(named) for fits, named in names.items()} == {
        "BufferError": ["BufferInUseError"],
        "Exception": ["HeapCorruptionError", "HeapError", "LeakError"],
        "IndexError": ["NullPointerError", "OutOfBoundsError"],
        "MemoryError": ["OutOfMemoryError"],
        "NotImplementedError": ["NotSupportedError"],
        "OverflowError": ["ValueOutOfRangeError"],
        "RuntimeError": ["ForeignTrapError"],
        "ValueError": values.split(),
    }
