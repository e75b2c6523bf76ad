"""SQLite: open, exec with a callback for each row, bind a blob, read it back, an error."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from emheap import Function, HeapManager, Library, Pointer, Struct, c, uint8, utf8

Strings = Pointer[Pointer[utf8]]
ROW = 100
DONE = 101
TRANSIENT = -1
"""Says that SQLite is to copy what is bound."""


class Database(Struct):
    """Known by its address alone."""


class Statement(Struct):
    """Known by its address alone."""


class Sqlite(Library, prefix="sqlite3_"):
    libversion: Function[[], c.text]
    open: Function[[c.string, c.out[Pointer[Database]]], c.int]
    close_v2: Function[[c.ref[Database]], c.int]
    errmsg: Function[[c.ref[Database]], c.text]
    exec: Function[
        [
            c.ref[Database],
            c.string,
            c.callback[Callable[[Pointer[Any], c.int, Strings, Strings], c.int]],
            c.buffer,
            c.out[Pointer[utf8]],
        ],
        c.int,
    ]
    free: Function[[c.buffer], None]
    prepare_v2: Function[
        [c.ref[Database], c.string, c.int, c.out[Pointer[Statement]], c.out[Pointer[utf8]]], c.int
    ]
    bind_blob: Function[[c.ref[Statement], c.int, c.data, c.int, c.ssize_t], c.int]
    bind_text: Function[[c.ref[Statement], c.int, c.string, c.int, c.ssize_t], c.int]
    bind_int64: Function[[c.ref[Statement], c.int, c.int64], c.int]
    step: Function[[c.ref[Statement]], c.int]
    column_blob: Function[[c.ref[Statement], c.int], Pointer[uint8]]
    column_bytes: Function[[c.ref[Statement], c.int], c.int]
    column_text: Function[[c.ref[Statement], c.int], c.text | None]
    column_int64: Function[[c.ref[Statement], c.int], c.int64]
    finalize: Function[[c.ref[Statement]], c.int]


class Connection:
    """A database in memory."""

    def __init__(self, heap: HeapManager, sqlite: Sqlite) -> None:
        self._heap = heap
        self._sqlite = sqlite
        with heap.alloc(Pointer[Database]) as place:
            assert sqlite.open(":memory:", place) == 0
            self.database = place.value

    def query(self, sql: str) -> list[dict[str, str | None]]:
        """The rows of some statements. Raises ValueError with SQLite's message."""
        rows: list[dict[str, str | None]] = []

        def row(_: Pointer[Any], count: int, values: Strings, names: Strings) -> int:
            rows.append({names[i].target: values[i].get() for i in range(count)})
            return 0

        with self._heap.alloc(Pointer[utf8]) as message, self._sqlite.callback(row) as callback:
            if self._sqlite.exec(self.database, sql, callback, None, message):
                text = message.value.target
                self._sqlite.free(message.value)
                raise ValueError(text)
        return rows

    def store(self, name: str, data: bytes, number: int) -> None:
        """One row, by a prepared statement."""
        statement = self._prepare("insert into things values (?, ?, ?)")
        self._sqlite.bind_text(statement, 1, name, -1, TRANSIENT)
        self._sqlite.bind_blob(statement, 2, data, len(data), TRANSIENT)
        self._sqlite.bind_int64(statement, 3, number)
        assert self._sqlite.step(statement) == DONE, self._sqlite.errmsg(self.database)
        self._sqlite.finalize(statement)

    def load(self) -> list[tuple[str | None, bytes, int]]:
        """All rows."""
        statement = self._prepare("select * from things")
        rows = []
        while self._sqlite.step(statement) == ROW:
            size = self._sqlite.column_bytes(statement, 1)
            data = self._sqlite.column_blob(statement, 1)
            rows.append(
                (
                    self._sqlite.column_text(statement, 0),
                    bytes(data.array(size)) if data else b"",
                    self._sqlite.column_int64(statement, 2),
                )
            )
        self._sqlite.finalize(statement)
        return rows

    def _prepare(self, sql: str) -> Pointer[Statement]:
        with self._heap.alloc(Pointer[Statement]) as place:
            if self._sqlite.prepare_v2(self.database, sql, -1, place, None):
                raise ValueError(self._sqlite.errmsg(self.database))
            return place.value

    def close(self) -> None:
        """Close the database."""
        assert self._sqlite.close_v2(self.database) == 0
