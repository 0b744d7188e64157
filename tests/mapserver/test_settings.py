"""Settings: one file and the environment, unknown keys and weak secrets refused."""

from __future__ import annotations

from pathlib import Path

import pytest

from mapserver import settings
from mapserver.settings import SettingsError, load, weak_secret

STRONG = "tJ8wq3Vn+0cZr5yLkXe1oHb7mSgDfA9uPiQ2"


@pytest.fixture
def file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    path = tmp_path / "parallax.toml"
    monkeypatch.setenv("PARALLAX_CONFIG", str(path))
    return path


def test_defaults_listen_on_loopback_only() -> None:
    found = load()
    assert (found.host, found.port, found.mode) == ("127.0.0.1", 8000, "demo")
    assert found.policy.is_absolute()


def test_the_environment_wins_over_the_file(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file.write_text('port = 9000\nlog_level = "debug"\n')
    monkeypatch.setenv("PARALLAX_PORT", "9001")
    found = load()
    assert (found.port, found.log_level) == (9001, "debug")


def test_what_the_caller_gives_wins_over_both(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file.write_text("port = 9000\n")
    monkeypatch.setenv("PARALLAX_PORT", "9001")
    assert load(port=9002).port == 9002


def test_a_file_in_the_current_folder_is_found(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("PARALLAX_CONFIG")
    monkeypatch.chdir(tmp_path)
    assert load().port == 8000
    (tmp_path / "parallax.toml").write_text("port = 9000\n")
    assert load().port == 9000


def test_readers_connections_are_given_as_a_table_or_as_json(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file.write_text('[reader_dsn]\npublic = "dbname=a"\n')
    assert load().reader_dsn == {"public": "dbname=a"}
    monkeypatch.setenv("PARALLAX_READER_DSN", '{"partner:au": "dbname=b"}')
    assert load().reader_dsn["partner:au"] == "dbname=b"


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("prot = 9000\n", "unknown setting 'prot'; there are home, host, port"),
        ("port = 0\n", "setting port: .*greater than or equal to 1"),
        ('mode = "test"\n', "setting mode: .*'demo' or 'production'"),
        ("port 9000\n", "settings cannot be read"),
        ('desk_dsn = "hostdb"\n', "setting desk_dsn: is no libpq connection string"),
    ],
)
def test_a_wrong_file_is_refused_in_one_line(file: Path, text: str, message: str) -> None:
    file.write_text(text)
    with pytest.raises(SettingsError, match=message) as caught:
        load()
    assert "\n" not in str(caught.value)


def test_every_problem_is_named(file: Path) -> None:
    file.write_text("port = 0\nworkers = 0\n")
    with pytest.raises(SettingsError) as caught:
        load()
    assert [line.split(":")[0] for line in str(caught.value).splitlines()] == ["setting port", "setting workers"]


def test_a_missing_file_is_refused(file: Path) -> None:
    with pytest.raises(SettingsError, match="which is no file"):
        load()


def test_an_unknown_variable_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PARALLAX_PROT", "1")
    with pytest.raises(SettingsError, match=r"unknown setting PARALLAX_PROT .* PARALLAX_PORT"):
        load()


def test_the_tests_own_database_is_no_unknown_variable() -> None:
    assert settings.unknown_variables(dict.fromkeys(settings.OTHER_VARIABLES, "x")) == []


def test_a_problem_with_a_secret_does_not_show_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PARALLAX_DESK_DSN", "canary-password host")
    with pytest.raises(SettingsError) as caught:
        load()
    assert "canary-password" not in str(caught.value)
    assert "canary-password" not in repr(load(desk_dsn="password=canary-password"))


@pytest.mark.parametrize(
    ("secret", "weak"),
    [
        (STRONG, False),
        ("", True),
        ("short", True),
        ("a" * 64, True),
        ("changeme" + STRONG, True),
    ],
)
def test_weak_secrets(secret: str, weak: bool) -> None:
    assert weak_secret(secret) is weak


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"secret": "short", "https": True}, "openssl rand"),
        ({"secret": STRONG}, "https = true"),
        ({"https": True, "desk_dsn": "user=desk password=desk"}, "database password is shorter"),
        ({"https": True, "reader_dsn": {"public": "user=a password=a"}}, "database password is shorter"),
    ],
)
def test_production_refuses_what_is_weak(given: dict[str, object], message: str) -> None:
    load(**given)
    with pytest.raises(SettingsError, match=message):
        load(mode="production", **given)


def test_production_takes_what_is_strong() -> None:
    found = load(mode="production", secret=STRONG, https=True, desk_dsn=f"user=desk password={STRONG}")
    assert found.mode == "production"
