"""Which records a person or a channel may tell the logs and `planning`, what each field may hold, and what is wrong.

Pure; made of the types in `tables.records`. Guarantees: a record without a complaint here is one its log's codec reads;
a complaint names its field (`lines[0].quantity`) and what is allowed there, and quotes no more than a few characters.
Does not belong here: how records are written.
"""

from __future__ import annotations

import types
from collections.abc import Iterator
from difflib import get_close_matches
from functools import lru_cache
from typing import Annotated, Any, Literal, Union, get_args, get_origin, get_type_hints

import msgspec

from forecasting import planning
from streams.topics import ORDERS, PLANNING, WAREHOUSE, Topic
from tables import records as r

OURS = ("id", "time", "type")  # every record has them
ID_MAX = 256  # characters
LOG_RECORDS: dict[Topic, tuple[type[r.Record], ...]] = {
    ORDERS: get_args(r.OrderRecord), WAREHOUSE: get_args(r.StockRecord), PLANNING: get_args(r.PlanningRecord),
}  # fmt: skip
# What the system says to itself, and the word that is meant for others where there is one.
ITS_OWN: dict[type[r.Record], str] = {
    r.LogOpened: "", r.LogicVersionSet: "", r.Tick: "", r.TickContinued: "", r.Prune: "",
    r.ReserveAnswered: "", r.MoveAnswered: "", r.BackorderFilled: "", r.ReservationOverdue: "", r.DeadlineReached: "",
    r.AskAgain: "", r.FillBackorders: "", r.LotsContinued: "recall_opened",
    r.WindowContinued: "policy_set",
    r.Reserve: "order_placed", r.Move: "", r.Hold: "check_opened", r.Allocate: "order_placed",
    r.Release: "cancel_requested", r.Backorder: "order_shipped", r.Picked: "order_picked",
    r.KitPartMoved: "kit_assembled",
}  # fmt: skip
_SAID_NOWHERE_ELSE = {
    r.PaymentCaptured: "The money is taken.",
    r.PaymentRefunded: "The money went back, or (`partial`) some of it.",
    r.PaymentVoided: "The promise of the money is off.",
    r.PaymentFailed: "The money did not come.",
    r.CheckPassed: "A check is passed.",
    r.CheckFailed: "A check is failed: the order is given up.",
    r.OrderPacked: "What was picked is in cartons. Without `location`: at all of the order's.",
    r.OrderDelivered: "Everything arrived.",
}
_OF_PATTERN = {
    msgspec.inspect.type_info(kind).pattern: words
    for kind, words in (
        (r.Sku, "1 to 64 letters, digits or . _ : -"),
        (r.Lot, "1 to 20 characters of GS1 set 82"),
        (r.Reference, "1 to 64 characters, no |"),
        (r.Tracking, "1 to 64 letters, digits, blanks or . _ : / -"),
        (r.Day, "a day, YYYY-MM-DD"),
        (r.Instant, "a time with its zone, 2026-03-02T09:15:00Z"),
    )
}


def type_name(kind: type[r.Record]) -> str:
    return str(kind.__struct_config__.tag)


TOLD: dict[str, type[r.Record]] = {
    type_name(kind): kind for kinds in LOG_RECORDS.values() for kind in kinds if kind not in ITS_OWN
}  # fmt: skip
NOT_TOLD = {type_name(kind): instead for kind, instead in ITS_OWN.items()}


def unknown(name: str) -> str:
    """Why no record of this type can be told, and which can."""
    if name in NOT_TOLD:
        instead = NOT_TOLD[name]
        return f"{name} is what the system says to itself" + (f"; tell it {instead}" if instead else "")
    near = get_close_matches(name, TOLD, n=1)
    hint = f" Did you mean {near[0]}?" if near else ""
    return f"no type {name!r}.{hint} There are: {', '.join(TOLD)}"


def logs_of(kind: type[r.Record]) -> list[Topic]:
    return [topic for topic, kinds in LOG_RECORDS.items() if kind in kinds]


def key_of(record: r.Record) -> str | None:
    """The key its partition is chosen by; None: it is for every partition."""
    if isinstance(record, r.EVERYWHERE):
        return None
    if isinstance(record, r.PlanningRecord):
        return planning.key_of(record)
    return str(getattr(record, "order_id" if logs_of(type(record)) == [ORDERS] else "sku"))


def meaning(kind: type[r.Record]) -> str:
    """The first paragraph of what the record says."""
    text = _SAID_NOWHERE_ELSE.get(kind) or kind.__doc__ or ""
    return " ".join(text.split("\n\n")[0].split())


@lru_cache
def fields(kind: type[msgspec.Struct]) -> dict[str, tuple[Any, msgspec.structs.FieldInfo]]:
    """Per field its type and what msgspec knows of it; of a record without what every record has."""
    hints = get_type_hints(kind, include_extras=True)
    ours = OURS if issubclass(kind, r.Record) else ()
    return {x.name: (hints[x.name], x) for x in msgspec.structs.fields(kind) if x.name not in ours}


def needed(field: msgspec.structs.FieldInfo) -> bool:
    return bool(field.required)


def default_text(field: msgspec.structs.FieldInfo) -> str:
    """What it is if it is not given."""
    value = field.default if field.default is not msgspec.NODEFAULT else field.default_factory()  # type: ignore[operator]
    return "" if value is None or value == "" or value == [] else msgspec.json.encode(value).decode()


# -- what is allowed ---------------------------------------------------------------------------------------------------


def allowed(hint: Any) -> str:
    """What a field of this type may hold, in words."""
    hint = _given(hint)
    if inner := _items(hint):
        return f"a list of: {allowed(inner)}{_length(hint)}"
    if _is_struct(hint):
        parts = (f"{name}{'' if needed(f) else '?'}: {allowed(kind)}" for name, (kind, f) in fields(hint).items())
        return "{" + "; ".join(parts) + "}"
    return _leaf(msgspec.inspect.type_info(hint))


def _leaf(info: Any) -> str:
    if isinstance(info, msgspec.inspect.BoolType):
        return "true or false"
    if isinstance(info, msgspec.inspect.IntType):
        low = info.ge if info.gt is None else info.gt + 1
        high = info.le if info.lt is None else info.lt - 1
        if low is None or high is None:
            edge = f", from {low:,} on" if low is not None else f" up to {high:,}" if high is not None else ""
            return f"a whole number{edge}"
        return f"a whole number, {low:,} to {high:,}"
    if isinstance(info, msgspec.inspect.FloatType):
        return "a number" if info.ge is None else f"a number, {info.ge:g} to {info.le:g}"
    if isinstance(info, msgspec.inspect.LiteralType):
        return "one of: " + ", ".join(str(value) for value in info.values if value != "")
    if isinstance(info, msgspec.inspect.UnionType):
        return " or ".join(_leaf(one) for one in info.types)
    if isinstance(info, msgspec.inspect.StrType):
        if info.pattern:
            return _OF_PATTERN.get(info.pattern, f"text like {info.pattern}")
        if info.max_length:
            return f"text, {info.min_length or 0} to {info.max_length} characters"
    return "text"


def _given(hint: Any) -> Any:
    """The type without `None`: what is not given is left out."""
    if get_origin(hint) in (Union, types.UnionType):
        rest = tuple(one for one in get_args(hint) if one is not type(None))
        return rest[0] if len(rest) == 1 else Union[rest]  # noqa: UP007 - of a tuple
    return hint


def _items(hint: Any) -> Any:
    """The type of a list's items; None if it is no list."""
    plain = get_args(hint)[0] if get_origin(hint) is Annotated else hint
    return get_args(plain)[0] if get_origin(plain) is list else None


def _length(hint: Any) -> str:
    info = msgspec.inspect.type_info(hint)
    if info.min_length and info.max_length:
        return f" ({info.min_length:,} to {info.max_length:,} of them)"
    return f" (at most {info.max_length:,})" if info.max_length else ""


def _is_struct(hint: Any) -> bool:
    return isinstance(hint, type) and issubclass(hint, msgspec.Struct)


def _is_text(hint: Any) -> bool:
    """Whether a value of this type stands as it is typed."""
    hint = _given(hint)
    info = msgspec.inspect.type_info(hint)
    if isinstance(info, msgspec.inspect.UnionType):
        return all(isinstance(one, msgspec.inspect.StrType | msgspec.inspect.LiteralType) for one in info.types)
    return isinstance(info, msgspec.inspect.StrType) or get_origin(hint) is Literal


def typed(kind: type[r.Record], given: dict[str, str]) -> dict[str, Any]:
    """Values as somebody typed them: text as it is, a list of texts with commas, anything else as JSON.

    What is no JSON stays text: `complaints` says what it should have been.
    """
    known = fields(kind)
    return {name: _typed(known[name][0], text) if name in known else text for name, text in given.items()}


def _typed(hint: Any, text: str) -> Any:
    if _is_text(hint):
        return text
    inner = _items(_given(hint))
    if inner is not None and _is_text(inner) and not text.startswith("["):
        return [part.strip() for part in text.split(",") if part.strip()]
    try:
        return msgspec.json.decode(text)
    except (msgspec.MsgspecError, UnicodeEncodeError, RecursionError):
        return text


# -- what is wrong -----------------------------------------------------------------------------------------------------


def complaints(kind: type[msgspec.Struct], given: dict[str, Any], where: str = "") -> Iterator[str]:
    """Everything that is wrong with these fields of a record, one sentence each."""
    known = fields(kind)
    for name in given:
        if name not in known:
            yield f"{where}{name}: there is no such field; there are: {', '.join(known)}"
    for name, (hint, field) in known.items():
        if name not in given:
            if needed(field):
                yield f"{where}{name} is missing: {allowed(hint)}"
        else:
            yield from _complaints(hint, given[name], where + name)


def _complaints(hint: Any, value: Any, where: str) -> Iterator[str]:
    if value is None and type(None) in get_args(hint):
        return
    hint = _given(hint)
    inner = _items(hint)
    if inner is not None and isinstance(value, list):
        below = [wrong for n, one in enumerate(value) for wrong in _complaints(inner, one, f"{where}[{n}]")]
        if below:
            yield from below
            return
    elif _is_struct(hint) and isinstance(value, dict):
        yield from complaints(hint, value, f"{where}.")
        return
    try:
        msgspec.convert(value, hint)
    except (msgspec.ValidationError, RecursionError):
        yield f"{where}: {_short(value)} is not allowed; give {allowed(hint)}"


def _short(value: Any) -> str:
    text = msgspec.json.encode(value).decode() if not isinstance(value, str) else repr(value)
    return text if len(text) <= 60 else text[:57] + "..."
