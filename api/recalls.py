"""Recalls, and the trace of a lot.

Reads: rows of the workers, asked anew each time (no topic holds movements). Guarantees: an answer is of
every partition, or it is a problem that names the missing ones. Does not belong here: opening a recall (the CLI).
"""

from __future__ import annotations

from typing import Annotated

import msgspec
from fastapi import APIRouter, Path, Query, Request, Response

from api.models import recall as m
from api.models.common import OneSku
from api.problems import Problem, responses
from streams.lot_answers import NOBODY, Answers, Workers, all_recalls

router = APIRouter(prefix="/v1", tags=["recalls"])
SKUS_MAX = 100
LOT_PATTERN = r'^[!"%-?A-Z_a-z]{1,20}$'  # `records.Lot` in OpenAPI's dialect
LotPath = Annotated[str, Path(pattern=LOT_PATTERN)]


@router.get("/recalls", response_model=m.Recalls, responses=responses(503))
def recalls(request: Request) -> Response:
    """Every lot that was ever recalled, with its last recall, the newest first."""
    with Workers(request.app.state.settings) as workers:
        answers = workers.recalls()
    _expect_all(answers)
    return _json({"items": all_recalls(answers)})


@router.get("/lots/{lot:path}/trace", response_model=m.LotTrace, responses=responses(404, 422, 503))
def trace(
    request: Request, lot: LotPath, sku: Annotated[list[OneSku] | None, Query(max_length=SKUS_MAX)] = None
) -> Response:
    """Where a lot came from, what was made of it, who got it, what is left, and whether that adds up."""
    with Workers(request.app.state.settings) as workers:
        account, answers = workers.account(lot, sku or [])
    _expect_all(answers)
    if not account.known and account.recall is None:
        raise Problem(404, "unknown-lot", f"No partition knows lot {lot!r}.")
    return _json(account)


def _expect_all(answers: Answers) -> None:
    if answers.missing or not answers.found:
        detail = answers.trouble or f"Nothing is known: {NOBODY}."
        raise Problem(503, "partitions-missing", detail, {"Retry-After": "5"})


def _json(value: object) -> Response:
    """As it stands: a trace of 300,000 shipments is not built twice."""
    return Response(msgspec.json.encode(value), media_type="application/json")
