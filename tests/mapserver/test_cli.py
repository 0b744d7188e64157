"""The command line: help with an example for every command, errors in one line with the remedy, exit status 2 and 1."""

from __future__ import annotations

import json
import re
import shutil
import signal
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import psycopg
import pytest
import typer.main

from layers import policy as policies
from mapserver import cli
from tests.world import Database


@dataclass
class Result:
    status: int
    out: str
    err: str


Run = Callable[..., Result]


@pytest.fixture
def run(monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]) -> Run:
    """`run("user", "list")` → status, standard output, standard error."""

    def command(*arguments: str) -> Result:
        monkeypatch.setattr(sys, "argv", ["parallax", *arguments])
        with pytest.raises(SystemExit) as ended:
            cli.main()
        out, err = capfd.readouterr()
        code = ended.value.code
        return Result(code if isinstance(code, int) else 0, out, err)

    return command


@pytest.fixture
def connected(database: Database, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Commands work on the module's database."""
    for name, value in {
        "HOME": str(tmp_path),
        "OWNER_DSN": database.owner_dsn,
        "DESK_DSN": database.desk_dsn,
        "PUBLISHER_DSN": database.publisher_dsn,
        "AUTH_DSN": database.auth_dsn,
        "READER_DSN": json.dumps(dict(database.reader_dsn)),
        "SECRET": "0123456789abcdefghijklmnopqrstuv",
    }.items():
        monkeypatch.setenv(f"PARALLAX_{name}", value)


def _commands(group: object, path: tuple[str, ...] = ()) -> Iterator[tuple[str, ...]]:
    children = getattr(group, "commands", None)
    if children is None:
        yield path
    else:
        for name, child in children.items():
            yield from _commands(child, (*path, name))


COMMANDS = sorted(_commands(typer.main.get_command(cli.app)))


def test_these_commands_exist() -> None:
    assert {" ".join(command) for command in COMMANDS} >= {
        *("serve", "ingest", "publisher", "demo load"),
        *("db start", "db stop", "db status", "db migrate"),
        *("policy check", "policy show", "release rebuild", "release verify"),
        *("user add", "user list", "user disable", "user password", "user token"),
    }


@pytest.mark.parametrize("command", COMMANDS, ids=" ".join)
def test_every_command_explains_itself_with_an_example(run: Run, command: tuple[str, ...]) -> None:
    shown = run(*command, "--help")
    assert shown.status == 0
    assert f"Usage: parallax {' '.join(command)}" in shown.out
    assert f"parallax {' '.join(command)}" in shown.out.partition("Example: ")[2]


def test_the_version(run: Run) -> None:
    assert run("--version").out.startswith("parallax 0.")


def test_a_command_without_arguments_shows_its_help(run: Run) -> None:
    shown = run("policy")
    assert (shown.status, "show" in shown.out, shown.err) == (2, True, "")


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("serv",), "parallax: No such command 'serv'"),
        (("serve", "--port", "1"), "No such option"),
        (("serve", "--only", "vault"), "'vault' is none of reader, desk, publisher; see `parallax serve --help`"),
        (("user", "add"), "Missing argument 'name'; see `parallax user add --help`"),
        (("user", "token", "x", "--audience", "public", "--days", "0"), "see `parallax user token --help`"),
    ],
)
def test_wrong_usage_is_one_line_and_status_2(run: Run, arguments: tuple[str, ...], message: str) -> None:
    failed = run(*arguments)
    assert (failed.status, failed.out, failed.err.count("\n")) == (2, "", 1)
    assert message in failed.err


def test_a_wrong_setting_is_status_2(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PARALLAX_PORT", "eighty")
    failed = run("db", "status")
    assert failed.status == 2
    assert failed.err.startswith("parallax: setting port: ")


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("db", "status"), "there is no database in .*; `parallax serve` makes one"),
        (("user", "list"), "there is no cluster in .*; `parallax serve` makes one"),
        (("ingest", "none.csv", "--layer", "incidents"), "none.csv: there is no such file"),
        (("policy", "check", "none.yaml"), "none.yaml: there is no such file"),
        (("publisher", "--health"), "no publisher has written"),
    ],
)
def test_a_failure_is_one_line_and_status_1(
    run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, arguments: tuple[str, ...], message: str
) -> None:
    monkeypatch.setenv("PARALLAX_HOME", str(tmp_path))
    failed = run(*arguments)
    assert (failed.status, failed.out, failed.err.count("\n")) == (1, "", 1)
    assert re.search(message, failed.err)


def test_a_folder_that_cannot_be_made_is_one_line(run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "file").touch()
    monkeypatch.setenv("PARALLAX_HOME", str(tmp_path / "file" / "home"))
    failed = run("db", "start")
    assert (failed.status, failed.err.count("\n")) == (1, 1)
    assert "not a directory" in failed.err


def test_a_reader_of_a_pipe_may_leave_early() -> None:
    shown = subprocess.run(
        ["sh", "-c", f"{sys.executable} -m mapserver.cli policy show | head -n 1"],
        capture_output=True,
        text=True,
        check=True,
    )
    assert shown.stderr == ""


def test_the_rules_are_checked_and_shown(run: Run) -> None:
    checked = run("policy", "check")
    assert (checked.status, checked.err) == (0, "")
    assert "7 audiences" in checked.out
    assert "no faults" in checked.out
    shown = run("policy", "show")
    assert shown.status == 0
    assert all(audience in shown.out for audience in policies.load(policies.default_path()).audiences)


def test_a_broken_rule_file_names_the_place(run: Run, tmp_path: Path) -> None:
    text = policies.default_path().read_text(encoding="utf-8")
    broken = tmp_path / "broken.yaml"
    broken.write_text(text.replace("mission:", "missoin:", 1), encoding="utf-8")
    failed = run("policy", "check", str(broken))
    assert (failed.status, failed.err.count("\n")) == (1, 1)
    assert "missoin" in failed.err


@pytest.mark.usefixtures("connected")
class TestWithADatabase:
    def test_accounts_from_beginning_to_end(self, run: Run) -> None:
        assert "there are no accounts" in run("user", "list").out
        added = run("user", "add", "okello", "--audience", "confidential", "--editor", "--generate")
        assert (added.status, added.err) == (0, "")
        assert "password, shown this once: " in added.out
        assert run("user", "list").out == "okello  confidential  (editor)\n"
        assert run("user", "disable", "okello").out == "okello is disabled\n"
        assert run("user", "disable", "okello", "--undo").out == "okello is enabled\n"
        assert "shown this once" in run("user", "password", "okello", "--generate").out
        token = run("user", "token", "okello", "--audience", "confidential").out.strip()
        assert len(token) == 43
        assert run("user", "token", "okello", "--audience", "strict").status == 1
        assert "there is no audience 'secret'" in run("user", "add", "b", "--audience", "secret", "--generate").err

    def test_a_password_is_never_asked_of_nobody(self, run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
        with Path("/dev/null").open(encoding="utf-8") as nothing:
            monkeypatch.setattr(sys, "stdin", nothing)
            failed = run("user", "add", "nobody")
        assert (failed.status, "--generate" in failed.err) == (1, True)

    def test_an_import_and_its_repetition(self, run: Run, tmp_path: Path) -> None:
        file = tmp_path / "bases.geojson"
        point = {"type": "Point", "coordinates": [18.55, 4.36]}
        properties = {"name": "Camp", "level": "unclassified", "source_id": "1"}
        feature = {"type": "Feature", "id": "1", "geometry": point, "properties": properties}
        file.write_text(json.dumps({"type": "FeatureCollection", "features": [feature]}), encoding="utf-8")
        dry = run("ingest", str(file), "--layer", "bases", "--profile", "parallax", "--dry-run")
        assert (dry.status, "Dry run" in dry.out) == (0, True), dry.err
        assert "1 new" in run("ingest", str(file), "--layer", "bases", "--profile", "parallax").out
        assert "Nothing changed" in run("ingest", str(file), "--layer", "bases", "--profile", "parallax").out
        wrong = run("ingest", str(file), "--layer", "basis")
        assert (wrong.status, "there is no layer 'basis'" in wrong.err) == (2, True)

    def test_releases(self, run: Run) -> None:
        assert run("publisher", "--once").status == 0
        assert run("release", "verify").out == "every release equals its rebuild\n"
        assert run("release", "rebuild", "--audience", "public").status == 0
        assert "there is no audience" in run("release", "rebuild", "--audience", "nobody").err

    def test_release_verify_finds_a_difference(self, run: Run, database: Database) -> None:
        with psycopg.connect(database.owner_dsn) as connection:
            connection.execute("DELETE FROM rel_unclassified.bases")
        failed = run("release", "verify")
        assert failed.status == 1
        assert "unclassified bases" in failed.out
        assert "`parallax release rebuild` mends them" in failed.err
        run("release", "rebuild")
        assert run("release", "verify").status == 0

    def test_the_embedded_cluster_is_not_meant(self, run: Run) -> None:
        for command in ("start", "stop", "status"):
            failed = run("db", command)
            assert (failed.status, "its own tools" in failed.err) == (1, True)

    def test_production_takes_no_demo_data(self, run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("PARALLAX_MODE", "production")
        monkeypatch.setenv("PARALLAX_HTTPS", "true")
        monkeypatch.setenv("PARALLAX_SECRET", "tJ8wq3Vn+0cZr5yLkXe1oHb7mSgDfA9uPiQ2")
        failed = run("demo", "load")
        assert (failed.status, "demo mode only" in failed.err) == (2, True)


@pytest.fixture(scope="module")
def folder() -> Iterator[Path]:
    made = Path(tempfile.mkdtemp(prefix="parallax-test-", dir="/tmp"))
    made.chmod(0o711)
    yield made
    shutil.rmtree(made)


class TestTheEmbeddedCluster:
    """In order: one cluster from nothing to its end."""

    @pytest.fixture(autouse=True)
    def _home(self, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("PARALLAX_HOME", str(folder / "home"))

    def test_it_starts_from_nothing_and_stays(self, run: Run) -> None:
        assert "the database runs: host=" in run("db", "start").out
        assert "the database ran already" in run("db", "start").out
        assert run("db", "status").status == 0

    def test_it_is_migrated_and_used(self, run: Run) -> None:
        assert run("user", "list").status == 2
        assert (run("db", "migrate").status, run("db", "migrate").status) == (0, 0)
        assert "there are no accounts" in run("user", "list").out
        assert run("db", "status").status == 0, "a command stopped the cluster that was there before it"

    def test_it_stops(self, run: Run) -> None:
        assert run("db", "stop").out == "the database is stopped\n"
        assert run("db", "stop").out == "the database did not run\n"
        assert run("db", "status").status == 1

    def test_a_command_starts_and_stops_it_for_itself(self, run: Run) -> None:
        assert "there are no accounts" in run("user", "list").out
        assert run("db", "status").status == 1

    def test_in_the_foreground_it_is_one_process(self, run: Run) -> None:
        running = subprocess.Popen([sys.executable, "-m", "mapserver.cli", "db", "start", "--foreground"])
        try:
            while run("db", "status").status != 0:
                assert running.poll() is None
            assert f"process {running.pid}" in run("db", "status").out
            assert "runs already" in run("db", "start", "--foreground").err
        finally:
            running.send_signal(signal.SIGINT)
            assert running.wait() == 0
