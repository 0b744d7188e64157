"""Finished tiles in memory, per audience and release version.

A key holds the audience, so an answer never reaches another one. An entry is used only while the release versions of
its layers are those from before it was made; versions change when, and only when, a released row changed.
"""

from __future__ import annotations

import asyncio
import time
from collections import OrderedDict
from collections.abc import Mapping
from dataclasses import dataclass

from layers.door import Reader

Key = tuple[str, str, bytes, bool]
RawHeaders = list[tuple[bytes, bytes]]


@dataclass(slots=True)
class Entry:
    layers: tuple[str, ...]
    stamp: tuple[int, ...]
    seen: Mapping[str, int]
    """The versions with which the stamp was last compared: the same object need not be compared again."""
    etag: bytes
    headers: RawHeaders
    body: bytes


class Versions:
    """Release versions of each audience, read at most every `poll` seconds and only when somebody asks."""

    def __init__(self, poll: float) -> None:
        self.poll = poll
        self._known: dict[str, tuple[float, Mapping[str, int]]] = {}
        self._locks: dict[str, asyncio.Lock] = {}

    def recent(self, audience: str) -> Mapping[str, int] | None:
        """The versions if they are recent enough; None when they must be read."""
        known = self._known.get(audience)
        return known[1] if known is not None and time.monotonic() - known[0] < self.poll else None

    async def read(self, reader: Reader) -> Mapping[str, int]:
        audience = reader.audience.id
        if not self.poll:
            return await reader.versions()
        async with self._locks.setdefault(audience, asyncio.Lock()):
            found = self.recent(audience)
            if found is None:
                asked = time.monotonic()
                found = await reader.versions()
                known = self._known.get(audience)
                if known is not None and known[1] == found:
                    found = known[1]
                self._known[audience] = (asked, found)
            return found


def stamp(layers: tuple[str, ...], versions: Mapping[str, int]) -> tuple[int, ...]:
    return tuple(versions.get(layer, -1) for layer in layers)


class TileCache:
    """Least recently used entries go first once they hold more than `size` bytes."""

    def __init__(self, size: int) -> None:
        self.size = size
        self.held = 0
        self._entries: OrderedDict[Key, Entry] = OrderedDict()

    def get(self, key: Key, versions: Mapping[str, int]) -> Entry | None:
        entry = self._entries.get(key)
        if entry is None:
            return None
        if entry.seen is not versions:
            if entry.stamp != stamp(entry.layers, versions):
                self._drop(key)
                return None
            entry.seen = versions
        self._entries.move_to_end(key)
        return entry

    def put(self, key: Key, entry: Entry) -> None:
        self._drop(key)
        cost = _cost(key, entry)
        if cost > self.size // 8:
            return
        self._entries[key] = entry
        self.held += cost
        while self.held > self.size:
            self._drop(next(iter(self._entries)))

    def _drop(self, key: Key) -> None:
        entry = self._entries.pop(key, None)
        if entry is not None:
            self.held -= _cost(key, entry)

    def __len__(self) -> int:
        return len(self._entries)


def _cost(key: Key, entry: Entry) -> int:
    return len(entry.body) + len(key[1]) + len(key[2]) + 2_000  # headers and bookkeeping
