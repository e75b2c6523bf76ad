"""The page as a whole: its start, its tabs, and what it says when it cannot start."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from playwright.sync_api import ViewportSize

from emtests.demo.browser.visit import started

if TYPE_CHECKING:
    from playwright.sync_api import Page

    from emtests.demo.browser.visit import Visit

KEYS = ("ArrowRight", "End", "ArrowRight", "ArrowLeft", "Home", "ArrowLeft")
WITHOUT_A_MODULE = ("Break it",)
"""Each mistake there shows its own code."""
BROKEN = (("pyodide.asm.wasm", 404), ("pyodide.asm.wasm", 200), ("program.zip.gz", 500))
SIZES: dict[str, ViewportSize] = {
    "small phone": {"width": 320, "height": 568},
    "phone": {"width": 390, "height": 844},
    "desktop": {"width": 1280, "height": 860},
    "large desktop": {"width": 1920, "height": 1080},
}


ANIMATED = """() => {
    const rulesOf = ({ cssRules }) => [...cssRules].flatMap((rule) =>
        rule.styleSheet ? rulesOf(rule.styleSheet) : rule);
    const keyframes = [...document.styleSheets].flatMap(rulesOf)
        .filter((rule) => rule instanceof CSSKeyframesRule);
    return Object.fromEntries(keyframes.map(({ name, cssRules }) =>
        [name, [...cssRules].flatMap(({ style }) => [...style])]));
}"""
"""What each animation of the page changes."""


def drive(visit: Visit) -> None:
    seen = visit.seen
    page = visit.page()
    page.goto(visit.address)
    page.locator("#loading").wait_for()
    seen["stages"] = [page.locator("#stage").text_content()]
    seen["progress"] = page.get_by_role("progressbar").is_visible()
    started(page)
    page.locator("#loading").wait_for(state="hidden")
    seen["isolated"] = page.evaluate("crossOriginIsolated")
    seen["runtime"] = page.locator("#runtime").text_content()
    seen["tabs"] = page.get_by_role("tab").all_text_contents()

    page.get_by_role("tab").first.focus()
    seen["walk"] = []
    for key in KEYS:
        page.keyboard.press(key)
        seen["walk"].append(_where(page))
    page.get_by_role("tab", name="Break it").click()
    seen["clicked"] = _where(page)
    page.keyboard.press("Tab")
    seen["after the tabs"] = page.evaluate("document.activeElement.id")
    page.reload()
    seen["reloaded"] = _where(page)
    page.evaluate("location.hash = '#nonsense'")
    seen["elsewhere"] = _where(page)

    seen["labels"] = [_labels(page, name) for name in ("Picture", "Console")]
    seen["modules"] = {
        name: _module_of(page, name) for name in seen["tabs"] if name not in WITHOUT_A_MODULE
    }
    seen["animated"] = page.evaluate(ANIMATED)
    seen["bar"] = page.locator("#tests-progress").evaluate(
        "(bar) => [bar.matches(':indeterminate'), getComputedStyle(bar).appearance]"
    )
    page.emulate_media(forced_colors="active")
    seen["forced"] = _forced(page)
    page.emulate_media(forced_colors="none")
    seen["wide"] = {name: _too_wide(page, size) for name, size in SIZES.items()}
    seen["broken"] = {f"{file} {status}": _break(visit, file, status) for file, status in BROKEN}


def _where(page: Page) -> dict[str, Any]:
    """Which tab and which panel are shown, and what has the focus."""
    found: dict[str, Any] = page.evaluate(
        """() => {
            const ids = (selector) => [...document.querySelectorAll(selector)].map(({ id }) => id);
            return {
                hash: location.hash,
                selected: ids("[role=tab][aria-selected=true]"),
                reachable: ids("[role=tab]:not([tabindex='-1'])"),
                shown: ids("[role=tabpanel]:not([hidden])"),
                focus: document.activeElement.id,
            };
        }"""
    )
    return found


def _labels(page: Page, name: str) -> list[float]:
    """Where the tabs lie while one of them is selected."""
    page.get_by_role("tab", name=name).click()
    found: list[float] = page.evaluate(
        """() => [...document.querySelectorAll("[role=tab]")].map(
            (tab) => tab.getBoundingClientRect().left)"""
    )
    return found


def _module_of(page: Page, name: str) -> list[str]:
    """The name of the module that a panel shows, and its lines with their numbers."""
    page.get_by_role("tab", name=name).click()
    place = page.locator("[role=tabpanel]:not([hidden]) [data-module]")
    place.locator(".code-line").first.wait_for()
    place.scroll_into_view_if_needed()
    place.locator(".tok-keyword").first.wait_for()  # the colours come when it is looked at
    found: list[str] = place.evaluate(
        """(place) => [place.dataset.module, ...[...place.querySelectorAll(".code-line")].map(
            (line) => `${line.dataset.line} ${line.querySelector(".code-text").textContent}`)]"""
    )
    return found


def _forced(page: Page) -> dict[str, Any]:
    """What tells tabs and kinds of blocks apart where the system has the colours."""
    page.get_by_role("tab", name="Heap map").click()
    page.locator("#map-rows tr").first.wait_for(state="attached")
    found: dict[str, Any] = page.evaluate(
        """() => ({
            tabs: [...document.querySelectorAll("[role=tab]")].map((tab) =>
                [tab.ariaSelected, getComputedStyle(tab).borderBottomColor]),
            swatches: [...document.querySelectorAll(".legend .swatch")].map((swatch) =>
                getComputedStyle(swatch).backgroundColor),
        })"""
    )
    return found


def _break(visit: Visit, file: str, status: int) -> str:
    """What the page says when a file of it is broken."""
    page = visit.browser.new_page()  # whose complaints are wanted
    headers = {"Content-Type": "application/wasm"}
    page.route(
        f"**/{file}", lambda route: route.fulfill(status=status, headers=headers, body="nothing")
    )
    page.goto(visit.address)
    alert = page.locator("#error")
    alert.wait_for(state="visible", timeout=90_000)
    words = alert.text_content()
    page.close()
    return str(words)


def _too_wide(page: Page, size: ViewportSize) -> dict[str, int]:
    """By how much each panel, the row of tabs, or what is in a box is too wide."""
    page.set_viewport_size(size)
    wide = {}
    for tab in page.get_by_role("tab").all():
        tab.click()
        wide[tab.text_content() or ""] = page.evaluate(
            """() => {
                const wider = ({ scrollWidth, clientWidth }) => scrollWidth - clientWidth;
                const boxes = "[role=tabpanel]:not([hidden]) :is(.side > *, .box, .account)";
                const all = [document.documentElement, document.getElementById("tabs")];
                return [...all, ...document.querySelectorAll(boxes)]
                    .reduce((sum, each) => sum + Math.max(0, wider(each)), 0);
            }"""
        )
    return wide
