"""The HTTP/1.1 protocol of the server processes: uvicorn's, with limits on how slowly and how much a head may come.

uvicorn waits for ever for the head of a request, and keeps all of it in memory. Here a client has HEAD_SECONDS for it,
from connecting or from its first byte on a connection that is kept, and HEAD_BYTES. mapserver.process names this class.
"""

from __future__ import annotations

import asyncio

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

HEAD_SECONDS = 10.0
HEAD_BYTES = 65_536


class LimitedProtocol(HttpToolsProtocol):
    """Closes a connection whose head is late; answers 400 to one that is too large."""

    head_seconds = HEAD_SECONDS

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
        self._late: asyncio.TimerHandle | None = None
        self._head = 0
        self._wait()

    def connection_lost(self, exc: Exception | None) -> None:
        self._in_time()
        super().connection_lost(exc)

    def on_message_begin(self) -> None:
        self._head = 0
        if self._late is None:
            self._wait()
        super().on_message_begin()

    def on_url(self, url: bytes) -> None:
        self._count(len(url))
        super().on_url(url)

    def on_header(self, name: bytes, value: bytes) -> None:
        self._count(len(name) + len(value) + 4)
        super().on_header(name, value)

    def on_headers_complete(self) -> None:
        self._in_time()
        super().on_headers_complete()

    def _count(self, length: int) -> None:
        self._head += length
        if self._head > HEAD_BYTES:
            raise ValueError("the head of the request is too large")

    def _wait(self) -> None:
        self._late = self.loop.call_later(self.head_seconds, self.transport.close)

    def _in_time(self) -> None:
        if self._late is not None:
            self._late.cancel()
            self._late = None
