"""Profiles: what a source's columns, codes, precision and class mean here. YAML with a closed vocabulary."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path
from typing import Any

import yaml

from ingest.errors import IngestError
from ingest.values import Columns, Spec, key, spec
from layers.layer import COMMON, Layer
from layers.registry import all_layers

FOLDER = Path(__file__).parent / "profiles"

_LABEL_SPECS = ("level", "compartments", "publish", "ground", "originator", "originator_marking", "review_on")
_CONDITION_KEYS = ("column", "is", "is_not", "at_least", "mentions", "filled")


@dataclass(frozen=True)
class Condition:
    """A test of one cell. All that are given must hold; words in `mentions` are looked for as whole words."""

    column: str
    is_: frozenset[str] = frozenset()
    is_not: frozenset[str] = frozenset()
    at_least: float | None = None
    mentions: tuple[str, ...] = ()
    filled: bool | None = None


@dataclass(frozen=True)
class Rule:
    """A class for the rows that meet all conditions; the first rule that fits counts."""

    when: tuple[Condition, ...]
    values: Mapping[str, Spec]


@dataclass(frozen=True)
class Place:
    """Where longitude and latitude stand (in `crs`), or WKT; without either, the file's own geometry is taken."""

    lon: tuple[str, ...] = ()
    lat: tuple[str, ...] = ()
    wkt: tuple[str, ...] = ()
    crs: str = "EPSG:4326"
    precision: Spec | None = None
    optional: bool = False


@dataclass(frozen=True)
class When:
    """Start, last day or moment, precision and time of report. `widen`: see dates.interval.

    With `exclusive` the end is the first moment after, as in our own outputs.
    """

    start: Spec
    end: Spec | None = None
    precision: Spec | None = None
    reported: Spec | None = None
    reported_at_end: bool = False
    widen: bool = False
    exclusive: bool = False


@dataclass(frozen=True)
class Latest:
    """Of the rows with the same values in `by`, take the one with the greatest `order` (of equals the last one).

    The least `order` of the group is put into the column `first`.
    """

    by: tuple[str, ...]
    order: str
    first: str = "first"


@dataclass(frozen=True)
class Join:
    """Columns `take` from a file that lies beside the imported one (`file` is a pattern), matched by `on`."""

    file: str
    on: tuple[str, ...]
    take: tuple[str, ...]


@dataclass(frozen=True)
class Table:
    """How one kind of table of a source becomes records of one layer."""

    layer: str
    recognise: tuple[str, ...]
    """Columns that a file must have for this table to be meant."""
    source_id: Spec
    set: Mapping[str, Spec]
    label: tuple[Rule, ...]
    place: Place = Place()
    time: When | None = None
    skip: tuple[tuple[Condition, ...], ...] = ()
    latest: Latest | None = None
    join: Join | None = None
    sheet: str | None = None
    encoding: str | None = None
    without: tuple[str, ...] = ()
    """Columns that a file must not have: they tell it from a like table."""
    fallback: bool = False
    """Taken only when no other table knows the columns."""


@dataclass(frozen=True)
class Profile:
    """A source: the name under which its ids are unique, its licence and credit, and its tables."""

    id: str
    source_system: str
    source: str
    licence: str
    tables: tuple[Table, ...] = field(default=())


@dataclass(frozen=True)
class Match:
    profile: Profile
    table: Table

    @property
    def name(self) -> str:
        return self.profile.id


def load(path: Path) -> Profile:
    """Read and check a profile. Raises IngestError with file, place and remedy."""
    try:
        data = yaml.load(path.read_text(encoding="utf-8"), _Loader)  # noqa: S506 -- a safe loader
    except (yaml.YAMLError, OSError) as error:
        raise IngestError(f"{path.name}: {' '.join(str(error).split())}; correct the profile") from None
    where = path.name
    data = _only(where, data, ("profile", "source_system", "source", "licence", "tables"))
    for need in ("profile", "source_system", "tables"):
        if need not in data:
            raise IngestError(f"{where}: {need} is missing; every profile says it")
    tables = tuple(_table(f"{where}: tables[{n}]", t) for n, t in enumerate(data["tables"]))
    return Profile(
        str(data["profile"]),
        str(data["source_system"]),
        str(data.get("source", "")),
        str(data.get("licence", "")),
        tables,
    )


class _Loader(yaml.SafeLoader):
    """Booleans as in YAML 1.2: a column may be called `on`, a code `no`."""


_Loader.yaml_implicit_resolvers = {
    first: [(tag, pattern) for tag, pattern in rules if tag != "tag:yaml.org,2002:bool"]
    for first, rules in yaml.SafeLoader.yaml_implicit_resolvers.items()
}
_Loader.add_implicit_resolver("tag:yaml.org,2002:bool", re.compile("^(?:true|false)$"), list("tf"))


@lru_cache
def shipped() -> dict[str, Profile]:
    """The profiles that come with the project, by name."""
    profiles = [load(p) for p in sorted(FOLDER.glob("*.yaml"))]
    return {p.id: p for p in profiles}


def find(layer: Layer, columns: Columns, file: str, wanted: str | None) -> Match:
    """The one table of the one profile that fits a file, or the one of the profile `wanted` (a name or a path).

    Raises IngestError that names the candidates when none or several fit.
    """
    if wanted is not None:
        profile = named(wanted, layer)
        mine = [Match(profile, t) for t in profile.tables if t.layer == layer.id]
        if not mine:
            there = ", ".join(sorted({t.layer for t in profile.tables}))
            raise IngestError(f"{file}: profile {profile.id} is for {there}, not for {layer.id}; choose another layer")
        fitting = [m for m in mine if _fits(m.table, columns)]
        if len(fitting) != 1:
            lacking = sorted({c for m in mine for c in m.table.recognise if columns.find(c) is None})
            why = f"the file lacks {', '.join(lacking)}" if not fitting else "several of its tables fit"
            raise IngestError(f"{file}: profile {profile.id} does not fit: {why}; check file and profile")
        return fitting[0]
    fitting = [
        Match(p, t)
        for p in (*shipped().values(), native(layer))
        for t in p.tables
        if t.layer == layer.id and _fits(t, columns)
    ]
    fitting = [m for m in fitting if not m.table.fallback] or fitting
    if len(fitting) == 1:
        return fitting[0]
    if fitting:
        names = ", ".join(sorted({m.name for m in fitting}))
        raise IngestError(f"{file}: several profiles fit ({names}); name one with --profile")
    names = ", ".join(sorted(p.id for p in shipped().values() if any(t.layer == layer.id for t in p.tables)))
    raise IngestError(
        f"{file}: no profile for {layer.id} knows these columns; name one with --profile ({names or 'none shipped'}), "
        f"write one, or use the columns source_id, level, lon, lat and those of the layer"
    )


def named(wanted: str, layer: Layer) -> Profile:
    """The profile of that name, or the one in that file. Raises IngestError."""
    if wanted.endswith((".yaml", ".yml")):
        return load(Path(wanted))
    if wanted == native(layer).id:
        return native(layer)
    if wanted not in shipped():
        raise IngestError(f"no profile {wanted!r}; there are {', '.join(sorted((*shipped(), native(layer).id)))}")
    return shipped()[wanted]


def native(layer: Layer) -> Profile:
    """The profile of our own column names: the fields of the layer, `source_id`, the label, `lon` and `lat`."""
    time = layer.time
    timed = {time.start, time.end, time.precision, time.reported} if time else set()
    fields = {f.name for f in layer.fields} - timed - set(_LABEL_SPECS) - {"simulated"}
    if "partner_id" in layer.model.__table__.columns:
        fields.add("partner_id")
    values = {n: Spec(column=(n,)) for n in sorted(fields)}
    lists = {"compartments": Spec(column=("compartments",), split=";"), "publish": Spec(column=("publish",), split=";")}
    label = {n: lists.get(n, Spec(column=(n,))) for n in _LABEL_SPECS}
    when = None
    if time:
        when = When(
            Spec(column=(time.start,)),
            Spec(column=(time.end,)) if time.end else None,
            Spec(column=(time.precision,)) if time.precision else None,
            Spec(column=(time.reported,)) if time.reported else None,
            exclusive=True,
        )
    place = Place(
        ("lon", "longitude", "long"), ("lat", "latitude"), ("wkt",), precision=Spec(column=("place_precision",))
    )
    table = Table(
        layer.id,
        ("source_id", "level"),
        Spec(column=("source_id",)),
        values,
        (Rule((), label),),
        place,
        when,
        fallback=True,
    )
    return Profile("parallax", "parallax", "own columns", "", (table,))


def _fits(table: Table, columns: Columns) -> bool:
    has = all(columns.find(c) is not None for c in table.recognise)
    return has and not any(columns.find(c) is not None for c in table.without)


_TABLE_KEYS = (
    *("layer", "recognise", "without", "fallback", "source_id", "set", "place", "time", "label"),
    *("skip", "latest", "join", "sheet", "encoding"),
)


def _table(where: str, data: Any) -> Table:
    data = _only(where, data, _TABLE_KEYS)
    for need in ("layer", "recognise", "source_id", "label"):
        if need not in data:
            raise IngestError(f"{where}: {need} is missing; every table says it")
    if data["layer"] not in all_layers():
        raise IngestError(f"{where}.layer: no layer {data['layer']!r}; there are {', '.join(all_layers())}")
    layer = all_layers()[data["layer"]]
    # The server's own columns are not a profile's to set; place, time and label have sections of their own.
    columns = set(layer.model.__table__.columns.keys()) - set(COMMON) | {"simulated"}
    fields = {}
    for name, value in (data.get("set") or {}).items():
        if name not in columns:
            there = ", ".join(sorted(columns))
            raise IngestError(f"{where}.set: {name} is no column of {layer.id} that can be set; there are {there}")
        fields[name] = spec(value, f"{where}.set.{name}")
        declared = layer.field.get(name)
        if declared is not None and declared.codes is not None:
            wrong = {str(v) for v in fields[name].outcomes if v is not None} - set(declared.codes.by_code)
            if wrong:
                raise IngestError(f"{where}.set.{name}: no code {', '.join(sorted(wrong))} in {declared.codes.id}")
    return Table(
        layer=layer.id,
        recognise=tuple(map(str, data["recognise"])),
        source_id=spec(data["source_id"], f"{where}.source_id"),
        set=fields,
        label=tuple(_rule(f"{where}.label[{n}]", r) for n, r in enumerate(data["label"])),
        place=_place(f"{where}.place", data.get("place") or {}),
        time=_when(f"{where}.time", data["time"]) if "time" in data else None,
        skip=tuple(_conditions(f"{where}.skip[{n}]", s) for n, s in enumerate(data.get("skip") or ())),
        latest=_latest(f"{where}.latest", data["latest"]) if "latest" in data else None,
        join=_join(f"{where}.join", data["join"]) if "join" in data else None,
        sheet=data.get("sheet"),
        encoding=data.get("encoding"),
        without=_names(data.get("without", ())),
        fallback=bool(data.get("fallback", False)),
    )


def _rule(where: str, data: Any) -> Rule:
    data = _only(where, data, ("when", *_LABEL_SPECS))
    if "level" not in data:
        raise IngestError(f"{where}: level is missing; every rule gives one")
    values = {}
    for name in _LABEL_SPECS:
        if name in data:
            given = data[name]
            values[name] = spec(given, f"{where}.{name}") if isinstance(given, dict) else Spec(constant=given)
    return Rule(_conditions(f"{where}.when", data.get("when") or ()), values)


def _conditions(where: str, data: Any) -> tuple[Condition, ...]:
    rows = [data] if isinstance(data, dict) else list(data)
    out = []
    for row in rows:
        row = _only(where, row, _CONDITION_KEYS)
        if "column" not in row or len(row) < 2:
            raise IngestError(f"{where}: a condition names a column and one of {', '.join(_CONDITION_KEYS[1:])}")
        out.append(
            Condition(
                str(row["column"]),
                frozenset(map(key, row.get("is", ()))),
                frozenset(map(key, row.get("is_not", ()))),
                float(row["at_least"]) if "at_least" in row else None,
                tuple(str(w).casefold() for w in row.get("mentions", ())),
                row.get("filled"),
            )
        )
    return tuple(out)


def _place(where: str, data: Any) -> Place:
    data = _only(where, data, ("lon", "lat", "wkt", "crs", "precision", "optional"))
    if ("lon" in data) != ("lat" in data):
        raise IngestError(f"{where}: lon and lat go together")
    return Place(
        _names(data.get("lon", ())),
        _names(data.get("lat", ())),
        _names(data.get("wkt", ())),
        str(data.get("crs", "EPSG:4326")),
        spec(data["precision"], f"{where}.precision") if "precision" in data else None,
        bool(data.get("optional", False)),
    )


def _when(where: str, data: Any) -> When:
    data = _only(where, data, ("start", "end", "precision", "reported", "reported_at_end", "widen", "exclusive"))
    if "start" not in data:
        raise IngestError(f"{where}: start is missing")
    parts = {n: spec(data[n], f"{where}.{n}") for n in ("start", "end", "precision", "reported") if n in data}
    return When(
        parts["start"],
        parts.get("end"),
        parts.get("precision"),
        parts.get("reported"),
        reported_at_end=bool(data.get("reported_at_end")),
        widen=bool(data.get("widen")),
        exclusive=bool(data.get("exclusive")),
    )


def _latest(where: str, data: Any) -> Latest:
    data = _only(where, data, ("by", "order", "first"))
    return Latest(_names(data["by"]), str(data["order"]), str(data.get("first", "first")))


def _join(where: str, data: Any) -> Join:
    data = _only(where, data, ("file", "on", "take"))
    return Join(str(data["file"]), _names(data["on"]), _names(data["take"]))


def _only(where: str, data: Any, known: Iterable[str]) -> dict[str, Any]:
    known = tuple(known)
    if not isinstance(data, dict):
        raise IngestError(f"{where}: expected a mapping with {', '.join(known)}")
    unknown = set(map(str, data)) - set(known)
    if unknown:
        raise IngestError(f"{where}: unknown key {', '.join(sorted(unknown))}; known are {', '.join(known)}")
    return data


def _names(value: Any) -> tuple[str, ...]:
    return tuple(map(str, value)) if isinstance(value, list | tuple) else (str(value),)
