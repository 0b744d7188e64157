"""The rules, read twice: what the SQL of the releases made of the demo equals what plain Python makes of the rules."""

from __future__ import annotations

import uuid

import psycopg
import pytest
from psycopg.rows import dict_row

from layers.derivation import fid
from layers.policy import Policy, load
from layers.relations import relation
from tests.leaks.oracle import PSEUDONYM, Facts, release, rows
from tests.world import Database

POLICY = load()


@pytest.fixture(scope="module")
def facts(world: Database, policy: Policy) -> Facts:
    with psycopg.connect(world.owner_dsn) as conn:
        return Facts.read(conn, policy)


@pytest.mark.parametrize("audience", POLICY.audiences)
def test_every_released_row_is_what_the_rules_say(world: Database, policy: Policy, facts: Facts, audience: str) -> None:
    with psycopg.connect(world.owner_dsn) as conn:
        for view in policy.released(audience).values():
            key = fid(view.audience.family, view.id, "v.id")
            ids: dict[uuid.UUID, int] = dict(
                conn.execute(f"SELECT v.id, {key} FROM vault.{view.layer.table} v".encode()).fetchall()
            )
            want = {
                ids[row["id"]]: made
                for row in rows(conn, view.layer.table)
                if (made := release(view, row, facts)) is not None
            }
            assert want, f"{audience} gets no {view.id}: the world is too small to tell"
            names = list(next(iter(want.values())))
            listed = ", ".join("ST_AsBinary(geom) AS geom" if n == "geom" else f'"{n}"' for n in names)
            with conn.cursor(row_factory=dict_row) as cursor:
                have = {
                    row.pop("fid"): row
                    for row in cursor.execute(f"SELECT fid, {listed} FROM {relation(view)}".encode())
                }
            assert sorted(have) == sorted(want)
            linked: dict[object, object] = {}
            for number, row in want.items():
                for name, value in row.items():
                    if isinstance(value, tuple) and value[0] == PSEUDONYM:
                        # the same value has the same pseudonym, and it is not the value
                        assert linked.setdefault(value, have[number][name]) == have[number][name]
                        assert value[1] not in str(have[number][name])
                    else:
                        have_value = have[number][name]
                        assert have_value == value, f"{audience} {view.id} {number} {name}"
