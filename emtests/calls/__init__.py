"""Tests of calls of C functions: one library, compiled natively and to WebAssembly."""
