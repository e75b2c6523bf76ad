"""What only a JavaScript host has: bridges to its objects and to its modules."""
