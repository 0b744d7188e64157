"""Goal 10: what releases cost the writer, and how soon an incident is visible to its audiences."""

from __future__ import annotations

import datetime as dt
import json
import time
import urllib.request
from collections.abc import Callable
from typing import Any

import psycopg

from benchmarks import synthetic
from benchmarks.harness import Ground, Outcome, Stopwatch, cpu_seconds, ground, middle, reader, rules, spread
from benchmarks.web import token
from layers import release
from layers.policy import Policy
from layers.vault import Provenance, Vault
from tests.world import Database

FOUR = ("public", "unclassified", "confidential", "strict")
TRIGGERS = ("insert", "update", "delete")
_INSERT = (
    f"INSERT INTO vault.incidents ({', '.join(synthetic.COLUMNS)})"
    f" VALUES ({', '.join(['%s'] * len(synthetic.COLUMNS))})"
)


def run(rows: int = 40_000, rounds: int = 5) -> Outcome:
    out = Outcome(
        "COPY of synthetic incidents into vault.incidents: the table alone (release triggers disabled), with"
        " releases to"
        " four audiences and to all seven; delayed forms follow by the batch. Durable settings, one connection."
    )
    with ground() as base:
        four, seven = rules(FOUR), rules()
        on = {
            "vault alone": base.database(four),
            "4 audiences": base.database(four),
            "7 audiences": base.database(seven),
        }
        _switch(on["vault alone"], False)
        _bulk(out, on, rows, rounds, "bulk")
        _bulk(out, on, 5 * rows, 2, "bulk, five times the rows")
        _imports(out, on, rows // 2)
        _batches(out, on["7 audiences"], seven, 5 * rows)
        _single(out, on)
        _visible(out, base, on["7 audiences"])
    return out


def _switch(database: Database, on: bool) -> None:
    with psycopg.connect(database.owner_dsn) as conn:
        for event in TRIGGERS:
            word = "ENABLE" if on else "DISABLE"
            conn.execute(f"ALTER TABLE vault.incidents {word} TRIGGER release_{event}".encode())


def empty(database: Database) -> None:
    """Remove all incidents and their releases at once; the triggers do not see it."""
    with psycopg.connect(database.owner_dsn) as conn:
        rows = conn.execute(
            "SELECT format('%I.%I', schemaname, tablename) FROM pg_tables WHERE tablename IN ('incidents',"
            " 'incidents_clusters', 'incidents_area_counts') AND (schemaname = 'vault' OR schemaname LIKE 'rel\\_%')"
        ).fetchall()
        conn.execute(f"TRUNCATE {', '.join(name for (name,) in rows)}".encode())
    with psycopg.connect(database.owner_dsn, autocommit=True) as conn:
        conn.execute("CHECKPOINT")


def _bulk(out: Outcome, on: dict[str, Database], rows: int, rounds: int, title: str) -> None:
    micros: dict[str, list[float]] = {name: [] for name in on}
    wall: dict[str, list[float]] = {name: [] for name in on}
    wal: dict[str, list[float]] = {name: [] for name in on}
    for turn in range(rounds + 1):
        chunks = list(synthetic.incidents(rows, first=turn * rows))
        for name, database in on.items():
            empty(database)
            with psycopg.connect(database.desk_dsn) as conn, psycopg.connect(database.owner_dsn) as watch:
                before = watch.execute("SELECT pg_current_wal_insert_lsn()").fetchone()
                used = cpu_seconds(conn.info.backend_pid)
                with Stopwatch() as clock:
                    synthetic.copy(conn, chunks)
                    conn.commit()
                used = cpu_seconds(conn.info.backend_pid) - used
                after = watch.execute("SELECT pg_wal_lsn_diff(pg_current_wal_insert_lsn(), %s)", before).fetchone()
            if turn or rounds < 3:  # the first round warms up
                micros[name].append(used / rows * 1e6)
                wall[name].append(clock.seconds / rows * 1e6)
                assert after is not None
                wal[name].append(float(after[0]) / rows)
    base = middle(micros["vault alone"])
    out.numbers[title] = {"rows": rows} | {
        name: {
            "cpu_us_per_row": spread(micros[name], 1),
            "wall_us_per_row": spread(wall[name], 1),
            "wal_bytes_per_row": round(middle(wal[name])),
        }
        for name in on
    }
    for name in list(on)[1:]:
        ratio = middle([a / b for a, b in zip(micros[name], micros["vault alone"], strict=True)])
        limit = 3 if name == "4 audiences" else None
        what = f"{title} ({rows:,} rows): {name} against the vault alone ({base:.0f} µs a row), processor time"
        out.judge(what, ratio, limit, goal=10, unit="x")
        elapsed = middle([a / b for a, b in zip(wall[name], wall["vault alone"], strict=True)])
        out.judge(f"{title}: the same by the clock", elapsed, unit="x")


def _imports(out: Outcome, on: dict[str, Database], rows: int) -> None:
    """The same through the vault's own writer, which also places each record and compares it with what is there."""
    lines = [text for chunk in synthetic.incidents(rows, first=80_000_000) for text in chunk.decode().splitlines()]
    facts = Provenance("synthetic", "", "none", "benchmark")
    cost: dict[str, list[float]] = {name: [] for name in on}
    for turn in range(3):
        for name, database in on.items():
            empty(database)
            with Vault(database.desk_dsn) as vault:
                pid = vault._conn.info.backend_pid  # noqa: SLF001 -- its processor time is asked for
                before = cpu_seconds(pid) + time.process_time()
                vault.write("incidents", "bench", map(_record, lines), facts)
                if turn:
                    cost[name].append((cpu_seconds(pid) + time.process_time() - before) / rows * 1e6)
    out.numbers["through the writer, cpu_us_per_row"] = {name: spread(some, 1) for name, some in cost.items()}
    for name in list(on)[1:]:
        ratio = middle(cost[name]) / middle(cost["vault alone"])
        limit = 3 if name == "4 audiences" else None
        alone = middle(cost["vault alone"])
        what = f"through the vault's writer ({rows:,} rows): {name} against the vault alone ({alone:.0f} µs a row)"
        out.judge(f"{what}, processor time", ratio, limit, goal=10, unit="x")


def _record(line: str) -> dict[str, Any]:
    """A line of COPY text as the record that the writer takes."""
    values: dict[str, Any] = dict(zip(synthetic.COLUMNS, line.split("\t"), strict=True))
    del values["source_system"]
    for name in ("compartments", "publish"):
        values[name] = [one for one in values[name].strip("{}").split(",") if one]
    return {name: None if value == "\\N" else value for name, value in values.items()}


def _batches(out: Outcome, database: Database, policy: Policy, rows: int) -> None:
    """The delayed forms of all records, applied the first time, and again with nothing to do."""
    now = dt.datetime.now(dt.UTC)
    found: dict[str, Any] = {"rows": rows}
    for audience in ("public", "unclassified", "partner:au"):
        times = []
        for _ in range(2):
            with Stopwatch() as clock:
                release.run_batch(database.publisher_dsn, policy, release.last_slot(policy, audience, now), audience)
            times.append(clock.seconds)
        with psycopg.connect(database.owner_dsn) as conn:
            schema = policy.audiences[audience].schema
            row = conn.execute(f"SELECT count(*) FROM {schema}.incidents WHERE _stream = 1".encode()).fetchone()
        assert row is not None
        found[audience] = {
            "released": row[0],
            "first_s": round(times[0], 2),
            "again_s": round(times[1], 2),
            "us_per_record": round(times[0] / rows * 1e6, 1),
        }
    out.numbers["batch"] = found
    again = max(v["again_s"] for k, v in found.items() if k != "rows")
    out.judge(f"batch of one audience over {rows:,} records that changes nothing, the slowest", again, unit=" s")


def _single(out: Outcome, on: dict[str, Database], each: int = 200) -> None:
    """Commits of one incident each, over the rows that are there, in alternating blocks."""
    line = next(iter(synthetic.incidents(each, first=90_000_000))).decode().splitlines()
    times: dict[str, list[float]] = {name: [] for name in on}
    for block in range(4):
        for name, database in on.items():
            with psycopg.connect(database.desk_dsn) as conn:
                for text in line[block::4]:
                    values = [None if v == "\\N" else v for v in text.split("\t")]
                    with Stopwatch() as clock:
                        conn.execute(
                            _INSERT.encode(),
                            values,
                        )
                        conn.commit()
                    times[name].append(clock.seconds * 1000)
    out.numbers["single commits, ms"] = {name: spread(some) for name, some in times.items()}
    for name in list(on)[1:]:
        out.judge(f"one incident a commit, {name}: median", middle(times[name]), unit=" ms")
    out.judge("one incident a commit, vault alone: median", middle(times["vault alone"]), unit=" ms")


def _visible(out: Outcome, base: Ground, database: Database, each: int = 20) -> None:
    """From the commit to the first answer of the running reader that holds the incident: records and cached tile."""
    line = [text for chunk in synthetic.incidents(400, first=95_000_000) for text in chunk.decode().splitlines()]
    bearer = token(database, "unclassified")
    shown = [text.split("\t") for text in line if text.split("\t")[2:4] == ["unclassified", "{}"]][: each * 2]
    seconds: dict[str, list[float]] = {"records": [], "tile": []}
    with (
        reader(database, base.home / "reader", rules()) as running,
        psycopg.connect(database.desk_dsn, autocommit=True) as desk,
    ):
        count = f"{running.url}/unclassified/collections/incidents/items?limit=1"
        tile = f"{running.url}/unclassified/collections/incidents/tiles/WebMercatorQuad/0/0/0"
        asked: dict[str, Callable[[], object]] = {
            "records": lambda: json.loads(_get(count, bearer))["numberMatched"],
            "tile": lambda: _get(tile, bearer),
        }
        for n, values in enumerate(shown):
            what = ("records", "tile")[n % 2]
            before = asked[what]()
            desk.execute(
                _INSERT.encode(),
                [None if v == "\\N" else v for v in values],
            )
            start = time.perf_counter()
            while asked[what]() == before and time.perf_counter() - start < 10:
                time.sleep(0.01)
            seconds[what].append(time.perf_counter() - start)
    out.numbers["visible after commit, s"] = {what: spread(some) for what, some in seconds.items()}
    for what, some in seconds.items():
        out.judge(f"an incident is in the {what} of the reader after its commit: the slowest of {len(some)}",
                  max(some), 1, goal=10, unit=" s")  # fmt: skip


def _get(url: str, bearer: str) -> bytes:
    request = urllib.request.Request(url, headers={"Authorization": f"Bearer {bearer}"})
    with urllib.request.urlopen(request, timeout=20) as answer:
        return bytes(answer.read())
