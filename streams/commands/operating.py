"""`smokehouse up|status|partition`: run the system, see whether it is well, help a halted partition on.

`up` starts a broker, workers, API, forecaster and (asked for) demo traffic as children, and stops all of them within
8 seconds of one Ctrl-C. Does not belong here: what any of them does.
"""

from __future__ import annotations

import fcntl
import os
import shutil
import signal
import sys
import threading
import time
from pathlib import Path
from typing import Annotated, Any, Literal

import httpx2
from cyclopts import App, Parameter

from streams import logs
from streams.addresses import WORKERS_MAX, file_of, worker_addresses
from streams.brokers.process import BrokerError, RunningBroker, expect_free, shown
from streams.commands.options import Partitions, between
from streams.commands.output import fail, put_json, put_table, say
from streams.commands.session import connected, read_settings
from streams.commands.supervise import Child, stop
from streams.settings import Settings, asked_at
from streams.topics import CATALOGUE, LOGS

partition_app = App(name="partition", help="Partitions of the logs.")
Json = Annotated[bool, Parameter(name="--json", negative="")]
CHILDREN_SECONDS = 4.0  # to end; with the broker's 2 s well below the 8 s promised, on a busy machine too
BROKER_STOP_SECONDS = 2.0
ASK_SECONDS = 3.0
READY_SECONDS = 60.0


def up(
    *,
    broker: Literal["embedded", "kafka"] = "embedded",
    workers: Annotated[int, between(1, WORKERS_MAX)] = 1,
    demo: bool | None = None,
    partitions: Partitions | None = None,
) -> None:
    """Run everything on this machine in the foreground: broker, workers, API with its page, forecaster.

    Parameters
    ----------
    broker
        embedded: in memory, nothing to install, forgets everything at the end. kafka: Apache Kafka, durable.
    workers
        Worker processes that share the partitions.
    demo
        Send a jerky brand's traffic through it (default: SMOKEHOUSE_DEMO).
    partitions
        Of a new log; default 4.
    """
    settings = read_settings().with_(embedded=broker == "embedded", workers="")  # its own
    signal.signal(signal.SIGTERM, _interrupt)
    signal.signal(signal.SIGHUP, _interrupt)
    children: list[Child] = []
    running: RunningBroker | None = None
    try:
        _occupy(settings.home)
        expect_free(settings.api, "SMOKEHOUSE_API")
        running = _start_broker(broker, settings)
        applied = logs.apply(settings, partitions or 0)
        children = _children(settings, workers, settings.demo if demo is None else demo)
        for child in children:
            child.start()
        say(f"{broker} broker at {settings.bootstrap}, {applied.partitions} partitions, {workers} worker(s); "
            f"state and logs in {settings.home}")  # fmt: skip
        _watch(settings, children, running)
    except (BrokerError, logs.TopicsWrong) as error:
        fail(str(error))
    except KeyboardInterrupt:
        say("stopping ...")
    finally:
        for name in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            signal.signal(name, signal.SIG_IGN)  # we are stopping already
        stop(children, CHILDREN_SECONDS)
        if running is not None:
            running.stop(BROKER_STOP_SECONDS)


def status(*, api: bool = True, json_output: Json = False) -> None:
    """Whether everything is ready; exits with 0 only then. A halted partition is named with its remedy.

    Parameters
    ----------
    api
        Whether the query API has to be there too.
    """
    settings = connected(ASK_SECONDS)
    told = _status(settings, api=api)
    if json_output:
        put_json(told)
    else:
        who = "address" if settings.workers else "worker"  # a PID says something on its own machine alone
        columns = ("topic", "partition", "state", "offset", "committed", "waiting", who, "reason", "remedy")
        put_table("", columns, [tuple(p.get(c) for c in columns) for p in told["partitions"]])
        for problem in told["problems"]:
            say(f"not ready: {problem}")
        if told["ready"]:
            say("ready")
    sys.exit(0 if told["ready"] else 1)


@partition_app.command
def retry(
    topic: Literal["orders", "warehouse"], partition: Annotated[int, between(0)], *, json_output: Json = False
) -> None:
    """Resume a halted partition from its committed offset, once what stopped it is mended."""
    for told in _workers(read_settings()):
        try:
            with _client() as client:
                answer = client.post(f"{told['url']}/retry/{topic}/{partition}")
        except httpx2.HTTPError:
            continue  # it ends, or stands still: not the one that can resume anything
        if answer.status_code == 200:
            if json_output:
                put_json({"topic": topic, "partition": partition, "worker": told["pid"]})
            say(f"{topic}[{partition}] resumes on worker {told['pid']} at {told['address']}")
            return
    fail(f"no worker that answers has {topic}[{partition}] standing still; see: smokehouse status")


# -- up ----------------------------------------------------------------------------------------------------------------


def _occupy(home: Path) -> None:
    """The folder is ours until this process ends: what we clear there would be in use by another one's workers."""
    try:
        home.mkdir(parents=True, exist_ok=True)
        fcntl.flock(os.open(home, os.O_RDONLY), fcntl.LOCK_EX | fcntl.LOCK_NB)  # on the folder: nothing to leave behind
    except BlockingIOError:
        fail(f"another `smokehouse up` runs in SMOKEHOUSE_HOME={home}: stop it, or give this one a folder of its own, "
             "and other addresses (SMOKEHOUSE_BOOTSTRAP, SMOKEHOUSE_API)")  # fmt: skip
    except OSError as error:
        fail(f"SMOKEHOUSE_HOME={home}: {error.strerror}")


def _start_broker(kind: str, settings: Settings) -> RunningBroker:
    if kind == "kafka":
        from streams.brokers.kafka import start_kafka

        return start_kafka(settings.bootstrap, settings.home)
    from streams.brokers.embedded import start_embedded

    broker = start_embedded(settings.bootstrap, settings.home)
    # Its log is new, whatever was here before belongs to another one.
    shutil.rmtree(settings.home / "stores", ignore_errors=True)
    return broker


def _children(settings: Settings, workers: int, demo: bool) -> list[Child]:
    # Those that were started beside an earlier `up` and still answer; what else is there may name anybody's process.
    here = {file_of(settings.run_dir, told.get("pid", 0)) for told in _workers(settings)}
    for left in set(settings.run_dir.glob("worker-*.json")) - here:
        left.unlink()
    env = {
        "SMOKEHOUSE_HOME": str(settings.home), "SMOKEHOUSE_BOOTSTRAP": settings.bootstrap,
        "SMOKEHOUSE_API": settings.api, "SMOKEHOUSE_EMBEDDED": "1" if settings.embedded else "0",
        "SMOKEHOUSE_WORKER": "", "SMOKEHOUSE_WORKERS": "",  # its own, on this machine
    }  # fmt: skip
    log = settings.home / "log"
    names = [f"worker-{n + 1}" for n in range(workers)]
    children = [Child(n, ["worker", "--name", n, "--loglevel", "info"], log / f"{n}.log", env) for n in names]
    children.append(Child("api", ["api"], log / "api.log", env))
    children.append(Child("forecast", ["forecast"], log / "forecast.log", env))
    if demo:
        children.append(Child("demo", ["demo", "--forever"], log / "demo.log", env, once=True))
    return children


def _watch(settings: Settings, children: list[Child], broker: RunningBroker) -> None:
    threading.Thread(target=_say_when_ready, args=(settings,), daemon=True).start()
    while True:
        time.sleep(0.25)
        for child in children:
            child.watch(say)
        if broker.exit_code is not None:
            said = broker.last_log_lines()
            raise BrokerError(f"the broker ended ({broker.exit_code}); its log {shown(broker.log)}:\n{said}")


def _say_when_ready(settings: Settings) -> None:
    until, last = time.monotonic() + READY_SECONDS, ""
    while time.monotonic() < until:
        try:
            told = _status(settings, api=True)
            if told["ready"]:
                say(f"ready: open http://{asked_at(settings.api)}/ in a browser; Ctrl-C stops everything")
                return
            last = "; ".join(told["problems"])
        except Exception as error:  # noqa: BLE001 - it is only not up yet; the last reason is told below
            last = str(error)
        time.sleep(0.3)
    say(f"not ready after a minute: {last}. `smokehouse status` says what is missing")


def _interrupt(*_: object) -> None:
    raise KeyboardInterrupt


# -- status ------------------------------------------------------------------------------------------------------------


def _client() -> httpx2.Client:
    """For questions to our own processes: a proxy of the environment is for the world outside."""
    return httpx2.Client(timeout=ASK_SECONDS, trust_env=False)


def _workers(settings: Settings) -> list[dict[str, Any]]:
    """Each worker that answers: its address and what it tells."""
    found = []
    with _client() as client:  # one for all: making it costs more than a question
        for address in worker_addresses(settings):
            try:
                told = client.get(f"{address.url}/status").json()
            except (ValueError, httpx2.HTTPError):
                continue  # it ends, or is about to begin
            found.append({"url": address.url, "address": address.place, "role": address.role} | told)
    return found


def _status(settings: Settings, *, api: bool) -> dict[str, Any]:
    problems: list[str] = []
    there = logs.partition_counts(settings)
    missing = [t.name for t in CATALOGUE if t.name not in there]
    if missing:
        problems.append(f"topics are missing: {', '.join(missing)} (smokehouse topics apply)")
    workers = _workers(settings)
    if not workers:
        where = f"at {settings.workers} (SMOKEHOUSE_WORKERS)" if settings.workers else "on this machine"
        problems.append(f"no worker answers {where} (smokehouse worker)")
    partitions: list[dict[str, Any]] = [
        {**p, "worker": w["pid"], "address": w["address"]} for w in workers for p in w["partitions"]
    ]
    for log in LOGS:
        for number in range(there.get(log.name, 0)):
            states = [p for p in partitions if (p["topic"], p["partition"]) == (log.name, number)]
            if not any(p["state"] == "ready" for p in states):
                state = states[0]["state"] if states else "of no worker that answers"
                more = f": {states[0]['reason']}. {states[0]['remedy']}" if state == "halted" else ""
                problems.append(f"{log.name}[{number}] is {state}{more}")
    if api:
        problems += _api_problems(settings)
    partitions.sort(key=lambda p: (p["topic"], p["partition"]))
    return {"ready": not problems, "problems": problems, "bootstrap": settings.bootstrap,
            "broker": "embedded" if settings.embedded else "kafka", "partitions": partitions,
            "workers": [{"pid": w["pid"], "address": w["address"], "role": w["role"], **w["counters"]}
                        for w in workers]}  # fmt: skip


def _api_problems(settings: Settings) -> list[str]:
    try:
        with _client() as client:
            answer = client.get(f"http://{asked_at(settings.api)}/readyz")
    except httpx2.HTTPError as error:
        return [f"the API at {settings.api} does not answer ({error}); smokehouse api starts it"]
    if answer.status_code == 200:
        return []
    try:
        why = answer.json()["detail"]
    except (ValueError, LookupError, TypeError):  # no API of ours listens there
        why = f"{answer.status_code} {answer.text[:300]}"
    return [f"the API at {settings.api} is not ready: {why}"]
