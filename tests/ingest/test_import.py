"""Imports into a real vault: once, again, changed, deleted, mended, interrupted."""

from __future__ import annotations

import csv
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psycopg
import pytest

from ingest import pipeline
from ingest.errors import IngestError
from layers.vault import Provenance, Vault, VaultError
from tests.ingest.recorder import DATA, TODAY, rejects, take
from tests.world import Database

HEADER = "source_id,level,name,kind,lon,lat"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder of its own: rejects are written beside the file."""
    return tmp_path


@pytest.fixture(scope="module")
def inside(database: Database) -> Iterator[psycopg.Connection[Any]]:
    with psycopg.connect(database.owner_dsn, autocommit=True) as connection:
        yield connection


def put(folder: Path, *lines: str, header: str = HEADER, name: str = "list.csv") -> Path:
    path = folder / name
    path.write_text("\n".join([header, *lines]) + "\n", encoding="utf-8")
    return path


def run(path: Path, vault: Vault, layer: str = "facilities", **options: Any) -> pipeline.Report:
    return pipeline.run(path, layer, vault, who="tester", today=TODAY, **options)


def names(inside: psycopg.Connection[Any]) -> dict[str, str]:
    rows = inside.execute("SELECT source_id, name FROM vault.facilities WHERE source_system = 'parallax'").fetchall()
    return dict(rows)


def test_the_life_of_a_list(folder: Path, vault: Vault, inside: psycopg.Connection[Any]) -> None:
    path = put(folder, "a,public,Obo,clinic,26.49,5.39", "b,public,Zemio,clinic,25.13,5.03", "c,public,Bria,clinic,,")
    first = run(path, vault)
    assert first.result is not None
    assert (first.result.inserted, first.result.updated) == (2, 0)
    assert dict(first.rejected) == {"lon: no place": 1}
    assert first.rejects == path.with_name("list.csv.rejects.csv")
    assert "2 new, 0 changed, 0 unchanged, 0 deleted" in str(first)

    again = run(path, vault)
    assert again.nothing_changed
    assert "Nothing changed: all 2 records were there already" in str(again)

    put(folder, "a,public,Obo town,clinic,26.49,5.39", "b,public,Zemio,clinic,25.13,5.03")
    changed = run(path, vault)
    assert changed.result is not None
    assert (changed.result.inserted, changed.result.updated, changed.result.unchanged) == (0, 1, 1)
    assert changed.rejects is None

    gone = put(folder, "b", header="a list of ids", name="gone.txt")
    deleted = run(path, vault, deletions=gone)
    assert deleted.result is not None
    assert deleted.result.deleted == 1
    assert names(inside) == {"a": "Obo town"}


def test_a_mended_rejects_file_is_imported_as_it_is(
    folder: Path, vault: Vault, inside: psycopg.Connection[Any]
) -> None:
    path = put(folder, 'm,public,"Bakouma, ""the hill""\nline two",clinic,,', "n,public,Ippy,shop,21.22,6.26")
    wrong = run(path, vault).rejects
    assert wrong is not None
    assert [r[:3] for r in rejects(wrong)] == [["2", "lon", "no place"], ["4", "kind", "no code 'shop'"]]
    with wrong.open(encoding="utf-8-sig", newline="") as file:
        rows = list(csv.DictReader(file))
    rows[0].update(lon="22.77", lat="5.69")
    rows[1]["kind"] = "clinic"
    with wrong.open("w", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(file, list(rows[0]))
        writer.writeheader()
        writer.writerows(rows)
    mended = run(wrong, vault)
    assert (mended.accepted, mended.rejected.total()) == (2, 0)
    assert names(inside)["m"] == 'Bakouma, "the hill"\nline two'


def test_rejected_geometry_comes_back_as_wkt(folder: Path) -> None:
    wrong = folder / "wrong.csv"
    take("broken/polygon_as_point.geojson", "facilities", rejects=wrong, keep_rejects=True)
    with wrong.open(encoding="utf-8-sig", newline="") as file:
        rows = list(csv.DictReader(file))
    assert rows[0]["wkt"] == "POLYGON ((20 5, 21 5, 21 6, 20 5))"
    rows[0]["wkt"] = "POINT (20.5 5.5)"
    with wrong.open("w", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(file, list(rows[0]))
        writer.writeheader()
        writer.writerow(rows[0])
    report, recorder = take(wrong, "facilities")
    assert report.accepted == 1
    assert recorder.records[0]["source_id"] == "p1"


def test_a_name_in_place_of_an_alias_is_not_written_out_again(folder: Path) -> None:
    wrong = folder / "wrong.csv"
    report, recorder = take("broken/incidents.csv", "incidents", rejects=wrong, keep_rejects=True)
    assert "Dupont" not in wrong.read_text(encoding="utf-8-sig")
    assert "Dupont" not in str(report)
    assert "Dupont" not in str(recorder.records)


def test_the_vault_itself_refuses_a_name(folder: Path, vault: Vault) -> None:
    record = {
        "source_id": "x",
        "level": "strict",
        "category": "POC",
        "occurred_from": "2024-01-01",
        "occurred_to": "2024-01-02",
        "source_alias": "Jean",
    }
    facts = Provenance(file="f", sha256="0", profile="p", who="w")
    with pytest.raises(VaultError, match="source_alias"):
        vault.write("incidents", "test", [record], facts)


def test_an_interrupted_import_leaves_nothing(folder: Path, vault: Vault, inside: psycopg.Connection[Any]) -> None:
    path = put(folder, *(f"i{n},public,Place {n},clinic,20,6" for n in range(1000)))

    def stop(rows: int, fraction: float | None) -> None:
        if rows >= 600:
            raise KeyboardInterrupt

    before = names(inside)
    with pytest.raises(KeyboardInterrupt):
        run(path, vault, progress=stop)
    assert names(inside) == before
    finished = run(path, vault)
    assert finished.result is not None
    assert finished.result.inserted == 1000


def test_a_dry_run_writes_no_record(folder: Path, vault: Vault, inside: psycopg.Connection[Any]) -> None:
    before = names(inside)
    report = run(put(folder, "dry,public,Obo,clinic,26.49,5.39"), vault, dry_run=True)
    assert report.result is None
    assert "Dry run: nothing was written" in str(report)
    assert names(inside) == before


def test_provenance_stays_with_the_record(folder: Path, vault: Vault, inside: psycopg.Connection[Any]) -> None:
    path = put(folder, "prov,public,Obo,clinic,26.49,5.39")
    run(path, vault)
    row = inside.execute(
        "SELECT i.file, i.sha256, i.profile, i.who FROM vault.facilities f JOIN vault.imports i ON i.id = f.import_id"
        " WHERE f.source_id = 'prov'"
    ).fetchone()
    assert row is not None
    assert row[0] == "list.csv"
    assert len(row[1]) == 64
    assert row[2:] == ("parallax", "tester")


def test_activities_of_ethiopia(vault: Vault, inside: psycopg.Connection[Any]) -> None:
    path = DATA / "ocha_3w_ethiopia_2025-08.csv"
    report = run(path, vault, "sites", keep_rejects=False)
    assert (report.rows, report.accepted) == (7324, 3122)
    assert dict(report.rejected) == {"Long: no place": 4202}
    assert report.precisions == {"admin3": 3122}
    assert run(path, vault, "sites", keep_rejects=False).nothing_changed
    row = inside.execute(
        "SELECT count(*), count(DISTINCT partner_id), count(p.id) FROM vault.sites s"
        " LEFT JOIN vault.partners p ON p.id = s.partner_id WHERE s.source_system = 'ocha-3w'"
    ).fetchone()
    assert row is not None
    assert row[0] == row[2] == 3122
    assert row[1] > 100


def test_partners_keep_what_is_known_of_them(folder: Path, vault: Vault, inside: psycopg.Connection[Any]) -> None:
    vault.write_rows("partners", [{"id": "p-1", "name": "Partner", "type": "ingo", "code": "au"}], ("id",))
    header = "source_id,level,title,sector,partner_id,partner,lon,lat"
    run(put(folder, "s1,unclassified,Well,WSH,p-1,Partner,20,6", header=header), vault, "sites")
    row = inside.execute("SELECT code FROM vault.partners WHERE id = 'p-1'").fetchone()
    assert row == ("au",)


def test_progress_ends_with_the_whole_file(folder: Path) -> None:
    calls: list[tuple[int, float | None]] = []
    path = put(folder, *(f"i{n},public,Place {n},clinic,20,6" for n in range(450)))
    take(path, "facilities", progress=lambda rows, fraction: calls.append((rows, fraction)))
    assert [rows for rows, _ in calls] == [200, 400, 450]
    assert calls[-1][1] == 1.0


def test_an_unknown_layer_names_the_known_ones(folder: Path) -> None:
    with pytest.raises(IngestError, match="no layer 'roads'; there are areas"):
        pipeline.run(put(folder, "a"), "roads")


def test_rejects_that_cannot_be_written_stop_the_import(folder: Path, vault: Vault) -> None:
    path = put(folder, "z,public,Obo,clinic,,")
    with pytest.raises(IngestError, match="name another place for the rejects file"):
        run(path, vault, rejects=folder / "missing" / "rejects.csv")
