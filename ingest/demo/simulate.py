"""Partners, consents, project sites and mission sectors that do not exist, at places that do.

Such data is never public, for good reason. Everything here is drawn from a seed, carries `simulated`, and has names
that cannot be taken for those of real organisations.
"""

from __future__ import annotations

import datetime as dt
import re
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path
from typing import Any

import shapely

from ingest.demo.dice import number, pick, weighted
from ingest.formats import decode
from ingest.values import clean

SITES = 160
PARTNERS = 35
YEAR = 2026
"""The year in which the demo mission is set: projects run around it, consents hold or have run out."""

_TYPES = {"nngo": 12, "ingo": 8, "un": 5, "community": 4, "government": 3, "contractor": 2}
_TYPE_WORDS = {
    "nngo": "national NGO",
    "ingo": "international NGO",
    "un": "UN agency",
    "community": "community organisation",
    "government": "local authority",
    "contractor": "contractor",
    "regional": "regional organisation",
}
_SECTORS = {
    "WSH": 20,
    "HEA": 16,
    "EDU": 16,
    "PRO": 8,
    "PRO-GBV": 8,
    "PRO-CPN": 7,
    "FSC": 10,
    "NUT": 5,
    "SHL": 5,
    "GOV": 8,
    "INF": 7,
}
_TITLES = {
    "WSH": ("Borehole repair", "Latrines at the market", "Water point committee"),
    "HEA": ("Equipment for the health post", "Mobile clinic", "Repair of the maternity ward"),
    "EDU": ("Roof for the primary school", "Desks and school kits", "Evening literacy course"),
    "PRO": ("Listening centre", "Community protection committee", "Lighting of the main street"),
    "PRO-GBV": ("Safe space for women", "Referral pathway for survivors", "Women’s savings group"),
    "PRO-CPN": ("Child-friendly space", "Family tracing desk", "Reintegration of children"),
    "FSC": ("Seeds and tools", "Rice drying floor", "Cattle vaccination"),
    "NUT": ("Nutrition screening", "Therapeutic feeding unit", "School canteen"),
    "SHL": ("Shelter kits", "Repair of collective shelters", "Relief items"),
    "GOV": ("Repair of the town hall", "Civil registry desk", "Local peace committee"),
    "INF": ("Culvert on the access road", "Bridge repair", "Solar street lights"),
}
_STATES = ("none", "mission", "un", "public", "public_name_only", "expired", "withdrawn", "narrowed")
_ALL = ["name", "place", "title"]

_LISTS = (
    ("geonames_cities500_caf.csv", "name", "longitude", "latitude"),
    ("who_health_facilities_caf.csv", "Facility name", "Long", "Lat"),
)
_NO_VILLAGE = re.compile(
    r"^[A-Z\d' -]+$|(?i:[(]|\bngo\b|\bdisp\b|catholi|\bste?\b|centrafrique|mission|caisse|garnison|usine|croix|secours)"
)
"""Facilities that are called by who runs them: no organisation is to be named next to a simulated partner."""

_POST = re.compile(r"\bposte de sant", re.IGNORECASE)
"""Health posts are called by their village; greater facilities often by a saint, a company or a charity."""

_FACILITY = re.compile(r"\s*\b(poste|centre|hôpital|hopital|cs|ps)\b.*$", re.IGNORECASE)

SECTORS: Mapping[str, tuple[str, tuple[str, ...]]] = {
    "SECTOR-WEST": ("Sector West", ("CF11", "CF12", "CF21", "CF22", "CF23", "CF31", "CF32")),
    "SECTOR-CENTRE": ("Sector Centre", ("CF41", "CF42", "CF43", "CF51")),
    "SECTOR-EAST": ("Sector East", ("CF52", "CF53", "CF61", "CF62", "CF63")),
    "SECTOR-BANGUI": ("Sector Bangui", ("CF71",)),
}
"""Mission sectors as unions of prefectures."""


@dataclass(frozen=True)
class Village:
    """A real place from the public lists, in degrees, with the p-code of its sub-prefecture."""

    name: str
    admin2: str
    lon: float
    lat: float


def villages(data: Path) -> list[Village]:
    """Places with a public health facility, and the towns; those outside of the country are left out."""
    with decode(data / "caf_admin2.parquet") as decoded:
        areas = sorted((str(r.values["adm2_pcode"]), r.geometry) for r in decoded.rows)
    tree = shapely.STRtree([shape for _, shape in areas])
    found: dict[str, Village] = {}
    for file, column, lon, lat in _LISTS:
        with decode(data / file) as decoded:
            for row in decoded.rows:
                full = str(row.values[column])
                if file.startswith("who") and not _POST.search(full):
                    continue
                name = _FACILITY.sub("", full).strip()
                x, y = clean(row.values[lon]), clean(row.values[lat])
                if x is None or y is None or not name or _NO_VILLAGE.search(name):
                    continue
                inside = tree.query(shapely.Point(float(x), float(y)), predicate="intersects")
                if len(inside):
                    found.setdefault(name, Village(name, areas[int(min(inside))][0], float(x), float(y)))
    return [found[name] for name in sorted(found)]


def partners() -> list[dict[str, Any]]:
    """Rows of vault.partners. One of them is the partner that reads as the audience `partner:au`."""
    rows = []
    for n in range(1, PARTNERS):
        kind = weighted(f"partner/{n}/type", _TYPES)
        name = f"Simulated Partner {n:02d} ({_TYPE_WORDS[kind]})"
        rows.append({"id": f"sim-{n:02d}", "name": name, "type": kind, "code": None, "simulated": True})
    name = f"Simulated Partner AU ({_TYPE_WORDS['regional']})"
    rows.append({"id": "sim-au", "name": name, "type": "regional", "code": "au", "simulated": True})
    return rows


def consents() -> list[dict[str, Any]]:
    """Rows of vault.consents, in all states that a consent can be in."""
    rows: list[dict[str, Any]] = []
    for index, partner in enumerate(partners()):
        state = "un" if partner["code"] else _STATES[index % len(_STATES)]
        key = f"consent/{partner['id']}"
        given = dt.date(YEAR - 2, 1 + number(f"{key}/month", 12), 1 + number(f"{key}/day", 28))
        later = given + dt.timedelta(days=240)
        scopes: dict[str, list[tuple[str, list[str], dt.date, dt.date | None, dt.date | None]]] = {
            "none": [],
            "mission": [("mission", _ALL, given, None, None)],
            "un": [("un", _ALL, given, dt.date(YEAR + 9, 12, 31), None)],
            "public": [("public", _ALL, given, None, None)],
            "public_name_only": [("public", ["name"], given, None, None), ("mission", _ALL, given, None, None)],
            "expired": [("public", _ALL, given, dt.date(YEAR - 1, 12, 31), None)],
            "withdrawn": [("public", _ALL, given, None, later)],
            "narrowed": [("public", _ALL, given, None, later), ("mission", ["name", "title"], later, None, None)],
        }
        for n, (scope, fields, on, until, withdrawn) in enumerate(scopes[state], 1):
            rows.append(
                {
                    "id": f"{partner['id']}-{n}",
                    "partner_id": partner["id"],
                    "scope": scope,
                    "fields": fields,
                    "informed_how": pick(f"{key}/how", ("meeting", "letter", "telephone call")),
                    "given_by_function": pick(
                        f"{key}/who", ("director", "programme manager", "country representative")
                    ),
                    "given_on": on,
                    "until": until,
                    "withdrawn_on": withdrawn,
                    "paper_reference": f"SIM/{on.year}/{index + 1:03d}-{n}",
                    "simulated": True,
                }
            )
    return rows


def sites(data: Path) -> Iterator[dict[str, Any]]:
    """Records of simulated project sites at real villages. Identities make most of them confidential."""
    return (record for record, _ in _drawn(data))


def _drawn(data: Path) -> Iterator[tuple[dict[str, Any], Village]]:
    places, everybody = villages(data), partners()
    for n in range(1, SITES + 1):
        key = f"site/{n}"
        place = pick(f"{key}/place", places)
        # One in ten belongs to the partner with an audience of its own, so that it has something to see.
        partner = everybody[-1] if n % 10 == 0 else pick(f"{key}/partner", everybody[:-1])
        sector = weighted(f"{key}/sector", _SECTORS)
        starts = dt.date(YEAR - 2, 1, 1) + dt.timedelta(days=number(f"{key}/start", 3 * 365))
        ends = starts + dt.timedelta(days=60 + number(f"{key}/length", 420))
        title = f"{pick(f'{key}/title', _TITLES[sector])}, {place.name}"
        level, compartments, ground = _label(key, sector, partner["type"])
        record = {
            "source_id": f"SIM-{n:04d}",
            "level": level,
            "compartments": compartments,
            "ground": ground,
            "originator": "Simulated",
            "place_precision": "exact",
            "simulated": True,
            "geom": shapely.to_wkb(shapely.Point(place.lon, place.lat)),
            "number": f"SIM-{YEAR - 2000}-{n:03d}",
            "title": title,
            "sector": sector,
            "status": _status(key, starts, ends),
            "starts_on": starts,
            "ends_on": ends,
            "place_name": place.name,
            "cost": Decimal(5_000 + 500 * number(f"{key}/cost", 91)),
            "currency": "USD",
            "donor": f"Simulated Donor {pick(f'{key}/donor', 'ABCD')}",
            "partner_id": partner["id"],
            "partner": partner["name"],
            "partner_type": partner["type"],
            "beneficiaries": 50 * (1 + number(f"{key}/people", 120)),
            "description": f"[simulated] {title}. Schedule and focal point are agreed with the people of {place.name}.",
        }
        yield record, place


def _label(key: str, sector: str, kind: str) -> tuple[str, list[str], str | None]:
    """Level, compartments and ground. Projects of the UN and of authorities are known to all of the mission anyway."""
    if kind in ("un", "government") and number(f"{key}/open", 2):
        return "unclassified", [], None
    if sector == "PRO-GBV":
        return "strict", ["hr"], "individual_safety"
    if sector == "PRO-CPN" and number(f"{key}/child", 2):
        return "strict", ["child"], "individual_safety"
    if number(f"{key}/level", 6) == 0:
        return "strict", [], "individual_safety"
    return "confidential", [], "third_party"


def _status(key: str, starts: dt.date, ends: dt.date) -> str:
    today = dt.date(YEAR, 7, 1)
    if starts >= today:
        return "planned"
    if number(f"{key}/trouble", 20) == 0:
        return "suspended"
    return "completed" if ends < today else "ongoing"


def sectors(data: Path) -> Iterator[dict[str, Any]]:
    """Records of the areas layer: the mission's sectors."""
    with decode(data / "caf_admin1.parquet") as decoded:
        shapes = {str(r.values["adm1_pcode"]): (r.geometry, float(r.values["area_sqkm"])) for r in decoded.rows}
    for code, (name, members) in SECTORS.items():
        yield {
            "source_id": code,
            "level": "unclassified",
            "originator": "Simulated",
            "simulated": True,
            "place_precision": "exact",
            "geom": shapely.to_wkb(shapely.union_all([shapes[m][0] for m in members])),
            "code": code,
            "name": name,
            "kind": "sector",
            "parent": "CF",
            "area_km2": round(sum(shapes[m][1] for m in members), 1),
        }


def partner_counts(data: Path) -> dict[tuple[str, str], int]:
    """Partners by sub-prefecture and sector, as a public 3W list would give them: the frozen table of the mask rule.

    At least as many as have simulated sites there; others are drawn, because a public list is wider than the vault.
    """
    found: dict[tuple[str, str], set[str]] = {}
    for site, place in _drawn(data):
        found.setdefault((place.admin2, site["sector"]), set()).add(site["partner_id"])
    counts = Counter({key: len(who) for key, who in found.items()})
    with decode(data / "caf_admin2.parquet") as decoded:
        districts = sorted(str(r.values["adm2_pcode"]) for r in decoded.rows)
    for admin2 in districts:
        for sector in _SECTORS:
            drawn = weighted(f"3w/{admin2}/{sector}", {0: 8, 1: 5, 2: 4, 3: 3, 4: 2, 6: 1})
            if drawn > counts[admin2, sector]:
                counts[admin2, sector] = drawn
    return {key: n for key, n in sorted(counts.items()) if n}
