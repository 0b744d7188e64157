"""The world of the leak tests: the demo mission with canaries of every class, accounts, and all batches run."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import psycopg
import pytest
from psycopg import sql

from layers import release
from layers.policy import Policy
from layers.vault import Vault
from mapserver import accounts
from tests.leaks import plants
from tests.world import Database, Server

PASSWORD = "seventeen quiet rivers"


@dataclass(frozen=True)
class Keys:
    """Bearer tokens: by audience, and of an editor who holds `unclassified` alone."""

    readers: dict[str, str]
    editor: str


@pytest.fixture(scope="session")
def planted(demo_template: Database, clone: Callable[[str], Database], policy: Policy) -> Database:
    """A template: never connected to once it is filled."""
    own = clone(demo_template.name)
    with Vault(own.desk_dsn) as vault:
        plants.plant(vault)
    with psycopg.connect(own.owner_dsn) as conn:
        # the demo's batches ran a moment ago: the planted records come with the same slots
        slots = conn.execute("SELECT audience, slot FROM vault.batches ORDER BY audience").fetchall()
    for audience, slot in slots:
        release.run_batch(own.publisher_dsn, policy, slot, audience)
    return own


@pytest.fixture(scope="session")
def keys(planted: Database, policy: Policy) -> Keys:
    """Accounts in the planted world, so that every copy of it knows the same tokens."""
    accounts.add(planted.auth_dsn, "reader", PASSWORD, list(policy.audiences))
    accounts.add(planted.auth_dsn, "editor", PASSWORD, ["unclassified"], editor=True)
    readers = {a: accounts.issue_token(planted.auth_dsn, "reader", a, 1) for a in policy.audiences}
    return Keys(readers, accounts.issue_token(planted.auth_dsn, "editor", "unclassified", 1))


@pytest.fixture(scope="session")
def grow(planted: Database, keys: Keys, clone: Callable[[str], Database]) -> Callable[[], Database]:
    """A copy of the planted world; the caller drops it."""
    return lambda: clone(planted.name)


@pytest.fixture(scope="session")
def drop(cluster: Server) -> Callable[[Database], None]:
    def away(world: Database) -> None:
        cluster.execute(sql.SQL("DROP DATABASE IF EXISTS {} WITH (FORCE)").format(sql.Identifier(world.name)))

    return away


@pytest.fixture(scope="session")
def world(grow: Callable[[], Database], drop: Callable[[Database], None]) -> Iterator[Database]:
    """The planted world as it is. Shared: read it, do not change it."""
    own = grow()
    yield own
    drop(own)


@pytest.fixture(scope="session")
def today() -> dt.datetime:
    return dt.datetime.now(dt.UTC)
