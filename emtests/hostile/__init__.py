"""Everything that can be called, with everything that should not be passed to it."""
