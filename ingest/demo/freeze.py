"""Make the data of the demo mission and the frozen lists of the blur rule. Run once per version; results are in git.

    python -m ingest.demo.freeze SOURCE

SOURCE is the folder of the original files as their publishers give them (NOTICE names them and what is changed).
It writes `ingest/demo/data/`, and `settlements.csv` and `partners.csv` of the frozen reference. A second run gives
the same bytes.
"""

from __future__ import annotations

import csv
import json
import shutil
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from ingest.demo import simulate
from ingest.demo.load import DATA, FILES
from ingest.formats import decode
from ingest.values import clean

REFERENCE = Path(__file__).parents[2] / "layers" / "reference" / "caf-2026-11"

GED = "ucdp_ged_v23_1_caf.csv"
SOURCE_COLUMNS = ("source_article", "source_headline", "source_original")
"""Columns of GED that can name or quote the people who told what happened. They are emptied, not dropped."""

NEIGHBOURS = ("ne10m_boundary_lines_land.geojson", "ne10m_populated_places.geojson")
"""Natural Earth files of which the country's own features are left out: COD-AB and GeoNames have them finer."""

BESIDE = ("geopko_v2.3_tccmap_minusca.csv", "afripop2020_worldpop_20km.tif")
"""Files that are joined to others, or read for the frozen people."""

PLACES = (
    # file, name, longitude, latitude
    ("who_health_facilities_caf.csv", "Facility name", "Long", "Lat"),
    ("healthsites_io_caf.csv", "name", "lon", "lat"),
    ("geonames_cities500_caf.csv", "name", "longitude", "latitude"),
    ("ourairports_caf.csv", "name", "longitude_deg", "latitude_deg"),
    ("caf_admin3.parquet", "adm3_name", "center_lon", "center_lat"),
)
"""The public lists of places: facilities, towns, airfields, communes."""

APART = 2
"""Places that agree to so many decimals of a degree (about 1 km) are one place."""


def main(source: Path) -> None:
    DATA.mkdir(parents=True, exist_ok=True)
    for name in sorted({file for _, file, _, _ in FILES} | set(BESIDE)):
        if name == GED:
            _without_sources(source / name, DATA / name)
        elif name in NEIGHBOURS:
            _without_country(source / name, DATA / name)
        else:
            shutil.copyfile(source / name, DATA / name)
    REFERENCE.mkdir(parents=True, exist_ok=True)
    _write(REFERENCE / "settlements.csv", ("name", "lon", "lat", "source"), settlements())
    counts = simulate.partner_counts(DATA).items()
    _write(REFERENCE / "partners.csv", ("admin2", "sector", "n"), ((a, s, n) for (a, s), n in counts))


def settlements() -> Iterator[tuple[str, float, float, str]]:
    """Distinct public places: (name, longitude, latitude, list). The first list that has a place names it."""
    seen = set()
    for file, name, lon, lat in PLACES:
        with decode(DATA / file) as decoded:
            for row in decoded.rows:
                x, y = clean(row.values[lon]), clean(row.values[lat])
                if x is None or y is None:
                    continue
                where = (round(float(x), APART), round(float(y), APART))
                if where not in seen:
                    seen.add(where)
                    yield str(clean(row.values[name]) or ""), float(x), float(y), file.split(".")[0]


def _without_sources(source: Path, target: Path) -> None:
    with source.open(encoding="utf-8-sig", newline="") as old, target.open("w", encoding="utf-8", newline="") as new:
        reader = csv.DictReader(old)
        writer = csv.DictWriter(new, reader.fieldnames or (), lineterminator="\n")
        writer.writeheader()
        for row in reader:
            writer.writerow({**row, **dict.fromkeys(SOURCE_COLUMNS, "")})


def _without_country(source: Path, target: Path) -> None:
    data: dict[str, Any] = json.loads(source.read_text(encoding="utf-8"))
    own = ("adm0_a3_l", "adm0_a3_r", "ADM0_A3")
    data["features"] = [f for f in data["features"] if "CAF" not in [f["properties"].get(n) for n in own]]
    target.write_text(json.dumps(data, ensure_ascii=False, separators=(",", ":")) + "\n", encoding="utf-8")


def _write(path: Path, header: tuple[str, ...], rows: Any) -> None:
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(header)
        writer.writerows(rows)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
