"""Asks the workers about lots and recalls, and says which partitions nobody answered for.

Reads: where they are (`addresses`), `/lots/LOT`, `/recalls` and `/status` of each worker. Writes: nothing.
Guarantees: of a partition that two workers answer for, the one that is further counts; an answer that broke off is no
answer; who does not answer in time is missing, with a reason. Does not belong here: what the answers come to
(`tables.lot_account`), what a worker reads (`streams.lot_rows`).
"""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from types import TracebackType
from typing import Any, Generic, TypeVar
from urllib.parse import quote

import httpx2
import msgspec

from streams.addresses import WorkerAddress, worker_addresses
from streams.settings import Settings
from streams.topics import WAREHOUSE
from tables.lot_account import account, told
from tables.lot_sections import LotAccount, LotPartition, Recall
from tables.rows import RecallRow

REACH_SECONDS = 1.0  # to be there at all
ANSWER_SECONDS = 60.0  # between two pieces of an answer: a worker that is busy answers slice by slice
NOBODY = "no worker answers (see: smokehouse status; smokehouse worker starts one)"


class RecallPartition(msgspec.Struct, kw_only=True):
    """The recalls one partition knows of."""

    partition: int
    partitions: int
    recalls: list[RecallRow]


_Part = TypeVar("_Part", LotPartition, RecallPartition)


class Answers(msgspec.Struct, Generic[_Part]):
    """What was answered, by partition; and why nothing was, of the others."""

    found: list[_Part]
    missing: dict[int, str]

    @property
    def trouble(self) -> str:
        """One sentence that names the partitions without an answer; "" if there are none."""
        return f"no answer of {named(self.missing)}" if self.missing else ""


def named(whys: dict[int, str]) -> str:
    """Partitions with their reasons, those with the same reason together."""
    numbers: dict[str, list[str]] = {}
    for number, why in sorted(whys.items()):
        numbers.setdefault(why, []).append(f"{WAREHOUSE.name}[{number}]")
    return "; ".join(f"{', '.join(of)}: {why}" for why, of in numbers.items())


class Workers:
    """The workers that the settings lead to. `partitions`: how many the log has, 0 if nobody knows yet.

    `answer_seconds`: how long one may be silent within an answer; who has to be done by a time gives less of it.
    """

    def __init__(self, settings: Settings, partitions: int = 0, answer_seconds: float = ANSWER_SECONDS) -> None:
        self._settings = settings
        self._partitions = partitions
        timeout = httpx2.Timeout(answer_seconds, connect=REACH_SECONDS)
        self._http = httpx2.Client(timeout=timeout, trust_env=False)
        self._threads = ThreadPoolExecutor(8, thread_name_prefix="workers")

    def __enter__(self) -> Workers:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._threads.shutdown()
        self._http.close()

    def lot(self, lot: str, *, traces: bool = True) -> Answers[LotPartition]:
        """What every partition knows of a lot, its movements included unless `traces` is False."""
        path = f"/lots/{quote(lot, safe='')}" + ("" if traces else "?traces=0")
        return self._ask(path, LotPartition)

    def recalls(self) -> Answers[RecallPartition]:
        """The recalls that every partition knows of."""
        return self._ask("/recalls", RecallPartition)

    def account(self, lot: str, skus: Sequence[str] = ()) -> tuple[LotAccount, Answers[LotPartition]]:
        """The account of a lot, and who answered for it: its `missing` are those of the kit lots too."""
        first = self.lot(lot)
        asked = {lot: first.found}

        def ask(code: str) -> list[LotPartition]:
            if code not in asked:
                answers = self.lot(code)
                first.missing.update(answers.missing)
                asked[code] = answers.found
            return asked[code]

        said = account(lot, ask, skus=skus)
        return msgspec.structs.replace(said, missing=tuple(sorted(first.missing))), first

    def _ask(self, path: str, kind: type[_Part]) -> Answers[_Part]:
        best: dict[int, tuple[tuple[int, int], _Part]] = {}
        for parts in self._threads.map(lambda a: self._parts(a, path, kind), worker_addresses(self._settings)):
            for part in parts:
                self._partitions = max(self._partitions, part.partitions)
                # Only a partition that was just lost has two answers; of recalls either will do.
                rank = (part.log_id, part.offset) if isinstance(part, LotPartition) else (0, 0)
                if part.partition not in best or best[part.partition][0] < rank:
                    best[part.partition] = (rank, part)
        missing = [n for n in range(self._partitions) if n not in best]
        return Answers([part for _, (_, part) in sorted(best.items(), key=lambda x: x[0])], self._whys(missing))

    def _parts(self, address: WorkerAddress, path: str, kind: type[_Part]) -> list[_Part]:
        try:
            answer = self._http.get(address.url.rstrip("/") + path)
            if answer.status_code != 200:
                return []
            parts: list[_Part] = msgspec.json.decode(answer.content, type=list[kind])  # type: ignore[valid-type]
        except (httpx2.HTTPError, httpx2.InvalidURL, msgspec.MsgspecError):
            return []
        return [part for part in parts if not isinstance(part, LotPartition) or part.whole]

    def _whys(self, missing: list[int]) -> dict[int, str]:
        if not missing:
            return {}
        whys = dict.fromkeys(missing, NOBODY)
        addresses = worker_addresses(self._settings)
        silent: list[str] = []
        # All at once: whoever waits for them has a limit, and each that stands still takes its time.
        for address, entries in zip(addresses, self._threads.map(self._status, addresses), strict=True):
            if entries is None:
                silent.append(address.name)
            for entry in entries or ():
                number = entry.get("partition")
                if entry.get("topic") != WAREHOUSE.name or number not in whys:
                    continue
                if entry.get("state") == "halted":
                    whys[number] = f"it is halted: {entry.get('reason')}. {entry.get('remedy')}"
                elif entry.get("state") == "recovering":
                    whys[number] = "it is recovering: ask again when smokehouse status says ready"
                elif whys[number] == NOBODY:
                    whys[number] = "its worker reads on to where it was: ask again"
        if silent:
            whys |= {number: _silence(silent) for number, why in whys.items() if why == NOBODY}
        return whys

    def _status(self, address: WorkerAddress) -> list[dict[str, Any]] | None:
        """Its partitions; none if nobody is there; None if somebody is, or ought to be, and does not answer."""
        try:
            return list(self._http.get(address.url.rstrip("/") + "/status", timeout=REACH_SECONDS).json()["partitions"])
        except httpx2.TimeoutException:
            return None
        except (httpx2.HTTPError, httpx2.InvalidURL, ValueError, KeyError, TypeError):
            return [] if address.pid else None  # a process that ends, or an address that was given to us


def _silence(names: list[str]) -> str:
    """Of a partition that may be theirs: a worker that stands still cannot say which it has."""
    return f"a worker does not answer: {', '.join(sorted(names))} (see: smokehouse status)"


def all_recalls(answers: Answers[RecallPartition]) -> list[Recall]:
    """The last recall of every lot, the newest first, with the partitions that have it as it stands."""
    newest: dict[str, RecallRow] = {}
    for part in answers.found:
        for row in part.recalls:
            there = newest.get(row.lot)
            if there is None or _age(there) < _age(row):
                newest[row.lot] = row
    have: dict[str, list[int]] = {lot: [] for lot in newest}
    for part in answers.found:
        for row in part.recalls:
            if (row.id, row.state) == (newest[row.lot].id, newest[row.lot].state):
                have[row.lot].append(part.partition)
    found = [told(row, have[lot]) for lot, row in newest.items()]
    return sorted(found, key=lambda recall: (recall.opened_at, recall.lot), reverse=True)


def _age(row: RecallRow) -> tuple[int, int, str]:
    return row.opened_ms, row.closed_ms, row.id
