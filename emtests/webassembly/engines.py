"""Engines of wasmtime's, with settings that older releases of wasmtime-py have no property for."""

from __future__ import annotations

from typing import Any

import wasmtime
from wasmtime import _bindings

__all__ = ["has_setting", "make_engine"]

_ALWAYS_ON = "shared_memory"
"""Where there is no setting for it."""


def has_setting(name: str) -> bool:
    """Whether this release of wasmtime can be told so."""
    return hasattr(wasmtime.Config, name) or hasattr(_bindings, f"wasmtime_config_{name}_set")


def make_engine(**settings: Any) -> wasmtime.Engine:
    """An engine that has everything on that the tests need, and these settings."""
    configuration = wasmtime.Config()
    usual = {"wasm_memory64": True, "wasm_threads": True, _ALWAYS_ON: True}
    for name, value in {**usual, **settings}.items():
        if hasattr(wasmtime.Config, name):
            setattr(configuration, name, value)
        elif name != _ALWAYS_ON or has_setting(name):
            getattr(_bindings, f"wasmtime_config_{name}_set")(configuration.ptr(), value)
    return wasmtime.Engine(configuration)
