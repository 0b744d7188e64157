"""Entity tags and compression: pure functions of the bytes."""

from __future__ import annotations

import asyncio
import gzip
import hashlib

COMPRESS_FROM = 1_000
COMPRESS_IN_THREAD_FROM = 200_000


def etag(data: bytes) -> str:
    return '"' + hashlib.blake2b(data, digest_size=16).hexdigest() + '"'


def accepts_gzip(accept_encoding: str) -> bool:
    return _accepts(accept_encoding, ("gzip", "*"))


def accepts_brotli(accept_encoding: str) -> bool:
    return _accepts(accept_encoding, ("br",))


def _accepts(accept_encoding: str, names: tuple[str, ...]) -> bool:
    for part in accept_encoding.lower().split(","):
        name, _, quality = part.strip().partition(";")
        if name.strip() in names:
            return quality.replace(" ", "") not in ("q=0", "q=0.0", "q=0.00", "q=0.000")
    return False


async def compressed(data: bytes) -> bytes:
    """The same bytes for the same data: the header holds no time."""
    if len(data) < COMPRESS_IN_THREAD_FROM:
        return gzip.compress(data, 5, mtime=0)
    return await asyncio.to_thread(gzip.compress, data, 5, mtime=0)
