"""Problem documents (RFC 9457): the one shape of every error.

`{"type": "about:blank", "title": …, "status": …, "detail": …}` as `application/problem+json`, never cached. The
detail tells only what the caller sent, never what the data hold. An audience that the caller may not use, a
collection or record that does not exist and an unknown path answer with the same bytes: `NOT_FOUND`.
"""

from __future__ import annotations

import http
import logging
import secrets
from collections.abc import Iterable, Mapping

import orjson
from fastapi import FastAPI
from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Match
from starlette.types import Send

from layers.door import Unavailable
from layers.filters import BadQuery

MEDIA_TYPE = "application/problem+json"
NOT_FOUND = "There is no such resource, or you may not use it."

log = logging.getLogger("parallax.http")


class Problem(Exception):
    """An answer other than success. `detail` must be built from the request alone."""

    def __init__(self, status: int, detail: str, headers: Mapping[str, str] | None = None) -> None:
        super().__init__(detail)
        self.status = status
        self.detail = detail
        self.headers = dict(headers or {})


def not_found() -> Problem:
    return Problem(404, NOT_FOUND)


def bad(detail: str) -> Problem:
    return Problem(400, detail)


def body(status: int, detail: str) -> bytes:
    title = http.HTTPStatus(status).phrase
    return orjson.dumps({"type": "about:blank", "title": title, "status": status, "detail": detail})


def response(problem: Problem) -> Response:
    headers = {"Cache-Control": "no-store", **problem.headers}
    return Response(body(problem.status, problem.detail), problem.status, headers, MEDIA_TYPE)


async def send_problem(send: Send, problem: Problem, extra: Iterable[tuple[bytes, bytes]], head: bool = False) -> None:
    """Answer with a problem below the router, where there is no Request."""
    answer = response(problem)
    headers = [*answer.raw_headers, *extra]
    await send({"type": "http.response.start", "status": problem.status, "headers": headers})
    await send({"type": "http.response.body", "body": b"" if head else bytes(answer.body)})


def unexpected(where: str, error: BaseException) -> Problem:
    """A fault of ours. The log gets an id, the route and the place in the code, but no value: it may be a secret."""
    number = secrets.token_hex(8)
    frames = []
    trace = error.__traceback__
    while trace is not None:
        code = trace.tb_frame.f_code
        frames.append(f"{code.co_filename.rsplit('/', 1)[-1]}:{trace.tb_lineno} {code.co_name}")
        trace = trace.tb_next
    log.error("fault %s on %s: %s at %s", number, where, type(error).__name__, " < ".join(reversed(frames)))
    return Problem(500, f"The server could not answer. Quote the number {number} to its operators.")


def install(app: FastAPI) -> None:
    """Make the router speak problems only."""

    async def problem(_: Request, error: Exception) -> Response:
        assert isinstance(error, Problem)
        return response(error)

    async def bad_query(_: Request, error: Exception) -> Response:
        return response(bad(str(error)))

    async def routed(request: Request, error: Exception) -> Response:
        assert isinstance(error, HTTPException)
        if error.status_code == 404:
            return response(not_found())
        if error.status_code == 405:
            allowed = ", ".join(sorted(_methods(request)))
            return response(Problem(405, f"This address answers {allowed}.", {"Allow": allowed}))
        detail = http.HTTPStatus(error.status_code).description
        return response(Problem(error.status_code, detail or error.detail, error.headers))

    async def invalid(_: Request, error: Exception) -> Response:
        # only path parameters are declared to the router (query parameters are read by mapserver.parameters), so what
        # is not valid here is an address that does not exist
        assert isinstance(error, RequestValidationError)
        return response(not_found())

    async def fault(request: Request, error: Exception) -> Response:
        return response(unexpected(getattr(request.scope.get("route"), "path", "no route"), error))

    async def unavailable(_: Request, error: Exception) -> Response:
        return response(Problem(503, "The server is busy or starting again. Try again soon.", {"Retry-After": "5"}))

    app.add_exception_handler(Exception, fault)
    app.add_exception_handler(Unavailable, unavailable)
    app.add_exception_handler(Problem, problem)
    app.add_exception_handler(BadQuery, bad_query)
    app.add_exception_handler(HTTPException, routed)
    app.add_exception_handler(RequestValidationError, invalid)


def _methods(request: Request) -> set[str]:
    """What the address of a request answers."""
    found = {"OPTIONS"}
    for route in request.app.routes:
        if route.matches(request.scope)[0] is not Match.NONE:
            found |= getattr(route, "methods", None) or set()
    return found | {"HEAD"} if "GET" in found else found
