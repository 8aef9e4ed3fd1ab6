"""`smokehouse audit --follow`: an audit that goes on beside the workers, and says how far behind it is.

Reads all topics; writes findings as they are found and, with JSON, a line per round on stdout; what passes by on
stderr. Guarantees: ends at once and with its report when it is told to (Ctrl-C, SIGTERM, `--for`); a broker that is
away is waited for, `AWAY_SECONDS` at most. Does not belong here: what is judged (`proof.audit`), where a round is cut
(`proof.audit.collect`).
"""

from __future__ import annotations

import gc
import os
import signal
import sys
import threading
import time
from pathlib import Path
from types import FrameType
from typing import Any

import msgspec
from rich.live import Live
from rich.text import Text

from proof.audit.collect import Lag, Watch
from proof.audit.core import Audit
from proof.audit.findings import Finding
from streams.commands.audit_showing import in_words
from streams.commands.output import fail, put_line, say, talk
from streams.commands.session import CANNOT_READ
from streams.reader import ReadError
from streams.settings import Settings

AWAY_SECONDS = 120.0
AGAIN_SECONDS = 1.0
EVERY_SECONDS_MIN = 0.1


class _Stopped(Exception):
    """The round was told to end."""


class Following:
    """One run. `run` blocks until it is stopped; it must be called on the main thread, where signals arrive."""

    def __init__(self, settings: Settings, group: str, *, allow_undecided: bool, every: float, json: bool) -> None:
        self._settings, self._group, self._every, self._json = settings, group, every, json
        self._audit = Audit(allow_undecided=allow_undecided, on_found=self._found)
        self._stop = threading.Event()
        self._new: list[Finding] = []
        self._rounds = 0
        self._until = float("inf")
        self._read = 0
        self._lag: dict[str, Lag] = {}
        self._line = Live(console=talk, auto_refresh=False, transient=True) if talk.is_terminal else None

    def run(self, seconds: float | None) -> dict[str, Any]:
        """The report as it stands at the end, `seconds` from now if they are given."""
        self._until = time.monotonic() + seconds if seconds is not None else self._until
        before = {number: signal.signal(number, self._told_to_stop) for number in (signal.SIGINT, signal.SIGTERM)}
        watch = Watch(self._settings, self._group)
        gc.disable()  # while it catches up: millions of small objects without cycles
        try:
            if self._line is not None:
                self._line.start()
            self._follow(watch)
        finally:
            if self._line is not None:
                self._line.stop()
            watch.close()
            for number, handler in before.items():
                signal.signal(number, handler)
        report = self._audit.report() | {"rounds": self._rounds, "lag": self._lag}
        if self._json:
            _put({"report": report, "rss_mb": rss_mb()})
        return report

    def _follow(self, watch: Watch) -> None:
        away_since: float | None = None
        told = ""
        while not self._is_over():
            began = time.monotonic()
            try:
                self._round(watch, began)
            except _Stopped:
                return
            except ReadError as error:
                watch.was_away()
                away_since = away_since or began
                if time.monotonic() - away_since > AWAY_SECONDS:
                    fail(f"{error}; waited {AWAY_SECONDS:.0f} s", CANNOT_READ)
                if str(error) != told:
                    told = str(error)
                    say(f"{error}; trying again, {AWAY_SECONDS:.0f} s at most")
                self._pause(AGAIN_SECONDS)
                continue
            if away_since is not None:
                say("the broker answers again")
            away_since, told = None, ""
            self._pause(self._every - (time.monotonic() - began))

    def _round(self, watch: Watch, began: float) -> None:
        self._new, self._read = [], 0
        cut = watch.cut()
        self._audit.round(watch.source(cut, self._came), cut)
        self._rounds += 1
        if self._rounds == 1:
            gc.freeze()  # what is kept of the past is large, and stays
            gc.enable()
        self._lag = watch.lag(self._audit.intakes)
        if self._json:
            findings = self._audit.findings
            _put({
                "round": self._rounds, "at": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()),
                "seconds": round(time.monotonic() - began, 3), "records": self._read,
                "items": sum(x.counts.items for x in self._audit.intakes), "lag": self._lag,
                "findings": len(findings.kept) + findings.more, "new": self._new, "rss_mb": rss_mb(),
            })  # fmt: skip
        self._show()

    def _came(self, records: int) -> None:
        self._read += records
        if self._is_over():
            raise _Stopped
        if not self._rounds:
            self._show()

    def _found(self, finding: Finding) -> None:
        self._new.append(finding)
        if not self._json:
            put_line(in_words(finding))
            sys.stdout.flush()

    def _show(self) -> None:
        """One line that follows the run; without a terminal nothing, findings are told anyway."""
        if self._line is None:
            return
        findings = self._audit.findings
        parts = [f"{sum(x.counts.items for x in self._audit.intakes):,} items checked",
                 f"{len(findings.kept) + findings.more} findings"]  # fmt: skip
        if not self._rounds:
            parts.append(f"catching up: {self._read:,} records read")
        for log, lag in self._lag.items():
            parts.append(f"{log}: {lag.not_audited:,} behind ({lag.not_audited_seconds:.1f} s), "
                         f"{lag.not_handled:,} with workers ({lag.not_handled_seconds:.1f} s)")  # fmt: skip
        self._line.update(Text(" | ".join(parts), no_wrap=True, overflow="ellipsis"), refresh=True)

    def _is_over(self) -> bool:
        return self._stop.is_set() or time.monotonic() >= self._until

    def _pause(self, seconds: float) -> None:
        if seconds > 0:
            self._stop.wait(min(seconds, max(0.0, self._until - time.monotonic())))

    def _told_to_stop(self, number: int, frame: FrameType | None) -> None:
        self._stop.set()


def _put(line: Any) -> None:
    sys.stdout.write(msgspec.json.encode(line).decode() + "\n")
    sys.stdout.flush()


def rss_mb() -> int:
    """Memory this process holds now; 0 where nobody tells."""
    try:
        pages = int(Path("/proc/self/statm").read_text().split()[1])
    except (OSError, ValueError, IndexError):
        return 0
    return pages * os.sysconf("SC_PAGE_SIZE") >> 20
