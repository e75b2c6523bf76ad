"""The structure explorer."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from playwright.sync_api import expect

if TYPE_CHECKING:
    from playwright.sync_api import Page

    from emtests.demo.browser.visit import Visit

OWN = "class Point(Struct):\n    x: int16\n    y: int16\n\nPoint(x=1, y=-1)"


def drive(visit: Visit) -> None:
    seen = visit.seen
    page = visit.started("structures")
    seen["node"] = _state(page, "Node: 24 bytes")
    page.get_by_role("radio", name="i386").check()
    seen["i386"] = _state(page, "Node: 20 bytes, aligned to 4, for i386")

    page.get_by_role("button", name="Bit-fields").click()
    _state(page, "Pen: ")
    seen["partly padding"] = page.locator("#structure-bytes .partly-padding").evaluate_all(
        "cells => cells.map((cell) => getComputedStyle(cell).color)"
    )
    seen["colour of text"] = page.evaluate("getComputedStyle(document.body).color")
    page.get_by_role("button", name="A pixel").click()
    _state(page, "Pixel: 4 bytes")
    _value(page, "green", "0x40")
    expect(_byte(page, 1)).to_have_value("40")
    seen["stored"] = _state(page, "Pixel")
    _value(page, "green", "300")
    page.locator("#structure-problem").wait_for()
    seen["refused"] = page.locator("#structure-problem").text_content()
    seen["invalid"] = page.locator("#structure-fields [aria-invalid=true]").get_attribute(
        "aria-label"
    )
    seen["after"] = _state(page, "Pixel")["bytes"]

    # With the keyboard alone: a byte is typed, and the next one has the focus then.
    _byte(page, 0).focus()
    page.keyboard.press("ArrowRight")
    page.keyboard.press("ArrowRight")
    page.keyboard.type("0b7f")
    expect(page.get_by_label("The value of blue")).to_have_value("11")
    expect(page.get_by_label("The value of alpha")).to_have_value("127")
    seen["typed"] = _state(page, "Pixel")
    _byte(page, 2).focus()
    seen["reachable"] = page.locator("#structure-bytes [tabindex='0']").count()
    seen["pointed"] = page.locator("#structure-fields .pointed").all_text_contents()
    page.keyboard.type("c")
    page.keyboard.press("Tab")
    expect(_byte(page, 2)).to_have_value("0c")

    # The address carries it.
    address = page.url
    other = visit.page()
    other.goto(address)
    expect(_byte(other, 3)).to_have_value("7f")
    seen["linked"] = _state(other, "Pixel: 4 bytes, aligned to 1, for i386")
    other.close()
    page.locator("#structure-reset").click()
    expect(_byte(page, 3)).to_have_value("ff")

    editor = page.locator("#structure-editor .cm-content")
    editor.fill(OWN)
    seen["own"] = _state(page, "Point: 4 bytes, aligned to 2")
    editor.fill("class Point(Struct):\n    x: int")
    page.locator("#structure-error", has_text="Point.x").wait_for()
    seen["wrong"] = page.locator("#structure-error").text_content()
    editor.fill(OWN)
    expect(page.locator("#structure-error")).to_be_hidden()
    seen["numbers"] = page.locator("#structure-editor .cm-lineNumbers").count()
    page.keyboard.press("Escape")
    page.keyboard.press("Tab")
    seen["left"] = page.evaluate("document.activeElement.closest('.declaration') === null")


def _byte(page: Page, at: int) -> Any:
    return page.locator("#structure-bytes input").nth(at)


def _value(page: Page, field: str, text: str) -> None:
    box = page.get_by_label(f"The value of {field}")
    box.fill(text)
    box.press("Enter")


def _state(page: Page, title: str) -> dict[str, Any]:
    """What is shown, once the title begins so."""
    page.locator("#structure-title", has_text=title).wait_for()
    found: dict[str, Any] = page.evaluate(
        """() => {
            const cells = [...document.querySelectorAll("#structure-bytes input")];
            return {
                title: document.getElementById("structure-title").textContent,
                code: document.getElementById("structure-code").textContent,
                bytes: cells.map(({ value }) => value).join(""),
                labels: cells.map(({ ariaLabel }) => ariaLabel),
                colours: cells.map(({ style }) => style.background),
                rows: [...document.querySelectorAll("#structure-fields tr")].map((row) => [
                    ...[...row.cells].slice(0, 3).map((cell) => cell.textContent.trim()),
                    row.querySelector("input")?.value ?? "",
                ]),
                sizes: Object.fromEntries(
                    [...document.querySelectorAll("#structure-machines li")].map((item) => [
                        item.querySelector("input").value,
                        item.querySelector(".hint").textContent,
                    ]),
                ),
            };
        }"""
    )
    return found
