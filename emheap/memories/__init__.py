"""The memories: where bytes live. Each module is one kind; all keep the contract of `base`."""
