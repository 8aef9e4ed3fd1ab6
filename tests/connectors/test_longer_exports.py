"""An export after one that it contains, by the real command beside a real worker: the books of the longer one alone."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import pytest

from bench.children import end
from streams import logs, reader
from streams.settings import Settings
from tables.codec import ORDER_LOG, STOCK_LOG
from tables.records import CancelRequested, Received

ROOT = Path(__file__).resolve().parents[2]
HEAD = "InvoiceNo,StockCode,Quantity,InvoiceDate,CustomerID\n"
# A customer's orders and what came back of them: twice the same row, a part, an order that nothing is left of.
FEBRUARY = [
    "201,85123A,10,2/1/2011 9:00,7", "201,71053,4,2/1/2011 9:00,7", "202,71053,6,2/2/2011 9:00,8",
    "C203,85123A,-2,2/3/2011 9:00,7", "C203,85123A,-2,2/3/2011 9:00,7", "C204,71053,-6,2/4/2011 9:00,8",
    "205,85123A,0,2/5/2011 9:00,7",
]  # fmt: skip
JANUARY = [
    "101,85123A,5,1/1/2011 9:00,7", "101,71053,3,1/1/2011 9:00,7", "C102,85123A,-1,1/2/2011 9:00,7",
    "103,22423,9,1/3/2011 9:00,9",
]  # fmt: skip
MARCH = ["301,85123A,1,3/1/2011 9:00,8", "C302,85123A,-2,3/2/2011 9:00,7", "303,22423,2,3/3/2011 9:00,9"]
ORDERS = {"101", "103", "201", "202", "301", "303"}


class Shop:
    """A worker on logs of its own; `books`: what it says of orders and stock in the end."""

    def __init__(self, settings: Settings, folder: Path) -> None:
        self.settings, self._folder = settings, folder
        self._env = os.environ | {
            "SMOKEHOUSE_HOME": str(settings.home), "SMOKEHOUSE_BOOTSTRAP": settings.bootstrap, "PYTHONPATH": str(ROOT),
            "SMOKEHOUSE_PREFIX": settings.prefix, "SMOKEHOUSE_API": settings.api,
        }  # fmt: skip

    @contextmanager
    def working(self) -> Iterator[None]:
        self.settings.home.mkdir()
        logs.apply(self.settings, 4)
        with (self.settings.home / "worker.log").open("wb") as out:
            command = [sys.executable, "-m", "streams.cli", "worker"]
            worker = subprocess.Popen(command, env=self._env, stdout=out, stderr=out)
        try:
            yield
        finally:
            end(worker)

    def run(self, *words: str) -> dict[str, Any]:
        command = [sys.executable, "-m", "streams.cli", *words, "--json"]
        told = subprocess.run(command, env=self._env, cwd=ROOT, capture_output=True, text=True, timeout=90, check=False)
        assert told.returncode == 0, told.stderr[-2000:] + (self.settings.home / "worker.log").read_text()[-2000:]
        return json.loads(told.stdout)

    def bring(self, rows: list[str], *more: str) -> dict[str, Any]:
        path = self._folder / "orders.csv"
        path.write_text(HEAD + "\n".join(rows) + "\n")
        return self.run("import", "orders", str(path), "--preset", "online-retail", *more)

    def books(self) -> dict[str, Any]:
        """Once an audit finds that everything adds up."""
        report = self.run("audit", "--sequential", "--settle", "20")
        assert report["findings"] == []
        assert report["sequential"]["confirmed"] == report["sequential"]["confirmed_one_at_a_time"]
        said: dict[str, Any] = {}
        for topic, kept in (("order-status", ("status", "lines", "occurred_at")), ("stock-levels", ("locations",))):
            for message in self.messages(topic):
                document = json.loads(message.value())
                said[topic, message.key()] = _told({name: document[name] for name in kept})
        said["dead letters"] = sorted((m.key(), m.value()) for m in self.messages("dead-letters"))
        return said

    def messages(self, topic: str) -> list[Any]:
        return [m for batch in reader.read_to_end(self.settings, topic, contiguous=False) for m in batch]

    def sent(self, kind: type[Any]) -> list[Any]:
        logs_ = ("orders", ORDER_LOG), ("warehouse", STOCK_LOG)
        found = (x for name, log in logs_ for m in self.messages(name) for x in log.items(m.value()))
        return [x for x in found if isinstance(x, kind)]


def _told(document: Any) -> Any:
    """A document without places in a log and our own clock: when things came is another matter than what came."""
    if isinstance(document, dict):
        return {k: _told(v) for k, v in document.items() if k not in ("version", "out_since")}
    return [_told(x) for x in document] if isinstance(document, list) else document


@pytest.fixture
def shop(embedded_settings: Settings, tmp_path: Path) -> Iterator[Callable[[str], Shop]]:
    with ExitStack() as stack:

        def opened(name: str) -> Shop:
            prefix = f"{embedded_settings.prefix}{name}-"
            one = Shop(embedded_settings.with_(prefix=prefix, home=tmp_path / name), tmp_path)
            stack.enter_context(one.working())
            return one

        yield opened


@pytest.mark.timeout(200)
@pytest.mark.parametrize("longer", [JANUARY + FEBRUARY + MARCH, FEBRUARY + JANUARY])
def test_an_export_after_one_that_it_contains_gives_the_books_of_the_longer_one_alone(
    shop: Callable[[str], Shop], longer: list[str]
) -> None:
    alone, both = shop("alone"), shop("both")
    alone.bring(longer, "--stock-share", "1")
    both.bring(FEBRUARY, "--stock-share", "1")
    account = both.bring(longer, "--stock-share", "1")
    assert account["orders_sent_now"] == len({x.partition(",")[0] for x in set(longer) - set(FEBRUARY)} & ORDERS)
    assert both.books() == alone.books()
    again = both.bring(longer, "--stock-share", "1")
    assert again["orders_sent_now"] == 0
    assert again["units_received"] == account["units_received"]
    assert both.books() == alone.books()


def test_more_rows_that_change_what_a_cancellation_means_give_no_unit_back_twice(shop: Callable[[str], Shop]) -> None:
    """The longer export knows a later order that it could mean; the units came back to the one of then."""
    one = shop("one")
    first = ["1,85123A,5,1/1/2011 9:00,7", "C3,85123A,-5,1/3/2011 9:00,7"]
    one.bring(first, "--stock-share", "1")
    account = one.bring([first[0], "2,85123A,5,1/2/2011 9:00,7", first[1]], "--stock-share", "1")
    assert {x.order_id for x in one.sent(CancelRequested)} == {"online-retail:1"}
    assert account["units_given_back"] == 5
    assert sum(x.quantity for x in one.sent(Received)) == 10
    one.books()


def test_an_order_that_a_longer_export_continues_is_told_and_stays_as_decided(shop: Callable[[str], Shop]) -> None:
    """Its new lines went nowhere, and nobody was told."""
    one = shop("one")
    first = ["1,85123A,5,1/1/2011 9:00,7", "2,85123A,1,1/1/2011 9:00,7"]
    assert one.bring(first, "--stock-share", "1")["orders_decided_otherwise"] == 0
    account = one.bring([*first, "2,71053,4,1/1/2011 9:00,7"], "--stock-share", "1")
    assert (account["orders_decided_otherwise"], account["orders_sent_now"]) == (1, 0)
    books = one.books()
    [letter] = one.messages("dead-letters")
    assert dict(letter.headers())["__connect.errors.exception.message"].startswith(b"id_conflict")
    assert json.loads(letter.value())["order_id"] == "online-retail:2"
    assert [x["sku"] for x in books["order-status", b"online-retail:2"]["lines"]] == ["85123A"]
    again = one.bring([*first, "2,71053,4,1/1/2011 9:00,7"], "--stock-share", "1")
    assert again["orders_decided_otherwise"] == 1, "it is told each time"
    assert len(one.messages("dead-letters")) == 1, "but there is one dead letter, however often it is exported"
    one.bring([*first, "2,71053,6,1/1/2011 9:00,7"], "--stock-share", "1")
    one.books()
    assert len(one.messages("dead-letters")) == 2, "it grew again: that is another one"


def test_each_import_receives_its_share_of_what_is_new_in_it_and_together_that_of_everything(
    shop: Callable[[str], Shop]
) -> None:
    """Rounded up twice it would be a unit too many."""
    one = shop("one")
    one.bring(["1,85123A,1,1/1/2011 9:00,7"])
    one.bring(["1,85123A,1,1/1/2011 9:00,7", "2,85123A,4,1/1/2011 9:00,7", "3,71053,1,1/1/2011 9:00,7"])
    for _ in range(2):
        account = one.bring(["3,71053,1,1/1/2011 9:00,7", "4,71053,9,1/1/2011 9:00,7"])
        assert (account["orders"]["rejected"], account["units_received"]) == (1, 7)
        assert account["orders_decided_otherwise"] == 0, "what was refused was refused with these lines"
    assert sorted((x.sku, x.quantity) for x in one.sent(Received)) == [
        ("71053", 1), ("71053", 7), ("85123A", 1), ("85123A", 3),
    ]  # fmt: skip
