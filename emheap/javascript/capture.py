"""The memory of an Emscripten module that exports none of it."""

from __future__ import annotations

from typing import Any

from emheap._util.platform import IN_PYODIDE
from emheap.errors import NotSupportedError

__all__ = ["CapturedMemory", "capture_memory"]


class CapturedMemory:
    """The WebAssembly.Memory of a module that is being made, once it is there.

    `options` is the JavaScript object that the module's factory takes.
    """

    def __init__(self, options: Any) -> None:
        self.options = options
        self._instance: Any = None
        self._memory: Any = None

    @property
    def instance(self) -> Any:
        """The WebAssembly.Instance. Raises NotSupportedError while there is none."""
        self._check_made()
        return self._instance

    @property
    def memory(self) -> Any:
        """The WebAssembly.Memory. Raises NotSupportedError while there is none."""
        self._check_made()
        return self._memory

    def _check_made(self) -> None:
        if self._instance is None:
            raise NotSupportedError(
                "no module was made with these options: pass them to the module's factory, as in "
                "await factory(capture.options), before asking for its memory"
            )

    def __repr__(self) -> str:
        state = "nothing yet" if self._instance is None else "a memory"
        return f"<CapturedMemory holding {state}>"


def capture_memory(binary: Any, options: Any = None) -> CapturedMemory:
    """Catch the memory of an Emscripten module while its factory makes it.

    Newer Emscripten exports neither the memory nor a view of it unless asked to. But a factory
    lets its caller instantiate the WebAssembly, by the option ``instantiateWasm``, and so sees
    it. `binary` is the contents of the ``.wasm`` file, as bytes, an ArrayBuffer or a typed array,
    or a ``WebAssembly.Module`` made of it; `options` are the other options of the factory, a dict
    or a JavaScript object, which is not changed. One capture serves one module::

        capture = emheap.capture_memory(wasm_bytes)
        module = await factory(capture.options)
        heap = emheap.wrap_emscripten_module_heap(module, memory=capture)

    All of it is made at once, which Chromium refuses above 8 MiB on a page's main thread, though
    not in a worker. Raises NotSupportedError outside Pyodide.
    """
    if not IN_PYODIDE:
        raise NotSupportedError(
            "capture_memory() is for modules of Emscripten, which need JavaScript: use it in "
            "Pyodide; a plain WebAssembly module opens natively by wrap_wasm_instance()"
        )
    import js
    from pyodide.ffi import create_once_callable

    from emheap.javascript.address_space import with_room
    from emheap.javascript.exports import memory_in

    module = _compile(binary)

    def instantiate(imports: Any, receive: Any) -> Any:
        instance = with_room(lambda: js.WebAssembly.Instance.new(module, imports))
        found = memory_in(instance.exports)
        for name in () if found is not None else js.Object.keys(imports):
            found = found if found is not None else memory_in(getattr(imports, name))
        capture._instance, capture._memory = instance, found
        receive(instance, module)
        return instance.exports

    made = _copy(options)
    made.instantiateWasm = create_once_callable(instantiate)
    capture = CapturedMemory(made)
    return capture


def _compile(binary: Any) -> Any:
    """The WebAssembly.Module that `binary` is, or holds the bytes of."""
    import js
    from pyodide.ffi import JsException, JsProxy

    from emheap.javascript.bridge import tag_of, unreadable

    if tag_of(binary, "the binary") == "WebAssembly.Module":
        return binary
    code = binary if isinstance(binary, JsProxy) else _to_array(binary)
    try:
        return js.WebAssembly.Module.new(code)
    except JsException as error:
        if error.name != "TypeError":  # it says where the bytes are wrong
            raise
        raise unreadable("the binary", error) from error


def _copy(options: Any) -> Any:
    """A JavaScript object with the members of `options`."""
    import js
    from pyodide.ffi import JsException, JsProxy, to_js

    from emheap.javascript.bridge import unreadable

    if not isinstance(options, JsProxy):
        options = to_js(options or {}, dict_converter=js.Object.fromEntries)
    try:
        return js.Object.assign(js.Object.new(), options)
    except JsException as error:
        raise unreadable(f"{_unreadable_member(options)} of the options", error) from error


def _unreadable_member(options: Any) -> str:
    """What of an object cannot be read, in words: that of which asking again throws again."""
    import js
    from pyodide.ffi import JsException

    name = ""
    try:
        for name in js.Object.keys(options):
            js.Reflect.get(options, name)
    except JsException:
        pass
    return f"the member {name!r}" if name else "the list"


def _to_array(binary: Any) -> Any:
    import js

    from emheap.javascript.bridge import copy_in

    data = memoryview(binary).cast("B")
    array = js.Uint8Array.new(len(data))
    copy_in(array, data)
    return array
