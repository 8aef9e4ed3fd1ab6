"""A variant: a model with certain rules, and the verdict it must come to.

Does not belong here: the variants there are (`catalogue`).
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

from proof.models.search import Model
from proof.models.workers import How, Workers, World

SAFE, UNSAFE = "safe", "unsafe"


class Variant(NamedTuple):
    """`product`: this is what the product does. `most`: states of an everyday run; None: all."""

    name: str
    says: str
    expected: str
    build: Callable[[], Model]
    most: int | None = None
    product: bool = False


def of_world(name: str, says: str, expected: str, world: Callable[[], World], how: How, **more: object) -> Variant:
    """A world, and workers over its log that do `how`."""
    return Variant(name, says, expected, lambda: Workers(world(), how), **more)  # type: ignore[arg-type]
