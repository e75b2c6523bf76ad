"""What Lighthouse says of the page and of the documentation, on a phone and on a desktop.

Three of its four scores say how the pages are made. The fourth, performance, is a measurement,
which a busy machine spoils: ``pytest -m once emtests/demo/test_page_lighthouse.py -rP`` prints it.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from emtests.conftest import skip_for_gap
from emtests.runtimes.find_chromium import installed_chromium
from pyodide_demo.environment import EnvironmentProblem, find_node, npm_install

pytestmark = [pytest.mark.once, pytest.mark.slow]

LEAST = 0.95
FLAGS = "--headless=new --no-sandbox --disable-dev-shm-usage"
SECONDS = 240
FORMS = {"phone": [], "desktop": ["--preset=desktop"]}
PAGES = ["", "docs/using.html", "docs/reference/heap_manager.html"]
ATTEMPTS = 4
"""Lighthouse sometimes misses the beginning of a trace, and then asks to be run again."""


@pytest.fixture(scope="module")
def lighthouse() -> Path:
    try:
        return npm_install("lighthouse", ["lighthouse@12"]) / "lighthouse" / "cli" / "index.js"
    except EnvironmentProblem as problem:
        skip_for_gap("Lighthouse", str(problem))


def judge(lighthouse: Path, address: str, options: list[str], made: Path) -> dict[str, Any]:
    """Have a page judged; return the report."""
    chromium = installed_chromium()
    if chromium is None:
        skip_for_gap("Lighthouse", "there is no Chromium; EMHEAP_CHROMIUM can name one")
    command = [str(find_node()), str(lighthouse), address, *options, "--quiet", "--output=json"]
    command += [f"--output-path={made}", f"--chrome-flags={FLAGS}"]
    environment = {**os.environ, "CHROME_PATH": str(chromium)}
    report: dict[str, Any] = {}
    for _ in range(ATTEMPTS):
        subprocess.run(command, env=environment, timeout=SECONDS)
        report = json.loads(made.read_text(encoding="utf-8"))
        if report.get("runtimeError", {}).get("code") != "NO_NAVSTART":
            break
    return report


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("page", PAGES)
def test_lighthouse_is_content(
    served: str, lighthouse: Path, page: str, form: str, tmp_path: Path
) -> None:
    report = judge(lighthouse, f"{served}{page}", FORMS[form], tmp_path / "report.json")
    assert "runtimeError" not in report, report["runtimeError"]
    scores = {name: category["score"] for name, category in report["categories"].items()}
    sys.stdout.write(f"/{page} on a {form}: {scores}\n")
    assert set(scores) == {"performance", "accessibility", "best-practices", "seo"}
    failed = [name for name, audit in report["audits"].items() if audit["score"] == 0]
    made = {name: score for name, score in scores.items() if name != "performance"}
    assert min(made.values()) >= LEAST, (made, failed)
