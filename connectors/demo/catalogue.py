"""What the demo brand sells, from where, and through whom.

Pure. Flavors x packagings x sizes, three warehouses, four channels. GTINs start with 20: a range kept for use inside a
house, so no number of ours can be a real product's.
Does not belong here: how much of it is sold (`traffic`), how much there is (`supply`).
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import product

from tables import records as r

FLAVORS = ("Original", "Black Pepper", "Teriyaki", "Chipotle", "Sweet Heat", "Garlic")
PACKAGINGS = ("Pouch", "Stick")
SIZES = ("35 g", "90 g", "250 g")
HOUSE_RANGE = "20000"  # GS1 prefix 20: restricted circulation


@dataclass(frozen=True, slots=True)
class Product:
    """`weight`: its share of all units sold; the shares of the catalogue add up to 1."""

    sku: str
    flavor: str
    packaging: str
    size: str
    gtin: str
    weight: float


@dataclass(frozen=True, slots=True)
class Warehouse:
    """`share`: of the customers it is nearest to."""

    code: str
    share: float


@dataclass(frozen=True, slots=True)
class Channel:
    """`prepaid`: share of its orders that are paid when they arrive."""

    name: str
    share: float
    prepaid: float
    lines_max: int


WAREHOUSES = (Warehouse("AUSTIN", 0.5), Warehouse("RENO", 0.3), Warehouse("ALBANY", 0.2))
COUNTER = "AUSTIN"  # the factory shop sells over the counter from here
CHANNELS = (
    Channel("shop", 0.45, 0.3, 4),
    Channel("marketplace-north", 0.25, 1.0, 2),
    Channel("marketplace-south", 0.2, 1.0, 2),
    Channel("pos", 0.1, 1.0, 3),
)


def check_digit(digits: str) -> str:
    """The last digit of a GTIN over all others: weights 3 and 1 from the right, up to the next ten."""
    total = sum(int(digit) * (3 if place % 2 == 0 else 1) for place, digit in enumerate(reversed(digits)))
    return str(-total % 10)


def catalogue() -> list[Product]:
    """The products, best seller first."""
    kinds = list(product(FLAVORS, PACKAGINGS, SIZES))
    popular = [1 / (place + 3) for place in range(len(kinds))]  # a few sell most, none sells nothing
    return [
        Product(_sku(flavor, packaging, size), flavor, packaging, size, _gtin(number), weight / sum(popular))
        for number, ((flavor, packaging, size), weight) in enumerate(zip(kinds, popular, strict=True), 1)
    ]


def definition(item: Product) -> r.SkuDefined:
    """The SKU master record: the same from every run, so that a second run defines nothing anew."""
    return r.SkuDefined(
        id=f"demo:sku:{item.sku}", sku=item.sku, flavor=item.flavor, packaging=item.packaging, size=item.size,
        gtin=item.gtin,
    )  # fmt: skip


def _sku(flavor: str, packaging: str, size: str) -> str:
    return f"JRK-{flavor.replace(' ', '').upper()}-{packaging.upper()}-{size.removesuffix(' g')}"


def _gtin(number: int) -> str:
    body = f"{HOUSE_RANGE}{number:07d}"
    return body + check_digit(body)
