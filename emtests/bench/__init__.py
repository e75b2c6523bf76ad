"""`python -m emtests.bench`: how fast emheap is, each figure beside a named peer's.

A row is some work and two ways to do it: emheap's, and the one that a user would have without
emheap. Both are timed in the same process, in turns, in loops that differ in one statement. What
counts is the ratio, for it hardly depends on the machine: the median of many rounds, each the
fastest of a few batches of one way against the fastest of the other. Whether both really did the
work is checked outside the timed loops. Garbage collection stays on, as in a user's program.

    --runtime native,pyodide   where to measure (all that can run here)
    --python 3.13              which CPython natively; one before 3.13 may take 1.5 times as long
    --rows PATTERN             only rows whose work or peer matches
    --seconds 0.5              how long to measure a row
    --json FILE                the figures, for programs
"""
