"""Who owns which bytes of a heap.

Interrupts and threads
======================

A KeyboardInterrupt, or any exception that a signal handler raises, may come after any call. CPython
looks for signals, and lets another thread run, when a function is called or has returned and at the
end of each round of a loop; between two such points a run of plain statements is one step. This is
what is promised at every moment:

- Each address has one owner at most: a live block, or the allocator.
- Tables, sums and quotas agree with each other, and no lock stays taken.
- Every live block reads and writes as before, and the heap works on.

What may be lost is the block in hand, the one that was being allocated, freed, resized or handed
over, as an open file may be between ``open`` and the name it gets. That is a leak and no damage.
An arena that is kept from its end is not lost: it ends with the arena around it, or with the heap.
When the collector finds it before, its chunks go back but for those with live blocks.

How
---

**Order.** What can fail comes first: values are converted, extents checked. Then the block is
taken, and entering it into its table is the last step. Freeing goes the other way: out of the
table, then the end of all references, then back to the allocator. A block is in no table while it
is neither the program's nor the allocator's.

**Steps that call nothing.** ``if blocks[address] is block: del blocks[address]`` is one step under
the interpreter's lock; ``blocks.pop(address)`` is not, for an interrupt after it loses what it
returned, and so does ``x.append(d.pop())``. Without that lock the table has one of its own.

**State is derived.** The bytes that are live are added up from the tables. Where that is too slow
(a quota), the sum is set to None while it changes and added up again by the next call that finds it
so. The gaps of a free list are an index of the blocks in use: a flag is raised while it changes,
and a call that finds the flag up builds it again. Which views are in use, weak references and
exports tell.

**Locks only by with.** The interpreter looks for no signal between taking the lock and the block of
the statement; from CPython 3.14 on it does, and `_util.locks` has a lock that prevents it. No loop
stands in that block but in a function that it calls: an exception at the jump back of a loop whose
condition comes last passes by the exit of the statement on CPython 3.13. `_util.locks` replaces
each lock in a forked child, too.

**Failures lose nothing.** No memory, a value that does not fit, a user's function that raises:
these are no interrupts. What was taken is given back. An allocator names the errors by which its
`free` says that it did not free (`Allocator.refusals`); after any other exception nobody knows, so
the block is never used again.

What does not work
------------------

*Undoing at every line.* A handler around each line, which gives back what an interrupt finds in
hand, was tried. It cannot know whether the call before it was made: real signals lost one block in
590, handlers were interrupted themselves, and every line was hard to read.

*Passing addresses in a list,* so that taking one off and freeing it is one line: the interpreter
looks for signals between the two calls of that line.

*Blocking signals.* ``signal.pthread_sigmask`` in every allocation costs more than the allocation,
works in the main thread only, and not on Windows nor in Pyodide.

*Telling an interrupt from an error of the user's free function* by its type: a signal handler may
raise any. Heaps whose allocator is a user's function take an Exception to mean that the block was
not freed, and everything else to mean that it may have been.
"""
