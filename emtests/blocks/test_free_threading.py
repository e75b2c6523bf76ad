"""What CPython 3.13 without the interpreter's lock does by itself, and the documentation warns of.

Where a later one has mended it, the sentence goes, and its test.
"""

from __future__ import annotations

import subprocess
import sys
import sysconfig

from emheap._util.platform import HAS_GIL
from emtests.conftest import skip_for_gap

FORKING = """
import os, threading, time

numbers = dict.fromkeys(range(20_000))
done = threading.Event()

def use():
    while not done.is_set():
        numbers.copy()
        numbers[7] = 8

def hangs():
    child = os.fork()
    if not child:
        numbers[5] = 7
        os._exit(0)
    deadline = time.monotonic() + 3
    while time.monotonic() < deadline:
        if os.waitpid(child, os.WNOHANG)[0]:
            return False
        time.sleep(0.0005)
    os.kill(child, 9)
    os.waitpid(child, 0)
    return True

threads = [threading.Thread(target=use) for _ in range(3)]
for thread in threads:
    thread.start()
end = time.monotonic() + 100
while not (hung := hangs()) and time.monotonic() < end:
    pass
done.set()
for thread in threads:
    thread.join()
print("hung" if hung else "all ended")
"""
SLICING = """
import threading

view = memoryview(bytes(100))
errors = []

def use():
    try:
        for _ in range(100_000):
            view[1:5]
    except ValueError as error:
        errors.append(error)

for _ in range(20):
    threads = [threading.Thread(target=use) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    if errors:
        break
print(*{str(error) for error in errors})
"""


def printed_by(program: str) -> str:
    """What a program prints that only the CPython which the documentation names can run."""
    if HAS_GIL or sysconfig.get_python_version() != "3.13":
        skip_for_gap("another CPython", "it is about 3.13 without the interpreter's lock")
    command = [sys.executable, "-W", "ignore", "-c", program]
    done = subprocess.run(command, capture_output=True, encoding="utf-8", timeout=300)
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


def test_a_child_may_find_a_dictionary_locked_that_a_thread_changed_at_the_fork() -> None:
    assert printed_by(FORKING) == "hung"


def test_the_slices_of_one_view_are_miscounted_where_several_threads_make_them() -> None:
    """Nobody has released the view, which is in use all the time."""
    assert printed_by(SLICING) == "operation forbidden on released memoryview object"
