"""The harness bites: each of these faults, switched on in the code, must be found by it.

Every one is a way in which other servers have leaked: counts, extents and ids from the whole table, answers that differ
for what exists, unordered aggregates, caches shared between audiences, places and texts that a rule withholds.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import psycopg
import pytest
from psycopg.conninfo import conninfo_to_dict, make_conninfo
from psycopg.pq import TransactionStatus

from layers import derivation, door, place_sql, release, tile_sql
from layers.policy import Policy
from mapserver import app, cache, features
from mapserver import routes as declared
from mapserver.app import create_app
from mapserver.context import context
from mapserver.errors import Problem
from tests.leaks import routes, worlds
from tests.leaks.conftest import Keys
from tests.leaks.replay import Answer, Ask, differences, replay
from tests.leaks.scene import Scene, set_scene, tile_at
from tests.world import Database, Server

AUDIENCE = "unclassified"
Patch = Callable[[pytest.MonkeyPatch, "Owner"], None]


class Owner:
    """What a fault reads: the whole database behind a reader."""

    def __init__(self, server: Server) -> None:
        self.server = server

    def value(self, reader: door.Reader, statement: str, *params: Any) -> Any:
        name = conninfo_to_dict(reader._pool.conninfo)["dbname"]  # type: ignore[arg-type]
        with psycopg.connect(make_conninfo(self.server.owner_dsn, dbname=name)) as conn:
            row = conn.execute(statement.encode(), params).fetchone()
            return row[0] if row else None


@pytest.fixture(scope="module")
def other(policy: Policy, grow: Callable[[], Database], drop: Callable[[Database], None]) -> Iterator[Database]:
    """A world without what the audience may not see."""
    own = grow()
    worlds.alter(own, policy, AUDIENCE, "purge", seed=3)
    yield own
    drop(own)


@pytest.fixture(scope="module")
def scene(world: Database, policy: Policy) -> Scene:
    return set_scene(world, policy, AUDIENCE)


@pytest.fixture(scope="module")
def asks(scene: Scene, keys: Keys) -> list[Ask]:
    """A few questions of the table, each of a kind."""
    root = f"{scene.root}/collections/incidents"
    part = scene.parts["incidents"]
    y, x = tile_at(20.5, 6.5, 6)
    found = [
        Ask(root),
        Ask(f"{root}/items?limit=1000", pages=3),
        Ask(f"{root}/items?limit=7&filter=category%3D%27POC%27"),
        Ask(routes.to(f"{root}/items", ("bbox", "20,5,27,8"), ("limit", "10"))),
        *(Ask(f"{root}/items/{n}") for n in (*part.seen, *part.hidden, 4711)),
        *(
            Ask(f"{scene.root}/tiles/WebMercatorQuad/{z}/{y >> 6 - z}/{x >> 6 - z}?collections=incidents,sites")
            for z in (2, 6)
        ),
        Ask(f"{root}/tiles/WebMercatorQuad/9/{y << 3}/{x << 3}"),
        Ask(f"{scene.root}/collections/facilities/tiles/WebMercatorQuad/9/249/282"),
        Ask(f"{scene.root}/collections/sites/items?limit=200"),
    ]
    return [ask.bearing(keys.readers[AUDIENCE]) for ask in found]


@pytest.fixture(scope="module")
def put(tmp_path_factory: pytest.TempPathFactory) -> Callable[..., list[list[Answer]]]:
    def ask(world: Database, asks: list[Ask]) -> list[list[Answer]]:
        settings = world.settings(tmp_path_factory.mktemp("home"))
        return replay({"reader": lambda: create_app(settings)}, asks, at_once=1)

    return ask


# --- faults of the reader --------------------------------------------------------------------------------------------


def count_of_the_vault(patch: pytest.MonkeyPatch, owner: Owner) -> None:
    async def count(self: door.Reader, layer: str, where: Any) -> int:
        return int(owner.value(self, f"SELECT count(*) FROM vault.{layer}"))

    patch.setattr(door.Reader, "count", count)


def count_by_the_planner(patch: pytest.MonkeyPatch, owner: Owner) -> None:
    async def guessed(self: door.Reader, layer: str, where: Any) -> int:
        return int(owner.value(self, f"SELECT pg_relation_size('vault.{layer}')"))

    patch.setattr(door.Reader, "count", guessed)


def extent_of_the_vault(patch: pytest.MonkeyPatch, owner: Owner) -> None:
    async def extent(self: door.Reader, layer: str) -> door.Extent:
        inner = f"SELECT geom FROM vault.{layer}"
        edge = (owner.value(self, f"SELECT {f}(ST_Extent(geom)) FROM ({inner}) g") for f in ("ST_XMin", "ST_YMin"))
        return door.Extent((*edge, 28.0, 12.0), None)

    patch.setattr(door.Reader, "extent", extent)


def forbidden_where_it_exists(patch: pytest.MonkeyPatch, owner: Owner) -> None:
    real = door.Reader.feature

    async def feature(self: door.Reader, layer: str, fid: int, srid: int = 4326) -> Any:
        found = await real(self, layer, fid, srid)
        family = self.audience.family
        inner = f"SELECT count(*) FROM vault.{layer} v WHERE {derivation.fid(family, layer, 'v.id')} = %s"
        if found is None and owner.value(self, inner, fid):
            raise Problem(403, "You may not see this record.")
        return found

    patch.setattr(door.Reader, "feature", feature)


def tiles_without_order(patch: pytest.MonkeyPatch, owner: Owner) -> None:
    real = tile_sql._aggregate

    def aggregate(name: str, order: str, rows: str, fid: str | None = None) -> str:
        return real(name, order, rows, fid).replace(f" ORDER BY {order})", ")")

    patch.setattr(tile_sql, "_aggregate", aggregate)


def last_modified(patch: pytest.MonkeyPatch, owner: Owner) -> None:
    real = features.items

    async def items(request: Any, query: Any) -> Any:
        answer = await real(request, query)
        layer = request.path_params["collection"]
        when = owner.value(context(request).reader, f"SELECT max(updated_at)::text FROM vault.{layer}")
        answer.headers["Last-Modified"] = when
        return answer

    kept = tuple(
        r if r.name != "items" else type(r)(**{**r.__dict__, "endpoint": items}) for r in declared.AUDIENCE_ROUTES
    )
    patch.setattr(app, "AUDIENCE_ROUTES", kept)


@pytest.mark.parametrize(
    "fault",
    [
        count_of_the_vault,
        count_by_the_planner,
        extent_of_the_vault,
        forbidden_where_it_exists,
        tiles_without_order,
        last_modified,
    ],
)
def test_a_fault_of_the_reader_is_found(
    fault: Patch,
    world: Database,
    other: Database,
    asks: list[Ask],
    put: Callable[..., list[list[Answer]]],
    cluster: Server,
) -> None:
    assert not differences(asks, put(world, asks), put(other, asks)), "the worlds differ without a fault"
    with pytest.MonkeyPatch.context() as patch:
        fault(patch, Owner(cluster))
        assert differences(asks, put(world, asks), put(other, asks))


def test_a_cache_that_audiences_share_is_found(
    world: Database, keys: Keys, put: Callable[..., list[list[Answer]]]
) -> None:
    """What a higher reader asked before must not show in the answer to a lower one."""
    high = Ask("/strict/tiles/WebMercatorQuad/5/15/17").bearing(keys.readers["strict"])
    low = Ask("/public/tiles/WebMercatorQuad/5/15/17")

    def shows() -> list[str]:
        return differences([low], put(world, [high, low])[1:], put(world, [low]))

    assert not shows()
    with pytest.MonkeyPatch.context() as patch:
        real = cache.TileCache.put

        def short(key: cache.Key) -> cache.Key:
            return ("", key[1].split("/tiles/")[1], key[2], key[3])

        patch.setattr(cache.TileCache, "get", lambda self, key, versions: self._entries.get(short(key)))
        patch.setattr(cache.TileCache, "put", lambda self, key, entry: real(self, short(key), entry))
        assert shows()


# --- faults of the release -------------------------------------------------------------------------------------------


def exact_places(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(place_sql, "_is_exact", lambda tier, layer: "r.place_precision IN ('exact', 'near')")


def hidden_text(patch: pytest.MonkeyPatch) -> None:
    real = derivation._field_value

    def value(name: str, form: Any, released: Any) -> str:
        return "r.narrative" if name == "summary_unclassified" else real(name, form, released)

    patch.setattr(derivation, "_field_value", value)


def no_compartments(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(derivation, "_held", lambda audience, compartments: "true")


def exact_times(patch: pytest.MonkeyPatch) -> None:
    real = derivation._time_value

    def value(column: str, form: Any, layer: Any) -> str:
        return f"r.{layer.time.start}" if column == "time_from" and form.tier else real(column, form, layer)

    patch.setattr(derivation, "_time_value", value)


def no_consent(patch: pytest.MonkeyPatch) -> None:
    real = derivation._verb_sql

    def value(verb: Any, field: Any, layer: Any, family: str) -> str:
        return f"r.{field.name}" if verb.kind == "consent" else real(verb, field, layer, family)

    patch.setattr(derivation, "_verb_sql", value)


@pytest.mark.parametrize("fault", [exact_places, hidden_text, no_compartments, exact_times, no_consent])
def test_a_fault_of_the_release_is_found(
    fault: Callable[[pytest.MonkeyPatch], None],
    world: Database,
    other: Database,
    policy: Policy,
    asks: list[Ask],
    put: Callable[..., list[list[Answer]]],
) -> None:
    """The release is derived with the fault, within a transaction that is not kept."""
    answers = []
    for one in (world, other):
        with psycopg.connect(one.owner_dsn) as conn, pytest.MonkeyPatch.context() as patch:
            fault(patch)
            answers.append([_released(conn, policy, layer) for layer in ("incidents", "sites")])
            conn.rollback()
            assert conn.info.transaction_status == TransactionStatus.IDLE
    assert answers[0] != answers[1]


@pytest.mark.parametrize("layer", ["incidents", "sites"])
def test_without_a_fault_the_releases_of_the_worlds_are_equal(
    world: Database, other: Database, policy: Policy, layer: str
) -> None:
    found = []
    for one in (world, other):
        with psycopg.connect(one.owner_dsn) as conn:
            found.append(_released(conn, policy, layer))
            conn.rollback()
    assert found[0] == found[1]


def _released(conn: psycopg.Connection, policy: Policy, layer: str) -> list[Any]:
    """What the rules, as compiled now, would release of a layer."""
    view = policy.released(AUDIENCE)[layer]
    out = []
    for stream, clock in (
        (derivation.NOW, release.CLOCK),
        (derivation.BATCHED, f"(SELECT slot FROM vault.batches WHERE audience = '{AUDIENCE}')"),
    ):
        derived = derivation.derive(view, f"vault.{view.layer.table}", stream, clock)
        if derived:
            out += conn.execute(f"SELECT d::text FROM ({derived}) d ORDER BY d.fid".encode()).fetchall()
    assert out
    return out


def ids_in_sequence(conn: psycopg.Connection) -> None:
    conn.execute(
        "CREATE OR REPLACE FUNCTION vault.fid(record uuid, key bytea) RETURNS bigint LANGUAGE sql STABLE AS"
        " $$ SELECT count(*) FROM vault.incidents i WHERE i.id <= record $$"
    )


def test_numbers_in_sequence_are_found(world: Database, other: Database, policy: Policy) -> None:
    """Gaps between them would count what is hidden."""
    found = []
    for one in (world, other):
        with psycopg.connect(one.owner_dsn) as conn:
            ids_in_sequence(conn)
            found.append(_released(conn, policy, "incidents"))
            conn.rollback()
    assert found[0] != found[1]
