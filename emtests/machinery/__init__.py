"""Tests of what runs the tests. They need child processes, so Pyodide cannot run them."""
