"""The page as a set of files: addresses, relative to wherever it is put, and their contents."""

from __future__ import annotations

import hashlib
import json
import shutil
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import NamedTuple
from urllib.parse import quote

from pyodide_demo.breaking import MISTAKES
from pyodide_demo.contents import Content, size_of
from pyodide_demo.filters import FILTERS, summary
from pyodide_demo.policy import PAGE_POLICY, headers_file, is_immutable
from pyodide_demo.runs import DemoError
from pyodide_demo.site_tests import TESTS_MODULES, tests_files, tests_parts

HERE = Path(__file__).resolve().parent

_RUNTIME = (
    "pyodide.mjs",
    "pyodide.asm.mjs",
    "pyodide.asm.wasm",
    "python_stdlib.zip",
    "pyodide-lock.json",
)
_PROGRAM = (
    "__init__.py",
    "program.py",
    "filters.py",
    "lanes.py",
    "breaking.py",
    "bare.py",
    "copying.py",
    "heap_map.py",
    "fft.py",
    "prompt.py",
    "spectrum.py",
)
_MODULES = (
    "@echogarden/pffft-wasm/dist/simd/pffft.js",
    "@echogarden/pffft-wasm/dist/simd/pffft.wasm",
    "@echogarden/pffft-wasm/COPYING",
)
MODULE_FILES = (*_MODULES, *TESTS_MODULES)
"""What the site has of other people's modules."""
_MARK = "site.json"


class Parts(NamedTuple):
    """What the site is put together from, besides this package."""

    distribution: Path
    """The folder of a Pyodide release."""
    wheel: Path
    """Of emheap."""
    modules: Path
    """The folder that npm put C libraries into."""
    tests_site: Path
    """The folder of the packages that the tests need in Pyodide."""
    documentation: Path
    """The folder of the built documentation."""


def site_files(parts: Parts, picture: Path, chosen: Sequence[str]) -> dict[str, Content]:
    """Everything the page needs, by address; it starts with `picture` and the `chosen` filters."""
    files = _page()
    distribution, wheel = parts.distribution, parts.wheel
    pyodide, runtime = in_folder_of_its_digest(
        "pyodide", {name: distribution / name for name in _RUNTIME}
    )
    modules, others = in_folder_of_its_digest(
        "modules", {name: parts.modules / name for name in MODULE_FILES}
    )
    wheels, built = in_folder_of_its_digest("wheel", {wheel.name: wheel})
    files |= {**runtime, **others, **built}
    files |= tests_files(parts.tests_site)
    files |= {f"docs/{name}": path for name, path in _files_in(parts.documentation).items()}
    files |= {f"python/pyodide_demo/{name}": HERE / name for name in _PROGRAM}
    files[f"picture{picture.suffix}"] = picture
    kept = {address.partition("/")[0] for address in files if is_immutable(address)}
    files["_headers"] = headers_file(sorted(kept)).encode()
    fetched = [f"{pyodide}{name}" for name in _RUNTIME if not name.endswith(".mjs")]
    files[_MARK] = json.dumps(
        {
            "pyodide": pyodide,
            "modules": modules,
            "wheel": f"{wheels}{quote(wheel.name)}",
            "program": [f"pyodide_demo/{name}" for name in _PROGRAM],
            "picture": {"address": f"picture{quote(picture.suffix)}", "name": picture.name},
            "filters": [{"name": name, "summary": summary(name)} for name in FILTERS],
            "chosen": list(chosen),
            "mistakes": [
                {"name": name, "title": mistake.title, "words": mistake.words}
                for name, mistake in MISTAKES.items()
            ],
            "parts": tests_parts(),
            # For the progress bar: the bytes that are fetched before Python runs.
            "bytesToFetch": sum(size_of(files[address]) for address in fetched),
        }
    ).encode()
    return files


def in_folder_of_its_digest(name: str, files: Mapping[str, Path]) -> tuple[str, dict[str, Content]]:
    """Files in a folder that is named after their contents, so that a browser may keep them."""
    digest = hashlib.sha256()
    for address, path in files.items():
        digest.update(f"{address}\0".encode())
        digest.update(hashlib.sha256(path.read_bytes()).digest())
    folder = f"{name}-{digest.hexdigest()[:12]}/"
    return folder, {f"{folder}{address}": path for address, path in files.items()}


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


def _page() -> dict[str, Content]:
    root = HERE / "page"
    files: dict[str, Content] = {**_files_in(root)}
    page = (root / "index.html").read_text(encoding="utf-8")
    files["index.html"] = page.replace("POLICY", PAGE_POLICY).encode()
    return files


def _files_in(root: Path) -> dict[str, Path]:
    """The files of a folder by their address in it."""
    paths = sorted(path for path in root.rglob("*") if path.is_file())
    return {path.relative_to(root).as_posix(): path for path in paths}
