"""Asking a server over HTTP as a client would, and a session that the reader admits."""

from __future__ import annotations

import asyncio
import time
import uuid
from collections.abc import Sequence
from dataclasses import dataclass

import httpx
import psycopg

from benchmarks.harness import cpu_seconds
from mapserver.sessions import new_token
from tests.world import Database


def token(database: Database, audience: str) -> str:
    """A bearer token for an audience, as an administrator would have made it."""
    text, digest = new_token()
    account = uuid.uuid4()
    with psycopg.connect(database.owner_dsn) as conn:
        conn.execute(
            "INSERT INTO auth.accounts (id, name, password_hash, audiences) VALUES (%s, %s, '-', %s)",
            (account, f"bench-{account.hex[:12]}", [audience]),
        )
        conn.execute(
            "INSERT INTO auth.tokens (token_hash, account_id, audience, expires_at) VALUES (%s, %s, %s, now() +"
            " interval '1 day')",
            (digest, account, audience),
        )
    return text


@dataclass(frozen=True)
class Load:
    """What asking a list of addresses cost. Processor time is that of the given processes."""

    milliseconds: list[float]
    seconds: float
    cpu: list[float]
    sizes: list[int]


def ask(urls: Sequence[str], pids: Sequence[int], *, bearer: str | None = None, connections: int = 4) -> Load:
    """Ask every address once over a few connections. Raises on an answer that is neither 200 nor 204."""
    return asyncio.run(_ask(urls, pids, bearer, connections))


async def _ask(urls: Sequence[str], pids: Sequence[int], bearer: str | None, connections: int) -> Load:
    headers = {"Accept-Encoding": "identity"}
    if bearer:
        headers["Authorization"] = f"Bearer {bearer}"
    times: list[float] = [0.0] * len(urls)
    sizes: list[int] = [0] * len(urls)
    todo = iter(range(len(urls)))
    before = [cpu_seconds(pid) for pid in pids]

    async def work(client: httpx.AsyncClient) -> None:
        for n in todo:
            start = time.perf_counter()
            answer = await client.get(urls[n])
            times[n] = (time.perf_counter() - start) * 1000
            if answer.status_code not in (200, 204):
                raise RuntimeError(f"{urls[n]} answered {answer.status_code}: {answer.text[:200]}")
            sizes[n] = len(answer.content)

    limits = httpx.Limits(max_connections=connections, max_keepalive_connections=connections)
    async with httpx.AsyncClient(headers=headers, timeout=120, limits=limits) as client:
        start = time.perf_counter()
        await asyncio.gather(*(work(client) for _ in range(connections)))
        seconds = time.perf_counter() - start
    return Load(times, seconds, [cpu_seconds(pid) - b for pid, b in zip(pids, before, strict=True)], sizes)
