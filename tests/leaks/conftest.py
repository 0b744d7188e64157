"""The world of the leak tests: the demo mission with canaries of every class, accounts, and all batches run."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import psycopg
import pytest
from psycopg import sql

from layers import release
from layers.policy import Policy
from layers.vault import Vault
from mapserver import accounts, desk
from mapserver.app import create_app
from tests.leaks import plants, routes
from tests.leaks.replay import Answer, Ask, replay
from tests.leaks.scene import Scene, set_scene
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
    with psycopg.connect(own.owner_dsn) as conn:
        # a third of the real records tells as much as all of them
        for table, rest in (("incidents", 3), ("facilities", 4), ("boundaries", 4)):
            conn.execute(f"DELETE FROM vault.{table} WHERE hashtext(source_id) % {rest} <> 0".encode())
        conn.execute("DELETE FROM vault.areas WHERE kind = 'admin3'")
        conn.execute("DELETE FROM vault.history")
    with Vault(own.desk_dsn) as vault:
        plants.plant(vault)
    with psycopg.connect(own.owner_dsn) as conn:
        # the demo's batches ran a moment ago: the planted records come with the same slots
        slots = conn.execute("SELECT audience, slot FROM vault.batches ORDER BY audience").fetchall()
    for audience, slot in slots:
        release.run_batch(own.publisher_dsn, policy, slot, audience)
    with psycopg.connect(own.owner_dsn, autocommit=True) as conn:
        conn.execute("VACUUM FULL ANALYZE")
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


@dataclass(frozen=True)
class Record:
    """The questions of one audience and the answers of the world as it is."""

    scene: Scene
    asks: list[Ask]
    answers: list[list[Answer]]


@pytest.fixture(scope="session")
def ask_world(tmp_path_factory: pytest.TempPathFactory) -> Callable[[Database, list[Ask]], list[list[Answer]]]:
    """Put questions to the reader and the desk over a world."""

    def ask(world: Database, asks: list[Ask]) -> list[list[Answer]]:
        home = tmp_path_factory.mktemp("home")
        settings = world.settings(home)
        writing = world.settings(home, desk_dsn=world.desk_dsn)
        return replay({"reader": lambda: create_app(settings), "desk": lambda: desk.create_app(writing)}, asks)

    return ask


@pytest.fixture(scope="session")
def record(
    world: Database, policy: Policy, keys: Keys, ask_world: Callable[[Database, list[Ask]], list[list[Answer]]]
) -> Callable[[str], Record]:
    """What the world as it is answers to an audience; asked once a session."""
    kept: dict[str, Record] = {}

    def of(audience: str) -> Record:
        if audience not in kept:
            scene = set_scene(world, policy, audience)
            asks = routes.questions(scene, keys.readers[audience], keys.editor)
            kept[audience] = Record(scene, asks, ask_world(world, asks))
        return kept[audience]

    return of
