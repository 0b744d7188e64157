"""Incidents: what happened, where, when and to whom. The first layer of secrets.

Narrative text never goes down by machine: each level below has a summary of its own that a person wrote or approved,
empty by default. Human sources are known here by alias only; a name is refused by the database itself.
"""

from __future__ import annotations

import datetime as dt

from sqlalchemy import CheckConstraint, DateTime, Integer, Text
from sqlalchemy.orm import Mapped, mapped_column

from layers.layer import Field, Layer, Record, Style, Time, code_list

SOURCE_ALIAS = "^[A-Z]{2,12}-[0-9]{1,4}$"
"""What an alias of a source looks like (POSIX and Python regular expression), e.g. HERON-12."""

COUNTS = (0, 1, 5, 10, 25, 100)
"""Lower bounds of the bands in which counts of people are published."""


class Incident(Record):
    """One incident. Times are intervals [from, to) in UTC; counts are persons."""

    __tablename__ = "incidents"

    occurred_from: Mapped[dt.datetime] = mapped_column(DateTime(timezone=True))
    occurred_to: Mapped[dt.datetime] = mapped_column(
        DateTime(timezone=True), CheckConstraint("occurred_to > occurred_from", name="incidents_interval")
    )
    time_precision: Mapped[str] = mapped_column(Text, server_default="day")
    reported_at: Mapped[dt.datetime | None] = mapped_column(DateTime(timezone=True))
    category: Mapped[str] = mapped_column(Text)
    subcategory: Mapped[str | None] = mapped_column(Text)
    place_name: Mapped[str | None] = mapped_column(Text)
    actor_a: Mapped[str | None] = mapped_column(Text)
    actor_a_role: Mapped[str | None] = mapped_column(Text)
    actor_b: Mapped[str | None] = mapped_column(Text)
    actor_b_role: Mapped[str | None] = mapped_column(Text)
    killed_best: Mapped[int | None] = mapped_column(Integer, CheckConstraint("killed_best >= 0"))
    killed_low: Mapped[int | None] = mapped_column(Integer, CheckConstraint("killed_low >= 0"))
    # Sources do give a low estimate above the high one (15 of 1,848 in the demo): it is kept as told, the import warns.
    killed_high: Mapped[int | None] = mapped_column(Integer, CheckConstraint("killed_high >= 0"))
    killed_a: Mapped[int | None] = mapped_column(Integer, CheckConstraint("killed_a >= 0"))
    killed_b: Mapped[int | None] = mapped_column(Integer, CheckConstraint("killed_b >= 0"))
    killed_civilians: Mapped[int | None] = mapped_column(Integer, CheckConstraint("killed_civilians >= 0"))
    killed_unknown: Mapped[int | None] = mapped_column(Integer, CheckConstraint("killed_unknown >= 0"))
    killed_women: Mapped[int | None] = mapped_column(Integer, CheckConstraint("killed_women >= 0"))
    killed_men: Mapped[int | None] = mapped_column(Integer, CheckConstraint("killed_men >= 0"))
    injured_best: Mapped[int | None] = mapped_column(Integer, CheckConstraint("injured_best >= 0"))
    un_affected: Mapped[bool] = mapped_column(server_default="false")
    source_section: Mapped[str | None] = mapped_column(Text)
    source_alias: Mapped[str | None] = mapped_column(
        Text, CheckConstraint(f"source_alias ~ '{SOURCE_ALIAS}'", name="incidents_source_alias_is_no_name")
    )
    reliability: Mapped[str | None] = mapped_column(Text, CheckConstraint("reliability ~ '^[A-F]$'"))
    credibility: Mapped[str | None] = mapped_column(Text, CheckConstraint("credibility ~ '^[1-6]$'"))
    verification: Mapped[str] = mapped_column(Text, server_default="new")
    obtained_how: Mapped[str | None] = mapped_column(Text)
    narrative: Mapped[str | None] = mapped_column(Text)
    summary_public: Mapped[str | None] = mapped_column(Text)
    summary_unclassified: Mapped[str | None] = mapped_column(Text)
    summary_confidential: Mapped[str | None] = mapped_column(Text)
    summary_strict: Mapped[str | None] = mapped_column(Text)
    summary_approved_by: Mapped[str | None] = mapped_column(Text)


def _people(name: str, label: str, description: str = "") -> Field:
    return Field(name, "integer", label, unit="persons", bands=COUNTS, description=description)


_ROLE = code_list("actor_role")

LAYER = Layer(
    id="incidents",
    title="Incidents",
    description="Security incidents and harm to civilians, with graded sources and stated precision of place and time.",
    model=Incident,
    geometry="point",
    clustered=True,
    time=Time(start="occurred_from", end="occurred_to", precision="time_precision", reported="reported_at"),
    fields=(
        Field("category", "code", "Category", codes=code_list("incident_category")),
        Field("subcategory", "code", "Sub-category", codes=code_list("incident_subcategory")),
        Field("place_name", "text", "Place"),
        Field("actor_a", "text", "First party", tile=False),
        Field("actor_a_role", "code", "Kind of first party", codes=_ROLE, tile=False),
        Field("actor_b", "text", "Second party", tile=False),
        Field("actor_b_role", "code", "Kind of second party", codes=_ROLE, tile=False),
        _people("killed_best", "Killed", "Best estimate of all killed"),
        _people("killed_low", "Killed, low estimate"),
        _people("killed_high", "Killed, high estimate"),
        _people("killed_a", "Killed on the first side"),
        _people("killed_b", "Killed on the second side"),
        _people("killed_civilians", "Civilians killed"),
        _people("killed_unknown", "Killed, side unknown"),
        _people("killed_women", "Women killed"),
        _people("killed_men", "Men killed"),
        _people("injured_best", "Injured", "Best estimate of all injured"),
        Field("un_affected", "boolean", "United Nations affected"),
        Field("source_section", "code", "Reported by", codes=code_list("source_section"), tile=False),
        Field("source_alias", "text", "Source alias", tile=False, description="An alias of the form HERON-12"),
        Field("reliability", "code", "Reliability of the source", codes=code_list("reliability"), tile=False),
        Field("credibility", "code", "Credibility of the information", codes=code_list("credibility"), tile=False),
        Field("verification", "code", "Verification", codes=code_list("verification")),
        Field("obtained_how", "code", "How obtained", codes=code_list("obtained_how"), tile=False),
        Field("narrative", "text", "Narrative", tile=False),
        Field("summary_public", "text", "Summary (public)", tile=False),
        Field("summary_unclassified", "text", "Summary (unclassified)", tile=False),
        Field("summary_confidential", "text", "Summary (confidential)", tile=False),
        Field("summary_strict", "text", "Summary (strictly confidential)", tile=False),
        Field("summary_approved_by", "text", "Summary approved by", tile=False),
        Field("level", "code", "Class", codes=code_list("level"), tile=False),
        Field("ground", "code", "Ground of the class", codes=code_list("ground"), tile=False),
        Field("originator", "text", "Originator", tile=False),
        Field("originator_marking", "text", "Originator’s marking", tile=False),
        Field("review_on", "date", "Review of the class on", tile=False),
    ),
    search=("place_name", "summary_public", "summary_unclassified", "summary_confidential", "summary_strict"),
    style=Style(order=80, group="operations", colour="#c31e1e", by="category"),
    retention="Reviewed when the class is reviewed; strictly confidential records after 20 years, then every 5.",
)
