"""The panel of the spectrogram."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

from playwright.sync_api import expect

from emtests.demo.browser.visit import started

if TYPE_CHECKING:
    from playwright.sync_api import Page

    from emtests.demo.browser.visit import Visit

MOST_FRAMES = 600
MANY_COLUMNS = 100
HEAR = """
const start = OscillatorNode.prototype.start;
OscillatorNode.prototype.start = function (...given) {
    self.heard = this.frequency.value;
    return start.apply(this, given);
};
"""
"""Notes what the page has the loudspeaker play."""
STEP_OF_3000 = round(1000 * math.log(3000 / 60) / math.log(12_000 / 60))
"""The slider goes by equal steps of pitch."""


def drive(visit: Visit) -> None:
    seen = visit.seen
    page = visit.page()
    page.add_init_script(HEAR)
    page.goto(f"{visit.address}#spectrum")
    started(page)
    page.locator("#fft-code .code-text").first.wait_for()
    seen["code"] = page.locator("#fft-code .code-text").all_text_contents()
    start = page.get_by_role("button", name="Start")
    stop = page.get_by_role("button", name="Stop")

    start.click()
    expect(page.locator("#peak-bin")).to_have_text("19 of 1,024")
    seen["tone"] = _state(page)
    seen["audible"] = page.evaluate("self.heard")
    seen["axis"] = page.locator("#frequencies li").all_text_contents()
    seen["frame"] = page.locator(".spectrogram").bounding_box()
    seen["labels"] = [label.bounding_box() for label in page.locator("#frequencies li").all()]
    before = _brightest_row(page)
    page.locator("#frequency").fill(str(STEP_OF_3000))
    expect(page.locator("#peak-bin")).to_have_text("128 of 1,024")
    # What was drawn is seen a frame later or two.
    for _ in range(MOST_FRAMES):
        seen["brightest"] = _brightest_row(page)
        if seen["brightest"] != before:
            break

    seen["columns"] = _columns(page)
    while seen["columns"] < MANY_COLUMNS:
        seen["columns"] = _columns(page)

    # It goes on while the map is open, which shows the C library's heap as well.
    page.get_by_role("tab", name="Heap map").click()
    page.locator("#map-heap").select_option("pffft's heap")
    seen["address"] = page.url
    page.locator("#map-rows tr", has_text="float32 array").nth(2).wait_for()
    seen["blocks"] = [
        row.locator("td").all_text_contents() for row in page.locator("#map-rows tr").all()
    ]
    seen["memory"] = page.locator("#map-memory").text_content()
    page.get_by_role("tab", name="Spectrum").click()
    stop.click()

    page.get_by_role("radio", name="A sound file").check()
    start.click()
    page.locator("#spectrum-error").wait_for(state="visible")
    seen["no file"] = page.locator("#spectrum-error").text_content()
    page.locator("#sound-file").set_input_files(visit.folder / "text.wav")
    start.click()
    expect(page.locator("#spectrum-error")).to_contain_text("text.wav")
    seen["bad file"] = page.locator("#spectrum-error").text_content()
    page.locator("#sound-file").set_input_files(visit.folder / "short.wav")
    start.click()
    expect(page.locator("#peak-frequency")).to_contain_text("2000.")
    start.wait_for()
    seen["columns of another sound"] = _columns(page)
    page.locator("#sound-file").set_input_files(visit.folder / "tone.wav")
    start.click()
    expect(page.locator("#peak-frequency")).to_contain_text("1000.")
    seen["file"] = _state(page)
    # The file ends by itself.
    start.wait_for()

    page.get_by_role("radio", name="The microphone").check()
    start.click()
    expect(page.locator("#peak-frequency")).not_to_contain_text("1000.")
    seen["microphone"] = _state(page)
    stop.click()
    start.wait_for()


def _state(page: Page) -> dict[str, Any]:
    found: dict[str, Any] = page.evaluate(
        """() => Object.fromEntries(
            ["peak-frequency", "peak-bin", "peak-level", "spectrum-bytes", "reading"].map(
                (id) => [id, document.getElementById(id).textContent],
            ),
        )"""
    )
    return found


def _columns(page: Page) -> int:
    """How many columns were drawn since the canvas was empty."""
    found: int = page.evaluate(
        """async () => {
            await new Promise(requestAnimationFrame);
            const canvas = document.getElementById("spectrogram");
            const copy = new OffscreenCanvas(canvas.width, canvas.height).getContext("2d");
            copy.drawImage(canvas, 0, 0);
            const { data } = copy.getImageData(0, 0, canvas.width, 1);
            return Array.from({ length: canvas.width }, (_, x) => data[4 * x + 3])
                .filter((alpha) => alpha > 0).length;
        }"""
    )
    return found


def _brightest_row(page: Page) -> int:
    """The brightest pixel of the newest column, from the top."""
    found: int = page.evaluate(
        """async () => {
            await new Promise(requestAnimationFrame);
            const canvas = document.getElementById("spectrogram");
            const copy = new OffscreenCanvas(canvas.width, canvas.height).getContext("2d");
            copy.drawImage(canvas, 0, 0);
            const { data } = copy.getImageData(canvas.width - 1, 0, 1, canvas.height);
            const bright = Array.from({ length: canvas.height }, (_, y) => data[4 * y]);
            return bright.indexOf(Math.max(...bright));
        }"""
    )
    return found
