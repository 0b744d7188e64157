"""Records with words and places that occur nowhere else: canaries. One of every class for every layer.

Which audiences may see which canary follows from the rules (tests.leaks.oracle), so a new layer or field is covered as
soon as it is declared.
"""

from __future__ import annotations

import datetime as dt
import hashlib
import string
from collections.abc import Iterator
from typing import Any

import shapely
from sqlalchemy import ARRAY, Boolean, Date, DateTime, Numeric, Text

from layers.layer import COMMON, Layer
from layers.registry import all_layers
from layers.vault import Provenance, Vault

SYSTEM = "planted"
FACTS = Provenance("planted.geojson", "0" * 64, "planted", "tester")
LABELS: dict[str, tuple[str, list[str]]] = {
    "unclassified": ("unclassified", []),
    "confidential": ("confidential", []),
    "operations": ("confidential", ["ops"]),
    "strict": ("strict", []),
    "strictops": ("strict", ["ops"]),
    "strictchild": ("strict", ["hr", "child"]),
}
CONSENTS: dict[str, list[dict[str, Any]]] = {
    "none": [],
    "mission": [{"scope": "mission", "fields": ["name", "place", "title"]}],
    "un": [{"scope": "un", "fields": ["name", "title"]}],
    "nameonly": [{"scope": "public", "fields": ["name"]}],
    "withdrawn": [
        {"scope": "public", "fields": ["name", "place", "title"], "withdrawn_on": dt.date(2025, 6, 1)},
        {"scope": "mission", "fields": ["title"]},
    ],
    "ended": [{"scope": "public", "fields": ["name", "place", "title"], "until": dt.date(2025, 12, 31)}],
}
NO_WORD = {"source_alias", "reliability", "credibility", "currency", "place_precision", "level", "time_precision"}
"""Texts whose form the database checks, or that the rules read."""


def word(*parts: str) -> str:
    """A word of letters that nobody writes."""
    digest = hashlib.sha256("/".join(parts).encode()).hexdigest()[:12]
    return "zq" + digest.translate(str.maketrans(string.digits, "ghijklmnop"))


def spot(*parts: str) -> tuple[float, float]:
    """A place in the empty east of the country, with 7 decimals that nothing else has."""
    digest = hashlib.sha256("/".join(parts).encode()).digest()
    lon = 22.6 + int.from_bytes(digest[:4]) / 2**32 * 3.2
    lat = 5.5 + int.from_bytes(digest[4:8]) / 2**32 * 1.6
    return round(lon, 7), round(lat, 7)


def records(layer: Layer) -> Iterator[dict[str, Any]]:
    """One record of each class, each also recent and, for sites, of each state of consent."""
    operations = layer.style.group == "operations"
    for name, (level, compartments) in LABELS.items():
        yield _record(layer, name, level=level, compartments=compartments)
        yield _record(
            layer, f"{name} published", level=level, compartments=compartments, publish=["public", "partner:au"]
        )
        if operations:
            for precision in ("near", "admin2", "country"):
                yield _record(
                    layer, f"{name} {precision}", level=level, compartments=compartments, place_precision=precision
                )
    if layer.time and layer.time.precision:
        now = dt.datetime.now(dt.UTC).replace(minute=0, second=0, microsecond=0)
        for name in ("unclassified", "confidential", "strict"):
            for days in (1, 20):
                when = {
                    "occurred_from": now - dt.timedelta(days=days),
                    "occurred_to": now - dt.timedelta(days=days - 1),
                }
                yield _record(layer, f"{name} {days} days ago", level=name, publish=["public"], **when)
    if any(d.table == "consents" for d in layer.depends):
        for state in CONSENTS:
            partner = {"partner_id": f"planted-{state}"}
            yield _record(layer, f"consent {state}", level="strict", **partner)
            yield _record(layer, f"consent {state} ops", level="strict", compartments=["ops"], **partner)


def _record(layer: Layer, name: str, **given: Any) -> dict[str, Any]:
    lon, lat = spot(layer.id, name)
    shape: shapely.Geometry = shapely.Point(lon, lat)
    if layer.geometry == "line":
        shape = shapely.LineString([(lon, lat), (lon + 0.01, lat + 0.01)])
    elif layer.geometry == "polygon":
        shape = shapely.box(lon, lat, lon + 0.01, lat + 0.01)
    out: dict[str, Any] = {"source_id": name, "geom": shapely.to_wkb(shape)}
    for number, column in enumerate(layer.model.__table__.columns):
        if column.name in ("originator", "originator_marking", "classified_by"):
            out[column.name] = word(layer.id, name, column.name)
        elif column.name in COMMON or column.name in given or column.name == "partner_id":
            continue
        elif column.name == "source_alias":
            out[column.name] = f"ZQ{word(layer.id, name)[2:12].upper()}-{number}"
        elif column.name in NO_WORD:
            continue
        elif isinstance(column.type, Text):
            out[column.name] = word(layer.id, name, column.name)
        elif isinstance(column.type, DateTime):
            out[column.name] = dt.datetime(2019, 3, 1 + (column.name == "occurred_to"), 7, 43, 11, tzinfo=dt.UTC)
        elif isinstance(column.type, Date):
            out[column.name] = dt.date(2019, 3, 13)
        elif isinstance(column.type, Boolean):
            out[column.name] = True
        elif isinstance(column.type, Numeric):
            out[column.name] = 7919 + number
        elif not isinstance(column.type, ARRAY):
            out[column.name] = 3 + number
    if "reported_at" in out:
        out["reported_at"] = given.get("occurred_to", out["reported_at"])
    return {**out, **given}


def words(record: dict[str, Any]) -> dict[str, str]:
    """The canary words of a record by column."""
    return {name: value for name, value in record.items() if isinstance(value, str) and value.lower().startswith("zq")}


def plant(vault: Vault) -> None:
    """Write all of them, with the partners whose consents they lean on."""
    vault.write_rows(
        "partners",
        [{"id": f"planted-{s}", "name": word("partner", s), "type": "nngo"} for s in CONSENTS],
        ("id",),
    )
    vault.write_rows(
        "consents",
        [
            {
                "id": f"planted-{state}-{n}",
                "partner_id": f"planted-{state}",
                "given_on": dt.date(2024, 1, 1),
                "paper_reference": word("paper", state),
                "given_by_function": word("function", state),
                **one,
            }
            for state, given in CONSENTS.items()
            for n, one in enumerate(given)
        ],
        ("id",),
    )
    for layer in all_layers().values():
        vault.write(layer.id, SYSTEM, records(layer), FACTS)
