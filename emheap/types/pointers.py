"""Kinds that are made of others: ``Pointer[Node]``, ``Array[float32]``."""

from __future__ import annotations

import types
import typing
from typing import Annotated, Any, NewType, get_args, get_origin

from emheap.types.abi import ABI
from emheap.types.annotations import Later, Scope, as_later
from emheap.types.base import Compound, Type, likely_type
from emheap.types.scalars import Integer

__all__ = [
    "Alternatives",
    "ArrayOf",
    "PointerScalar",
    "PointerTo",
    "declared",
    "meant",
    "name_of",
    "pointer_to",
]


def name_of(kind: Any) -> str:
    """What messages call a type. A structure may have a field ``name``, so that is not asked."""
    name: str = getattr(kind, "__name__", repr(kind))
    return name


def meant(note: Any) -> Any:
    """The type that an annotation stands for: what `Annotated` adds to, what has another name by
    `NewType`, or by Python 3.12's ``type``. Raises NameError where that is not there yet."""
    while True:
        if get_origin(note) is Annotated:
            note = note.__origin__
        elif isinstance(note, NewType):
            note = note.__supertype__
        elif type(note).__name__ == "TypeAliasType":  # Python's, or that of typing_extensions
            note = note.__value__
        else:
            return note


def declared(kind: Any) -> Any:
    """The structure that was declared, for the type of one of its objects, or for one that is
    generic to type checkers: ``Node[int]``; for ``Optional[...]`` its alternatives; else what was
    given."""
    kind = meant(kind)
    origin = get_origin(kind)
    if isinstance(origin, Compound):
        return origin
    if origin is typing.Union or origin is types.UnionType:
        return Alternatives(*get_args(kind))
    if isinstance(kind, type) and isinstance(kind, Compound) and "_variants" in vars(kind):
        return kind._declaration.owner  # type: ignore[attr-defined]
    return kind


class PointerScalar(Integer):
    """What a pointer is stored as: an address of 4 or 8 bytes."""


class _Compound:
    """A kind made of another one, which may not be known yet."""

    __slots__ = ("_of",)
    _word = ""

    def __init__(self, of: Any) -> None:
        self._of = declared(of)

    @property
    def of(self) -> Any:
        """The other kind; raises NameError if it is still not known."""
        found = self._latest()
        if isinstance(found, Later):
            self._of = found = declared(found.resolve())
            self.check()
        return found

    def _latest(self) -> Any:
        """The other kind, or a `Later` for the name of one."""
        # Not when this was made: what stands for a name while Python 3.14 evaluates deferred
        # annotations becomes a ForwardRef only when it has evaluated them.
        self._of = as_later(self._of)
        return self._of

    def check(self) -> None:
        """Raise TypeError if the other kind cannot be one, as far as it is known by now."""

    @property
    def of_if_known(self) -> Any:
        """The other kind, or a `Later` if it is still not known."""
        try:
            return self.of
        except NameError:
            return self._of

    def bind(self, scope: Scope) -> None:
        """Look the other kind up in a scope, where it was given by its name."""
        found = self._latest()
        if isinstance(found, Later):
            found.scope = found.scope or scope
        elif isinstance(found, _Compound):
            found.bind(scope)

    @property
    def __name__(self) -> str:
        return f"{self._word}[{name_of(self._latest())}]"

    def __or__(self, other: Any) -> Alternatives:
        return Alternatives(self, other)

    def __ror__(self, other: Any) -> Alternatives:
        return Alternatives(other, self)

    def __call__(self, *_: object, **__: object) -> Any:
        # On Python 3.10 what cannot be called cannot be in Optional[...] either.
        raise TypeError(
            f"{self} is a type of memory, not of Python objects: pass the type itself, as in "
            f"heap.alloc({self})"
        )

    def __eq__(self, other: object) -> bool:
        if type(other) is not type(self):
            return NotImplemented
        # The same name may be another type in another scope.
        return self is other or bool(self.of_if_known == other.of_if_known)

    def __hash__(self) -> int:
        return hash((self._word, name_of(self._latest())))

    def __repr__(self) -> str:
        return self.__name__


class Alternatives:
    """What ``Pointer[Node] | None`` is at run time, and ``Optional[int32]``: the class statement
    refuses it, and names the field, which Python could not."""

    def __init__(self, *kinds: Any) -> None:
        self.kinds = tuple(None if kind is type(None) else kind for kind in kinds)

    @property
    def __name__(self) -> str:
        return " | ".join("None" if kind is None else name_of(kind) for kind in self.kinds)

    def __repr__(self) -> str:
        return self.__name__


class PointerTo(_Compound, Compound):
    """The kind of a pointer to values of another kind: what ``Pointer[Node]`` is at run time."""

    __slots__ = ("_scalars", "pointer")
    _word = "Pointer"

    def __init__(self, of: Any) -> None:
        super().__init__(of)
        self.pointer: PointerTo | None = None
        """What `pointer_to` gives for this kind."""
        self._scalars: dict[int, type[PointerScalar]] = {}

    def check(self) -> None:
        kind = self.of_if_known
        if isinstance(kind, PointerTo):
            kind.check()
        elif not (
            kind is None
            or kind is Any
            or isinstance(kind, Later)
            or hasattr(kind, "_declaration")  # a structure
            or is_type(kind)
        ):
            raise TypeError(
                f"{self}: {name_of(kind)} is no type of memory, so nothing can point to one"
                f"{likely_type(kind)}"
            )

    def scalar(self, abi: ABI) -> type[PointerScalar]:
        """What the pointer is stored as."""
        size = abi.pointer_size
        found = self._scalars.get(size)
        if found is None:
            self.check()
            code, array = ("I", "Uint32Array") if size == 4 else ("Q", "BigUint64Array")
            space = {"__doc__": "An address.", "pointee": self}
            options: dict[str, Any] = {"code": code, "js_array": array, "pointer": True}
            found = type(self.__name__, (PointerScalar,), space, **options)
            found = self._scalars.setdefault(size, found)
        return found


_TO_TYPES: dict[Any, PointerTo] = {}


def pointer_to(of: Any) -> PointerTo:
    """The kind of pointers to a kind. It is the same each time: a heap keeps what it needs for a
    kind, and a loop with ``heap.read(Pointer[Node], address)`` in it asks for it each time."""
    kind = declared(of)
    if kind is None or kind is Any or is_type(kind):
        return _TO_TYPES.get(kind) or _TO_TYPES.setdefault(kind, PointerTo(kind))
    # A structure that is being declared is not known yet, nor is one that is given by its name.
    known = vars(kind).get("_declaration") if isinstance(kind, type) else None
    keeper: Any = kind if isinstance(kind, PointerTo) else known
    if keeper is None:
        return PointerTo(kind)
    if keeper.pointer is None:
        keeper.pointer = PointerTo(kind)
    found: PointerTo = keeper.pointer
    return found


class ArrayOf(_Compound):
    """The kind of an array inside of a structure: what ``Array[float32]`` is at run time."""

    __slots__ = ()
    _word = "Array"


def is_type(kind: Any) -> bool:
    """Whether something is one of the concrete types: ``int32``, ``utf8``, not ``Scalar``."""
    return isinstance(kind, type) and issubclass(kind, Type) and hasattr(kind, "name")
