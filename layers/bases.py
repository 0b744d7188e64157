"""Bases of the mission: where the force, the police and the observers are. Unclassified, not public."""

from __future__ import annotations

from sqlalchemy import CheckConstraint, Integer, SmallInteger, Text
from sqlalchemy.orm import Mapped, mapped_column

from layers.layer import Field, Layer, Record, Style, code_list


class MissionBase(Record):
    """One location of the mission, as last known. `troops` is a strength in persons; years are calendar years."""

    __tablename__ = "bases"

    name: Mapped[str] = mapped_column(Text)
    kind: Mapped[str] = mapped_column(Text, server_default="base")
    mission: Mapped[str | None] = mapped_column(Text)
    since_year: Mapped[int | None] = mapped_column(SmallInteger)
    as_of_year: Mapped[int | None] = mapped_column(SmallInteger)
    troops: Mapped[int | None] = mapped_column(Integer, CheckConstraint("troops >= 0"))
    contributors: Mapped[str | None] = mapped_column(Text)
    police: Mapped[bool | None] = mapped_column()
    observers: Mapped[bool | None] = mapped_column()
    medical: Mapped[bool | None] = mapped_column()
    aviation: Mapped[bool | None] = mapped_column()


LAYER = Layer(
    id="bases",
    title="Bases",
    description="Locations of the mission with strength and kinds of units, by the latest year known.",
    model=MissionBase,
    geometry="point",
    fields=(
        Field("name", "text", "Name"),
        Field("kind", "code", "Kind", codes=code_list("base_kind")),
        Field("mission", "text", "Mission"),
        Field("since_year", "integer", "First year known"),
        Field("as_of_year", "integer", "As of year"),
        Field("troops", "integer", "Troops", unit="persons", bands=(0, 1, 100, 500, 1000, 2500)),
        Field("contributors", "text", "Contributors", tile=False),
        Field("police", "boolean", "United Nations Police"),
        Field("observers", "boolean", "Military observers"),
        Field("medical", "boolean", "Medical unit"),
        Field("aviation", "boolean", "Aviation unit"),
    ),
    search=("name",),
    style=Style(order=60, group="reference", colour="#1f7fc4", by="kind", label="name"),
    retention="Replaced with each yearly edition of the source.",
)
