"""The command: a picture, the same program in two runtimes, one table.

Exit codes: 0 when both runs agree, 1 when they do not or one failed, 2 when something is missing or
wrong on this side (Node, npm, the picture, an option).
"""

from __future__ import annotations

import argparse
import difflib
import os
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

from pyodide_demo import building, comparison, runs
from pyodide_demo.environment import (
    PYODIDE_VERSION,
    EnvironmentProblem,
    build_compiled_wheel,
    build_documentation,
    npm_install,
    pyodide_site,
)
from pyodide_demo.filters import FILTERS, summary
from pyodide_demo.progress import Progress
from pyodide_demo.runs import DemoError, RunFailedError
from pyodide_demo.server import check_port, serve
from pyodide_demo.site import Parts, check_target, site_files, write_site
from pyodide_demo.site_tests import MODULES, REQUIREMENTS

PHOTOGRAPH = Path(__file__).resolve().parent / "photograph.jpg"
DEFAULT_FILTERS = ["mirror", "equalize", "sepia"]
SIGNATURES = (b"\x89PNG\r\n\x1a\n", b"\xff\xd8\xff")


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command; return its exit code."""
    options = _parser().parse_args(arguments)
    if options.list:
        _print_filters()
        return 0
    filters = DEFAULT_FILTERS if options.filter is None else options.filter
    try:
        _check_picture(options.image)
        if options.serve or options.build:
            return _make_page(options, filters)
        return _compare(options.image, filters, options.output)
    except (EnvironmentProblem, DemoError) as problem:
        print(f"error: {problem}", file=sys.stderr)
        return 2
    except RunFailedError as failure:
        print(f"error: {failure}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        return 130


def _make_page(options: argparse.Namespace, filters: Sequence[str]) -> int:
    if options.build is not None:
        check_target(options.build)
    if options.serve:
        check_port(options.port)
    with Progress() as say:
        runtimes = runs.prepare(say)
        parts = Parts(
            building.pack_runtime(say=say),
            building.build_page(say=say),
            building.record(runtimes.wheel, say=say),
            runtimes.wheel,
            build_compiled_wheel(say=say),
            npm_install("modules", MODULES, say=say),
            pyodide_site(PYODIDE_VERSION, REQUIREMENTS, say=say),
            build_documentation(say=say),
        )
    files = site_files(parts, options.image, filters)
    if options.build is not None:
        size = write_site(files, options.build)
        print(
            f"The site is in {options.build.resolve()}: {len(files)} files, {size / 1e6:.1f} MB.\n"
            "Any web server can serve it, at any address."
        )
    if options.serve:
        serve(files, options.port, open_browser=options.open)
    return 0


def _compare(image: Path, filters: Sequence[str], output: Path) -> int:
    _check_output(output, image)
    with Progress() as say, tempfile.TemporaryDirectory(prefix="emheap-demo-") as folder:
        runtimes = runs.prepare(say)
        say(f"Reading {image.name} ...")
        pixels = runs.decode(runtimes, image, Path(folder))
        say("Running the program natively ...")
        native = runs.run_natively(runtimes, pixels, filters)
        pyodide = runs.run_in_pyodide(runtimes, pixels, filters, say)
        problem = comparison.problem_of(native, pyodide)
        if problem is None:
            runs.encode(runtimes, runs.result_of(pixels, "pyodide"), output)
    print(f"\n{image.name}, {native['caption']}\n\n{comparison.table(native, pyodide)}\n")
    if problem is not None:
        print(f"error: {problem}", file=sys.stderr)
        return 1
    print(f"The checksums are equal. The result: {output.resolve()}")
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m pyodide_demo",
        description="Apply filters to a picture on the heap: one program, natively and in Pyodide.",
    )
    parser.add_argument(
        "image",
        nargs="?",
        type=Path,
        default=PHOTOGRAPH,
        metavar="IMAGE",
        help="a PNG or JPEG file (default: the photograph that comes with the command)",
    )
    parser.add_argument(
        "--filter",
        type=_filter_names,
        action="extend",
        metavar="NAME[,NAME...]",
        help=f"the filters, in this order (default: {','.join(DEFAULT_FILTERS)})",
    )
    parser.add_argument("--list", action="store_true", help="list the filters and stop")
    parser.add_argument(
        "--output",
        type=Path,
        default=Path("emheap-demo.png"),
        metavar="FILE",
        help="where to write the result, a PNG (default: %(default)s)",
    )
    parser.add_argument(
        "--serve", action="store_true", help="serve the page that runs the program in your browser"
    )
    parser.add_argument(
        "--build",
        type=Path,
        metavar="DIR",
        help="write that page to a folder, as files for any web server",
    )
    parser.add_argument(
        "--port",
        type=_port,
        default=8000,
        metavar="N",
        help="the port of the page on 127.0.0.1, 0 for any free one (default: %(default)s)",
    )
    parser.add_argument(
        "--open",
        action=argparse.BooleanOptionalAction,
        default=_at_a_desktop(),
        help="open the page in the browser (default: where a person sits at a desktop)",
    )
    return parser


def _filter_names(text: str) -> list[str]:
    names = [name.strip() for name in text.split(",")]
    for name in names:
        if name not in FILTERS:
            near = difflib.get_close_matches(name, FILTERS, n=1)
            guess = f" (did you mean {near[0]}?)" if near else ""
            raise argparse.ArgumentTypeError(
                f"there is no filter {name!r}{guess}; there are: {', '.join(FILTERS)}"
            )
    return names


def _port(text: str) -> int:
    if not text.isascii() or not text.isdigit() or int(text) > 65535:
        raise argparse.ArgumentTypeError(f"{text!r} is no port: give a number from 0 to 65535")
    return int(text)


def _at_a_desktop() -> bool:
    if not sys.stdout.isatty():
        return False
    return sys.platform in ("win32", "darwin") or any(
        name in os.environ for name in ("DISPLAY", "WAYLAND_DISPLAY")
    )


def _print_filters() -> None:
    width = max(map(len, FILTERS))
    for name in FILTERS:
        print(f"{name:{width}}  {summary(name)}")


def _check_picture(path: Path) -> None:
    """Refuse at once what needs no decoding to be refused."""
    if path.is_dir():
        raise DemoError(f"{path} is a directory; give a PNG or JPEG file.")
    try:
        with path.open("rb") as file:
            head = file.read(8)
    except OSError as error:
        reason = error.strerror or error
        raise DemoError(f"{path} cannot be read: {reason}.\nGive a PNG or JPEG file.") from error
    if not head.startswith(SIGNATURES):
        found = "is empty" if not head else "is neither a PNG nor a JPEG"
        raise DemoError(f"{path} {found}; give a PNG or JPEG file.")


def _check_output(path: Path, image: Path) -> None:
    cure = "Choose another place with --output."
    if path.suffix.lower() != ".png":
        raise DemoError(f"{path} is no name for the result, which is a PNG: end it in .png.")
    if path.is_dir():
        raise DemoError(f"{path} is a directory. {cure}")
    if not path.parent.is_dir():
        raise DemoError(f"{path.parent} is no directory to write {path.name} to. {cure}")
    if not os.access(path if path.exists() else path.parent, os.W_OK):
        raise DemoError(f"{path} cannot be written: permission denied. {cure}")
    if path.exists() and path.samefile(image):
        raise DemoError(f"{path} is the picture itself, which would be lost. {cure}")
