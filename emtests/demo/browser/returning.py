"""The first visit and the second, by a browser that keeps what it fetched and compiled."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from playwright.sync_api import expect

from emtests.demo.browser.console import enter
from emtests.demo.browser.visit import started

if TYPE_CHECKING:
    from playwright.sync_api import BrowserContext, CDPSession, Page

    from emtests.demo.browser.visit import Visit

MILLISECONDS_TO_WRITE = 5000
"""Chromium keeps compiled code two seconds after the last of it was compiled."""
FIDGET = """
self.fidgeting = setInterval(() => dispatchEvent(new PointerEvent("pointermove")), 100);
"""
"""A visitor who is never quiet."""
MEMORIES = """async () => {
    const kept = await (await caches.open("emheap")).keys();
    return kept.map(({ url }) => url).filter((url) => url.includes("/memory?"));
}"""
SPOIL = """async ([address, text]) => {
    await (await caches.open("emheap")).put(address, new Response(text));
}"""
PROMPT = (
    "import random\nhash('emheap'), random.random(), sorted({*'abc'}), heap.alloc(int32, 7).value"
)


def drive(visit: Visit) -> None:
    """Needs a folder that may hold the browser's profile."""
    for name in ("first", "second"):
        # Each in a browser of its own: within one, a module stays compiled in memory.
        context = visit.browser.browser_type.launch_persistent_context(
            visit.folder / "profile", executable_path=visit.executable, args=visit.flags
        )
        page = context.new_page()
        if name == "first":
            page.add_init_script(FIDGET)
        visit.watch(page)
        visit.seen[name] = _start(context, page, visit.address) | _use(page)
        if name == "second":
            visit.seen["spoilt"] = _spoil(visit, page)
        context.close()


def _start(context: BrowserContext, page: Page, address: str) -> dict[str, Any]:
    session = context.new_cdp_session(page)
    ended: list[dict[str, Any]] = []
    session.on("Tracing.tracingComplete", lambda event: ended.append(event))
    configuration = {"includedCategories": ["v8.wasm"]}
    session.send("Tracing.start", {"transferMode": "ReturnAsStream", "traceConfig": configuration})
    page.goto(address)
    started(page)
    seconds = page.evaluate("performance.now() / 1000")
    entries = _entries(page)
    page.wait_for_timeout(MILLISECONDS_TO_WRITE)
    early = page.evaluate(MEMORIES)
    page.evaluate("clearInterval(self.fidgeting)")
    while not page.evaluate(MEMORIES):
        page.wait_for_timeout(100)
    session.send("Tracing.end")
    while not ended:
        page.wait_for_timeout(100)
    events = {event["name"] for event in _trace(session, ended[0]["stream"])}
    return {"seconds": seconds, "entries": entries, "events": sorted(events), "early": early}


def _use(page: Page) -> dict[str, Any]:
    """What Python is and does, whether it came from its start or from a kept memory."""
    expect(page.locator("#caption")).to_contain_text("sepia")
    page.get_by_role("tab", name="Console").click()
    answer = enter(page, PROMPT)
    page.get_by_role("tab", name="Structures").click()
    expect(page.locator("#structure-title")).to_contain_text("Node: 24 bytes")
    page.get_by_role("tab", name="Heap map").click()
    expect(page.locator("#map-rows")).to_contain_text("clamped_uint8 array")
    return {"answer": answer, "memories": page.evaluate(MEMORIES)}


def _spoil(visit: Visit, page: Page) -> dict[str, Any]:
    """Start where what was kept is no memory of Python at all."""
    [address] = page.evaluate(MEMORIES)
    page.evaluate(SPOIL, [address, "nonsense" * 100])
    visit.seen["complaints"].clear()
    page.reload()
    started(page)
    page.get_by_role("tab", name="Console").click()
    answer = enter(page, PROMPT)
    complaints = [*visit.seen["complaints"]]
    visit.seen["complaints"].clear()
    return {"answer": answer, "complaints": complaints}


def _entries(page: Page) -> list[list[Any]]:
    """What the page and its worker fetched, and how many bytes of each came over the network."""
    script = """() => ["navigation", "resource"].flatMap((kind) =>
        performance.getEntriesByType(kind).map(({ name, transferSize }) => [name, transferSize]))"""
    found: list[list[Any]] = page.evaluate(script)
    for worker in page.workers:
        found += worker.evaluate(script)
    return found


def _trace(session: CDPSession, stream: str) -> list[dict[str, Any]]:
    text, end = "", False
    while not end:
        part = session.send("IO.read", {"handle": stream})
        text, end = text + part["data"], part["eof"]
    events: list[dict[str, Any]] = json.loads(text)["traceEvents"]
    return events
