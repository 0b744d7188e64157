"""Each process gets its own credentials and no other's."""

from __future__ import annotations

from pathlib import Path

import pytest
from psycopg.conninfo import conninfo_to_dict

from layers.policy import Policy
from mapserver import credentials
from mapserver.settings import Settings, SettingsError

ADDRESS = "host=db dbname=parallax"
SECRET_FIELDS = {"secret", "owner_dsn", "desk_dsn", "publisher_dsn", "auth_dsn", "reader_dsn"}
ALLOWED = {
    "owner": {"owner_dsn"},
    "reader": {"secret", "auth_dsn", "reader_dsn"},
    "desk": {"secret", "auth_dsn", "desk_dsn"},
    "publisher": {"publisher_dsn"},
}


@pytest.fixture
def made(tmp_path: Path, policy: Policy) -> Settings:
    settings = Settings(home=tmp_path / "home")
    folder = credentials.secrets_folder(settings)
    credentials.owner_password(folder)
    credentials.create(folder, policy)
    return settings


def test_files_are_for_their_owner_only(made: Settings) -> None:
    folder = credentials.secrets_folder(made)
    for path in (folder, *folder.rglob("*")):
        assert path.stat().st_mode & 0o077 == 0, path


def test_making_them_again_keeps_every_password(made: Settings, policy: Policy) -> None:
    folder = credentials.secrets_folder(made)
    before = {path: path.read_text() for path in folder.rglob("*.json")}
    credentials.owner_password(folder)
    passwords = credentials.create(folder, policy)
    assert {path: path.read_text() for path in folder.rglob("*.json")} == before
    assert len(set(passwords.values())) == len(passwords) == len(policy.audiences) + 3


def test_a_new_audience_gets_a_password(made: Settings, policy: Policy, tmp_path: Path) -> None:
    folder = credentials.secrets_folder(made)
    path = folder / "reader" / "passwords.json"
    role = policy.audiences["public"].role
    kept = credentials.read(folder, "reader")
    credentials.write_private(path, {name: one for name, one in kept.items() if name != role})
    passwords = credentials.create(folder, policy)
    assert passwords[role] != kept[role]
    assert credentials.read(folder, "reader") == kept | {role: passwords[role]}


@pytest.mark.parametrize("process", credentials.PROCESSES)
def test_a_process_gets_its_own_and_no_other(made: Settings, policy: Policy, process: str) -> None:
    other = Settings(home=made.home, desk_dsn="user=of_the_file", owner_dsn="user=of_the_file", publisher_dsn="user=x")
    for settings in (made, other):
        equipped = credentials.equip(settings, process, policy, ADDRESS)
        assert {name for name in SECRET_FIELDS if getattr(equipped, name)} == ALLOWED[process]
        variables = credentials.environment(equipped)
        held = {name for name in SECRET_FIELDS if "PARALLAX_" + name.upper() in variables}
        assert held == ALLOWED[process]


def test_the_readers_roles_are_those_of_the_audiences(made: Settings, policy: Policy) -> None:
    equipped = credentials.equip(made, "reader", policy, ADDRESS)
    found = {audience: conninfo_to_dict(dsn)["user"] for audience, dsn in equipped.reader_dsn.items()}
    assert found == {audience.id: audience.role for audience in policy.audiences.values()}


def test_what_the_settings_give_is_kept_and_no_file_is_read(policy: Policy, tmp_path: Path) -> None:
    given = Settings(home=tmp_path / "none", publisher_dsn="host=elsewhere user=p")
    assert credentials.equip(given, "publisher", policy, ADDRESS).publisher_dsn == "host=elsewhere user=p"


def test_a_missing_credential_names_setting_file_and_command(policy: Policy, tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match=r"PARALLAX_DESK_DSN.*desk/passwords\.json.*parallax db migrate"):
        credentials.equip(Settings(home=tmp_path, secret="x", auth_dsn="user=a"), "desk", policy, ADDRESS)


def test_the_environment_carries_the_settings_to_a_child(made: Settings, policy: Policy) -> None:
    equipped = credentials.equip(made, "reader", policy, ADDRESS)
    with pytest.MonkeyPatch.context() as patch:
        for name, value in credentials.environment(equipped).items():
            patch.setenv(name, value)
        from mapserver.settings import load

        assert load() == equipped


def test_a_damaged_file_is_no_fresh_start(made: Settings, policy: Policy) -> None:
    folder = credentials.secrets_folder(made)
    (folder / "desk" / "passwords.json").write_text("{")
    with pytest.raises(SettingsError, match="damaged"):
        credentials.create(folder, policy)
