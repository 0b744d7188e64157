"""The release once more, in plain Python and from the rules alone: what an audience gets of one record.

It shares no line with the SQL that derives releases (layers.derivation), so the two check each other; and it tells
which changes of a record an audience may not notice.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

import psycopg
from psycopg.rows import dict_row

from layers.audience import LEVELS
from layers.cells import Reference, folder, honest_rules
from layers.policy import SCOPES, Place, Policy, ReleasedLayer, Tier, Verb

Row = Mapping[str, Any]
ASPECTS = {"partner": "name", "title": "title", "place": "place"}
ORDER = ("minute", "hour", "day", "week", "month", "longer")
PSEUDONYM = "a pseudonym"


@dataclass
class Facts:
    """What the rules look at beside the record: frozen public lists, and consents and codes of its partner."""

    country: str
    honest_cells: dict[tuple[int, int], tuple[str, int]]
    honest_areas: set[str]
    sectors: dict[tuple[str, str], int]
    clock: dt.datetime
    slots: dict[str, dt.datetime]
    consents: dict[str, list[Row]] = field(default_factory=dict)
    codes: dict[str, str | None] = field(default_factory=dict)

    @classmethod
    def read(cls, conn: psycopg.Connection, policy: Policy) -> Facts:
        """From the frozen files, and from a world's consents, partners and clock (owner connection)."""
        reference = Reference(folder(policy))
        (place,) = honest_rules(policy).values()
        slots: dict[str, dt.datetime] = dict(conn.execute("SELECT audience, slot FROM vault.batches").fetchall())
        (clock,) = conn.execute("SELECT slot FROM vault.clock").fetchone() or ()
        found = cls(
            country=next(f"admin0.{a['code']}" for a in reference.admin if a["kind"] == "admin0"),
            honest_cells={(x, y): (area, level) for x, y, area, level in reference.honest_cells(place)},
            honest_areas=set(reference.honest_areas(place)),
            sectors={(admin2, sector): n for admin2, sector, n in reference.partners},
            clock=clock,
            slots=slots,
        )
        found.learn(conn)
        return found

    def learn(self, conn: psycopg.Connection) -> None:
        """Read the partners and their consents anew."""
        self.consents = {}
        for row in rows(conn, "consents"):
            self.consents.setdefault(row["partner_id"], []).append(row)
        self.codes = {row["id"]: row["code"] for row in rows(conn, "partners")}

    def scope(self, partner: str | None, aspect: str, slot: dt.datetime) -> int:
        """The widest consent of a partner for an aspect, on the slot's day: 0 none, 1 mission, 2 UN, 3 public."""
        widest = 0
        for one in self.consents.get(partner or "", ()):
            holds = (
                one["withdrawn_on"] is None
                and one["given_on"] <= slot.date()
                and (one["until"] is None or one["until"] >= slot.date())
            )
            if holds and (aspect == "any" or aspect in one["fields"]):
                widest = max(widest, SCOPES.index(one["scope"]) + 1)
        return widest


def rows(conn: psycopg.Connection, table: str) -> list[dict[str, Any]]:
    """Every row of a vault table; geometry as WKB."""
    names = [
        n
        for (n,) in conn.execute(
            "SELECT column_name::text FROM information_schema.columns WHERE table_schema = 'vault' AND table_name = %s"
            " ORDER BY ordinal_position",
            (table,),
        ).fetchall()
    ]
    listed = ", ".join("ST_AsBinary(geom) AS geom" if n == "geom" else f'"{n}"' for n in names)
    with conn.cursor(row_factory=dict_row) as cursor:
        return cursor.execute(f"SELECT {listed} FROM vault.{table} ORDER BY 1".encode()).fetchall()


def release(view: ReleasedLayer, row: Row, facts: Facts) -> dict[str, Any] | None:
    """What the audience of `view` gets of a record of its layer as of the last batch; None when it does not exist."""
    audience = view.audience
    if view.own and audience.dominates(row["level"], row["compartments"]):
        return _form(view, row, facts, None, view.own)
    for tier in view.tiers:
        slot = facts.slots[audience.id] if tier.delay else facts.clock
        if _matches(view, tier, row, facts, slot):
            if tier.delay and _due(view, tier, row) > slot:
                return None
            return _form(view, row, facts, tier, tier.fields)
    return None


def _matches(view: ReleasedLayer, tier: Tier, row: Row, facts: Facts, slot: dt.datetime) -> bool:
    audience = view.audience
    if not set(row["compartments"]) <= audience.compartments | tier.compartments:
        return False
    level = tier.up_to is not None and LEVELS.index(row["level"]) <= LEVELS.index(tier.up_to)
    # a decision to publish to somebody lower holds for everybody above
    published = bool(set(row["publish"]) & view.publishers)
    wanted = {
        "no": level or tier.up_to is None,
        "require": published and (level or tier.up_to is None),
        "also": level or published,
    }[tier.explicit]
    if not wanted:
        return False
    if tier.consent and facts.scope(row.get("partner_id"), "any", slot) < SCOPES.index(tier.consent) + 1:
        return False
    return not tier.partner or facts.codes.get(row.get("partner_id") or "") == audience.partner


def _due(view: ReleasedLayer, tier: Tier, row: Row) -> dt.datetime:
    time = view.layer.time
    assert time is not None
    named = [(time.start, False), (time.end, True), (time.reported, False)]
    return max(_moment(row[n], last) for n, last in named if n and row[n] is not None) + tier.delay


def _moment(value: dt.date, last: bool = False) -> dt.datetime:
    if isinstance(value, dt.datetime):
        return value.astimezone(dt.UTC)
    return dt.datetime.combine(value + dt.timedelta(days=int(last)), dt.time(), dt.UTC)


def _form(
    view: ReleasedLayer, row: Row, facts: Facts, tier: Tier | None, verbs: Mapping[str, Verb]
) -> dict[str, Any] | None:
    slot = facts.slots[view.audience.id] if tier and tier.delay else facts.clock
    out = _place(view, row, facts, tier, slot)
    if out["geom"] is None and out["area"] is None and out["place_precision"] is None:
        return None
    if view.has_time:
        out |= _time(view, row, tier)
    for one in view.layer.fields:
        verb = verbs.get(one.name)
        value = row[one.name]
        if one.name in view.field:
            out[one.name] = _value(verb, one.name, value, row, facts, slot)
        if f"{one.name}_band" in view.field:
            banded = verb is not None and verb.kind in ("band", "show") and value is not None
            out[f"{one.name}_band"] = _band(value, one.bands) if banded else None
    return out


def _value(verb: Verb | None, name: str, value: Any, row: Row, facts: Facts, slot: dt.datetime) -> Any:
    if verb is None or verb.kind == "band" or value is None:
        return None
    if verb.kind == "show":
        return value
    if verb.kind == "pseudonym":
        return (PSEUDONYM, value)
    if verb.kind == "consent":
        assert verb.scope is not None
        given = facts.scope(row.get("partner_id"), ASPECTS.get(name, "any"), slot)
        if given >= SCOPES.index(verb.scope) + 1:
            return value
        return _value(verb.otherwise, name, value, row, facts, slot)
    if verb.sector_if:
        many = facts.sectors.get((row["admin2"], row["sector"]), 0) >= verb.sector_if
        if many:
            return f"{verb.word} ({row['sector']})" if verb.word else value
    return verb.word or None


def _band(value: int, bands: Iterable[int]) -> str:
    lows = list(bands)
    at = max((n for n, low in enumerate(lows) if value >= low), default=0)
    if at == len(lows) - 1:
        return f"{lows[at]}+"
    high = lows[at + 1] - 1
    return str(lows[at]) if high == lows[at] else f"{lows[at]}-{high}"


def _place(view: ReleasedLayer, row: Row, facts: Facts, tier: Tier | None, slot: dt.datetime) -> dict[str, Any]:
    known = row["place_precision"]
    place = tier.place if tier else Place("exact")
    if view.layer.geometry != "point":
        return {"geom": row["geom"], "area": None, "place_precision": known}
    exact = place.kind == "exact"
    if place.exact_if:
        exact = exact or facts.scope(row.get("partner_id"), "place", slot) >= SCOPES.index(place.exact_if) + 1
    if exact and known in ("exact", "near"):
        return {"geom": row["geom"], "area": None, "place_precision": known}
    area = None if place.kind == "none" else _area(place, row, facts)
    word: str | None
    if area is not None:
        word = "cell" if area.startswith("c") else area.split(".")[0].replace("admin0", "country")
    else:
        tells = place.kind in ("exact", "none") or known == "unknown"
        word = "unknown" if tells else None
    return {"geom": None, "area": area, "place_precision": word}


def _area(place: Place, row: Row, facts: Facts) -> str | None:
    known = row["place_precision"]
    point = known in ("exact", "near")
    if place.kind == "cell" and point:
        return _cell(row, place.level if known == "exact" else max(place.level, 2))
    if place.kind == "honest":
        return facts.country if known == "country" else _honest(place, row, facts)
    if place.kind == "admin" and point:
        return _unit(row, place.level, facts)
    finest = place.level if place.kind == "admin" else 3
    level = {"admin3": 3, "admin2": 2, "admin1": 1, "linear": 1, "country": 0}.get(known)
    return None if level is None else _unit(row, min(level, finest), facts)


def _cell(row: Row, level: int) -> str:
    return f"c{level}.{row['cell_x'] >> level}.{row['cell_y'] >> level}"


def _unit(row: Row, level: int, facts: Facts) -> str | None:
    if level == 0:
        return facts.country
    code = row[f"admin{level}"]
    return f"admin{level}.{code}" if code else None


def _honest(place: Place, row: Row, facts: Facts) -> str | None:
    known = row["place_precision"]
    if known in ("exact", "near"):
        found = facts.honest_cells.get((row["cell_x"], row["cell_y"]))
        if found is not None:
            return _cell(row, 2) if known == "near" and found[1] < 2 else found[0]
    levels = {"admin1": (1,), "linear": (1,), "unknown": ()}.get(known, place.otherwise)
    for level in levels:
        unit = _unit(row, level, facts)
        if level in place.otherwise and unit in facts.honest_areas:
            return unit
    return None


def _time(view: ReleasedLayer, row: Row, tier: Tier | None) -> dict[str, Any]:
    time = view.layer.time
    assert time is not None
    unit = tier.time if tier else "exact"
    if unit is None or row[time.start] is None:
        start = end = None
    else:
        start = _moment(row[time.start])
        end = _moment(row[time.end], last=True) if time.end and row[time.end] is not None else start
    known = row[time.precision] if time.precision else "day"
    if unit == "exact" or unit is None:
        return {"time_from": start, "time_to": end, "time_precision": None if unit is None else known}
    coarser = known if ORDER.index(known) > ORDER.index(unit) else unit
    if start is None or end is None:
        return {"time_from": None, "time_to": None, "time_precision": coarser}
    last = max(end - dt.timedelta(microseconds=1), start)
    return {"time_from": _floor(start, unit), "time_to": _next(_floor(last, unit), unit), "time_precision": coarser}


def _floor(when: dt.datetime, unit: str) -> dt.datetime:
    day = when.replace(hour=0, minute=0, second=0, microsecond=0)
    return day - dt.timedelta(days={"day": 0, "week": day.weekday(), "month": day.day - 1}[unit])


def _next(start: dt.datetime, unit: str) -> dt.datetime:
    if unit == "month":
        return (start + dt.timedelta(days=32)).replace(day=1)
    return start + dt.timedelta(days={"day": 1, "week": 7}[unit])
