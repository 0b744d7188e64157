"""Project sites and the identities behind them: partners, and what each partner agreed to.

A consent says who may learn what: its scope (mission, UN, public) covers the narrower ones, its fields say whether
the name, the place or the title may be shown. Without a valid consent a partner is not named.
"""

from __future__ import annotations

import datetime as dt
from decimal import Decimal

from sqlalchemy import ARRAY, CheckConstraint, Date, Integer, Numeric, Text
from sqlalchemy.orm import Mapped, mapped_column

from layers.layer import Base, Dependency, Field, Layer, Record, Style, Time, code_list


class Partner(Base):
    """An organisation that carries out projects. `code` ties it to an audience of its own, e.g. `au`."""

    __tablename__ = "partners"
    __table_args__ = ({"schema": "vault"},)

    id: Mapped[str] = mapped_column(Text, primary_key=True)
    name: Mapped[str] = mapped_column(Text)
    type: Mapped[str | None] = mapped_column(Text)
    code: Mapped[str | None] = mapped_column(Text)
    simulated: Mapped[bool] = mapped_column(server_default="false")


class Consent(Base):
    """What one partner agreed to, on paper, and for how long. `until` is the last day on which it holds."""

    __tablename__ = "consents"
    __table_args__ = ({"schema": "vault"},)

    id: Mapped[str] = mapped_column(Text, primary_key=True)
    partner_id: Mapped[str] = mapped_column(Text, index=True)
    scope: Mapped[str] = mapped_column(Text, CheckConstraint("scope IN ('mission', 'un', 'public')"))
    fields: Mapped[list[str]] = mapped_column(
        ARRAY(Text), CheckConstraint("fields <@ ARRAY['name', 'place', 'title']"), server_default="{}"
    )
    informed_how: Mapped[str | None] = mapped_column(Text)
    given_by_function: Mapped[str | None] = mapped_column(Text)
    given_on: Mapped[dt.date] = mapped_column(Date)
    until: Mapped[dt.date | None] = mapped_column(Date)
    withdrawn_on: Mapped[dt.date | None] = mapped_column(Date)
    paper_reference: Mapped[str | None] = mapped_column(Text)
    simulated: Mapped[bool] = mapped_column(server_default="false")


class Site(Record):
    """One place of one project. `starts_on` and `ends_on` are its first and last day; cost in `currency` (ISO 4217)."""

    __tablename__ = "sites"

    number: Mapped[str | None] = mapped_column(Text)
    title: Mapped[str] = mapped_column(Text)
    sector: Mapped[str] = mapped_column(Text)
    status: Mapped[str | None] = mapped_column(Text)
    starts_on: Mapped[dt.date | None] = mapped_column(Date)
    ends_on: Mapped[dt.date | None] = mapped_column(
        Date, CheckConstraint("ends_on >= starts_on", name="sites_interval")
    )
    place_name: Mapped[str | None] = mapped_column(Text)
    cost: Mapped[Decimal | None] = mapped_column(Numeric(14, 2), CheckConstraint("cost >= 0"))
    currency: Mapped[str | None] = mapped_column(Text, CheckConstraint("currency ~ '^[A-Z]{3}$'"))
    donor: Mapped[str | None] = mapped_column(Text)
    partner_id: Mapped[str | None] = mapped_column(Text, index=True)
    partner: Mapped[str | None] = mapped_column(Text)
    partner_type: Mapped[str | None] = mapped_column(Text)
    beneficiaries: Mapped[int | None] = mapped_column(Integer, CheckConstraint("beneficiaries >= 0"))
    description: Mapped[str | None] = mapped_column(Text)


LAYER = Layer(
    id="sites",
    title="Project sites",
    description="Places of projects carried out with partners, from quick-impact projects to cluster activities.",
    model=Site,
    geometry="point",
    clustered=True,
    time=Time(start="starts_on", end="ends_on"),
    depends=(Dependency("consents", "partner_id", "partner_id"), Dependency("partners", "id", "partner_id")),
    fields=(
        Field("number", "text", "Project number", tile=False),
        Field("title", "text", "Title"),
        Field("sector", "code", "Sector", codes=code_list("sector")),
        Field("status", "code", "Status", codes=code_list("site_status")),
        Field("starts_on", "date", "First day"),
        Field("ends_on", "date", "Last day"),
        Field("place_name", "text", "Place"),
        Field("cost", "number", "Cost", tile=False),
        Field("currency", "text", "Currency", tile=False),
        Field("donor", "text", "Donor", tile=False),
        Field("partner", "text", "Implementing partner"),
        Field("partner_type", "code", "Type of partner", codes=code_list("partner_type")),
        Field("beneficiaries", "integer", "Beneficiaries", unit="persons", bands=(0, 100, 500, 1000, 5000, 10000)),
        Field("description", "text", "Description", tile=False),
        Field("level", "code", "Class", codes=code_list("level"), tile=False),
        Field("simulated", "boolean", "Simulated"),
    ),
    search=("title", "place_name", "partner"),
    style=Style(order=70, group="operations", colour="#2a7fba", by="sector"),
    retention="Project data five years after the last day; a withdrawn consent is kept as evidence of the withdrawal.",
)
