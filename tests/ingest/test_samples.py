"""Samples of real layouts, and what must become of them: records, rejected rows, warnings.

The expected files are written by `python -m tests.ingest.test_samples`; read the difference before it is committed.
"""

from __future__ import annotations

import json
import tempfile
from pathlib import Path
from typing import Any

import pytest

from ingest import pipeline
from tests.ingest.recorder import DATA, plain, rejects, take

SAMPLES: dict[str, tuple[str, str, str | None]] = {
    # expected file: sample, layer, profile (None: it must be found out)
    "ged": ("ged.csv", "incidents", None),
    "acled": ("acled.csv", "incidents", None),
    "acled-hdx": ("acled_hdx.csv", "incidents", None),
    "cod-ab-areas": ("admin3.parquet", "areas", None),
    "cod-ab-lines": ("adminlines.parquet", "boundaries", None),
    "ne-boundaries": ("ne_boundary_lines_land.geojson", "boundaries", None),
    "ne-disputed-area": ("ne_disputed_areas.geojson", "areas", None),
    "ne-lakes": ("ne_lakes.geojson", "water", None),
    "ne-rivers": ("ne_rivers.geojson", "water", None),
    "ne-places": ("ne_populated_places.geojson", "settlements", None),
    "geo-pko": ("geopko_frontmap.csv", "bases", None),
    "geo-pko-2.0": ("geopko_v2.0.csv", "bases", None),
    "who": ("who.csv", "facilities", None),
    "who-cp1252": ("who_cp1252.csv", "facilities", None),
    "healthsites": ("healthsites.csv", "facilities", None),
    "ourairports": ("ourairports.csv", "facilities", None),
    "geonames": ("geonames.csv", "settlements", None),
    "hxl-sites": ("hxl/sites.csv", "sites", None),
    "hxl-unplaced": ("hxl/input-valid.csv", "sites", None),
    "hxl-fuzzy": ("hxl/input-fuzzy.csv", "sites", None),
    "own-incidents": ("broken/incidents.csv", "incidents", None),
    "ragged": ("broken/ragged.csv", "facilities", None),
    "swapped": ("broken/swapped.csv", "sites", None),
    "wrong-crs": ("broken/wrong_crs.geojson", "facilities", None),
    "polygon-as-point": ("broken/polygon_as_point.geojson", "facilities", None),
    "bow-tie": ("broken/bow_tie.geojson", "areas", None),
}


def outcome(name: str, folder: Path) -> dict[str, Any]:
    file, layer, profile = SAMPLES[name]
    wrong = folder / f"{name}.csv"
    report, recorder = take(file, layer, profile, rejects=wrong, keep_rejects=True)
    return {
        "profile": report.profile,
        "counts": {"rows": report.rows, "accepted": report.accepted, "skipped": report.skipped},
        "warnings": dict(sorted(report.warnings.items())),
        "rejects": rejects(wrong),
        "records": [plain(r) for r in recorder.records],
    }


@pytest.mark.parametrize("name", SAMPLES)
def test_sample(name: str, tmp_path: Path) -> None:
    expected = json.loads((DATA / "expected" / f"{name}.json").read_text(encoding="utf-8"))
    found = json.loads(json.dumps(outcome(name, tmp_path), ensure_ascii=False))
    assert found == expected


@pytest.mark.parametrize("name", SAMPLES)
def test_every_row_is_accounted_for(name: str, tmp_path: Path) -> None:
    found = outcome(name, tmp_path)
    counts = found["counts"]
    assert counts["rows"] == counts["accepted"] + counts["skipped"] + len(found["rejects"])
    assert counts["accepted"] == len(found["records"])


def main() -> None:
    with tempfile.TemporaryDirectory() as folder:
        for name in SAMPLES:
            text = json.dumps(outcome(name, Path(folder)), ensure_ascii=False, indent=1)
            (DATA / "expected" / f"{name}.json").write_text(text + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()


def test_a_name_in_place_of_an_alias_is_not_written_out_whatever_else_is_wrong(tmp_path: Path) -> None:
    source = tmp_path / "reports.csv"
    source.write_text(
        "source_id,level,lon,lat,occurred_from,category,source_alias\n"
        "1,strict,900,4.4,2024-05-01,POC,Marie Example\n"
        "2,strict,900,4.4,2024-05-01,POC,HERON-12\n",
        encoding="utf-8",
    )
    report = pipeline.run(source, "incidents", None, "parallax", dry_run=True, who="tester")
    assert report.rejected.total() == 2
    written = (tmp_path / "reports.csv.rejects.csv").read_text(encoding="utf-8-sig")
    assert "Marie" not in written
    assert "HERON-12" in written


@pytest.mark.parametrize("spec", ["otherwise: direct_observation", "codes: {tortured detainee: direct_observation}"])
def test_what_was_obtained_by_torture_is_stopped_before_a_profile_translates_it(tmp_path: Path, spec: str) -> None:
    source = tmp_path / "reports.csv"
    source.write_text("id,lon,lat,day,how\n1,18.5,4.4,2024-05-01,tortured detainee\n", encoding="utf-8")
    profile = tmp_path / "own.yaml"
    profile.write_text(
        "profile: own\nsource_system: own\nsource: own\nlicence: own\ntables:\n- layer: incidents\n"
        "  recognise: [how]\n  source_id: id\n  place: {lon: lon, lat: lat}\n  time: {start: day}\n"
        "  set:\n    category: {constant: POC}\n    obtained_how: {column: how, labels: obtained_how, " + spec + "}\n"
        "  label:\n  - {level: strict}\n",
        encoding="utf-8",
    )
    report = pipeline.run(source, "incidents", None, str(profile), dry_run=True, who="tester")
    assert (report.accepted, report.rejected.total()) == (0, 1)
    assert "blocks intake" in str(report)
