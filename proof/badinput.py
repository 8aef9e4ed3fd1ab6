"""What nobody should send and somebody will: malformed records of both logs, one after the other, by a seed.

Pure: a seed gives the same records for ever. Two kinds (`readable`): what no log can hold, by construction and not
because our decoder says so; and records that are well-formed and cannot be true. Left out are the two that stop a
log on purpose (another `log_opened`, newer rules). Does not belong here: what becomes of them, good traffic.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from random import Random
from typing import NamedTuple, get_args

import msgspec

from proof.badvalues import LOTS, NAUGHTY, PLACES, SECRET, SKUS, TEXTS, said, shape, wrong_at
from tables import records as r
from tables.codec import encode, pack
from tables.murmur2 import partition_of

ORDERS, WAREHOUSE = "orders", "warehouse"
KINDS: dict[str, tuple[type[r.Record], ...]] = {ORDERS: get_args(r.OrderRecord), WAREHOUSE: get_args(r.StockRecord)}
STOPS = (r.LogOpened, r.LogicVersionSet)  # another one ends a partition, as it should
# What the agents say to each other: an auditor rightly asks who said it.
AGENTS = (
    r.ReserveAnswered, r.MoveAnswered, r.BackorderFilled, r.ReservationOverdue, r.DeadlineReached, r.AskAgain,
    r.FillBackorders, r.LotsContinued, r.WindowContinued, r.Reserve, r.Move, r.Hold, r.Allocate, r.Release,
    r.Backorder, r.Picked, r.KitPartMoved, r.Prune,
)  # fmt: skip
EVERY_HUNDREDTH, NOW_AND_THEN = 100, 2_000


class Bad(NamedTuple):
    """A record to send. `readable`: well-formed, however false; else each of its `items` is a dead letter."""

    name: str
    topic: str
    partition: int
    key: bytes | None
    value: bytes | None
    readable: bool
    items: int = 1


def bad_records(seed: int, count: int, partitions: int, *, agents: bool = False) -> Iterator[Bad]:
    """So many records, to both logs and all partitions. `agents`: well-formed ones may be the agents' own words too."""
    rng = Random(seed)
    for n in range(count):
        topic = rng.choice((ORDERS, WAREHOUSE))
        if n % NOW_AND_THEN == NOW_AND_THEN - 1:
            name, make = _HEAVY[n // NOW_AND_THEN % len(_HEAVY)]
        elif n % EVERY_HUNDREDTH == EVERY_HUNDREDTH - 1:
            name, make = _COSTLY[n // EVERY_HUNDREDTH % len(_COSTLY)]
        elif rng.random() < 0.35:
            name, make = "impossible", impossible
        else:
            name, make = rng.choice(_CHEAP)
        value, readable, items = make(rng, topic, agents, f"bad-{seed}-{n}")
        yield Bad(name, topic, *_address(rng, value, partitions, readable=readable), value, readable, items)


def _address(rng: Random, value: bytes | None, partitions: int, *, readable: bool) -> tuple[int, bytes | None]:
    """Its own partition or any, under a key of its own, of somebody else, or none."""
    key = rng.choice((None, b"", b"foreign", rng.randbytes(9), rng.choice(NAUGHTY).encode()))
    if readable and rng.random() < 0.8 and (found := _OWNER.search(value or b"")):
        return partition_of(msgspec.json.decode(found[1]), partitions), msgspec.json.decode(found[1]).encode()
    return rng.randrange(partitions), key


_OWNER = re.compile(rb'"(?:order_id|sku)":("(?:[^"\\]|\\.)*")')
Made = tuple[bytes | None, bool, int]  # value, readable, items


def _kind(rng: Random, topic: str, *, agents: bool = True) -> type[r.Record]:
    return rng.choice([k for k in KINDS[topic] if k not in STOPS and (agents or k not in AGENTS)])


# -- recipes: what cannot be read --------------------------------------------------------------------------------------


def _dead(value: bytes | None, items: int = 1) -> Made:
    return value, False, items


def _noise(rng: Random, topic: str, agents: bool, record_id: str) -> Made:
    return _dead(b"\xfe" + rng.randbytes(rng.randint(0, 300)))


def _nothing(rng: Random, topic: str, agents: bool, record_id: str) -> Made:
    return _dead(
        rng.choice((None, b"", b" ", b"null", b"true", b"0", b"[]", b'""', b"{}", b"\n\n", b"\x00", b"\xef\xbb\xbf{}"))
    )


def _cut(rng: Random, topic: str, agents: bool, record_id: str) -> Made:
    value = encode(said(rng, _kind(rng, topic), record_id))
    return _dead(value[: rng.randint(1, len(value) - 1)])


def _tail(rng: Random, topic: str, agents: bool, record_id: str) -> Made:
    value = encode(said(rng, _kind(rng, topic), record_id))
    return _dead(value + rng.choice((b"}", b",", b"null", value, b"\x00", b"\xff", b"//")))


def _flipped(rng: Random, topic: str, agents: bool, record_id: str) -> Made:
    """A byte that no JSON may have: a control character anywhere, half a letter within a text."""
    value = bytearray(encode(said(rng, _kind(rng, topic), record_id)))
    if rng.random() < 0.5:
        value[rng.randrange(len(value))] = rng.choice((0x00, 0x01, 0x1F))
    else:
        value[value.index(record_id.encode())] = rng.choice((0x80, 0xC0, 0xFF))
    return _dead(bytes(value))


def _wrong(rng: Random, topic: str, agents: bool, record_id: str) -> Made:
    """One field of one kind holds what it cannot."""
    kind = rng.choice(KINDS[topic])
    return _dead(wrong_at(rng, kind, rng.choice(shape(kind).fields).encode_name, record_id))


def _missing(rng: Random, topic: str, agents: bool, record_id: str) -> Made:
    kind = rng.choice(KINDS[topic])
    record = said(rng, kind, record_id)
    del record[rng.choice(["type", *(f.encode_name for f in shape(kind).fields if f.required)])]
    return _dead(encode(record))


def _no_type(rng: Random, topic: str, agents: bool, record_id: str) -> Made:
    other = rng.choice([k for k in KINDS[WAREHOUSE if topic == ORDERS else ORDERS] if k not in KINDS[topic]])
    names = ("", "nothing", "Received", "RECEIVED", SECRET, f"'{SECRET}'", 7, None, True, [], {}, "order_placed ")
    return _dead(encode(said(rng, other, record_id)
                        | ({"type": rng.choice(names)} if rng.random() < 0.7 else {})))  # fmt: skip


def _keys(rng: Random, topic: str, agents: bool, record_id: str) -> Made:
    """JSON as other dialects write it."""
    value = encode(said(rng, _kind(rng, topic), record_id))
    return _dead(rng.choice((
        value.replace(b'"', b"'"), value[:-1] + b",}", b"// " + value, value.replace(b":", b"=", 1),
        b"[" + value + b"]",
        value.replace(b'"type"', b"type", 1), value[:-1] + b',"more":NaN}',
        value.decode().encode("utf-16"), b"\xef\xbb\xbf" + value, value.decode().encode("utf-7", "replace")[1:],
    )))  # fmt: skip


def _packs(rng: Random, topic: str, agents: bool, record_id: str) -> Made:
    """Packed records that are none: nested, empty, torn, under another name, with items of the other log."""
    good = encode(said(rng, _kind(rng, topic), record_id))
    other = encode({"type": "reserve_answered" if topic == WAREHOUSE else "reserve", "id": record_id})
    return rng.choice((
        _dead(pack([])), _dead(pack([pack([good])])), _dead(pack([b"1", b'"x"', b"null", b"[]"]), 4),
        _dead(pack([other, other]), 2), _dead(pack([good])[:-2]), _dead(b'{"type":"packed","items":{}}'),
        _dead(b'{"type":"packed","items":null}'), _dead(b'{"type":"packed"}'), _dead(b'{"items":[],"type":"packed"}'),
        _dead(b' {"type":"packed","items":[' + good + b"]}"), _dead(b'{"type":"packed","items":[' + good + b",]}"),
        _dead(pack([b'{"type":"packed","items":[]}', b"{}"]), 2), _dead(b'{"type":"packed","items":[{]}'),
    ))  # fmt: skip


def _bomb(rng: Random, topic: str, agents: bool, record_id: str) -> Made:
    """Nested deeper than anybody reads."""
    deep = rng.choice((2_000, 20_000, 100_000))
    value = encode(said(rng, _kind(rng, topic), record_id))[:-1]
    return _dead(rng.choice((
        b"[" * deep, b'{"a":' * deep, b"[" * deep + b"]" * deep, value + b',"more":' + b"[" * deep + b"]" * deep + b"}",
        value + b',"more":' + b'{"a":' * deep + b"1" + b"}" * deep + b"}",
        b'{"type":' + b"[" * deep + b"]" * deep + b"}", pack([b"[" * deep + b"]" * deep]),
    )))  # fmt: skip


def _thousand_and_one(rng: Random, topic: str, agents: bool, record_id: str) -> Made:
    tick = encode(r.Tick(id=record_id, now_ms=0))
    return _dead(pack([tick] * (r.ITEMS_MAX + 1)))


def _too_large(rng: Random, topic: str, agents: bool, record_id: str) -> Made:
    value = encode(said(rng, _kind(rng, topic), record_id))
    return _dead(value[:-1] + b',"more":"' + SECRET.encode() * (r.RECORD_BYTES_MAX // 16) + b'"}')


def _too_many_lines(rng: Random, topic: str, agents: bool, record_id: str) -> Made:
    kind = r.OrderPlaced if topic == ORDERS else r.Reserve
    return _dead(encode(said(rng, kind, record_id) | {"lines": [{"sku": "A", "quantity": 1}] * (r.LINES_MAX + 1)}))


# -- recipes: what can be read and cannot be true ----------------------------------------------------------------------


def impossible(rng: Random, topic: str, agents: bool, record_id: str) -> Made:
    """Any record at the edges of its types: orders nobody placed, days no calendar has, a billion of everything."""
    kind = _kind(rng, topic, agents=agents)
    if rng.random() < 0.03:
        record_id = rng.choice(NAUGHTY)  # an id used by others, with other content
    return encode(said(rng, kind, record_id)), True, 1


def _unknown_fields(rng: Random, topic: str, agents: bool, record_id: str) -> Made:
    """Newer writers may say more than we know: read as if they had not."""
    record = said(rng, _kind(rng, topic, agents=agents), record_id)
    more = encode({rng.choice(("more", "__proto__", "", "x" * 300)): rng.choice((*TEXTS, 10**18, [[{}]], None))})
    return encode(record)[:-1] + b"," + rng.choice((more[1:], b'"\xff":1}')), True, 1


def _pack_of_impossible(rng: Random, topic: str, agents: bool, record_id: str) -> Made:
    """Of several partitions, among them what cannot be read."""
    items = [impossible(rng, topic, agents, f"{record_id}.{n}")[0] or b"" for n in range(rng.randint(1, 8))]
    return pack([*items, b'{"type":""}']), True, len(items) + 1


def _large(rng: Random, topic: str, agents: bool, record_id: str) -> Made:
    """As much as a record may hold: lines, kits, texts."""
    lines = [{"sku": f"{'s' * 100}-{n}", "quantity": rng.choice((1, 0, -1, r.WANTED_MAX))} for n in range(r.LINES_MAX)]
    order_id = f"large-{record_id}"
    if topic == WAREHOUSE:
        place = {"sku": SKUS[0], "location": PLACES[0]}
        return encode(rng.choice((
            {"type": "shipped", "id": record_id, **place, "quantity": 1, "channel": SECRET * 50_000},
            {"type": "lot_defined", "id": record_id, "sku": SKUS[0], "lot": LOTS[0], "documents": ["d" * 500] * 20},
            {"type": "kit_assembled", "id": record_id, **place, "quantity": r.QUANTITY_MAX, "lot": LOTS[0],
             "parts": [{"sku": f"BAD-{n}", "quantity": r.QUANTITY_MAX} for n in range(50)]},
        ))), True, 1  # fmt: skip
    return encode(rng.choice((
        {"type": "order_placed", "id": record_id, "order_id": order_id, "channel": "c" * 128, "lines": lines,
         "locations": ["L" * 63 + str(n % 10) for n in range(20)], "policy": "backorder", "payment": "paid"},
        {"type": "order_placed", "id": record_id, "order_id": order_id, "channel": "c", "locations": [PLACES[0]],
         "lines": [{"sku": "KIT-1", "quantity": r.WANTED_MAX}] * r.LINES_MAX},
        {"type": "kit_set", "id": record_id, "kit": "KIT-1", "parts": [{"sku": x, "quantity": 10_000} for x in SKUS]},
        {"type": "kit_set", "id": record_id, "kit": "KIT-2", "parts": [{"sku": "KIT-1", "quantity": 10_000}]},
        {"type": "order_edited", "id": record_id, "order_id": "o:1:0", "lines": [
            {"sku": f"{'s' * 120}-{n}", "quantity": r.QUANTITY_MAX} for n in range(100)]},
    ))), True, 1  # fmt: skip


Recipe = Callable[[Random, str, bool, str], Made]
_CHEAP: list[tuple[str, Recipe]] = [
    ("wrong", _wrong), ("wrong", _wrong), ("wrong", _wrong), ("missing", _missing), ("no type", _no_type),
    ("noise", _noise), ("nothing", _nothing), ("cut", _cut), ("tail", _tail), ("flipped", _flipped),
    ("dialect", _keys), ("packs", _packs), ("unknown fields", _unknown_fields), ("mixed pack", _pack_of_impossible),
]  # fmt: skip
_COSTLY: list[tuple[str, Recipe]] = [
    ("bomb", _bomb),
    ("1,001 items", _thousand_and_one),
    ("2,001 lines", _too_many_lines),
]
_HEAVY: list[tuple[str, Recipe]] = [("too large", _too_large), ("large", _large), ("large", _large)]
RECIPES = tuple(dict.fromkeys(name for name, _ in (("impossible", impossible), *_CHEAP, *_COSTLY, *_HEAVY)))
