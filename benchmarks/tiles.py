"""Goals 1 and 2: tiles of a million incidents, against the bare SQL and against tipg, at each zoom."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

import numpy as np
import psycopg

from benchmarks import synthetic
from benchmarks.harness import SEED, Ground, Outcome, cpu_seconds, ground, reader, rules, spread
from benchmarks.peers import tipg
from benchmarks.places import Tile, TileIndex, sample_tiles
from benchmarks.web import Load, ask, token
from layers.policy import Policy, ReleasedLayer
from tests.world import Database

AUDIENCE = "confidential"
BANDS = {"zoom 5 to 8": range(5, 9), "zoom 9 to 10": range(9, 11), "zoom 11 to 14": range(11, 15)}
LIMIT = 10_000
"""Records that tipg, and the bare SQL that stands for it, put into a tile at most; ours leaves none out."""


def run(rows: int = 1_000_000, rounds: int = 3) -> Outcome:
    out = Outcome(
        "Tiles of incidents released to one audience, zoom 5 to 14, around records chosen at random; no cache. `raw` is"
        " ST_AsMVT over the same rows and columns on one connection, read by psycopg; the others are asked over HTTP on"
        " four connections, one server process each. Processor time of server and PostgreSQL; medians of the rounds."
    )
    policy = rules((AUDIENCE,))
    with ground() as base:
        database = load(base, policy, rows, out)
        _measure(out, base, database, policy, rounds)
    return out


def load(base: Ground, policy: Policy, rows: int, out: Outcome) -> Database:
    """A database with so many incidents, vacuumed."""
    database = base.database(policy)
    with psycopg.connect(database.desk_dsn) as conn:
        synthetic.copy(conn, synthetic.incidents(rows))
    with psycopg.connect(database.owner_dsn, autocommit=True) as conn:
        conn.execute("VACUUM ANALYZE")
        schema = policy.audiences[AUDIENCE].schema
        row = conn.execute(
            (
                f"SELECT count(*), count(geom), pg_total_relation_size('{schema}.incidents') FROM {schema}.incidents"
            ).encode()
        ).fetchone()
    assert row is not None
    out.numbers["rows"] = {"in the vault": rows, "released": row[0], "with an own place": row[1], "bytes": row[2]}
    return database


def raw_sql(released: ReleasedLayer) -> str:
    """What somebody would write by hand: the same columns, tile and buffer; not the counts of areas and stacks."""
    names = [f'"{f.name}"' for f in released.fields if f.tile]
    names += ["place_precision", "to_char(time_from, 'YYYY-MM-DD') AS time_from"]
    names += ["to_char(time_to, 'YYYY-MM-DD') AS time_to", "time_precision"]
    envelope = "ST_TileEnvelope(%(z)s, %(x)s, %(y)s)"
    near = "ST_TileEnvelope(%(z)s, %(x)s, %(y)s, margin => 64::float8 / 4096)"
    return (
        f"SELECT ST_AsMVT(q, 'incidents', 4096, 'g', 'fid') FROM (SELECT fid, {', '.join(names)},"
        f" ST_AsMVTGeom(geom3857, {envelope}, 4096, 64, true) AS g FROM incidents"
        f" WHERE geom3857 && {near} LIMIT {LIMIT}) q"
    )


def _measure(out: Outcome, base: Ground, database: Database, policy: Policy, rounds: int) -> None:
    audience = policy.audiences[AUDIENCE]
    released = policy.released(AUDIENCE)["incidents"]
    index = TileIndex(database.owner_dsn, audience.schema)
    dice = np.random.default_rng(SEED)
    tiles = {band: sample_tiles(index, zooms, 30, dice) for band, zooms in BANDS.items()}
    found: dict[str, dict[str, list[Load]]] = {band: {} for band in BANDS}
    bearer = token(database, AUDIENCE)
    with tipg(database, audience.schema, "incidents") as theirs:
        for turn in range(rounds + 1):
            # a fresh reader each round: its cache, which has a benchmark of its own, is empty
            with reader(database, base.home / "reader", policy) as ours:
                warm = [_ours(ours.url, (4, 8, 7)), _ours(ours.url, (15, 0, 0))] * 4
                ask(warm, (), bearer=bearer)
                for band, some in tiles.items():
                    sides: dict[str, Callable[[], Load]] = {
                        "parallax": partial(
                            ask, [_ours(ours.url, t) for t in some], (ours.pid, base.pid), bearer=bearer
                        ),
                        "raw": partial(_raw, database, released, some, base.pid),
                    }
                    if theirs:
                        urls = [_theirs(theirs.url, audience.schema, t) for t in some]
                        sides["tipg"] = partial(ask, urls, (theirs.pid, base.pid))
                    for name, call in sides.items():
                        load_ = call()
                        if turn:
                            found[band].setdefault(name, []).append(load_)
    _report(out, tiles, found)


def _ours(url: str, tile: Tile) -> str:
    z, x, y = tile
    return f"{url}/{AUDIENCE}/collections/incidents/tiles/WebMercatorQuad/{z}/{y}/{x}"


def _theirs(url: str, schema: str, tile: Tile) -> str:
    z, x, y = tile
    return f"{url}/collections/{schema}.incidents/tiles/WebMercatorQuad/{z}/{x}/{y}?geom-column=geom"


def _raw(database: Database, released: ReleasedLayer, tiles: Sequence[Tile], postmaster: int) -> Load:
    statement = raw_sql(released).encode()
    times, sizes = [], []
    with psycopg.connect(database.reader_dsn[AUDIENCE], autocommit=True) as conn:
        before = [time.process_time(), cpu_seconds(postmaster)]
        start = time.perf_counter()
        for z, x, y in tiles:
            clock = time.perf_counter()
            row = conn.execute(statement, {"z": z, "x": x, "y": y}, binary=True).fetchone()
            times.append((time.perf_counter() - clock) * 1000)
            assert row is not None
            sizes.append(len(row[0]))
        seconds = time.perf_counter() - start
        after = [time.process_time(), cpu_seconds(postmaster)]
    return Load(times, seconds, [a - b for a, b in zip(after, before, strict=True)], sizes)


def _report(out: Outcome, tiles: dict[str, list[Tile]], found: dict[str, dict[str, list[Load]]]) -> None:
    cost: dict[str, dict[str, float]] = {}
    for band, sides in found.items():
        table: dict[str, Any] = {"tiles": len(tiles[band])}
        cost[band] = {}
        for name, loads in sides.items():
            each = [sum(one.cpu) / len(one.sizes) * 1000 for one in loads]
            cost[band][name] = statistics.median(each)
            table[name] = {
                "cpu_ms_per_tile": round(cost[band][name], 3),
                "of_which_server": round(statistics.median(o.cpu[0] / len(o.sizes) * 1000 for o in loads), 3),
                "tiles_per_s": round(statistics.median(len(o.sizes) / o.seconds for o in loads), 1),
                "ms": spread([ms for one in loads for ms in one.milliseconds], 2),
                "kB": spread([size / 1000 for size in loads[0].sizes], 1),
            }
        out.numbers[band] = table
    near = cost["zoom 11 to 14"]
    out.judge(
        "zoom 11 to 14 against raw ST_AsMVT, processor time", near["parallax"] / near["raw"], 1.5, goal=1, unit="x"
    )
    peer = "tipg" if "tipg" in near else None
    if peer:
        out.judge("zoom 11 to 14 against tipg, processor time", near["parallax"] / near[peer], 0.4, goal=1, unit="x")
        speeds = {}
        for name in ("parallax", peer):
            count = sum(len(loads[name][0].sizes) for loads in found.values())
            speeds[name] = count / sum(statistics.median(o.seconds for o in loads[name]) for loads in found.values())
        out.judge("mixed tiles, zoom 5 to 14: tiles per second against tipg", speeds["parallax"] / speeds[peer], 6,
                  goal=2, unit="x", least=True)  # fmt: skip
    largest = max(max(loads["parallax"][0].sizes) for loads in found.values())
    out.judge("largest tile", largest / 1000, 500, goal=2, unit=" kB")
    low = np.percentile([ms for o in found["zoom 5 to 8"]["parallax"] for ms in o.milliseconds], 99)
    high = np.percentile([ms for o in found["zoom 11 to 14"]["parallax"] for ms in o.milliseconds], 99)
    out.judge(
        f"p99 at zoom 5 to 8 ({low:.0f} ms) against zoom 11 to 14 ({high:.0f} ms)",
        float(low / high),
        5,
        goal=2,
        unit="x",
    )
