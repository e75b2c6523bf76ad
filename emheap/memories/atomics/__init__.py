"""Indivisible, sequentially consistent reads and writes."""
