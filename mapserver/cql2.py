"""CQL2 filters, text or JSON, as pygeofilter's syntax tree with everything bounded: length, depth, positions.

What a name means and whether its type fits is decided where the released columns are known (layers.filters).
Geometries come out in longitude, latitude (EPSG:4326, x first), times in UTC.
"""

from __future__ import annotations

import datetime as dt
import math
from collections.abc import Sequence
from typing import Any

import orjson
from pygeofilter import ast, values

from mapserver import crs
from mapserver.cql2_text import MAX_DEPTH, SyntaxProblem, to_json
from mapserver.errors import bad

MAX_LENGTH = 6000
MAX_NODES = 500
MAX_POSITIONS = 2000

_COMPARE = {
    "=": ast.Equal,
    "<>": ast.NotEqual,
    "<": ast.LessThan,
    "<=": ast.LessEqual,
    ">": ast.GreaterThan,
    ">=": ast.GreaterEqual,
}
_ARITHMETIC = {"+": ast.Add, "-": ast.Sub, "*": ast.Mul, "/": ast.Div}
_SPATIAL = {
    "s_intersects": ast.GeometryIntersects,
    "s_equals": ast.GeometryEquals,
    "s_disjoint": ast.GeometryDisjoint,
    "s_touches": ast.GeometryTouches,
    "s_within": ast.GeometryWithin,
    "s_overlaps": ast.GeometryOverlaps,
    "s_crosses": ast.GeometryCrosses,
    "s_contains": ast.GeometryContains,
}
_TEMPORAL = {
    "t_after": ast.TimeAfter,
    "t_before": ast.TimeBefore,
    "t_contains": ast.TimeContains,
    "t_disjoint": ast.TimeDisjoint,
    "t_during": ast.TimeDuring,
    "t_equals": ast.TimeEquals,
    "t_finishedBy": ast.TimeEndedBy,
    "t_finishes": ast.TimeEnds,
    "t_meets": ast.TimeMeets,
    "t_metBy": ast.TimeMetBy,
    "t_overlappedBy": ast.TimeOverlappedBy,
    "t_overlaps": ast.TimeOverlaps,
    "t_startedBy": ast.TimeBegunBy,
    "t_starts": ast.TimeBegins,
}
_NESTING = {"Point": 0, "MultiPoint": 1, "LineString": 1, "Polygon": 2, "MultiLineString": 2, "MultiPolygon": 3}


def parse(text: str, language: str, filter_crs: str = crs.CRS84) -> ast.Node:
    """The filter as a tree. Raises a 400 problem that quotes only the filter."""
    if len(text) > MAX_LENGTH:
        raise bad(f"filter: longer than {MAX_LENGTH} characters")
    if not text.strip():
        raise bad("filter: is empty; leave the parameter out")
    try:
        tree = to_json(text) if language == "cql2-text" else _read_json(text)
    except SyntaxProblem as error:
        raise bad(str(error)) from None
    _bound(tree)
    node = _Builder(filter_crs).node(tree)
    if isinstance(node, bool):
        return ast.Include(not_=not node)
    if not isinstance(node, (ast.Condition, ast.Predicate)):
        raise bad("filter: the whole must be a condition that is true or false")
    return node


def _read_json(text: str) -> Any:
    # the reader recurses: refuse what is absurdly deep before it does
    if text.count("[") + text.count("{") > 4 * MAX_NODES:
        raise bad(f"filter: more than {MAX_NODES} parts")
    try:
        return orjson.loads(text)
    except orjson.JSONDecodeError:
        raise bad("filter: is not valid JSON; for text say filter-lang=cql2-text") from None


def _bound(tree: Any) -> None:
    stack, nodes = [(tree, 0)], 0
    while stack:
        part, depth = stack.pop()
        if depth > 3 * MAX_DEPTH:  # an object with its list of arguments is two levels of JSON
            raise bad(f"filter: nested deeper than {MAX_DEPTH} levels; write it flatter")
        if isinstance(part, dict):
            nodes += 1
            stack.extend((p, depth + 1) for key, p in part.items() if key not in ("coordinates", "bbox"))
        elif isinstance(part, list):
            stack.extend((p, depth + 1) for p in part)
        else:
            nodes += 1
        if nodes > 4 * MAX_NODES:
            raise bad(f"filter: more than {MAX_NODES} parts")


class _Builder:
    def __init__(self, filter_crs: str) -> None:
        self.crs = filter_crs
        self.positions = 0

    def node(self, part: Any) -> Any:
        if isinstance(part, bool | int | float | str):
            if isinstance(part, float) and not math.isfinite(part):
                raise bad("filter: numbers must be finite")
            return part
        if isinstance(part, list):
            return [self.node(p) for p in part]
        if not isinstance(part, dict):
            raise bad("filter: null is no value; use isNull")
        if "op" in part:
            return self.operation(part)
        if set(part) == {"property"} and isinstance(part["property"], str):
            return ast.Attribute(part["property"])
        if set(part) == {"date"}:
            return _date(part["date"])
        if set(part) == {"timestamp"}:
            return _timestamp(part["timestamp"])
        if set(part) == {"interval"}:
            return self.interval(part["interval"])
        if set(part) == {"bbox"}:
            return self.box(part["bbox"])
        if "type" in part:
            return values.Geometry(self.geometry(part))
        raise bad(f"filter: cannot read an object with {', '.join(sorted(map(str, part)))[:80] or 'nothing in it'}")

    def operation(self, part: dict[str, Any]) -> Any:
        op, raw = part["op"], part.get("args")
        if not isinstance(op, str) or not isinstance(raw, list) or set(part) != {"op", "args"}:
            raise bad('filter: an operation is {"op": "…", "args": […]}')
        if op in ("and", "or"):
            if len(raw) < 2:
                raise bad(f"filter: {op} takes two or more conditions")
            return _balanced(ast.And if op == "and" else ast.Or, [_condition(self.node(a), op) for a in raw])
        if op == "between" and len(raw) == 2 and isinstance(raw[1], list):
            raw = [raw[0], *raw[1]]
        args = [self.node(a) for a in raw]
        wanted = {"not": 1, "isNull": 1, "between": 3, "casei": 1, "accenti": 1}.get(op, 2)
        known = {"not", "isNull", "between", "casei", "accenti", "like", "in", "t_intersects"}
        if op not in known | _COMPARE.keys() | _ARITHMETIC.keys() | _SPATIAL.keys() | _TEMPORAL.keys():
            raise bad(f"filter: there is no operator or function {op[:40]!r}")
        if len(args) != wanted:
            raise bad(f"filter: {op} takes {wanted} argument{'s' if wanted > 1 else ''}, not {len(args)}")
        if op == "not":
            return ast.Not(_condition(args[0], op))
        if op == "isNull":
            return ast.IsNull(args[0], not_=False)
        if op == "between":
            return ast.Between(args[0], args[1], args[2], not_=False)
        if op == "in":
            if not isinstance(args[1], list) or not args[1]:
                raise bad("filter: in takes a value and a list of values")
            return ast.In(args[0], args[1], not_=False)
        if op == "like":
            return _like(args[0], args[1])
        if op in ("casei", "accenti"):
            return ast.Function(op, [args[0]])
        if op == "t_intersects":
            return _meets(args[0], args[1])
        table: dict[str, Any] = {**_COMPARE, **_ARITHMETIC, **_SPATIAL, **_TEMPORAL}
        return table[op](args[0], args[1])

    def interval(self, ends: Any) -> values.Interval:
        if not isinstance(ends, list) or len(ends) != 2:
            raise bad("filter: an interval has two ends")
        return values.Interval(*(self.end(e) for e in ends))

    def end(self, end: Any) -> dt.datetime | dt.date | None:
        if end == "..":
            return None
        if isinstance(end, str):
            return _date(end) if len(end) == 10 else _timestamp(end)
        raise bad("filter: the ends of an interval are dates, timestamps or '..'; properties are not supported there")

    def box(self, numbers: Any) -> values.Geometry:
        if not _numbers(numbers) or len(numbers) not in (4, 6):
            raise bad("filter: a bbox has 4 or 6 numbers")
        half = len(numbers) // 2
        x1, y1 = self.lonlat(numbers[0], numbers[1])
        x2, y2 = self.lonlat(numbers[half], numbers[half + 1])
        if y1 > y2:
            raise bad("filter: the bbox's lower corner is above its upper one")
        if x1 <= x2:
            return values.Geometry({"type": "Polygon", "coordinates": _ring(x1, y1, x2, y2)})
        parts = [_ring(x1, y1, 180.0, y2), _ring(-180.0, y1, x2, y2)]
        return values.Geometry({"type": "MultiPolygon", "coordinates": parts})

    def geometry(self, part: Any) -> dict[str, Any]:
        if not isinstance(part, dict):
            raise bad("filter: a geometry is a GeoJSON object")
        kind = part.get("type")
        if kind == "GeometryCollection" and isinstance(part.get("geometries"), list):
            return {"type": kind, "geometries": [self.geometry(g) for g in part["geometries"]]}
        if kind not in _NESTING or not part.get("coordinates"):
            raise bad(f"filter: cannot read a geometry of type {str(kind)[:30]!r}")
        return {"type": kind, "coordinates": self.coordinates(part["coordinates"], _NESTING[kind])}

    def coordinates(self, part: Any, nesting: int) -> Any:
        if nesting:
            if not isinstance(part, list) or not part:
                raise bad("filter: the coordinates do not fit the type of the geometry")
            return [self.coordinates(p, nesting - 1) for p in part]
        self.positions += 1
        if self.positions > MAX_POSITIONS:
            raise bad(f"filter: more than {MAX_POSITIONS} positions")
        if not _numbers(part) or len(part) not in (2, 3):
            raise bad("filter: a position has 2 or 3 numbers")
        return list(self.lonlat(part[0], part[1]))

    def lonlat(self, x: float, y: float) -> tuple[float, float]:
        try:
            lon, lat = crs.to_lonlat(self.crs, x, y)
        except OverflowError:
            lon = lat = math.inf
        if not (-180 <= lon <= 180 and -90 <= lat <= 90):
            raise bad("filter: a position lies outside of the world; filter-crs says its axes")
        return lon, lat


def _balanced(kind: type[ast.Node], parts: Sequence[Any]) -> Any:
    """A tree of logarithmic depth: a long chain must not exhaust whoever walks it."""
    if len(parts) == 1:
        return parts[0]
    middle = len(parts) // 2
    return kind(_balanced(kind, parts[:middle]), _balanced(kind, parts[middle:]))


def _condition(node: Any, op: str) -> ast.Node:
    if isinstance(node, bool):
        return ast.Include(not_=not node)
    if not isinstance(node, (ast.Condition, ast.Predicate)):
        raise bad(f"filter: {op} takes conditions, not values")
    return node


def _meets(left: Any, right: Any) -> ast.Node:
    """Do two times share a moment? Written as comparisons, so that a record without a time does not.

    pygeofilter takes T_INTERSECTS for T_OVERLAPS, and the negation of T_DISJOINT would hold for an unknown time.
    """
    (start, end), (from_, to) = _ends(left), _ends(right)
    pairs = [(a, b) for a, b in ((start, to), (from_, end)) if a is not None and b is not None]
    conditions: list[Any] = [ast.LessEqual(a, b) for a, b in pairs]
    conditions += [ast.IsNull(side, not_=True) for side in (left, right) if isinstance(side, ast.Attribute)]
    return _balanced(ast.And, conditions or [ast.Include(not_=False)])


def _ends(side: Any) -> tuple[Any, Any]:
    """First and last moment of a time; None where it is open."""
    if isinstance(side, values.Interval):
        return _ends(side.start)[0], _ends(side.end)[1]
    if isinstance(side, dt.date) and not isinstance(side, dt.datetime):
        start = dt.datetime.combine(side, dt.time(), dt.UTC)
        return start, start + dt.timedelta(days=1, microseconds=-1)
    if side is None or isinstance(side, dt.datetime | ast.Attribute):
        return side, side
    raise bad("filter: t_intersects takes a property, a date, a timestamp or an interval")


def _like(value: Any, pattern: Any) -> ast.Like:
    folded = 0
    for side in (value, pattern):
        folded += isinstance(side, ast.Function) and side.name == "casei"
    if folded == 2:
        value, pattern = value.arguments[0], pattern.arguments[0]
    if not isinstance(pattern, str):
        raise bad("filter: like takes a property and a text; write CASEI on both sides or on none")
    return ast.Like(value, pattern, nocase=folded == 2, wildcard="%", singlechar="_", escapechar="\\", not_=False)


def _numbers(part: Any) -> bool:
    return isinstance(part, list) and all(
        isinstance(n, (int, float)) and not isinstance(n, bool) and math.isfinite(n) for n in part
    )


def _ring(x1: float, y1: float, x2: float, y2: float) -> list[list[list[float]]]:
    return [[[x1, y1], [x2, y1], [x2, y2], [x1, y2], [x1, y1]]]


def _date(text: Any) -> dt.date:
    try:
        return dt.date.fromisoformat(text)
    except (TypeError, ValueError):
        raise bad(f"filter: {str(text)[:40]!r} is no date; write for example 2024-05-31") from None


def _timestamp(text: Any) -> dt.datetime:
    try:
        when = dt.datetime.fromisoformat(text)
        return when.astimezone(dt.UTC) if when.tzinfo else when.replace(tzinfo=dt.UTC)
    except (TypeError, ValueError, OverflowError):
        raise bad(f"filter: {str(text)[:40]!r} is no timestamp; write for example 2024-05-31T12:00:00Z") from None
