"""Boundary lines by class, in the line styles of UN cartography."""

from __future__ import annotations

from sqlalchemy import Text
from sqlalchemy.orm import Mapped, mapped_column

from layers.layer import Field, Layer, Record, Style, code_list


class Boundary(Record):
    """One line; its class says how it is drawn, never who is right."""

    __tablename__ = "boundaries"

    kind: Mapped[str] = mapped_column(Text, index=True)
    name: Mapped[str | None] = mapped_column(Text)


LAYER = Layer(
    id="boundaries",
    title="Boundaries",
    description=(
        "International, undetermined and disputed boundaries, and administrative lines. The boundaries shown do not "
        "imply official endorsement or acceptance by the United Nations."
    ),
    model=Boundary,
    geometry="line",
    fields=(
        Field("kind", "code", "Class", codes=code_list("boundary_class")),
        Field("name", "text", "Name"),
    ),
    search=(),
    style=Style(
        order=30,
        group="base",
        colour="#6b6b6b",
        by="kind",
        zoom_by="kind",
        zooms={
            "international": 0,
            "undetermined": 0,
            "disputed": 0,
            "sector": 3,
            "admin1": 4,
            "admin2": 6,
            "admin3": 8,
        },
        paint={
            "international": {"line-color": "#6b6b6b", "line-width": 1.6},
            "undetermined": {"line-color": "#6b6b6b", "line-width": 1.6, "line-dasharray": [4, 2.5]},
            "disputed": {"line-color": "#6b6b6b", "line-width": 1.6, "line-dasharray": [0.8, 1.6]},
            "admin1": {"line-color": "#8c8c8c", "line-width": 0.9},
            "admin2": {"line-color": "#9c9c9c", "line-width": 0.6, "line-dasharray": [5, 2]},
            "admin3": {"line-color": "#acacac", "line-width": 0.4, "line-dasharray": [2, 2]},
            "sector": {"line-color": "#1f7fc4", "line-width": 1.8, "line-dasharray": [6, 2, 1, 2]},
        },
    ),
    retention="Replaced with each edition of the source.",
)
