"""Database, migration, reader, desk and publisher as separate services, wired as in docker/compose.yaml.

Each has a home of its own, and a folder of secrets that holds what its volumes would.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import httpx
import pytest

from mapserver import process

SECONDS = 60


class Services:
    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.data = folder / "data"
        self.ports = {"reader": _free_port(), "desk": _free_port()}
        self.running: dict[str, subprocess.Popen[bytes]] = {}

    def environment(self, name: str, *secrets: str) -> dict[str, str]:
        """The settings of a service that sees the secrets of those processes only."""
        seen = self.folder / name / "secrets"
        seen.mkdir(parents=True, mode=0o700)
        for one in secrets:
            (self.folder / "volumes" / one).mkdir(parents=True, exist_ok=True, mode=0o700)
            (seen / one).symlink_to(self.folder / "volumes" / one)
        return os.environ | {
            "PARALLAX_MODE": "production",
            "PARALLAX_HTTPS": "true",
            "PARALLAX_HOME": str(self.folder / name),
            "PARALLAX_SECRETS": str(seen),
            "PARALLAX_DATABASE": f"host={self.data / 'socket'} port=5432 dbname=parallax",
            "PARALLAX_PORT": str(self.ports["reader"]),
            "PARALLAX_DESK_PORT": str(self.ports["desk"]),
        }

    def start_database(self) -> None:
        environment = self.environment("database", "owner")
        del environment["PARALLAX_DATABASE"]
        environment["PARALLAX_HOME"] = str(self.data)
        command = [sys.executable, "-m", "mapserver.cli", "db"]
        self.running["database"] = subprocess.Popen([*command, "start", "--foreground"], env=environment)
        _until(lambda: self.command(environment, "db", "status").returncode == 0)

    def command(self, environment: dict[str, str], *words: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [sys.executable, "-m", "mapserver.cli", *words],
            env=environment,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            check=False,
            timeout=SECONDS,
        )

    def serve(self, name: str) -> None:
        command = [sys.executable, "-m", "mapserver.cli", "serve", "--only", name]
        self.running[name] = subprocess.Popen(command, env=self.environment(name, name))

    def stop(self) -> dict[str, int]:
        statuses = {}
        for name in reversed(self.running):
            number = signal.SIGINT if name == "database" else signal.SIGTERM
            self.running[name].send_signal(number)
            statuses[name] = self.running[name].wait(SECONDS)
        self.running.clear()
        return statuses


def _free_port() -> int:
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        return int(found.getsockname()[1])


def _until(true: Callable[[], bool]) -> None:
    deadline = time.monotonic() + SECONDS
    while not true():
        assert time.monotonic() < deadline
        time.sleep(0.05)


def _answer(port: int, path: str) -> int:
    with contextlib.suppress(httpx.TransportError):
        return httpx.get(f"http://127.0.0.1:{port}{path}").status_code
    return 0


@pytest.fixture(scope="module")
def services() -> Iterator[Services]:
    folder = Path(tempfile.mkdtemp(prefix="parallax-test-", dir="/tmp"))
    folder.chmod(0o711)
    made = Services(folder)
    try:
        made.start_database()
        yield made
    finally:
        made.stop()
        shutil.rmtree(folder)


def test_the_services_start_one_after_the_other(services: Services) -> None:
    everything = services.environment("migrate", "owner", "reader", "desk", "publisher")
    migrated = services.command(everything, "db", "migrate")
    assert (migrated.returncode, migrated.stderr) == (0, "")
    for name in ("reader", "desk", "publisher"):
        services.serve(name)
    _until(lambda: _answer(services.ports["reader"], "/public/collections") == 200)
    _until(lambda: _answer(services.ports["desk"], process.HEALTH["desk"]) == 200)
    health = services.folder / "publisher" / "run" / "publisher" / "health.json"
    _until(health.exists)


def test_a_service_without_its_secrets_says_so(services: Services) -> None:
    failed = services.command(services.environment("stranger"), "serve", "--only", "desk")
    assert failed.returncode == 2
    assert failed.stderr.startswith("parallax desk: the desk has no secret, desk_dsn, auth_dsn: neither set")
    assert failed.stderr.count("\n") == 1


def test_accounts_are_made_beside_them(services: Services) -> None:
    environment = services.environment("accounts", "desk")
    made = services.command(environment, "user", "add", "okello", "--audience", "unclassified", "--generate")
    assert (made.returncode, made.stderr) == (0, "")


def test_they_end_in_good_order(services: Services) -> None:
    statuses = services.stop()
    assert statuses == {"publisher": 0, "desk": -signal.SIGTERM, "reader": -signal.SIGTERM, "database": 0}
