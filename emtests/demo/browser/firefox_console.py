"""The prompt in Firefox, by its keyboard and clipboard, and what a restart leaves of each panel.

    python -m emtests.demo.browser.firefox_console FIREFOX ADDRESS

prints what was seen as JSON.
"""

from __future__ import annotations

import re
import sys
from pathlib import Path
from typing import Any
from urllib.parse import quote

from selenium.webdriver.common.by import By
from selenium.webdriver.common.keys import Keys

from emtests.demo.browser.condition import STUBBORN
from emtests.demo.browser.firefox import Walk, main

README = Path(__file__).resolve().parents[3] / "README.md"

PASTED = {
    "a class and its use": "class A:\n    one = 1\n\n    two = 2\n\nA.two",
    "a definition and a call": "def f():\n    return 'called'\nf()",
    "what follows an error": "1 / 0\nprint('too far')",
    "an await": "import asyncio\nawait asyncio.sleep(0.01)\n'awaited'",
    "colours": "print('\\x1b[31mred\\x1b[0m plain')",
    "a long output": "for i in range(500): print(i)",
}
OWN = "class Point(Struct):\n    x: int16\n    y: int16\n\nPoint(x=1, y=-1)"
PUT = """
    document.getElementById("clipboard")?.remove();
    const area = document.createElement("textarea");
    area.id = "clipboard";
    area.value = arguments[0];
    document.body.append(area);
    area.select();
"""
"""A text that Ctrl+C then copies: a page may write to the clipboard only where it was clicked."""
COLOURS = """
    return [...document.querySelectorAll("#console-log .ansi-red")].map((e) => e.textContent)
"""


class Console(Walk):
    """What is done with the prompt."""

    def editor(self, place: str = "prompt") -> Any:
        return self.wait_for_editor(place)

    def written(self, place: str = "prompt") -> str:
        """What is in the editor."""
        lines = self.driver.execute_script(
            """return [...document.getElementById(arguments[0]).shadowRoot
                .querySelectorAll(".cm-line")].map((line) => line.textContent)""",
            place,
        )
        return "\n".join(lines)

    def paste(self, text: str, place: str = "prompt") -> None:
        """By the clipboard, as a visitor does."""
        self.driver.execute_script(PUT, text)
        self.type("clipboard", Keys.CONTROL, "c")
        # At once, for the driver moves the cursor to the end of an element that it types into.
        self.editor(place).send_keys(Keys.CONTROL, "av")

    def entries(self) -> list[Any]:
        found: list[Any] = self.driver.find_elements(By.CSS_SELECTOR, "#console-log .entry")
        return found

    def answer(self, before: int) -> str:
        """What came of the entry after so many others, once it has ended."""
        self.until(lambda: len(self.entries()) > before, "nothing was run")
        self.until(lambda: self.is_ready("console-run"), "it does not end")
        return "".join(
            str(each.get_attribute("textContent"))
            for each in self.entries()[before].find_elements(By.CSS_SELECTOR, ".answered")
        )

    def is_ready(self, place: str) -> bool:
        return bool(self.driver.find_element(By.ID, place).is_enabled())

    def run(self, text: str) -> str:
        """Paste a text and run it."""
        before = len(self.entries())
        self.paste(text)
        self.editor().send_keys(Keys.CONTROL, Keys.ENTER)
        return self.answer(before)

    def choose(self, selector: str) -> None:
        self.driver.find_element(By.CSS_SELECTOR, selector).click()


def drive(walk: Console, address: str) -> dict[str, Any]:
    """Try the prompt, and then lose the Python with something in every panel."""
    seen: dict[str, Any] = {}
    walk.driver.get(address)
    walk.wait_for("runtime", "Running on")
    walk.click("tab-console")
    walk.editor()
    seen["focus"] = walk.driver.execute_script("return document.activeElement.id")
    seen["answers"] = {name: walk.run(text) for name, text in PASTED.items()}
    seen["coloured"] = walk.driver.execute_script(COLOURS)
    seen["folded"] = walk.driver.find_element(By.CSS_SELECTOR, "#console-log summary").text
    _keys(walk, seen)
    _stream(walk, seen)
    blocks = re.findall(r"```python\n(>>> .*?)```", README.read_text(encoding="utf-8"), re.DOTALL)
    seen["readme"] = [walk.run(block) for block in blocks]
    wheel = walk.driver.find_element(By.CSS_SELECTOR, ".install a").get_attribute("href")
    code = f"import micropip\nawait micropip.install('{wheel}')\n'emheap' in micropip.list()"
    seen["installed"] = walk.run(code)
    _restart(walk, seen)
    return seen


def _keys(walk: Console, seen: dict[str, Any]) -> None:
    """Enter goes on in a block and runs what is whole, Up recalls, Tab completes."""
    before = len(walk.entries())
    walk.editor().send_keys("for i in range(2):", Keys.ENTER, "print(i * 21)", Keys.ENTER)
    walk.editor().send_keys(Keys.BACKSPACE, Keys.ENTER)
    seen["typed"] = walk.answer(before)
    walk.editor().send_keys(Keys.UP)
    seen["recalled"] = walk.written()
    walk.editor().send_keys(*[Keys.UP] * 3)
    seen["before that"] = walk.written()
    walk.run("kept = 41")
    walk.editor().send_keys("kep", Keys.TAB)
    find = "return arguments[0].shadowRoot.querySelector('.cm-tooltip-autocomplete')"
    host = walk.driver.find_element(By.ID, "prompt")
    walk.until(lambda: walk.driver.execute_script(find, host), "no name is offered")
    walk.editor().send_keys(Keys.TAB)
    seen["completed"] = walk.written()


def _stream(walk: Console, seen: dict[str, Any]) -> None:
    """What is printed is shown before the program ends, and what it asks for can be typed."""
    before = len(walk.entries())
    walk.paste("import time\nprint('begun')\ntime.sleep(1.5)\nprint('ended')")
    walk.editor().send_keys(Keys.CONTROL, Keys.ENTER)
    walk.until(lambda: walk.text("console-log").endswith("begun\n"), "it does not begin")
    seen["streamed"] = walk.text("console-log")[-6:]
    walk.answer(before)
    walk.paste("name = input('Who? ')\nprint('Hello', name)")
    walk.editor().send_keys(Keys.CONTROL, Keys.ENTER)
    walk.until(lambda: walk.driver.find_element(By.ID, "input-line").is_displayed(), "not asked")
    walk.type("input-line", "Grüße", Keys.ENTER)
    seen["asked"] = walk.answer(before + 1)


def _restart(walk: Console, seen: dict[str, Any]) -> None:
    """With the visitor's work in every panel, Python is restarted while it is busy."""
    _work(walk, seen)
    walk.driver.execute_script(f"location.hash = 'console?code={quote(STUBBORN)}'")
    walk.until(lambda: "while True" in walk.written(), "the link is not followed")
    walk.editor().send_keys(Keys.CONTROL, Keys.ENTER)
    walk.wait_for("condition-words", "Python is busy")
    walk.editor().send_keys("half a thou")
    walk.restart()
    seen["draft"] = walk.written()
    seen["log"] = walk.text("console-log")
    _look(walk, seen)


def _work(walk: Console, seen: dict[str, Any]) -> None:
    walk.click("tab-picture")
    for name in ("invert", "blur"):
        walk.choose(f"#chips [name={name}]")
    walk.choose("#way-to_js")
    walk.wait_for("caption", "→ invert → blur")
    walk.click("tab-spectrum")
    walk.type("frequency", *[Keys.ARROW_RIGHT] * 5)
    seen["frequency"] = walk.text("frequency-shown")
    walk.click("tab-map")
    for action in ("open", "overrun", "verify"):
        walk.click(f"debug-{action}")
    walk.wait_for("debug-said", "HeapCorruptionError")
    walk.choose("#map-range [value=memory]")
    walk.click("tab-break")
    walk.choose("#mistakes [name=overflow]")
    walk.wait_for("accounts", "OutOfBoundsError")
    walk.click("tab-bytes")
    walk.choose("#actions-python button")
    walk.wait_for("bytes-last", "Python")
    walk.click("tab-structures")
    walk.paste(OWN, "structure-editor")
    walk.wait_for("structure-title", "Point: 4 bytes")
    walk.click("tab-module")
    walk.choose("#samples button")
    walk.editor("module-prompt").send_keys("1 + 2", Keys.ENTER)
    walk.wait_for("module-log", "3")
    walk.click("tab-tests")
    walk.choose("#tests-part [value='emtests/refs']")
    walk.type("hero-line", "half a line")


def _look(walk: Console, seen: dict[str, Any]) -> None:
    value = "return document.getElementById(arguments[0]).value"
    after = seen["after"] = {}
    walk.click("tab-picture")
    after["picture"] = walk.wait_for("caption", "→ invert → blur")
    after["way"] = walk.driver.find_element(By.ID, "way-to_js").is_selected()
    walk.click("tab-spectrum")
    after["frequency"] = walk.text("frequency-shown")
    walk.click("tab-map")
    walk.until(lambda: walk.text("map-blocks") == "1", "the debug heap is not shown")
    after["heap"] = walk.driver.execute_script(value, "map-heap")
    after["dump"] = _dump(walk)
    after["range"] = walk.driver.execute_script(value, "map-range")
    walk.click("tab-break")
    after["mistake"] = walk.text("mistake-words")
    after["accounts"] = walk.text("accounts")
    walk.click("tab-bytes")
    after["bytes"] = walk.text("bytes-row")
    walk.click("tab-structures")
    after["structure"] = walk.wait_for("structure-title", "Point")
    after["declaration"] = walk.written("structure-editor")
    walk.click("tab-module")
    after["module"] = walk.text("module-name")
    after["module log"] = walk.text("module-log")
    walk.click("tab-tests")
    after["part"] = walk.driver.execute_script(value, "tests-part")
    after["hero"] = walk.driver.execute_script(value, "hero-line")


def _dump(walk: Console) -> str:
    """The bytes of the first block of the map."""
    walk.choose("#map-rows button")
    walk.until(lambda: walk.text("dump"), "no byte is shown")
    return walk.text("dump")


if __name__ == "__main__":
    main(lambda driver, address: drive(Console(driver), address), *sys.argv[1:])
