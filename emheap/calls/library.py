"""Libraries: a class that declares C's functions, and its instances, which call them."""

from __future__ import annotations

import difflib
import keyword
import operator
import sys
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, ClassVar, Generic, TypeVar

from emheap.calls.callbacks import ScopedCallback
from emheap.calls.kinds import Signature
from emheap.calls.linker import Linker
from emheap.calls.lowering import compile_call, wire_of
from emheap.calls.services import Services
from emheap.calls.signature import Declaration, annotations_of, read_signature
from emheap.errors import NotSupportedError, NullPointerError

if TYPE_CHECKING:
    from typing import TypeAlias

    from typing_extensions import ParamSpec

    from emheap.refs.pointer import Pointer

    P = ParamSpec("P")
    R = TypeVar("R", covariant=True)

__all__ = ["Function", "Library", "bind_library", "functions_of"]

_Scope: TypeAlias = "tuple[dict[str, Any], dict[str, Any]]"
"""The names of a module, and those of a function in it."""

L = TypeVar("L", bound="Library")
F = TypeVar("F", bound=Callable[..., Any])

if TYPE_CHECKING:

    class Function(Generic[P, R]):
        """A function of C, as a `Library` declares it: ``Function[[c.int, c.int], c.int]``."""

        def __call__(self, *args: P.args, **kwargs: P.kwargs) -> R:
            """Call it. Arguments are checked before anything is passed."""
            ...

        def map(self, *arrays: Any, out: Any = None) -> Any:
            """Call it for each element of arrays of one length, one array for each parameter; or
            of any iterables.

            Its parameters and its result must be numbers. Returns a list of the results, or `out`,
            an array of the library's heap that they were stored in. In WebAssembly the loop runs
            there, at a fraction of what calls from Python cost.
            """
            ...

else:

    class Function:
        """A function of C, as a `Library` declares it: ``Function[[c.int, c.int], c.int]``."""

        def __class_getitem__(cls, signature: Any) -> Declaration:
            if not isinstance(signature, tuple) or len(signature) != 2:
                raise TypeError("a signature is Function[[parameter, ...], result]")
            return Declaration(*signature)


class Library:
    """The functions of a C library, each declared once, with types that a checker understands.

    `HeapManager.library` binds them: to a shared library, a module of wasmtime's or of
    JavaScript's, or to the heap's own program. Then they are called as methods are. ``prefix=``
    is what C's names have before those of the class; a keyword, or a name that every library has,
    is declared with an underscore at its end (``raise_``). ``lazy=True``, or a list of names, lets
    functions be missing until they are called.

    >>> import emheap
    >>> from emheap import Function, Library, c
    >>> class Libc(Library):
    ...     abs: Function[[c.int], c.int]
    ...     strlen: Function[[c.string], c.size_t]
    >>> libc = emheap.open().library(Libc)
    >>> libc.abs(-5), libc.strlen("héllo")
    (5, 6)
    """

    _scope: ClassVar[_Scope] = {}, {}
    _prefix: ClassVar[str] = ""
    _lazy: ClassVar[frozenset[str] | bool]
    _signatures: ClassVar[dict[str, Signature]]
    _services: Services

    def __init_subclass__(cls, *, prefix: str = "", lazy: bool | list[str] = False) -> None:
        super().__init_subclass__()
        frame = sys._getframe(1)  # the class statement's: annotations may name what it sees
        # A copy of a module's names would keep what they stood for.
        inside = frame.f_locals is not frame.f_globals
        cls._scope = frame.f_globals, dict(frame.f_locals) if inside else {}
        cls._prefix = prefix
        given: Any = lazy
        if isinstance(given, str):
            raise TypeError(f"lazy is True or a list of names, not the text {lazy!r}")
        cls._lazy = lazy if isinstance(lazy, bool) else frozenset(lazy)

    def __init__(self) -> None:
        raise TypeError(
            f"{type(self).__name__} is opened by a heap: heap.library({type(self).__name__}, ...)"
        )

    def callback(self, function: F, error_result: Any = 0) -> ScopedCallback[F]:
        """``with library.callback(f) as callback:`` lets C call `f` until the block ends.

        What is passed without it stays callable as long as the library, or one of its functions,
        for C may keep it. `error_result` is what C gets when `f` raises. Passing the callback after
        its block raises UseAfterFreeError, and so does what C calls then, unless the next callback
        has its place already.
        """
        return ScopedCallback(function, error_result)

    def function_pointer(self, kind: type[Function[P, R]], function: Callable[P, R]) -> int:
        """The address of a Python function for C, as in
        ``library.function_pointer(Function[[c.int], c.int], f)``: to be stored in structures.

        It stays callable as long as the library.
        """
        signature = _signature_of(kind)
        convert = self._services.callbacks.converter(signature, f"the pointer to {function!r:.60}")
        address: int = convert.convert(function)[0]
        return address

    def function_at(
        self, kind: type[Function[P, R]], address: int | Pointer[Any]
    ) -> Function[P, R]:
        """The C function that a pointer points to. Raises NullPointerError."""
        signature = _signature_of(kind)
        place = operator.index(address)
        if not place:
            raise NullPointerError("a null pointer is no function: C never set it")
        linker, name = self._services.linker, f"function_at_{place:x}"
        symbol = linker.function_at(place)
        contradiction = linker.check(name, symbol, wire_of(signature, self._services))
        if contradiction:
            raise NotSupportedError(f"the function at {place} is not {signature}: {contradiction}")
        return compile_call(name, signature, symbol, self._services)  # type: ignore[return-value]

    def __reduce__(self) -> Any:
        raise TypeError(
            "a library cannot be pickled or copied: its functions are in this process; open it "
            "again by heap.library()"
        )

    def __repr__(self) -> str:
        state = f", closed since {self._services.state.closed}" if self.is_closed else ""
        return f"<{type(self).__name__} in {self._services.linker.name}{state}>"

    @property
    def is_closed(self) -> bool:
        """Whether the library's program has ended, by ``exit`` or ``abort``: calls then raise
        ForeignTrapError."""
        return bool(self._services.state.closed)


_RESERVED = frozenset(dir(Library))


def _signature_of(kind: Any) -> Signature:
    if not isinstance(kind, Declaration):
        raise TypeError(f"expected Function[[parameter, ...], result], got {kind!r:.60}")
    return read_signature(kind.params, kind.result)


def bind_library(cls: type[L], heap: Any, linker: Linker) -> L:
    """An instance of a library, its functions found and checked; see `HeapManager.library`."""
    given: Any = cls
    if not isinstance(given, type) or not issubclass(given, Library) or given is Library:
        raise TypeError(f"expected a class derived from Library, got {cls!r:.60}")
    library = object.__new__(cls)
    library._services = Services(heap, linker, cls.__module__)
    for name, (signature, owner) in functions_of(cls).items():
        binder = _Binder(library._services, name, _name_in_c(owner, name), signature)
        lazy = owner._lazy
        library.__dict__[name] = binder.bind(lazy if isinstance(lazy, bool) else name in lazy)
    return library


def functions_of(cls: type[Library]) -> dict[str, tuple[Signature, type[Library]]]:
    """The functions of a class and its bases, by name, each with the class that declares it."""
    found: dict[str, tuple[Signature, type[Library]]] = {}
    for base in reversed(cls.__mro__):
        if not issubclass(base, Library) or base is Library:
            continue
        scope = base._scope  # first, for another thread may be here
        if "_signatures" not in vars(base):
            base._signatures = _read_signatures(base, scope)
            base._scope = {}, {}  # what the names of a function stand for is kept no longer
        found.update((name, (each, base)) for name, each in base._signatures.items())
    return found


def _read_signatures(cls: type[Library], scope: _Scope) -> dict[str, Signature]:
    annotations = annotations_of(cls, *scope)
    unknown = set() if isinstance(cls._lazy, bool) else cls._lazy - annotations.keys()
    if unknown:
        raise TypeError(
            f"{cls.__name__} declares no function {', '.join(sorted(unknown))}, which is to be lazy"
        )
    found = {}
    for name, annotation in annotations.items():
        _check_name(cls, name)
        if not isinstance(annotation, Declaration):
            raise TypeError(
                f"{cls.__name__}.{name} is {annotation!r:.60}: a library declares "
                "Function[[parameter, ...], result]"
            )
        try:
            found[name] = read_signature(annotation.params, annotation.result)
        except TypeError as error:
            raise TypeError(f"{cls.__name__}.{name}: {error}") from None
    return found


def _check_name(cls: type[Library], name: str) -> None:
    if name in _RESERVED:
        raise TypeError(
            f"{cls.__name__}.{name}: every library has a member of this name; write {name}_ for "
            f"C's {name}"
        )
    mangled = f"_{cls.__name__.lstrip('_')}__"
    if name.startswith(mangled):
        plain = name[len(mangled) :]
        raise TypeError(
            f"{cls.__name__}.__{plain}: Python changes names in a class that begin with two "
            f'underscores; declare {plain} in a class with prefix="__"'
        )


def _name_in_c(cls: type[Library], name: str) -> str:
    """C's name of a function, with an underscore at its end where Python has the name."""
    stem = name.removesuffix("_")
    taken = stem in _RESERVED or keyword.iskeyword(stem)
    return cls._prefix + (stem if taken else name)


class _LateMap:
    """``function.map``, made when it is first called."""

    def __init__(self, *arguments: Any) -> None:
        self._arguments = arguments
        self._map: Callable[..., Any] | None = None

    def __call__(self, *arrays: Any, out: Any = None) -> Any:
        if self._map is None:
            from emheap.calls.mapping import make_map

            self._map = make_map(*self._arguments)
        return self._map(*arrays, out=out)


class _Binder:
    """Binds one function."""

    def __init__(self, services: Services, name: str, c_name: str, signature: Signature) -> None:
        self.services = services
        self.name = name
        self.c_name = c_name
        self.signature = signature

    def bind(self, lazy: bool) -> Callable[..., Any]:
        linker = self.services.linker
        symbol = linker.find(self.c_name)
        if symbol is None:
            if not lazy:
                raise NotSupportedError(self._missing())
            return self._absent
        contradiction = linker.check(self.c_name, symbol, wire_of(self.signature, self.services))
        if contradiction:
            raise NotSupportedError(
                f"{self.c_name}{self.signature} is not what {linker.name} has: {contradiction}"
            )
        function = compile_call(self.name, self.signature, symbol, self.services)
        function.map = _LateMap(self.name, self.signature, symbol, function, self.services)  # type: ignore[attr-defined]
        return function

    def _absent(self, *_: Any) -> Any:
        raise NotSupportedError(self._missing())

    def _missing(self) -> str:
        linker = self.services.linker
        close = difflib.get_close_matches(self.c_name, list(linker.names()), 3)
        nearest = f" (the nearest it has: {', '.join(close)})" if close else ""
        return (
            f"{linker.name} has no function {self.c_name}{nearest}; {linker.missing(self.c_name)}"
        )
