"""Heaps that JavaScript holds, tested from Pyodide."""
