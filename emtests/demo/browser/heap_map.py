"""The panel of the heap map."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from playwright.sync_api import expect

if TYPE_CHECKING:
    from playwright.sync_api import Page, Position

    from emtests.demo.browser.visit import Visit


NOTE_EXTENTS = """() => {
    const place = document.getElementById("map-extent");
    window.extents = [];
    new MutationObserver(() => extents.push(place.textContent)).observe(place, { childList: true });
}"""


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
    box = page.locator("#map-canvas").bounding_box()
    assert box is not None
    corner: Position = {"x": box["width"] - 4, "y": box["height"] - 4}
    page.locator("#map-canvas").click(position=corner)
    last = f"0x{max(int(row[0], 16) for row in seen['small']['rows']):x}"
    page.locator("#dump-title", has_text=last).wait_for()
    page.locator("#map-canvas").hover(position=corner)
    seen["tip"] = page.locator("#map-tip").text_content()

    seen["edges"] = _edges(page, [row[0] for row in seen["small"]["rows"][:2]])

    # What another tab does shows here: it goes on while this one is open.
    page.get_by_role("tab", name="Picture").click()
    page.get_by_label("Choose a picture", exact=True).set_input_files(visit.folder / "large.png")
    page.get_by_role("tab", name="Heap map").click()
    expect(page.locator("#map-rows tr").first).to_contain_text("7,680,000")
    page.locator("#map-growth", has_text="picture.open").wait_for()
    seen["large"] = _state(page)
    page.locator("#map-range").select_option("memory")
    expect(page.locator("#map-extent")).to_have_text(re.compile("^From 0x0 to "))
    seen["colours"] = _colours(page)
    seen["charts"] = page.locator("#map-charts .chart p").all_text_contents()
    seen["paths"] = page.locator("#map-charts path").evaluate_all(
        "paths => paths.map((path) => path.getAttribute('d'))"
    )
    _debug(page, seen)
    _large(page, visit)


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
                label: document.getElementById("map-canvas").getAttribute("aria-label"),
                rows: cells("map-rows"),
                kinds: cells("map-kinds"),
                sites: cells("map-sites"),
            };
        }"""
    )
    return found


def _edges(page: Page, addresses: list[str]) -> list[list[str]]:
    """The colours where these blocks begin: at the left of their first cells, and beside that."""
    found: list[list[str]] = page.evaluate(
        """(addresses) => {
            const [low, high] = document.getElementById("map-extent").textContent
                .match(/0x[0-9a-f]+/g).map(Number);
            const canvas = document.getElementById("map-canvas");
            const context = new OffscreenCanvas(canvas.width, canvas.height)
                .getContext("2d", { willReadFrequently: true });
            context.drawImage(canvas, 0, 0);
            const size = canvas.width / 64;
            const at = (x, y) => [...context.getImageData(x, y, 1, 1).data].join();
            return addresses.map((address) => {
                const cell = Math.floor((Number(address) - low) / Math.max(1, (high - low) / 1536));
                const [x, y] = [(cell % 64) * size + 1, Math.floor(cell / 64) * size + size / 3];
                return [at(x, y), at(x + size / 2, y)];
            });
        }""",
        addresses,
    )
    return found


def _colours(page: Page) -> int:
    """How many colours the map has in many cells each."""
    found: int = page.evaluate(
        """() => {
            const canvas = document.getElementById("map-canvas");
            const context = canvas.getContext("2d");
            const { data } = context.getImageData(0, 0, canvas.width, canvas.height);
            const counts = new Map();
            for (const colour of new Uint32Array(data.buffer)) {
                counts.set(colour, (counts.get(colour) ?? 0) + 1);
            }
            const many = data.length / 4 / 200;
            return [...counts.values()].filter((count) => count > many).length;
        }"""
    )
    return found


def _debug(page: Page, seen: dict[str, Any]) -> None:
    """The debug heap: its red zones on the map, an overrun, and what finds it."""
    for action in ("open", "open", "overrun", "verify"):
        page.locator(f"#debug-{action}").click()
        page.locator("#debug-code").wait_for()
    expect(page.locator("#debug-said")).to_contain_text("HeapCorruptionError")
    seen["corruption"] = page.locator("#debug-said").text_content()
    expect(page.locator("#map-heap")).to_have_value("A debug heap")
    page.locator("#legend-guards").wait_for()


def _large(page: Page, visit: Visit) -> None:
    """A memory of a gigabyte: the system takes seconds to give it its pages."""
    page.get_by_role("tab", name="Your .wasm").click()
    page.locator("#module-file").set_input_files(visit.folder / "large.wasm")
    page.locator("#module-name", has_text="large.wasm").wait_for()
    page.evaluate(NOTE_EXTENTS)
    page.locator("#module-map").click()
    expect(page.locator("#map-extent")).to_have_text(re.compile(r"to 0x40000000; a cell is .*s\.$"))
    visit.seen["extents"] = page.evaluate("extents")
    box = page.locator("#map-canvas").bounding_box()
    assert box is not None
    visit.seen["cells"] = []
    for x, y in (
        (4, 4),
        (box["width"] / 2, box["height"] / 2),
        (box["width"] - 4, box["height"] - 4),
    ):
        page.locator("#map-canvas").hover(position={"x": x, "y": y})
        visit.seen["cells"].append(page.locator("#map-tip").text_content())
