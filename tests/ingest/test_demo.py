"""The demo mission in a real vault: complete, the same each time, marked where it is simulated."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import psycopg
import pytest

from ingest import demo
from ingest.demo.load import FILES
from layers.vault import Vault
from tests.world import Database


@pytest.fixture(scope="module")
def loaded(demo_database: Database) -> Iterator[psycopg.Connection[Any]]:
    with psycopg.connect(demo_database.owner_dsn, autocommit=True) as connection:
        yield connection


def one(connection: psycopg.Connection[Any], query: str) -> int:
    row = connection.execute(query).fetchone()
    assert row is not None
    return int(row[0])


@pytest.mark.parametrize(
    ("query", "number"),
    [
        ("SELECT count(*) FROM vault.incidents", 1848),
        ("SELECT count(*) FROM vault.areas WHERE kind = 'admin2'", 72),
        ("SELECT count(*) FROM vault.areas WHERE kind = 'sector' AND simulated", 4),
        ("SELECT count(*) FROM vault.bases", 28),
        ("SELECT count(*) FROM vault.sites WHERE simulated", 160),
        ("SELECT count(*) FROM vault.sites WHERE NOT simulated", 0),
        ("SELECT count(*) FROM vault.partners WHERE code = 'au'", 1),
        ("SELECT count(*) FROM vault.facilities", 1015),
    ],
)
def test_all_is_there(loaded: psycopg.Connection[Any], query: str, number: int) -> None:
    assert one(loaded, query) == number


def test_a_second_load_changes_nothing(demo_copy: Database) -> None:
    with Vault(demo_copy.desk_dsn) as vault:
        reports = demo.load(vault)
    assert len(reports) == len(FILES)
    assert all(r.nothing_changed for r in reports)
