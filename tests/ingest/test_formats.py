"""Decoders: the same table in any format gives the same records; a file that is not what it says is refused."""

from __future__ import annotations

import shutil
import zipfile
from pathlib import Path

import pytest

from ingest.errors import IngestError
from ingest.formats import decode
from ingest.header import find_header, is_tag_row, normal_tag, tag_matches
from tests.ingest.recorder import DATA, plain, take

SAME = [
    "villages.geojson",
    "villages.gpkg",
    "villages.kml",
    "villages_utm34n.zip",
    "villages_utm34n.parquet",
    "villages.csv",
    "villages_blank_rows.xlsx",
]


@pytest.mark.parametrize("file", SAME)
def test_every_format_gives_the_same_records(file: str) -> None:
    expected = [
        ("v1", "Ndélé", "health_post", "POINT (20.64728 8.41091)"),
        ("v2", "Obo", "hospital", "POINT (26.49211 5.39586)"),
        ("v3", "Bégoua", "clinic", "POINT (18.53310 4.45260)"),
        ("v4", "Birao", "health_centre", "POINT (22.78818 10.28488)"),
        ("v5", "Mbaïki", "pharmacy", "POINT (17.98765 3.86904)"),
    ]
    _, recorder = take(f"vector/{file}", "facilities")
    records = map(plain, recorder.records)
    assert [(r["source_id"], r["name"], r["kind"], r["geom"]) for r in records] == expected


def test_a_shapefile_without_its_zip(tmp_path: Path) -> None:
    with zipfile.ZipFile(DATA / "vector" / "villages_utm34n.zip") as archive:
        archive.extractall(tmp_path)
    report, _ = take(tmp_path / "villages.shp", "facilities")
    assert report.accepted == 5
    (tmp_path / "villages.dbf").unlink()
    with pytest.raises(IngestError, match=r"\.shx or \.dbf beside it is missing"):
        take(tmp_path / "villages.shp", "facilities")


@pytest.mark.parametrize(
    ("file", "encoding", "word"),
    [
        ("hxl/input-valid.csv", "utf-8", "Panamá"),
        ("hxl/input-valid-latin1.csv", "cp1252", "Panamá"),
        ("ocha_3w_ethiopia_2025-08.csv", "utf-8-sig", "Metekel"),
        ("who_cp1252.csv", "cp1252", "Poste de santé"),
    ],
)
def test_encodings_are_found_out(file: str, encoding: str, word: str) -> None:
    with decode(DATA / file) as decoded:
        assert f"encoding {encoding}" in decoded.notes
        assert any(word in map(str, row.values.values()) for row in decoded.rows)


@pytest.mark.parametrize(
    ("encoding", "text"), [("utf-16", "Ndélé"), ("cp1256", "محلية أم دخن في وسط"), ("utf-8", "Ndélé")]
)
def test_other_encodings(tmp_path: Path, encoding: str, text: str) -> None:
    path = tmp_path / "places.csv"
    path.write_text(f"name,note\n{text},{text}\n{text},\n", encoding=encoding)
    with decode(path) as decoded:
        assert [row.values["name"] for row in decoded.rows] == [text, text]


@pytest.mark.parametrize("delimiter", [",", ";", "\t", "|"])
def test_delimiters_are_found_out(tmp_path: Path, delimiter: str) -> None:
    path = tmp_path / "places.csv"
    rows = (("id", "name"), ("1", '"a, b; c\nd|e"'), ("2", "plain"))
    path.write_text("\n".join(delimiter.join(cells) for cells in rows) + "\n")
    with decode(path) as decoded:
        found = [(row.number, dict(row.values)) for row in decoded.rows]
    assert found == [(2, {"id": "1", "name": "a, b; c\nd|e"}), (4, {"id": "2", "name": "plain"})]


def test_hashtags_name_columns() -> None:
    with decode(DATA / "hxl" / "input-valid.csv") as decoded:
        rows = list(decoded.rows)
    assert decoded.tags["Organización"] == "#org+es"
    assert decoded.tags["column 9"] == "#date+reported"
    assert [row.values["Registro"] for row in rows] == ["001", "002", "003", "004"]
    with decode(DATA / "hxl" / "input-valid.xlsx") as book:
        assert [row.values["Organización"] for row in book.rows] == [r.values["Organización"] for r in rows]


@pytest.mark.parametrize(
    ("file", "columns", "rows"),
    [
        ("input-multiline.csv", ("#description",), 1),
        ("input-multiple-headers.csv", ("Org", "No hashtag", "Province", "Number affected"), 2),
        ("input-untagged.csv", ("Registro", "Sector/Cluster", "Subsector", "Organización"), 4),
        ("input-invalid.csv", ("Registro", "Sector/Cluster", "Subsector", "Organización"), 5),
    ],
)
def test_odd_headers(file: str, columns: tuple[str, ...], rows: int) -> None:
    with decode(DATA / "hxl" / file) as decoded:
        assert decoded.columns[:4] == columns
        assert len(list(decoded.rows)) == rows


def test_tags_match_by_attributes() -> None:
    assert normal_tag(" #Affected + F +hh") == "#affected+f+hh"
    assert tag_matches("#affected+hh", "#affected+f+hh")
    assert not tag_matches("#affected+m", "#affected+f+hh")
    assert not is_tag_row(["#1", "Bangui", "Obo"])


def test_text_that_was_encoded_twice_is_mended() -> None:
    _, recorder = take("geopko_v2.0.csv", "bases")
    assert [r["name"] for r in recorder.records] == ["Kaga Bandoro", "Ndélé"]


def test_titles_above_the_header_are_passed_over() -> None:
    header = find_header([["Health facilities 2026"], [], ["id", "name", "", "name"], ["1", "Obo", "x", "y"]])
    assert header.columns == ("id", "name", "column 3", "name (2)")
    assert header.first_row == 3


@pytest.mark.parametrize(
    ("file", "message"),
    [
        ("broken/empty.csv", "the file is empty"),
        ("broken/header_only.csv", "no rows below the header"),
        ("broken/missing_columns.csv", "no profile for facilities knows these columns"),
        ("broken/binary.csv", "not a text file"),
        ("broken/truncated.geojson", "get the file again"),
        ("broken/virtual.geojson", r"not a \.geojson file by its content"),
        ("broken/not_a_zip.zip", "the archive is broken"),
        ("nothing.csv", "there is no such file"),
        ("expected/ged.json", "get the file again|no layer with geometry"),
    ],
)
def test_what_cannot_be_read_is_refused_in_one_line(file: str, message: str) -> None:
    with pytest.raises(IngestError, match=message) as caught:
        take(file, "facilities")
    assert "\n" not in str(caught.value)
    assert Path(file).name in str(caught.value)


@pytest.mark.parametrize(
    ("name", "source"), [("book.xlsx", "ged.csv"), ("table.parquet", "ged.csv"), ("a.kml", "ged.csv")]
)
def test_a_wrong_suffix_is_refused(tmp_path: Path, name: str, source: str) -> None:
    shutil.copyfile(DATA / source, tmp_path / name)
    with pytest.raises(IngestError, match=name):
        take(tmp_path / name, "incidents")


def test_an_unknown_format_names_the_known_ones(tmp_path: Path) -> None:
    (tmp_path / "plan.docx").write_bytes(b"PK")
    with pytest.raises(IngestError, match=r"format \.docx is not read; convert it to one of \.csv"):
        take(tmp_path / "plan.docx", "sites")
