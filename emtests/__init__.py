"""The tests of emheap, and the program `python -m emtests` that runs them in every runtime."""
