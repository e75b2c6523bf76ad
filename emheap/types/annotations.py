"""Reading the annotations of a class statement: on Python 3.10 to 3.14, deferred and not.

An annotation may name the class itself, or one that is declared later. So names are looked up
where the class statement stands, in its function too, and what is not there yet becomes a `Later`,
which is looked up when it is needed.
"""

from __future__ import annotations

import builtins
import sys
from collections.abc import Callable, Iterator, Mapping
from types import FrameType
from typing import Any, ForwardRef

__all__ = ["Later", "Scope", "check_not_special", "checked_body", "read_annotations"]


_UNREADABLE = (
    SyntaxError,
    AttributeError,
    TypeError,
    NameError,
    LookupError,
    ValueError,
    ArithmeticError,
)
"""The errors of an annotation that cannot be evaluated."""


class Scope:
    """Where the names of a class statement are looked up."""

    def __init__(self, cls: type[Any], frame: FrameType) -> None:
        self._cls = cls
        # A module's names are found by the module; only a function's are in its frame alone.
        self._frame = None if frame.f_locals is frame.f_globals else frame
        self._globals = frame.f_globals

    def __getitem__(self, name: str) -> Any:
        if name == self._cls.__name__:
            return self._cls
        inner = vars(self._cls).get(name)
        if isinstance(inner, type):  # one of the class's own; whatever else is there is a field
            return inner
        local = {} if self._frame is None else self._frame.f_locals
        for names in (local, self._globals, vars(builtins)):
            if name in names:
                return names[name]
        raise KeyError(name)

    def evaluate(self, text: str, known: Mapping[str, Any]) -> Any:
        """The value of an annotation; names that are not there yet are each a `Later`. Some are
        `known` to it alone.

        Raises TypeError for what is none.
        """
        found: Any = text
        names = _Names(self, known)
        try:
            while isinstance(found, str):  # one in quotes, in a module that defers all of them
                found = eval(found, {"__builtins__": builtins}, names)  # type: ignore[arg-type]
        except _UNREADABLE as error:
            reason = f"there is no {names.missing[-1]}" if names.missing else str(error)
            raise TypeError(f"the annotation {text!r} cannot be evaluated: {reason}") from None
        return found

    def __repr__(self) -> str:
        return f"{self._cls.__qualname__} in {self._cls.__module__}"


class _Names:
    """The names of a scope for ``eval``, none of which is ever missing."""

    def __init__(self, scope: Scope, known: Mapping[str, Any]) -> None:
        self._scope = scope
        self._known = known
        self.missing: list[str] = []

    def __getitem__(self, name: str) -> Any:
        if name in self._known:
            return self._known[name]
        try:
            return self._scope[name]
        except KeyError:
            self.missing.append(name)
            return Later(name, self._scope)


class Later:
    """A type that is looked up when it is needed."""

    def __init__(
        self, text: str, scope: Scope | None = None, known: Mapping[str, Any] | None = None
    ) -> None:
        self.text = text
        self.scope = scope
        self.known = known or {}
        """What Python 3.14 calls by names of its own in the text, such as type variables."""

    def resolve(self) -> Any:
        """The type; raises NameError if there is none of the name by now."""
        if self.scope is not None:
            found = self.scope.evaluate(self.text, self.known)
            if not isinstance(found, Later):
                return found
        if self.scope is None:
            raise NameError(f"{self.text} is a name; outside of a class statement give the type")
        raise NameError(f"there is no type {self.text} where {self.scope} was declared")

    def __repr__(self) -> str:
        return self.text


def as_later(note: Any) -> Any:
    """What stands for a type that is not known yet, as a `Later`; anything else as it is."""
    if isinstance(note, str):
        return Later(note)
    if not isinstance(note, ForwardRef):
        return note
    return Later(note.__forward_arg__, known=getattr(note, "__extra_names__", None))


def read_annotations(cls: type[Any], scope: Scope) -> Iterator[tuple[str, Any]]:
    """The annotations of a class's own body, evaluated as far as that is possible now."""
    for name, note in _annotations(cls).items():
        if not isinstance(name, str):
            raise TypeError(f"{cls.__name__}: the name of a field must be a str, not {name!r:.60}")
        later = as_later(note)
        if isinstance(later, Later):
            try:
                note = scope.evaluate(later.text, later.known)
            except TypeError as error:
                raise TypeError(f"{cls.__name__}.{name}: {error}") from None
        yield name, note


class _Body(dict[str, Any]):
    """The namespace of a class body, in which no field has one of Python's own names.

    Python would take a field ``__slots__`` for its own, and complain of something else.
    """

    def __init__(self, owner: str, is_field: Callable[[Any], bool]) -> None:
        super().__init__()
        self._owner = owner
        self._is_field = is_field

    def __setitem__(self, name: str, value: Any) -> None:
        if self._is_field(value):
            check_not_special(name, f"{self._owner}.{name}")
        super().__setitem__(name, value)


def check_not_special(name: str, where: str) -> None:
    """Raise TypeError for the name of a field that has a meaning to Python."""
    if name.startswith("__") and name.endswith("__"):
        raise TypeError(
            f"{where}: names with two underscores at both ends are Python's own; call the field "
            f"{name.strip('_') or 'field'}_"
        )


class _Once(dict[str, Any]):
    """Annotations of which none replaces another."""

    def __init__(self, owner: str) -> None:
        super().__init__()
        self._owner = owner

    def __setitem__(self, name: str, note: Any) -> None:
        if name in self:
            raise TypeError(f"{self._owner}.{name} is declared twice")
        super().__setitem__(name, note)


_FUTURE_ANNOTATIONS = 0x1000000
"""The flag of code under ``from __future__ import annotations``."""


def checked_body(owner: str, frame: FrameType, is_field: Callable[[Any], bool]) -> dict[str, Any]:
    """The namespace of a class body that stores no annotation twice, and no field under a name of
    Python's own.

    From Python 3.14 on annotations are no longer stored by the body unless a module asks for that;
    `_annotations` counts them then.
    """
    body = _Body(owner, is_field)
    if sys.version_info < (3, 14) or frame.f_code.co_flags & _FUTURE_ANNOTATIONS:
        body["__annotations__"] = _Once(owner)
    return body


if sys.version_info >= (3, 14):

    def _annotations(cls: type[Any]) -> dict[str, Any]:
        import annotationlib

        notes = annotationlib.get_annotations(cls, format=annotationlib.Format.FORWARDREF)
        annotate = annotationlib.get_annotate_from_class_namespace(vars(cls))
        # Of some that stand under a condition, not all are meant.
        under = "__conditional_annotations__"
        if annotate is not None and under not in annotate.__code__.co_freevars:
            from opcode import opmap

            stores = annotate.__code__.co_code[::2].count(opmap["STORE_SUBSCR"])
            if stores > len(notes):
                raise TypeError(f"a field of {cls.__name__} is declared twice")
        return notes

else:

    def _annotations(cls: type[Any]) -> dict[str, Any]:
        own: dict[str, Any] = vars(cls).get("__annotations__", {})
        if not isinstance(own, dict):
            raise TypeError(f"{cls.__name__}.__annotations__ must be a dict, not {own!r:.60}")
        return own
