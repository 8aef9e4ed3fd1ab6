"""A run: real workers, a real broker, mixed traffic, and everything that a seed's plan does to them; then it judges.

`python -m proof.nemesis.run --seed 1 --size kafka --home DIR --json FILE`. Reads and writes the home folder and the
broker it starts. Guarantees: every fault that is told was done (what could not be done is told as such); after the last
one the run ends green only if all is decided and handled within a bound, `status` is ready and the audit finds nothing.
Does not belong here: what is done (`plan`), figures (`figures`), the page (`report`).
"""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import random
import signal
import subprocess
import sys
import tempfile
import threading
import time
import traceback
from collections import Counter
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import msgspec

from proof.nemesis import proxy as network
from proof.nemesis import stores
from proof.nemesis.broker import Broker
from proof.nemesis.figures import silences, summaries
from proof.nemesis.noise import Noise
from proof.nemesis.plan import NETWORK, SIZES, Size, Step, plan
from proof.nemesis.tally import Tally
from proof.nemesis.workers import ROOT, Worker
from streams import logs
from streams.brokers.process import BrokerKind
from streams.ends import ReadError, bounds
from streams.reader import read_to_end
from streams.settings import Settings
from tables import records as r

SESSION_SECONDS = 6.0
POINT_SECONDS = 8.0  # a named point that was not reached by then: killed wherever it is
WAKE_SECONDS = 15.0
BACK_SECONDS = 60.0
DAMAGE_TRIES = 3  # a worker that had not opened anything yet leaves no store behind
CONVERGE_SECONDS = 180.0  # from the last fault, beside what the traffic itself takes to end
TRAFFIC_SECONDS = 240.0  # people who pay, pick and ship to their end
AUDIT_SECONDS = 240.0
PARTITIONS = 4


class NotConverged(Exception):
    """The bound has passed. The message says what was missing."""


class Run:
    def __init__(self, seed: int, size: Size, kind: BrokerKind, home: Path) -> None:
        self.seed, self.size, self.kind, self.home = seed, size, kind, home
        self.tally = Tally()
        self._stop = threading.Event()
        self._gently = threading.Lock()
        names = [f"n{number}" for number in range(size.workers)]
        self.broker = Broker(kind, home, names)
        self.settings = Settings(
            home=home, bootstrap=self.broker.address, api="127.0.0.1:1", demo=False, embedded=kind == "embedded",
            session_seconds=SESSION_SECONDS,
        )  # fmt: skip
        self.workers = {name: Worker(name, home, self._env(name)) for name in names}

    def go(self) -> dict[str, Any]:
        """The whole run; the account of it."""
        began = time.monotonic()
        steps = plan(self.seed, self.size, SESSION_SECONDS)
        traffic = None
        threads: list[threading.Thread] = []
        try:
            logs.apply(self.settings, PARTITIONS)
            for worker in self.workers.values():
                worker.start()
            self._wait(lambda: self._status()["ready"], 60.0, "ready before the first fault")
            traffic = self._traffic()
            for worker, lane in zip(self.workers.values(), steps.workers, strict=True):
                threads.append(threading.Thread(target=self._guarded, args=(self._lane, worker, lane)))
            threads.append(threading.Thread(target=self._guarded, args=(self._noise, steps.logs)))
            for thread in threads:
                thread.start()
            for step in steps.broker:  # in this thread: a broker ends with the thread that started it
                time.sleep(step.wait)
                with self.tally.outage(step.kind):
                    self.broker.fail(step.kind, step.amount)
                self._count(step.kind)
            for thread in threads[-1:] + threads[:-1]:
                while thread.is_alive():
                    thread.join(1.0)
            said_seconds = time.monotonic() - began
            calm = time.monotonic()
            told = self._judge(traffic, calm)
        finally:
            self._stop.set()
            if traffic is not None and traffic.poll() is None:
                traffic.kill()
                traffic.wait(5)
            for thread in threads:
                thread.join(60.0)
            for worker in self.workers.values():
                worker.kill()
            self.broker.stop()
        return told | {"fault_seconds": round(said_seconds, 1), "seconds": round(time.monotonic() - began, 1)}

    # ---- what is done

    def _guarded(self, what: Any, *arguments: Any) -> None:
        try:
            what(*arguments)
        except Exception as error:  # noqa: BLE001 - a lane that broke is told, the run is not green
            self.tally.errors.append(f"{what.__name__}: {error!r}")

    def _lane(self, worker: Worker, lane: list[Step]) -> None:
        dice = random.Random(f"{self.seed}:{worker.name}")
        for step in lane:
            worker.mind(step.wait, self._stop)
            if self._stop.is_set():
                return
            with self._turn(worker):
                if step.kind in NETWORK:
                    self._disturb(worker, step)
                else:
                    getattr(self, f"_{step.kind}")(worker, step, dice)
        worker.mind(0.2, self._stop)
        threading.Thread(target=self._supervise, args=(worker,), daemon=True).start()

    @contextlib.contextmanager
    def _turn(self, worker: Worker) -> Iterator[None]:
        """Gently: nobody else's turn, and both at the begin and at the end every worker is back."""
        if not self.size.gentle:
            yield
            return
        while not self._gently.acquire(blocking=False):
            worker.mind(0.2, self._stop)
        try:
            self._until_back(worker)
            yield
            self._until_back(worker)
        finally:
            self._gently.release()

    def _until_back(self, worker: Worker) -> None:
        until = time.monotonic() + BACK_SECONDS
        while not all(one.ready() for one in self.workers.values()) and not self._stop.is_set():
            if time.monotonic() > until:
                raise NotConverged(f"not every worker is back within {BACK_SECONDS:.0f} s")
            worker.mind(0.3, self._stop)

    def _supervise(self, worker: Worker) -> None:
        while not self._stop.is_set():
            worker.mind(1.0, self._stop)

    def _kill(self, worker: Worker, step: Step, dice: random.Random) -> None:
        """Wherever it is; then, in its next life, at a named point, if one is given."""
        self._count("kill", done=worker.kill())
        if not step.detail:
            worker.start()
            return
        worker.start(step.detail)
        point = step.detail.partition(":")[0]
        if worker.ends_within(POINT_SECONDS * (3 if self.size.gentle else 1)):  # its turn to join comes late there
            self._count("kill_at_point")
            self.tally.points[point] += 1
        else:
            self._count("kill", done=worker.kill())
        worker.start()

    def _pause(self, worker: Worker, step: Step, dice: random.Random) -> None:
        """Suspended until its partitions belong to others, then awake again, with all it was about to send."""
        if step.detail:
            self._count("kill", done=worker.kill())
            worker.start(step.detail)
        elif worker.gone():
            worker.start()
            worker.mind(3.0, self._stop)
        there = bool(step.detail) and worker.stands_within(POINT_SECONDS)
        worker.signal(signal.SIGSTOP)
        time.sleep(step.amount)
        worker.signal(signal.SIGCONT)
        self._count("pause_at_point" if there else "pause")
        if worker.ends_within(WAKE_SECONDS):
            worker.start()

    def _damage(self, worker: Worker, step: Step, dice: random.Random) -> None:
        """After a clean end: only then would a store be used again."""
        done = False
        for _ in range(DAMAGE_TRIES):
            if not done:
                worker.mind(4.0, self._stop)
                done = worker.leave() and stores.damage(worker.stores, step.detail, dice)
                worker.start()
        self._count(f"store_{step.detail}", done=done)

    def _disk_full(self, worker: Worker, step: Step, dice: random.Random) -> None:
        self._count("kill", done=worker.kill())
        with stores.full_disk(worker.stores, step.detail) as (how, before):
            worker.start(before=before)
            worker.ends_within(step.amount)
            worker.leave()
        self._count(f"disk_full ({how})")
        worker.start()

    def _disturb(self, worker: Worker, step: Step) -> None:
        proxy = self.broker.proxies[worker.name]
        with self.tally.outage(step.kind):
            seconds = network.apply(proxy, step.kind, step.amount)
            if step.kind in ("cut", "drop_response"):
                network.wait_for_fault(proxy, seconds)
            else:
                worker.mind(seconds, self._stop)
            proxy.heal()
        self._count(step.kind)

    def _noise(self, steps: list[Step]) -> None:
        noise = Noise(self.settings, self.seed)
        for step in steps:
            if self._stop.wait(step.wait):
                return
            try:
                self.tally.noise_records += noise.make(step.kind, int(step.amount))
            except ReadError:  # the broker is down just now
                self._count(step.kind, done=False)
                continue
            self._count(step.kind)

    def _count(self, kind: str, *, done: bool = True) -> None:
        self.tally.count(kind, done=done)

    # ---- who is there

    def _env(self, worker: str = "") -> dict[str, str]:
        env = {
            "SMOKEHOUSE_HOME": str(self.home), "SMOKEHOUSE_API": "127.0.0.1:1", "PYTHONPATH": str(ROOT),
            "SMOKEHOUSE_BOOTSTRAP": self.broker.address_for(worker), "SMOKEHOUSE_SESSION_SECONDS": str(SESSION_SECONDS),
        }  # fmt: skip
        if worker and self.kind == "kafka":
            env["SMOKEHOUSE_INSTANCE_ID"] = worker  # a worker that is back within its session keeps its partitions
        return env

    def _traffic(self) -> subprocess.Popen[bytes]:
        command = [sys.executable, "-m", "streams.cli", "demo", "--json", "--pace", "5"]
        command += ["--run", f"nemesis-{self.seed}", "--seed", str(self.seed)]
        command += ["--orders", str(self.size.orders), "--rate", str(self.size.rate)]
        with (self.home / "traffic.json").open("wb") as out, (self.home / "traffic.log").open("wb") as said:
            return subprocess.Popen(command, cwd=ROOT, stdout=out, stderr=said, env=os.environ | self._env())

    def _command(self, *arguments: str, seconds: float = 30.0) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [sys.executable, "-m", "streams.cli", *arguments], cwd=ROOT, env=os.environ | self._env(), text=True,
            capture_output=True, timeout=seconds, check=False,
        )  # fmt: skip

    def _status(self) -> dict[str, Any]:
        try:
            told = self._command("status", "--no-api", "--json")
        except subprocess.TimeoutExpired:  # a busy machine: asked again, within the bound of whoever waits
            return {"ready": False, "problems": ["no answer"], "partitions": []}
        return json.loads(told.stdout) if told.stdout else {"ready": False, "problems": [told.stderr], "partitions": []}

    # ---- the judgement

    def _judge(self, traffic: subprocess.Popen[bytes], calm: float) -> dict[str, Any]:
        for proxy in self.broker.proxies.values():
            proxy.heal()
        handled = self._wait(self._caught_up, CONVERGE_SECONDS, "everything handled and committed, status ready")
        calm_seconds = handled - calm
        traffic.wait(self.size.orders / self.size.rate + TRAFFIC_SECONDS)
        self._wait(self._caught_up, CONVERGE_SECONDS, "everything handled and committed at the end")
        audited = self._command("audit", "--json", "--settle", "20", seconds=AUDIT_SECONDS)
        audit = json.loads(audited.stdout) if audited.stdout else {"ok": False, "findings": [audited.stderr[-2000:]]}
        self._wait(lambda: self._status()["ready"], BACK_SECONDS, "ready at the end")
        sent = json.loads((self.home / "traffic.json").read_text() or "{}")
        decided, times = self._decisions()
        kills = sorted(at for worker in self.workers.values() for at in worker.killed_at)
        felt = silences(kills, times)
        exits: Counter[str] = Counter()
        for worker in self.workers.values():
            exits += worker.exits
        orders = sent.get("sent", {}).get("order_placed", 0)
        undecided = sent.get("undecided", -1)
        return {
            "seed": self.seed, "date": datetime.now(UTC).date().isoformat(), "broker": self.kind,
            "size": msgspec.to_builtins(self.size), "workers": len(self.workers),
            **self.tally.told(), "exits": dict(sorted(exits.items())),
            "orders": orders, "decisions": sum(decided.values()), "decided": dict(decided), "undecided": undecided,
            "after_a_kill": summaries(felt), "after_a_kill_apart": summaries(felt, self.tally.outages),
            "kills": [[round(x, 2) for x in kill] for kill in felt],
            "converged_seconds": round(calm_seconds, 1),
            "audit": {"ok": audit["ok"], "findings": audit["findings"], "checked": audit.get("checked", {}),
                      "orders": audit.get("orders", {})},
            "green": bool(audit["ok"] and not self.tally.errors and orders >= self.size.orders and undecided == 0),
        }  # fmt: skip

    def _caught_up(self) -> bool:
        """Whether everything that stood in the logs a moment ago is handled and committed, by ready workers."""
        ends = {(t, p): high for t in ("orders", "warehouse") for p, (_, high) in bounds(self.settings, t).items()}
        status = self._status()
        committed = {(p["topic"], p["partition"]): p.get("committed") or 0 for p in status["partitions"]}
        return status["ready"] and all(committed.get(place, 0) >= end - PARTITIONS * 25 for place, end in ends.items())

    def _decisions(self) -> tuple[Counter[str], dict[int, list[float]]]:
        """How many orders were decided how; per order partition when (seconds since 1970). Each order once."""
        decided: Counter[str] = Counter()
        seen: set[str] = set()
        times: dict[int, list[float]] = {}
        for batch in read_to_end(self.settings, "reservations", contiguous=False):
            for message in batch:
                told = msgspec.json.decode(message.value(), type=r.OrderDecided)
                if told.status in ("confirmed", "rejected", "expired") and told.order_id not in seen:
                    seen.add(told.order_id)
                    decided[told.status] += 1
                    times.setdefault(message.partition(), []).append(message.timestamp()[1] / 1000)
        return decided, {partition: sorted(at) for partition, at in times.items()}

    def _wait(self, what: Any, seconds: float, name: str) -> float:
        """Until it holds; when that was (monotonic)."""
        until = time.monotonic() + seconds
        while True:
            try:
                if what():
                    return time.monotonic()
            except ReadError:
                pass
            if time.monotonic() > until:
                said = "\n".join(f"{n}: {w.log_tail()}" for n, w in self.workers.items())
                raise NotConverged(f"not within {seconds:.0f} s: {name}\n{self._status()}\n{said}")
            time.sleep(0.3)


def main() -> None:
    ask = argparse.ArgumentParser(description="Faults on real processes, by seed.")
    ask.add_argument("--seed", type=int, default=1)
    ask.add_argument("--size", choices=SIZES, default="kafka")
    ask.add_argument("--broker", choices=("kafka", "embedded"), default="")
    ask.add_argument("--home", type=Path)
    ask.add_argument("--json", type=Path, help="write the account to this file")
    given = ask.parse_args()
    kind = given.broker or ("kafka" if given.size == "kafka" else "embedded")
    home = given.home or Path(tempfile.mkdtemp(prefix="nemesis-"))
    home.mkdir(parents=True, exist_ok=True)
    try:
        told = Run(given.seed, SIZES[given.size], kind, home.absolute()).go()
    except Exception as error:  # noqa: BLE001 - a run without a judgement is an account too
        traceback.print_exc()
        told = {"seed": given.seed, "broker": kind, "date": datetime.now(UTC).date().isoformat(), "green": False,
                "did_not_end": f"{type(error).__name__}: {error}"}  # fmt: skip
    text = json.dumps(told, indent=1)
    if given.json:
        given.json.write_text(text + "\n")
    print(text)
    sys.exit(0 if told["green"] else 1)


if __name__ == "__main__":
    main()
