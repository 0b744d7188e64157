"""Towns and villages for orientation. The blur rule does not read this layer but its own frozen list."""

from __future__ import annotations

from sqlalchemy import Integer, SmallInteger, Text
from sqlalchemy.orm import Mapped, mapped_column

from layers.layer import Field, Layer, Record, Style, code_list


class Settlement(Record):
    """One settlement. `rank` orders labels: 1 capital, 2 city, 3 town, 4 village."""

    __tablename__ = "settlements"

    name: Mapped[str] = mapped_column(Text)
    kind: Mapped[str] = mapped_column(Text)
    rank: Mapped[int] = mapped_column(SmallInteger)
    population: Mapped[int | None] = mapped_column(Integer)


LAYER = Layer(
    id="settlements",
    title="Settlements",
    description="Capitals, cities, towns and villages.",
    model=Settlement,
    geometry="point",
    fields=(
        Field("name", "text", "Name"),
        Field("kind", "code", "Kind", codes=code_list("settlement_kind")),
        Field("rank", "integer", "Rank"),
        Field("population", "integer", "Population", unit="persons"),
    ),
    search=("name",),
    style=Style(
        order=40,
        group="base",
        colour="#3d3d3d",
        label="name",
        zoom_by="kind",
        zooms={"capital": 0, "city": 4, "town": 6, "village": 8},
    ),
    retention="Replaced with each edition of the source.",
)
