"""When the page says that Python is busy or has stopped, by the page's own clock."""

from __future__ import annotations

STUBBORN = """print('begun', flush=True)
while True:
    try:
        while True: pass
    except KeyboardInterrupt: pass"""
"""Prints when it begins, and then computes for ever, whatever interrupts it."""
DEAF = """import asyncio
print('waiting', flush=True)
while True:
    try: await asyncio.sleep(1000)
    except BaseException: pass"""
"""Waits for ever, whatever interrupts it, in a Python that answers meanwhile."""
FATAL = """import ctypes, time
print('begun', flush=True)
time.sleep(0.2)
ctypes.string_at(2**32 - 64, 32)"""
"""Prints when Python has a moment to live, in which the page writes that down."""

NOTE_TIMES = """
const bar = document.getElementById("condition");
const log = document.getElementById("console-log");
const PERIOD = 20;
let late = 0;
let last = performance.now();
let begun;
setInterval(() => {
    late += Math.max(0, performance.now() - last - PERIOD);
    last = performance.now();
}, PERIOD);
window.conditionTimes = {};
new MutationObserver(() => {
    if (begun !== undefined || !log.querySelector(".entry:last-child .answered")) return;
    begun = last = performance.now();
    late = 0;
}).observe(log, { childList: true, subtree: true });
new MutationObserver(() => {
    if (!bar.hidden && begun !== undefined)
        window.conditionTimes[bar.className] ??= (performance.now() - begun - late) / 1000;
}).observe(bar, { attributes: true });
document.addEventListener("keydown", () => {
    begun = undefined;
    window.conditionTimes = {};
}, { capture: true });
"""
"""Notes the seconds from a program's first output until the bar is shown, less those in which the
page could not run: on a machine that is busy with other things they are no fault of the page.

One clock measures both: those of a page and its worker differ by a millisecond in Firefox."""
