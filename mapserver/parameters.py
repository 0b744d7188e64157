"""The query parameters of the API: each declared once, with its OpenAPI schema and its reader.

Routes name theirs in mapserver.routes. A parameter that a route does not name is refused (OGC API Common, 8.2),
and a property that is not released is such a parameter, like any nonsense.
"""

from __future__ import annotations

import datetime as dt
import math
import re
from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import parse_qsl

from starlette.types import Scope

from layers.door import Sort
from mapserver import crs
from mapserver.errors import Problem, bad

MAX_LIMIT = 1000
DEFAULT_LIMIT = 100
LANGUAGES = ("en", "fr", "ar")

_CONTROL = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f]")

Interval = tuple[dt.datetime | None, dt.datetime | None]


@dataclass(frozen=True)
class Parameter:
    """`read` turns the text into a value; its ValueError becomes a 400 problem."""

    name: str
    description: str
    read: Callable[[str], Any]
    schema: Mapping[str, Any] = field(default_factory=lambda: {"type": "string"})
    explode: bool = True
    default: Any = None

    def openapi(self) -> dict[str, Any]:
        out: dict[str, Any] = {"name": self.name, "in": "query", "required": False, "description": self.description}
        return {**out, "schema": dict(self.schema), "style": "form", "explode": self.explode}


@dataclass(frozen=True)
class Query:
    """The parameters of one request: `values` by name with defaults, `equals` by property, `given` as they came."""

    values: Mapping[str, Any]
    equals: Mapping[str, str]
    given: tuple[tuple[str, str], ...]

    def __getitem__(self, name: str) -> Any:
        return self.values[name]

    def without(self, *names: str) -> list[tuple[str, str]]:
        return [(k, v) for k, v in self.given if k not in names]


def read(scope: Scope, declared: Iterable[Parameter], properties: Collection[str] = ()) -> Query:
    """Read the query string. Raises a 400 problem for unknown, repeated or malformed parameters."""
    try:
        given = parse_qsl(
            scope["query_string"].decode("ascii"), keep_blank_values=True, errors="strict", max_num_fields=100
        )
    except (UnicodeDecodeError, ValueError):
        raise bad(
            "the query string cannot be read: percent-encoded UTF-8 is expected, at most 100 parameters"
        ) from None
    known = {p.name: p for p in declared}
    values = {p.name: p.default for p in known.values()}
    equals: dict[str, str] = {}
    seen: set[str] = set()
    for name, text in given:
        if name in seen:
            raise bad(f"{_short(name)}: stands twice")
        seen.add(name)
        if _CONTROL.search(text):
            raise bad(f"{_short(name)}: holds a control character")
        if name in known:
            try:
                values[name] = known[name].read(text)
            except ValueError as error:
                raise bad(f"{name}: {error}") from None
        elif name in properties:
            equals[name] = text
        else:
            raise bad(f"there is no query parameter {_short(name)}; there are {', '.join([*known, *properties])}")
    return Query(values, equals, tuple(given))


def _short(text: str) -> str:
    return repr(text[:60])


# --- readers ---------------------------------------------------------------------------------------------------------


def one_of(*allowed: str) -> Callable[[str], str]:
    def check(text: str) -> str:
        if text not in allowed:
            raise ValueError(f"{_short(text)} is none of {', '.join(allowed)}")
        return text

    return check


def integer(low: int, high: int, clamp: bool = False) -> Callable[[str], int]:
    def check(text: str) -> int:
        if not re.fullmatch(r"\d{1,9}", text) or int(text) < low or (int(text) > high and not clamp):
            raise ValueError(f"{_short(text)} is no integer from {low} to {high}")
        return min(int(text), high)

    return check


def numbers(text: str) -> tuple[float, ...]:
    """The numbers of a bbox in the order of its CRS; heights are left out."""
    try:
        found = tuple(float(part) for part in text.split(","))
    except ValueError:
        raise ValueError(f"{_short(text)} is no list of numbers") from None
    if len(found) not in (4, 6) or not all(map(math.isfinite, found)):
        raise ValueError("4 numbers are expected (or 6, with heights)")
    return (*found[:2], *found[3:5]) if len(found) == 6 else found


def bbox(found: tuple[float, ...], uri: str) -> tuple[float, float, float, float]:
    """West, south, east, north in degrees; west > east crosses the antimeridian. Raises a 400 problem."""
    try:
        west, south = crs.to_lonlat(uri, found[0], found[1])
        east, north = crs.to_lonlat(uri, found[2], found[3])
    except OverflowError:
        raise bad("bbox: lies outside of the world") from None
    if south > north:
        raise bad("bbox: the second corner must be the upper one; bbox-crs says the axes")
    if not (-90 <= south and north <= 90):
        raise bad("bbox: a latitude lies outside of -90 to 90; bbox-crs says the axes")
    # maps that wrap around the world ask for longitudes beyond 180
    if not (-540 <= west <= 540 and -540 <= east <= 540):
        raise bad("bbox: a longitude lies outside of -180 to 180; bbox-crs says the axes")
    if west < east and east - west >= 360:
        return -180.0, south, 180.0, north
    if west < -180 or east > 180:
        west, east = (west + 180) % 360 - 180, (east + 180) % 360 - 180
    return west, south, east, north


def crs_uri(text: str) -> str:
    return crs.parse(text)


def _instant(text: str) -> tuple[dt.datetime, dt.datetime]:
    """First and last moment that the text means: a date means its whole day."""
    try:
        if re.fullmatch(r"\d{4}-\d\d-\d\d", text):
            day = dt.datetime.fromisoformat(text).replace(tzinfo=dt.UTC)
            return day, day + dt.timedelta(days=1, microseconds=-1)
        if not re.fullmatch(r"\d{4}-\d\d-\d\d[Tt ]\d\d:\d\d:\d\d(\.\d{1,9})?([Zz]|[+-]\d\d:\d\d)", text):
            raise ValueError
        when = dt.datetime.fromisoformat(text.upper()).astimezone(dt.UTC)
    except (ValueError, OverflowError):
        example = "2024-05-31T12:00:00Z, 2024-05-01/2024-05-31 or ../2024-05-31"
        raise ValueError(f"{_short(text)} is no time; write for example {example}") from None
    return when, when


def interval(text: str) -> Interval:
    """A time or an interval (RFC 3339), ends included; `..` or nothing is an open end."""
    if "/" not in text:
        return _instant(text)
    parts = text.split("/")
    if len(parts) != 2:
        raise ValueError("an interval has two ends")
    start = None if parts[0] in ("", "..") else _instant(parts[0])[0]
    end = None if parts[1] in ("", "..") else _instant(parts[1])[1]
    if start and end and start > end:
        raise ValueError("the interval ends before it starts")
    return start, end


def sorting(text: str) -> tuple[Sort, ...]:
    """`+name` or `name` ascending, `-name` descending; a plus sign that was not encoded arrives as a blank."""
    out = []
    for part in text.split(","):
        name = part.lstrip("+ ") if part[:1] in "+ " else part.removeprefix("-")
        if not name:
            raise ValueError("an empty name in the list")
        out.append(Sort(name, part.startswith("-")))
    if len(out) > 5 or len({s.name for s in out}) < len(out):
        raise ValueError("at most 5 names, each once")
    return tuple(out)


def names(text: str) -> tuple[str, ...]:
    found = tuple(text.split(","))
    if not all(found) or len(set(found)) < len(found) or len(found) > 100:
        raise ValueError("a list of names is expected, separated by commas, each once")
    return found


def text(text: str) -> str:
    if not text.strip():
        raise ValueError("is empty; leave the parameter out")
    return text


# --- the parameters --------------------------------------------------------------------------------------------------


def formats(*allowed: str) -> Parameter:
    return Parameter(
        "f",
        "Format of the answer, instead of the header Accept.",
        one_of(*allowed),
        {"type": "string", "enum": list(allowed)},
    )


F = formats("json", "html")
_CRS_SCHEMA = {"type": "string", "format": "uri", "enum": list(crs.SUPPORTED), "default": crs.CRS84}

LIMIT = Parameter(
    "limit",
    f"How many records a page holds. More than {MAX_LIMIT} is taken as {MAX_LIMIT}.",
    integer(1, MAX_LIMIT, clamp=True),
    {"type": "integer", "minimum": 1, "maximum": MAX_LIMIT, "default": DEFAULT_LIMIT},
    default=DEFAULT_LIMIT,
)
BBOX = Parameter(
    "bbox",
    "Records whose released geometry meets this box: the lower and the upper corner, in the axes of bbox-crs.",
    numbers,
    {
        "type": "array",
        "oneOf": [{"minItems": 4, "maxItems": 4}, {"minItems": 6, "maxItems": 6}],
        "items": {"type": "number"},
    },
    explode=False,
)
BBOX_CRS = Parameter("bbox-crs", "CRS of bbox.", crs_uri, _CRS_SCHEMA, default=crs.CRS84)
CRS = Parameter("crs", "CRS of the geometries in the answer.", crs_uri, _CRS_SCHEMA, default=crs.CRS84)
DATETIME = Parameter(
    "datetime", "Records whose released time meets this time or interval (RFC 3339; `..` for an open end).", interval
)
CURSOR = Parameter("cursor", "Where the page starts: from the link `next` of the page before.", text)
SORTBY = Parameter(
    "sortby",
    "Properties to sort by, `-` before a descending one.",
    sorting,
    {"type": "array", "items": {"type": "string", "pattern": "^[+-]?[A-Za-z_][A-Za-z0-9_]*$"}},
    explode=False,
    default=(),
)
PROPERTIES = Parameter(
    "properties", "Properties in the answer; all when left out.", names,
    {"type": "array", "items": {"type": "string"}}, explode=False,
)  # fmt: skip
SKIP_GEOMETRY = Parameter(
    "skipGeometry",
    "Leave the geometries out: a record that stands for an area is small without its outline.",
    lambda text: one_of("true", "false")(text) == "true",
    {"type": "boolean", "default": False},
    default=False,
)
FILTER = Parameter("filter", "A filter in CQL2.", text)
FILTER_LANG = Parameter(
    "filter-lang", "Language of filter.", one_of("cql2-text", "cql2-json"),
    {"type": "string", "enum": ["cql2-text", "cql2-json"], "default": "cql2-text"}, default="cql2-text",
)  # fmt: skip
FILTER_CRS = Parameter("filter-crs", "CRS of the geometries in filter.", crs_uri, _CRS_SCHEMA, default=crs.CRS84)
AREA = Parameter("area", "Records that are somewhere in this released area, by its id.", text)
COLLECTIONS = Parameter(
    "collections", "The collections in the tile; all when left out.", names,
    {"type": "array", "items": {"type": "string"}}, explode=False,
)  # fmt: skip
LANG = Parameter(
    "lang", "Language of the labels.", one_of(*LANGUAGES),
    {"type": "string", "enum": list(LANGUAGES), "default": "en"}, default="en",
)  # fmt: skip
THEME = Parameter(
    "theme", "Colours of the map.", one_of("light", "dark"),
    {"type": "string", "enum": ["light", "dark"], "default": "light"}, default="light",
)  # fmt: skip
Q = Parameter("q", "A name, a word, an MGRS reference, or latitude and longitude.", text)
HITS = Parameter(
    "limit", "How many hits at most.", integer(1, 50, clamp=True),
    {"type": "integer", "minimum": 1, "maximum": 50, "default": 20}, default=20,
)  # fmt: skip

FILTERS = (FILTER, FILTER_LANG, FILTER_CRS, AREA)

__all__ = ["Parameter", "Problem", "Query", "bbox", "read"]
