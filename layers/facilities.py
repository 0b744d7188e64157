"""Health facilities and airfields, from public lists."""

from __future__ import annotations

from sqlalchemy import Integer, Text
from sqlalchemy.orm import Mapped, mapped_column

from layers.layer import Field, Layer, Record, Style, code_list


class Facility(Record):
    """One facility. Elevation in metres above sea level; codes by ICAO and IATA."""

    __tablename__ = "facilities"

    name: Mapped[str | None] = mapped_column(Text)
    kind: Mapped[str] = mapped_column(Text)
    ownership: Mapped[str | None] = mapped_column(Text)
    place_name: Mapped[str | None] = mapped_column(Text)
    elevation: Mapped[int | None] = mapped_column(Integer)
    icao: Mapped[str | None] = mapped_column(Text)
    iata: Mapped[str | None] = mapped_column(Text)
    beds: Mapped[int | None] = mapped_column(Integer)
    source: Mapped[str | None] = mapped_column(Text)


LAYER = Layer(
    id="facilities",
    title="Facilities",
    description="Health facilities and airfields from public lists. Lists overlap: one facility may stand twice.",
    model=Facility,
    geometry="point",
    clustered=True,
    fields=(
        Field("name", "text", "Name"),
        Field("kind", "code", "Kind", codes=code_list("facility_kind")),
        Field("ownership", "code", "Ownership", codes=code_list("ownership")),
        Field("place_name", "text", "Place"),
        Field("elevation", "integer", "Elevation", unit="m"),
        Field("icao", "text", "ICAO code"),
        Field("iata", "text", "IATA code"),
        Field("beds", "integer", "Beds"),
        Field("source", "text", "Source", tile=False),
    ),
    search=("name", "place_name", "icao", "iata"),
    style=Style(order=50, group="reference", colour="#b5235a", by="kind", visible=False),
    retention="Replaced with each edition of the source.",
)
