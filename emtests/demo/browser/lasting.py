"""What a visitor keeps: when Python is busy or has stopped, and by the address alone."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from playwright.sync_api import expect

from emtests.demo.browser.condition import DEAF, FATAL, NOTE_TIMES, STUBBORN
from emtests.demo.browser.console import editor, enter
from emtests.demo.browser.visit import started

if TYPE_CHECKING:
    from playwright.sync_api import Page

    from emtests.demo.browser.visit import Visit

LINKS = (
    "picture?filters=blur%2Cinvert&way=to_js",
    "spectrum?frequency=1000",
    "spectrum?sound=file",
    "map?range=memory",
    "break?mistake=overflow",
    "tests?part=emtests%2Frefs",
    "map",
    "console",
)


def drive(visit: Visit) -> None:
    _restart(visit)
    _links(visit)
    _missing(visit)


def _restart(visit: Visit) -> None:
    seen = visit.seen
    page = visit.started("picture")
    caption = page.locator("#caption")
    expect(caption).to_contain_text("served.png")
    page.get_by_label("Choose a picture", exact=True).set_input_files(visit.folder / "chosen.png")
    page.get_by_role("checkbox", name="mirror").check()
    expect(caption).to_contain_text("chosen.png, 33 × 21: original → sepia → mirror")

    page.get_by_role("tab", name="Console").click()
    enter(page, "kept = 41")
    page.evaluate(f"() => {{ {NOTE_TIMES} }}")
    _run_and_leave(page, STUBBORN)
    seen["busy"] = _condition(page)
    seen["seconds until busy"] = _seconds(page, "busy")
    page.locator("#restart").click()
    _restarted(page)
    seen["log"] = page.locator("#console-log").text_content()
    seen["new names"] = enter(page, "'kept' in globals(), 6 * 7")
    editor(page).press("ArrowUp")
    editor(page).press("ArrowUp")
    seen["history"] = "\n".join(page.locator("#prompt .cm-line").all_text_contents())
    page.get_by_role("tab", name="Picture").click()
    expect(caption).to_contain_text("chosen.png, 33 × 21: original → sepia → mirror")
    seen["chosen"] = page.locator("#chips :checked").count()

    page.get_by_role("tab", name="Console").click()
    enter(page, "heap.free_all()")
    page.get_by_role("tab", name="Picture").click()
    page.get_by_role("checkbox", name="invert").check()
    page.locator("#picture-error").wait_for()
    seen["robbed"] = page.locator("#picture-error").text_content()
    page.get_by_role("button", name="Photograph").click()
    expect(caption).to_contain_text("served.png, 48 × 36: original → sepia → mirror → invert")

    page.get_by_role("tab", name="Console").click()
    _run_and_leave(page, DEAF)
    expect(page.locator("#console-log .answered").last).to_contain_text("waiting")
    page.locator("#interrupt").click()
    page.locator("#console-restart").click()
    _restarted(page)
    expect(page.locator("#console-restart")).to_be_hidden()
    seen["restarted"] = enter(page, "'restarted'")

    _run_and_leave(page, FATAL)
    page.locator("#condition.dead").wait_for()
    seen["dead"] = _condition(page)
    seen["seconds until dead"] = _seconds(page, "dead")
    # What a dead interpreter says on its way is no complaint of the page's.
    seen["complaints"].clear()
    page.locator("#restart").click()
    _restarted(page)
    seen["alive"] = enter(page, "'alive'")
    page.close()


def _run_and_leave(page: Page, text: str) -> None:
    editor(page).fill(text)
    editor(page).press("Control+Enter")


def _condition(page: Page) -> str:
    page.locator("#condition").wait_for()
    return page.locator("#condition-words").text_content() or ""


def _seconds(page: Page, kind: str) -> float:
    page.wait_for_function("(kind) => kind in conditionTimes", arg=kind)
    return float(page.evaluate("conditionTimes")[kind])


def _restarted(page: Page) -> None:
    expect(page.locator("#condition")).to_be_hidden()
    expect(page.locator("#console-run")).to_be_enabled()


def _links(visit: Visit) -> None:
    page = visit.started("")
    visit.seen["links"] = {}
    for link in LINKS:
        page.goto("about:blank")
        page.goto(f"{visit.address}#{link}")
        started(page)
        visit.seen["links"][link] = _shown(page)
    page.goto("about:blank")
    page.goto(visit.address)
    visit.seen["back"] = []
    for name in ("Spectrum", "Heap map", "Console"):
        page.get_by_role("tab", name=name).click()
    for _ in range(3):
        page.go_back()
        visit.seen["back"].append(_shown(page)["panel"])
    visit.seen["still there"] = page.url.startswith(visit.address)
    page.close()


def _shown(page: Page) -> dict[str, Any]:
    found: dict[str, Any] = page.evaluate(
        """() => ({
            panel: [...document.querySelectorAll("[role=tabpanel]:not([hidden])")]
                .map((each) => each.id).join(),
            scrolled: scrollY,
            filters: [...document.querySelectorAll("#chips input:checked")]
                .map((each) => each.name),
            way: document.querySelector("[id^=way-]:checked").id,
            sound: document.querySelector("[id^=sound-by-]:checked").id,
            frequency: document.getElementById("frequency-shown").textContent,
            range: document.getElementById("map-range").value,
            mistake: document.querySelector("#mistakes [aria-pressed=true]")?.name,
            part: document.getElementById("tests-part").value,
        })"""
    )
    return found


def _missing(visit: Visit) -> None:
    """What is said where a script of the page cannot be had, or none may run."""
    page = visit.browser.new_page()  # whose complaints are wanted
    page.route("**/main.js", lambda route: route.fulfill(status=404, body=""))
    page.goto(visit.address)
    page.locator("#never-started").wait_for()
    visit.seen["missing"] = page.locator("#never-started").text_content()
    page.close()
    page = visit.browser.new_page(java_script_enabled=False)
    page.goto(visit.address)
    visit.seen["no script"] = page.locator("noscript .error").is_visible()
    visit.seen["moving bar"] = page.locator("#progress").is_visible()
    page.close()
