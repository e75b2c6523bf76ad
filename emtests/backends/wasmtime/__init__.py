"""Tests of wasmtime's memories that have no likeness in a browser."""
