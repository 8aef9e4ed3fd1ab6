"""What nobody should send and somebody will: malformed records of both logs, one after the other, by a seed.

Pure: a seed gives the same records for ever. Made of the types in `tables.records` by introspection: a new record or
field is covered without a word here. Two kinds (`readable`): what no log can hold, by construction and not because our
decoder says so; and records that are well-formed and cannot be true. Left out are the two that stop a log on purpose
(another `log_opened`, newer rules). Does not belong here: what becomes of them (the tests), good traffic.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from functools import lru_cache
from random import Random
from typing import Any, NamedTuple, get_args

import msgspec
from msgspec import Raw, inspect

from tables import records as r
from tables.codec import encode, pack
from tables.murmur2 import partition_of

ORDERS, WAREHOUSE = "orders", "warehouse"
KINDS: dict[str, tuple[type[r.Record], ...]] = {ORDERS: get_args(r.OrderRecord), WAREHOUSE: get_args(r.StockRecord)}
STOPS = (r.LogOpened, r.LogicVersionSet)  # another one ends a partition, as it should
# What the agents say to each other: an auditor rightly asks who said it.
AGENTS = (
    r.ReserveAnswered, r.MoveAnswered, r.BackorderFilled, r.ReservationOverdue, r.DeadlineReached, r.AskAgain,
    r.FillBackorders, r.LotsContinued, r.Reserve, r.Move, r.Hold, r.Allocate, r.Release, r.Backorder, r.Picked,
    r.KitPartMoved, r.Prune,
)  # fmt: skip
SECRET = "4111111111111111"  # stands in everything unreadable that can carry text: no reason may repeat it
EVERY_HUNDREDTH, NOW_AND_THEN = 100, 2_000

SKUS = ("BAD-1", "BAD-2", "BAD-3", "bad.4", "KIT-1", "KIT-2", "x" * 64)
PLACES = ("NOWHERE", "W-BAD", "y" * 64)
LOTS = ("BAD-LOT", "!", "z" * 20)
NAUGHTY = (
    "null", "undefined", "NaN", "0", "-1", "1e309", "true", "[]", "{}", "\u0000", "\u0001\u001f\u007f", "\r\nX-Injected: 1",
    "\u202e\u2066txt.exe\u2069", "\ufeffbom", "\u200b", "\ufffe\uffff", "e\u0301\u0300\u0302\u0303" * 9, "\u00df\u0130\u0131", "\U0001f969" * 32,
    "\U0001f468\u200d\U0001f469\u200d\U0001f467", "'; DROP TABLE orders; --", "' OR '1'='1", "\"quoted\" 'both'", "<script>alert(1)</script>",
    "<img src=x onerror=alert(1)>", "../../../etc/passwd", "C:\\CON\\..\\aux", "%00%0a%ff", "{{7*7}}${7*7}#{7*7}",
    "|", "a|b|c", "order|o|1", "res|", "=1+1", "@SUM(A1)", "$(reboot)", "`reboot`", "\\u0000\\", "\t \n", " ",
    "__proto__", "constructor", "x" * 128, "\u6f22" * 128, "o:1:0", "open",
)  # fmt: skip
DAYS = ("0000-01-01", "0001-01-01", "1969-12-31", "2026-02-30", "2025-02-29", "2026-06-31", "9999-12-31", "2026-11-24")
CLOCKS = ("T00:00:00Z", "T23:59:60Z", "T23:59:59.999999999-23:59", "T00:00:00+23:59")
TEXTS = (*NAUGHTY, *SKUS, *PLACES, *LOTS, *DAYS, *(d + c for d in DAYS for c in CLOCKS), "", "12345678", "TR-1", "w" * 500)
_WRONG_NUMBERS = tuple(
    Raw(x) for x in (b"1.5", b"-0.1", b"1e309", b"-1e400", b"1E+9999", b"NaN", b"Infinity", b"-Infinity", b"0x1F",
                     b"01", b"1_000", b"+1", b".5", b"true", b"false", b"null", b'"1"', b"[]", b"{}", b"[1]",
                     b"9" * 400)  # fmt: skip
)
_NO_TEXT = (True, False, 0, -1, 1.5, [], ["a"], {}, {"a": 1}, Raw(b'"\xff\xfe"'), Raw(b'"\xc0\xaf"'),
            Raw(b'"\xed\xa0\x80"'), Raw(b'"\\ud800"'), Raw(b'"\\x41"'), Raw(b'"a\nb"'))  # fmt: skip


class Bad(NamedTuple):
    """A record to send. `readable`: well-formed, however false; else each of its `items` belongs to the dead letters."""

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


# -- by introspection: a value that a type allows, and one that it does not ---------------------------------------------


@lru_cache
def _texts(pattern: str | None, least: int, most: int) -> tuple[str, ...]:
    fit = re.compile(pattern or "")
    return tuple(x for x in TEXTS if least <= len(x) <= most and fit.search(x))


def allowed(rng: Random, of: Any) -> Any:
    """A value of this type, rather an extreme one."""
    match of:
        case inspect.IntType():
            low, high = of.ge if of.ge is not None else -(1 << 63), of.le if of.le is not None else (1 << 63) - 1
            high = min(high, of.lt - 1) if of.lt is not None else high
            return rng.choice((low, high, min(high, max(low, rng.randint(-1, 12))), min(high, max(low, 1))))
        case inspect.StrType():
            return rng.choice(_texts(of.pattern, of.min_length or 0, of.max_length or 1_000))
        case inspect.BoolType():
            return rng.random() < 0.5
        case inspect.FloatType():
            return rng.choice((0.0, -1.5, 1e308))
        case inspect.NoneType():
            return None
        case inspect.LiteralType():
            return rng.choice(of.values)
        case inspect.UnionType():
            return allowed(rng, rng.choice(of.types))
        case inspect.ListType():
            least, most = of.min_length or 0, min(of.max_length or 5, 5)
            return [allowed(rng, of.item_type) for _ in range(rng.randint(least, max(least, most)))]
        case inspect.StructType():
            return {f.encode_name: _field(rng, f) for f in of.fields if f.required or rng.random() < 0.5}
        case _:
            raise TypeError(f"a type that no record had yet: {of}")


def _field(rng: Random, field: Any) -> Any:
    """Names come from few, so that records meet each other."""
    few = {"sku": SKUS, "kit": SKUS, "location": PLACES, "to": PLACES, "lot": LOTS, "kit_lot": LOTS}.get(field.name)
    if few and isinstance(field.type, inspect.StrType) and rng.random() < 0.9:
        return rng.choice(few)
    return allowed(rng, field.type)


def refused(rng: Random, of: Any) -> Any:
    """A value that this type cannot have, known from the type alone."""
    match of:
        case inspect.IntType():
            beyond = [Raw(str(x).encode()) for low, x in ((of.ge, -1), (of.le, 1)) if low is not None
                      for x in (low + x, low + x * 10**30)]  # fmt: skip
            return rng.choice((*_WRONG_NUMBERS, *beyond))
        case inspect.StrType():
            long = "\u6f22" * (of.max_length + 1) if of.max_length else 7
            return rng.choice((*_NO_TEXT, None, long, "a\u0000|" if of.pattern else 0))
        case inspect.BoolType():
            return rng.choice((0, 1, "true", "", [], {}, None, Raw(b"True")))
        case inspect.LiteralType():
            return rng.choice((SECRET, f"{SECRET}'s", f"'{SECRET}\"", f"\n{SECRET}", "\ud7ff", 1, True, None, [], {}))
        case inspect.UnionType():
            some = [x for x in of.types if not isinstance(x, inspect.NoneType)]
            return next(x for x in iter(lambda: refused(rng, rng.choice(some)), of) if not _is_null(x) and x != "")
        case inspect.ListType():
            if of.max_length and of.max_length <= 200 and rng.random() < 0.2:
                return [allowed(rng, of.item_type) for _ in range(of.max_length + 1)]
            return rng.choice(({}, 0, True, "[]", None, [refused(rng, of.item_type)]))
        case inspect.StructType():
            empty = {} if any(f.required for f in of.fields) else 1
            return rng.choice(([], 1, True, "{}", None, empty, _one_wrong(rng, of)))
        case _:
            raise TypeError(f"a type that no record had yet: {of}")


def _is_null(value: Any) -> bool:
    return value is None or (isinstance(value, Raw) and bytes(value) == b"null")


def _one_wrong(rng: Random, of: Any) -> dict[str, Any]:
    said: dict[str, Any] = allowed(rng, of)
    field = rng.choice(of.fields)
    return said | {field.encode_name: refused(rng, field.type)}


@lru_cache
def _shape(kind: type[r.Record]) -> Any:
    return inspect.type_info(kind)


def said(rng: Random, kind: type[r.Record], record_id: str) -> dict[str, Any]:
    """A record of this kind as it stands on the wire, every field allowed."""
    return {"type": kind.__struct_config__.tag} | allowed(rng, _shape(kind)) | {"id": record_id}


def wrong_at(rng: Random, kind: type[r.Record], field: str, record_id: str) -> bytes:
    """A record of this kind whose field holds what it cannot; everything else is allowed."""
    of = next(f.type for f in _shape(kind).fields if f.encode_name == field)
    return encode(said(rng, kind, record_id) | {field: refused(rng, of)})


def _kind(rng: Random, topic: str, *, agents: bool = True) -> type[r.Record]:
    return rng.choice([k for k in KINDS[topic] if k not in STOPS and (agents or k not in AGENTS)])


# -- recipes: what cannot be read --------------------------------------------------------------------------------------


def _dead(value: bytes | None, items: int = 1) -> Made:
    return value, False, items


def _noise(rng: Random, topic: str, agents: bool, record_id: str) -> Made:
    return _dead(b"\xfe" + rng.randbytes(rng.randint(0, 300)))


def _nothing(rng: Random, topic: str, agents: bool, record_id: str) -> Made:
    return _dead(rng.choice((None, b"", b" ", b"null", b"true", b"0", b"[]", b'""', b"{}", b"\n\n", b"\x00", b"\xef\xbb\xbf{}")))


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
    return _dead(wrong_at(rng, kind, rng.choice(_shape(kind).fields).encode_name, record_id))


def _missing(rng: Random, topic: str, agents: bool, record_id: str) -> Made:
    kind = rng.choice(KINDS[topic])
    record = said(rng, kind, record_id)
    del record[rng.choice(["type", *(f.encode_name for f in _shape(kind).fields if f.required)])]
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
        value.replace(b'"', b"'"), value[:-1] + b",}", b"// " + value, value.replace(b":", b"=", 1), b"[" + value + b"]",
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
_COSTLY: list[tuple[str, Recipe]] = [("bomb", _bomb), ("1,001 items", _thousand_and_one), ("2,001 lines", _too_many_lines)]
_HEAVY: list[tuple[str, Recipe]] = [("too large", _too_large), ("large", _large), ("large", _large)]
RECIPES = tuple(dict.fromkeys(name for name, _ in (("impossible", impossible), *_CHEAP, *_COSTLY, *_HEAVY)))
