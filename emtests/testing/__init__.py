"""The conformance kit: on every memory and allocator, and on broken ones."""
