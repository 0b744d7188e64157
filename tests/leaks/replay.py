"""Ask an application in this process, without a network between: every byte of an answer is ours to compare.

`replay(settings, asks)` starts the reader (or the desk), asks one after the other, and gives all answers.
"""

from __future__ import annotations

import asyncio
import gzip
from collections.abc import Callable, Iterable, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, replace
from typing import Any
from urllib.parse import unquote, urlsplit

import orjson
from starlette.types import ASGIApp, Message

HOST = "parallax.test"
NOT_COMPARED = frozenset({b"date", b"x-request-id", b"server"})
AT_ONCE = 3


@dataclass(frozen=True)
class Ask:
    """One request. `pages`: how many links `next` are followed. `again`: ask again with the entity tag, and by HEAD."""

    target: str
    method: str = "GET"
    headers: tuple[tuple[str, str], ...] = ()
    body: bytes = b""
    pages: int = 0
    again: bool = False
    app: str = "reader"

    def bearing(self, token: str) -> Ask:
        return replace(self, headers=(*self.headers, ("authorization", f"Bearer {token}")))


@dataclass(frozen=True)
class Answer:
    status: int
    headers: tuple[tuple[bytes, bytes], ...]
    body: bytes

    def header(self, name: bytes) -> bytes:
        return next((v for n, v in self.headers if n == name), b"")

    @property
    def plain(self) -> bytes:
        """The body without its compression."""
        return gzip.decompress(self.body) if self.header(b"content-encoding") == b"gzip" and self.body else self.body


async def ask_once(app: ASGIApp, method: str, target: str, headers: Iterable[tuple[str, str]], body: bytes) -> Answer:
    path, _, query = target.partition("?")
    raw = [(b"host", HOST.encode()), *((n.encode(), v.encode()) for n, v in headers)]
    if body:
        raw.append((b"content-length", str(len(body)).encode()))
    scope: dict[str, Any] = {
        "type": "http", "asgi": {"version": "3.0"}, "http_version": "1.1", "method": method, "scheme": "http",
        "path": unquote(path), "raw_path": path.encode(), "query_string": query.encode(), "root_path": "",
        "headers": raw, "client": ("127.0.0.1", 50000), "server": (HOST, 80), "state": {},
    }  # fmt: skip
    sent: list[Message] = []
    inbox = [{"type": "http.request", "body": body, "more_body": False}]

    async def receive() -> Message:
        return inbox.pop() if inbox else {"type": "http.disconnect"}

    async def send(message: Message) -> None:
        sent.append(message)

    await app(scope, receive, send)
    kept = tuple((n, v) for n, v in sent[0]["headers"] if n.lower() not in NOT_COMPARED)
    return Answer(sent[0]["status"], kept, b"".join(m.get("body", b"") for m in sent[1:]))


async def answers_to(app: ASGIApp, ask: Ask) -> list[Answer]:
    """The answer, its following pages, and what the same address says when asked again."""
    first = await ask_once(app, ask.method, ask.target, ask.headers, ask.body)
    out = [first]
    page = first
    for _ in range(ask.pages):
        following = next_page(page)
        if following is None:
            break
        page = await ask_once(app, ask.method, following, ask.headers, ask.body)
        out.append(page)
    if ask.again:
        tag = first.header(b"etag").decode()
        out.append(await ask_once(app, "GET", ask.target, (*ask.headers, ("if-none-match", tag)), b""))
        out.append(await ask_once(app, "HEAD", ask.target, ask.headers, b""))
        out.append(await ask_once(app, "GET", ask.target, (*ask.headers, ("accept-encoding", "gzip")), b""))
    return out


def next_page(page: Answer) -> str | None:
    if page.status != 200 or not page.header(b"content-type").startswith(b"application/geo+json"):
        return None
    for link in orjson.loads(page.plain)["links"]:
        if link["rel"] == "next":
            found = urlsplit(link["href"])
            return f"{found.path}?{found.query}"
    return None


@asynccontextmanager
async def running(app: ASGIApp) -> Any:
    """The application between its start and its end."""
    inbox: asyncio.Queue[Message] = asyncio.Queue()
    outbox: asyncio.Queue[Message] = asyncio.Queue()
    scope = {"type": "lifespan", "asgi": {"version": "3.0"}, "state": {}}
    task = asyncio.ensure_future(app(scope, inbox.get, outbox.put))
    await inbox.put({"type": "lifespan.startup"})
    started = await outbox.get()
    assert started["type"] == "lifespan.startup.complete", started
    try:
        yield app
    finally:
        await inbox.put({"type": "lifespan.shutdown"})
        await outbox.get()
        await task


def replay(make: dict[str, Callable[[], ASGIApp]], asks: Sequence[Ask], at_once: int = AT_ONCE) -> list[list[Answer]]:
    """Start the applications that the asks name, ask everything, stop them."""

    async def all_of_them() -> list[list[Answer]]:
        async with AsyncExitStack() as stack:
            wanted = {ask.app for ask in asks}
            apps = {name: await stack.enter_async_context(running(make[name]())) for name in sorted(wanted)}
            places: list[list[Answer]] = [[] for _ in asks]
            numbers = iter(range(len(asks)))

            async def work() -> None:
                for number in numbers:
                    places[number] = await answers_to(apps[asks[number].app], asks[number])

            await asyncio.gather(*(work() for _ in range(at_once)))
            return places

    return asyncio.run(all_of_them())


def differences(asks: Sequence[Ask], one: Sequence[list[Answer]], two: Sequence[list[Answer]]) -> list[str]:
    """What tells the two worlds apart, a line each."""
    found = []
    for ask, first, second in zip(asks, one, two, strict=True):
        if first == second:
            continue
        for a, b in zip(first, second, strict=False):
            if a.status != b.status:
                found.append(f"{ask.method} {ask.target}: status {a.status} and {b.status}")
            elif a.body != b.body:
                at = next((n for n, (x, y) in enumerate(zip(a.plain, b.plain, strict=False)) if x != y), -1)
                around = slice(max(0, at - 40), at + 40)
                found.append(f"{ask.method} {ask.target}: body at {at}: {a.plain[around]!r} and {b.plain[around]!r}")
            elif a.headers != b.headers:
                changed = set(a.headers) ^ set(b.headers)
                found.append(f"{ask.method} {ask.target}: headers {sorted(changed)}")
            else:
                continue
            break
        else:
            found.append(f"{ask.method} {ask.target}: {len(first)} and {len(second)} pages")
    return found
