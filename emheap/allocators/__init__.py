"""The allocators: who hands out blocks. Each module is one; all keep the contract of `base`."""
