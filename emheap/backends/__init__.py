"""Opening heaps: one file for each kind of place where a heap can lie."""
