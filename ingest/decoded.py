"""What every decoder gives: a table of rows, whatever the format was."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from shapely.geometry.base import BaseGeometry

REJECT_COLUMNS = ("reject_row", "reject_field", "reject_reason", "reject_remedy")
"""Columns that a rejects file adds. Decoders drop them, so that a mended rejects file can be fed again."""


@dataclass(frozen=True)
class Row:
    """One row. `number` is the line, sheet row or feature where it stands in the file, counted from 1."""

    number: int
    values: Mapping[str, Any]
    geometry: BaseGeometry | None = None
    fault: str | None = None
    """Why the decoder could not read the row as the header promises, e.g. a ragged line."""


@dataclass
class Decoded:
    """An open file. `rows` can be read once; `fraction` tells how much of the file was read (0..1, None: unknown)."""

    columns: tuple[str, ...]
    rows: Iterator[Row]
    tags: Mapping[str, str] = field(default_factory=dict)
    """HXL hashtag by column, where the file has a row of them."""
    has_geometry: bool = False
    crs: str | None = None
    """Coordinate reference system of the geometry as the file states it; None when it states none."""
    fraction: Callable[[], float | None] = lambda: None
    notes: tuple[str, ...] = ()
    """What was found out about the file: encoding, delimiter, sheet."""
