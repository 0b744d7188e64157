"""What a layer declares: its model, fields, geometry, time, look and retention. Nothing is served that is not declared.

One file per layer beside this one; `layers.registry` collects them. Secrecy is not declared here: it stands in the
rule file (`layers.policy`), and a field without a rule there is never released.
"""

from __future__ import annotations

import datetime as dt
import uuid
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property, lru_cache
from pathlib import Path
from typing import Any, Literal

import yaml
from geoalchemy2 import Geometry
from sqlalchemy import ARRAY, BigInteger, Computed, Date, DateTime, Integer, Text, UniqueConstraint, func
from sqlalchemy.orm import DeclarativeBase, Mapped, declared_attr, mapped_column

FieldType = Literal["text", "code", "integer", "number", "date", "datetime", "boolean"]
GeometryType = Literal["point", "line", "polygon"]

PLACE_PRECISIONS = ("exact", "near", "admin3", "admin2", "admin1", "linear", "country", "unknown")
"""How well the place of a record is known, from fine to coarse; `cell` is added by a release."""

TIME_PRECISIONS = ("minute", "hour", "day", "week", "month", "longer")

# Africa Albers: equal area, so that a blur cell has the same size everywhere in the mission.
GRID_SRID = 102022
GRID_METRES = 10_000


class Base(DeclarativeBase):
    """All tables of the vault."""

    __abstract__ = True


class Record(Base):
    """What every record of the vault carries: identity, label, place and provenance. All geometry is EPSG:4326."""

    __abstract__ = True

    @declared_attr.directive
    def __table_args__(cls) -> Any:  # noqa: N805 -- a declared_attr takes the class
        return (
            UniqueConstraint("source_system", "source_id", name=f"{cls.__tablename__}_source_key"),
            {"schema": "vault"},
        )

    id: Mapped[uuid.UUID] = mapped_column(primary_key=True, server_default=func.gen_random_uuid())
    source_system: Mapped[str] = mapped_column(Text)
    source_id: Mapped[str] = mapped_column(Text)
    # the label (ST/SGB/2007/6)
    level: Mapped[str] = mapped_column(Text)
    compartments: Mapped[list[str]] = mapped_column(ARRAY(Text), server_default="{}")
    ground: Mapped[str | None] = mapped_column(Text)
    originator: Mapped[str | None] = mapped_column(Text)
    originator_marking: Mapped[str | None] = mapped_column(Text)
    classified_by: Mapped[str | None] = mapped_column(Text)
    classified_at: Mapped[dt.datetime | None] = mapped_column(DateTime(timezone=True))
    review_on: Mapped[dt.date | None] = mapped_column(Date)
    publish: Mapped[list[str]] = mapped_column(ARRAY(Text), server_default="{}")
    """Audiences to which a person decided to release this record; rules with `explicit` ask for it."""
    # the place
    geom: Mapped[Any | None] = mapped_column(Geometry("GEOMETRY", srid=4326, spatial_index=False))
    place_precision: Mapped[str] = mapped_column(Text, server_default="exact")
    admin1: Mapped[str | None] = mapped_column(Text)
    admin2: Mapped[str | None] = mapped_column(Text)
    admin3: Mapped[str | None] = mapped_column(Text)
    cell_x: Mapped[int | None] = mapped_column(
        Integer,
        Computed(f"floor(ST_X(ST_Transform(ST_PointOnSurface(geom), {GRID_SRID})) / {GRID_METRES})::int", True),
    )
    cell_y: Mapped[int | None] = mapped_column(
        Integer,
        Computed(f"floor(ST_Y(ST_Transform(ST_PointOnSurface(geom), {GRID_SRID})) / {GRID_METRES})::int", True),
    )
    # provenance
    import_id: Mapped[int | None] = mapped_column(BigInteger)
    simulated: Mapped[bool] = mapped_column(server_default="false")
    created_at: Mapped[dt.datetime] = mapped_column(DateTime(timezone=True), server_default=func.clock_timestamp())
    updated_at: Mapped[dt.datetime] = mapped_column(DateTime(timezone=True), server_default=func.clock_timestamp())
    updated_by: Mapped[str] = mapped_column(Text, server_default="system")
    version: Mapped[int] = mapped_column(Integer, server_default="1")


COMMON = tuple(Record.__annotations__)
"""Columns of every record. They are the server's own: a layer's fields come on top."""


@dataclass(frozen=True)
class Code:
    """One value of a code list. `code` is stable; labels are by language (`en` always)."""

    code: str
    label: Mapping[str, str]
    parent: str | None = None
    colour: str | None = None
    icon: str | None = None


@dataclass(frozen=True)
class CodeList:
    id: str
    codes: tuple[Code, ...]

    @cached_property
    def by_code(self) -> dict[str, Code]:
        return {c.code: c for c in self.codes}

    def label(self, code: str, language: str = "en") -> str:
        labels = self.by_code[code].label
        return labels.get(language, labels["en"])


@lru_cache
def code_list(name: str) -> CodeList:
    """Read `layers/codes/<name>.yaml`: a list of `{code, label: {en, fr, ar}, parent?, colour?, icon?}`."""
    path = Path(__file__).parent / "codes" / f"{name}.yaml"
    rows = yaml.safe_load(path.read_text(encoding="utf-8"))
    codes = tuple(Code(str(r["code"]), r["label"], r.get("parent"), r.get("colour"), r.get("icon")) for r in rows)
    return CodeList(name, codes)


@dataclass(frozen=True)
class Field:
    """One property of a layer. `name` is the column of the model and the name in every output."""

    name: str
    type: FieldType
    label: str
    unit: str | None = None
    codes: CodeList | None = None
    description: str = ""
    tile: bool = True
    """Does it travel in vector tiles? Long texts do not."""
    bands: tuple[int, ...] = ()
    """Lower bounds of the bands that the rule verb `band` publishes, e.g. (0, 1, 5, 10, 25)."""


@dataclass(frozen=True)
class Time:
    """Which columns say when: an interval [start, end) and the precision with which it is known."""

    start: str
    end: str | None = None
    precision: str | None = None
    reported: str | None = None
    """A release delay counts from the later of `end` and this."""


@dataclass(frozen=True)
class Style:
    """How a layer is drawn. `by` names a field whose code list gives the colours."""

    order: int
    group: Literal["base", "reference", "operations"]
    colour: str
    by: str | None = None
    icon: str | None = None
    label: str | None = None
    zoom_by: str | None = None
    zooms: Mapping[str, int] = field(default_factory=dict)
    """With `zoom_by`: the lowest zoom at which a value of that field is put into tiles."""
    visible: bool = True
    paint: Mapping[str, Any] = field(default_factory=dict)
    """MapLibre paint per value of `by` (or under the key '*'), e.g. dash patterns of boundary classes."""


@dataclass(frozen=True)
class Dependency:
    """Another vault table whose change re-releases records of this layer: `table.key` = `layer.column`."""

    table: str
    key: str
    column: str


@dataclass(frozen=True)
class Layer:
    id: str
    title: str
    description: str
    model: type[Record]
    geometry: GeometryType
    fields: tuple[Field, ...]
    style: Style
    time: Time | None = None
    search: tuple[str, ...] = ()
    """Fields whose released text can be searched; the first is the name of the hit."""
    clustered: bool = False
    """Points are served as clusters with exact counts up to zoom 8."""
    depends: tuple[Dependency, ...] = ()
    retention: str = ""
    """In words, for the officer; enforced by the retention job."""

    @cached_property
    def field(self) -> dict[str, Field]:
        return {f.name: f for f in self.fields}

    @property
    def table(self) -> str:
        return str(self.model.__tablename__)

    def __post_init__(self) -> None:
        columns = set(self.model.__table__.columns.keys())
        names = [f.name for f in self.fields]
        wrong = (set(names) - columns) | ({n for n in names if names.count(n) > 1})
        if wrong:
            raise ValueError(f"layer {self.id}: not one column of its own: {', '.join(sorted(wrong))}")
        for text in self.search:
            if text not in names:
                raise ValueError(f"layer {self.id}: search names {text}, which is no field")
