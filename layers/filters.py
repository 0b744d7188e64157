"""CQL2 conditions compiled to SQL with bound parameters, over an allow-list of released columns.

The tree is pygeofilter's. A name that the audience does not have is refused like one that nobody has; a value is always
a parameter; nothing of the vault is evaluated. All geometry literals are EPSG:4326, x first.
"""

from __future__ import annotations

import datetime as dt
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

import shapely
from pygeofilter import ast, values
from shapely.geometry import shape

from layers.policy import ReleasedLayer
from layers.projection import box_3857

Kind = Literal["text", "number", "boolean", "time", "date"]

_FIELD_KIND: dict[str, Kind] = {
    "text": "text",
    "code": "text",
    "integer": "number",
    "number": "number",
    "boolean": "boolean",
    "date": "date",
    "datetime": "time",
}
_SPATIAL = {
    ast.GeometryIntersects: "ST_Intersects",
    ast.GeometryContains: "ST_Contains",
    ast.GeometryWithin: "ST_Within",
    ast.GeometryTouches: "ST_Touches",
    ast.GeometryCrosses: "ST_Crosses",
    ast.GeometryOverlaps: "ST_Overlaps",
    ast.GeometryEquals: "ST_Equals",
}
_CONVERSE = {"ST_Contains": "ST_Within", "ST_Within": "ST_Contains"}
_ALLEN = {
    ast.TimeAfter: "{s} > {f}",
    ast.TimeBefore: "{e} < {t}",
    ast.TimeContains: "{s} < {t} AND {e} > {f}",
    ast.TimeDisjoint: "({e} < {t} OR {s} > {f})",
    ast.TimeDuring: "{s} > {t} AND {e} < {f}",
    ast.TimeEquals: "{s} = {t} AND {e} = {f}",
    ast.TimeEndedBy: "{s} < {t} AND {e} = {f}",
    ast.TimeEnds: "{s} > {t} AND {e} = {f}",
    ast.TimeMeets: "{e} = {t}",
    ast.TimeMetBy: "{s} = {f}",
    ast.TimeOverlappedBy: "{s} > {t} AND {s} < {f} AND {e} > {f}",
    ast.TimeOverlaps: "{s} < {t} AND {e} > {t} AND {e} < {f}",
    ast.TimeBegunBy: "{s} = {t} AND {e} > {f}",
    ast.TimeBegins: "{s} = {t} AND {e} < {f}",
}
GEOMETRY_NAMES = ("geometry", "geom")


class BadQuery(ValueError):
    """The request asks for something that does not exist or does not fit. The text repeats the request alone."""


@dataclass
class Sql:
    """SQL text with its parameters, in order (psycopg's %s)."""

    text: str
    params: list[Any] = field(default_factory=list)


def kinds(released: ReleasedLayer) -> dict[str, Kind]:
    """What may be filtered and sorted by: released columns and their kinds."""
    out: dict[str, Kind] = {f.name: _FIELD_KIND[f.type] for f in released.fields}
    out |= {"place_precision": "text", "area": "text"}
    if released.has_time:
        out |= {"time_from": "time", "time_to": "time", "time_precision": "text"}
    return out


def compile_filter(node: Any, released: ReleasedLayer) -> Sql:
    """A condition on the relation `t`. Raises BadQuery."""
    return _Compiler(released).condition(node)


def spatial(name: str, geometry: shapely.Geometry, own: Sql | None = None) -> Sql:
    """A relation between the released place (own geometry, or area) and a literal geometry in EPSG:4326.

    `own`: the same test of the own geometry alone, where there is a cheaper one.
    """
    text = shapely.to_geojson(geometry)
    west, south, east, north = box_3857(geometry.bounds)
    near = "ST_MakeEnvelope(%s, %s, %s, %s, 3857)"
    literal = "ST_SetSRID(ST_GeomFromGeoJSON(%s), 4326)"
    box = [west, south, east, north]
    own = own or Sql(f"{name}(t.geom, {literal})", [text])
    # The areas as an array, found once: then both sides have an index, which IN (SELECT …) under OR has not.
    return Sql(
        f"((t.geom3857 && {near} AND {own.text}) OR t.area = ANY (ARRAY(SELECT b.id FROM blur_areas b"
        f" WHERE b.geom3857 && {near} AND {name}(b.geom, {literal}))))",
        [*box, *own.params, *box, text],
    )


def in_box(box: tuple[float, float, float, float], points: bool) -> Sql:
    """The released place meets a box with an area: west, south, east, north. `points`: all own places are points."""
    west, south, east, north = box
    # Four comparisons cost a tenth of ST_Intersects, and for a point they say the same.
    compared = "ST_X(t.geom) BETWEEN %s AND %s AND ST_Y(t.geom) BETWEEN %s AND %s"
    own = Sql(compared, [west, east, south, north]) if points else None
    return spatial("ST_Intersects", shapely.box(*box), own)


@dataclass
class _Value:
    sql: Sql
    kind: Kind | None  # None: a literal text, which may stand for a date or time


class _Compiler:
    def __init__(self, released: ReleasedLayer) -> None:
        self.kinds = kinds(released)

    # --- conditions --------------------------------------------------------------------------------------------------

    def condition(self, node: Any) -> Sql:
        match node:
            case ast.Include():
                return Sql("false" if node.not_ else "true")
            case ast.Not():
                inner = self.condition(node.sub_node)
                return Sql(f"(NOT coalesce({inner.text}, false))", inner.params)
            case ast.Combination():
                left, right = self.condition(node.lhs), self.condition(node.rhs)
                return Sql(f"({left.text} {node.op.value} {right.text})", left.params + right.params)
            case ast.Comparison():
                return self._join(f"({{}} {node.op.value} {{}})", *self._pair(node.lhs, node.rhs))
            case ast.Between():
                value, low = self._pair(node.lhs, node.low)
                _, high = self._pair(node.lhs, node.high)
                return self._join(f"({{}} {'NOT ' if node.not_ else ''}BETWEEN {{}} AND {{}})", value, low, high)
            case ast.In():
                pairs = [self._pair(node.lhs, one) for one in node.sub_nodes]
                if not pairs:
                    raise BadQuery("filter: IN needs at least one value")
                listed = ", ".join("{}" for _ in pairs)
                return self._join(
                    f"({{}} {'NOT ' if node.not_ else ''}IN ({listed}))", pairs[0][0], *(right for _, right in pairs)
                )
            case ast.Like():
                return self._like(node)
            case ast.IsNull():
                return self._is_null(node)
            case ast.SpatialComparisonPredicate():
                return self._spatial(node)
            case ast.TemporalPredicate():
                return self._temporal(node)
            case ast.Attribute() if self._attribute(node).kind == "boolean":
                return self._attribute(node).sql
        raise BadQuery("filter: this operator is not supported")

    @staticmethod
    def _join(pattern: str, *parts: Sql) -> Sql:
        return Sql(pattern.format(*(p.text for p in parts)), [v for p in parts for v in p.params])

    def _like(self, node: ast.Like) -> Sql:
        value = self._value(node.lhs)
        if value.kind != "text" or not isinstance(node.pattern, str):
            raise BadQuery("filter: LIKE compares a text property with a pattern")
        operator = ("NOT " if node.not_ else "") + ("ILIKE" if node.nocase else "LIKE")
        # A pattern that ends in its escape character is an error in PostgreSQL; the character then stands for itself.
        pattern = node.pattern
        if (len(pattern) - len(pattern.rstrip("\\"))) % 2:
            pattern += "\\"
        return self._join(f"({{}} {operator} {{}})", value.sql, Sql("%s", [clean(pattern)]))

    def _is_null(self, node: ast.IsNull) -> Sql:
        word = "IS NOT NULL" if node.not_ else "IS NULL"
        if isinstance(node.lhs, ast.Attribute) and node.lhs.name in GEOMETRY_NAMES:
            return Sql(f"(coalesce(t.area, t.geom::text) {word})")
        inner = self._value(node.lhs).sql
        return Sql(f"({inner.text} {word})", inner.params)

    def _spatial(self, node: ast.SpatialComparisonPredicate) -> Sql:
        sides = [node.lhs, node.rhs]
        names = [s for s in sides if isinstance(s, ast.Attribute)]
        others = [s for s in sides if not isinstance(s, ast.Attribute)]
        if len(names) != 1 or names[0].name not in GEOMETRY_NAMES:
            raise BadQuery("filter: a spatial condition compares the property geometry with a geometry")
        geometry = _geometry(others[0])
        if isinstance(node, ast.GeometryDisjoint):
            inner = spatial("ST_Intersects", geometry)
            return Sql(
                f"(coalesce(t.area, t.geom::text) IS NOT NULL AND NOT coalesce({inner.text}, false))", inner.params
            )
        name = _SPATIAL[type(node)]
        if not isinstance(node.lhs, ast.Attribute):
            name = _CONVERSE.get(name, name)
        return spatial(name, geometry)

    def _temporal(self, node: ast.TemporalPredicate) -> Sql:
        pattern = _ALLEN.get(type(node))
        if pattern is None:
            raise BadQuery("filter: this temporal operator is not supported")
        ends = {
            **dict(zip("se", self._interval(node.lhs), strict=True)),
            **dict(zip("tf", self._interval(node.rhs), strict=True)),
        }
        out = ""
        params: list[Any] = []
        # The pattern names each end where it stands, so its parameters follow in that order.
        for piece in pattern.replace("{", "\0{").replace("}", "}\0").split("\0"):
            if piece.startswith("{"):
                end = ends[piece[1]]
                out, params = out + end.text, params + end.params
            else:
                out += piece
        return Sql(f"({out})", params)

    def _interval(self, node: Any) -> tuple[Sql, Sql]:
        """The first and last moment of an operand."""
        if isinstance(node, values.Interval):
            start = self._moment(node.start, "-infinity")[0]
            return start, self._moment(node.end, "infinity")[1]
        return self._moment(node, "infinity")

    def _moment(self, node: Any, unbounded: str) -> tuple[Sql, Sql]:
        if node is None or node == "..":
            one = Sql("%s::timestamptz", [unbounded])
            return one, one
        if isinstance(node, ast.Attribute):
            value = self._attribute(node)
            if value.kind not in ("time", "date"):
                raise BadQuery(f"filter: {node.name} is no time")
            one = Sql(f"({value.sql.text})::timestamptz", value.sql.params)
            return one, one
        if isinstance(node, dt.datetime):
            one = Sql("%s::timestamptz", [node])
            return one, one
        if isinstance(node, dt.date):
            start = dt.datetime.combine(node, dt.time(), dt.UTC)
            return Sql("%s::timestamptz", [start]), Sql(
                "%s::timestamptz", [start + dt.timedelta(days=1, microseconds=-1)]
            )
        raise BadQuery("filter: expected a date, a timestamp, an interval or a property")

    # --- values ------------------------------------------------------------------------------------------------------

    def _pair(self, left: Any, right: Any) -> tuple[Sql, Sql]:
        """Two operands of one kind; a literal takes the kind of the other side."""
        one, two = self._value(left), self._value(right)
        kinds_ = {one.kind, two.kind} - {None}
        if kinds_ == {"time", "date"}:
            return self._as_time(one), self._as_time(two)
        if None in (one.kind, two.kind) and kinds_ & {"time", "date"}:
            kind = next(iter(kinds_))
            return _cast(one, kind), _cast(two, kind)
        if len(kinds_) > 1 or (None in (one.kind, two.kind) and kinds_ - {"text"}):
            raise BadQuery("filter: the two sides of a comparison are of different types")
        return one.sql, two.sql

    @staticmethod
    def _as_time(value: _Value) -> Sql:
        return Sql(f"({value.sql.text})::timestamptz", value.sql.params)

    def _value(self, node: Any) -> _Value:
        match node:
            case ast.Attribute():
                return self._attribute(node)
            case bool():
                return _Value(Sql("%s::boolean", [node]), "boolean")
            case int() | float():
                return _Value(Sql("%s::double precision", [float(node)]), "number")
            case str():
                return _Value(Sql("%s::text", [clean(node)]), None)
            case dt.datetime():
                return _Value(Sql("%s::timestamptz", [node]), "time")
            case dt.date():
                return _Value(Sql("%s::date", [node]), "date")
            case ast.Arithmetic():
                return self._arithmetic(node)
            case ast.Function() if node.name in ("casei", "accenti") and len(node.arguments) == 1:
                inner = self._value(node.arguments[0])
                if inner.kind not in ("text", None):
                    raise BadQuery(f"filter: {node.name} takes a text")
                call = "lower" if node.name == "casei" else "public.unaccent"
                return _Value(Sql(f"{call}({inner.sql.text})", inner.sql.params), "text")
        raise BadQuery("filter: this expression is not supported")

    def _arithmetic(self, node: ast.Arithmetic) -> _Value:
        left, right = self._value(node.lhs), self._value(node.rhs)
        if {left.kind, right.kind} != {"number"}:
            raise BadQuery("filter: arithmetic takes numbers")
        pattern = (
            "({}::double precision / nullif({}::double precision, 0))"
            if isinstance(node, ast.Div)
            else (f"({{}}::double precision {node.op.value} {{}}::double precision)")
        )
        return _Value(self._join(pattern, left.sql, right.sql), "number")

    def _attribute(self, node: ast.Attribute) -> _Value:
        kind = self.kinds.get(node.name)
        if kind is None:
            raise BadQuery(f"filter: there is no property {node.name[:60]!r}")
        return _Value(Sql(column(node.name, kind)), kind)


def column(name: str, kind: Kind) -> str:
    """A released column of the relation `t`. Texts compare by code point, whatever the database's language is."""
    return f't."{name}" COLLATE "C"' if kind == "text" else f't."{name}"'


def _cast(value: _Value, kind: Kind | None) -> Sql:
    """A literal text beside a date or time is read as one."""
    if value.kind is not None:
        return value.sql
    text = value.sql.params[0]
    try:
        if kind == "date":
            return Sql("%s::date", [dt.date.fromisoformat(text)])
        moment = dt.datetime.fromisoformat(text)
        return Sql("%s::timestamptz", [moment if moment.tzinfo else moment.replace(tzinfo=dt.UTC)])
    except ValueError:
        raise BadQuery(f"filter: {text[:40]!r} is no {'date' if kind == 'date' else 'time'}") from None


def clean(text: str) -> str:
    """A text that PostgreSQL can hold."""
    if "\0" in text:
        raise BadQuery("a text may not hold the character NUL")
    try:
        text.encode()
    except UnicodeEncodeError:
        raise BadQuery("a text holds half a character (a lone surrogate)") from None
    return text


def _geometry(node: Any) -> shapely.Geometry:
    data: Mapping[str, Any] | None = getattr(node, "__geo_interface__", None)
    if data is None:
        raise BadQuery("filter: a spatial condition compares the property geometry with a geometry")
    try:
        geometry = shape(json.loads(json.dumps(data)))
    except (ValueError, TypeError, IndexError, shapely.GEOSException):
        raise BadQuery("filter: the geometry cannot be read") from None
    if geometry.is_empty or not geometry.is_valid:
        raise BadQuery(f"filter: the geometry is not valid ({shapely.is_valid_reason(geometry)})")
    return geometry
