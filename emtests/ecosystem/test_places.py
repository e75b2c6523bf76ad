"""The places where Python runs in a browser: the wheel works in each, as the documentation says."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from emtests.ecosystem.conftest import PROGRAMS, SECONDS, UNISOLATED

if TYPE_CHECKING:
    from playwright.sync_api import Page

pytestmark = [pytest.mark.ecosystem, pytest.mark.slow]


def answer_of(page: Page, address: str) -> str:
    """What a page's program says, once it has."""
    page.goto(address)
    page.wait_for_function("document.querySelector('#answer').textContent")
    answer: str = page.inner_text("#answer")
    return answer


@pytest.mark.parametrize("name", ["pyscript_main.html", "pyscript_worker.html"])
def test_pyscript(page: Page, pyscript: Path, address: str, name: str) -> None:
    answer = answer_of(page, f"{address}/pyscript/{name}")
    assert answer == "[0, 128, 255, 0] in a Uint8ClampedArray"
    assert f"`{answer}`" in (PROGRAMS.parent / "pyscript.md").read_text(encoding="utf-8")


def _changed(folder: Path, name: str, other: str, changes: dict[str, str]) -> str:
    """The name of a copy of a file, in which pieces of text are others."""
    text = (folder / name).read_text(encoding="utf-8")
    for before, after in changes.items():
        assert before in text
        text = text.replace(before, after)
    (folder / other).write_text(text, encoding="utf-8")
    return other


def test_the_worker_of_pyscript_differs_by_one_word() -> None:
    scripts = [
        re.findall("<script type=.py.*", (PROGRAMS / name).read_text(encoding="utf-8"))
        for name in ("pyscript_main.html", "pyscript_worker.html")
    ]
    (main,), (worker,) = scripts
    assert worker.replace(" worker", "", 1) == main


def test_a_worker_of_pyscript_does_not_find_the_wheel_by_its_bare_name(
    page: Page, pyscript: Path, address: str
) -> None:
    _changed(pyscript, "pyscript.toml", "bare.toml", {'["./': '["'})
    bare = {"pyscript.toml": "bare.toml"}
    main = _changed(pyscript, "pyscript_main.html", "bare_main.html", bare)
    assert answer_of(page, f"{address}/pyscript/{main}")
    worker = _changed(pyscript, "pyscript_worker.html", "bare_worker.html", bare)
    words = "The following error occurred while loading emheap"
    with page.expect_event("console", lambda line: words in line.text):
        page.goto(f"{address}/pyscript/{worker}")
    assert not page.inner_text("#answer")


def test_a_worker_of_pyscript_has_a_heap_of_its_own(
    page: Page, pyscript: Path, address: str
) -> None:
    """What one writes at an address, the other does not find there."""
    script = '<script type="py" config="pyscript.toml" src="pyscript_program.py"></script>'
    programs = {"MAIN": ("", WRITING), "WORKER": ("worker ", READING)}
    scripts = [
        script.replace('"py" ', f'"py" {word}').replace("pyscript_program", f"{name.lower()}_own")
        for name, (word, _) in programs.items()
    ]
    for name, (_, program) in programs.items():
        (pyscript / f"{name.lower()}_own.py").write_text(program, encoding="utf-8")
    both = _changed(pyscript, "pyscript_main.html", "both.html", {script: "".join(scripts)})
    assert answer_of(page, f"{address}/pyscript/{both}") == "not found"


def test_a_worker_of_pyscript_has_no_document_without_isolation(
    page: Page, pyscript: Path, address: str
) -> None:
    worker = _changed(pyscript, "pyscript_worker.html", f"{UNISOLATED}.html", {})
    words = "AttributeError: Unable to use `window` or `document` in worker"
    with page.expect_event("console", lambda line: words in line.text):
        page.goto(f"{address}/pyscript/{worker}")
    assert not page.evaluate("crossOriginIsolated")
    assert not page.inner_text("#answer")


WRITING = """\
import emheap
from pyscript import document

number = emheap.open().alloc(emheap.uint64, 0x1234_5678_9ABC_DEF0)
document.body.dataset.address = str(number.address)
"""
READING = """\
import time

import emheap
from pyscript import document

while not document.body.dataset.address:
    time.sleep(0.1)
found = emheap.open().read(emheap.uint64, int(document.body.dataset.address))
document.querySelector("#answer").textContent = (
    "found" if found == 0x1234_5678_9ABC_DEF0 else "not found"
)
"""


@pytest.mark.parametrize("name", ["micropip.html", "lock_file.html"])
def test_pyodide_with(page: Page, plain: Path, address: str, name: str) -> None:
    assert answer_of(page, f"{address}/plain/{name}") == "42"


def test_jupyterlite(
    page: Page, root: Path, pyodide: Path, wheel: Path, address: str, tmp_path: Path
) -> None:
    shutil.copy(wheel, tmp_path)
    shutil.copy(PROGRAMS / "jupyter-lite.json", tmp_path)
    (tmp_path / "heap.ipynb").write_text(json.dumps(notebook()), encoding="utf-8")
    _download("comm", tmp_path)  # which the kernel would fetch from PyPI
    command = [_program("jupyter"), "lite", "build", "--contents", "heap.ipynb"]
    for each in sorted(tmp_path.glob("*.whl")):
        command += ["--piplite-wheels", each.name]
    command += ["--output-dir", root / "lite"]
    subprocess.run([*map(str, command)], check=True, cwd=tmp_path, timeout=SECONDS)

    page.goto(f"{address}/lite/lab/index.html?path=heap.ipynb")
    page.wait_for_selector(".jp-Notebook .jp-Cell")
    page.wait_for_selector(".jp-NotebookPanel-toolbar >> text=Python (Pyodide)")
    page.get_by_role("menuitem", name="Run", exact=True).click()
    page.get_by_text("Run All Cells", exact=True).click()
    outputs = ".jp-Cell .jp-OutputArea-output"
    wanted = len(cells()) - 1
    page.wait_for_function(f"document.querySelectorAll('{outputs}').length >= {wanted}")
    heap_map, live, numbers, point = [
        each.inner_text() for each in page.query_selector_all(outputs)
    ]
    assert heap_map.startswith("Pyodide's heap: 2 blocks of 19 bytes")
    assert re.search(r"live blocks: 2, 19 bytes\s+address\s+bytes\s+kind\s+allocated at", live)
    assert re.search(r"int32 array\s+value\s+3 elements: \[1, 2, 3\]", numbers)
    assert point.startswith("Point")
    assert re.search(
        r"offset\s+type\s+field\s+value\s+0\s+int32\s+x\s+3\s+4\s+int32\s+y\s+4", point
    )
    assert page.locator(f"{outputs} table").count() >= 3


def test_marimo(page: Page, root: Path, wheel: Path, address: str, tmp_path: Path) -> None:
    from emtests.ecosystem.distribution import MARIMO, MARIMO_OTHERS, Distribution
    from emtests.ecosystem.versions import MARIMO as MARIMO_VERSION
    from emtests.ecosystem.versions import MARIMO_PYODIDE

    distribution = Distribution("pyodide-for-marimo", MARIMO_PYODIDE)
    distribution.add_of_lock(MARIMO)
    for name, (requirement, depends) in MARIMO_OTHERS.items():
        distribution.add(name, requirement, depends)
    needed = [*(name for name in MARIMO if name != "micropip"), *MARIMO_OTHERS]
    distribution.add("marimo-base", f"marimo-base=={MARIMO_VERSION}", needed)
    (root / "pyodide-for-marimo").symlink_to(distribution.write())

    folder = root / "marimo"
    notebook_file = shutil.copy(PROGRAMS / "marimo_notebook.py", tmp_path)
    command = [_program("marimo"), "export", "html-wasm", notebook_file, "-o", folder]
    # marimo looks for uv, which looks at the notebook's imports, on PATH.
    path = {**os.environ, "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"}
    subprocess.run([*map(str, command), "--mode", "run"], check=True, env=path, timeout=SECONDS)
    shutil.copy(wheel, folder)
    _serve_pyodide_from(folder / "index.html", "../pyodide-for-marimo/")

    page.goto(f"{address}/marimo/")
    page.wait_for_function("document.body.innerText.includes('allocated at')")
    seen = page.inner_text("body")
    assert re.search("Pyodide's heap: 1 blocks? of 12 bytes", seen)
    assert re.search(r"0x[0-9a-f]+\s+12\s+int32 array", seen)


def _serve_pyodide_from(page: Path, address: str) -> None:
    """As an export does that has Pyodide from elsewhere than its content delivery network."""
    text = page.read_text(encoding="utf-8")
    assert "<marimo-wasm" in text
    place = f'data-pyodide-index-url="{address}" '
    place += f'data-pyodide-lockfile-url="{address}pyodide-lock.json"'
    page.write_text(text.replace("<marimo-wasm", f"<marimo-wasm {place}", 1), encoding="utf-8")


def cells() -> list[str]:
    """The notebook's cells, as the documentation shows them."""
    text = (PROGRAMS / "jupyterlite_cells.txt").read_text(encoding="utf-8")
    return [cell.strip() for cell in text.split("# %%\n") if cell.strip()]


def notebook() -> dict[str, Any]:
    kernel = {"name": "python", "display_name": "Python (Pyodide)", "language": "python"}
    empty: dict[str, Any] = {
        "cell_type": "code",
        "metadata": {},
        "execution_count": None,
        "outputs": [],
    }
    return {
        "nbformat": 4,
        "nbformat_minor": 5,
        "metadata": {"kernelspec": kernel},
        "cells": [{**empty, "id": f"cell-{n}", "source": cell} for n, cell in enumerate(cells())],
    }


def _program(name: str) -> Path:
    return Path(sys.executable).with_name(name)


def _download(requirement: str, folder: Path) -> None:
    command = [sys.executable, "-m", "pip", "--quiet", "download", "--no-deps"]
    wheels = ["--only-binary=:all:", "--dest", str(folder), requirement]
    subprocess.run([*command, *wheels], check=True, timeout=SECONDS)
