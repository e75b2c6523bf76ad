"""The runtimes that `python -m emtests` knows, one module for each kind.

This package runs before anything is installed: only the standard library is imported here.
"""
