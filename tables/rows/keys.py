"""The keys of rows. A prefix up to a `|` names a group that is looked up together."""

from __future__ import annotations


def sku_key(sku: str) -> str:
    return f"sku|{sku}"


def stock_key(sku: str, location: str) -> str:
    return f"stock|{sku}|{location}"


def lot_key(sku: str, location: str, lot: str) -> str:
    return f"lot|{sku}|{location}|{lot}"


def demand_key(sku: str, location: str, day: str) -> str:
    return f"demand|{sku}|{location}|{day}"


def reservation_key(order_id: str, attempt: int) -> str:
    return f"res|{order_id}|{attempt}"


def fact_key(fact_id: str) -> str:
    return f"fact|{fact_id}"


def batch_key(sku: str, lot: str) -> str:
    return f"batch|{sku}|{lot}"


def recall_key(lot: str) -> str:
    return f"recall|{lot}"


def trace_key(lot: str, place: int, number: int) -> str:
    return f"trace|{lot}|{place:016x}.{number:03x}"


def incoming_key(sku: str, location: str, reference: str) -> str:
    return f"incoming|{sku}|{location}|{reference}"


def count_key(sku: str, location: str) -> str:
    return f"count|{sku}|{location}"


def queue_key(sku: str, location: str, place: int) -> str:
    return f"queue|{sku}|{location}|{place:016x}"


def channel_key(channel: str) -> str:
    return f"channel|{channel}"


def kit_key(sku: str) -> str:
    return f"kit|{sku}"


def expiry_key(place: int) -> str:
    return f"expiry|{place:016x}"


def order_key(order_id: str) -> str:
    return f"order|{order_id}"
