"""Profiles: a closed vocabulary, found by the columns of the file, refused with a reason."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml

from ingest import profile
from ingest.errors import IngestError, Reject
from ingest.values import Columns, bind, spec
from layers.registry import all_layers
from tests.ingest.recorder import take

GOOD: dict[str, Any] = {
    "profile": "towns",
    "source_system": "towns",
    "tables": [
        {
            "layer": "settlements",
            "recognise": ["town", "people"],
            "source_id": "town",
            "place": {"lon": "x", "lat": "y"},
            "set": {
                "name": "town",
                "kind": {"column": "people", "bands": {0: "village", 5000: "town"}},
                "rank": {"constant": 3},
                "population": "people",
            },
            "label": [{"level": "public"}],
        }
    ],
}


def written(folder: Path, change: dict[str, Any] | None = None, **table: Any) -> str:
    data = {**GOOD, **(change or {}), "tables": [{**GOOD["tables"][0], **table}]}
    path = folder / "towns.yaml"
    path.write_text(yaml.safe_dump(data))
    return str(path)


@pytest.fixture
def towns(tmp_path: Path) -> Path:
    path = tmp_path / "towns.csv"
    path.write_text("town,people,x,y\nObo,14402,26.49,5.39\nZemio,400,25.13,5.03\n")
    return path


def test_a_profile_of_ones_own(towns: Path, tmp_path: Path) -> None:
    report, recorder = take(towns, "settlements", written(tmp_path))
    assert report.profile == "towns"
    assert recorder.source_system == "towns"
    assert [(r["name"], r["kind"], r["population"]) for r in recorder.records] == [
        ("Obo", "town", 14402),
        ("Zemio", "village", 400),
    ]


@pytest.mark.parametrize(
    ("change", "table", "message"),
    [
        ({"colour": "red"}, {}, "unknown key colour"),
        ({}, {"sett": {}}, r"tables\[0\]: unknown key sett"),
        ({}, {"set": {"name": {"column": "town", "regex": "x"}}}, r"set\.name: unknown key regex"),
        ({}, {"set": {"nome": "town"}}, "nome is no column of settlements"),
        ({}, {"set": {"version": {"constant": 2}}}, "version is no column of settlements that can be set"),
        ({}, {"set": {"kind": {"constant": "hamlet"}}}, "no code hamlet in settlement_kind"),
        ({}, {"set": {"kind": {"column": "a", "labels": "nonsense"}}}, "no code list 'nonsense'"),
        ({}, {"set": {"name": {"column": "a", "constant": "b"}}}, "exactly one of column"),
        ({}, {"place": {"lon": "x"}}, "lon and lat go together"),
        ({}, {"time": {"end": "x"}}, "start is missing"),
        ({}, {"label": [{"compartments": ["ops"]}]}, "level is missing"),
        ({}, {"label": [{"level": "public", "when": [{"column": "x"}]}]}, "a condition names a column and one of"),
        ({}, {"layer": "towns"}, "no layer 'towns'"),
    ],
)
def test_what_is_not_in_the_vocabulary_is_refused(
    tmp_path: Path, change: dict[str, Any], table: dict[str, Any], message: str
) -> None:
    with pytest.raises(IngestError, match=message) as caught:
        profile.load(Path(written(tmp_path, change, **table)))
    assert str(caught.value).startswith("towns.yaml")


@pytest.mark.parametrize(
    ("label", "message"),
    [
        ([{"level": "secret"}], "no level 'secret'"),
        ([{"level": "public", "compartments": ["sales"]}], "no compartment 'sales'"),
        ([{"level": "public", "publish": ["everyone"]}], "no audience 'everyone'"),
        ([{"level": "public", "ground": "whim"}], "no ground 'whim'"),
    ],
)
def test_a_label_that_the_policy_does_not_know_stops_the_import(
    towns: Path, tmp_path: Path, label: list[dict[str, Any]], message: str
) -> None:
    with pytest.raises(IngestError, match=message):
        take(towns, "settlements", written(tmp_path, label=label))


def test_rules_are_tried_in_order_and_a_row_without_class_is_rejected(towns: Path, tmp_path: Path) -> None:
    label = [
        {"level": "confidential", "when": [{"column": "town", "mentions": ["zemio"]}]},
        {"level": "public", "when": [{"column": "people", "at_least": 20000}]},
    ]
    report, recorder = take(towns, "settlements", written(tmp_path, label=label))
    assert [(r["name"], r["level"]) for r in recorder.records] == [("Zemio", "confidential")]
    assert dict(report.rejected) == {"level: no rule of the profile gives it a class": 1}


def test_mentions_are_whole_words() -> None:
    from ingest.label import tests
    from ingest.profile import Condition

    holds = tests((Condition("side", mentions=("un",)),), Columns(("side",)))
    assert holds({"side": "UN forces"})
    assert not holds({"side": "UNITA"})


def test_the_wrong_profile_says_what_the_file_lacks(towns: Path) -> None:
    with pytest.raises(IngestError, match="profile geonames does not fit: the file lacks geonameid"):
        take(towns, "settlements", "geonames")
    with pytest.raises(IngestError, match="profile ucdp-ged is for incidents, not for settlements"):
        take(towns, "settlements", "ucdp-ged")
    with pytest.raises(IngestError, match="no profile 'nothing'; there are acled"):
        take(towns, "settlements", "nothing")


def test_two_profiles_that_fit_are_named(tmp_path: Path) -> None:
    path = tmp_path / "both.csv"
    columns = [
        "osm_id",
        "amenity",
        "healthcare",
        "operator_type",
        "ident",
        "type",
        "latitude_deg",
        "longitude_deg",
        "elevation_ft",
    ]
    path.write_text(",".join(columns) + "\n" + ",".join("1" for _ in columns) + "\n")
    with pytest.raises(
        IngestError, match=r"several profiles fit \(healthsites, ourairports\); name one with --profile"
    ):
        take(path, "facilities")


@pytest.mark.parametrize("name", sorted(profile.shipped()))
def test_shipped_profiles_are_complete(name: str) -> None:
    one = profile.shipped()[name]
    assert one.source
    assert one.licence
    for table in one.tables:
        assert not table.label[-1].when, "the last rule takes all rows"
        columns = all_layers()[table.layer].model.__table__.columns
        for field in columns:
            if field.name in table.set:
                assert table.set[field.name].names or table.set[field.name].outcomes


@pytest.mark.parametrize(
    ("data", "cells", "value"),
    [
        ("a", {"a": " x "}, "x"),
        ({"column": ["b", "a"]}, {"a": "x"}, "x"),
        (["b", "a"], {"a": "x", "b": "n/a"}, "x"),
        ({"columns": ["a", "b"], "separator": ", "}, {"a": "x", "b": ""}, "x"),
        ({"column": "a", "codes": {1: "one", "two*": "pair"}}, {"a": 1.0}, "one"),
        ({"column": "a", "codes": {1: "one", "two*": "pair"}}, {"a": "Two apples"}, "pair"),
        ({"column": "a", "codes": {}, "otherwise": None}, {"a": "x"}, None),
        ({"column": "a", "labels": "sector"}, {"a": "santé"}, "HEA"),
        ({"column": "a", "bands": {0: "low", 10: "high"}}, {"a": "1,234"}, "high"),
        ({"column": "a", "scale": 0.3048}, {"a": "1000"}, 304.8),
        ({"column": "a", "split": ";"}, {"a": "x; y;"}, ["x", "y"]),
        ({"column": "a", "filled": True}, {"a": ""}, False),
        ({"column": "a", "prefix": "NE-"}, {"a": "CAF"}, "NE-CAF"),
        ({"column": "a", "empty": ["-99"]}, {"a": "-99"}, None),
        ({"constant": 3}, {}, 3),
    ],
)
def test_values(data: Any, cells: dict[str, Any], value: Any) -> None:
    assert bind(spec(data, "here"), Columns(tuple(cells)))(cells) == value


def test_an_unknown_code_names_the_column() -> None:
    read = bind(spec({"column": "Kind", "codes": {"a": "b"}}, "here"), Columns(("kind",)))
    with pytest.raises(Reject, match="kind: unknown value 'c'"):
        read({"kind": "c"})
