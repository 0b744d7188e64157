"""Rules come into force with the database: not to a finer cell by accident, and nobody stays who left."""

from __future__ import annotations

import copy
from pathlib import Path
from typing import Any

import psycopg
import pytest
import yaml

from layers import database as databases
from layers import policy as rules
from layers.policy import Policy, PolicyError
from tests.world import Database


def changed(tmp_path: Path, audience: str | None = None, place: dict[str, Any] | None = None, drop: str = "") -> Policy:
    data = copy.deepcopy(yaml.safe_load(rules.default_path().read_text(encoding="utf-8")))
    data["version"] = 2
    if audience:
        data["layers"]["incidents"]["coarse"][audience]["place"] = place
    if drop:
        data["audiences"] = [a for a in data["audiences"] if a["id"] != drop]
        for rule in data["layers"].values():
            rule.get("coarse", {}).pop(drop, None)
            for by in rule["own"].values():
                if isinstance(by, dict):
                    for verb in by.values():
                        if drop in verb:
                            verb.remove(drop)
    path = tmp_path / "rules.yaml"
    path.write_text(yaml.safe_dump(data, sort_keys=False), encoding="utf-8")
    return rules.load(path)


def in_force(database: Database) -> list[int]:
    with psycopg.connect(database.owner_dsn) as conn:
        return [version for (version,) in conn.execute("SELECT version FROM vault.rules ORDER BY seq")]


def test_finer_rules_do_not_come_into_force_by_accident(database: Database, tmp_path: Path) -> None:
    coarser = changed(tmp_path, "partner:au", {"admin": 1})
    databases.migrate(database.owner_dsn, coarser, {})
    finer = rules.load(rules.default_path())
    with pytest.raises(PolicyError, match="becomes finer"):
        databases.migrate(database.owner_dsn, finer, {})
    assert in_force(database) == [1, 2]
    databases.migrate(database.owner_dsn, finer, {}, allow_finer=True)
    assert in_force(database) == [1, 2, 1]


def test_an_audience_that_left_the_rules_has_no_release_and_no_login(database: Database, tmp_path: Path) -> None:
    databases.migrate(database.owner_dsn, rules.load(rules.default_path()), {}, allow_finer=True)
    databases.migrate(database.owner_dsn, changed(tmp_path, drop="partner:au"), {})
    try:
        with psycopg.connect(database.owner_dsn) as conn:
            assert conn.execute("SELECT FROM pg_namespace WHERE nspname = 'rel_partner_au'").fetchone() is None
            role = conn.execute("SELECT rolcanlogin FROM pg_roles WHERE rolname = 'parallax_rel_partner_au'").fetchone()
            assert role == (False,)
        with pytest.raises(psycopg.OperationalError, match="not permitted to log in"):
            psycopg.connect(database.reader_dsn["partner:au"])
    finally:
        # roles belong to the whole cluster, and other modules use this one
        databases.migrate(database.owner_dsn, rules.load(rules.default_path()), {}, allow_finer=True)
        with psycopg.connect(database.owner_dsn) as conn:
            conn.execute("ALTER ROLE parallax_rel_partner_au LOGIN")
