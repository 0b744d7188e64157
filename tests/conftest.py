"""Fixtures over a real PostgreSQL with PostGIS: one cluster a session, one cloned database a module.

The cluster is our own embedded one in a folder under /tmp, without the safety of fsync; or, when
PARALLAX_TEST_DATABASE_URL names a superuser's connection, that server. Its roles parallax_* then get new passwords.
A missing program is an error that names its package; nothing is skipped.
"""

from __future__ import annotations

import os
import secrets
import shutil
import tempfile
import time
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import psycopg
import pytest
from psycopg import sql
from psycopg.conninfo import make_conninfo

from layers import database as databases
from layers import grants
from layers import policy as rules
from layers.door import Door
from layers.policy import Policy
from layers.vault import Vault
from mapserver.cluster import OWNER, Cluster, ClusterError, binaries
from tests.world import Database, Reader, Server, fill_demo, run_reader

EXTERNAL = "PARALLAX_TEST_DATABASE_URL"
SPEED = {
    # the data is thrown away
    "fsync": "off",
    "synchronous_commit": "off",
    "full_page_writes": "off",
    "wal_level": "minimal",
    "max_wal_senders": "0",
    "shared_buffers": "256MB",
    # many modules hold pools for every audience
    "max_connections": "300",
}


def pytest_configure() -> None:
    """Tests see the defaults, whatever the settings of the person who runs them."""
    for name in [name for name in os.environ if name.startswith("PARALLAX_") and name != EXTERNAL]:
        del os.environ[name]
    os.environ["PARALLAX_CONFIG"] = ""


def pytest_report_header() -> str:
    """The versions of the database. Ends the run with the name of the package when a component is missing."""
    external = os.environ.get(EXTERNAL)
    try:
        if external:
            with psycopg.connect(external) as connection:
                row = connection.execute(
                    "SELECT current_setting('server_version'), default_version FROM pg_available_extensions"
                    " WHERE name = 'postgis'"
                ).fetchone()
            if row is None:
                pytest.exit(f"the server of {EXTERNAL} has no PostGIS; install postgresql-15-postgis-3 there", 1)
            return f"database: PostgreSQL {row[0]}, PostGIS {row[1]} ({EXTERNAL})"
        version = binaries().parent.name
    except (ClusterError, psycopg.OperationalError) as error:
        pytest.exit(" ".join(str(error).split()), 1)
    control = Path(f"/usr/share/postgresql/{version}/extension/postgis.control")
    if not control.is_file():
        pytest.exit(f"PostGIS is missing: {control}; install the package postgresql-{version}-postgis-3", 1)
    postgis = next(line for line in control.read_text().splitlines() if line.startswith("default_version"))
    return f"database: PostgreSQL {version}, PostGIS {postgis.split(chr(39))[1]} (own cluster)"


@pytest.fixture(scope="session")
def anyio_backend() -> str:
    """Asynchronous tests and fixtures run on asyncio, as the server does."""
    return "asyncio"


@pytest.fixture(scope="session")
def policy() -> Policy:
    return rules.load(rules.default_path())


@pytest.fixture(scope="session")
def cluster(policy: Policy) -> Iterator[Server]:
    passwords = {role: secrets.token_urlsafe(24) for role in databases.roles(policy)}
    external = os.environ.get(EXTERNAL)
    if external:
        yield Server(external, passwords)
        return
    # under /tmp: the path of a socket is short, and the account of the cluster must be able to pass
    home = Path(tempfile.mkdtemp(prefix="parallax-test-", dir="/tmp"))
    password = secrets.token_urlsafe(24)
    own = Cluster(home, SPEED)
    try:
        own.initialise(password)
        own.start()
        yield Server(make_conninfo(own.address, user=OWNER, password=password, dbname="postgres"), passwords)
    finally:
        own.kill()
        while own.status().pid is not None:
            time.sleep(0.02)
        shutil.rmtree(home)


def _create(server: Server, name: str, template: str = "template1") -> None:
    server.execute(sql.SQL("CREATE DATABASE {} TEMPLATE {}").format(sql.Identifier(name), sql.Identifier(template)))


def _drop(server: Server, name: str) -> None:
    server.execute(sql.SQL("DROP DATABASE IF EXISTS {} WITH (FORCE)").format(sql.Identifier(name)))


def _database(server: Server, policy: Policy, name: str) -> Database:
    return Database(
        name,
        owner_dsn=server.dsn(name),
        desk_dsn=server.dsn(name, databases.DESK),
        publisher_dsn=server.dsn(name, databases.PUBLISHER),
        auth_dsn=server.dsn(name, databases.AUTH),
        reader_dsn={id_: server.dsn(name, audience.role) for id_, audience in policy.audiences.items()},
    )


@pytest.fixture(scope="session")
def clone(cluster: Server, policy: Policy) -> Callable[[str], Database]:
    """Copies a database; the caller drops the copy, or leaves it to the end of the cluster."""

    def copy(template: str) -> Database:
        name = f"parallax_test_{secrets.token_hex(4)}"
        _create(cluster, name, template)
        # rights on a database, and settings of roles in it, do not come with its template
        with psycopg.connect(cluster.dsn(name)) as connection:
            grants.grant(connection, policy)
        return _database(cluster, policy, name)

    return copy


@pytest.fixture(scope="session")
def template(cluster: Server, policy: Policy) -> Iterator[str]:
    """Name of a migrated, empty database that nobody is connected to."""
    name = f"parallax_template_{secrets.token_hex(4)}"
    _create(cluster, name)
    databases.migrate(cluster.dsn(name), policy, cluster.passwords)
    yield name
    _drop(cluster, name)


@pytest.fixture(scope="module")
def database(cluster: Server, template: str, clone: Callable[[str], Database]) -> Iterator[Database]:
    """A migrated, empty database for this module alone."""
    own = clone(template)
    yield own
    _drop(cluster, own.name)


@pytest.fixture(scope="session")
def demo_template(
    cluster: Server, policy: Policy, template: str, clone: Callable[[str], Database]
) -> Iterator[Database]:
    """A database with the demo mission and one batch for every delayed release; never connected to again."""
    own = clone(template)
    fill_demo(own, policy)
    yield own
    _drop(cluster, own.name)


@pytest.fixture(scope="session")
def demo_database(cluster: Server, demo_template: Database, clone: Callable[[str], Database]) -> Iterator[Database]:
    """The demo mission. Shared by all modules: read it, do not change it."""
    own = clone(demo_template.name)
    yield own
    _drop(cluster, own.name)


@pytest.fixture(scope="module")
def demo_copy(cluster: Server, demo_template: Database, clone: Callable[[str], Database]) -> Iterator[Database]:
    """The demo mission in a database for this module alone, which it may change."""
    own = clone(demo_template.name)
    yield own
    _drop(cluster, own.name)


@pytest.fixture(scope="module")
def vault(database: Database) -> Iterator[Vault]:
    with Vault(database.desk_dsn) as opened:
        yield opened


@pytest.fixture(scope="module")
async def door(database: Database, policy: Policy, anyio_backend: str) -> AsyncIterator[Door]:
    opened = Door(policy, database.reader_dsn)
    await opened.open()
    yield opened
    await opened.close()


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Callable[..., Reader]]:
    """Starts the real reader over a database: `server(database, port=…)`; keywords are settings."""
    with ExitStack() as running:

        def start(database: Database, **settings: Any) -> Reader:
            home = tmp_path_factory.mktemp("home")
            return running.enter_context(run_reader(database.settings(home, **settings)))

        yield start
