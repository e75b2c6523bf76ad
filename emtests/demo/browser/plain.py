"""The built site on a plain web server: no header, and not at the root."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from playwright.sync_api import expect

from emtests.demo.browser.console import editor, enter
from emtests.demo.browser.visit import started

if TYPE_CHECKING:
    from emtests.demo.browser.visit import Visit

AWAITING = "import asyncio\nprint('begun')\nawait asyncio.sleep(1000)"
ALREADY_ASKED = "sessionStorage.setItem('emheap-isolation', 'true')"
"""As in a page that was loaded again, and was not isolated by that."""


def drive(visit: Visit) -> None:
    _isolated(visit)
    visit.seen["not isolated"] = _not_isolated(visit)


def _isolated(visit: Visit) -> None:
    page = visit.started("break")
    visit.seen["isolated"] = page.evaluate("crossOriginIsolated")
    page.get_by_role("button", name="Overflow").click()
    verdict = page.locator("[data-lane=emheap] .verdict")
    expect(verdict).to_have_text("OutOfBoundsError", timeout=60_000)
    page.get_by_role("tab", name="Picture").click()
    expect(page.locator("#caption")).to_have_text(re.compile("original → sepia$"), timeout=60_000)
    page.get_by_role("tab", name="Tests").click()
    page.locator("#tests-start").click()
    now = page.locator("#tests-now")
    expect(now).to_have_text(re.compile("passed|exit code"), timeout=90_000)
    visit.seen["tests"] = now.text_content()
    # The policy in the page itself holds without any header.
    visit.seen["eval"] = page.evaluate(
        """async () => {
            const script = document.createElement("script");
            script.textContent = "window.ran = true";
            document.head.append(script);
            return window.ran === true;
        }"""
    )
    visit.seen["complaints"] = [
        words for words in visit.seen["complaints"] if "inline script" not in words
    ]
    page.close()


def _not_isolated(visit: Visit) -> list[Any]:
    """What ends a program that awaits for ever where nothing interrupts it."""
    page = visit.page()
    page.add_init_script(ALREADY_ASKED)
    page.goto(f"{visit.address}#console")
    started(page)
    isolated = page.evaluate("crossOriginIsolated")
    editor(page).fill(AWAITING)
    editor(page).press("Control+Enter")
    expect(page.locator("#console-log .answered").last).to_contain_text("begun")
    interrupt = page.locator("#interrupt").is_visible()
    page.locator("#console-restart").click()
    expect(page.locator("#console-run")).to_be_enabled()
    answer = enter(page, "6 * 7")
    expect(page.locator("#console-restart")).to_be_hidden()
    return [isolated, interrupt, answer]
