"""The page as a set of files: addresses, relative to wherever it is put, and their contents."""

from __future__ import annotations

import hashlib
import json
import re
import shutil
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import NamedTuple
from urllib.parse import quote

from pyodide_demo.breaking import MISTAKES
from pyodide_demo.building import COMPRESSED, PAGE, pack_program, sizes_of
from pyodide_demo.contents import Content, size_of
from pyodide_demo.explorer_examples import EXAMPLES
from pyodide_demo.filters import FILTERS, summary
from pyodide_demo.policy import PAGE_POLICY, headers_file, is_immutable
from pyodide_demo.runs import DemoError
from pyodide_demo.site_tests import TESTS_MODULES, tests_files, tests_parts

HERE = Path(__file__).resolve().parent

_PROGRAM = (
    "__init__.py",
    "program.py",
    "picture.py",
    "filters.py",
    "lanes.py",
    "breaking.py",
    "bare.py",
    "compiled.py",
    "copying.py",
    "explorer.py",
    "explorer_parts.py",
    "guarded.py",
    "heap_map.py",
    "fft.py",
    "interrupts.py",
    "opened.py",
    "prompt.py",
    "same_bytes.py",
    "scene.py",
    "spectrum.py",
    "statements.py",
)
_SHOWN = (
    "explorer.py",
    "fft.py",
    "filters.py",
    "guarded.py",
    "opened.py",
    "page_tests.py",
    "prompt.py",
    "same_bytes.py",
)
"""The modules that panels show as well as run."""
_MODULES = (
    "@echogarden/pffft-wasm/dist/simd/pffft.js",
    "@echogarden/pffft-wasm/dist/simd/pffft.wasm",
    "@echogarden/pffft-wasm/COPYING",
)
_SAMPLES = {
    "harfbuzz-subset.wasm": (
        "harfbuzzjs/dist/harfbuzz-subset.wasm",
        "cuts fonts; plain, with malloc",
    ),
    "harfbuzz.wasm": ("harfbuzzjs/dist/harfbuzz.wasm", "shapes text; made by Emscripten"),
    "pffft.wasm": ("@echogarden/pffft-wasm/dist/simd/pffft.wasm", "Fourier transforms"),
}
MODULE_FILES = (*_MODULES, *TESTS_MODULES)
"""What the site has of other people's modules."""
_MARK = "site.json"


class Parts(NamedTuple):
    """What the site is put together from, besides this package."""

    runtime: Path
    """The folder of what the page needs of Pyodide; see `building.pack_runtime`."""
    page: Path
    """The folder of the bundled scripts and styles."""
    recorded: Path
    """What the page shows until Python runs there, as JSON."""
    wheel: Path
    """Of emheap, as an index has it."""
    compiled: Path
    """The same with its modules compiled for this Pyodide, for pages that fetch it by itself. The
    page here takes them as they are: compiled, a first visit would be a tenth larger."""
    modules: Path
    """The folder that npm put C libraries into."""
    tests_site: Path
    """The folder of the packages that the tests need in Pyodide."""
    documentation: Path
    """The folder of the built documentation."""


def site_files(parts: Parts, picture: Path, chosen: Sequence[str]) -> dict[str, Content]:
    """Everything the page needs, by address; it starts with `picture` and the `chosen` filters."""
    pyodide, runtime = in_folder_of_its_digest("pyodide", _files_in(parts.runtime))
    foreign = {name: parts.modules / name for name in MODULE_FILES}
    modules, others = in_folder_of_its_digest("modules", foreign)
    wheels, built = in_folder_of_its_digest(
        "wheel", {wheel.name: wheel for wheel in (parts.wheel, parts.compiled)}
    )
    name = f"program.zip{COMPRESSED}"
    programs, packed = in_folder_of_its_digest(
        "program", {name: pack_program(parts.wheel, _PROGRAM)}
    )
    scripts = _files_in(parts.page)
    # These two say by where they lie what they may do.
    placed = {name: scripts.pop(name) for name in ("tests/worker.js", "service_worker.js")}
    assets, own = in_folder_of_its_digest("page", scripts)
    files: dict[str, Content] = {**runtime, **others, **built, **packed, **own}
    files |= tests_files(parts.tests_site)
    files |= placed
    files |= {f"docs/{name}": path for name, path in _files_in(parts.documentation).items()}
    files |= {f"python/pyodide_demo/{name}": HERE / name for name in _SHOWN}
    files[f"picture{picture.suffix}"] = picture
    recorded = json.loads(parts.recorded.read_text(encoding="utf-8"))
    fetched = ["pyodide.asm.wasm", f"python_stdlib.zip{COMPRESSED}", "pyodide-lock.json"]
    site = {
        "pyodide": pyodide,
        "modules": modules,
        "wheel": f"{wheels}{quote(parts.wheel.name)}",
        "compiledWheel": f"{wheels}{quote(parts.compiled.name)}",
        "program": f"{programs}{name}",
        "picture": {"address": f"picture{quote(picture.suffix)}", "name": picture.name},
        "filters": [{"name": name, "summary": summary(name)} for name in FILTERS],
        "chosen": list(chosen),
        "mistakes": [
            {
                "name": name,
                "title": mistake.title,
                "words": mistake.words,
                "recorded": recorded["mistakes"][name],
            }
            for name, mistake in MISTAKES.items()
        ],
        "scene": recorded["scene"],
        "structures": EXAMPLES,
        "samples": [
            {"name": name, "address": f"{modules}{quote(address)}", "words": words}
            for name, (address, words) in _SAMPLES.items()
        ],
        "parts": tests_parts(),
        # All at once and before Python runs; the sizes are for the progress bar.
        "downloads": [
            _download(files, address)
            for address in [*(f"{pyodide}{each}" for each in fetched), f"{programs}{name}"]
        ],
    }
    files[_MARK] = json.dumps(site).encode()
    files["index.html"] = _index(site, assets).encode()
    kept = {address.partition("/")[0] for address in files if is_immutable(address)}
    files["_headers"] = headers_file(sorted(kept)).encode()
    return files


def _download(files: Mapping[str, Content], address: str) -> dict[str, object]:
    byte_size, transfer_size = sizes_of(files[address], address)
    return {"address": address, "byteSize": byte_size, "transferSize": transfer_size}


def _index(site: Mapping[str, object], assets: str) -> str:
    """The page itself, with what it is made of."""
    wheel = str(site["wheel"])
    # Within a script element only "</" would end it, and "<!--" begin something else.
    data = json.dumps(site, ensure_ascii=False).replace("<", "\\u003c")
    values = {
        "policy": PAGE_POLICY,
        "assets": assets,
        "wheel": wheel,
        "wheel_name": wheel.rpartition("/")[2],
        "site": data,
    }
    text = (PAGE / "index.html").read_text(encoding="utf-8")
    return re.sub(
        r"\{(policy|assets|wheel|wheel_name|site)\}", lambda found: values[found[1]], text
    )


def in_folder_of_its_digest(
    name: str, files: Mapping[str, Content]
) -> tuple[str, dict[str, Content]]:
    """Files in a folder that is named after their contents, so that a browser may keep them."""
    digest = hashlib.sha256()
    for address, content in files.items():
        octets = content if isinstance(content, bytes) else content.read_bytes()
        digest.update(f"{address}\0".encode())
        digest.update(hashlib.sha256(octets).digest())
    folder = f"{name}-{digest.hexdigest()[:12]}/"
    return folder, {f"{folder}{address}": content for address, content in files.items()}


def check_target(folder: Path) -> None:
    """Refuse a folder that a site should not be written to. Raises DemoError."""
    if folder.exists() and not folder.is_dir():
        raise DemoError(f"{folder} is a file; name a folder to write the site to.")
    if folder.is_dir() and any(folder.iterdir()) and not (folder / _MARK).is_file():
        raise DemoError(
            f"{folder} is not empty, and what is in it is no earlier build of this site.\n"
            "Name an empty folder, or one that is not there yet."
        )


def write_site(files: Mapping[str, Content], folder: Path) -> int:
    """Write the files of a site to a folder; return their bytes. Raises DemoError."""
    check_target(folder)
    try:
        for address, content in files.items():
            place = folder / address
            place.parent.mkdir(parents=True, exist_ok=True)
            if isinstance(content, Path):
                shutil.copyfile(content, place)
            else:
                place.write_bytes(content)
    except OSError as error:
        raise DemoError(
            f"The site cannot be written to {folder}: {error.strerror or error}."
        ) from error
    return sum(map(size_of, files.values()))


def _files_in(root: Path) -> dict[str, Content]:
    """The files of a folder by their address in it; what begins with a dot is not of the site."""
    paths = sorted(path for path in root.rglob("*") if path.is_file() and path.name[0] != ".")
    return {path.relative_to(root).as_posix(): path for path in paths}
