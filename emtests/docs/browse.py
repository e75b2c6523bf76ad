"""Opens the built documentation in Chromium, in an environment with playwright, and prints what it
saw: ``python -m emtests.docs.browse CHROMIUM ADDRESS AXE PAGE...``."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

from playwright.sync_api import sync_playwright

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page

PHONE = {"width": 390, "height": 844}
DARK = ("index.html", "using.html", "reference/heap_manager.html", "search.html")
"""The pages that are judged in dark colours, too: all kinds of contents are on them."""


def main(chromium: str, address: str, axe: str, *pages: str) -> None:
    seen: dict[str, Any] = {"violations": {}, "wide": {}, "complaints": []}
    with sync_playwright() as playwright:
        flags = ["--no-sandbox", "--disable-dev-shm-usage"]
        browser = playwright.chromium.launch(executable_path=chromium, args=flags)
        words = Path(axe).read_text(encoding="utf-8")
        for scheme, chosen in (("light", pages), ("dark", DARK)):
            _judge(browser, scheme, [f"{address}{page}" for page in chosen], words, seen)
        phone = browser.new_page(viewport=PHONE)
        _watch(phone, seen)
        for page in pages:
            phone.goto(f"{address}{page}")
            width = phone.evaluate("document.documentElement.scrollWidth")
            if width > PHONE["width"]:
                seen["wide"][page] = width
        seen["found"] = _search(phone, address)
        browser.close()
    print(json.dumps(seen))


def _judge(
    browser: Browser, scheme: Any, addresses: list[str], axe: str, seen: dict[str, Any]
) -> None:
    # The pages' policy would not let axe in.
    page = browser.new_context(color_scheme=scheme, bypass_csp=True).new_page()
    for address in addresses:
        page.goto(address)
        page.evaluate(axe)
        found = page.evaluate(
            """async () => (await axe.run()).violations.map(({ id, nodes }) => [
                id, ...nodes.slice(0, 3).map((node) => `${node.html}: ${node.failureSummary}`),
            ])"""
        )
        if found:
            seen["violations"][f"{address}, {scheme}"] = found


def _watch(page: Page, seen: dict[str, Any]) -> None:
    page.on("console", lambda message: seen["complaints"].append(message.text))
    page.on("pageerror", lambda error: seen["complaints"].append(str(error)))


def _search(page: Page, address: str) -> list[str]:
    page.goto(f"{address}search.html?q=arena")
    page.locator("#search-results ul.search li").first.wait_for()
    titles: list[str] = page.locator("#search-results ul.search li > a").all_inner_texts()
    return titles


if __name__ == "__main__":
    main(*sys.argv[1:])
