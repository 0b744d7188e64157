"""Rules compiled to SQL: the SELECT that derives an audience's rows of one layer from the vault.

The statement looks at the record itself, at frozen public reference data, at consents and partners of that record,
and at the batch clock; at no other record. So a hidden record cannot change a visible row.
Literals come from the rule file and the declarations, never from a request; they are quoted all the same.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from sqlalchemy import ARRAY, Date

from layers.audience import LEVELS, Audience
from layers.layer import Field, Layer
from layers.place_sql import literal, place_joins, place_value, text_array
from layers.policy import SCOPES, Policy, ReleasedLayer, Tier, Verb, consent_scopes

NOW, BATCHED = 0, 1
"""Streams of a released relation: rows kept in step by triggers, and rows that only the batch clock writes."""

_SQL_TYPE = {
    "text": "text",
    "code": "text",
    "integer": "bigint",
    "number": "double precision",
    "date": "date",
    "datetime": "timestamptz",
    "boolean": "boolean",
}
_CONSENT_ASPECT = {"partner": "name", "title": "title", "place": "place"}


@dataclass(frozen=True)
class Column:
    name: str
    sql_type: str


@dataclass(frozen=True)
class _Form:
    """The own form or a tier, numbered in the order in which they are tried."""

    number: int
    stream: int
    tier: Tier | None
    fields: Mapping[str, Verb]


def columns(released: ReleasedLayer) -> list[Column]:
    """The released relation's columns, in order. Those that start with _ are the server's own and never leave it."""
    out = [
        Column("fid", "bigint"),
        Column("geom", "geometry(Geometry,4326)"),
        Column("geom3857", "geometry(Geometry,3857)"),
        Column("area", "text"),
        Column("place_precision", "text"),
    ]
    if released.layer.time:
        out += [Column("time_from", "timestamptz"), Column("time_to", "timestamptz"), Column("time_precision", "text")]
    out += [Column(f.name, _SQL_TYPE[f.type]) for f in released.fields]
    if released.search:
        out.append(Column("_text", "text"))
    out.append(Column("_stream", "smallint"))
    return out


def fid(family: str, layer: str, record: str = "r.id") -> str:
    """The keyed id of a record: 53 bits of HMAC-SHA-256 under the family's key, so that ids tell nothing."""
    return (
        f"vault.fid({record}, (SELECT key FROM vault.release_keys WHERE family = {literal(family)} AND layer ="
        f" {literal(layer)}))"
    )


def derive(released: ReleasedLayer, source: str, stream: int, clock: str) -> str | None:
    """SELECT of `columns(released)` for the records of `source` (a table or transition table), for one stream.

    `clock` is an SQL expression (timestamptz): the batch slot as of which the release holds. None when the audience
    has no form in that stream.
    """
    forms = _forms(released)
    mine = [f for f in forms if f.stream == stream]
    if not mine:
        return None
    layer = released.layer
    joins, wanted = _joins(released, forms, clock)
    branches = " ".join(f"WHEN {_condition(f, released)} THEN {f.number}" for f in forms)
    numbers = ", ".join(str(f.number) for f in mine)
    due = [f"(r._form <> {f.number} OR {_due(layer, f.tier)} <= {clock})" for f in mine if f.tier and f.tier.delay]
    where = " AND ".join([f"r._form IN ({numbers})", *due])
    select = ",\n  ".join(
        f"{_value(c.name, mine, released, stream)} AS {c.name}" for c in columns(released) if c.name != "geom3857"
    )
    out = ", ".join(_OUTER.get(c.name, f"d.{c.name}") for c in columns(released))
    # No precision and no area: the rule found no honest area, so the record is absent.
    return (
        f"SELECT {out} FROM (SELECT\n  {select}\n"
        f"FROM (SELECT r.*{wanted}, CASE {branches} END AS _form FROM {source} r{joins}) r\n"
        f"{place_joins([f.tier for f in mine if f.tier], released)}WHERE {where}) d"
        " WHERE d.place_precision IS NOT NULL OR d.area IS NOT NULL"
    )


_OUTER = {
    # The geometry is projected once, from the value chosen for this audience.
    "geom3857": "ST_Transform(d.geom, 3857) AS geom3857",
    "place_precision": (
        "CASE WHEN d.area IS NULL THEN d.place_precision WHEN d.area LIKE 'c%' THEN 'cell' WHEN d.area LIKE 'admin0%'"
        " THEN 'country' ELSE split_part(d.area, '.', 1) END AS place_precision"
    ),
}


def _forms(released: ReleasedLayer) -> list[_Form]:
    forms = [_Form(0, NOW, None, released.own)] if released.own else []
    forms += [_Form(n + 1, BATCHED if t.delay else NOW, t, t.fields) for n, t in enumerate(released.tiers)]
    return forms


def _joins(released: ReleasedLayer, forms: Sequence[_Form], clock: str) -> tuple[str, str]:
    """Consents and partners of the record, where a rule asks for them: at most one row each."""
    joins, wanted = "", ""
    tiers = [f.tier for f in forms if f.tier]
    if any(consent_scopes(t) for t in tiers):
        ranks = " ".join(f"WHEN {literal(s)} THEN {n + 1}" for n, s in enumerate(SCOPES))
        rank = f"CASE c.scope {ranks} ELSE 0 END"
        aspects = ", ".join(
            f"max({rank}) FILTER (WHERE {literal(a)} = ANY (c.fields)) AS _consent_{a}"
            for a in ("name", "title", "place")
        )
        joins += (
            f"\n  LEFT JOIN LATERAL (SELECT max({rank}) AS _consent_any, {aspects} FROM vault.consents c"
            f" WHERE c.partner_id = r.partner_id AND c.withdrawn_on IS NULL AND c.given_on <= ({clock})::date"
            f" AND (c.until IS NULL OR c.until >= ({clock})::date)) k ON true"
        )
        wanted += ", k._consent_any, k._consent_name, k._consent_title, k._consent_place"
    if any(t.partner for t in tiers):
        joins += "\n  LEFT JOIN vault.partners p ON p.id = r.partner_id"
        wanted += ", p.code AS _partner_code"
    return joins, wanted


def _condition(form: _Form, released: ReleasedLayer) -> str:
    audience = released.audience
    if form.tier is None:
        return f"r.level = ANY ({text_array(_levels(audience.level))}) AND {_held(audience, frozenset())}"
    tier = form.tier
    parts = [_held(audience, tier.compartments)]
    explicit = f"r.publish && {text_array(_publishers(audience, released))}"
    level = f"r.level = ANY ({text_array(_levels(tier.up_to))})" if tier.up_to else None
    if tier.explicit == "also":
        parts.append(f"({level} OR {explicit})" if level else explicit)
    else:
        parts += [level] if level else []
        parts += [explicit] if tier.explicit == "require" else []
    if tier.consent:
        parts.append(f"k._consent_any >= {SCOPES.index(tier.consent) + 1}")
    if tier.partner:
        parts.append(f"p.code = {literal(audience.partner or '')}")
    return " AND ".join(parts)


def _levels(up_to: str) -> tuple[str, ...]:
    return LEVELS[: LEVELS.index(up_to) + 1]


def _held(audience: Audience, tier_compartments: frozenset[str]) -> str:
    held = sorted(audience.compartments | tier_compartments)
    return f"r.compartments <@ {text_array(held)}" if held else "r.compartments = '{}'"


def _publishers(audience: Audience, released: ReleasedLayer) -> list[str]:
    """A decision to release to an audience holds for every audience above it."""
    return sorted(released.publishers or {audience.id})


def _due(layer: Layer, tier: Tier) -> str:
    assert layer.time is not None
    time = layer.time
    moments = [_moment(c, layer, last=c == time.end) for c in (time.end, time.start, time.reported) if c]
    return f"greatest({', '.join(moments)}) + interval '{int(tier.delay.total_seconds())} seconds'"


# --- time ------------------------------------------------------------------------------------------------------------


def _moment(column: str, layer: Layer, last: bool = False) -> str:
    """A time column in UTC; a date that is a last day ends with that day."""
    if isinstance(layer.model.__table__.columns[column].type, Date):
        return f"((r.{column}{' + 1' if last else ''})::timestamp AT TIME ZONE 'UTC')"
    return f"r.{column}"


def _time_value(column: str, form: _Form, layer: Layer) -> str:
    time = layer.time
    assert time is not None
    start = _moment(time.start, layer)
    end = f"coalesce({_moment(time.end, layer, last=True)}, {start})" if time.end else start
    own = f"r.{time.precision}" if time.precision else "'day'"
    unit = form.tier.time if form.tier else "exact"
    if unit is None:
        return "NULL" if column == "time_precision" else "NULL::timestamptz"
    if unit == "exact":
        return {"time_from": start, "time_to": end, "time_precision": own}[column]
    if column == "time_from":
        return f"date_trunc('{unit}', {start}, 'UTC')"
    if column == "time_to":
        # The end is open: an event up to midnight stays in its unit.
        last = f"greatest({end} - interval '1 microsecond', {start})"
        return f"(date_trunc('{unit}', {last} AT TIME ZONE 'UTC') + interval '1 {unit}') AT TIME ZONE 'UTC'"
    coarser = {"day": "'week', 'month', 'longer'", "week": "'month', 'longer'", "month": "'longer'"}[unit]
    return f"CASE WHEN {own} IN ({coarser}) THEN {own} ELSE '{unit}' END"


# --- fields ----------------------------------------------------------------------------------------------------------


def band_sql(value: str, bands: Sequence[int]) -> str:
    """The band of a count as text: 0, 1-4, 5-9 …, 100+."""
    labels = [
        f"{low}"
        if n + 1 < len(bands) and bands[n + 1] == low + 1
        else f"{low}-{bands[n + 1] - 1}"
        if n + 1 < len(bands)
        else f"{low}+"
        for n, low in enumerate(bands)
    ]
    cases = " ".join(f"WHEN {value} < {bands[n + 1]} THEN {literal(labels[n])}" for n in range(len(bands) - 1))
    return f"CASE WHEN {value} IS NULL THEN NULL {cases} ELSE {literal(labels[-1])} END"


def _source(field: Field, layer: Layer) -> str:
    column = layer.model.__table__.columns[field.name]
    if isinstance(column.type, ARRAY):
        return f"array_to_string(r.{field.name}, ', ')"
    return f"r.{field.name}::{_SQL_TYPE[field.type]}"


def _verb_sql(verb: Verb, field: Field, layer: Layer, family: str) -> str:
    value = _source(field, layer)
    if verb.kind == "show":
        return value
    if verb.kind == "pseudonym":
        key = f"(SELECT key FROM vault.release_keys WHERE family = {literal(family)} AND layer = {literal(layer.id)})"
        return f"vault.pseudonym({literal(field.name)}, {value}::text, {key})"
    if verb.kind == "consent":
        aspect = _CONSENT_ASPECT.get(field.name, "any")
        rest = _verb_sql(verb.otherwise, field, layer, family) if verb.otherwise else "NULL"
        assert verb.scope is not None
        return (
            f"CASE WHEN coalesce(r._consent_{aspect}, 0) >= {SCOPES.index(verb.scope) + 1} THEN {value} ELSE {rest} END"
        )
    if verb.sector_if:
        known = "(SELECT n FROM vault.partners_of_reference f WHERE f.admin2 = r.admin2 AND f.sector = r.sector)"
        shown = f"{literal(verb.word + ' (')} || r.sector || ')'" if verb.word else value
        rest = literal(verb.word) if verb.word else "NULL"
        return f"CASE WHEN {value} IS NULL THEN NULL WHEN {known} >= {verb.sector_if} THEN {shown} ELSE {rest} END"
    return f"CASE WHEN {value} IS NOT NULL THEN {literal(verb.word)} END"


def _field_value(name: str, form: _Form, released: ReleasedLayer) -> str:
    layer = released.layer
    banded = name.endswith("_band") and name not in layer.field
    field = layer.field[name.removesuffix("_band") if banded else name]
    verb = form.fields.get(field.name)
    if verb is None:
        return "NULL"
    if banded:
        # The own form carries the band too, so that one filter works on both.
        return band_sql(f"r.{field.name}", field.bands) if verb.kind in ("band", "show") else "NULL"
    return "NULL" if verb.kind == "band" else _verb_sql(verb, field, layer, released.audience.family)


def _form_value(column: str, form: _Form, released: ReleasedLayer) -> str:
    if column in ("geom", "area", "place_precision"):
        return place_value(column, form.tier, released.layer)
    if column in ("time_from", "time_to", "time_precision"):
        return _time_value(column, form, released.layer)
    return _field_value(column, form, released)


def _value(column: str, forms: Sequence[_Form], released: ReleasedLayer, stream: int) -> str:
    if column == "fid":
        return fid(released.audience.family, released.id)
    if column == "_stream":
        return f"{stream}::smallint"
    if column == "_text":
        return f"vault.search_text({', '.join(_case(n, forms, released) + '::text' for n in released.search)})"
    sql_type = next(c.sql_type for c in columns(released) if c.name == column)
    return f"({_case(column, forms, released)})::{sql_type}"


def _case(column: str, forms: Sequence[_Form], released: ReleasedLayer) -> str:
    values = [(f.number, _form_value(column, f, released)) for f in forms]
    if len({v for _, v in values}) == 1:
        return values[0][1]
    return "CASE r._form " + " ".join(f"WHEN {n} THEN {v}" for n, v in values) + " END"


def plan(policy: Policy, released: ReleasedLayer) -> str:
    """The whole derivation as text, for the fingerprint that tells whether a relation must be built anew."""
    parts = [f"{c.name} {c.sql_type}" for c in columns(released)]
    parts += [derive(released, "vault.x", s, "clock") or "" for s in (NOW, BATCHED)]
    return "\n".join([policy.reference, *parts])
