"""One command starts everything and stops everything: a real supervisor, with the demo mission, in its own folder."""

from __future__ import annotations

import contextlib
import json
import os
import pty
import re
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

from mapserver.cluster import Cluster

SECONDS = 120
READY = "Stop with Ctrl-C"


def free_port() -> int:
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        return int(found.getsockname()[1])


def until(true: Callable[[], object], what: str) -> None:
    deadline = time.monotonic() + SECONDS
    while not true():
        assert time.monotonic() < deadline, f"{what} did not happen"
        time.sleep(0.02)


class Home:
    """A home folder, two free ports, and `parallax` commands on them."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.port, self.desk_port = free_port(), free_port()
        self.log = folder / "serve.log"
        self.running: subprocess.Popen[bytes] | None = None

    def environment(self, **changes: str) -> dict[str, str]:
        return os.environ | {
            "PARALLAX_HOME": str(self.folder / "home"),
            "PARALLAX_PORT": str(self.port),
            "PARALLAX_DESK_PORT": str(self.desk_port),
            **changes,
        }

    def start(self, *options: str) -> None:
        with self.log.open("wb") as log:
            self.running = subprocess.Popen(
                [sys.executable, "-m", "mapserver.cli", "serve", *options],
                env=self.environment(),
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
            )
        running = self.running
        until(lambda: READY in self.text() or running.poll() is not None, "the server")
        assert READY in self.text(), self.text()

    def stop(self, number: signal.Signals = signal.SIGINT) -> int:
        assert self.running
        self.running.send_signal(number)
        return self.running.wait(SECONDS)

    def text(self) -> str:
        return self.log.read_text()

    def command(self, *arguments: str, **changes: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [sys.executable, "-m", "mapserver.cli", *arguments],
            env=self.environment(**changes),
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=SECONDS,
            check=False,
        )

    def children(self) -> dict[str, int]:
        """The server processes by name."""
        assert self.running
        found = {}
        for process in Path("/proc").iterdir():
            with contextlib.suppress(OSError, ValueError):
                parts = (process / "cmdline").read_bytes().decode().split("\0")
                parent = int((process / "stat").read_text().rpartition(")")[2].split()[1])
                if parent == self.running.pid and "mapserver.process" in parts:
                    found[parts[parts.index("mapserver.process") + 1]] = int(process.name)
        return found

    def cluster(self) -> Cluster:
        return Cluster(self.folder / "home")

    def get(self, path: str) -> httpx.Response:
        return httpx.get(f"http://127.0.0.1:{self.port}{path}")


@pytest.fixture(scope="module")
def home() -> Iterator[Home]:
    folder = Path(tempfile.mkdtemp(prefix="parallax-test-", dir="/tmp"))
    folder.chmod(0o711)
    made = Home(folder)
    try:
        made.start()
        yield made
    finally:
        if made.running and made.running.poll() is None:
            made.stop()
        made.cluster().kill()
        until(lambda: made.cluster().status().pid is None, "the end of the cluster")
        shutil.rmtree(folder)


@pytest.fixture
def served(home: Home) -> Home:
    """The server, started again when the test before stopped it."""
    if home.running is None or home.running.poll() is not None:
        home.start()
    return home


@pytest.fixture
def stopped(home: Home) -> Home:
    """The server, stopped."""
    if home.running and home.running.poll() is None:
        home.stop()
    return home


def test_it_says_where_it_is_and_who_may_sign_in(served: Home) -> None:
    text = served.text()
    assert f"http://127.0.0.1:{served.port}/" in text
    passwords = json.loads((served.folder / "home" / "secrets" / "demo-accounts.json").read_text())
    assert {"jmac", "duty", "gis", "au", "admin"} == set(passwords)
    assert all(password in text for password in passwords.values())


def test_the_public_sees_the_demo_mission(served: Home) -> None:
    answer = served.get("/public/collections/facilities/items?limit=1")
    assert answer.status_code == 200
    assert answer.json()["numberMatched"] > 1000
    assert answer.headers["x-classification"] == "PUBLIC"


def test_the_accounts_can_sign_in(served: Home) -> None:
    passwords = json.loads((served.folder / "home" / "secrets" / "demo-accounts.json").read_text())
    answer = httpx.post(
        f"http://127.0.0.1:{served.port}/api/session",
        json={"name": "au", "password": passwords["au"]},
        headers={"X-Parallax": "1", "Origin": f"http://127.0.0.1:{served.port}"},
    )
    assert answer.status_code == 200
    assert [one["id"] for one in answer.json()["account"]["audiences"]] == ["partner:au"]


def test_each_process_holds_its_own_credentials_only(served: Home) -> None:
    held = {}
    for name, pid in served.children().items():
        variables = Path(f"/proc/{pid}/environ").read_bytes().decode().split("\0")
        held[name] = set(re.findall(r"user=(parallax_\w+)", "\n".join(variables)))
    assert held["desk"] == {"parallax_desk", "parallax_auth"}
    assert held["publisher"] == {"parallax_publisher"}
    assert held["reader"] >= {"parallax_auth", "parallax_rel_public"}
    assert all(role == "parallax_auth" or role.startswith("parallax_rel_") for role in held["reader"])


def test_no_secret_stands_in_an_argument(served: Home) -> None:
    secrets = served.folder / "home" / "secrets"
    words = set(re.findall(r'": "([^"]+)"', "".join(path.read_text() for path in secrets.rglob("*.json"))))
    assert len(words) > 10
    for pid in served.children().values():
        arguments = Path(f"/proc/{pid}/cmdline").read_text()
        assert not any(word in arguments for word in words)


def test_nothing_listens_beyond_loopback(served: Home) -> None:
    inodes = set()
    for pid in (*served.children().values(), served.cluster().status().pid):
        for descriptor in Path(f"/proc/{pid}/fd").iterdir():
            with contextlib.suppress(OSError):
                inodes |= set(re.findall(r"socket:\[(\d+)\]", str(descriptor.readlink())))
    listening = []
    for table in ("/proc/net/tcp", "/proc/net/tcp6"):
        rows = [line.split() for line in Path(table).read_text().splitlines()[1:]]
        listening += [row[1] for row in rows if row[3] == "0A" and row[9] in inodes]
    assert sorted(listening) == sorted(f"0100007F:{port:04X}" for port in (served.port, served.desk_port))


def test_a_process_that_dies_is_started_again(served: Home) -> None:
    before = served.children()["publisher"]
    os.kill(before, signal.SIGKILL)
    until(lambda: served.children().get("publisher") not in (None, before), "a new publisher")
    assert "the publisher ended (signal SIGKILL); starting it again" in served.text()


def test_a_second_server_on_the_folder_is_refused(served: Home) -> None:
    second = served.command("serve", PARALLAX_PORT=str(free_port()), PARALLAX_DESK_PORT=str(free_port()))
    assert second.returncode == 1
    assert re.fullmatch(
        r"parallax: .* is in use by `parallax serve` \(process \d+\);.*PARALLAX_HOME.*\n", second.stderr
    )


def test_a_port_in_use_names_the_remedy(served: Home, tmp_path: Path) -> None:
    other = served.command("serve", PARALLAX_HOME=str(tmp_path / "other"))
    assert other.returncode == 2
    assert re.fullmatch(
        r"parallax: cannot listen on .*: in use; choose another, e\.g\. PARALLAX_PORT=\d+\n", other.stderr
    )


def test_commands_work_beside_the_server(served: Home) -> None:
    listed = served.command("user", "list")
    assert listed.returncode == 0, listed.stderr
    assert "partner:au" in listed.stdout
    assert served.command("db", "status").returncode == 0
    refused = served.command("db", "stop")
    assert (refused.returncode, "in use by `parallax serve`" in refused.stderr) == (1, True)


def test_the_publisher_is_well(served: Home) -> None:
    until(lambda: served.command("publisher", "--health").returncode == 0, "the health of the publisher")


def test_signals_stop_everything_and_a_second_start_changes_nothing(served: Home) -> None:
    secrets = served.folder / "home" / "secrets"
    before = {path: path.read_bytes() for path in secrets.rglob("*.json")}
    for number in (signal.SIGINT, signal.SIGTERM):
        children = served.children()
        assert set(children) == {"reader", "desk", "publisher"}
        assert served.stop(number) == 0
        assert not any(Path(f"/proc/{pid}").exists() for pid in children.values())
        assert served.cluster().status().pid is None
        served.start()
        assert "loading" not in served.text()
        assert {path: path.read_bytes() for path in secrets.rglob("*.json")} == before


def test_after_a_kill_the_children_die_and_the_next_start_takes_over(served: Home) -> None:
    children, cluster = served.children(), served.cluster().status().pid
    assert served.stop(signal.SIGKILL) == -signal.SIGKILL
    until(lambda: not any(Path(f"/proc/{pid}/exe").exists() for pid in children.values()), "the end of the children")
    assert served.cluster().status().pid == cluster
    served.start()
    assert served.cluster().status().pid == cluster
    assert served.get("/health").status_code == 200


def test_a_kill_of_all_leaves_a_cluster_that_recovers(served: Home) -> None:
    cluster = served.cluster().status().pid
    assert cluster
    served.stop(signal.SIGKILL)
    os.kill(cluster, signal.SIGKILL)
    until(lambda: served.cluster().status().pid is None, "the end of the cluster")
    served.start()
    assert served.get("/public/collections/facilities/items?limit=1").json()["numberMatched"] > 1000
    assert served.stop() == 0
    assert served.cluster().status().pid is None


def test_reset_needs_a_terminal_or_yes(stopped: Home) -> None:
    refused = stopped.command("serve", "--reset")
    assert (refused.returncode, refused.stderr) == (
        1,
        "parallax: there is no terminal to ask on; give --yes if you mean it\n",
    )
    assert (stopped.folder / "home" / "cluster").exists()


def test_reset_asks_on_a_terminal(stopped: Home) -> None:
    controller, terminal = pty.openpty()
    try:
        asked = subprocess.Popen(
            [sys.executable, "-m", "mapserver.cli", "serve", "--reset"],
            env=stopped.environment(),
            stdin=terminal,
            stdout=terminal,
            stderr=terminal,
        )
        text = b""
        while b"[y/N]" not in text:
            text += os.read(controller, 1000)
        os.write(controller, b"n\n")
        assert asked.wait(SECONDS) == 1
    finally:
        os.close(controller)
        os.close(terminal)
    assert b"Remove all data, passwords and accounts" in text
    assert (stopped.folder / "home" / "cluster").exists()


def test_reset_starts_afresh(stopped: Home) -> None:
    accounts = stopped.folder / "home" / "secrets" / "demo-accounts.json"
    before = json.loads(accounts.read_text())
    stopped.start("--reset", "--yes")
    assert "loading the demo mission" in stopped.text()
    assert json.loads(accounts.read_text())["admin"] != before["admin"]
