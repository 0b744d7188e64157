"""Questions to a release and their SQL conditions: names from the declarations, values as parameters."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import shapely

from layers.filters import BadQuery, Kind, Sql, clean, column, compile_filter, in_box, kinds, spatial
from layers.policy import ReleasedLayer


@dataclass(frozen=True)
class Where:
    """A question in released terms. `bbox` is lon/lat (west > east crosses the antimeridian); `interval` is closed."""

    bbox: tuple[float, float, float, float] | None = None
    interval: tuple[dt.datetime | None, dt.datetime | None] | None = None
    equals: Mapping[str, str] = field(default_factory=dict)
    filter: Any = None
    area: str | None = None

    @property
    def everything(self) -> bool:
        return not (self.bbox or self.interval or self.equals or self.filter is not None or self.area)


@dataclass(frozen=True)
class Sort:
    name: str
    descending: bool = False


def where_sql(where: Where, released: ReleasedLayer) -> Sql:
    """The condition of a question on the relation `t`: names from the declarations, values as parameters."""
    parts: list[Sql] = []
    if where.bbox:
        west, south, east, north = where.bbox
        halves = (
            [(west, south, east, north)]
            if west <= east
            else [(west, south, 180.0, north), (-180.0, south, east, north)]
        )
        boxes = [
            in_box(half, released.layer.geometry == "point") if _has_area(half) else _point_or_line(half)
            for half in halves
        ]
        parts.append(Sql("(" + " OR ".join(b.text for b in boxes) + ")", [p for b in boxes for p in b.params]))
    if where.interval and released.has_time:
        start, end = where.interval
        if end is not None:
            parts.append(Sql("(t.time_from IS NULL OR t.time_from <= %s)", [end]))
        if start is not None:
            parts.append(Sql("(t.time_to IS NULL OR t.time_to > %s)", [start]))
    allowed = kinds(released)
    for name, value in where.equals.items():
        if name not in allowed:
            raise BadQuery(f"there is no property {name[:60]!r}")
        parts.append(_equals(name, allowed[name], value))
    if where.area is not None:
        parts.append(Sql("t.area = %s", [clean(where.area)]) if released.layer.geometry == "point" else Sql("false"))
    if where.filter is not None:
        parts.append(compile_filter(where.filter, released))
    if not parts:
        return Sql("true")
    return Sql(" AND ".join(p.text for p in parts), [v for p in parts for v in p.params])


def _has_area(box: tuple[float, float, float, float]) -> bool:
    return box[0] < box[2] and box[1] < box[3]


def _point_or_line(box: tuple[float, float, float, float]) -> Sql:
    """A box without area is a line or a point; a polygon of it would not be valid."""
    ends = shapely.points([(box[0], box[1]), (box[2], box[3])])
    return spatial("ST_Intersects", ends[0] if ends[0] == ends[1] else shapely.LineString(ends))


def _equals(name: str, kind: Kind, value: str) -> Sql:
    """Any of the values that commas part, read as the property's type."""
    values_: list[Any] = []
    for text in clean(value).split(","):
        try:
            if kind == "number":
                number = float(text)
                if number != number:
                    raise ValueError
                values_.append(number)
            elif kind == "boolean":
                values_.append({"true": True, "false": False}[text.strip().lower()])
            elif kind == "date":
                values_.append(dt.date.fromisoformat(text))
            elif kind == "time":
                moment = dt.datetime.fromisoformat(text)
                values_.append(moment if moment.tzinfo else moment.replace(tzinfo=dt.UTC))
            else:
                values_.append(text)
        except (ValueError, KeyError):
            raise BadQuery(f"{name[:60]}: {text[:60]!r} is no {kind}") from None
    cast = {"number": "double precision", "boolean": "boolean", "date": "date", "time": "timestamptz", "text": "text"}[
        kind
    ]
    return Sql(f't."{name}" = ANY (%s::{cast}[])', [values_])


def named(statement: Sql, prefix: str) -> Sql:
    """The same condition with its parameters by name, so that it can stand in a statement several times."""
    pieces = statement.text.split("%s")
    text = pieces[0] + "".join(f"%({prefix}{n})s{piece}" for n, piece in enumerate(pieces[1:]))
    return Sql(text, statement.params)


def beyond(sort: Sequence[Sort], allowed: Mapping[str, Kind], after: Sequence[Any]) -> Sql:
    """Rows after a key, in the order of `sort` with nulls last, then by id."""
    if len(after) != len(sort) + 1 or not isinstance(after[-1], int):
        raise BadQuery("cursor: does not belong to this request")
    cast = {"text": "text", "number": "double precision", "boolean": "boolean", "date": "date", "time": "timestamptz"}
    options: list[Sql] = []
    same: list[Sql] = []
    for one, value in zip(sort, after, strict=False):
        kind = allowed[one.name]
        name, literal = column(one.name, kind), f"%s::{cast[kind]}"
        if value is not None:
            later = Sql(f'({name} {"<" if one.descending else ">"} {literal} OR t."{one.name}" IS NULL)', [value])
            options.append(_all([*same, later]))
        same.append(Sql(f't."{one.name}" IS NULL') if value is None else Sql(f"{name} = {literal}", [value]))
    options.append(_all([*same, Sql("t.fid > %s", [after[-1]])]))
    return Sql("(" + " OR ".join(o.text for o in options) + ")", [p for o in options for p in o.params])


def _all(parts: Sequence[Sql]) -> Sql:
    return Sql("(" + " AND ".join(p.text for p in parts) + ")", [v for p in parts for v in p.params])
