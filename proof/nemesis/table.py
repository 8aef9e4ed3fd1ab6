"""The faults that the protocol names, F1 to F22, no F20: how each is injected, by which runs and tests, what is
not covered.

Data alone. `kinds` are those a run counts; `simulated` those of the simulator; `tests` stand in `tests/` (a test looks
for each of them).
"""

from __future__ import annotations

from typing import NamedTuple


class Fault(NamedTuple):
    name: str
    what: str
    how: str
    kinds: tuple[str, ...] = ()
    tests: tuple[str, ...] = ()
    simulated: tuple[str, ...] = ()
    exits: tuple[str, ...] = ()  # if given, counted are the workers that ended so, instead of the faults
    missing: str = ""


STORES = ("store_flip", "store_truncate", "store_no_current", "store_foreign", "store_deleted")

FAULTS = (
    Fault(
        "F1", "kill -9 at a named point", "the worker kills itself at the n-th passing of the point, or is killed",
        ("kill", "kill_at_point"), ("faults/test_faultpoints.py", "streams/test_transport.py"), ("crash", "all_crash"),
    ),
    Fault(
        "F2", "suspended past its session, then awake", "SIGSTOP, SIGCONT after the session has ended; where a "
        "checkpoint's rows or answers are unsent, or anywhere", ("pause", "pause_at_point"),
        ("faults/test_workers.py", "streams/test_transport.py"), ("zombie",),
    ),
    Fault(
        "F3", "two owners for a while", "everything to the broker stalled for 26 s, heartbeats too: others take over "
        "from a worker that lives", ("stall_long",), (), ("zombie",), (),
        "for half a minute, not for minutes: then the worker ends itself; the simulator's zombies live longer",
    ),
    Fault(
        "F4", "a storm of rebalances", "workers join and leave again and again, cleanly and killed; on Apache "
        "Kafka up to 60 times, one every 2 s", (),
        ("faults/test_workers.py", "faults/test_storm.py", "faults/test_static_members.py"), ("hand_over",),
    ),
    Fault(
        "F5", "the broker dies, stands still, or comes back without its log",
        "kill -9, stop and start on its data, SIGSTOP for 8 s; logs deleted while rows are kept; of three brokers two "
        "killed in turn",
        ("broker_kill", "broker_restart", "broker_pause"),
        ("faults/test_lost_log.py", "faults/test_cluster.py", "streams/test_owner.py"), (), (),
        "a machine without power: one node, page cache",
    ),
    Fault(
        "F6", "an acknowledgement is lost", "the proxy drops a response of the broker, and its connection",
        ("drop_response",),
    ),
    Fault(
        "F7", "a send that fails for good", "behind a stall of 26 s; counted: workers that ended themselves for it", (),
        ("streams/test_outbox.py",), (), ("71", "72", "73"),
    ),
    Fault("F8", "a slow broker", "the proxy adds 0.2 to 2 s to every piece, or lets 20 to 200 kB a second pass",
          ("latency", "throttle"), ("faults/test_far_broker.py",)),
    Fault("F9", "a one-way cut", "the proxy stalls one direction and closes nothing; or cuts after N bytes",
          ("stall_up", "stall_down", "stall_long", "cut"), ("faults/test_proxy.py",)),
    Fault(
        "F10", "compaction between a zombie's write and recovery", "in memory, at every place a seed chooses; on "
        "Apache Kafka rows that a worker asleep past its session writes late, its cleaner hurried past them", (),
        ("streams/test_recovery.py", "streams/test_reader.py", "faults/test_compaction.py"),
        ("compact", "view_compact"), (), "with a real broker one place of it, by night",
    ),
    Fault(
        "F11", "damaged, foreign or deleted local stores", "flipped bytes, halved files, no CURRENT, another "
        "partition's files, no folder; after a clean end, which alone lets a store be used again", STORES,
        ("streams/test_recovery.py",),
    ),
    Fault("F12", "disk full", "a file system of 64 KiB or 2 MiB under the stores", ("disk_full (tmpfs)",
          "disk_full (file size limit)"), ("faults/test_disk_full.py",)),
    Fault(
        "F13", "I/O errors, slow fsync", "a library before the worker: EIO of write, read, fsync for files of its "
        "stores alone; fsync 0.2 and 1 s slower", (), ("faults/test_bad_disk.py",), (), (),
        "errors while a store that outgrew memory (32 MiB) is written out",
    ),
    Fault(
        "F14", "wrong clocks", "ticks that are 400 days ahead, an hour or 400 days behind; the clock of a worker's "
        "machine so, stepping, two workers 400 days apart (a library before the worker)", ("clock",),
        ("tables/test_log.py", "faults/test_clocks.py"), ("clock_jump", "broker_clock"), (),
        "the broker's own clock; the embedded broker has none: there a wrong clock moves time on by a minute a tick",
    ),
    Fault("F15", "duplicates, the past replayed", "recent records again, one of them up to 1,000 times; how the log "
          "began, again", ("duplicates", "replay"), ("faults/test_garbage.py",), ("duplicate", "replay")),
    Fault("F16", "garbage", "bytes, cut JSON, unknown types, nested packs on both logs", ("garbage",),
          ("faults/test_garbage.py", "faults/test_bad_records.py", "faults/test_fuzzed_bytes.py"), ("garbage",)),
    Fault("F17", "an exception inside a step", "a worker with a defect", (), ("faults/test_halt.py",
          "streams/test_partition.py")),
    Fault("F18", "schema drift", "unknown types, missing and wrong fields; every later release replays golden logs", (),
          ("tables/test_codec.py", "faults/test_garbage.py", "tables/test_golden.py")),
    Fault("F19", "old and new rules at once", "a log that asks for rules newer than the worker's", (),
          ("faults/test_halt.py", "tables/test_log.py"), missing="two releases side by side: there is one release"),
    Fault("F21", "limits of memory and descriptors", "RLIMIT_NOFILE of 48 to 160; RLIMIT_AS from the start, or taken "
          "away from a worker at work; a step that gets no memory: it ends the worker (a halt would outlast the want)",
          (), ("faults/test_limits.py", "faults/test_halt.py", "streams/test_partition.py"), (), (),
          "a limit of a group of processes (cgroup): it ends a worker as kill -9 does"),
    Fault("F22", "all of it at random, by seed", "the runs above"),
)  # fmt: skip
