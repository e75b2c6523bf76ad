"""What comes first on the page, and the panels on which several languages share a memory."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from playwright.sync_api import expect

from emtests.demo.browser.visit import started

if TYPE_CHECKING:
    from playwright.sync_api import Page

    from emtests.demo.browser.visit import Visit

PHONE = {"width": 390, "height": 664}
"""What a phone shows of a page between the bars of its browser."""


def drive(visit: Visit) -> None:
    _recorded(visit)
    page = visit.started()
    _hero(page, visit.seen)
    _same_bytes(page, visit)
    _module(page, visit)
    _restart(page, visit.seen)
    _endless(page, visit.seen)


def _recorded(visit: Visit) -> None:
    """The first screen before Python runs, on a phone; it is what was recorded."""
    page = visit.page(viewport=PHONE, reduced_motion="reduce")
    page.route("**/pyodide.asm.wasm", lambda route: None)  # for ever on its way
    page.goto(visit.address)
    page.locator("#hero-lines .hero-error").first.wait_for()
    visit.seen["first screen"] = page.evaluate(
        """() => Object.fromEntries(["hero-bytes", "hero-lines"].map((id) =>
            [id, document.getElementById(id).getBoundingClientRect().bottom]))"""
    )
    visit.seen["recorded"] = page.locator("#hero-lines li").all_text_contents()
    visit.seen["recorded numbers"] = _numbers(page)
    visit.seen["badge"] = page.locator("#hero-live").text_content()
    page.get_by_role("tab", name="Break it").click()
    page.locator("#accounts .account").first.wait_for()
    visit.seen["recorded mistake"] = page.locator("#accounts .verdict").all_text_contents()
    visit.seen["recorded words"] = page.locator("#recorded").text_content()
    page.close()


def _hero(page: Page, seen: dict[str, Any]) -> None:
    expect(page.locator("#hero-live")).to_have_text("live")
    seen["hero links"] = {
        link.text_content(): link.get_attribute("href") for link in page.locator(".hero a").all()
    }
    _say(page, "mine = heap.alloc(uint32, 0xfeedbeef)")
    _say(page, "hex(mine.value)")
    seen["hero line"] = page.locator("#hero-lines li").last.text_content()
    _say(page, "lost = heap.alloc(int8)")
    _say(page, "lost.free()")
    _say(page, "lost.value")
    seen["hero error"] = page.locator("#hero-lines .hero-error").last.text_content()
    seen["hero numbers"] = _numbers(page)
    seen["hero bytes"] = page.locator("#hero-bytes").text_content()
    seen["hero label"] = page.locator("#hero-bytes").get_attribute("aria-label")


def _numbers(page: Page) -> dict[str, str]:
    """The lines that were run, by their numbers as they are shown."""
    found: dict[str, str] = page.evaluate(
        """() => Object.fromEntries([...document.querySelectorAll("#hero-lines li")].map(
            (line) => [line.value, line.querySelector("code").textContent]))"""
    )
    return found


def _say(page: Page, code: str) -> None:
    page.locator("#hero-line").fill(code)
    page.locator("#hero-run").click()
    page.locator("#hero-lines code", has_text=code).last.wait_for()


def _same_bytes(page: Page, visit: Visit) -> None:
    page.get_by_role("tab", name="Same bytes").click()
    page.locator("#bytes-row .byte").first.wait_for()
    seen = visit.seen
    seen["shared"] = {}
    for button in page.locator("#panel-bytes .code-button").all():
        code = button.text_content() or ""
        button.click()
        page.locator("#bytes-last", has_text=code).wait_for()
        seen["shared"][code] = _row(page)
    page.locator("#actions-python .code-button").first.click()
    expect(page.locator("#bytes-row .changed").first).to_be_visible()
    seen["kept bytes"] = _row(page)["bytes"]
    other = visit.page()
    other.goto(page.url)
    started(other)
    other.locator("#bytes-row .byte").first.wait_for()
    seen["linked bytes"] = _row(other)["bytes"]
    other.close()


def _row(page: Page) -> dict[str, Any]:
    page.wait_for_timeout(300)
    found: dict[str, Any] = page.evaluate(
        """() => ({
            bytes: [...document.querySelectorAll("#bytes-row .byte")]
                .map(({ textContent }) => textContent).join(""),
            python: [...document.querySelectorAll("#view-python .value")].map((e) => e.textContent),
            javascript: [...document.querySelectorAll("#view-javascript .value")]
                .map((e) => e.textContent),
            c: document.getElementById("view-c").textContent,
        })"""
    )
    return found


def _module(page: Page, visit: Visit) -> None:
    seen = visit.seen
    page.get_by_role("tab", name="Your .wasm").click()
    page.get_by_role("button", name="harfbuzz-subset.wasm").click()
    page.locator("#module-name", has_text="harfbuzz-subset.wasm").wait_for()
    seen["exports"] = page.locator("#module-exports th").all_text_contents()
    seen["module memory"] = page.locator("#module-memory").text_content()
    page.locator("#module-exports button", has_text=re.compile("^malloc$")).click()
    seen["call"] = page.locator("#module-prompt .cm-content").text_content()
    seen["called"] = _enter_module(
        page, "block = heap.alloc_array(uint8, b'in the module')\nbytes(block)"
    )
    seen["address"] = page.url.partition("#")[2]
    seen["chosen sample"] = page.locator("#samples [aria-pressed=true]").all_text_contents()
    page.locator("#module-map").click()
    page.locator("#map-rows tr", has_text="uint8 array").wait_for()
    page.locator("#map-rows button").first.click()
    page.locator("#dump", has_text="in the module").wait_for()
    seen["mapped"] = page.locator("#map-heap").input_value()

    page.get_by_role("tab", name="Your .wasm").click()
    page.locator("#module-file").set_input_files(visit.folder / "text.wasm")
    page.locator("#module-error").wait_for(state="visible")
    seen["no module"] = page.locator("#module-error").text_content()
    page.locator("#module-file").set_input_files(visit.folder / "own.wasm")
    page.locator("#module-name", has_text="own.wasm").wait_for()
    seen["no sample"] = page.locator("#samples [aria-pressed=true]").all_text_contents()
    seen["own"] = [
        row.locator("th, td").all_text_contents()
        for row in page.locator("#module-exports tr, #module-imports tr").all()
    ]
    seen["own answer"] = _enter_module(page, "exports.seven()")
    seen["own memory"] = page.locator("#module-memory").text_content()
    for name in ("bare.wasm", "trapping.wasm"):
        page.locator("#module-file").set_input_files(visit.folder / name)
        page.locator("#module-name", has_text=name).wait_for()
        seen[name] = page.locator("#module-problem").text_content()
        seen[f"{name} memory"] = page.locator("#module-memory").text_content()
        seen[f"{name} imports"] = page.locator("#imports-hint").text_content()
        if name == "bare.wasm":
            seen["bare bytes"] = _enter_module(page, "bytes(heap.wrap_array(uint8, 8, 4))")
    page.locator("#module-file").set_input_files(visit.folder / "own.wasm")
    page.locator("#module-name", has_text="own.wasm").wait_for()


def _enter_module(page: Page, text: str) -> str:
    before = page.locator("#module-log .entry").count()
    editor = page.locator("#module-prompt .cm-content")
    editor.fill(text)
    editor.press("Control+Enter")
    entry = page.locator("#module-log .entry").nth(before)
    entry.locator(".answered").first.wait_for()
    return "".join(entry.locator(".answered").all_text_contents())


def _restart(page: Page, seen: dict[str, Any]) -> None:
    """What the visitor did in these panels comes back with a new Python."""
    page.get_by_role("tab", name="Structures").click()
    page.locator("#structure-bytes input").first.wait_for()
    box = page.get_by_label("The value of count")
    box.fill("77")
    box.press("Enter")
    expect(page.locator("#structure-code")).to_have_text("node.count = 77")
    page.evaluate("document.getElementById('restart').click()")
    page.locator("#hero-live", has_text="recorded").wait_for()
    page.locator("#hero-live", has_text="live").wait_for()
    _say(page, "mine.value == 0xfeedbeef")
    page.locator("#hero-lines li", has_text="mine.value ==").locator(".hero-shown").wait_for()
    seen["hero after"] = page.locator("#hero-lines li").last.text_content()
    expect(page.locator("#structure-code")).to_contain_text("heap.alloc")
    seen["structure after"] = page.get_by_label("The value of count").input_value()
    page.get_by_role("tab", name="Same bytes").click()
    page.locator("#bytes-row .byte").first.wait_for()
    seen["bytes after"] = _row(page)["bytes"]
    page.get_by_role("tab", name="Your .wasm").click()
    seen["module after"] = _enter_module(page, "exports.seven()")
    seen["module log"] = page.locator("#module-log").text_content()


def _endless(page: Page, seen: dict[str, Any]) -> None:
    """What never ends is not run again by the Python that comes after."""
    page.locator("#hero-line").fill("while True: pass")
    page.locator("#hero-run").click()
    _restart_busy(page)
    _say(page, "hex(mine.value)")
    seen["hero after an endless line"] = page.locator("#hero-lines li").last.text_content()
    page.get_by_role("tab", name="Structures").click()
    page.locator("#structure-editor .cm-content").fill("while True: pass")
    _restart_busy(page)
    seen["focus after a restart"] = page.evaluate("document.activeElement.id")
    _say(page, "mine.value - mine.value")
    seen["hero after an endless declaration"] = page.locator("#hero-lines li").last.text_content()


def _restart_busy(page: Page) -> None:
    page.locator("#condition.busy").wait_for()
    page.locator("#restart").click()
    page.locator("#hero-live", has_text="recorded").wait_for()
    page.locator("#hero-live", has_text="live").wait_for()
