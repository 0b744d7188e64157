"""Between the server and a router: limits of time and size, common headers, 304, HEAD, and faults without details."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from mapserver.errors import Problem, send_problem, unexpected

RawHeaders = list[tuple[bytes, bytes]]

SLOW = 30.0
"""Seconds that an answer may take before it is given up with 503, or 408 while the body of the request is missing."""

NOT_IN_304 = frozenset((b"content-length", b"content-type", b"content-encoding", b"link", b"content-crs"))
_DOCUMENTS = (b"text/html", b"text/javascript")  # a worker's script has the policy of its own answer


@dataclass(frozen=True)
class Headers:
    """What is added to every answer: to data, and to documents (see mapserver.security.headers)."""

    data: RawHeaders
    document: RawHeaders


async def deliver(
    app: ASGIApp, scope: Scope, receive: Receive, send: Send, headers: Headers, largest: int, slow: float = SLOW
) -> None:
    """Let the router answer one HTTP request whose body may have `largest` bytes."""
    head = scope["method"] == "HEAD"
    if head:
        scope = {**scope, "method": "GET"}
    unmatched = b""
    announced = 0
    for name, value in scope["headers"]:
        if name == b"if-none-match" and scope["method"] == "GET":
            unmatched = value
        elif name == b"content-length" and value.isdigit():
            announced = int(value)
    answer = _Answer(send, headers, head, unmatched)
    body = _Body(receive, announced, largest)
    try:
        async with asyncio.timeout(slow):
            await app(scope, body, answer)
    except TimeoutError:
        if body.waiting:
            problem = Problem(408, "The body of the request did not arrive in time.", {"Connection": "close"})
        else:
            problem = Problem(503, "The answer takes too long. Ask for less at once.", {"Retry-After": "10"})
        await answer.fail(problem)
    except Exception as error:  # noqa: BLE001 -- the last resort: nothing of a fault may reach the client
        if not answer.finished:  # the router answers its own faults (errors.install) and lets them pass on
            await answer.fail(unexpected("the router", error))


class _Answer:
    """`send` with the common headers, 304 for a matching entity tag, and no body for HEAD."""

    def __init__(self, send: Send, headers: Headers, head: bool, unmatched: bytes) -> None:
        self.send = send
        self.headers = headers
        self.head = head
        self.silent = head
        self.unmatched = unmatched
        self.started = False
        self.finished = False

    async def __call__(self, message: Message) -> None:
        if message["type"] == "http.response.start":
            self.started = True
            await self.send(self._start(message))
        elif message["type"] == "http.response.body":
            self.finished = not message.get("more_body")
            if not self.silent:
                await self.send(message)
            elif self.finished:
                await self.send({"type": "http.response.body", "body": b""})
        else:
            await self.send(message)

    def _start(self, message: Message) -> Message:
        media = next((v for n, v in message["headers"] if n == b"content-type"), b"")
        raw = [*message["headers"], *(self.headers.document if media.startswith(_DOCUMENTS) else self.headers.data)]
        status = message["status"]
        if status == 200 and self.unmatched:
            tag = next((v for n, v in raw if n == b"etag"), None)
            if tag is not None and matches(self.unmatched, tag):
                status, self.silent = 304, True
                raw = [(n, v) for n, v in raw if n not in NOT_IN_304]
        return {**message, "status": status, "headers": raw}

    async def fail(self, problem: Problem) -> None:
        if self.started:
            # the status is gone; a broken connection is the only honest end
            raise ConnectionAbortedError("the answer could not be finished")
        await send_problem(self.send, problem, self.headers.data, self.head)


class _Body:
    """`receive` with a limit of size."""

    def __init__(self, receive: Receive, announced: int, largest: int) -> None:
        self.receive = receive
        self.left = largest
        self.problem = Problem(413, f"The body is larger than {largest} bytes.", {"Connection": "close"})
        self.refused = announced > largest
        self.waiting = False

    async def __call__(self) -> Message:
        if self.refused:
            raise self.problem
        self.waiting = True
        message = await self.receive()
        self.waiting = False
        if message["type"] == "http.request":
            self.left -= len(message.get("body", b""))
            if self.left < 0:
                raise self.problem
        return message


def matches(header: bytes, tag: bytes) -> bool:
    """Weak comparison, as RFC 9110 asks for If-None-Match."""
    return header.strip() == b"*" or any(part.strip().removeprefix(b"W/") == tag for part in header.split(b","))
