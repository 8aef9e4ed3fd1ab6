"""Values for records nobody should send: what a field's type allows, rather an extreme one, and what it cannot have.

Pure; by introspection of the types in `tables.records`, so that a field yet to come is covered. What cannot be is known
from the type, not because our decoder says so. Does not belong here: whole records of other kinds of bad (`badinput`).
"""

from __future__ import annotations

import re
from functools import lru_cache
from random import Random
from typing import Any

from msgspec import Raw, inspect

from tables import records as r
from tables.codec import encode

SECRET = "4111111111111111"  # stands in everything unreadable that can carry text: no reason may repeat it
SKUS = ("BAD-1", "BAD-2", "BAD-3", "bad.4", "KIT-1", "KIT-2", "x" * 64)
PLACES = ("NOWHERE", "W-BAD", "y" * 64)
LOTS = ("BAD-LOT", "!", "z" * 20)
NAUGHTY = (
    "null", "undefined", "NaN", "0", "-1", "1e309", "true", "[]", "{}", "\u0000", "\u0001\u001f\u007f",
    "\r\nX-Injected: 1",
    "\u202e\u2066txt.exe\u2069", "\ufeffbom", "\u200b", "\ufffe\uffff", "e\u0301\u0300\u0302\u0303" * 9,
    "\u00df\u0130\u0131", "\U0001f969" * 32,
    "\U0001f468\u200d\U0001f469\u200d\U0001f467", "'; DROP TABLE orders; --", "' OR '1'='1", "\"quoted\" 'both'",
    "<script>alert(1)</script>",
    "<img src=x onerror=alert(1)>", "../../../etc/passwd", "C:\\CON\\..\\aux", "%00%0a%ff", "{{7*7}}${7*7}#{7*7}",
    "|", "a|b|c", "order|o|1", "res|", "=1+1", "@SUM(A1)", "$(reboot)", "`reboot`", "\\u0000\\", "\t \n", " ",
    "__proto__", "constructor", "x" * 128, "\u6f22" * 128, "o:1:0", "open",
)  # fmt: skip
DAYS = ("0000-01-01", "0001-01-01", "1969-12-31", "2026-02-30", "2025-02-29", "2026-06-31", "9999-12-31", "2026-11-24")
CLOCKS = ("T00:00:00Z", "T23:59:60Z", "T23:59:59.999999999-23:59", "T00:00:00+23:59")
TEXTS = (
    *NAUGHTY,
    *SKUS,
    *PLACES,
    *LOTS,
    *DAYS,
    *(d + c for d in DAYS for c in CLOCKS),
    "",
    "12345678",
    "TR-1",
    "w" * 500,
)
_NUMBERS = (b"1.5", b"-0.1", b"1e309", b"-1e400", b"1E+9999", b"NaN", b"Infinity", b"-Infinity", b"0x1F", b"01",
            b"1_000", b"+1", b".5", b"true", b"false", b"null", b'"1"', b"[]", b"{}", b"[1]", b"9" * 400)  # fmt: skip
_WRONG_NUMBERS = tuple(Raw(x) for x in _NUMBERS)
_NO_TEXT = (True, False, 0, -1, 1.5, [], ["a"], {}, {"a": 1}, Raw(b'"\xff\xfe"'), Raw(b'"\xc0\xaf"'),
            Raw(b'"\xed\xa0\x80"'), Raw(b'"\\ud800"'), Raw(b'"\\x41"'), Raw(b'"a\nb"'))  # fmt: skip


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
def shape(kind: type[r.Record]) -> Any:
    return inspect.type_info(kind)


def said(rng: Random, kind: type[r.Record], record_id: str) -> dict[str, Any]:
    """A record of this kind as it stands on the wire, every field allowed."""
    return {"type": kind.__struct_config__.tag} | allowed(rng, shape(kind)) | {"id": record_id}


def wrong_at(rng: Random, kind: type[r.Record], field: str, record_id: str) -> bytes:
    """A record of this kind whose field holds what it cannot; everything else is allowed."""
    of = next(f.type for f in shape(kind).fields if f.encode_name == field)
    return encode(said(rng, kind, record_id) | {field: refused(rng, of)})
