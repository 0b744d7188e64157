"""Goal 3: a tile from the reader's cache, and the answer that it has not changed, against a file of nginx."""

from __future__ import annotations

import re
import shutil
import statistics
import subprocess
import urllib.request
from typing import Any

import psycopg

from benchmarks import synthetic
from benchmarks.harness import Outcome, Running, cpu_seconds, ground, reader, rules
from benchmarks.peers import nginx
from benchmarks.places import TileIndex
from benchmarks.web import token

AUDIENCE = "confidential"
CONNECTIONS = 16
SIZE = 20_000
"""Bytes of the tile that is looked for."""


def run(rows: int = 60_000, rounds: int = 3, seconds: int = 5) -> Outcome:
    out = Outcome(
        "A tile of about 20 kB from the cache of one reader process, admitted by a bearer token, against the same bytes"
        " as a file of nginx with one worker; wrk with 16 connections on the same cores. Processor time a request."
    )
    if not shutil.which("wrk"):
        raise SystemExit("wrk is missing; install the package wrk")
    policy = rules((AUDIENCE,))
    with ground() as base:
        database = base.database(policy)
        with psycopg.connect(database.desk_dsn) as conn:
            synthetic.copy(conn, synthetic.incidents(rows))
        bearer = token(database, AUDIENCE)
        index = TileIndex(database.owner_dsn, policy.audiences[AUDIENCE].schema)
        with reader(database, base.home / "reader", policy) as ours:
            path, body, tag = _pick(ours, index, bearer)
            folder = base.home / "static"
            folder.mkdir()
            (folder / "tile.mvt").write_bytes(body)
            base.home.chmod(0o755)
            with nginx(folder) as theirs:
                _measure(out, base.pid, ours, theirs, path, tag, bearer, rounds, seconds)
        out.numbers["bytes"] = len(body)
    return out


def _get(url: str, bearer: str | None = None) -> tuple[bytes, str]:
    headers = {"Authorization": f"Bearer {bearer}"} if bearer else {}
    with urllib.request.urlopen(urllib.request.Request(url, headers=headers), timeout=60) as answer:
        return bytes(answer.read()), answer.headers["ETag"]


def _pick(ours: Running, index: TileIndex, bearer: str) -> tuple[str, bytes, str]:
    """The tile whose size is next to the one wanted."""
    found = []
    for z in (7, 9, 10, 11, 12, 13):
        for number in (0, 3, 11, 40):
            _, x, y = index.tile(z, number)
            path = f"/{AUDIENCE}/collections/incidents/tiles/WebMercatorQuad/{z}/{y}/{x}"
            found.append((path, *_get(ours.url + path, bearer)))
    return min(found, key=lambda one: abs(len(one[1]) - SIZE))


def _measure(
    out: Outcome, database: int, ours: Running, theirs: Running | None, path: str, tag: str, bearer: str, rounds: int,
    seconds: int,
) -> None:  # fmt: skip
    admitted = ["-H", f"Authorization: Bearer {bearer}"]
    sides: dict[str, tuple[int, str, list[str]]] = {
        "parallax 200": (ours.pid, ours.url + path, admitted),
        "parallax 304": (ours.pid, ours.url + path, [*admitted, "-H", f"If-None-Match: {tag}"]),
    }
    if theirs:
        _, theirs_tag = _get(f"{theirs.url}/tile.mvt")
        sides["nginx 200"] = (theirs.pid, f"{theirs.url}/tile.mvt", [])
        sides["nginx 304"] = (theirs.pid, f"{theirs.url}/tile.mvt", ["-H", f"If-None-Match: {theirs_tag}"])
    found: dict[str, list[dict[str, float]]] = {name: [] for name in sides}
    for turn in range(rounds + 1):
        for name, (pid, url, headers) in sides.items():
            before = cpu_seconds(pid), cpu_seconds(database)
            report = _wrk(url, headers, seconds if turn else 1)
            report["us"] = (cpu_seconds(pid) - before[0]) / report["requests"] * 1e6
            report["database_us"] = (cpu_seconds(database) - before[1]) / report["requests"] * 1e6
            if turn:
                found[name].append(report)
    table: dict[str, Any] = {
        name: {key: round(statistics.median(one[key] for one in some), 2) for key in some[0]}
        for name, some in found.items()
    }
    out.numbers["a request"] = table
    if theirs:
        ratio = table["parallax 200"]["us"] / table["nginx 200"]["us"]
        out.judge("cached tile against nginx, processor time of the server", ratio, 2.5, goal=3, unit="x")
        out.judge("304 against nginx's 304", table["parallax 304"]["us"] / table["nginx 304"]["us"], goal=3, unit="x")
    out.judge("304 against 200 of the reader", table["parallax 304"]["us"] / table["parallax 200"]["us"], 1, goal=3,
              unit="x")  # fmt: skip


def _wrk(url: str, headers: list[str], seconds: int) -> dict[str, float]:
    command = ["wrk", "-t1", f"-c{CONNECTIONS}", f"-d{seconds}s", "--latency", *headers, url]
    text = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    if re.search(r"Non-2xx or 3xx|Socket errors", text):
        raise RuntimeError(f"wrk: {text}")
    requests = int(re.search(r"(\d+) requests in", text)[1])  # type: ignore[index]
    rate = float(re.search(r"Requests/sec:\s+([\d.]+)", text)[1])  # type: ignore[index]
    value, unit = re.search(r"99%\s+([\d.]+)(us|ms|s)", text).groups()  # type: ignore[union-attr]
    return {"requests": requests, "per_s": rate, "p99_ms": float(value) * {"us": 0.001, "ms": 1, "s": 1000}[unit]}
