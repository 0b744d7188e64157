"""Writing to the vault: whole or not at all, the same again changes nothing, and a refusal says what to mend."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator
from typing import Any

import psycopg
import pytest
import shapely
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from psycopg.rows import dict_row

from layers.vault import Provenance, Vault, VaultError
from tests.world import Database

FACTS = Provenance("list.csv", "a" * 64, "profile", "editor", "CC BY", "somewhere")
BRIA = (21.9864, 6.5425)


def base(source_id: str, **more: Any) -> dict[str, Any]:
    point = shapely.to_wkb(shapely.Point(*BRIA))
    name = f"Base {source_id}"
    return {"source_id": source_id, "level": "unclassified", "geom": point, "name": name, "troops": 40, **more}


@pytest.fixture
def owner(database: Database) -> Iterator[psycopg.Connection[dict[str, Any]]]:
    with psycopg.connect(database.owner_dsn, autocommit=True, row_factory=dict_row) as conn:
        yield conn


@pytest.fixture(autouse=True)
def empty(owner: psycopg.Connection[dict[str, Any]]) -> None:
    owner.execute("DELETE FROM vault.bases")
    owner.execute("DELETE FROM vault.history")


def stored(owner: psycopg.Connection[dict[str, Any]]) -> list[dict[str, Any]]:
    return owner.execute("SELECT *, ST_AsText(geom) AS place FROM vault.bases ORDER BY source_id").fetchall()


def test_a_second_import_changes_nothing_and_says_so(vault: Vault, owner: psycopg.Connection[dict[str, Any]]) -> None:
    first = vault.write("bases", "list", [base("a"), base("b")], FACTS)
    before = stored(owner)
    again = vault.write("bases", "list", [base("a"), base("b")], FACTS)
    assert (first.inserted, first.changed, again.unchanged, again.changed) == (2, True, 2, False)
    assert stored(owner) == before


def test_only_what_differs_is_written(vault: Vault, owner: psycopg.Connection[dict[str, Any]]) -> None:
    vault.write("bases", "list", [base("a"), base("b"), base("c")], FACTS)
    result = vault.write("bases", "list", [base("a"), base("b", troops=41), base("d")], FACTS, deletions=["c", "never"])
    assert (result.inserted, result.updated, result.unchanged, result.deleted) == (1, 1, 1, 1)
    found = {row["source_id"]: row for row in stored(owner)}
    assert sorted(found) == ["a", "b", "d"]
    assert found["b"]["version"] == 2
    assert found["b"]["updated_at"] > found["a"]["updated_at"]
    # a value that is left out is empty again
    vault.write("bases", "list", [{k: v for k, v in base("a").items() if k != "troops"}], FACTS)
    assert stored(owner)[0]["troops"] is None


def test_the_same_id_of_two_sources_is_two_records(vault: Vault, owner: psycopg.Connection[dict[str, Any]]) -> None:
    vault.write("bases", "list", [base("a")], FACTS)
    vault.write("bases", "other", [base("a")], FACTS)
    vault.write("bases", "other", [], FACTS, deletions=["a"])
    assert [row["source_system"] for row in stored(owner)] == ["list"]


def test_where_a_record_came_from_stays_with_it(vault: Vault, owner: psycopg.Connection[dict[str, Any]]) -> None:
    result = vault.write("bases", "list", [base("a")], FACTS)
    (row,) = stored(owner)
    assert (row["import_id"], row["updated_by"]) == (result.import_id, "editor")
    found = owner.execute("SELECT * FROM vault.imports WHERE id = %s", (result.import_id,)).fetchone()
    assert found is not None
    assert {
        "layer": "bases",
        "file": "list.csv",
        "sha256": "a" * 64,
        "licence": "CC BY",
        "inserted": 1,
    }.items() <= found.items()


def test_earlier_states_are_kept(vault: Vault, owner: psycopg.Connection[dict[str, Any]]) -> None:
    vault.write("bases", "list", [base("a")], FACTS)
    vault.write("bases", "list", [base("a", name="Another name")], FACTS)
    vault.write("bases", "list", [], FACTS, deletions=["a"])
    kept = owner.execute("SELECT state->>'name' AS name, deleted FROM vault.history ORDER BY seq").fetchall()
    assert kept == [{"name": "Base a", "deleted": False}, {"name": "Another name", "deleted": True}]


def test_a_point_gets_its_administrative_areas(vault: Vault, owner: psycopg.Connection[dict[str, Any]]) -> None:
    outside = shapely.to_wkb(shapely.Point(0.0, 0.0))
    vault.write("bases", "list", [base("a"), base("far", geom=outside), base("none", geom=None)], FACTS)
    found = {row["source_id"]: (row["admin1"], row["admin2"], row["admin3"]) for row in stored(owner)}
    assert all(found["a"])
    assert found["a"][2].startswith(found["a"][1])
    assert found["far"] == found["none"] == (None, None, None)


REFUSALS: dict[str, tuple[list[dict[str, Any]], str]] = {
    "a class that does not exist": ([base("a", level="secret")], "bases_level"),
    "no class": ([{k: v for k, v in base("a").items() if k != "level"}], "level is empty"),
    "a needed field missing": ([{k: v for k, v in base("a").items() if k != "name"}], "name is empty"),
    "the same id twice": ([base("a"), base("a")], "a source id of its own"),
    "a number that is none": ([base("a", troops="many")], "troops"),
    "a number below nothing": ([base("a", troops=-1)], "check"),
    "an unknown column": ([base("a", color="red")], "color, which is no column"),
    "a column of the server": ([base("a", version=9)], "version, which is no column"),
    "no geometry": ([base("a", geom=b"\x01\x02")], "record 1"),
}


@pytest.mark.parametrize("case", REFUSALS)
def test_a_refused_record_leaves_nothing_behind(
    case: str, vault: Vault, owner: psycopg.Connection[dict[str, Any]]
) -> None:
    """Not the good records before it, no deletion, no line in the list of imports; and the next write works."""
    vault.write("bases", "list", [base("kept")], FACTS)
    before = stored(owner), owner.execute("SELECT count(*) FROM vault.imports").fetchall()
    records, words = REFUSALS[case]
    with pytest.raises(VaultError) as refused:
        vault.write("bases", "list", [base("good"), *records], FACTS, deletions=["kept"])
    assert words.split()[0] in str(refused.value)
    assert "\n" not in str(refused.value).strip()
    assert (stored(owner), owner.execute("SELECT count(*) FROM vault.imports").fetchall()) == before
    assert vault.write("bases", "list", [base("next")], FACTS).inserted == 1


def test_an_error_of_the_source_rolls_back(vault: Vault, owner: psycopg.Connection[dict[str, Any]]) -> None:
    def records() -> Iterator[dict[str, Any]]:
        yield base("a")
        raise RuntimeError("the file ends in the middle")

    with pytest.raises(RuntimeError, match="middle"):
        vault.write("bases", "list", records(), FACTS)
    assert stored(owner) == []
    assert vault.write("bases", "list", [base("a")], FACTS).inserted == 1


def test_progress_is_told(vault: Vault) -> None:
    told: list[int] = []
    vault.write("bases", "list", (base(str(n)) for n in range(12)), FACTS, progress=told.append)
    assert told[-1] == 12


def test_rows_of_partners_and_consents(vault: Vault, owner: psycopg.Connection[dict[str, Any]]) -> None:
    row = {"id": "p", "name": "A partner", "type": "nngo"}
    assert vault.write_rows("partners", [row], ("id",)).inserted == 1
    assert vault.write_rows("partners", [row], ("id",)).unchanged == 1
    assert vault.write_rows("partners", [{**row, "name": "Another"}], ("id",)).updated == 1
    with pytest.raises(VaultError, match="cannot be written like this"):
        vault.write_rows("release_keys", [{"family": "x"}], ("family",))
    consent = {"id": "c", "partner_id": "p", "scope": "everybody", "given_on": dt.date(2024, 1, 1)}
    with pytest.raises(VaultError, match="scope"):
        vault.write_rows("consents", [consent], ("id",))
    assert owner.execute("SELECT count(*) AS n FROM vault.consents").fetchone() == {"n": 0}


def test_labels_of_records(vault: Vault) -> None:
    vault.write("bases", "list", [base("a"), base("b", level="strict", compartments=["ops"])], FACTS)
    assert vault.labels("bases", "list", ["b", "a", "never"]) == [("a", "unclassified", []), ("b", "strict", ["ops"])]


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    name=st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"]), min_size=1),
    troops=st.none() | st.integers(0, 2**31 - 1),
    lon=st.floats(-179, 179),
    lat=st.floats(-80, 80),
)
def test_what_is_written_is_what_is_there(
    vault: Vault, owner: psycopg.Connection[dict[str, Any]], name: str, troops: int | None, lon: float, lat: float
) -> None:
    """Any text and any place, to the last bit; and again nothing changes."""
    record = base("a", name=name, troops=troops, geom=shapely.to_wkb(shapely.Point(lon, lat)))
    vault.write("bases", "list", [record], FACTS)
    found = owner.execute("SELECT name, troops, ST_X(geom) AS x, ST_Y(geom) AS y FROM vault.bases").fetchone()
    assert found == {"name": name, "troops": troops, "x": lon, "y": lat}
    assert vault.write("bases", "list", [record], FACTS).unchanged == 1
