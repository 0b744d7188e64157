"""The embedded cluster: made once, reached by its socket and password only, recovered after a kill."""

from __future__ import annotations

import os
import shutil
import signal
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest
from psycopg.conninfo import make_conninfo

from mapserver import cluster as clusters
from mapserver.cluster import LONGEST_SOCKET_FOLDER, OWNER, Cluster, ClusterError, create_database

PASSWORD = "a password with 'quotes' \\ and spaces"


@pytest.fixture(scope="module")
def folder() -> Iterator[Path]:
    """A short path that the cluster's account can pass."""
    made = Path(tempfile.mkdtemp(prefix="parallax-test-", dir="/tmp"))
    made.chmod(0o711)
    yield made
    shutil.rmtree(made)


@pytest.fixture(scope="module")
def own(folder: Path) -> Iterator[Cluster]:
    made = Cluster(folder / "home")
    made.initialise(PASSWORD)
    yield made
    made.stop()


def connect(cluster: Cluster, **changes: str) -> psycopg.Connection:
    return psycopg.connect(
        make_conninfo(cluster.address, **{"user": OWNER, "password": PASSWORD, "dbname": "postgres"} | changes)
    )


def setting(connection: psycopg.Connection, name: str) -> str:
    row = connection.execute("SELECT current_setting(%s)", [name]).fetchone()
    assert row
    return str(row[0])


def test_starts_once_and_stops_once(own: Cluster) -> None:
    assert own.start() is True
    assert own.start() is False
    assert own.status().running
    assert own.stop() is True
    assert own.stop() is False
    assert own.status() == clusters.Status(initialised=True, running=False, pid=None)


def test_a_second_initialisation_changes_nothing(own: Cluster) -> None:
    before = (own.data / "PG_VERSION").stat().st_mtime_ns
    own.initialise("another password")
    assert (own.data / "PG_VERSION").stat().st_mtime_ns == before
    own.start()
    connect(own).close()


def test_an_interrupted_initialisation_is_done_again(folder: Path) -> None:
    home = folder / "interrupted"
    (home / "cluster.part").mkdir(parents=True)
    (home / "cluster.part" / "PG_VERSION").write_text("15\n")
    interrupted = Cluster(home)
    assert not interrupted.status().initialised
    interrupted.initialise(PASSWORD)
    assert interrupted.status().initialised
    assert not (home / "cluster.part").exists()


def test_it_is_reached_by_socket_and_password_only(own: Cluster) -> None:
    own.start()
    with connect(own) as connection:
        assert setting(connection, "listen_addresses") == ""
        assert setting(connection, "server_encoding") == "UTF8"
        assert setting(connection, "data_checksums") == "on"
        assert setting(connection, "jit") == "off"
    with pytest.raises(psycopg.OperationalError, match="password"):
        connect(own, password="wrong")


def test_data_belong_to_an_unprivileged_account(own: Cluster) -> None:
    assert own.data.stat().st_mode & 0o777 == 0o700
    assert own.data.stat().st_uid != 0
    with connect(own) as connection:
        assert connection.info.backend_pid
        assert Path(f"/proc/{own.status().pid}").stat().st_uid == own.data.stat().st_uid


def test_the_log_holds_no_statement(own: Cluster) -> None:
    own.start()
    with connect(own) as connection, pytest.raises(psycopg.errors.UndefinedTable):
        connection.execute("SELECT 'canary-in-a-statement' FROM nothing_of_that_name")
    assert "canary-in-a-statement" not in own.log.read_text()


def test_a_killed_cluster_is_recovered(own: Cluster) -> None:
    own.start()
    kept = make_conninfo(own.address, user=OWNER, password=PASSWORD, dbname="kept")
    assert create_database(kept) is True
    pid = own.status().pid
    assert pid
    os.kill(pid, signal.SIGKILL)
    while own.status().pid is not None:
        time.sleep(0.01)
    assert own.start() is True
    assert create_database(kept) is False


def test_a_pid_file_that_names_a_stranger_is_no_hindrance(own: Cluster) -> None:
    own.stop()
    (own.data / "postmaster.pid").write_text(f"{os.getpid()}\n{own.data}\n0\n5432\n\n\n\nready\n")
    assert own.status().pid is None
    assert own.start() is True


def test_a_start_that_fails_names_the_log(folder: Path) -> None:
    broken = Cluster(folder / "broken", {"shared_buffers": "no number"})
    broken.initialise(PASSWORD)
    with pytest.raises(ClusterError, match=r"the cluster's log is .*cluster\.log"):
        broken.start()


def test_without_a_cluster_the_error_says_how_to_make_one(folder: Path) -> None:
    with pytest.raises(ClusterError, match="parallax serve"):
        Cluster(folder / "nothing").start()


def test_a_long_path_gets_a_short_socket(folder: Path) -> None:
    long = Cluster(folder / ("x" * LONGEST_SOCKET_FOLDER))
    assert len(os.fsencode(long.socket_folder)) <= LONGEST_SOCKET_FOLDER
    long.initialise(PASSWORD)
    try:
        long.start()
        connect(long).close()
    finally:
        long.stop()
        shutil.rmtree(long.socket_folder)


def test_a_socket_folder_made_by_somebody_else_is_refused(folder: Path) -> None:
    target = folder / "elsewhere"
    target.mkdir()
    victim = Cluster(folder / "victim")
    victim.home.mkdir()
    victim.socket_folder.symlink_to(target)
    with pytest.raises(ClusterError, match="belongs to somebody else"):
        victim.initialise(PASSWORD)


def test_a_missing_server_names_the_package(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(clusters, "OLDEST_VERSION", 999)
    with pytest.raises(ClusterError, match="postgresql-postgis"):
        clusters.binaries()
