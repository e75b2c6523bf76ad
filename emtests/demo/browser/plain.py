"""The built site on a plain web server: no header, and not at the root."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from playwright.sync_api import expect

if TYPE_CHECKING:
    from emtests.demo.browser.visit import Visit


def drive(visit: Visit) -> None:
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
