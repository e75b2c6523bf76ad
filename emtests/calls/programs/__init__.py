"""Programs that use other people's libraries: the same text on every backend that has them."""
