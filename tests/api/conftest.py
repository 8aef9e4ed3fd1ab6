"""The query API as a process of its own, on a real broker; what it should show is published by the tests."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import httpx2
import pytest
from confluent_kafka import Producer
from msgspec import structs

from bench.children import end
from streams import logs
from streams.brokers.embedded import start_embedded
from streams.brokers.process import RunningBroker, free_port
from streams.settings import Settings, producer_config
from tables import records as r
from tables.codec import encode
from tables.murmur2 import partition_of

ROOT = Path(__file__).resolve().parents[2]
READY_SECONDS = 30.0
PAGE_MS = 30_000
LOG_ID = 1_000
PARTITIONS = 4
FLAVORS = ("Original", "Black Pepper", "Chili Lime", "Teriyaki", "Smoked Paprika", "Honey Garlic")
PLACES = ["BERLIN", "ROTTERDAM"]
KINDS = {"object": dict, "array": list, "string": str, "integer": int, "number": (int, float), "boolean": bool,
         "null": type(None)}  # fmt: skip


def wait_for(what: Callable[[], Any], seconds: float = READY_SECONDS) -> Any:
    """The first answer of `what` that is true."""
    until = time.monotonic() + seconds
    while not (answer := what()):
        assert time.monotonic() < until, f"not within {seconds:.0f} s"
        time.sleep(0.05)
    return answer


def level(sku: str = "JRK-ORIG-50", available: int = 5, at: int = 1, **more: Any) -> r.StockLevels:
    """A stock level as the stock agent publishes it: one location (`at_location`: what is special there)."""
    place = structs.replace(r.LocationLevel(
        more.pop("location", "W1"), available, available, 0, 0, 0, 0, 0, more.pop("reorder_point", 0),
        [r.LotLevel("L1", "2027-01-31", available)], (LOG_ID, at, 0), open_to_all=available,
    ), **more.pop("at_location", {}))  # fmt: skip
    said = {"id": f"{sku}:{at}", "flavor": "Original", "packaging": "Bag", "size": "50 g", "gtin": "",
            "discontinued": False, "locations": [place], "version": (LOG_ID, at, 0)} | more  # fmt: skip
    return r.StockLevels(sku=sku, available=available, on_hand=available, **said)


def line(sku: str = "JRK-ORIG-50", units: int = 1, location: str = "W1", shipped: int = 0) -> r.StatusLine:
    """Of a confirmed order: what is not shipped is allocated."""
    return r.StatusLine(sku, units, location, 0, units - shipped, shipped, 0, 0, "")


def order(order_id: str = "order-1", status: str = "confirmed", at: int = 1, **more: Any) -> r.OrderStatus:
    said = {"reason": "", "payment": "captured", "payment_wanted": "", "policy": "all_or_nothing",
            "sourcing": "one location: W1", "checks": [], "lines": [line()],
            "fulfilments": [r.FulfilmentStatus("W1", "confirmed", [], [], "")], "returns": [], "kits": {},
            "exchange_of": "", "attempt": 1, "occurred_at": "", "decided_at": "2026-11-23T10:00:00.000Z", "late": [],
            "channel": "shop", "version": (LOG_ID, at, 0)} | more  # fmt: skip
    return r.OrderStatus(id=f"{order_id}:{at}", order_id=order_id, status=status, **said)


def decision(order_id: str = "order-1", status: str = "confirmed", reason: str = "", **more: Any) -> r.OrderDecided:
    said = {"id": f"d-{order_id}-{status}", "channel": "shop", "lines": [r.DecidedLine("JRK-ORIG-50", 1, "W1")],
            "occurred_at": "", "decided_at": "2026-11-23T10:00:00.000Z", "attempt": 1, "partition": 0, "offset": 1,
            "index": 0} | more  # fmt: skip
    return r.OrderDecided(order_id=order_id, status=status, reason=reason, **said)


def alert(sku: str = "JRK-ORIG-50", kind: str = "low", at: int = 1, **more: Any) -> r.Alert:
    said = {"id": f"a-{sku}-{kind}-{at}", "location": "W1", "available": 1, "shortage": 0, "reorder_point": 4,
            "version": (LOG_ID, at, 0)} | more  # fmt: skip
    return r.Alert(sku=sku, kind=kind, **said)


def demand(sku: str = "JRK-ORIG-50", day: str = "2026-11-23", ordered: int = 3, at: int = 1) -> r.Demand:
    return r.Demand(
        id=f"{sku}|W1|{day}", sku=sku, location="W1", day=day, ordered=ordered, orders=2, refused=0,
        stockout_hours=[], version=(LOG_ID, at, 0),
    )  # fmt: skip


def forecast(sku: str = "JRK-ORIG-50", run: str = "2026-11-23.001", location: str = "W1") -> r.Forecast:
    numbers = [1.5, 2.0]
    return r.Forecast(
        id=f"{sku}|{location}|{run}", sku=sku, location=location, run=run, model="m", status="ok",
        days=["2026-11-24", "2026-11-25"], mean=numbers, q50=numbers, q90=numbers, q95=numbers, q99=numbers,
    )  # fmt: skip


def reorder(
    sku: str = "JRK-ORIG-50", run: str = "2026-11-23.001", location: str = "W1", quantity: int = 11,
    order_by: str = "2026-11-24", **more: Any,
) -> r.Reorder:  # fmt: skip
    return r.Reorder(
        id=f"{sku}|{location}|{run}", sku=sku, location=location, run=run, quantity=quantity, order_by=order_by,
        reorder_point=7, order_up_to=16, position=5, lead_days=7, reason="Buy 11 today.", **more,
    )  # fmt: skip


def decided(decision: str, quantity: int = 0, sku: str = "JRK-ORIG-50", run: str = "2026-11-23.001", **more: Any):
    """What somebody decided about `reorder(sku)`."""
    return r.ReorderDecision(
        id=f"{sku}|{run}:{decision}", sku=sku, location="W1", run=run, decision=decision, quantity=quantity,
        recommended=11, **more,
    )  # fmt: skip


def forecast_alert(sku: str = "JRK-ORIG-50", kind: str = "stockout_predicted", **more: Any) -> r.ForecastAlert:
    said = {"state": "raised", "day": "2026-11-26", "note": "12 there"} | more
    return r.ForecastAlert(
        id=f"{sku}|W1", sku=sku, location="W1", kind=kind, run="2026-11-23.001", probability=0.8, units=4, stock=12,
        until="2026-11-30", **said,
    )  # fmt: skip


def misfit(value, schema, models, where="answer"):
    """Where `value` is not as its JSON schema says; "" if it is. Knows the keywords our description uses."""
    if "$ref" in schema:
        return misfit(value, models[schema["$ref"].rpartition("/")[2]], models, where)
    if "anyOf" in schema:
        found = [misfit(value, one, models, where) for one in schema["anyOf"]]
        return "" if "" in found else found[0]
    kind = schema.get("type")
    if kind and (not isinstance(value, KINDS[kind]) or (kind != "boolean" and isinstance(value, bool))):
        return f"{where} is {value!r}, not {kind}"
    below = []
    if isinstance(value, dict):
        if "additionalProperties" in schema:  # names that the data chooses
            each = schema["additionalProperties"]
            return next(
                (wrong for name in value if (wrong := misfit(value[name], each, models, f"{where}.{name}"))), ""
            )
        missing = set(schema.get("required", ())) - value.keys()
        unknown = value.keys() - schema.get("properties", {}).keys()
        if missing or unknown:
            return f"{where}: missing {missing}, undocumented {unknown}"
        below = [(value[name], one, f"{where}.{name}") for name, one in schema["properties"].items() if name in value]
    elif isinstance(value, list):
        if not schema.get("minItems", 0) <= len(value) <= schema.get("maxItems", 10**9):
            return f"{where} has {len(value)} items"
        places = schema.get("prefixItems") or [schema["items"]] * len(value)
        below = [(one, place, f"{where}[{n}]") for n, (one, place) in enumerate(zip(value, places, strict=True))]
    return next((wrong for one in below if (wrong := misfit(one[0], one[1], models, one[2]))), "")


class Api:
    """One API process and the topics it reads. `start` it; ask it by `get`; `publish` what it should show (`make`)."""

    make = SimpleNamespace(
        level=level,
        order=order,
        line=line,
        decision=decision,
        alert=alert,
        decided=decided,
        demand=demand,
        forecast=forecast,
        reorder=reorder,
        forecast_alert=forecast_alert,
    )
    wait = staticmethod(wait_for)
    listens = f"#state-text:has-text('No worker for {2 * PARTITIONS} partitions')"  # the page, loaded; none was started

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        self.url = f"http://{settings.api}"
        # A connection each: on one that is kept, Nagle's algorithm and delayed acknowledgements cost 40 ms an answer.
        alone = httpx2.Limits(max_keepalive_connections=0)
        self.http = httpx2.Client(base_url=self.url, timeout=READY_SECONDS, trust_env=False, limits=alone)
        # Not idempotent: that costs half a second at the first record, and outlives no broker that forgets.
        quick = {"enable.idempotence": False, "linger.ms": 0, "reconnect.backoff.max.ms": 200}
        self._producer = Producer(producer_config(settings) | quick)
        self.described: Any = None
        self.worker: subprocess.Popen[bytes] | None = None
        self.process: subprocess.Popen[bytes] | None = None

    @property
    def env(self) -> dict[str, str]:
        s = self.settings
        return os.environ | {
            "SMOKEHOUSE_HOME": str(s.home), "SMOKEHOUSE_BOOTSTRAP": s.bootstrap, "SMOKEHOUSE_PREFIX": s.prefix,
            "SMOKEHOUSE_API": s.api, "PYTHONPATH": str(ROOT),
        }  # fmt: skip

    def make_topics(self) -> None:
        logs.apply(self.settings, PARTITIONS)

    def run(self, *arguments: str) -> subprocess.Popen[bytes]:
        with (self.settings.home / f"{arguments[0]}.log").open("ab") as out:
            return subprocess.Popen(
                [sys.executable, "-m", "streams.cli", *arguments], stdout=out, stderr=out, env=self.env
            )

    def start(self) -> None:
        self.process = self.run("api")
        self.until_ready()

    def start_worker(self) -> None:
        self.worker = self.run("worker", "--name", "one")
        wait_for(lambda: self.get("/status").json()["ready"], 40)

    def get(self, path: str, **more: Any) -> httpx2.Response:
        return self.http.get(path, **more)

    def answer(self, path: str) -> Any:
        """The JSON of an answer that has to be there."""
        answer = self.get(path)
        assert answer.status_code == 200, f"{path}: {answer.status_code} {answer.text}"
        return answer.json()

    def is_ready(self) -> bool:
        try:
            return self.get("/readyz").status_code == 200
        except httpx2.TransportError:
            assert self.process is None or self.process.poll() is None, self.log()
            return False

    def until_ready(self) -> None:
        wait_for(self.is_ready)

    def log(self) -> str:
        return (self.settings.home / "api.log").read_text()[-4000:]

    def publish(self, topic: str, *records: Any) -> None:
        """As the agents do it: plans and demand lie where their SKU does. Returns when the broker has them."""
        for record in records:
            routed_by = getattr(record, "order_id", "") or record.sku
            key = record.id if isinstance(record, r.Demand | r.Forecast | r.Reorder) else routed_by
            partition = 0 if topic == "planning" else partition_of(routed_by, PARTITIONS)
            self._producer.produce(self.settings.prefix + topic, encode(record), key, partition)
        assert self._producer.flush(30) == 0

    def applied(self, topic: str) -> int:
        """How many records of a topic the view has taken in (their offsets begin at 0)."""
        fresh = self.get("/status").json()["as_of"]
        return sum(a["offset"] + 1 for a in fresh if a["topic"] == topic and a["offset"] is not None)

    def place(self, order_id: str, lines: dict[str, int], **more: Any) -> None:
        said = {"channel": "webshop", "payment": "paid", "locations": PLACES} | more
        wanted = [r.Line(sku, units) for sku, units in lines.items()]
        self.publish("orders", r.OrderPlaced(id=order_id, order_id=order_id, lines=wanted, **said))

    def check_documented(self, path: str, response: httpx2.Response, method: str = "get") -> None:
        """The response is as the OpenAPI description says of `path`: its status, media type and every field."""
        described = self.answer("/openapi.json") if self.described is None else self.described
        self.described = described
        content = described["paths"][path][method]["responses"][str(response.status_code)]["content"]
        media = response.headers["content-type"].partition(";")[0]
        assert media in content
        assert misfit(response.json(), content[media]["schema"], described["components"]["schemas"]) == ""

    def stop(self) -> float:
        """SIGTERM to both; returns the seconds the API took to end. A clean end is part of every test."""
        began = time.monotonic()
        seconds = 0.0
        if self.process is not None and self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
            try:
                self.process.wait(10)
            except subprocess.TimeoutExpired:
                self.process.kill()
                pytest.fail("the API did not end within 10 s of SIGTERM")
            seconds = time.monotonic() - began
        if self.worker is not None:
            end(self.worker)
        return seconds


@contextmanager
def opened(broker: RunningBroker, home: Path, name: str) -> Iterator[Api]:
    """An API on topics of its own; the block starts it. Gone afterwards."""
    made = Api(Settings(
        home=home, bootstrap=broker.address, api=f"127.0.0.1:{free_port()}", demo=False, prefix=f"{name}-"
    ))  # fmt: skip
    try:
        made.make_topics()
        yield made
    finally:
        made.stop()
        made.http.close()


@pytest.fixture
def api(embedded: RunningBroker, embedded_settings: Settings) -> Iterator[Api]:
    """An API of the test's own: started, ready, and empty."""
    with opened(embedded, embedded_settings.home, embedded_settings.prefix) as made:
        made.start()
        yield made


def whole_levels() -> list[r.StockLevels]:
    """One SKU in two places with everything a level can tell, and one that is short."""
    comes = level("COMES", 6, at_location={
        "on_hand": 10, "unavailable": 4, "backordered": 2, "open_to_all": 1,
        "lots": [r.LotLevel("L1", "2027-01-31", 7, "approved", 1), r.LotLevel("L2", "2027-02-28", 3, "recalled")],
        "channels": [r.ChannelLevel("web", 6, 5, 0)],
        "incoming": [r.IncomingLevel("PO-1", "purchase", 20, "2027-03-01", True)],
        "promise": [r.Promise("", 4), r.Promise("2099-03-01", 24)], "accuracy": r.Accuracy(3, 2, 40, 1),
    })  # fmt: skip
    elsewhere = structs.replace(
        comes.locations[0], location="W2", lots=[], channels=[], incoming=[], accuracy=None,
        promise=[r.Promise("", 2), r.Promise("2020-05-01", 3), r.Promise("2099-02-01", 4)],
    )  # fmt: skip
    short = level("SHORT", 0, at_location={"on_hand": 5, "allocated": 5, "shortage": 4, "lots": []})
    return [structs.replace(comes, locations=[comes.locations[0], elsewhere]), short]


def whole_orders() -> list[r.OrderStatus]:
    """Three orders that wait for nine units of SHORT, the oldest promise last; the third has its parcel."""
    waiting = [("later", 3, 4), ("first", 1, 3), ("between", 2, 2)]
    orders = [
        order(name, at=50 + units, decided_at=f"2026-11-0{day}T10:00:00.000Z", lines=[line("SHORT", units)])
        for name, day, units in waiting
    ]
    sent = order(
        "sent", "shipped", 60, lines=[line("SHORT", 2, shipped=2)], payment="authorized", payment_wanted="capture",
        fulfilments=[r.FulfilmentStatus("W1", "shipped", ["C-1"], ["T-1"], "in_transit")], kits={"TRIO": 1},
        returns=[r.ReturnStatus("RMA-1", "authorized", 1)], policy="backorder", exchange_of="order-0",
    )  # fmt: skip
    return [*orders, sent]


def work_alerts() -> list[r.Alert]:
    return [
        alert("COMES", "expiring", 3, lot="L1", units=7), alert("COMES", "recalled", 4, lot="L2", units=3),
        alert("SHORT", "discrepancy", 5, units=-2, note="TR-4"), alert("SHORT", "recount", 6, units=-9),
        alert("SHORT", "paid_unallocated", 7, order_id="late-payer", units=2),
    ]  # fmt: skip


@pytest.fixture(scope="session")
def shelf(embedded: RunningBroker, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Api]:
    """One API for all tests that only ask: a few SKUs, orders, alerts and plans are published."""
    skus = [f"SKU-{n:03}" for n in range(25)]
    with opened(embedded, tmp_path_factory.mktemp("shelf"), "shelf") as made:
        made.publish("stock-levels", level(), *(level(sku, n) for n, sku in enumerate(skus)))
        made.publish("stock-levels", level("ONLY-W2", 9, location="W2", flavor="Chili"), *whole_levels())
        made.publish("order-status", order(), *(order(f"order/{n}", "pending", n, lines=[]) for n in range(2, 32)))
        made.publish("order-status", order("held", "on_hold", 40, channel="market", lines=[]), *whole_orders())
        made.publish("reservations", decision(), decision("order-2", "rejected", "insufficient"))
        made.publish("alerts", alert(), alert("SKU-000", "out", 2, time="2026-11-23T10:00:00.000Z"), *work_alerts())
        made.publish("demand", demand(), demand(day="2026-11-22"))
        made.publish("forecasts", forecast(), *(forecast(sku) for sku in skus[:7]))
        made.publish("reorders", reorder(), *(reorder(sku) for sku in skus[:7]))
        made.publish("forecast-alerts", *(forecast_alert(sku) for sku in ("JRK-ORIG-50", *skus[:7])))
        made.start()
        yield made


@pytest.fixture(scope="session")
def browser():
    if (chromium := shutil.which("chromium")) is None:
        pytest.skip("no chromium: apt-get install the packages of system-packages.txt")
    from playwright.sync_api import sync_playwright

    flags = ["--no-sandbox", "--disable-background-networking", "--disable-component-update", "--disable-sync",
             "--disable-dev-shm-usage"]  # fmt: skip
    with sync_playwright() as driver:
        running = driver.chromium.launch(executable_path=chromium, args=flags)
        yield running
        running.close()


@pytest.fixture(scope="session")
def street(embedded: RunningBroker, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Api]:
    """An API and a worker; a small assortment has been received, and policies say when a SKU is low."""
    with opened(embedded, tmp_path_factory.mktemp("street"), "street") as made:
        made.start()
        made.start_worker()
        stock = {}  # SKU -> what may be sold of it
        for n, flavor in enumerate(FLAVORS):
            for size in (50, 200):
                sku = f"JRK-{flavor[:4].upper()}-{size}"
                stock[sku] = len(PLACES) * (58 + 25 * n)
                made.publish("warehouse", r.SkuDefined(
                    id=f"def-{sku}", sku=sku, flavor=flavor, packaging="Bag", size=f"{size} g"
                ), *(r.PolicySet(
                    id=f"policy-{sku}-{place}", sku=sku, location=place, reorder_point=20, hysteresis=5, safety_stock=2
                ) for place in PLACES), *(r.Received(
                    id=f"in-{sku}-{place}", sku=sku, location=place, lot=f"L{n}", quantity=60 + 25 * n,
                    best_before="2099-03-01",  # a worker at work: what expires is not there
                ) for place in PLACES))  # fmt: skip

        def shown():
            return {s["sku"]: s["available"] for s in made.answer("/v1/skus")["items"]}

        wait_for(lambda: shown() == stock)  # all of them: partitions come in any order
        made.place("warm-up", {"JRK-BLAC-50": 1})
        stock["JRK-BLAC-50"] -= 1
        wait_for(lambda: shown() == stock and made.get("/v1/orders/warm-up").status_code == 200)
        yield made


class Brokers:
    """One embedded broker after another at one address; each begins empty."""

    def __init__(self, home: Path) -> None:
        self.address, self._home = f"127.0.0.1:{free_port()}", home
        self.begin()

    def begin(self) -> None:
        self.running = start_embedded(self.address, self._home)

    def end(self) -> None:
        self.running.kill()


@pytest.fixture
def lonely(tmp_path: Path) -> Iterator[tuple[Api, Brokers]]:
    """An API that is ready, and the broker it is alone on."""
    brokers = Brokers(tmp_path)
    try:
        with opened(brokers.running, tmp_path, "lonely") as made:
            made.start()
            yield made, brokers
    finally:
        brokers.end()


@pytest.fixture
def page(api, browser):
    """The page of the test's own API, opened; afterwards it has logged no error."""
    errors = []
    context = browser.new_context(viewport={"width": 1280, "height": 900})
    page = context.new_page()
    page.set_default_timeout(PAGE_MS)
    page.on("console", lambda said: errors.append(said.text) if said.type in ("error", "warning") else None)
    page.on("pageerror", lambda error: errors.append(str(error)))
    page.goto(api.url + "/")
    page.wait_for_selector(api.listens)
    yield page
    context.close()
    assert errors == []
