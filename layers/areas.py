"""Land, administrative areas and mission sectors: the base map, and the areas to which places are made coarse."""

from __future__ import annotations

from sqlalchemy import Float, Text
from sqlalchemy.orm import Mapped, mapped_column

from layers.layer import Field, Layer, Record, Style, code_list


class Area(Record):
    """One area. `code` is its p-code where it has one; `parent` the code of the area it lies in; size in km²."""

    __tablename__ = "areas"

    code: Mapped[str] = mapped_column(Text, unique=True)
    name: Mapped[str] = mapped_column(Text)
    kind: Mapped[str] = mapped_column(Text, index=True)
    parent: Mapped[str | None] = mapped_column(Text)
    area_km2: Mapped[float | None] = mapped_column(Float)


_FRAME = {"fill-opacity": 0.0, "line-width": 0.0}

LAYER = Layer(
    id="areas",
    title="Areas",
    description="Land, administrative areas with their codes, and the sectors of the mission.",
    model=Area,
    geometry="polygon",
    fields=(
        Field("code", "text", "Code"),
        Field("name", "text", "Name"),
        Field("kind", "code", "Kind", codes=code_list("area_kind")),
        Field("parent", "text", "Lies in"),
        Field("area_km2", "number", "Size", unit="km²"),
        Field("simulated", "boolean", "Simulated"),
    ),
    search=("name", "code"),
    style=Style(
        order=10,
        group="base",
        colour="#e9e6dd",
        by="kind",
        label="name",
        zoom_by="kind",
        zooms={"land": 0, "admin0": 0, "disputed": 4, "sector": 3, "admin1": 4, "admin2": 6, "admin3": 8},
        # The base map is borderless fills: land and country. The other areas are there to be asked and labelled;
        # their lines are drawn by the boundaries layer.
        paint={
            "land": {"fill-color": "#e9e6dd"},
            "admin0": {"fill-color": "#f6f4ee"},
            "disputed": {"fill-color": "#b8b0a0", "fill-opacity": 0.35},
            "admin1": _FRAME,
            "admin2": _FRAME,
            "admin3": _FRAME,
            "sector": {"fill-opacity": 0.0, "line-color": "#1f7fc4", "line-width": 2.0, "line-dasharray": [6, 2, 1, 2]},
        },
    ),
    retention="Replaced with each edition of the source.",
)
