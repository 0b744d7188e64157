"""What all benchmarks share: a database of their own, the real reader as a process, clocks, and the form of a result.

A benchmark is a function `run(**options) -> Outcome`. Things that are compared run in alternating rounds of one run,
and what is judged is their ratio: the machine may be slow or busy, and both sides then are.
"""

from __future__ import annotations

import contextlib
import datetime as dt
import json
import os
import platform
import secrets
import shutil
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np
import psycopg
import yaml
from psycopg.conninfo import make_conninfo

from layers import database as databases
from layers import policy as policies
from layers.policy import Policy
from mapserver import credentials, process
from mapserver.cluster import OWNER, Cluster
from mapserver.settings import Settings
from tests.world import Database, Server

ROOT = Path(__file__).parent.parent
RESULTS = Path(__file__).parent / "results"
SEED = 20_261_122
PASSWORD = "a benchmark reads this"  # noqa: S105 -- of accounts that live for a minute
_TICKS = os.sysconf("SC_CLK_TCK")


@dataclass
class Outcome:
    """What a benchmark found. `numbers` go into the result as they are; verdicts are judged against the goals."""

    description: str
    numbers: dict[str, Any] = field(default_factory=dict)
    verdicts: list[dict[str, Any]] = field(default_factory=list)

    def judge(
        self,
        what: str,
        measured: float,
        limit: float | None = None,
        *,
        goal: int | None = None,
        unit: str = "",
        least: bool = False,
    ) -> None:
        """Note a measured number; with `limit` also whether it is kept (at most it; at least it with `least`)."""
        sign = "at least" if least else "at most"
        self.verdicts.append(
            {
                "goal": goal,
                "what": what,
                "measured": f"{measured:.3g}{unit}" if abs(measured) < 1000 else f"{measured:,.0f}{unit}",
                "limit": "" if limit is None else f"{sign} {limit:g}{unit}",
                "met": None if limit is None else bool(measured >= limit if least else measured <= limit),
            }
        )  # fmt: skip


# --- numbers ---------------------------------------------------------------------------------------------------------


def spread(values: Sequence[float], digits: int = 3) -> dict[str, float]:
    """Median, 95th and 99th percentile, least and greatest of some numbers."""
    p50, p95, p99 = np.percentile(values, [50, 95, 99])
    out = {"p50": p50, "p95": p95, "p99": p99, "min": min(values), "max": max(values), "n": len(values)}
    return {name: round(float(value), digits) for name, value in out.items()}


def middle(values: Sequence[float]) -> float:
    return float(np.median(values))


class Stopwatch:
    """`with Stopwatch() as clock: …` then `clock.seconds`."""

    seconds = 0.0

    def __enter__(self) -> Stopwatch:
        self._start = time.perf_counter()
        return self

    def __exit__(self, *_: object) -> None:
        self.seconds = time.perf_counter() - self._start


def cpu_seconds(*roots: int) -> float:
    """Processor time of these processes and of their children, those that ended included."""
    parents: dict[int, list[int]] = {}
    used: dict[int, float] = {}
    for one in Path("/proc").iterdir():
        if one.name.isdigit():
            with contextlib.suppress(OSError):
                words = (one / "stat").read_text().rpartition(")")[2].split()
                parents.setdefault(int(words[1]), []).append(int(one.name))
                used[int(one.name)] = sum(map(int, words[11:15])) / _TICKS
    total, todo = 0.0, list(roots)
    while todo:
        pid = todo.pop()
        total += used.get(pid, 0.0)
        todo += parents.get(pid, [])
    return total


# --- results ---------------------------------------------------------------------------------------------------------


def finish(name: str, run: Callable[..., Outcome], options: Mapping[str, Any], *, keep: bool) -> dict[str, Any]:
    """Run a benchmark and give its result; with `keep` it is written to benchmarks/results/<name>.json."""
    before = os.getloadavg()[0]
    with Stopwatch() as clock:
        outcome = run(**options)
    result = {
        "benchmark": name,
        "description": outcome.description,
        "date": dt.datetime.now(dt.UTC).date().isoformat(),
        "commit": _commit(),
        "machine": _machine(),
        "versions": _versions(),
        "load": [round(before, 2), round(os.getloadavg()[0], 2)],
        "seconds": round(clock.seconds),
        "seed": SEED,
        "verdicts": outcome.verdicts,
        "numbers": outcome.numbers,
    }
    if keep:
        RESULTS.mkdir(exist_ok=True)
        text = json.dumps(result, indent=1, ensure_ascii=False)
        (RESULTS / f"{name}.json").write_text(text + "\n", encoding="utf-8")
    return result


def _commit() -> str:
    def git(*words: str) -> str:
        return subprocess.run(["git", *words], cwd=ROOT, capture_output=True, text=True, check=False).stdout.strip()

    return git("rev-parse", "--short=12", "HEAD") + (" with changes" if git("status", "--porcelain", "-uno") else "")


def _machine() -> dict[str, Any]:
    info = Path("/proc/cpuinfo").read_text(encoding="utf-8")
    model = next((line.partition(":")[2].strip() for line in info.splitlines() if line.startswith("model name")), "?")
    memory = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    return {"cores": os.cpu_count(), "cpu": model, "memory_gb": round(memory / 2**30), "system": platform.system()}


def _versions() -> dict[str, str]:
    names = ("psycopg", "uvicorn", "fastapi", "starlette", "orjson", "numpy")
    return {"python": platform.python_version(), **{n: version(n) for n in names}, **_DATABASE_VERSIONS}


_DATABASE_VERSIONS: dict[str, str] = {}


# --- the database ----------------------------------------------------------------------------------------------------


def rules(audiences: Sequence[str] | None = None) -> Policy:
    """The demo rules; or those rules for some of their audiences only."""
    path = policies.default_path()
    if audiences is None:
        return policies.load(path)
    raw = yaml.safe_load(path.read_text(encoding="utf-8"))
    raw["audiences"] = [a for a in raw["audiences"] if a["id"] in audiences]
    raw["batch"]["every_days"] = {k: v for k, v in raw["batch"]["every_days"].items() if k in ("default", *audiences)}
    for layer in raw["layers"].values():
        for name, verb in list(layer["own"].items()):
            if isinstance(verb, dict):
                kept = {kind: [a for a in listed if a in audiences] for kind, listed in verb.items()}
                layer["own"][name] = {kind: listed for kind, listed in kept.items() if listed}
                if not layer["own"][name]:
                    del layer["own"][name]
                    layer.setdefault("drop", []).append(name)
        if "coarse" in layer:
            layer["coarse"] = {a: tier for a, tier in layer["coarse"].items() if a in audiences}
    made = Path(_FOLDER.name) / f"{'-'.join(sorted(a.partition(':')[0] for a in audiences))}.yaml"
    made.write_text(yaml.safe_dump(raw, allow_unicode=True), encoding="utf-8")
    return policies.load(made)


_FOLDER = tempfile.TemporaryDirectory(prefix="parallax-bench-rules-")
"""Rule files that readers read again; removed when the program ends."""


@dataclass(frozen=True)
class Ground:
    """A running cluster with the settings of a real one: nothing is made unsafe for speed."""

    cluster: Cluster
    server: Server
    home: Path

    @property
    def pid(self) -> int:
        """Of the postmaster: its processor time is that of the database."""
        pid = self.cluster.status().pid
        assert pid is not None
        return pid

    def database(self, policy: Policy) -> Database:
        """A new migrated, empty database."""
        name = f"bench_{secrets.token_hex(3)}"
        with psycopg.connect(self.server.owner_dsn, autocommit=True) as conn:
            conn.execute(f"CREATE DATABASE {name}".encode())
        passwords = {r: self.server.passwords[r] for r in databases.roles(policy)}
        databases.migrate(self.server.dsn(name), policy, passwords)
        _DATABASE_VERSIONS.update(_database_versions(self.server.dsn(name)))
        return Database(
            name,
            owner_dsn=self.server.dsn(name),
            desk_dsn=self.server.dsn(name, databases.DESK),
            publisher_dsn=self.server.dsn(name, databases.PUBLISHER),
            auth_dsn=self.server.dsn(name, databases.AUTH),
            reader_dsn={a.id: self.server.dsn(name, a.role) for a in policy.audiences.values()},
        )


def _database_versions(dsn: str) -> dict[str, str]:
    with psycopg.connect(dsn) as conn:
        row = conn.execute("SELECT current_setting('server_version'), postgis_lib_version()").fetchone()
    assert row is not None
    return {"postgresql": row[0].split()[0], "postgis": row[1]}


@contextlib.contextmanager
def ground(**options: str) -> Iterator[Ground]:
    """A cluster in a folder under /tmp that is removed in the end. `options` are settings of PostgreSQL."""
    home = Path(tempfile.mkdtemp(prefix="parallax-bench-", dir="/tmp"))
    cluster = Cluster(home, options)
    password = secrets.token_urlsafe(24)
    try:
        cluster.initialise(password)
        cluster.start()
        dsn = make_conninfo(cluster.address, user=OWNER, password=password, dbname="postgres")
        passwords = {role: secrets.token_urlsafe(24) for role in databases.roles(rules())}
        yield Ground(cluster, Server(dsn, passwords), home)
    finally:
        cluster.kill()
        while cluster.status().pid is not None:
            time.sleep(0.02)
        shutil.rmtree(home)


# --- the reader ------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Running:
    """The reader as a process of its own, as it runs in service."""

    url: str
    pid: int


@contextlib.contextmanager
def reader(database: Database, home: Path, policy: Policy, **settings: Any) -> Iterator[Running]:
    """Run the reader over a database on a free port of the loopback address; stopped at the end."""
    values = {"version_poll": 0.5, "log_level": "warning", "policy": policy.path} | settings
    chosen: Settings = database.settings(home, **values)
    listening = process.open_socket(chosen.model_copy(update={"port": 0}), "reader")
    others = {name: value for name, value in os.environ.items() if not name.startswith(("PARALLAX_", "PG"))}
    child = subprocess.Popen(
        [sys.executable, "-m", "mapserver.process", "reader", str(listening.fileno())],
        cwd=ROOT,
        env=others | credentials.environment(chosen),
        pass_fds=(listening.fileno(),),
    )
    try:
        url = f"http://127.0.0.1:{listening.getsockname()[1]}"
        listening.close()
        deadline = time.monotonic() + 30
        while True:
            try:
                urllib.request.urlopen(f"{url}/health", timeout=5).read()
                break
            except OSError:
                if child.poll() is not None or time.monotonic() > deadline:
                    raise RuntimeError("the reader did not start; the lines above say why") from None
                time.sleep(0.05)
        yield Running(url, child.pid)
    finally:
        child.terminate()
        child.wait()
