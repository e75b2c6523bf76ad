"""The panel of the prompt, and the tests."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from playwright.sync_api import expect

from emtests.demo.browser.visit import SECONDS, started

if TYPE_CHECKING:
    from playwright.sync_api import Locator, Page, Route

    from emtests.demo.browser.visit import Visit

README = Path(__file__).resolve().parents[3] / "README.md"

LINES = {
    "a number": "1 + 2",
    "an array": "kept = heap.alloc_array(uint8, 5)",
    "beyond it": "kept[5]",
    "a class and its use": "class A:\n    one = 1\n\n    two = 2\n\nA.two",
    "a definition and a call": "def f():\n    return 'called'\nf()",
    "what follows an error": "1 / 0\nprint('too far')",
    "what cannot be read": "print('too early')\n1 +* 2",
    "an await": "import asyncio\nawait asyncio.sleep(0.01)\n'awaited'",
    "colours": "print('\\x1b[31mred\\x1b[0m plain')",
    "the end": "raise SystemExit",
    "a missing package": "import numpy",
}
WHOLE = {
    "a class and its use": "class B:\n    one = 1\n\n    two = 'B'\n\nB.two",
    "examples": ">>> 2 + 3\n5\n>>> for i in range(2):\n...     print(i)\n...\n0\n1\n>>> 'last'",
}
"""What is run by Enter alone at the end of it."""
ENDLESS = {
    "computes": "print('begun')\nwhile True: pass",
    "computes in a task": "async def f():\n    print('begun')\n    while True: pass\n\n"
    "await asyncio.gather(f(), f())",
    "begins again and again": "print('begun')\n" + "x = sum(range(100_000))\n" * 250,
    "sleeps": "import time; print('begun'); time.sleep(1000)",
    "sleeps often": "print('begun')\nwhile True: time.sleep(0.001)",
    "awaits": "print('begun')\nawait asyncio.sleep(1000)",
    "awaits often": "print('begun')\nwhile True: await asyncio.sleep(0)",
    "runs a loop": "import asyncio; print('begun'); asyncio.run(asyncio.sleep(1000))",
    "asks": "input('begun')",
    "examples": ">>> print('begun')\n>>> time.sleep(1000)\n>>> time.sleep(1000)\n",
}
"""What ends at an interrupt alone."""
PARTS = ("def f():\n    return 1", "numbers = [\n1,", "def f(): return 1\n@property")
"""After which Enter begins a new line."""


def drive(visit: Visit) -> None:
    page = visit.started("console")
    seen = visit.seen
    seen["focus"] = page.evaluate("document.activeElement.id")
    seen["answers"] = {name: enter(page, text) for name, text in LINES.items()}
    seen["coloured"] = page.locator("#console-log .ansi-red").text_content()
    _grow(page)
    _type(page, seen)
    _paste_the_readme(page, seen)
    _fold(page, seen)
    _flood(page, seen)
    _queue(page, seen)
    _stream_and_interrupt(page, seen)
    _ask(page, seen)
    _install(page, visit)
    _install_by_name(visit)
    _link(visit, page)
    _test(page, seen)


def editor(page: Page) -> Locator:
    return page.locator("#prompt .cm-content")


def enter(page: Page, text: str) -> str:
    """Run a text; return what was shown for it."""
    before = page.locator("#console-log .entry").count()
    editor(page).fill(text)
    editor(page).press("Control+Enter")
    entry = page.locator("#console-log .entry").nth(before)
    entry.wait_for()
    expect(page.locator("#console-run")).to_be_enabled()
    return "".join(entry.locator(".answered").all_text_contents())


def _type(page: Page, seen: dict[str, Any]) -> None:
    """By the keyboard alone: Enter goes on in a block and runs what is whole, Tab completes."""
    editor(page).press_sequentially("for i in range(2):")
    editor(page).press("Enter")
    editor(page).press_sequentially("print(i * 21)")
    editor(page).press("Enter")
    editor(page).press("Backspace")
    before = page.locator("#console-log .entry").count()
    editor(page).press("Enter")
    page.locator("#console-log .entry").nth(before).locator(".answered").wait_for()
    seen["typed"] = page.locator("#console-log .entry").last.locator(".answered").text_content()
    editor(page).press("ArrowUp")
    seen["recalled"] = "\n".join(page.locator("#prompt .cm-line").all_text_contents())
    for _ in range(4):
        editor(page).press("ArrowUp")
    seen["before that"] = page.locator("#prompt .cm-content").text_content()
    for key in ("Control+Space", "Tab"):
        editor(page).fill("kep")
        editor(page).press(key)
        page.locator("#prompt .cm-tooltip-autocomplete").wait_for()
        editor(page).press("Tab")
        expect(editor(page)).to_have_text("kept")
    for text in PARTS:
        editor(page).fill(text)
        editor(page).press("Enter")
        expect(page.locator("#prompt .cm-line")).to_have_count(text.count("\n") + 2)
    seen["whole"] = {name: _enter_alone(page, text) for name, text in WHOLE.items()}
    editor(page).fill("")


def _enter_alone(page: Page, text: str) -> list[str]:
    before = page.locator("#console-log .entry").count()
    editor(page).fill(text)
    editor(page).press("Enter")
    entry = page.locator("#console-log .entry").nth(before)
    entry.locator(".answered").last.wait_for()
    expect(page.locator("#console-run")).to_be_enabled()
    shown: list[str] = entry.locator(".answered").all_text_contents()
    return shown


def _paste_the_readme(page: Page, seen: dict[str, Any]) -> None:
    blocks = re.findall(r"```python\n(>>> .*?)```", README.read_text(encoding="utf-8"), re.DOTALL)
    seen["readme"] = [enter(page, block) for block in blocks]
    seen["readme's last line"] = [
        re.findall(r"^>>> (.*?)(?:  # doctest.*)?$", block, re.MULTILINE)[-1] for block in blocks
    ]


def _fold(page: Page, seen: dict[str, Any]) -> None:
    enter(page, "for i in range(500): print(i)")
    last = page.locator("#console-log .entry").last
    seen["folded"] = last.locator("summary").text_content()
    seen["unfolded"] = last.locator(".answered").first.text_content()


def _flood(page: Page, seen: dict[str, Any]) -> None:
    """What prints without an end leaves the page usable."""
    enter(page, "print('x' * 50_000)")
    last = page.locator("#console-log .entry").last
    seen["folded line"] = last.locator("summary").text_content()
    last.locator("summary").click()
    seen["unfolded line"] = last.inner_text().count("x")
    editor(page).fill("while True: print('flood')")
    editor(page).press("Control+Enter")
    entry = page.locator("#console-log .entry").last
    expect(entry).to_contain_text("What follows is not shown")
    page.locator("#interrupt").click()
    expect(page.locator("#console-run")).to_be_enabled()
    seen["flood"] = (entry.text_content() or "")[-20:]


def _queue(page: Page, seen: dict[str, Any]) -> None:
    """What is entered while a program waits runs after it; the other panels do not wait."""
    before = page.locator("#console-log .entry").count()
    for text in ("import asyncio\nawait asyncio.sleep(2)\n'first'", "'second'"):
        editor(page).fill(text)
        editor(page).press("Control+Enter")
    page.get_by_role("tab", name="Same bytes").click()
    page.locator("#bytes-row .byte").first.wait_for()
    seen["condition of a program that waits"] = page.locator("#condition").is_visible()
    page.get_by_role("tab", name="Console").click()
    expect(page.locator("#console-run")).to_be_enabled()
    entries = page.locator("#console-log .entry").all()[before:]
    seen["queued"] = [entry.locator(".answered").all_text_contents() for entry in entries]


def _stream_and_interrupt(page: Page, seen: dict[str, Any]) -> None:
    # An interrupt may come between a coroutine's creation and its `await`, which Python warns of.
    enter(page, "import warnings; warnings.filterwarnings('ignore', '.* was never awaited')")
    seen["interrupted"] = {}
    for name, text in ENDLESS.items():
        before = page.locator("#console-log .entry").count()
        editor(page).fill(text)
        editor(page).press("Control+Enter")
        entry = page.locator("#console-log .entry").nth(before)
        # What is printed is there before the program ends. The entry shows the text itself as well.
        answered = entry.locator(".answered")
        expect(answered.first).to_contain_text("begun")
        page.locator("#interrupt").click()
        expect(page.locator("#console-run")).to_be_enabled()
        seen["interrupted"][name] = "".join(answered.all_text_contents())
        seen["after"] = enter(page, "'alive'")
        expect(page.locator("#input-form")).to_be_hidden()


def _ask(page: Page, seen: dict[str, Any]) -> None:
    editor(page).fill("name = input('Who? ')\nprint('Hello', name)")
    editor(page).press("Control+Enter")
    page.locator("#input-line").fill("Grüße")
    page.locator("#input-line").press("Enter")
    expect(page.locator("#console-log .entry").last).to_contain_text("Hello Grüße")
    expect(page.locator("#console-run")).to_be_enabled()


def _install(page: Page, visit: Visit) -> None:
    wheel = page.locator(".install a").get_attribute("href")
    code = f"import micropip\nawait micropip.install('{visit.address}{wheel}')\n"
    visit.seen["installed"] = enter(page, f"{code}'emheap' in micropip.list()")


def _install_by_name(visit: Visit) -> None:
    """A package of PyPI, which a stand-in answers for: tests have no network. The page may ask
    nobody else."""
    context = visit.browser.new_context()  # whose requests go to other hosts, as is wanted
    name = "stand_in-1.0-py3-none-any.whl"
    wheel = (visit.folder / name).read_bytes()
    file = {"filename": name, "url": f"https://files.pythonhosted.org/{name}", "size": len(wheel)}
    file |= {"hashes": {"sha256": hashlib.sha256(wheel).hexdigest()}}
    listing = {"name": "stand-in", "versions": ["1.0"], "files": [file], "meta": {}}
    asked = visit.seen["asked"] = []

    def answer(body: bytes, kind: str) -> Callable[[Route], None]:
        headers = {"Access-Control-Allow-Origin": "*", "Content-Type": kind}

        def fulfill(route: Route) -> None:
            asked.append(route.request.url)
            route.fulfill(status=200, headers=headers, body=body)

        return fulfill

    index = "application/vnd.pypi.simple.v1+json"
    context.route("https://pypi.org/**", answer(json.dumps(listing).encode(), index))
    context.route("https://files.pythonhosted.org/**", answer(wheel, "application/zip"))
    context.route("https://other.example/**", answer(b"", "text/plain"))
    page = context.new_page()
    page.set_default_timeout(SECONDS * 1000)
    page.goto(f"{visit.address}#console")
    started(page)
    editor(page).wait_for()
    visit.seen["asked unasked"] = list(asked)
    code = "import micropip\nawait micropip.install('stand-in')\nimport stand_in\nstand_in.answer"
    visit.seen["installed by name"] = enter(page, code)
    fetch = "from pyodide.http import pyfetch\nawait pyfetch('https://other.example/')"
    visit.seen["another host"] = enter(page, fetch)
    context.close()


def _link(visit: Visit, page: Page) -> None:
    editor(page).fill("6 * 7 + 0")
    page.locator("#console-link").click()
    page.locator("#console-linked", has_text="carries the code").wait_for()
    address = page.url
    other = visit.page()
    other.goto(address)
    expect(editor(other)).to_have_text("6 * 7 + 0")
    visit.seen["linked"] = address.partition("#")[2]
    other.goto(f"{visit.address}#console?code={'print(6 * 7)'.replace(' ', '%20')}&run=1")
    expect(other.locator("#console-log")).to_contain_text("42")
    other.close()


def _grow(page: Page) -> None:
    enter(page, "large = heap.alloc_array(uint8, 100_000_000)")
    page.get_by_role("tab", name="Heap map").click()
    page.locator("#map-growth", has_text="console.run").wait_for()
    page.locator("#map-rows tr", has_text="100,000,000").wait_for()
    page.get_by_role("tab", name="Console").click()
    enter(page, "large.free()")


def _test(page: Page, seen: dict[str, Any]) -> None:
    page.get_by_role("tab", name="Tests").click()
    start = page.locator("#tests-start")
    now = page.locator("#tests-now")
    seen["parts"] = page.locator("#tests-part option").all_text_contents()
    start.click()
    expect(now).to_have_text(re.compile("passed|exit code"))
    seen["ended"] = now.text_content()
    seen["counts"] = page.locator("#tests-counts").text_content()
    seen["files"] = [
        row.locator("th, td").all_text_contents() for row in page.locator("#tests-files tr").all()
    ]
    page.locator("#tests-part").select_option("emtests/refs")
    start.click()
    expect(page.locator("#tests-counts")).to_have_text(re.compile(r"^[1-9][\d,]* of "))
    start.click()
    seen["stopped"] = now.text_content()
