"""Find the header of a table that people made: titles above it, HXL hashtags below it, empty and double names in it."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

LOOK_AHEAD = 25
"""Rows that are looked at for a header; HXL says the same number for its hashtags."""

_TAG = re.compile(r"^\s*#\s*[a-z][a-z0-9_]*(\s*\+\s*[a-z][a-z0-9_]*)*\s*$", re.IGNORECASE)


@dataclass(frozen=True)
class Header:
    """Names of the columns, hashtags by column, and the index of the first row of data."""

    columns: tuple[str, ...]
    tags: dict[str, str]
    first_row: int


def is_tag_row(cells: Sequence[str]) -> bool:
    """A row of HXL hashtags: at least one, and most of what is filled. (`fuzzy` files forget the # of some.)"""
    filled = [c for c in cells if c.strip()]
    tags = sum(1 for c in filled if _TAG.match(c))
    return tags > 0 and tags * 2 >= len(filled)


def normal_tag(text: str) -> str:
    """`#Affected + F+hh` → `#affected+f+hh`, attributes in order, so that tags can be compared."""
    name, *attributes = re.sub(r"\s+", "", text.strip().lower()).split("+")
    return "+".join([name if name.startswith("#") else f"#{name}", *sorted(attributes)])


def tag_matches(pattern: str, tag: str) -> bool:
    """Does a column's tag carry the pattern's hashtag and at least its attributes?"""
    wanted, *needed = normal_tag(pattern).split("+")
    found, *has = normal_tag(tag).split("+")
    return wanted == found and set(needed) <= set(has)


def find_header(rows: Sequence[Sequence[str]]) -> Header:
    """The header of a table, from its first rows (up to LOOK_AHEAD).

    With a row of hashtags, it is the row above that names the columns. Else it is the first row that fills well over
    half as many cells as the fullest one: titles and notes above a table fill one or two.
    """
    rows = rows[:LOOK_AHEAD]
    for index, cells in enumerate(rows):
        if is_tag_row(cells):
            width = max(len(cells), len(rows[index - 1]) if index else 0)
            names = rows[index - 1] if index else cells
            columns = _names(names, width)
            tags = {columns[i]: normal_tag(c) for i, c in enumerate(cells) if _TAG.match(c)}
            return Header(columns, tags, index + 1)
    fullest = max((_filled(r) for r in rows), default=0)
    for index, cells in enumerate(rows):
        if _filled(cells) >= 0.6 * fullest and _filled(cells):
            width = max((n + 1 for r in rows for n, c in enumerate(r[: len(cells)]) if c.strip()), default=0)
            return Header(_names(cells, width), {}, index + 1)
    return Header((), {}, 0)


def _filled(cells: Sequence[str]) -> int:
    return sum(1 for c in cells if c.strip())


def _names(cells: Sequence[str], width: int) -> tuple[str, ...]:
    """Every column gets a name of its own: empty ones by number, double ones with a count."""
    names: list[str] = []
    for index in range(width):
        name = " ".join(cells[index].split()) if index < len(cells) else ""
        name = name or f"column {index + 1}"
        candidate, count = name, 2
        while candidate in names:
            candidate, count = f"{name} ({count})", count + 1
        names.append(candidate)
    return tuple(names)
