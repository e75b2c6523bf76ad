"""What mypy --strict and pyright say of a program that uses emheap.

`python -m emtests` runs both over these files: a right use that they refuse, and a wrong one that
they let pass, is an error there. The right uses are run as well.
"""
