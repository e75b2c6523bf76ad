"""Modules written as text, and programs that must not crash."""

from __future__ import annotations

from typing import Any, NamedTuple

import wasmtime

from emtests.webassembly.engines import make_engine


class Running(NamedTuple):
    """An instance in its store."""

    store: wasmtime.Store
    instance: wasmtime.Instance
    exports: Any


def make_store(**settings: Any) -> wasmtime.Store:
    """A store whose engine has everything on that the tests need, and these settings."""
    return wasmtime.Store(make_engine(**settings))


def run_module(text: str, *imports: Any, store: wasmtime.Store | None = None) -> Running:
    """Instantiate a module in the text format."""
    store = store or make_store()
    module = wasmtime.Module(store.engine, bytes(wasmtime.wat2wasm(text)))
    instance = wasmtime.Instance(store, module, imports)
    return Running(store, instance, instance.exports(store))
