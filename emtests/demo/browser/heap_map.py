"""The panel of the heap map."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from playwright.sync_api import expect

if TYPE_CHECKING:
    from playwright.sync_api import Page

    from emtests.demo.browser.visit import Visit


def drive(visit: Visit) -> None:
    seen = visit.seen
    page = visit.started("map")
    # The picture comes after Python has started.
    page.locator("#map-rows tr").nth(2).wait_for(state="attached")
    expect(page.locator("#caption")).to_have_text(re.compile("sepia$"))
    seen["small"] = _state(page)

    page.locator("#map-rows button").first.focus()
    page.keyboard.press("Enter")
    page.locator("#dump").wait_for(state="visible")
    seen["dumps"] = {}
    for button in page.locator("#map-rows button").all()[:2]:
        button.click()
        address = button.text_content() or ""
        page.locator("#dump-title", has_text=address).wait_for()
        seen["dumps"][address] = page.locator("#dump").text_content()

    # The block that ends the range lies in the last cell.
    box = page.locator("#map").bounding_box()
    assert box is not None
    page.mouse.click(box["x"] + box["width"] - 4, box["y"] + box["height"] - 4)
    last = f"0x{max(int(row[0], 16) for row in seen['small']['rows']):x}"
    page.locator("#dump-title", has_text=last).wait_for()

    # What another tab does shows here: it goes on while this one is open.
    page.get_by_role("tab", name="Picture").click()
    page.get_by_label("Choose a picture", exact=True).set_input_files(visit.folder / "large.png")
    page.get_by_role("tab", name="Heap map").click()
    expect(page.locator("#map-rows tr").first).to_contain_text("7,680,000")
    page.locator("#map-growth", has_text="picture.open").wait_for()
    seen["large"] = _state(page)
    page.locator("#map-range").select_option("memory")
    expect(page.locator("#map-extent")).to_have_text(re.compile("^From 0x0 to "))
    seen["charts"] = page.locator("#map-charts .chart p").all_text_contents()
    seen["paths"] = page.locator("#map-charts path").evaluate_all(
        "paths => paths.map((path) => path.getAttribute('d'))"
    )


def _state(page: Page) -> dict[str, Any]:
    found: dict[str, Any] = page.evaluate(
        """() => {
            const text = (id) => document.getElementById(id).textContent;
            const cells = (id) => [...document.querySelectorAll(`#${id} tr`)].map(
                (row) => [...row.cells].map((cell) => cell.textContent),
            );
            return {
                blocks: text("map-blocks"),
                bytes: text("map-bytes"),
                memory: text("map-memory"),
                growth: text("map-growth"),
                extent: text("map-extent"),
                label: document.getElementById("map").getAttribute("aria-label"),
                rows: cells("map-rows"),
                kinds: cells("map-kinds"),
                sites: cells("map-sites"),
            };
        }"""
    )
    return found
