"""When the page says that Python is busy or has stopped, by the page's own clock."""

from __future__ import annotations

import re

STUBBORN = """import time
print(time.time(), flush=True)
while True:
    try:
        while True: pass
    except KeyboardInterrupt: pass"""
"""Prints when it begins, and then computes for ever, whatever interrupts it."""
FATAL = """import ctypes, time
print(time.time(), flush=True)
ctypes.string_at(2**32 - 64, 32)"""
"""Prints when Python has a moment to live."""

NOTE_TIMES = """
const bar = document.getElementById("condition");
const PERIOD = 20;
let late = 0;
let last = performance.now();
setInterval(() => {
    late += Math.max(0, performance.now() - last - PERIOD);
    last = performance.now();
}, PERIOD);
window.conditionTimes = {};
new MutationObserver(() => {
    if (bar.hidden) late = 0;
    else window.conditionTimes[bar.className] ??= { shown: Date.now() / 1000, late: late / 1000 };
}).observe(bar, { attributes: true });
document.addEventListener("keydown", () => {
    late = 0;
    window.conditionTimes = {};
}, { capture: true });
"""
"""Notes when the bar is shown after a key was pressed, and for how long the page could not run
meanwhile: on a machine that is busy with other things that is no fault of the page."""


def seconds_until_shown(log: str, times: dict[str, dict[str, float]], kind: str) -> float:
    """From the moment that the last program printed until the bar was there."""
    began = float(re.findall(r"\d{10,}\.\d+", log)[-1])
    return times[kind]["shown"] - began - times[kind]["late"]
