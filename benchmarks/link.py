"""A thin link as a TCP proxy: so many bits a second for all connections together, and so long a way for each byte.

In the browser's own emulation the workers that fetch tiles go round the limit; nothing goes round this.
"""

from __future__ import annotations

import asyncio
import contextlib
import threading
import time
from collections.abc import Iterator

BITS = 512_000
"""A second, each way."""
DELAY = 0.3
"""Seconds, each way: a round trip takes twice that, and so does opening a connection."""
CHUNK = 2_048


class Link:
    """Forwards a local port to another one. `down` and `up` count bytes since `reset`."""

    def __init__(self, target: int) -> None:
        self.target = target
        self.port = 0
        self.down = self.up = self.connections = 0
        self._free = {"down": 0.0, "up": 0.0}
        self._open: set[asyncio.StreamWriter] = set()
        self._loop = asyncio.new_event_loop()

    def reset(self) -> None:
        """Cut all connections, as a browser finds them when it comes back later, and count anew."""

        async def cut() -> None:
            for one in list(self._open):
                one.transport.abort()

        asyncio.run_coroutine_threadsafe(cut(), self._loop).result()
        self.down = self.up = self.connections = 0

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        await asyncio.sleep(2 * DELAY)  # the handshake, which the local one did not take
        there = await asyncio.open_connection("127.0.0.1", self.target)
        self._open |= {writer, there[1]}
        try:
            with contextlib.suppress(asyncio.CancelledError):  # the link is taken down
                await asyncio.gather(self._pump(reader, there[1], "up"), self._pump(there[0], writer, "down"))
        finally:
            self._open -= {writer, there[1]}
            writer.close()
            there[1].close()

    async def _pump(self, source: asyncio.StreamReader, sink: asyncio.StreamWriter, way: str) -> None:
        queue: asyncio.Queue[tuple[float, bytes]] = asyncio.Queue(maxsize=512)

        async def send() -> None:
            while True:
                due, data = await queue.get()
                await asyncio.sleep(due - time.monotonic())
                with contextlib.suppress(ConnectionError):
                    if data:
                        sink.write(data)
                        await sink.drain()
                    elif sink.can_write_eof():
                        sink.write_eof()
                if not data:
                    return

        sender = asyncio.create_task(send())
        try:
            data = b"-"
            while data:
                with contextlib.suppress(ConnectionError):
                    data = await source.read(CHUNK)
                setattr(self, way, getattr(self, way) + len(data))
                self._free[way] = max(time.monotonic(), self._free[way]) + len(data) * 8 / BITS
                await queue.put((self._free[way] + DELAY, data))
                # one connection may not reserve the link for seconds ahead of the others
                await asyncio.sleep(max(0.0, self._free[way] - time.monotonic()))
            await sender
        finally:
            sender.cancel()

    def _run(self, ready: threading.Event, stop: asyncio.Event) -> None:
        asyncio.set_event_loop(self._loop)

        async def main() -> None:
            server = await asyncio.start_server(self._serve, "127.0.0.1", 0, limit=8 * CHUNK)
            self.port = server.sockets[0].getsockname()[1]
            ready.set()
            await stop.wait()
            server.close()

        self._loop.run_until_complete(main())
        left = asyncio.all_tasks(self._loop)
        for task in left:
            task.cancel()
        self._loop.run_until_complete(asyncio.gather(*left, return_exceptions=True))
        self._loop.close()


@contextlib.contextmanager
def link(target: int) -> Iterator[Link]:
    """A running link to a port of the loopback address."""
    one, ready, stop = Link(target), threading.Event(), asyncio.Event()
    thread = threading.Thread(target=one._run, args=(ready, stop), daemon=True)  # noqa: SLF001 -- its own room
    thread.start()
    ready.wait()
    try:
        yield one
    finally:
        one._loop.call_soon_threadsafe(stop.set)  # noqa: SLF001
        thread.join()
