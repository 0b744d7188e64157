"""Accounts from the command line: strong passwords, hashes only, sessions end when they must."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator

import psycopg
import pytest

from mapserver import accounts
from mapserver.accounts import AccountError
from mapserver.auth import verify_password
from mapserver.sessions import token_hash
from tests.world import Database

PASSWORD = "correct horse battery"


@pytest.fixture
def dsn(database: Database) -> Iterator[str]:
    accounts.add(database.auth_dsn, "okello", PASSWORD, ["unclassified", "confidential"], editor=True)
    yield database.auth_dsn
    with psycopg.connect(database.owner_dsn) as connection:
        connection.execute("TRUNCATE auth.accounts CASCADE")


def one(dsn: str, query: str, *values: object) -> object:
    with psycopg.connect(dsn) as connection:
        row = connection.execute(query.encode(), values).fetchone()
    return row and row[0]


def sign_in(dsn: str) -> None:
    with psycopg.connect(dsn) as connection:
        connection.execute(
            "INSERT INTO auth.sessions (token_hash, account_id, expires_at)"
            " SELECT 'x', id, now() + interval '1 hour' FROM auth.accounts WHERE name = 'okello'"
        )


def test_an_account_keeps_a_hash_only(dsn: str) -> None:
    stored = one(dsn, "SELECT password_hash FROM auth.accounts WHERE name = 'okello'")
    assert isinstance(stored, str)
    assert stored.startswith("$argon2id$")
    assert verify_password(stored, PASSWORD)
    [account] = accounts.list_all(dsn)
    assert (account.name, account.audiences, account.editor, account.admin, account.disabled) == (
        *("okello", ["unclassified", "confidential"]),
        *(True, False, False),
    )


def test_a_second_account_of_a_name_is_refused(dsn: str) -> None:
    with pytest.raises(AccountError, match="parallax user password okello"):
        accounts.add(dsn, "okello", "another password", [])


@pytest.mark.parametrize("name", ["", "Okello", "o kello", "1st", "x" * 64, "o'kello"])
def test_names_are_plain(dsn: str, name: str) -> None:
    with pytest.raises(AccountError, match="no account name"):
        accounts.add(dsn, name, PASSWORD, [])


@pytest.mark.parametrize("password", ["short", "x" * 1001, "aaaaaaaaaaaaaaaa", "okello-okello-okello"])
def test_weak_passwords_are_refused(dsn: str, password: str) -> None:
    with pytest.raises(AccountError, match="choose another"):
        accounts.set_password(dsn, "okello", password)


def test_generated_passwords_differ_and_are_taken(dsn: str) -> None:
    first, second = accounts.generate_password(), accounts.generate_password()
    assert first != second
    accounts.set_password(dsn, "okello", first)


def test_a_new_password_ends_sessions(dsn: str) -> None:
    sign_in(dsn)
    accounts.set_password(dsn, "okello", "another long password")
    assert one(dsn, "SELECT count(*) FROM auth.sessions") == 0


def test_disabling_ends_sessions_and_can_be_undone(dsn: str) -> None:
    sign_in(dsn)
    accounts.set_disabled(dsn, "okello", True)
    assert accounts.list_all(dsn)[0].disabled
    assert one(dsn, "SELECT count(*) FROM auth.sessions") == 0
    accounts.set_disabled(dsn, "okello", False)
    assert not accounts.list_all(dsn)[0].disabled


def test_a_token_works_as_one_audience_and_is_kept_as_a_hash(dsn: str) -> None:
    token = accounts.issue_token(dsn, "okello", "confidential", 30, "dashboard")
    stored = one(dsn, "SELECT token_hash FROM auth.tokens WHERE audience = 'confidential' AND label = 'dashboard'")
    assert isinstance(stored, bytes)
    assert stored == token_hash(token)
    assert len(stored) == hashlib.sha256().digest_size
    assert one(dsn, "SELECT expires_at - now() BETWEEN interval '29 days' AND interval '30 days' FROM auth.tokens")


def test_a_token_of_an_audience_that_is_not_held_is_refused(dsn: str) -> None:
    with pytest.raises(AccountError, match="it holds unclassified, confidential"):
        accounts.issue_token(dsn, "okello", "strict", 30)


def test_an_unknown_account_is_named(dsn: str) -> None:
    for call in (
        lambda: accounts.set_disabled(dsn, "nobody", True),
        lambda: accounts.set_password(dsn, "nobody", PASSWORD),
        lambda: accounts.issue_token(dsn, "nobody", "public", 1),
    ):
        with pytest.raises(AccountError, match="no account 'nobody'"):
            call()
