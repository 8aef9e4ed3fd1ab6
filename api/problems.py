"""Every error of the API as an RFC 9457 problem (`application/problem+json`), the framework's own included.

Guarantees: no answer with a status of 400 or more has another form, and none says how the inside looks. Does not
belong here: which request is wrong.
"""

from __future__ import annotations

from collections.abc import Mapping
from http import HTTPStatus
from typing import Any

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from pydantic import BaseModel, Field
from starlette.exceptions import HTTPException
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from api.models.health import HaltedPartition

BODY_BYTES_MAX = 64 * 1024
ERRORS_SHOWN_MAX = 20
MEDIA_TYPE = "application/problem+json"


class FieldError(BaseModel):
    where: str = Field(description="The part of the request", examples=["query.limit"])
    what: str


class ProblemBody(BaseModel):
    """RFC 9457."""

    type: str = Field(examples=["urn:smokehouse:problem:unknown-sku"])
    title: str
    status: int
    detail: str
    instance: str = Field(description="The path that was asked")
    errors: list[FieldError] = Field(default=[], description="What is wrong with the request, part by part")


class NotReadyBody(ProblemBody):
    """`/readyz` with its reasons."""

    ready: bool
    trouble: str
    halted: list[HaltedPartition]


class Problem(HTTPException):
    """Raise it in an endpoint: `kind` is the last part of the problem's type, `detail` says what to do.

    `more`: extension members. It is an HTTPException, so that the framework lets it pass where a body is read.
    """

    def __init__(
        self, status: int, kind: str, detail: str, headers: dict[str, str] | None = None, **more: Any
    ) -> None:  # fmt: skip
        super().__init__(status, detail, headers)
        self.kind, self.more = kind, more


def responses(*statuses: int, body: str = "ProblemBody") -> dict[int | str, dict[str, Any]]:
    """The OpenAPI entries of these problems."""
    schema = {"$ref": f"#/components/schemas/{body}"}
    return {
        status: {"description": HTTPStatus(status).phrase, "content": {MEDIA_TYPE: {"schema": schema}}}
        for status in statuses
    }


def install(app: FastAPI) -> None:
    app.add_exception_handler(Problem, _problem)
    app.add_exception_handler(HTTPException, _http)
    app.add_exception_handler(RequestValidationError, _invalid)
    app.add_exception_handler(Exception, _unforeseen)
    plain = app.openapi

    def openapi() -> dict[str, Any]:
        schema = plain()
        models = schema["components"]["schemas"]
        for model in (ProblemBody, NotReadyBody):
            body = model.model_json_schema(ref_template="#/components/schemas/{model}")
            models |= body.pop("$defs") | {model.__name__: body}
        return schema

    app.openapi = openapi  # type: ignore[method-assign]


def answer(
    request: Request, status: int, kind: str, detail: str,
    headers: Mapping[str, str] | None = None, errors: list[FieldError] | None = None, **more: Any,
) -> JSONResponse:  # fmt: skip
    body = ProblemBody(
        type=f"urn:smokehouse:problem:{kind}" if kind else "about:blank", title=HTTPStatus(status).phrase,
        status=status, detail=detail, instance=request.scope["path"], errors=errors or [],
    )  # fmt: skip
    return JSONResponse(body.model_dump(exclude_defaults=True) | more, status, headers, media_type=MEDIA_TYPE)


async def _problem(request: Request, error: Exception) -> JSONResponse:
    assert isinstance(error, Problem)
    return answer(request, error.status_code, error.kind, error.detail, error.headers, **error.more)


async def _http(request: Request, error: Exception) -> JSONResponse:
    assert isinstance(error, HTTPException)
    details = {404: "There is nothing at this path; /openapi.json lists what there is.",
               405: "This path knows other methods: see the Allow header."}  # fmt: skip
    detail = details.get(error.status_code, str(error.detail))
    kind = "malformed-body" if error.status_code == 400 else ""  # bytes no parser got through; others it calls invalid
    headers = dict(error.headers or {})
    if "GET" in (allowed := headers.get("Allow", "").split(", ")) and "HEAD" not in allowed:
        headers["Allow"] = ", ".join([*allowed, "HEAD"])  # `app.Heads` answers it wherever there is a GET
    return answer(request, error.status_code, kind, detail, headers)


async def _invalid(request: Request, error: Exception) -> JSONResponse:
    assert isinstance(error, RequestValidationError)
    found = [
        FieldError(where=".".join(str(part) for part in one["loc"])[:200], what=str(one["msg"])[:200])
        for one in error.errors()[:ERRORS_SHOWN_MAX]
    ]
    detail = "; ".join(f"{one.where}: {one.what}" for one in found[:3])
    if any(one["type"] == "json_invalid" for one in error.errors()):
        return answer(request, 400, "malformed-body", detail, errors=found)
    return answer(request, 422, "invalid-request", detail, errors=found)


async def _unforeseen(request: Request, _error: Exception) -> JSONResponse:
    return answer(request, 500, "", "This request met an error of ours. It is in the log of the API process.")


class BodyLimit:
    """Refuses a body over `BODY_BYTES_MAX` with 413, announced or not."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        announced = dict(scope["headers"]).get(b"content-length", b"0")
        if not announced.isdigit() or int(announced) > BODY_BYTES_MAX:
            await self._refuse(scope, receive, send)
            return
        taken = 0

        async def counted() -> Message:
            nonlocal taken
            message = await receive()
            taken += len(message.get("body", b""))
            if taken > BODY_BYTES_MAX:
                raise Problem(413, "body-too-large", _too_large())
            return message

        await self._app(scope, counted, send)

    async def _refuse(self, scope: Scope, receive: Receive, send: Send) -> None:
        response = answer(Request(scope), 413, "body-too-large", _too_large(), {"Connection": "close"})
        await response(scope, receive, send)


def _too_large() -> str:
    return f"A body may hold {BODY_BYTES_MAX} bytes; ask for fewer items at a time."
