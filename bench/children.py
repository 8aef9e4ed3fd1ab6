"""Processes of the bench: each dies with it, and is gone when its `with` ends.

Guarantees: every wait has a bound; what a child says on standard error stays in its log. Does not belong here: brokers
(`streams.brokers`), what the children do.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import IO, Any, Self

import msgspec

from streams.forking import dies_with_parent, signals_wait

STOP_SECONDS = 10.0
LOG_LINES_SHOWN = 15
POLL_SECONDS = 0.05


class BenchError(RuntimeError):
    """A round could not be measured. The message says what happened, with the last lines of the log."""


class TooLate(BenchError):
    """Something is not done within the time it was given."""


def end(process: subprocess.Popen[Any], seconds: float = STOP_SECONDS, how: signal.Signals = signal.SIGTERM) -> None:
    """Until it is gone: by `how`, and after `seconds` by SIGKILL. One that has ended is left alone."""
    if process.poll() is None:
        process.send_signal(how)
        try:
            process.wait(seconds)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait(STOP_SECONDS)


class Child:
    """`command` beside us, its output in `log`. Ends on `end_signal`; runs as `user`, if one is named."""

    def __init__(
        self,
        command: Sequence[str | Path],
        log: Path,
        env: Mapping[str, str] | None = None,
        *,
        talks: bool = False,
        user: str | None = None,
        end_signal: signal.Signals = signal.SIGTERM,
    ) -> None:
        self.log = log
        self._command = [str(part) for part in command]
        self._end_signal = end_signal
        self.stop_seconds = STOP_SECONDS
        log.parent.mkdir(parents=True, exist_ok=True)
        with log.open("ab") as out, signals_wait():
            self.process = subprocess.Popen(
                self._command,
                stdin=subprocess.PIPE if talks else subprocess.DEVNULL, stdout=subprocess.PIPE if talks else out,
                stderr=out, env=os.environ | dict(env or {}), start_new_session=True, preexec_fn=dies_with_parent(),
                user=user, group=user, extra_groups=None if user is None else [],
                cwd=None if user is None else "/",
            )  # fmt: skip

    @property
    def pid(self) -> int:
        return self.process.pid

    def expect_alive(self) -> None:
        if self.process.poll() is not None:
            tail = "\n".join(self.log.read_text(errors="replace").splitlines()[-LOG_LINES_SHOWN:])
            raise BenchError(f"{' '.join(self._command)} ended with {self.process.returncode}:\n{tail}")

    def wait_until(self, ready: Callable[[], bool], seconds: float) -> None:
        """`BenchError` if it ends, or is not `ready` in time."""
        until = time.monotonic() + seconds
        while not ready():
            self.expect_alive()
            if time.monotonic() > until:
                raise TooLate(f"{' '.join(self._command)} is not ready after {seconds:.0f} s (its log: {self.log})")
            time.sleep(POLL_SECONDS)

    def ask(self, question: Any) -> Any:
        """One JSON line to a child that talks, one back."""
        self.tell(question)
        return self.answer()

    def tell(self, question: Any) -> None:
        try:
            _pipe(self.process.stdin).write(msgspec.json.encode(question) + b"\n")
            _pipe(self.process.stdin).flush()
        except BrokenPipeError:
            self.process.wait(STOP_SECONDS)
            self.expect_alive()

    def answer(self) -> Any:
        line = _pipe(self.process.stdout).readline()
        if not line:
            self.process.wait(STOP_SECONDS)
            self.expect_alive()
        return msgspec.json.decode(line)

    def stop(self) -> None:
        end(self.process, self.stop_seconds, self._end_signal)
        for pipe in (self.process.stdin, self.process.stdout):
            if pipe is not None:
                pipe.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()


class PythonChild(Child):
    """`python ARGUMENTS` beside us: this Python, or another one."""

    def __init__(
        self,
        arguments: Sequence[str],
        log: Path,
        env: Mapping[str, str] | None = None,
        *,
        talks: bool = False,
        python: str | Path = sys.executable,
    ) -> None:
        super().__init__([python, *arguments], log, env, talks=talks)


def _pipe(pipe: IO[bytes] | None) -> IO[bytes]:
    assert pipe is not None, "this child does not talk"
    return pipe
