"""The heap manager and its verbs."""
