"""The picture panel."""

from __future__ import annotations

import base64
import hashlib
import re
from pathlib import Path
from typing import TYPE_CHECKING, Any

from playwright.sync_api import expect

from emtests.demo.browser.visit import SECONDS

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
    note("refused", "original → blur")
    chip("blur").uncheck()
    note("after", "original")
    visit.seen["alertHidden"] = alert.is_hidden()
    _drop(page, visit.folder / "large.png")
    note("dropped", "dropped.png (scaled down from 3200 × 20), 1600 × 10: original")


def _state(page: Page, caption: str) -> dict[str, Any]:
    """What the page shows once its caption ends so."""
    place = page.locator("#caption")
    expect(place).to_have_text(re.compile(re.escape(caption) + "$"), timeout=SECONDS * 1000)
    found: dict[str, Any] = page.evaluate(
        """() => {
            const text = (id) => document.getElementById(id).textContent;
            const all = (selector) => [...document.querySelectorAll(selector)];
            return {
                caption: text("caption"),
                label: document.getElementById("canvas").getAttribute("aria-label"),
                blocks: text("blocks"),
                bytes: text("bytes"),
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
        octets = page.evaluate(
            """async (id) => {
                const frame = () => new Promise(requestAnimationFrame);
                await frame();
                await frame();
                const canvas = document.getElementById(id);
                const copy = new OffscreenCanvas(canvas.width, canvas.height).getContext("2d");
                copy.drawImage(canvas, 0, 0);
                return [...copy.getImageData(0, 0, canvas.width, canvas.height).data];
            }""",
            canvas,
        )
        now = hashlib.sha256(bytes(octets)).hexdigest()
        if now == last:
            return now
        last = now


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
