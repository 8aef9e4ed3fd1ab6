"""Short turns on a processor for a process that others wait for: it is served sooner, and gets no more than before.

Where there is more to do than processors, a thread that wakes waits for the turn of another to end. Linux (6.12 and
newer) lets a thread whose turns are shorter go first; an older kernel takes the wish and does nothing with it. Needs no
rights and changes no share. Threads started later inherit it. Does not belong here: priorities, limits, pinning.
"""

from __future__ import annotations

import ctypes
import os
import platform
import struct
import sys

TURN_SECONDS = 0.0002  # the kernel's own: 0.0007 or more, by the number of processors; it takes 0.0001 to 0.1
_SET_ATTRIBUTES = {"x86_64": 314, "aarch64": 274, "riscv64": 274}  # sched_setattr(2), <asm/unistd.h>
_ATTRIBUTES = struct.Struct("=IIQiIQQQ")  # struct sched_attr, its first version


def take_short_turns() -> bool:
    """Ask for them, for the calling thread and those it starts. False where nothing was asked, or it was refused."""
    number = _SET_ATTRIBUTES.get(platform.machine()) if sys.platform == "linux" else None
    if number is None or os.sched_getscheduler(0) != os.SCHED_OTHER:  # somebody chose: it stays as it is
        return False
    nice = os.getpriority(os.PRIO_PROCESS, 0)  # to be told again: what is left out would be set to 0
    turn_ns = int(TURN_SECONDS * 1e9)
    attributes = ctypes.create_string_buffer(
        _ATTRIBUTES.pack(_ATTRIBUTES.size, os.SCHED_OTHER, 0, nice, 0, turn_ns, 0, 0), _ATTRIBUTES.size
    )
    return ctypes.CDLL(None).syscall(number, 0, attributes, 0) == 0
