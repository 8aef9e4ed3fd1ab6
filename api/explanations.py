"""Why an order was decided as it was, and what stock was at any time: found out anew for every question.

Reads: the logs, through the functions it is given (the command line hands in the fold; the API knows no agent).
Guarantees: one question of a kind at a time, in a thread of its own; an answer within `SECONDS` or 503, and what takes
longer is told to stop. Does not belong here: how an order is explained, how a log is folded.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Annotated, Any

import msgspec
from fastapi import APIRouter, Depends, Path, Query, Request
from fastapi.routing import APIRoute
from starlette.routing import Match
from starlette.types import Scope

from api.asking import EXPLANATION, SkuPath, asks_for_explanation
from api.models import history as m
from api.problems import Problem, responses
from streams.reader import ReadError

SECONDS = 20.0
Advance = Callable[[], None]  # called while it is read; raises `TimeoutError` when nobody waits any more
# What is asked for, in words, and `Advance` last -> a struct, None: there is none. Raises `ReadError`, `ValueError`.
Look = Callable[..., Any]
BY_COMMAND = "`smokehouse explain` and `smokehouse stock get --at` have no such limit."


class _Route(APIRoute):
    """Leaves an order whose id ends as the path of an explanation does to the endpoint of orders."""

    def matches(self, scope: Scope) -> tuple[Match, Scope]:
        if scope["path"].endswith(EXPLANATION) and not asks_for_explanation(scope):
            return Match.NONE, {}
        return super().matches(scope)


router = APIRouter(prefix="/v1", tags=["orders"], route_class=_Route)


class Explainer:
    """Asks `look`, one question at a time."""

    def __init__(self, look: Look | None, seconds: float = SECONDS) -> None:
        self._look, self._seconds = look, seconds
        self._busy = threading.Lock()

    def ask(self, *about: str) -> Any:
        """What was found, None if there is nothing; a `Problem` when it is not to be had now."""
        if self._look is None:
            raise Problem(503, "explanation-off", "This process cannot fold the logs; `smokehouse explain` can.")
        if not self._busy.acquire(blocking=False):
            raise Problem(
                503, "explanation-busy", f"Another such question is being answered; ask again. {BY_COMMAND}",
                {"Retry-After": "1"},
            )  # fmt: skip
        asked = _Asked(self._look, about, self._busy)
        asked.start()
        asked.join(self._seconds)
        if asked.is_alive():
            asked.given_up = True
            raise Problem(
                503, "explanation-too-long", f"The logs could not be folded within {self._seconds:.0f} s. What was "
                f"folded is kept, so asking again may do. {BY_COMMAND}", {"Retry-After": "5"},
            )  # fmt: skip
        if asked.error is not None:
            raise asked.error
        return asked.found


class _Asked(threading.Thread):
    """One question. It holds the lock until its thread ends, however long somebody waits for it."""

    def __init__(self, look: Look, about: tuple[str, ...], busy: threading.Lock) -> None:
        super().__init__(name="explanation", daemon=True)
        self._look, self._about, self._busy = look, about, busy
        self.given_up = False
        self.found: Any = None
        self.error: Exception | None = None

    def run(self) -> None:
        try:
            self.found = self._look(*self._about, self._advance)
        except TimeoutError:
            pass
        except ReadError as error:
            self.error = Problem(503, "logs-unreadable", f"The logs cannot be read: {error}", {"Retry-After": "5"})
        except Exception as error:  # noqa: BLE001 - whatever it is, the request that asked has to hear of it
            self.error = error
        finally:
            self._busy.release()

    def _advance(self) -> None:
        if self.given_up:
            raise TimeoutError


async def _explainer(request: Request) -> Explainer:
    return request.app.state.explainer


@router.get(
    "/orders/{order_id:path}" + EXPLANATION, response_model=m.ExplanationAnswer, responses=responses(404, 422, 503)
)  # fmt: skip
def explanation(
    explainer: Annotated[Explainer, Depends(_explainer)],
    order_id: Annotated[str, Path(min_length=1, max_length=128)],
) -> dict:  # fmt: skip
    """Why an order was decided as it was: what was asked, what there was just before, which rule chose or refused, and
    every later record with what it changed. Read from the logs themselves, so it takes moments, not milliseconds."""
    found = explainer.ask(order_id)
    if found is None:
        raise Problem(404, "unknown-order", f"No record of the order log names order {order_id!r}.")
    plain = msgspec.to_builtins(found)
    fresh = [one | {"lag": 0} for one in plain.pop("as_of")]
    return {"explanation": plain, "as_of": fresh}


async def _past(request: Request) -> Explainer:
    return request.app.state.past


@router.get("/stock/{sku}/past", response_model=m.PastStockAnswer, responses=responses(404, 422, 503), tags=["stock"])
def past_stock(
    past: Annotated[Explainer, Depends(_past)],
    sku: SkuPath,
    at: Annotated[str, Query(max_length=64, description="A time with its zone, or a position: OFFSET, OFFSET.INDEX")],
) -> dict:
    """A SKU as it stood at a time or position, with the reservations that held its units. Folded from the stock log,
    so it takes moments, not milliseconds."""
    try:
        found = past.ask(sku, at)
    except ValueError as error:
        raise Problem(422, "no-such-moment", str(error)) from error
    if found.levels is None:
        raise Problem(404, "unknown-sku", f"{sku!r} was unknown then.")
    plain = msgspec.to_builtins(found)
    return {"stock": plain["levels"], "reservations": plain["reservations"], "at": plain["as_of"]}
