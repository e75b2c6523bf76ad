"""The panel of the prompt and of the tests."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from playwright.sync_api import expect

if TYPE_CHECKING:
    from playwright.sync_api import Page

    from emtests.demo.browser.visit import Visit


def drive(visit: Visit) -> None:
    page = visit.started("console")
    _type(page, visit.seen)
    _interrupt(page, visit.seen)
    _grow(page)
    _test(page, visit.seen)


def _type(page: Page, seen: dict[str, Any]) -> None:
    seen["answers"] = {}
    lines = ["1 + 2", "kept = heap.alloc_array(uint8, 5)", "kept[5]", "for i in range(2):"]
    for line in [*lines, "    print(i * 21)", ""]:
        seen["answers"][line] = _enter(page, line)
    page.locator("#prompt").press("ArrowUp")
    page.locator("#prompt").press("ArrowUp")
    seen["recalled"] = page.locator("#prompt").input_value()
    page.locator("#prompt").fill("")
    before = page.locator("#console-log .answered").count()
    page.get_by_role("button", name="heap.live()").click()
    page.locator("#console-log .answered").nth(before).wait_for()
    seen["live"] = page.locator("#console-log .answered").last.text_content()


def _enter(page: Page, line: str) -> list[str]:
    """Type a line; return what was written under it, and the sign of the next line."""
    typed = page.locator("#console-log .typed").count()
    page.locator("#prompt").fill(line)
    page.locator("#prompt").press("Enter")
    page.locator("#console-log .typed").nth(typed).wait_for()
    page.locator("#interrupt").wait_for(state="hidden")
    found: list[str] = page.evaluate(
        """() => {
            const last = document.querySelector("#console-log").lastElementChild;
            const sign = document.getElementById("prompt-sign").textContent;
            return [last.className === "answered" ? last.textContent : "", sign];
        }"""
    )
    return found


def _interrupt(page: Page, seen: dict[str, Any]) -> None:
    _enter(page, "while True: pass")
    page.locator("#prompt").press("Enter")
    page.locator("#interrupt").click()
    page.locator("#interrupt").wait_for(state="hidden")
    seen["interrupted"] = page.locator("#console-log .answered").last.text_content()
    seen["after"] = _enter(page, "'alive'")


def _grow(page: Page) -> None:
    _enter(page, "large = heap.alloc_array(uint8, 100_000_000)")
    page.get_by_role("tab", name="Heap map").click()
    page.locator("#map-growth", has_text="console.enter").wait_for()
    page.locator("#map-rows tr", has_text="100,000,000").wait_for()
    page.get_by_role("tab", name="Console").click()


def _test(page: Page, seen: dict[str, Any]) -> None:
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
    page.locator("#tests-part").select_option("emtests/types")
    start.click()
    expect(page.locator("#tests-counts")).to_have_text(re.compile(r"^[1-9][\d,]* of "))
    start.click()
    seen["stopped"] = now.text_content()
