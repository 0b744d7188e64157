"""Seeded synthetic incidents around the frozen settlements: where they lie is real, what they hold is not.

15, 45, 30 and 10 of a hundred are public, unclassified, confidential and strict; 15 of a hundred carry a compartment;
places are exact (70), near (20) or a district (10); one point in twenty is shared by several records.
"""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Iterator
from functools import lru_cache
from typing import Any

import numpy as np
import psycopg
import shapely

from benchmarks.harness import SEED
from layers import cells
from layers import policy as policies

COLUMNS = (
    "source_system", "source_id", "level", "compartments", "publish", "geom", "place_precision", "admin1", "admin2",
    "admin3", "simulated", "occurred_from", "occurred_to", "time_precision", "reported_at", "category", "subcategory",
    "place_name", "actor_a", "actor_a_role", "actor_b", "actor_b_role", "killed_best", "killed_low", "killed_high",
    "killed_civilians", "injured_best", "source_section", "source_alias", "reliability", "credibility",
    "verification", "narrative", "summary_public", "summary_unclassified", "summary_confidential",
)  # fmt: skip
LEVELS = ("public", "unclassified", "confidential", "strict")
CHUNK = 50_000
NARRATIVE = (
    "Armed men on motorcycles stopped a convoy of traders on the road, took goods and phones, and left towards the"
    " north. The patrol that came after two hours found the vehicles and spoke to four witnesses."
)


@lru_cache
def _places() -> list[tuple[str, float, float, str, str, str]]:
    """(name, lon, lat, admin1, admin2, admin3) of the frozen settlements that lie in a commune."""
    folder = cells.folder(policies.load(policies.default_path()))
    with (folder / "settlements.csv").open(encoding="utf-8", newline="") as file:
        rows = [(r["name"], float(r["lon"]), float(r["lat"])) for r in csv.DictReader(file)]
    features = json.loads((folder / "admin.geojson").read_text(encoding="utf-8"))["features"]
    units = {f["properties"]["code"]: f for f in features}
    communes = [f for f in features if f["properties"]["kind"] == "admin3"]
    shapes = shapely.from_geojson([json.dumps(f["geometry"]) for f in communes])
    tree = shapely.STRtree(shapes)
    points, found = tree.query(shapely.points([(lon, lat) for _, lon, lat in rows]), predicate="intersects")
    out = []
    for point, number in dict(zip(points.tolist(), found.tolist(), strict=True)).items():
        admin3 = communes[number]["properties"]["code"]
        admin2 = communes[number]["properties"]["parent"]
        out.append((*rows[point], units[admin2]["properties"]["parent"], admin2, admin3))
    return out


def incidents(rows: int, seed: int = SEED, first: int = 0) -> Iterator[bytes]:
    """COPY text of incidents, in chunks; `first` numbers them and, with the seed, decides what they hold."""
    for start in range(first, first + rows, CHUNK):
        yield _chunk(start, min(CHUNK, first + rows - start), seed)


def _chunk(first: int, rows: int, seed: int) -> bytes:
    dice = np.random.default_rng([seed, first])
    places = _places()
    weights = 1 / (np.arange(len(places)) + 3.0)
    at = dice.choice(len(places), rows, p=weights / weights.sum())
    lonlat = np.array([p[1:3] for p in places])[at] + dice.normal(0, 0.05, (rows, 2))
    shared = dice.random(rows) < 0.05
    lonlat[shared] = np.array([p[1:3] for p in places])[at[shared]]
    wkb = shapely.to_wkb(shapely.set_srid(shapely.points(np.round(lonlat, 6)), 4326), hex=True, include_srid=True)
    precision = dice.choice(["exact", "near", "admin2"], rows, p=[0.7, 0.2, 0.1])
    level = dice.choice(LEVELS, rows, p=[0.15, 0.45, 0.30, 0.10])
    compartment = np.where(dice.random(rows) < 0.15, dice.choice(["{ops}", "{hr}", "{child}"], rows), "{}")
    # the newest is thirty days old at most by the date of the seed, the oldest ten years
    minutes = dice.integers(0, 10 * 365 * 24 * 60, rows)
    begins = np.datetime64("2016-11-22T00:00") + minutes.astype("timedelta64[m]")
    killed, injured = dice.poisson(2, rows), dice.poisson(1, rows)
    category, subcategory = _categories()
    kind = dice.integers(0, len(category), rows)
    chance = dice.random((rows, 4))
    out = io.StringIO()
    for n in range(rows):
        name, _, _, admin1, admin2, admin3 = places[at[n]]
        k = int(killed[n])
        summary = f"An attack near {name}."
        values: tuple[Any, ...] = (
            "bench", f"b-{first + n}", level[n], compartment[n],
            "{public,unclassified,partner:au}" if chance[n, 0] < 0.1 else "{}",
            wkb[n], precision[n], admin1, admin2, admin3, "t",
            f"{begins[n]}Z", f"{begins[n] + np.timedelta64(60, 'm')}Z", "hour",
            f"{begins[n] + np.timedelta64(1, 'D')}Z", category[kind[n]], subcategory[kind[n]], name,
            f"Group {n % 23}", "armed_group", "Civilians", "civilians", k, k, k + 2, k // 2, int(injured[n]),
            "JOC", f"HERON-{n % 400}", "ABCDEF"[n % 6], "123456"[n % 6], "new", NARRATIVE,
            summary if chance[n, 1] < 0.3 else "\\N", summary if chance[n, 2] < 0.3 else "\\N",
            summary if chance[n, 3] < 0.5 else "\\N",
        )  # fmt: skip
        out.write("\t".join(map(str, values)) + "\n")
    return out.getvalue().encode()


@lru_cache
def _categories() -> tuple[list[str], list[str]]:
    from layers.layer import code_list

    pairs = [(c.parent, c.code) for c in code_list("incident_subcategory").codes if c.parent]
    return [p for p, _ in pairs], [c for _, c in pairs]


def copy(conn: psycopg.Connection, chunks: list[bytes] | Iterator[bytes]) -> None:
    """COPY into vault.incidents, in the caller's transaction. The release triggers run as they stand."""
    statement = f"COPY vault.incidents ({', '.join(COLUMNS)}) FROM STDIN"
    with conn.cursor() as cursor, cursor.copy(statement.encode()) as stream:
        for chunk in chunks:
            stream.write(chunk)
