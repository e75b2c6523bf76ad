"""What every test has: the heaps, and the rule that a skip is declared or a failure."""

from __future__ import annotations

import gc
import os
import sys
from collections.abc import Callable, Generator, Iterator
from contextlib import ExitStack, suppress
from typing import Any, NoReturn

import pytest
from hypothesis import HealthCheck, given, settings, strategies

import emheap
from emheap import Arena, HeapManager
from emheap._util.platform import HAS_GIL
from emtests.heaps import CAPABILITIES, KINDS, RUNNING, HeapKind

OpenHeap = Callable[..., HeapManager]

# The same examples in every run: a failure in CI is a failure of the change. `thorough` looks for
# new ones.
settings.register_profile(
    "deterministic",
    derandomize=True,
    deadline=None,
    database=None,
    max_examples=40,
    suppress_health_check=[HealthCheck.too_slow],
)
settings.register_profile(
    "thorough",
    deadline=None,
    max_examples=2000,
    print_blob=True,
    suppress_health_check=[HealthCheck.too_slow],
)
settings.load_profile(os.environ.get("EMHEAP_HYPOTHESIS", "deterministic"))


# Skips

_declared: set[str] = set()
"""The reasons of the skips that were declared."""


def skip_for_gap(what: str, reason: str) -> NoReturn:
    """Skip the test that runs, because something lacks what it needs and says why."""
    words = f"{what}: {reason}"
    _declared.add(words)
    pytest.skip(words)


def skip_where_classes_stay() -> None:
    """Skip a test that sees classes go where they do not."""
    if not HAS_GIL and sys.version_info < (3, 14):
        skip_for_gap("free-threaded CPython 3.13", "it keeps all classes once a thread has started")


def _judge_skip(report: pytest.TestReport | pytest.CollectReport) -> None:
    """Make a failure of a skip that was not declared, and of an expected failure."""
    words = report.longrepr[2] if isinstance(report.longrepr, tuple) else str(report.longrepr)
    if report.skipped and words.removeprefix("Skipped: ") not in _declared:
        report.outcome = "failed"
        report.longrepr = f"not a declared gap (see skip_for_gap): {words}"


def pytest_configure(config: pytest.Config) -> None:
    config.addinivalue_line(
        "markers",
        "needs(*capabilities): skip the test on a heap with such a gap; they are "
        + ", ".join(CAPABILITIES),
    )
    config.addinivalue_line("markers", "last: run it after all others, for it leaves its mark")
    _check_kinds(config)


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption(
        "--kinds",
        type=lambda text: text.split(","),
        metavar="A,B",
        help="run what is run on every heap on heaps of these kinds only",
    )


def _check_kinds(config: pytest.Config) -> None:
    known = [kind.name for kind in KINDS]
    unknown = [name for name in config.getoption("kinds") or () if name not in known]
    if unknown:
        raise pytest.UsageError(f"no such kind: {', '.join(unknown)}. They are {', '.join(known)}.")


def _chosen_kinds(config: pytest.Config) -> list[HeapKind]:
    names = config.getoption("kinds")
    return [kind for kind in RUNNING if names is None or kind.name in names]


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    items.sort(key=lambda item: item.get_closest_marker("last") is not None)


def pytest_collection_finish() -> None:
    if not HAS_GIL:
        # The collector knows no generations there: of the modules alone it has 70,000 objects to
        # look at each time, which tests ask for thousands of times.
        gc.collect()
        gc.freeze()


def pytest_runtest_setup(item: pytest.Item) -> None:
    callspec = getattr(item, "callspec", None)
    kind = callspec.params.get("kind") if callspec is not None else None
    for mark in item.iter_markers("needs"):
        for capability in mark.args:
            assert isinstance(kind, HeapKind), "needs() is for tests that run on a heap"
            if not kind.can(capability):
                skip_for_gap(f"{kind.name} lacks {capability!r}", kind.gaps[capability])


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport() -> Generator[None, pytest.TestReport, pytest.TestReport]:
    report = yield
    _judge_skip(report)
    return report


@pytest.hookimpl(wrapper=True)
def pytest_make_collect_report() -> Generator[None, pytest.CollectReport, pytest.CollectReport]:
    report = yield
    _judge_skip(report)
    return report


@pytest.fixture(scope="session", autouse=True)
def _known_generator() -> None:
    # Hypothesis asks the collector once who refers to its generator of random numbers, and the
    # collector does not see what is frozen below.
    @given(strategies.none())
    def run(_: None) -> None: ...

    run()


@pytest.fixture(scope="module", autouse=True)
def _quick_collections() -> None:
    # Many tests collect garbage. They need not look each time at all that pytest keeps: thousands
    # of tests, and of reports.
    gc.collect()
    gc.freeze()


# Heaps


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    own = [mark.args[0] for mark in metafunc.definition.iter_markers("parametrize")]
    named = any(names == "kind" or (type(names) is tuple and "kind" in names) for names in own)
    if "kind" in metafunc.fixturenames and not named:
        metafunc.parametrize("kind", _chosen_kinds(metafunc.config), ids=str)


@pytest.fixture
def open_heap(kind: HeapKind) -> Iterator[OpenHeap]:
    """Opens heaps of one kind, with options; checks at the end that nothing is live on them."""
    with ExitStack() as stack:
        opened: list[HeapManager] = []

        def open_one(**options: Any) -> HeapManager:
            heap = stack.enter_context(kind.open(**options))
            opened.append(heap)
            return heap

        yield open_one
        tracking = [
            heap for heap in opened if not heap.is_closed and heap.options.track_allocations
        ]
        left = [heap for heap in tracking if heap.total_allocated_byte_size]
        words = f"the test left blocks behind: {left}"
        for heap in left:
            with suppress(emheap.BufferInUseError):
                heap.free_all()
        assert not left, words


@pytest.fixture
def heap(open_heap: OpenHeap) -> HeapManager:
    """A heap with the options it has when none are given, once for each kind."""
    return open_heap()


@pytest.fixture
def scratch(heap: HeapManager) -> Iterator[Arena]:
    """Allocates on the same heap; what a test allocates here it need not free."""
    with heap.arena() as arena:
        yield arena
