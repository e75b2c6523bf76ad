"""The examples of the documentation, run by their buttons."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any
from urllib.parse import urljoin

from playwright.sync_api import expect

if TYPE_CHECKING:
    from playwright.sync_api import Page

    from emtests.demo.browser.visit import Visit


def drive(visit: Visit) -> None:
    documentation = visit.page()
    documentation.goto(f"{visit.address}docs/index.html")
    links = documentation.locator(".sidebar-tree a.reference.internal").all()
    addresses = [urljoin(documentation.url, link.get_attribute("href") or "") for link in links]
    visit.seen["answers"] = {}
    for address in [
        documentation.url,
        *dict.fromkeys(each.partition("#")[0] for each in addresses),
    ]:
        documentation.goto(address)
        name = address.partition("/docs/")[2].removesuffix(".html")
        visit.seen["answers"][name] = _press_all(visit, documentation)
    visit.seen["windows"] = len(documentation.context.pages)


def _press_all(visit: Visit, documentation: Page) -> list[str]:
    """Press each button of a page; return what the console answered to each."""
    buttons = documentation.locator(".run a")
    return [_press(visit, documentation, number) for number in range(buttons.count())]


def _press(visit: Visit, documentation: Page, number: int) -> str:
    button = documentation.locator(".run a").nth(number)
    others = [page for page in documentation.context.pages if page is not documentation]
    if others:
        (console,) = others
        ran = console.locator("#console-log .entry").count()
        button.click()
    else:
        with documentation.expect_popup() as opened:
            button.click()
        console, ran = opened.value, 0
        visit.watch(console)
    entry = console.locator("#console-log .entry").nth(ran)
    entry.wait_for()
    expect(console.locator("#console-run")).to_be_enabled()
    answered: list[Any] = entry.locator(".answered").all_text_contents()
    return "".join(answered)
