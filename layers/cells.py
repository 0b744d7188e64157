"""Blur cells: a quadtree of 10 km base cells in an equal-area CRS, and which of them are honest.

A cell is named `c<level>.<x>.<y>`; level 0 is 10 km wide, each level doubles it, and a coarse cell is exactly the union
of its four finer ones. (H3 parents do not contain their children exactly, so differencing could not be ruled out.)
An honest cell for (n settlements, p people) is the smallest one with at least n settlements and p people in a frozen
public list. The list is never made from the vault: a hidden record must not move a visible cell.

Frozen folder `layers/reference/<name>/`: settlements.csv (name, lon, lat), people.csv (cell_x, cell_y, people),
admin.geojson (kind, code, label, parent; a simplified coverage), partners.csv (admin2, sector, n).
"""

from __future__ import annotations

import csv
import hashlib
import json
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import psycopg
import shapely
from numpy.typing import NDArray
from pyproj import Transformer
from shapely.geometry import mapping, shape

from layers.layer import GRID_METRES, GRID_SRID
from layers.policy import Place, Policy, PolicyError, reference_folder

_FILES = ("settlements.csv", "people.csv", "admin.geojson", "partners.csv")


def folder(policy: Policy) -> Path:
    return reference_folder(policy.reference)


def to_grid() -> Transformer:
    """EPSG:4326 (lon, lat) → metres of the grid's CRS."""
    return Transformer.from_crs("EPSG:4326", f"ESRI:{GRID_SRID}", always_xy=True)


def base_cells(lon: NDArray[np.float64], lat: NDArray[np.float64]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """The base cells (x, y) of points in EPSG:4326."""
    x, y = to_grid().transform(lon, lat)
    return np.floor(np.asarray(x) / GRID_METRES).astype(np.int64), np.floor(np.asarray(y) / GRID_METRES).astype(
        np.int64
    )


def polygon(level: int, x: int, y: int) -> shapely.Polygon:
    """A cell as a polygon in EPSG:4326, its sides bent as the projection bends them (8 points a side)."""
    size = GRID_METRES * 2**level
    steps = np.linspace(0, size, 9)[:-1]
    zeros, ends = np.zeros(8), np.full(8, float(size))
    ring_x = x * size + np.concatenate([steps, ends, size - steps, zeros])
    ring_y = y * size + np.concatenate([zeros, steps, ends, size - steps])
    back = Transformer.from_crs(f"ESRI:{GRID_SRID}", "EPSG:4326", always_xy=True)
    lon, lat = back.transform(ring_x, ring_y)
    return shapely.Polygon(np.column_stack([np.round(lon, 6), np.round(lat, 6)]))


class Reference:
    """The frozen public data of a mission, read from its folder. Raises PolicyError when a file is missing."""

    def __init__(self, path: Path) -> None:
        missing = [f for f in _FILES if not (path / f).is_file()]
        if missing:
            raise PolicyError(
                f"reference {path.name}: {', '.join(missing)} missing in layers/reference; freeze it first"
            )
        self.path = path
        self.fingerprint = hashlib.sha256(b"".join((path / f).read_bytes() for f in _FILES)).hexdigest()
        self.admin: list[dict[str, Any]] = [
            {**f["properties"], "geometry": shape(f["geometry"])}
            for f in json.loads((path / "admin.geojson").read_text(encoding="utf-8"))["features"]
        ]
        with (path / "settlements.csv").open(encoding="utf-8", newline="") as file:
            places = [(float(r["lon"]), float(r["lat"])) for r in csv.DictReader(file)]
        self.settlements = np.array(places)
        with (path / "people.csv").open(encoding="utf-8", newline="") as file:
            self.people = {(int(r["cell_x"]), int(r["cell_y"])): int(r["people"]) for r in csv.DictReader(file)}
        with (path / "partners.csv").open(encoding="utf-8", newline="") as file:
            self.partners = [(r["admin2"], r["sector"], int(r["n"])) for r in csv.DictReader(file)]

    def counts(self, levels: int) -> tuple[list[Counter[tuple[int, int]]], list[Counter[tuple[int, int]]]]:
        """Settlements and people per cell, by level."""
        xs, ys = base_cells(self.settlements[:, 0], self.settlements[:, 1])
        settlements = [Counter(zip((xs >> n).tolist(), (ys >> n).tolist(), strict=True)) for n in range(levels)]
        people: list[Counter[tuple[int, int]]] = []
        for n in range(levels):
            level: Counter[tuple[int, int]] = Counter()
            for (x, y), count in self.people.items():
                level[x >> n, y >> n] += count
            people.append(level)
        return settlements, people

    def extent(self) -> tuple[int, int, int, int]:
        """The base cells around the mission: min x, min y, max x, max y."""
        country = [a["geometry"] for a in self.admin if a["kind"] == "admin0"]
        outline = shapely.get_coordinates(country)
        x, y = base_cells(outline[:, 0], outline[:, 1])
        return int(x.min()), int(y.min()), int(x.max()), int(y.max())

    def honest_cells(self, place: Place) -> Iterator[tuple[int, int, str, int]]:
        """(base x, base y, area id, level) of the smallest honest cell around each base cell that has one."""
        settlements, people = self.counts(place.max_level + 1)
        x0, y0, x1, y1 = self.extent()
        for x in range(x0, x1 + 1):
            for y in range(y0, y1 + 1):
                for n in range(place.max_level + 1):
                    key = (x >> n, y >> n)
                    if settlements[n][key] >= place.settlements and people[n][key] >= place.people:
                        yield x, y, f"c{n}.{key[0]}.{key[1]}", n
                        break

    def honest_areas(self, place: Place) -> Iterator[str]:
        """Administrative units that pass the same test as a cell. People count by the middle of their base cell."""
        keys = np.array(list(self.people))
        back = Transformer.from_crs(f"ESRI:{GRID_SRID}", "EPSG:4326", always_xy=True)
        lon, lat = back.transform((keys[:, 0] + 0.5) * GRID_METRES, (keys[:, 1] + 0.5) * GRID_METRES)
        middles, numbers = shapely.points(lon, lat), np.array(list(self.people.values()))
        places = shapely.points(self.settlements)
        for unit in self.admin:
            if unit["kind"] in {f"admin{n}" for n in place.otherwise}:
                shapely.prepare(unit["geometry"])
                if (
                    int(shapely.intersects(unit["geometry"], places).sum()) >= place.settlements
                    and int(numbers[shapely.intersects(unit["geometry"], middles)].sum()) >= place.people
                ):
                    yield f"{unit['kind']}.{unit['code']}"


def honest_rules(policy: Policy) -> dict[str, Place]:
    """Every honest-cell rule of a rule file, by key."""
    tiers = [t for rule in policy.rules.values() for tiers in rule["coarse"].values() for t in tiers]
    return {t.place.rule: t.place for t in tiers if t.place.kind == "honest"}


def install(conn: psycopg.Connection, policy: Policy) -> None:
    """Put the frozen reference into the vault schema, once per fingerprint of files and rules."""
    reference = Reference(folder(policy))
    rules = honest_rules(policy)
    fingerprint = f"{policy.reference} {reference.fingerprint} {policy.grid_levels} {' '.join(sorted(rules))} 1"
    row = conn.execute("SELECT fingerprint FROM vault.reference_installed").fetchone()
    if row and row[0] == fingerprint:
        return
    for table in ("areas_of_reference", "honest_cells", "honest_areas", "partners_of_reference", "reference_installed"):
        conn.execute(f"DELETE FROM vault.{table}")
    with conn.cursor() as cursor:
        conn.execute(
            "CREATE TEMP TABLE area_rows (id text, kind text, code text, label text, parent text, km int, geom"
            " geometry) ON COMMIT DROP"
        )
        with cursor.copy("COPY area_rows FROM STDIN") as copy:
            for row_ in _areas(reference, policy.grid_levels):
                copy.write_row(row_)
        conn.execute(
            "INSERT INTO vault.areas_of_reference SELECT id, kind, code, label, parent, km, geom,"
            " ST_Transform(geom, 3857) FROM area_rows"
        )
        with cursor.copy("COPY vault.honest_cells (rule, cell_x, cell_y, area, level) FROM STDIN") as copy:
            for key, place in rules.items():
                for cell in reference.honest_cells(place):
                    copy.write_row((key, *cell))
        with cursor.copy("COPY vault.honest_areas (rule, area) FROM STDIN") as copy:
            for key, place in rules.items():
                for area in reference.honest_areas(place):
                    copy.write_row((key, area))
        with cursor.copy("COPY vault.partners_of_reference (admin2, sector, n) FROM STDIN") as copy:
            for partner in reference.partners:
                copy.write_row(partner)
    conn.execute("INSERT INTO vault.reference_installed (fingerprint) VALUES (%s)", (fingerprint,))
    conn.execute("ANALYZE vault.areas_of_reference, vault.honest_cells, vault.honest_areas")


def _areas(reference: Reference, levels: int) -> Iterator[tuple[Any, ...]]:
    """All areas that a release may name, with their width in km (the side of a square of the same size)."""
    grid = to_grid()
    provinces = [(a["label"], a["geometry"]) for a in reference.admin if a["kind"] == "admin1"]
    for _, geometry in provinces:
        shapely.prepare(geometry)
    for unit in reference.admin:
        projected = shapely.transform(unit["geometry"], lambda c: np.column_stack(grid.transform(c[:, 0], c[:, 1])))
        width = round(float(np.sqrt(projected.area)) / 1000)
        yield _row(
            f"{unit['kind']}.{unit['code']}",
            unit["kind"],
            unit["code"],
            unit["label"],
            unit["parent"],
            width,
            unit["geometry"],
        )
    x0, y0, x1, y1 = reference.extent()
    for n in range(levels):
        for x in range(x0 >> n, (x1 >> n) + 1):
            for y in range(y0 >> n, (y1 >> n) + 1):
                cell = polygon(n, x, y)
                middle = cell.centroid
                label = next((name for name, geometry in provinces if geometry.intersects(middle)), None)
                yield _row(f"c{n}.{x}.{y}", f"c{n}", f"{x}.{y}", label, None, GRID_METRES * 2**n // 1000, cell)


def _row(*values: Any) -> tuple[Any, ...]:
    *rest, geometry = values
    return (*rest, shapely.to_wkb(shapely.set_srid(geometry, 4326), hex=True, include_srid=True))


def as_feature(properties: dict[str, Any], geometry: shapely.Geometry) -> dict[str, Any]:
    """A GeoJSON feature, for the freezing tool."""
    return {"type": "Feature", "properties": properties, "geometry": mapping(geometry)}
