"""Structures: their layout is the compilers', and what programs do with them."""
