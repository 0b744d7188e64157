"""Accounts as the command line manages them: add, list, disable, set a password, issue a token.

Needs a DSN of the role `parallax_auth`. Passwords are stored as Argon2id hashes, tokens as SHA-256: neither can be
shown again. Disabling an account or changing its password ends its sessions.
"""

from __future__ import annotations

import datetime as dt
import re
import secrets
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import psycopg
from psycopg.rows import class_row

SHORTEST_PASSWORD = 12
LONGEST_PASSWORD = 1000
_NAME = re.compile(r"^[a-z][a-z0-9._-]{0,62}$")


class AccountError(ValueError):
    """The account does not exist, exists already, or the password is too weak. One line, with the remedy."""


@dataclass(frozen=True)
class Account:
    name: str
    audiences: Sequence[str]
    editor: bool
    admin: bool
    disabled: bool
    created_at: dt.datetime


def _hashed(password: str) -> str:
    from mapserver.auth import hash_password  # brings the web framework, which most commands do without

    return hash_password(password)


def generate_password() -> str:
    """Random, 96 bits, in groups that can be read out."""
    text = secrets.token_hex(12)
    return "-".join(text[at : at + 6] for at in range(0, len(text), 6))


def check_password(password: str, name: str) -> None:
    """Raises AccountError for a password that is too short, too long, or holds the name."""
    if not SHORTEST_PASSWORD <= len(password) <= LONGEST_PASSWORD:
        raise AccountError(f"a password has {SHORTEST_PASSWORD} to {LONGEST_PASSWORD} characters; choose another")
    if name in password.lower() or len(set(password)) < 5:
        raise AccountError("that password is too easy to guess; choose another, or let one be generated")


def add(
    dsn: str, name: str, password: str, audiences: Iterable[str], *, editor: bool = False, admin: bool = False
) -> None:
    """Make an account that may work as each of `audiences` (ids; the caller checks that they exist)."""
    if not _NAME.match(name):
        raise AccountError(f"{name!r} is no account name: lower-case letters, digits, '.', '_', '-', at most 63")
    check_password(password, name)
    with psycopg.connect(dsn) as connection:
        made = connection.execute(
            "INSERT INTO auth.accounts (name, password_hash, audiences, editor, admin) VALUES (%s, %s, %s, %s, %s)"
            " ON CONFLICT (name) DO NOTHING",
            [name, _hashed(password), list(audiences), editor, admin],
        ).rowcount
    if not made:
        raise AccountError(f"there is an account {name!r} already; `parallax user password {name}` sets a new password")


def list_all(dsn: str) -> list[Account]:
    """Every account, by name."""
    with psycopg.connect(dsn, row_factory=class_row(Account)) as connection:
        return connection.execute(
            "SELECT name, audiences, editor, admin, disabled, created_at FROM auth.accounts ORDER BY name"
        ).fetchall()


def set_disabled(dsn: str, name: str, disabled: bool) -> None:
    """Disable an account and end its sessions at once, or enable it again. Its tokens rest with it."""
    with psycopg.connect(dsn) as connection:
        statement = "UPDATE auth.accounts SET disabled = %s WHERE name = %s"
        if not connection.execute(statement, [disabled, name]).rowcount:
            raise _unknown(name)
        if disabled:
            _end_sessions(connection, name)


def set_password(dsn: str, name: str, password: str) -> None:
    """Replace the password and end the account's sessions."""
    check_password(password, name)
    with psycopg.connect(dsn) as connection:
        statement = "UPDATE auth.accounts SET password_hash = %s WHERE name = %s"
        if not connection.execute(statement, [_hashed(password), name]).rowcount:
            raise _unknown(name)
        _end_sessions(connection, name)


def issue_token(dsn: str, name: str, audience: str, days: int, label: str = "") -> str:
    """A bearer token that works as one audience of the account for so many days. Shown this once."""
    from mapserver.sessions import new_token

    token, digest = new_token()
    with psycopg.connect(dsn) as connection:
        found = connection.execute("SELECT id, audiences FROM auth.accounts WHERE name = %s", [name]).fetchone()
        if found is None:
            raise _unknown(name)
        account, audiences = found
        if audience not in audiences:
            raise AccountError(f"{name} does not hold {audience}; it holds {', '.join(audiences) or 'no audience'}")
        connection.execute(
            "INSERT INTO auth.tokens (token_hash, account_id, audience, label, expires_at)"
            " VALUES (%s, %s, %s, %s, now() + %s)",
            [digest, account, audience, label, dt.timedelta(days=days)],
        )
    return token


def _unknown(name: str) -> AccountError:
    return AccountError(f"there is no account {name!r}; `parallax user list` shows them")


def _end_sessions(connection: psycopg.Connection, name: str) -> None:
    connection.execute(
        "DELETE FROM auth.sessions USING auth.accounts a WHERE account_id = a.id AND a.name = %s",
        [name],
    )
