"""Ahead of the router: limits, admission to the audience, cached tiles, and the headers of every answer.

Plain ASGI, because a cached tile must cost little more than sending it. A request goes through it in this order:
size of the address → OPTIONS → admission → cache → router under a time limit. Admission comes before anything that
could tell what exists: an audience that the caller may not use answers like one that there is not.
"""

from __future__ import annotations

from collections.abc import Collection

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from layers.door import Reader
from mapserver import cache, delivery, security
from mapserver.context import KEY, Context, Services, base_url
from mapserver.encoding import accepts_gzip
from mapserver.errors import Problem, bad, not_found, send_problem
from mapserver.sessions import ANYBODY

CACHE_BYTES = 128 * 1024 * 1024


class Front:
    def __init__(self, app: ASGIApp, held: Services, roots: Collection[str], poll: float) -> None:
        self.app = app
        self.held = held
        self.roots = frozenset(roots)
        self.document_headers, self.headers = security.headers(held.settings.https)
        self.readers: dict[str, Reader] = {a: held.door.reader(a) for a in held.audiences}
        self.marks = {a: (b"x-classification", r.audience.marking.encode()) for a, r in self.readers.items()}
        self.cache = cache.TileCache(CACHE_BYTES)
        self.versions = cache.Versions(poll)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "lifespan":
            await self.app(scope, receive, send)
            return
        if scope["type"] != "http":
            await send({"type": "websocket.close", "code": 1008})
            return
        if self.held.settings.https:
            scope["scheme"] = "https"  # what people see, whatever the proxy in front says
        method = scope["method"]
        head = method == "HEAD"
        headers = self.headers
        try:
            if len(scope.get("raw_path") or scope["path"]) + len(scope["query_string"]) > security.MAX_URL:
                raise Problem(414, f"The address is longer than {security.MAX_URL} bytes.")
            if method == "OPTIONS":
                allow = [(b"allow", security.ALLOWED.encode()), *headers]
                await send({"type": "http.response.start", "status": 204, "headers": allow})
                await send({"type": "http.response.body", "body": b""})
                return
            first = scope["path"][1:].partition("/")[0]
            if first in self.roots:
                await self._route(scope, receive, send)
                return
            reader = self.readers.get(first)
            if reader is None or not await self._admitted(first, scope):
                raise not_found()
            headers = [*self.headers, self.marks[first]]
            if method in ("GET", "HEAD") and "/tiles/" in scope["path"]:
                await self._tile(scope, receive, send, reader)
            else:
                await self._audience(scope, receive, send, reader)
        except Problem as problem:
            await send_problem(send, problem, headers, head)

    async def _admitted(self, audience: str, scope: Scope) -> bool:
        if audience == "public":
            return True
        sessions = self.held.sessions
        caller = ANYBODY
        if sessions is not None:
            caller = sessions.remembered(scope) or await sessions.caller(scope)
        return audience in caller.audiences

    async def _audience(self, scope: Scope, receive: Receive, send: Send, reader: Reader) -> Context:
        base = base_url(scope)
        if base is None:
            raise bad("The header Host is no host name.")
        context = Context(reader, base)
        await self._route({**scope, KEY: context}, receive, send, self.marks[reader.audience.id])
        return context

    # -- tiles --

    async def _tile(self, scope: Scope, receive: Receive, send: Send, reader: Reader) -> None:
        accepted = False
        unmatched = b""
        for name, value in scope["headers"]:
            if name == b"accept-encoding":
                accepted = _PACKED[value] if value in _PACKED else _packed(value)
            elif name == b"if-none-match":
                unmatched = value
        query = scope["query_string"]
        if b"&" in query:
            query = b"&".join(sorted(query.split(b"&")))
        audience = reader.audience.id
        key = (audience, scope["path"], query, accepted)
        head = scope["method"] == "HEAD"
        versions = self.versions.recent(audience) or await self.versions.read(reader)
        entry = self.cache.get(key, versions)
        if entry is not None:
            await _send_entry(entry, unmatched, head, send)
            return
        # made whole, whatever the client has: the entry serves the others
        plain = [(n, v) for n, v in scope["headers"] if n != b"if-none-match"]
        kept: list[Message] = []

        async def keep(message: Message) -> None:
            kept.append(message)

        context = await self._audience({**scope, "method": "GET", "headers": plain}, receive, keep, reader)
        start, body = kept[0], b"".join(m.get("body", b"") for m in kept[1:])
        raw = list(start["headers"])
        tag = next((v for n, v in raw if n == b"etag"), b"")
        entry = cache.Entry(context.cached_for, cache.stamp(context.cached_for, versions), versions, tag, raw, body)
        if start["status"] != 200:
            await send(start)
            await send({"type": "http.response.body", "body": b"" if head else body})
            return
        if context.cached_for:
            self.cache.put(key, entry)
        await _send_entry(entry, unmatched, head, send)

    async def _route(self, scope: Scope, receive: Receive, send: Send, *mark: tuple[bytes, bytes]) -> None:
        headers = delivery.Headers([*self.headers, *mark], [*self.document_headers, *mark])
        await delivery.deliver(self.app, scope, receive, send, headers, security.MAX_BODY)


_PACKED: dict[bytes, bool] = {}
"""Whether a header Accept-Encoding takes gzip: browsers send a handful of them, millions of times."""


def _packed(header: bytes) -> bool:
    found = accepts_gzip(header.decode("latin-1"))
    if len(_PACKED) < 100:
        _PACKED[header] = found
    return found


async def _send_entry(entry: cache.Entry, unmatched: bytes, head: bool, send: Send) -> None:
    if unmatched and delivery.matches(unmatched, entry.etag):
        raw = [(n, v) for n, v in entry.headers if n not in delivery.NOT_IN_304]
        await send({"type": "http.response.start", "status": 304, "headers": raw})
        await send({"type": "http.response.body", "body": b""})
        return
    await send({"type": "http.response.start", "status": 200, "headers": entry.headers})
    await send({"type": "http.response.body", "body": b"" if head else entry.body})
