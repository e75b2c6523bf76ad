"""Tests of heaps in WebAssembly modules: the same ones in wasmtime and in JavaScript."""
