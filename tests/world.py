"""What tests run against: a database server, a database on it with the DSN of each role, and a running reader."""

from __future__ import annotations

import datetime as dt
import socket
import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psycopg
import uvicorn
from psycopg import sql
from psycopg.conninfo import make_conninfo
from starlette.types import ASGIApp

from ingest import demo
from layers import release
from layers.policy import Policy
from layers.vault import Vault
from mapserver.app import create_app
from mapserver.settings import Settings

SECRET = "0123456789abcdefghijklmnopqrstuv for tests"
START_SECONDS = 30


@dataclass(frozen=True)
class Server:
    """A PostgreSQL server, and the passwords of every role of the policy on it."""

    owner_dsn: str
    """A superuser in some database."""
    passwords: Mapping[str, str]

    def dsn(self, database: str, role: str | None = None) -> str:
        """A connection to that database, as the superuser or as one of the roles."""
        who = {"user": role, "password": self.passwords[role]} if role else {}
        return make_conninfo(self.owner_dsn, dbname=database, **who)

    def execute(self, statement: sql.Composed) -> None:
        with psycopg.connect(self.owner_dsn, autocommit=True) as connection:
            connection.execute(statement)


@dataclass(frozen=True)
class Database:
    """A migrated database and the DSN of each role; `reader_dsn` by audience id."""

    name: str
    owner_dsn: str
    desk_dsn: str
    publisher_dsn: str
    auth_dsn: str
    reader_dsn: Mapping[str, str]

    def settings(self, home: Path, **changes: Any) -> Settings:
        """The settings of a reader over this database: no credential of the vault among them."""
        values: dict[str, Any] = {
            "home": home,
            "secret": SECRET,
            "version_poll": 0,
            "auth_dsn": self.auth_dsn,
            "reader_dsn": dict(self.reader_dsn),
        }
        return Settings(**(values | changes))


@dataclass(frozen=True)
class Reader:
    """A running reader: its address without a final slash, and the application inside."""

    url: str
    app: ASGIApp
    settings: Settings


@contextmanager
def run_reader(settings: Settings) -> Iterator[Reader]:
    """Run the real reader in a thread, on a free port of the loopback address."""
    app = create_app(settings)
    with serve(app) as url:
        yield Reader(url, app, settings)


@contextmanager
def serve(app: ASGIApp) -> Iterator[str]:
    """Run an application in a thread, on a free port of the loopback address; gives its address."""
    with socket.socket() as listening:
        listening.bind(("127.0.0.1", 0))
        server = uvicorn.Server(uvicorn.Config(app, log_level="warning", lifespan="on", timeout_graceful_shutdown=2))
        thread = threading.Thread(target=server.run, kwargs={"sockets": [listening]})
        thread.start()
        try:
            deadline = time.monotonic() + START_SECONDS
            while not server.started:
                if not thread.is_alive() or time.monotonic() > deadline:
                    raise RuntimeError("the reader did not start; its log says why")
                time.sleep(0.01)
            yield f"http://127.0.0.1:{listening.getsockname()[1]}"
        finally:
            server.should_exit = True
            thread.join()


def fill_demo(database: Database, policy: Policy) -> None:
    """Load the demo mission, then run the batch of the last slot for every delayed audience."""
    with Vault(database.desk_dsn) as vault:
        demo.load(vault)
    for _ in release.run_due(database.publisher_dsn, policy, dt.datetime.now(dt.UTC)):
        pass
