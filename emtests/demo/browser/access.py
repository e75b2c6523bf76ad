"""What axe-core says of every panel, in light and in dark."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from playwright.sync_api import Page

    from emtests.demo.browser.visit import Visit

# What brings a panel to life before it is judged, by its tab.
ALIVE = {
    "Break it": ("#mistakes button:last-child", "#accounts h3"),
    "Console": ("#examples button:last-child", "#console-log .answered"),
    "Heap map": ("#map-rows tr:first-child button", "#dump"),
    "Structures": ("#structure-examples [name=flags]", "#structure-fields input"),
    "Same bytes": ("#actions-python button:first-child", "#bytes-row .changed"),
    "Your .wasm": ("#samples button:first-child", "#module-exports tr"),
}


def drive(visit: Visit) -> None:
    """Needs `axe.js` in the folder."""
    axe = (visit.folder / "axe.js").read_text(encoding="utf-8")
    visit.seen["violations"] = violations = {}
    page = visit.started(color_scheme="light")
    page.evaluate(axe)
    for tab in page.get_by_role("tab").all():
        name = tab.text_content() or ""
        tab.click()
        if name in ALIVE:
            pressed, awaited = ALIVE[name]
            page.locator(pressed).click()
            page.locator(awaited).first.wait_for()
        for scheme in ("light", "dark"):
            page.emulate_media(color_scheme=scheme)
            violations[f"{name}, {scheme}"] = _judge(page)


def _judge(page: Page) -> list[Any]:
    found: list[Any] = page.evaluate(
        """async () => (await axe.run()).violations.map(({ id, nodes }) => [
            id, ...nodes.map((node) => `${node.target}: ${node.failureSummary}`),
        ])"""
    )
    return found
