"""What the binary of a WebAssembly module says of its imports and its functions.

JavaScript's engines give names only, so the sections are read here: types, imports, functions and
exports. What comes later in the file, the code, is not looked at.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import NamedTuple

from emheap._util.wasm_binary import section, unsigned, vector
from emheap.calls.verifying import FunctionType, show_type
from emheap.errors import NotSupportedError

__all__ = ["Import", "Limits", "ModuleTypes", "read_module_types", "with_growing_tables"]

_VALUE_TYPES = {0x7F: "i32", 0x7E: "i64", 0x7D: "f32", 0x7C: "f64", 0x7B: "v128"}
_TYPED_REFERENCES = (0x63, 0x64)
"""References that may be null or not, followed by what they refer to."""
_PLAIN_REFERENCES = (0x70, 0x6F)
_KINDS = ("function", "table", "memory", "global", "tag")


class Limits(NamedTuple):
    """How large a memory or a table is at first, and may become."""

    minimum: int
    maximum: int | None
    is_shared: bool
    is_64: bool


class Import(NamedTuple):
    """One thing that a module needs."""

    module: str
    name: str
    kind: str
    """function, table, memory, global or tag."""
    type: FunctionType | None = None
    limits: Limits | None = None

    def __str__(self) -> str:
        shown = "" if self.type is None else show_type(self.type)
        return f"{self.module}.{self.name}{shown or f' (a {self.kind})'}"


@dataclass
class ModuleTypes:
    """What a module imports, and the names of what it exports."""

    imports: list[Import] = field(default_factory=list)
    exports: set[str] = field(default_factory=set)


def read_module_types(binary: bytes) -> ModuleTypes:
    """Read a module. Raises ValueError for bytes that are not a module, NotSupportedError for types
    newer than those of functions."""
    if binary[:8] != b"\0asm\1\0\0\0":
        what = "a component" if binary[:4] == b"\0asm" else "no WebAssembly"
        raise ValueError(f"the file is {what}: a module begins with 00 61 73 6d 01 00 00 00")
    try:
        return _Reader(binary).read()
    except IndexError:
        raise ValueError("the file ends in the middle of a section: it is not whole") from None


def with_growing_tables(binary: bytes) -> bytes:
    """The same module with no maximum for its own tables, for functions of Python's to be added.

    Linkers give one that leaves no room, and that of ziglang cannot be told otherwise. Tables that
    have more to them stay as they are.
    """
    try:
        return _Reader(binary).with_growing_tables()
    except (IndexError, ValueError):  # the engine says what is wrong
        return binary


class _Reader:
    def __init__(self, binary: bytes) -> None:
        self._data = binary
        self._at = 8
        self._types: list[FunctionType] = []
        self._found = ModuleTypes()

    def read(self) -> ModuleTypes:
        sections = {1: self._read_type, 2: self._read_import, 7: self._read_export}
        while self._at < len(self._data):
            number = self._byte()
            end = self._number() + self._at
            if number in sections:
                for _ in range(self._number()):
                    sections[number]()
            self._at = end
            if number == 7:
                break
        return self._found

    def with_growing_tables(self) -> bytes:
        while self._at < len(self._data):
            start, number = self._at, self._byte()
            end = self._number() + self._at
            if number == 4:
                tables = [self._growing_table() for _ in range(self._number())]
                if self._at == end:
                    made = section(4, vector(tables))
                    return self._data[:start] + made + self._data[end:]
            self._at = end
        return self._data

    # Sections

    def _read_type(self) -> None:
        if self._byte() != 0x60:
            raise NotSupportedError(
                "the module has types other than functions', as languages with garbage collection "
                "make them: only modules of C's types can be opened"
            )
        params = self._value_types()
        results = self._value_types()
        self._types.append((params, results))

    def _value_types(self) -> tuple[str, ...]:
        return tuple(self._value_type() for _ in range(self._number()))

    def _value_type(self) -> str:
        byte = self._byte()
        if byte in _TYPED_REFERENCES:
            self._number()
        return _VALUE_TYPES.get(byte, "ref")

    def _read_import(self) -> None:
        module, name, kind = self._name(), self._name(), _KINDS[self._byte()]
        function, limits = None, None
        if kind == "function":
            function = self._types[self._number()]
        elif kind == "global":
            self._at += 2
        elif kind == "tag":
            self._byte()
            self._number()
        else:
            if kind == "table":
                self._byte()
            limits = self._limits()
        self._found.imports.append(Import(module, name, kind, function, limits))

    def _limits(self) -> Limits:
        flags, minimum = self._byte(), self._number()
        maximum = self._number() if flags & 1 else None
        if flags & 8:  # pages of another size
            self._number()
        return Limits(minimum, maximum, bool(flags & 2), bool(flags & 4))

    def _growing_table(self) -> bytes:
        kind, flags = self._byte(), self._data[self._at]
        if kind not in _PLAIN_REFERENCES or flags & ~5:
            raise ValueError("a table with more to it than a type and limits")
        return bytes([kind, flags & 4]) + unsigned(self._limits().minimum)

    def _read_export(self) -> None:
        self._found.exports.add(self._name())
        self._byte()
        self._number()

    # Pieces

    def _byte(self) -> int:
        self._at += 1
        return self._data[self._at - 1]

    def _number(self) -> int:
        number = shift = 0
        while True:
            byte = self._byte()
            number |= (byte & 127) << shift
            shift += 7
            if byte < 128:
                return number

    def _name(self) -> str:
        size = self._number()
        self._at += size
        try:
            return self._data[self._at - size : self._at].decode()
        except UnicodeDecodeError as error:
            raise ValueError(f"a name in the file is not UTF-8: {error}") from None
