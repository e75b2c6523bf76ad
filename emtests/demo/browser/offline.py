"""A visit, and one without a network after it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from playwright.sync_api import expect

from emtests.demo.browser.console import editor, enter
from emtests.demo.browser.relay import Relay
from emtests.demo.browser.visit import SECONDS, started

if TYPE_CHECKING:
    from emtests.demo.browser.visit import Visit

KEPT = """async () => {
    const kept = await (await caches.open("emheap")).keys();
    return kept.some(({ url }) => url.endsWith("pyodide.asm.wasm"));
}"""
"""Whether the page has kept what it needs: all of it at once."""


OLDER = ["page-0123456789ab/main.js", "pyodide-0123456789ab/pyodide.asm.wasm"]
NEIGHBOUR = "neighbour/page-0123456789ab/main.js"
LEAVE = """async (names) => {
    const cache = await caches.open("emheap");
    for (const name of names) await cache.put(name, new Response("older"));
}"""
"""As an earlier build of this page, or another one at the same host, would have left it."""
NAMES = """async () => {
    const kept = await (await caches.open("emheap")).keys();
    return kept.map(({ url }) => url.slice(document.baseURI.length));
}"""


def drive(visit: Visit) -> None:
    relay = Relay(visit.address)
    page = visit.browser.new_page()  # at another address, and whose complaints are wanted
    page.set_default_timeout(SECONDS * 1000)
    page.goto(relay.address)
    started(page)
    while not page.evaluate(KEPT):
        page.wait_for_timeout(100)
    page.evaluate(LEAVE, [*OLDER, NEIGHBOUR])
    page.reload()
    started(page)
    while set(OLDER) & set(page.evaluate(NAMES)):
        page.wait_for_timeout(100)
    visit.seen["kept"] = page.evaluate(NAMES)
    # An editor is kept once one was shown.
    page.get_by_role("tab", name="Console").click()
    editor(page).wait_for()
    page.get_by_role("tab", name="Picture").click()
    relay.close()
    page.reload()
    started(page)
    visit.seen["online"] = page.evaluate(
        "fetch('site.json', { cache: 'no-store' }).then(() => true, () => false)"
    )
    expect(page.locator("#caption")).to_contain_text("sepia")
    visit.seen["caption"] = page.locator("#caption").text_content()
    page.get_by_role("tab", name="Console").click()
    visit.seen["answer"] = enter(page, "heap.alloc(int32, 42).value")
    visit.seen["isolated"] = page.evaluate("crossOriginIsolated")
    page.close()
