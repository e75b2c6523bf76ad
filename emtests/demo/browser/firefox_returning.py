"""The first visit and the second in Firefox, and how many bytes came over the network.

    python -m emtests.demo.browser.firefox_returning FIREFOX ADDRESS PROFILE

prints them as JSON. Firefox tells nobody what a worker fetched, so a relay counts the bytes.
"""

from __future__ import annotations

import asyncio
import json
import sys
from contextlib import closing, suppress
from threading import Thread
from typing import Any
from urllib.parse import urlsplit

from selenium.webdriver import Firefox, FirefoxOptions
from selenium.webdriver.firefox.service import Service

from emtests.demo.browser.firefox import Walk, geckodriver
from emtests.demo.browser.visit import SECONDS

SECONDS_TO_WRITE = 5
"""Firefox keeps compiled code a while after the last of it was compiled."""
IS_KEPT = """
const [done] = arguments;
caches.open("emheap").then((cache) => cache.keys()).then(
    (kept) => done(kept.some(({ url }) => url.includes("/memory?"))));
"""
"""Whether the page has kept the memory of its Python."""


class Relay:
    """Passes connections on to a server, and counts the bytes that it sends."""

    def __init__(self, address: str) -> None:
        parts = urlsplit(address)
        self._server = parts.hostname, parts.port
        self.received = 0
        self._loop = asyncio.new_event_loop()
        Thread(target=self._loop.run_forever, daemon=True).start()
        started = asyncio.run_coroutine_threadsafe(self._start(), self._loop)
        self.address = f"http://127.0.0.1:{started.result(SECONDS)}{parts.path}"

    async def _start(self) -> int:
        server = await asyncio.start_server(self._connect, "127.0.0.1", 0)
        port: int = server.sockets[0].getsockname()[1]
        return port

    async def _connect(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        from_server, to_server = await asyncio.open_connection(*self._server)
        await asyncio.gather(
            self._pass_on(reader, to_server, counted=False),
            self._pass_on(from_server, writer, counted=True),
        )

    async def _pass_on(
        self, source: asyncio.StreamReader, target: asyncio.StreamWriter, *, counted: bool
    ) -> None:
        with suppress(ConnectionError), closing(target):  # a browser ends connections as it likes
            while data := await source.read(1 << 16):
                self.received += len(data) if counted else 0
                target.write(data)
                await target.drain()


def visit(browser: str, relay: Relay, profile: str) -> dict[str, Any]:
    """Start the page once in a browser of its own."""
    options = FirefoxOptions()
    options.binary_location = browser
    for argument in ("-headless", "-profile", profile):
        options.add_argument(argument)
    relay.received = 0
    with Firefox(options=options, service=Service(str(geckodriver()))) as driver:
        walk = Walk(driver)
        driver.get(relay.address)
        walk.wait_for("runtime", "Running on")
        seconds = driver.execute_script("return performance.now() / 1000")
        received = relay.received
        driver.execute_async_script(f"setTimeout(arguments[0], {SECONDS_TO_WRITE * 1000})")
        walk.until(lambda: driver.execute_async_script(IS_KEPT), "the memory was not kept")
    return {"seconds": seconds, "received": received}


def main(browser: str, address: str, profile: str) -> None:
    relay = Relay(address)
    print(json.dumps({name: visit(browser, relay, profile) for name in ("first", "second")}))


if __name__ == "__main__":
    main(*sys.argv[1:])
