"""Rivers and lakes. One layer with two shapes: rivers are lines, lakes are polygons, told apart by `kind`."""

from __future__ import annotations

from sqlalchemy import SmallInteger, Text
from sqlalchemy.orm import Mapped, mapped_column

from layers.layer import Field, Layer, Record, Style, code_list


class Water(Record):
    """One river or lake. `rank` is Natural Earth's: a smaller number is a greater water."""

    __tablename__ = "water"

    kind: Mapped[str] = mapped_column(Text)
    name: Mapped[str | None] = mapped_column(Text)
    rank: Mapped[int | None] = mapped_column(SmallInteger)


LAYER = Layer(
    id="water",
    title="Water",
    description="Rivers, lakes and reservoirs.",
    model=Water,
    geometry="line",
    fields=(
        Field("kind", "code", "Kind", codes=code_list("water_kind")),
        Field("name", "text", "Name"),
        Field("rank", "integer", "Rank"),
    ),
    search=("name",),
    style=Style(
        order=20,
        group="base",
        colour="#6ea8cf",
        by="kind",
        label="name",
        # Properties whose names begin with fill- make a fill layer for that kind, line- a line layer.
        paint={
            "river": {"line-color": "#6ea8cf", "line-width": 1.0},
            "lake": {"fill-color": "#b4d6ea"},
            "reservoir": {"fill-color": "#b4d6ea"},
        },
    ),
    retention="Replaced with each edition of the source.",
)
