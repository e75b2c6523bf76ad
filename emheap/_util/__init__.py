"""Helpers of the library that know nothing of heaps."""
