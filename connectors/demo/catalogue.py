"""What the demo brand sells, from where, and through whom.

Pure. Flavors x packagings x sizes, a flavor that is still to come, two that only one warehouse has, a gift box; three
warehouses, five channels. GTINs start with 20: a range kept for use inside a house, so no number of ours can be a real
product's. Does not belong here: how much of it is sold (`traffic`), how much there is (`supply`), what the channels'
rules are (`channels`), what is in a kit (`kits`).
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import product

from tables import records as r

FLAVORS = ("Original", "Black Pepper", "Teriyaki", "Chipotle", "Sweet Heat", "Garlic")
PACKAGINGS = ("Pouch", "Stick")
SIZES = ("35 g", "90 g", "250 g")
CASE_UNITS = 12
HOUSE_RANGE = "20000"  # GS1 prefix 20: restricted circulation


@dataclass(frozen=True, slots=True)
class Product:
    """`weight`: its share of all units sold; the shares of the catalogue add up to 1.

    `only`: the one warehouse that has it, "": all have it. `stocked`: whether there is any when the demo starts.
    """

    sku: str
    flavor: str
    packaging: str
    size: str
    gtin: str
    weight: float
    only: str = ""
    stocked: bool = True

    @property
    def places(self) -> list[Warehouse]:
        return [place for place in WAREHOUSES if self.only in ("", place.code)]


@dataclass(frozen=True, slots=True)
class Warehouse:
    """`share`: of the customers it is nearest to."""

    code: str
    share: float


@dataclass(frozen=True, slots=True)
class Channel:
    """Shares of its orders: `prepaid` when they arrive, `authorized` (to be captured later); the rest pays later."""

    name: str
    share: float
    prepaid: float
    authorized: float
    lines_max: int


WAREHOUSES = (Warehouse("AUSTIN", 0.5), Warehouse("RENO", 0.3), Warehouse("ALBANY", 0.2))
COUNTER = "AUSTIN"  # the factory shop sells over the counter from here
SHOP, NORTH, SOUTH, GROCER, POS = "shop", "marketplace-north", "marketplace-south", "grocer", "pos"
CHANNELS = (
    Channel(SHOP, 0.44, 0.3, 0.35, 4),
    Channel(NORTH, 0.25, 1.0, 0.0, 2),
    Channel(SOUTH, 0.19, 1.0, 0.0, 2),
    Channel(GROCER, 0.02, 0.0, 1.0, 2),
    Channel(POS, 0.1, 1.0, 0.0, 3),
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


def _special(number: int, flavor: str, packaging: str, size: str, only: str, *, stocked: bool = True) -> Product:
    sku = _sku(flavor, packaging, size)
    return Product(sku, flavor, packaging, size, _gtin(number), SPECIAL_WEIGHT, only, stocked)


def definition(item: Product) -> r.SkuDefined:
    """The SKU master record: the same from every run, so that a second run defines nothing anew."""
    return r.SkuDefined(
        id=f"demo:sku:{item.sku}", sku=item.sku, flavor=item.flavor, packaging=item.packaging, size=item.size,
        gtin=item.gtin, case_units=CASE_UNITS,
    )  # fmt: skip


def _sku(flavor: str, packaging: str, size: str) -> str:
    return f"JRK-{flavor.replace(' ', '').upper()}-{packaging.upper()}-{size.removesuffix(' g')}"


def _gtin(number: int) -> str:
    body = f"{HOUSE_RANGE}{number:07d}"
    return body + check_digit(body)


SPECIAL_WEIGHT = 0.01
NEW_FLAVOR = _special(101, "Smoked Maple", "Pouch", "90 g", COUNTER, stocked=False)
DESERT = _special(102, "Hatch Chile", "Pouch", "90 g", "RENO")
FOREST = _special(103, "Cranberry", "Pouch", "90 g", "ALBANY")
GIFT_BOX = _special(104, "Assorted", "Box", "Gift", COUNTER, stocked=False)
SPECIALS = (NEW_FLAVOR, DESERT, FOREST)
VARIETY_PACK = "JRK-VARIETY-PACK"  # made of its parts when it is sold: it has no stock
