"""Calling the functions of C libraries: what they take and give; a linker for each backend."""
