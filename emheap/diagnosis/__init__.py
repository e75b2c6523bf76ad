"""What a heap reports about itself: maps, dumps, reports, debug heaps."""
