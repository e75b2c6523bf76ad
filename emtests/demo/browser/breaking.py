"""The panel of mistakes."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from emtests.demo.browser.visit import Visit


def drive(visit: Visit) -> None:
    page = visit.started("break")
    accounts = visit.seen["accounts"] = {}
    # Twice over: a mistake must leave the heap as fit for the next one as it was.
    for _ in range(2):
        for button in page.locator("#mistakes button").all():
            button.click()
            name = button.get_attribute("name")
            page.locator(f"#mistakes [name={name}][aria-pressed=true]").wait_for()
            page.locator(f"#accounts[data-made={name}]").wait_for()
            accounts[name] = {
                card.get_attribute("data-lane"): {
                    "verdict": card.locator(".verdict").text_content(),
                    "code": "\n".join(card.locator(".code-text").all_text_contents()),
                    "marks": {
                        mark.text_content(): mark.locator("xpath=..").get_attribute("data-line")
                        for mark in card.locator(".code-mark").all()
                    },
                    "said": card.locator(".said").text_content(),
                    "where": " ".join(card.locator(".hint").all_text_contents()),
                }
                for card in page.locator("#accounts .account").all()
            }
    seen = visit.seen["hidden"] = {}
    for width in (390, 1280):
        page.set_viewport_size({"width": width, "height": 800})
        seen[str(width)] = page.locator("#accounts .code").evaluate_all(
            "codes => codes.map((code) => code.scrollWidth - code.clientWidth)"
        )
    page.get_by_role("tab", name="Picture").click()
    page.locator("#panel-picture label", has_text="invert").click()
    page.locator("#caption", has_text="invert").wait_for()
    visit.seen["blocks"] = page.locator("#picture-blocks").text_content()
