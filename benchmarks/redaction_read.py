"""Goal 9: a released tile or page costs what the same rows cost in a plain table of the same shape."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from functools import partial

import numpy as np
import psycopg
from psycopg.sql import SQL, Identifier

from benchmarks import synthetic
from benchmarks.harness import SEED, Ground, Outcome, Stopwatch, ground, middle, rules, spread
from benchmarks.places import TileIndex, boxes, sample_tiles
from layers.door import Door, Where
from layers.policy import Policy
from layers.relations import drop_sql
from tests.world import Database

AUDIENCE = "confidential"
EVERYTHING = Where()


def run(rows: int = 200_000, rounds: int = 12) -> Outcome:
    out = Outcome(
        "The same reader over a release, and over plain tables of the same shape that were filled with the same rows in"
        " the same order, without triggers or a vault behind them. Medians over alternating rounds of"
        " one connection."
    )
    policy = rules((AUDIENCE,))
    with ground() as base:
        database = base.database(policy)
        with psycopg.connect(database.desk_dsn) as conn:
            synthetic.copy(conn, synthetic.incidents(rows))
        plain = _plain(base, database, policy)
        asyncio.run(_compare(out, policy, database, plain, rounds))
    return out


def _plain(base: Ground, database: Database, policy: Policy) -> Database:
    """A copy of the database whose released tables are plain ones, copied row by row, and whose vault is gone."""
    with psycopg.connect(base.server.owner_dsn, autocommit=True) as conn:
        name = f"{database.name}_plain"
        conn.execute(SQL("CREATE DATABASE {} TEMPLATE {}").format(Identifier(name), Identifier(database.name)))
    copied = Database(
        name, base.server.dsn(name), "", "", "",
        {a.id: base.server.dsn(name, a.role) for a in policy.audiences.values()},
    )  # fmt: skip
    audience = policy.audiences[AUDIENCE]
    schema = audience.schema
    with psycopg.connect(copied.owner_dsn) as conn:
        conn.execute(f"SET search_path = {schema}, public".encode())
        tables = [t for (t,) in conn.execute("SELECT tablename FROM pg_tables WHERE schemaname = %s", (schema,))]
        mine = [t for t in tables if t.startswith("incidents")]
        for table in mine:
            conn.execute(f"CREATE TABLE plain_{table} (LIKE {table} INCLUDING ALL)".encode())
            conn.execute(f"INSERT INTO plain_{table} SELECT * FROM {table} ORDER BY ctid".encode())
        conn.execute(drop_sql(schema, "incidents").encode())
        for table in mine:
            conn.execute(f"ALTER TABLE plain_{table} RENAME TO {table}".encode())
        conn.execute("DROP SCHEMA vault CASCADE")
        conn.execute(f"GRANT SELECT ON ALL TABLES IN SCHEMA {schema} TO {audience.role}".encode())
        for setting in ("search_path = " + schema + ", public", "jit = off", "max_parallel_workers_per_gather = 0"):
            conn.execute(f"ALTER ROLE {audience.role} IN DATABASE {name} SET {setting}".encode())
        conn.execute(f"GRANT CONNECT ON DATABASE {name} TO {audience.role}".encode())
    for one in (database, copied):
        with psycopg.connect(one.owner_dsn, autocommit=True) as conn:
            conn.execute("VACUUM ANALYZE")
    return copied


async def _compare(out: Outcome, policy: Policy, released: Database, plain: Database, rounds: int) -> None:
    doors = [Door(policy, one.reader_dsn) for one in (released, plain)]
    for door in doors:
        await door.open()
    readers = [door.reader(AUDIENCE) for door in doors]
    index = TileIndex(released.owner_dsn, policy.audiences[AUDIENCE].schema)
    dice = np.random.default_rng(SEED)
    tiles = {name: sample_tiles(index, zooms, 8, dice) for name, zooms in _ZOOMS.items()}
    windows = boxes(index, 8, dice)
    for name, some in tiles.items():
        for z, x, y in some:
            one, other = [await r.tile(["incidents"], z, x, y, EVERYTHING) for r in readers]
            if one != other:
                raise RuntimeError(f"tile {z}/{x}/{y} differs between release and plain table")
        asked: list[list[Callable[[], Awaitable[object]]]] = [
            [partial(r.tile, ["incidents"], z, x, y, EVERYTHING) for z, x, y in some] for r in readers
        ]
        await _ratio(out, f"tiles, {name}", asked, rounds)
    pages: list[list[Callable[[], Awaitable[object]]]] = [
        [partial(r.features, "incidents", Where(bbox=b), limit=1000) for b in windows] for r in readers
    ]
    await _ratio(out, "pages of 1,000 records with a box", pages, rounds)
    for door in doors:
        await door.close()


_ZOOMS = {"zoom 5 to 8": range(5, 9), "zoom 9 to 10": range(9, 11), "zoom 11 to 14": range(11, 15)}


async def _ratio(
    out: Outcome, title: str, asked: Sequence[Sequence[Callable[[], Awaitable[object]]]], rounds: int
) -> None:
    """Ask both sides each question in turns; the side that is asked first changes with the round."""
    count = len(asked[0])
    best: list[list[list[float]]] = [[[] for _ in range(count)] for _ in asked]
    for turn in range(rounds + 1):
        for n in range(count):
            for side in (0, 1) if (turn + n) % 2 else (1, 0):
                with Stopwatch() as clock:
                    await asked[side][n]()
                if turn:
                    best[side][n].append(clock.seconds * 1000)
    medians = [[middle(some) for some in side] for side in best]
    ratio = middle([a / b for a, b in zip(*medians, strict=True)])
    out.numbers[title] = {
        "released_ms": spread(medians[0]), "plain_ms": spread(medians[1]), "median_of_ratios": round(ratio, 3)
    }  # fmt: skip
    out.judge(f"{title}: release against plain table, median of {count} questions", ratio, 1.05, goal=9, unit="x")
