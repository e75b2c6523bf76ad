"""What tells about a heap: arenas, statistics, leak reports, debug heaps, and the drills."""
