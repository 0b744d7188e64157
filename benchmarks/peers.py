"""The tools that are compared with: tipg and nginx. Neither belongs to the project; without them a part is left out.

tipg is looked for in the Python that BENCH_TIPG names, e.g. that of a venv made for it (`pip install tipg uvicorn`).
"""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import socket
import subprocess
import time
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import quote

from psycopg.conninfo import conninfo_to_dict

from benchmarks.harness import Running
from tests.world import Database

TIPG_PYTHON = "BENCH_TIPG"


def _free_port() -> int:
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        return int(one.getsockname()[1])


def _wait(url: str, child: subprocess.Popen[bytes]) -> None:
    deadline = time.monotonic() + 60
    while True:
        try:
            urllib.request.urlopen(url, timeout=20).read()
            return
        except OSError:
            if child.poll() is not None or time.monotonic() > deadline:
                raise RuntimeError(f"{url} does not answer") from None
            time.sleep(0.1)


@contextlib.contextmanager
def tipg(database: Database, schema: str, table: str) -> Iterator[Running | None]:
    """tipg over one released table; one worker, four connections. As the owner: it makes functions of its own."""
    python = os.environ.get(TIPG_PYTHON)
    if not python:
        yield None
        return
    dsn = conninfo_to_dict(database.owner_dsn)
    port = _free_port()
    environment = {
        "PATH": os.environ["PATH"],
        "DATABASE_URL": f"postgresql://{dsn['user']}:{dsn['password']}@{quote(str(dsn['host']), safe='')}:{dsn['port']}"
        f"/{dsn['dbname']}",
        "DB_MIN_CONN_SIZE": "4",
        "DB_MAX_CONN_SIZE": "4",
        "TIPG_DB_SCHEMAS": f'["{schema}"]',
        "TIPG_DB_TABLES": f'["{schema}.{table}"]',
        "TIPG_TABLE_CONFIG": json.dumps({f"{schema}_{table}": {"pk": "fid"}}),
        "TIPG_DEFAULT_FEATURES_LIMIT": "1000",
        "TIPG_MAX_FEATURES_PER_QUERY": "10000",
        "TIPG_MAX_FEATURES_PER_TILE": "10000",
    }
    child = subprocess.Popen(
        [python, "-m", "uvicorn", "tipg.main:app", "--port", str(port), "--log-level", "warning"], env=environment
    )
    try:
        _wait(f"http://127.0.0.1:{port}/collections?f=json", child)
        yield Running(f"http://127.0.0.1:{port}", child.pid)
    finally:
        child.terminate()
        child.wait()


@contextlib.contextmanager
def nginx(folder: Path) -> Iterator[Running | None]:
    """nginx with one worker over the files of a folder, on the loopback address; no log of requests."""
    program = shutil.which("nginx") or shutil.which("nginx", path="/usr/sbin")
    if not program:
        yield None
        return
    port = _free_port()
    config = folder / "nginx.conf"
    config.write_text(
        f"""worker_processes 1; daemon off; pid {folder}/nginx.pid; error_log {folder}/error.log;
{"user root;" if os.geteuid() == 0 else ""}
events {{ worker_connections 512; }}
http {{ access_log off; sendfile on; tcp_nopush on; etag on; keepalive_requests 10000000;
  client_body_temp_path {folder}/b; proxy_temp_path {folder}/p; fastcgi_temp_path {folder}/f;
  uwsgi_temp_path {folder}/u; scgi_temp_path {folder}/s;
  types {{ application/vnd.mapbox-vector-tile mvt; }}
  server {{ listen 127.0.0.1:{port}; root {folder}; add_header Cache-Control "private, no-cache"; }} }}
""",
        encoding="utf-8",
    )
    child = subprocess.Popen([program, "-c", str(config), "-p", str(folder), "-e", f"{folder}/error.log"])
    try:
        _wait(f"http://127.0.0.1:{port}/tile.mvt", child)
        yield Running(f"http://127.0.0.1:{port}", child.pid)
    finally:
        child.terminate()
        child.wait()
