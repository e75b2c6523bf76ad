"""What goes wrong between Python and C: exceptions in callbacks, and traps in C.

An exception that is raised in a callback must not unwind the frames of C above it: they would
never give back their locks, their memory or, in WebAssembly, their stack. So it is remembered
here, the callback returns, and when the call that C was in is over it is raised there. Callbacks
that C makes in between return at once. A trap in C is the other way round: C's frames are gone,
and what is left is to put the end of its stack back and to say what happened.
"""

from __future__ import annotations

import sys
from _thread import get_ident
from collections.abc import Callable, Iterator
from types import FrameType, FunctionType
from typing import Any
from weakref import WeakSet, ref

from emheap._util.generated import GENERATED
from emheap.calls.linker import Linker, TrapReport, exited
from emheap.errors import ForeignTrapError

__all__ = ["CallState", "ProgramExitError"]


class ProgramExitError(Exception):
    """Raised by a library's ``exit``, through its frames."""

    def __init__(self, status: int) -> None:
        super().__init__(status)
        self.status = status


class CallState:
    """What the functions and callbacks of all libraries on one heap have in common."""

    def __init__(self, linker: Linker) -> None:
        self.linker = linker
        self.pending: list[tuple[int, BaseException | None]] = []
        """What is to be done when a call is over, by thread: an exception to raise, or, for None,
        the stack to put back."""
        self.closed = self.cure = ""
        """Why nothing can be called any more; empty while it can."""
        self.damage = ""
        """What a failed call left behind that cannot be put right."""
        self._mark = linker.stack_mark()
        self._functions: WeakSet[FunctionType] = WeakSet()

    def add_function(self, function: FunctionType) -> None:
        """Remember a generated function, for it to refuse when the library closes."""
        self._functions.add(function)
        if self.closed:
            self._close_function(function)

    # Callbacks that raised

    def remember(self, error: BaseException) -> None:
        """Keep an exception of a callback for the call that C is in; if there is none, as when a
        thread of C's own called back, report it as Python reports those of finalizers."""
        state = next(_calls_under_way(sys._getframe(1)), None)
        if state is not None:  # another heap's, where its C was given this one's function pointer
            state.pending.append((get_ident(), error))
        else:
            _report_unraisable(error)

    def is_ending(self) -> bool:
        """Whether an exception waits for this thread's call to be over."""
        thread = get_ident()
        return any(one == thread and error is not None for one, error in list(self.pending))

    def settle(self) -> None:
        """After a call: raise what waits for this thread."""
        thread = get_ident()
        for item in [item for item in self.pending if item[0] == thread]:
            if item[1] is not None:
                self.pending.remove(item)
                raise item[1]
            if not self._is_within_another(sys._getframe(2)):
                self.pending.remove(item)
                self._restore()

    # Calls that did not return

    def failure_of(self, name: str) -> Callable[[BaseException], BaseException]:
        """A function that makes of what came out of a call what is to be raised."""

        def failed(error: BaseException) -> BaseException:
            report = self._explain(error)
            self._unwind(sys._getframe(2))
            waiting = self._take_pending()
            if report is None:
                return error
            if report.closes:
                self.close(f"{report.reason} in {name}()", "load the module again")
            made = ForeignTrapError(self._describe(name, report.reason, report.closes))
            made.reason, made.function = report.reason, name
            made.__cause__ = waiting or error
            return made

        return failed

    def _explain(self, error: BaseException) -> TrapReport | None:
        if isinstance(error, ProgramExitError):
            return exited(error.status)
        return self.linker.explain(error)

    def _take_pending(self) -> BaseException | None:
        thread = get_ident()
        for item in [item for item in self.pending if item[0] == thread and item[1] is not None]:
            self.pending.remove(item)
            return item[1]
        return None

    def _describe(self, name: str, reason: str, closes: bool) -> str:
        text = f"{name}() did not return: {reason}"
        if closes:
            return (
                f"{text}; the library is closed, for its code cannot go on: load the module again"
            )
        return f"{text}; {self.damage or 'the library can be used further'}"

    def _unwind(self, caller: FrameType | None) -> None:
        if self._is_within_another(caller):
            # Frames of C's are live below: the stack is put back when they are over.
            self.pending.append((get_ident(), None))
        else:
            self._restore()

    def _restore(self) -> None:
        if self._mark is None:
            self.damage = self.linker.no_stack
        else:
            self.linker.stack_restore(self._mark)

    def _is_within_another(self, frame: FrameType | None) -> bool:
        """Whether C of the same module is on the stack, below a callback or an import of its.

        The frames are looked at when something went wrong, for to count costs something each time.
        """
        return self in _calls_under_way(frame)

    def close(self, why: str, cure: str) -> None:
        """Let every function refuse from now on."""
        self.closed, self.cure = why, cure
        for function in list(self._functions):
            self._close_function(function)

    def _close_function(self, function: FunctionType) -> None:
        function.__globals__["raw"] = self._refusal(function.__name__)

    def _refusal(self, name: str) -> Callable[..., Any]:
        def refuse(*_: Any) -> Any:
            raise ForeignTrapError(
                f"{name}() was not called: the library is closed since {self.closed}; {self.cure}"
            )

        return refuse


class _Unraisable:
    """Raises an exception where Python reports it, when a weak reference ends.

    The usual `sys.unraisablehook` takes nothing but objects of a type that cannot be made.
    """

    def __init__(self, error: BaseException) -> None:
        self._error = error

    def __call__(self, _: object) -> None:
        raise self._error

    def __repr__(self) -> str:
        return "a callback that no call of the library waits for"


def _report_unraisable(error: BaseException) -> None:
    gone = _Unraisable(error)
    reference = ref(gone, _Unraisable(error))
    del gone, reference


def _calls_under_way(frame: FrameType | None) -> Iterator[CallState]:
    """The states of the generated functions among a frame and its callers, innermost first."""
    while frame is not None:
        if frame.f_code.co_filename == GENERATED and "raw" in frame.f_globals:
            yield frame.f_globals["state"]
        frame = frame.f_back
