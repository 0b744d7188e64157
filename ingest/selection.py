"""Which rows of a file are meant: joined, the latest of a group, not skipped, none twice."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from ingest.decoded import Row
from ingest.errors import IngestError, Reject
from ingest.formats import decode
from ingest.profile import Join, Latest
from ingest.values import Columns, as_number, clean, key

Joined = Mapping[tuple[str, ...], Mapping[str, Any]]


def join(path: Path, wanted: Join) -> Joined:
    """The columns to add, by the values they are matched by; empty when no such file lies beside `path`.

    Raises IngestError when several do. The joined file is held in memory: it is meant to be a small one.
    """
    beside = sorted(p for p in path.parent.glob(wanted.file) if p != path)
    if len(beside) > 1:
        raise IngestError(f"{path.name}: {len(beside)} files match {wanted.file}; leave one of them beside it")
    found: dict[tuple[str, ...], Mapping[str, Any]] = {}
    for other in beside:
        with decode(other) as decoded:
            columns = Columns(decoded.columns, decoded.tags)
            for row in decoded.rows:
                where = tuple(key(row.values.get(columns.find(c) or "", "")) for c in wanted.on)
                found[where] = {c: row.values.get(columns.find(c) or "") for c in wanted.take}
    return found


def joined(row: Row, wanted: Join, rows: Joined, columns: Columns) -> Row:
    """The row with the joined columns, empty where nothing matches."""
    where = tuple(key(row.values.get(columns.find(c) or "", "")) for c in wanted.on)
    extra = rows.get(where) or dict.fromkeys(wanted.take)
    return replace(row, values={**row.values, **extra})


def latest(rows: Iterator[Row], wanted: Latest, columns: Columns) -> dict[int, float]:
    """Read all rows once: for each group the number of its latest row, with the least order of the group."""
    by = [columns.find(c) or c for c in wanted.by]
    order = columns.find(wanted.order) or wanted.order
    best: dict[tuple[str, ...], tuple[float, int, float]] = {}
    for row in rows:
        value = clean(row.values.get(order))
        if value is None:
            continue
        try:
            rank = as_number(value, order)
        except Reject:
            continue
        group = tuple(key(row.values.get(c, "")) for c in by)
        top, number, least = best.get(group, (rank, row.number, rank))
        if rank >= top:
            top, number = rank, row.number
        best[group] = (top, number, min(least, rank))
    return {number: least for _, number, least in best.values()}


class Seen:
    """The source ids of a file, each with the row where it stands. On disk beyond a small cache: memory is constant."""

    def __init__(self) -> None:
        self._db = sqlite3.connect("", isolation_level=None)  # a private temporary database of SQLite
        self._db.execute("PRAGMA journal_mode = OFF")
        self._db.execute("CREATE TABLE seen (id TEXT PRIMARY KEY, row INTEGER) WITHOUT ROWID")
        self._db.execute("BEGIN")

    def first(self, source_id: str, row: int) -> int | None:
        """The row in which this id stood before, or None when it is new."""
        if self._db.execute("INSERT OR IGNORE INTO seen VALUES (?, ?)", (source_id, row)).rowcount:
            return None
        return int(self._db.execute("SELECT row FROM seen WHERE id = ?", (source_id,)).fetchone()[0])

    def close(self) -> None:
        self._db.close()
