"""Garbage of a process that keeps millions of rows: only what is new is ever looked at, a little at a time.

Rows and records hold no cycles, so what is kept need not be searched for them again and again. What is new is searched
as soon as there are `NEW_MAX` objects of it: that takes some 3 ms and holds up everything else, and a million of them
would take half a second. The price: a cycle that is in use at that moment is kept for good; such are few (an exception
that was caught, a task). Does not belong here: what keeps rows, and how many.
"""

from __future__ import annotations

import gc

NEW_MAX = 10_000
_NEVER = 2**31 - 1


def look_at_the_new_alone() -> None:
    """For this process, from now on."""
    gc.set_threshold(NEW_MAX, _NEVER, _NEVER)
