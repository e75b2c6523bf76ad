"""What the library promises, one subject a file."""
