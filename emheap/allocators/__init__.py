"""The allocators, one in each module. All implement the interface in `base`."""
