"""Tests beyond 4 GiB in the process's own memory."""
