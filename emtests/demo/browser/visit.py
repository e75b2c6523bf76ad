"""A browser at the page, and what was seen there."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page

SECONDS = 90
"""How long anything may take: the machine may be busy with other tests."""


def started(page: Page) -> None:
    """Wait until Python has started."""
    page.locator("#runtime", has_text="Running on").wait_for()


class Visit:
    """What a panel's driver is given."""

    def __init__(
        self, browser: Browser, executable: str, flags: list[str], address: str, folder: str
    ) -> None:
        self.browser = browser
        self.executable = executable
        self.flags = flags
        self.address = address
        self.folder = Path(folder)
        self.seen: dict[str, Any] = {"requests": [], "complaints": []}

    def page(self, **options: Any) -> Page:
        """A new page that waits for ever so long, and whose requests and complaints are kept."""
        page = self.browser.new_page(**options)
        self.watch(page)
        return page

    def watch(self, page: Page) -> None:
        """Let a page wait for ever so long, and keep its requests and complaints."""
        from playwright.sync_api import expect

        page.set_default_timeout(SECONDS * 1000)
        expect.set_options(timeout=SECONDS * 1000)
        page.context.on("request", lambda request: self.seen["requests"].append(request.url))
        page.on("console", self._note)
        page.on("pageerror", lambda error: self.seen["complaints"].append(str(error)))

    def started(self, name: str = "", **options: Any) -> Page:
        """A page on which Python has started, at a tab."""
        page = self.page(**options)
        page.goto(f"{self.address}#{name}")
        started(page)
        return page

    def _note(self, message: Any) -> None:
        if message.type in ("error", "warning"):
            self.seen["complaints"].append(message.text)
