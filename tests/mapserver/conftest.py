"""A running reader over a small world: incidents and sites of several classes, bases, boundaries, an area, accounts."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Iterator
from typing import Any

import httpx
import psycopg
import pytest
import shapely

from layers.policy import Policy
from layers.vault import Provenance, Vault
from mapserver import accounts
from tests.world import Database, Reader

PASSWORD = "a long enough word"
HEADERS = {"X-Parallax": "1"}
FACTS = Provenance("test.geojson", "0" * 64, "test", "tester")
BANGUI = (18.5582, 4.3612)

ACCOUNTS = {
    "officer": ("unclassified", "confidential"),
    "analyst": ("confidential", "strict", "strict_ops"),
    "visitor": (),
}


def point(lon: float, lat: float) -> bytes:
    return bytes(shapely.to_wkb(shapely.Point(lon, lat)))


def incident(number: int, level: str, lon: float, lat: float, **more: Any) -> dict[str, Any]:
    start = dt.datetime(2020, 1, 1, tzinfo=dt.UTC) + dt.timedelta(days=number)
    return {
        "source_id": f"i{number:03}",
        "level": level,
        "geom": point(lon, lat),
        "occurred_from": start,
        "occurred_to": start + dt.timedelta(days=1),
        "reported_at": start,
        "category": ("POC", "ARC", "CRI")[number % 3],
        "place_name": f"Place {number}",
        "killed_best": number % 5,
        **more,
    }


def incidents() -> list[dict[str, Any]]:
    found = [
        incident(n, "unclassified", BANGUI[0] + n * 0.05, BANGUI[1] + n * 0.03, publish=["public"]) for n in range(12)
    ]
    # two on one point
    found.append(incident(12, "unclassified", *BANGUI))
    found += [incident(n, "confidential", 20.0 + n * 0.01, 6.0) for n in range(20, 26)]
    found += [
        incident(n, "strict", 22.5, 7.5, compartments=["ops"], place_name="Canary of operations") for n in range(30, 33)
    ]
    return found


def sites() -> list[dict[str, Any]]:
    return [
        {
            "source_id": f"s{n}",
            "level": "unclassified",
            "geom": point(18.6 + n * 0.1, 4.4),
            "title": f"Water point {n}",
            "sector": "WSH",
            "starts_on": dt.date(2021, 1, 1),
            "ends_on": dt.date(2021, 12, 31),
            "cost": 1000 + n / 4,
            "currency": "USD",
            "partner": "A partner",
            "beneficiaries": 300 * n,
            "simulated": True,
        }
        for n in range(4)
    ]


def fill(database: Database) -> None:
    """Write the small world and its accounts."""
    land = shapely.box(14.0, 2.0, 28.0, 11.5)
    line = shapely.LineString([(15, 4), (18, 4.2), (22, 4.1)])
    with Vault(database.desk_dsn) as vault:
        vault.write("incidents", "test", incidents(), FACTS)
        vault.write("sites", "test", sites(), FACTS)
        bases = [{"source_id": "b1", "level": "unclassified", "geom": point(18.5, 4.4), "name": "Base Alpha"}]
        vault.write("bases", "test", bases, FACTS)
        public = {"level": "public", "publish": ["public"]}
        areas = [
            {"source_id": "a1", **public, "geom": shapely.to_wkb(land), "code": "XLAND", "name": "Land", "kind": "land"}
        ]
        vault.write("areas", "test", areas, FACTS)
        lines = [{"source_id": "l1", **public, "geom": shapely.to_wkb(line), "kind": "undetermined", "name": "A line"}]
        vault.write("boundaries", "test", lines, FACTS)
        towns = [
            {"source_id": "t1", **public, "geom": point(*BANGUI), "name": "Bangui", "kind": "capital", "rank": 1},
            {"source_id": "t2", **public, "geom": point(21.2, 6.5), "name": "Bria", "kind": "town", "rank": 3},
        ]
        vault.write("settlements", "test", towns, FACTS)
    for name, audiences in ACCOUNTS.items():
        accounts.add(database.auth_dsn, name, PASSWORD, audiences)


@pytest.fixture(scope="module")
def served(database: Database, server: Callable[..., Reader], policy: Policy) -> Reader:
    """The reader over the small world, with nothing kept in memory for longer than a request."""
    from layers import release

    fill(database)
    for _ in release.run_due(database.publisher_dsn, policy, dt.datetime.now(dt.UTC)):
        pass
    return server(database, version_poll=0)


@pytest.fixture
def client(served: Reader) -> Iterator[httpx.Client]:
    """Nobody: a client without session."""
    with httpx.Client(base_url=served.url) as opened:
        yield opened


@pytest.fixture
def sign_in(served: Reader, database: Database) -> Iterator[Callable[[str], httpx.Client]]:
    """`sign_in(name)`: a client with a session of that account."""
    opened: list[httpx.Client] = []

    def start(name: str) -> httpx.Client:
        one = httpx.Client(base_url=served.url)
        opened.append(one)
        answer = one.post("/api/session", json={"name": name, "password": PASSWORD}, headers=HEADERS)
        assert answer.status_code == 200, answer.text
        return one

    yield start
    for one in opened:
        one.close()
    with psycopg.connect(database.auth_dsn) as connection:
        connection.execute("DELETE FROM auth.attempts")
