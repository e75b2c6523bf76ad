"""The picture panel."""

from __future__ import annotations

import base64
import re
from pathlib import Path
from typing import TYPE_CHECKING, Any

from playwright.sync_api import expect

if TYPE_CHECKING:
    from playwright.sync_api import Page

    from emtests.demo.browser.visit import Visit


def drive(visit: Visit) -> None:
    page = visit.started("picture")
    states: dict[str, Any] = {}
    visit.seen["states"] = states

    def note(name: str, caption: str) -> None:
        states[name] = _state(page, caption)

    def chip(name: str) -> Any:
        return page.get_by_role("checkbox", name=name)

    note("start", "original → sepia")
    page.locator("label", has_text="mirror").click()
    note("mirror", "original → sepia → mirror")

    # With the keyboard alone: from the first filter on, one tab at a time.
    chip("grayscale").focus()
    for key in ("Tab", "Tab", "Space"):
        page.keyboard.press(key)
    note("keyboard", "original → sepia → mirror → invert")
    chip("sepia").uncheck()
    note("unchecked", "original → mirror → invert")

    with page.expect_download() as download:
        page.get_by_role("button", name="Save as PNG").click()
    download.value.save_as(visit.folder / "saved.png")

    page.get_by_role("button", name="Reset").click()
    note("reset", "original")
    chip("blur").check()
    chooser = page.get_by_label("Choose a picture", exact=True)
    chooser.set_input_files(visit.folder / "chosen.png")
    note("chosen", "chosen.png, 33 × 21: original → blur")
    chooser.set_input_files(visit.folder / "text.png")
    alert = page.locator("#picture-error")
    alert.wait_for(state="visible")
    visit.seen["refusal"] = alert.text_content()
    visit.seen["refusal is seen"] = alert.evaluate(
        """(alert) => {
            const { top, bottom } = alert.getBoundingClientRect();
            return top >= 0 && bottom <= innerHeight;
        }"""
    )
    note("refused", "original → blur")
    chip("blur").uncheck()
    note("after", "original")
    visit.seen["alertHidden"] = alert.is_hidden()
    _drop(page, visit.folder / "large.png")
    note("dropped", "dropped.png (scaled down from 3200 × 20), 1600 × 10: original")

    _draw_in_both_ways(page, states, visit.seen)
    _film(page, visit.seen)


def _draw_in_both_ways(page: Page, states: dict[str, Any], seen: dict[str, Any]) -> None:
    page.get_by_role("button", name="Photograph").click()
    states["photograph"] = _state(page, "served.png, 48 × 36: original")
    page.get_by_role("radio", name="to_js").check()
    page.get_by_role("checkbox", name="invert").check()
    states["to_js"] = _state(page, "original → invert")
    page.get_by_role("button", name="Measure both").click()
    expect(page.locator("#to_js-copied")).not_to_have_text("–")
    seen["measured"] = _figures(page)
    states["measured"] = _state(page, "original → invert")


def _film(page: Page, seen: dict[str, Any]) -> None:
    """The camera, in both ways, and while another tab is open."""
    page.get_by_role("button", name="Camera").click()
    for way in ("to_js", "view"):
        page.locator(f"#ways [value={way}]").check()
        expect(page.locator("#camera-rate")).to_have_text(re.compile(r"^[1-9][\d.]* a second"))
        first = pixels_now(page, "canvas")
        while pixels_now(page, "canvas") == first:
            pass
    seen["film"] = {"caption": page.locator("#caption").text_content()}
    seen["film"]["said"] = page.locator("#caption-said").text_content()
    page.get_by_role("tab", name="Heap map").click()
    page.locator("#map-rows tr", has_text="691,200").first.wait_for()
    total = page.locator("#map-total").text_content() or ""
    expect(page.locator("#map-total")).not_to_have_text(total)
    page.get_by_role("tab", name="Picture").click()
    page.get_by_role("button", name="Photograph").click()
    seen["film"]["after"] = _state(page, "served.png, 48 × 36: original → invert")
    camera = page.locator("#camera")
    seen["film"]["pressed"] = camera.get_attribute("aria-pressed")
    camera.click()
    expect(page.locator("#camera-rate")).to_have_text(re.compile(r"^[1-9][\d.]* a second"))
    page.get_by_role("button", name="Measure both").click()
    expect(page.locator("#to_js-copied")).to_have_text("691,200 bytes")
    seen["film"]["pressed when measured"] = camera.get_attribute("aria-pressed")
    seen["film"]["rate when measured"] = page.locator("#camera-rate").text_content()


def _figures(page: Page) -> dict[str, Any]:
    names = [f"{way}-{each}" for way in ("view", "to_js") for each in ("time", "speed", "copied")]
    return {name: page.locator(f"#{name}").text_content() for name in names}


def _state(page: Page, caption: str) -> dict[str, Any]:
    """What the page shows once its caption ends so."""
    place = page.locator("#caption")
    expect(place).to_have_text(re.compile(re.escape(caption) + "$"))
    found: dict[str, Any] = page.evaluate(
        """() => {
            const text = (id) => document.getElementById(id).textContent;
            const all = (selector) => [...document.querySelectorAll(selector)];
            return {
                caption: text("caption"),
                label: document.getElementById("canvas").getAttribute("aria-label"),
                blocks: text("picture-blocks"),
                bytes: text("picture-bytes"),
                times: all("#times th").map((name) => name.textContent),
                checked: all("#chips :checked").map((box) => box.name),
            };
        }"""
    )
    return {"pixels": pixels(page, "canvas"), **found}


def pixels(page: Page, canvas: str) -> str:
    """The SHA-256 of what a canvas shows, once that is the same twice: frames come when they do."""
    last = ""
    while True:
        now = pixels_now(page, canvas)
        if now == last:
            return now
        last = now


def pixels_now(page: Page, canvas: str) -> str:
    """The SHA-256 of what a canvas shows in two frames' time."""
    digest: str = page.evaluate(
        """async (id) => {
            const frame = () => new Promise(requestAnimationFrame);
            await frame();
            await frame();
            const canvas = document.getElementById(id);
            const copy = new OffscreenCanvas(canvas.width, canvas.height).getContext("2d");
            copy.drawImage(canvas, 0, 0);
            const { data } = copy.getImageData(0, 0, canvas.width, canvas.height);
            const digest = new Uint8Array(await crypto.subtle.digest("SHA-256", data));
            return [...digest].map((byte) => byte.toString(16).padStart(2, "0")).join("");
        }""",
        canvas,
    )
    return digest


def _drop(page: Page, file: Path) -> None:
    transfer = page.evaluate_handle(
        """([base64, name]) => {
            const bytes = Uint8Array.from(atob(base64), (letter) => letter.charCodeAt(0));
            const data = new DataTransfer();
            data.items.add(new File([bytes], name, { type: "image/png" }));
            return data;
        }""",
        [base64.b64encode(file.read_bytes()).decode(), "dropped.png"],
    )
    page.dispatch_event("#panel-picture", "drop", {"dataTransfer": transfer})
