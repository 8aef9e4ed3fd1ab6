"""The importer on a real broker: stock first, at most 1,000 undecided, the same again changes nothing."""

from __future__ import annotations

import contextlib
import json
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from fractions import Fraction
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as parquet
import pytest
from confluent_kafka import Producer
from msgspec.structs import replace

from connectors.files import importer
from connectors.files.importer import ImportStalled, run_import
from connectors.files.plan import Plan, plan_import
from connectors.files.presets import PRESETS
from connectors.files.reading import open_file
from connectors.files.report import summary
from connectors.outlet import DeliveryFailed, Outlet
from streams import reader
from streams.commands.importing import import_app
from streams.settings import Settings, producer_config
from streams.topics import DEAD_LETTERS, STOCK_LEVELS
from tables.codec import STOCK_LOG, encode
from tables.murmur2 import partition_of
from tables.records import LogOpened, OrderPlaced, Received, SkuDefined, StockLevels


def rows(orders: int, dead: int = 0) -> list[dict[str, Any]]:
    """Baskets of one piece each, `dead` of nothing at the end."""
    return [
        {"basket_id": n, "product_id": n % 7, "quantity": int(n < orders), "household_id": 1}
        for n in range(orders + dead)
    ]


def plan_of(path: Path, orders: int, dead: int = 0) -> Plan:
    parquet.write_table(pa.Table.from_pylist(rows(orders, dead)), path)
    return plan_import(open_file(path), PRESETS["complete-journey"], (), Fraction(1))


def values(settings: Settings, topic: str) -> list[Any]:
    return [m for batch in reader.read_to_end(settings, topic, contiguous=True) for m in batch]


def test_every_order_is_decided_and_counted(open_logs: Settings, decider: Callable[..., Any], tmp_path: Path) -> None:
    decider(lambda order: "rejected" if order.order_id.endswith("7") else "confirmed")
    done = run_import(open_logs, plan_of(tmp_path / "a.parquet", 100, dead=3))
    assert (done.placed, done.sent_orders) == (100, 100)
    assert done.statuses == {"confirmed": 90, "rejected": 10, "expired": 0}
    assert done.reasons == {"test": 10}
    account = summary(plan_of(tmp_path / "a.parquet", 100, dead=3), done, 1.0)
    assert account["classes"] == {"line": 100, "not_a_product": 0, "cancellation": 0, "impossible_quantity": 3}


def test_receipts_lie_in_the_log_before_the_first_order_is_sent(
    open_logs: Settings, decider: Callable[..., Any], tmp_path: Path
) -> None:
    there: list[int] = []

    def decide(order: OrderPlaced) -> str:
        if not there:
            there.append(sum(reader.last_offsets(open_logs, "warehouse").values()))
        return "confirmed"

    decider(decide)
    run_import(open_logs, plan_of(tmp_path / "a.parquet", 50))
    messages = values(open_logs, "warehouse")
    records = [(m, x) for m in messages for x in STOCK_LOG.items(m.value()) if not isinstance(x, LogOpened)]
    assert there == [len(messages)] == [4 + 2 * 7]
    assert all(m.partition() == partition_of(x.sku, 4) and m.key().decode() == x.sku for m, x in records)


def publish_levels(settings: Settings, *skus: str, deleted: tuple[str, ...] = ()) -> None:
    """As the stock agent would: SKUs with a master, and `deleted` ones after them."""
    producer, name = Producer(producer_config(settings)), settings.prefix + STOCK_LEVELS.name
    for sku in (*skus, *deleted):
        levels = StockLevels(
            id=sku, sku=sku, available=0, on_hand=0, flavor="Teriyaki", packaging="Bag", size="50 g",
            gtin="4006381333931", discontinued=True, locations=[], version=(1, 1, 0),
        )  # fmt: skip
        producer.produce(name, encode(levels), sku)
    for sku in deleted:
        producer.produce(name, None, sku)
    assert producer.flush(30) == 0


def sent_for_stock(settings: Settings, kind: type[Any]) -> list[Any]:
    found = [x for m in values(settings, "warehouse") for x in STOCK_LOG.items(m.value()) if isinstance(x, kind)]
    return sorted(found, key=lambda x: x.sku)


def test_skus_that_have_levels_keep_their_master_and_receive_their_units(
    open_logs: Settings, decider: Callable[..., Any], tmp_path: Path
) -> None:
    publish_levels(open_logs, "3", "5", "of another file", deleted=("6",))
    decider()
    read: list[int] = []
    run_import(open_logs, plan_of(tmp_path / "a.parquet", 70), on_read=read.append)
    assert [x.sku for x in sent_for_stock(open_logs, SkuDefined)] == ["0", "1", "2", "4", "6"]
    assert {x.sku: x.quantity for x in sent_for_stock(open_logs, Received)} == dict.fromkeys("0123456", 10)
    assert 4 <= sum(read) <= 5, "only the partitions of its SKUs are read"


def test_the_same_file_again_says_the_same_of_skus_that_have_levels_by_then(
    open_logs: Settings, decider: Callable[..., Any], tmp_path: Path
) -> None:
    decider()
    plan = plan_of(tmp_path / "a.parquet", 70)
    first = run_import(open_logs, plan)
    defined, received = (sent_for_stock(open_logs, kind) for kind in (SkuDefined, Received))
    publish_levels(open_logs, *plan.receipts)
    again = run_import(open_logs, plan)
    assert sent_for_stock(open_logs, SkuDefined) == defined, "none of them a second time"
    assert sent_for_stock(open_logs, Received) == received, "nor received a second time"
    accounts = [summary(plan, done, 1.0) for done in (first, again)]
    for account in accounts:
        del account["orders_sent_now"], account["orders_per_second"]
    assert accounts[0] == accounts[1]


def test_never_more_than_a_thousand_orders_are_undecided(
    open_logs: Settings, decider: Callable[..., Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(importer, "UNDECIDED_MAX", 10)
    answered = decider()
    done = run_import(open_logs, plan_of(tmp_path / "a.parquet", 300))
    assert done.statuses["confirmed"] == 300
    assert answered.batch_max <= 10


def test_an_order_that_another_run_gets_decided_while_this_one_waits_to_send_it_is_not_waited_for(
    open_logs: Settings, decider: Callable[..., Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(importer, "UNDECIDED_MAX", 1)
    first, second = [n for n in range(50) if partition_of(f"complete-journey:{n}", 4) == 0][:2]
    cells = [{"basket_id": n, "product_id": 1, "quantity": 1, "household_id": 1} for n in (first, second)]
    parquet.write_table(pa.Table.from_pylist(cells), tmp_path / "a.parquet")
    plan = plan_import(open_file(tmp_path / "a.parquet"), PRESETS["complete-journey"])

    def both(order: OrderPlaced) -> str:
        """The other run's order is decided first, and read by whoever reads the decision on this one."""
        if order.order_id == f"complete-journey:{first}":
            name = f"complete-journey:{second}"
            answered.answer(replace(order, id=name, order_id=name))
        return "confirmed"

    answered = decider(both)
    done = run_import(open_logs, plan, stall_seconds=5.0)
    assert (done.statuses["confirmed"], done.sent_orders) == (2, 1)


def test_the_same_file_again_sends_no_order_and_no_dead_letter(
    open_logs: Settings, decider: Callable[..., Any], tmp_path: Path
) -> None:
    decider()
    plan = plan_of(tmp_path / "a.parquet", 60, dead=5)
    first = run_import(open_logs, plan)
    again = run_import(open_logs, plan_of(tmp_path / "renamed.parquet", 60, dead=5))
    assert (first.sent_orders, again.sent_orders) == (60, 0)
    assert (again.placed, again.statuses) == (first.placed, first.statuses)
    assert len(values(open_logs, "dead-letters")) == 5


def test_two_imports_of_one_file_at_once_write_its_dead_letters_once(
    open_logs: Settings,
    decider: Callable[..., Any],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """Each looked what was there before the other had written."""
    both, look = threading.Barrier(2), importer._dead_letters_there

    def look_together(settings: Settings) -> importer._DeadLetters:
        there = look(settings)
        with contextlib.suppress(threading.BrokenBarrierError):
            both.wait(2.0)
        return there

    monkeypatch.setattr(importer, "_dead_letters_there", look_together)
    monkeypatch.setenv("SMOKEHOUSE_BOOTSTRAP", open_logs.bootstrap)
    monkeypatch.setenv("SMOKEHOUSE_PREFIX", open_logs.prefix)
    plan_of(tmp_path / "a.parquet", 10, dead=5)
    decider()
    tokens = ["orders", str(tmp_path / "a.parquet"), "--preset", "complete-journey", "--json"]
    with ThreadPoolExecutor() as pool:
        runs = [pool.submit(import_app, tokens, result_action="return_value") for _ in range(2)]
        for run in runs:
            run.result(60)
    assert len(values(open_logs, "dead-letters")) == 5
    assert capsys.readouterr().err.count("another import of this file is running") == 1


def test_an_import_that_stopped_half_way_goes_on_where_the_log_ends(
    open_logs: Settings, decider: Callable[..., Any], tmp_path: Path
) -> None:
    plan = plan_of(tmp_path / "a.parquet", 40)
    half = decider(lambda order: "confirmed" if int(order.order_id.partition(":")[2]) < 20 else "")
    with pytest.raises(ImportStalled, match=r"20 wait\. `smokehouse status`"):
        run_import(open_logs, plan, stall_seconds=4.0)  # the others are decided by then, on a busy machine too
    half.stop()
    recovered: list[Any] = []

    def caught_up(_: int) -> None:
        """Told first when the log is read: from then on all is decided, what is known already once more."""
        if not recovered:
            recovered.append(decider())

    done = run_import(open_logs, plan, on_decided=caught_up)
    assert (done.statuses["confirmed"], done.sent_orders) == (40, 20)


def test_units_given_back_are_waited_for_and_counted_once(
    open_logs: Settings, decider: Callable[..., Any], tmp_path: Path
) -> None:
    cells = [
        {"InvoiceNo": name, "StockCode": "85123A", "Quantity": n, "CustomerID": 1}
        for name, n in (("1", 9), ("C2", -4), ("C3", -5), ("C4", -1))
    ]
    parquet.write_table(pa.Table.from_pylist(cells), tmp_path / "a.parquet")
    plan = plan_import(open_file(tmp_path / "a.parquet"), PRESETS["online-retail"])
    decider()
    assert run_import(open_logs, plan).units_given_back == 9
    assert run_import(open_logs, plan).units_given_back == 9


def test_nothing_is_sent_to_a_log_that_is_not_open(open_logs: Settings, tmp_path: Path) -> None:
    unopened = open_logs.with_(prefix=open_logs.prefix + "none-")
    with pytest.raises(reader.ReadError, match="smokehouse"):
        run_import(unopened, plan_of(tmp_path / "a.parquet", 1))


def test_what_no_broker_would_take_is_told_with_what_became_of_the_others(embedded_settings: Settings) -> None:
    """librdkafka refuses it at once, in words of its own, and says nothing of what is there."""
    outlet = Outlet(embedded_settings)
    with pytest.raises(DeliveryFailed, match=r"dead-letters: .*too large; 0 records are on the log"):
        outlet.send(DEAD_LETTERS, b"key", b"x" * 2_000_000)
    with pytest.raises(DeliveryFailed, match="too large"):
        outlet.flush()


def test_a_replay_keeps_the_pace_of_the_file(open_logs: Settings, decider: Callable[..., Any], tmp_path: Path) -> None:
    cells = [
        {"basket_id": n, "product_id": 1, "quantity": 1, "transaction_timestamp": f"2017-01-01 00:00:{10 * n:02d}"}
        for n in range(3)
    ]
    parquet.write_table(pa.Table.from_pylist(cells), tmp_path / "a.parquet")
    decider()
    done = run_import(open_logs, plan_import(open_file(tmp_path / "a.parquet"), PRESETS["complete-journey"]), speed=20)
    assert 1.0 <= done.seconds < 15.0, "at the pace of the file it takes 20 s"


def test_the_command_gives_its_account_as_json(
    open_logs: Settings,
    decider: Callable[..., Any],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    plan_of(tmp_path / "a.parquet", 10, dead=1)
    monkeypatch.setenv("SMOKEHOUSE_BOOTSTRAP", open_logs.bootstrap)
    monkeypatch.setenv("SMOKEHOUSE_PREFIX", open_logs.prefix)
    decider()
    tokens = ["orders", str(tmp_path / "a.parquet"), "--preset", "complete-journey", "--json", "--stock-share", "0.8"]
    import_app(tokens, result_action="return_value")
    shown = capsys.readouterr()
    account = json.loads(shown.out)
    assert "1 dead letter, the first: impossible_quantity: row 11, column quantity: '0' stands where a" in shown.err
    assert "smokehouse tail dead-letters --from-beginning" in shown.err
    assert account["rows"] == sum(account["classes"].values()) == 11
    assert account["orders"] == {"placed": 10, "confirmed": 10, "rejected": 0, "expired": 0, "reasons": {}}


def test_a_file_without_one_code_of_a_product_says_what_the_preset_takes_for_one(
    open_logs: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "a.csv").write_text("InvoiceNo,StockCode,Quantity\n1,JRK-TERI-50,2\n")
    monkeypatch.setenv("SMOKEHOUSE_BOOTSTRAP", open_logs.bootstrap)
    monkeypatch.setenv("SMOKEHOUSE_PREFIX", open_logs.prefix)
    import_app(["orders", str(tmp_path / "a.csv"), "--preset", "online-retail"], result_action="return_value")
    assert "the preset online-retail knows them by ^[0-9]{5}[A-Z]{0,2}$" in capsys.readouterr().err


@pytest.mark.parametrize(
    "flags",
    [["--preset", "shoebox"], ["--speed", "0"], ["--stock-share", "-1"], ["--stock-share", "nan"], ["--map", "a=b"]],
)
def test_a_wrong_flag_ends_with_2_and_what_it_may_be(
    tmp_path: Path, flags: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    parquet.write_table(pa.Table.from_pylist(rows(1)), tmp_path / "a.parquet")
    preset = [] if "--preset" in flags else ["--preset", "complete-journey"]
    with pytest.raises(SystemExit) as ended:
        import_app(["orders", str(tmp_path / "a.parquet"), *flags, *preset])
    assert ended.value.code == 2
    assert flags[1] in capsys.readouterr().err
