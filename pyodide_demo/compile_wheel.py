"""A wheel with its modules compiled, for the Python that runs this.

Each visitor of a page compiles a pure wheel at every start, and compiling takes most of
what importing takes. One Python's code is of no use to another, so there is a wheel for each
version; the one for an index stays pure.
"""

from __future__ import annotations

import base64
import hashlib
import importlib.util
import sys
import zipfile
from collections.abc import Mapping
from importlib import _bootstrap_external
from pathlib import Path
from typing import Any

__all__ = ["compile_wheel"]

_PURE = "py3-none-any"


def compile_wheel(source: Path, folder: Path) -> Path:
    """Write a pure wheel into `folder`, with the code of its modules beside them; return its path.

    Raises ValueError for a wheel that is not pure.
    """
    if not source.name.endswith(f"-{_PURE}.whl"):
        raise ValueError(f"{source.name} is no pure wheel: its name does not end with {_PURE}.whl")
    tag = f"cp{sys.version_info[0]}{sys.version_info[1]}-none-any"
    target = folder / source.name.replace(_PURE, tag)
    with zipfile.ZipFile(source) as wheel:
        files = {name: wheel.read(name) for name in wheel.namelist()}
    files |= {
        _cached(name): _compiled(name, data) for name, data in files.items() if _is_code(name)
    }
    (information,) = (name for name in files if name.endswith(".dist-info/WHEEL"))
    files[information] = files[information].replace(_PURE.encode(), tag.encode())
    record = information.replace("WHEEL", "RECORD")
    files[record] = _record(files, record)
    with zipfile.ZipFile(target, "w", zipfile.ZIP_DEFLATED) as wheel:
        for name, data in files.items():
            # The same bytes at any time: browsers keep the file by its digest.
            wheel.writestr(zipfile.ZipInfo(name), data, zipfile.ZIP_DEFLATED)
    return target


def _is_code(name: str) -> bool:
    return name.endswith(".py")


def _cached(name: str) -> str:
    return importlib.util.cache_from_source(name).replace("\\", "/")


def _compiled(name: str, source: bytes) -> bytes:
    # Found by nothing but its name: what is unpacked from a wheel has whatever time it has.
    code = compile(source, name, "exec", dont_inherit=True)
    digest = importlib.util.source_hash(source)
    pack: Any = vars(_bootstrap_external)["_code_to_hash_pyc"]  # as `py_compile` uses it
    return bytes(pack(code, digest, checked=False))


def _record(files: Mapping[str, bytes], own_name: str) -> bytes:
    lines = []
    for name, data in files.items():
        if name != own_name:
            digest = base64.urlsafe_b64encode(hashlib.sha256(data).digest()).rstrip(b"=").decode()
            lines.append(f"{name},sha256={digest},{len(data)}\n")
    return "".join([*lines, f"{own_name},,\n"]).encode()
