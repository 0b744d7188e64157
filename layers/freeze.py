"""Freeze the public reference data of a mission: people per base cell and simplified administrative areas.

    python -m layers.freeze SOURCE REFERENCE

SOURCE holds `afripop2020_worldpop_20km.tif` (people per km², EPSG:4326) and `caf_admin0..3.parquet` (COD-AB);
REFERENCE is the folder of the frozen version. It is run once per version and its result is kept in git: a rule's
cells must never move because a source was updated.
"""

from __future__ import annotations

import csv
import json
import sys
from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.parquet as pq
import rasterio
import shapely

from layers.cells import as_feature, base_cells

SPLIT = 12
"""Each raster cell (about 18 km) is split so many times a side to share its people among base cells."""

TOLERANCE = 0.004
"""Simplification in degrees (about 450 m): areas are drawn and tested with the same outline."""

MARGIN = 2.0
"""Degrees around the country: a cell on the border holds people of both sides."""

EARTH_KM = 111.195
"""One degree of a great circle in km (mean radius 6371.0088 km)."""


def people(source: Path, bounds: tuple[float, float, float, float]) -> Counter[tuple[int, int]]:
    """People per base cell: density times area, shared over sub-cells of equal angle."""
    west, south, east, north = bounds
    with rasterio.open(source / "afripop2020_worldpop_20km.tif") as raster:
        window = (
            raster.window(west - MARGIN, south - MARGIN, east + MARGIN, north + MARGIN).round_offsets().round_lengths()
        )
        density = raster.read(1, window=window, masked=True).filled(0.0).astype(np.float64)
        transform = raster.window_transform(window)
    rows, cols = density.shape
    step = transform.a / SPLIT
    lon = transform.c + (np.arange(cols * SPLIT) + 0.5) * step
    lat = transform.f - (np.arange(rows * SPLIT) + 0.5) * step
    area = (EARTH_KM * step) ** 2 * np.cos(np.radians(lat))
    share = np.repeat(np.repeat(np.maximum(density, 0), SPLIT, 0), SPLIT, 1) * area[:, None]
    grid_lon, grid_lat = np.meshgrid(lon, lat)
    x, y = base_cells(grid_lon.ravel(), grid_lat.ravel())
    keys, inverse = np.unique(np.column_stack([x, y]), axis=0, return_inverse=True)
    sums = np.bincount(inverse.ravel(), weights=share.ravel())
    return Counter({(int(k[0]), int(k[1])): round(float(s)) for k, s in zip(keys, sums, strict=True) if s >= 0.5})


def outline(value: Any) -> shapely.Geometry:
    """A geometry of GeoParquet in native encoding: nested lists of {x, y}, a polygon or (one list deeper) several."""
    if isinstance(value[0][0], dict):
        rings = [[(p["x"], p["y"]) for p in ring] for ring in value]
        return shapely.Polygon(rings[0], rings[1:])
    return shapely.union_all([outline(polygon) for polygon in value])


def admin(source: Path) -> list[dict[str, Any]]:
    """Administrative units of all levels, each level simplified as a coverage so that neighbours still touch."""
    features: list[dict[str, Any]] = []
    for level in range(4):
        table = pq.read_table(source / f"caf_admin{level}.parquet").to_pylist()
        shapes = [outline(row["geometry"]) for row in table]
        simple = shapely.set_precision(shapely.coverage_simplify(shapes, TOLERANCE), 0.00001)
        for row, geometry in sorted(zip(table, simple, strict=True), key=lambda pair: pair[0][f"adm{level}_pcode"]):
            parent = row[f"adm{level - 1}_pcode"] if level else None
            properties = {
                "kind": f"admin{level}",
                "code": row[f"adm{level}_pcode"],
                "label": row[f"adm{level}_name"],
                "parent": parent,
            }
            features.append(as_feature(properties, geometry))
    return features


def main(source: Path, reference: Path) -> None:
    reference.mkdir(parents=True, exist_ok=True)
    units = admin(source)
    lines = ",\n".join(json.dumps(f, ensure_ascii=False, separators=(",", ":")) for f in units)
    (reference / "admin.geojson").write_text(
        f'{{"type":"FeatureCollection","features":[\n{lines}\n]}}\n', encoding="utf-8"
    )
    country = shapely.from_geojson(
        json.dumps(next(f["geometry"] for f in units if f["properties"]["kind"] == "admin0"))
    )
    counts = people(source, country.bounds)
    with (reference / "people.csv").open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(("cell_x", "cell_y", "people"))
        writer.writerows((x, y, n) for (x, y), n in sorted(counts.items()))


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]))
