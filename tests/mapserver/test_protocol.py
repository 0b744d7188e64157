"""A client that sends the head of its request slowly, or without end, does not hold a connection."""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterator
from contextlib import closing

import pytest
import uvicorn
from starlette.types import Receive, Scope, Send

from mapserver import process
from mapserver.protocol import HEAD_BYTES, LimitedProtocol


async def echo(scope: Scope, receive: Receive, send: Send) -> None:
    assert scope["type"] == "http"
    message = await receive()
    body = message["body"]
    head = {"type": "http.response.start", "status": 200, "headers": [(b"content-length", str(len(body)).encode())]}
    await send(head)
    await send({"type": "http.response.body", "body": body})


class Hasty(LimitedProtocol):
    head_seconds = 0.3


@pytest.fixture
def address() -> Iterator[tuple[str, int]]:
    with socket.create_server(("127.0.0.1", 0)) as listening:
        config = uvicorn.Config(echo, http=Hasty, lifespan="off", log_level="critical", timeout_graceful_shutdown=1)
        server = uvicorn.Server(config)
        thread = threading.Thread(target=server.run, kwargs={"sockets": [listening]})
        thread.start()
        try:
            yield listening.getsockname()
        finally:
            server.should_exit = True
            thread.join()


def answer(connection: socket.socket) -> bytes:
    """All until the server closes, or the end of one answer."""
    connection.settimeout(20)
    found = b""
    while not found.endswith(b"\r\n\r\nok"):
        part = connection.recv(65536)
        if not part:
            break
        found += part
    return found


REQUEST = b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 2\r\n\r\nok"


def test_the_processes_use_it() -> None:
    assert process.PROTOCOL == f"{LimitedProtocol.__module__}:{LimitedProtocol.__name__}"


def test_requests_are_answered_on_one_connection(address: tuple[str, int]) -> None:
    with closing(socket.create_connection(address)) as connection:
        for _ in range(3):
            connection.sendall(REQUEST)
            assert answer(connection).startswith(b"HTTP/1.1 200")


@pytest.mark.parametrize("sent", [b"", b"GET / HT", b"GET / HTTP/1.1\r\nHost: a\r\n"])
def test_a_head_that_does_not_come_ends_the_connection(address: tuple[str, int], sent: bytes) -> None:
    with closing(socket.create_connection(address)) as connection:
        connection.sendall(sent)
        assert answer(connection) == b""


def test_a_late_head_on_a_kept_connection(address: tuple[str, int]) -> None:
    with closing(socket.create_connection(address)) as connection:
        connection.sendall(REQUEST)
        assert answer(connection).startswith(b"HTTP/1.1 200")
        connection.sendall(b"GET / HTTP/1.1\r\nHo")
        assert answer(connection) == b""


def test_a_head_without_end(address: tuple[str, int]) -> None:
    with closing(socket.create_connection(address)) as connection:
        connection.sendall(b"GET / HTTP/1.1\r\nX: " + b"a" * (HEAD_BYTES + 10) + b"\r\n\r\n")
        assert answer(connection).startswith(b"HTTP/1.1 400")
