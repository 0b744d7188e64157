"""Accounts, sessions, tokens and sign-in attempts: the only SQL of this package, over schema `auth` and nothing else.

A session or token is 32 random bytes; the database holds its SHA-256. Look-ups are remembered for a few seconds in
this process, so that a cached tile needs no SQL; signing out forgets at once here, and in other processes within
REMEMBER seconds.
"""

from __future__ import annotations

import base64
import binascii
import datetime as dt
import hashlib
import ipaddress
import secrets
import time
from collections import OrderedDict
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from psycopg.rows import tuple_row
from psycopg_pool import AsyncConnectionPool
from starlette.types import Scope

COOKIE = "parallax_session"
REMEMBER = 5.0
REMEMBERED = 10_000

IDLE = dt.timedelta(hours=12)
"""A session ends this long after its last use …"""
ABSOLUTE = dt.timedelta(hours=24)
"""… and at the latest this long after sign-in."""
RENEW_AFTER = dt.timedelta(minutes=15)

WINDOW = dt.timedelta(minutes=15)
FAILURES_BY_NAME = 5
"""Failed sign-ins of one name from one address within WINDOW."""
FAILURES_BY_ADDRESS = 30
"""Failed sign-ins from one address within WINDOW."""


@dataclass(frozen=True)
class Caller:
    """Who asks. Without a name: anybody. `audiences` are those that the account holds, or the one of the token."""

    name: str | None = None
    audiences: frozenset[str] = frozenset()
    editor: bool = False
    admin: bool = False


ANYBODY = Caller()


@dataclass(frozen=True)
class Account:
    id: Any
    password_hash: str
    caller: Caller
    disabled: bool


def token_hash(token: str) -> bytes | None:
    """What the database holds for a token; None for a text that is no token."""
    try:
        raw = base64.b64decode(token + "=", altchars=b"-_", validate=True)
    except (binascii.Error, ValueError):
        return None
    return hashlib.sha256(raw).digest() if len(raw) == 32 else None


def new_token() -> tuple[str, bytes]:
    """A fresh token and its hash."""
    raw = secrets.token_bytes(32)
    return base64.urlsafe_b64encode(raw).rstrip(b"=").decode(), hashlib.sha256(raw).digest()


def credential(scope: Scope) -> tuple[str, str] | None:
    """The bearer token or session cookie of a request: ("token" or "session", its text). A token goes first."""
    cookie = None
    for name, value in scope["headers"]:
        if name == b"authorization":
            kind, _, text = value.decode("latin-1").partition(" ")
            if kind.lower() == "bearer":
                return "token", text.strip()
        elif name == b"cookie" and cookie is None:
            for part in value.decode("latin-1").split(";"):
                key, _, text = part.strip().partition("=")
                if key == COOKIE:
                    cookie = text.strip('"')
    return ("session", cookie) if cookie else None


def address(scope: Scope) -> str:
    """The client's address for counting attempts: an IPv6 client owns its whole /64."""
    host = (scope.get("client") or ("unknown", 0))[0]
    try:
        found = ipaddress.ip_address(host)
    except ValueError:
        return "unknown"
    return str(ipaddress.ip_network(f"{found}/64", strict=False)) if found.version == 6 else str(found)


class Sessions:
    """Needs a DSN of the role `parallax_auth`. `open` before use, `close` at the end."""

    def __init__(self, dsn: str, size: int = 4, remember: float = REMEMBER) -> None:
        self.remember = remember
        self._pool = AsyncConnectionPool(
            dsn, min_size=1, max_size=size, open=False, timeout=10,
            kwargs={"autocommit": True, "row_factory": tuple_row, "prepare_threshold": None},
        )  # fmt: skip
        self._known: OrderedDict[tuple[str, str], tuple[float, Caller]] = OrderedDict()

    async def open(self) -> None:
        await self._pool.open(wait=True, timeout=30)

    async def close(self) -> None:
        await self._pool.close()

    async def _rows(self, sql: str, *values: Any) -> list[tuple[Any, ...]]:
        async with self._pool.connection() as connection:
            cursor = await connection.execute(sql, values)
            return await cursor.fetchall() if cursor.description else []

    # -- who asks --

    def remembered(self, scope: Scope) -> Caller | None:
        """The caller without a look into the database; None when one is needed."""
        given = credential(scope)
        if given is None:
            return ANYBODY
        found = self._known.get(given)
        return found[1] if found is not None and found[0] > time.monotonic() else None

    async def caller(self, scope: Scope) -> Caller:
        """The caller of a request. A credential that is unknown, expired or of a disabled account is nobody's."""
        given = credential(scope)
        if given is None:
            return ANYBODY
        found = self._known.get(given)
        if found is not None and found[0] > time.monotonic():
            return found[1]
        digest = token_hash(given[1])
        if digest is None:
            return ANYBODY
        caller = await (self._session(digest) if given[0] == "session" else self._token(digest))
        self._known[given] = (time.monotonic() + self.remember, caller)
        self._known.move_to_end(given)
        while len(self._known) > REMEMBERED:
            self._known.popitem(last=False)
        return caller

    async def _session(self, digest: bytes) -> Caller:
        rows = await self._rows(
            """
            SELECT a.name, a.audiences, a.editor, a.admin, s.expires_at < now() + %s - %s AS renew
            FROM auth.sessions s JOIN auth.accounts a ON a.id = s.account_id
            WHERE s.token_hash = %s AND s.expires_at > now() AND NOT a.disabled
            """,
            IDLE, RENEW_AFTER, digest,
        )  # fmt: skip
        if not rows:
            return ANYBODY
        name, audiences, editor, admin, renew = rows[0]
        if renew:
            await self._rows(
                "UPDATE auth.sessions SET expires_at = least(now() + %s, created_at + %s) WHERE token_hash = %s",
                IDLE, ABSOLUTE, digest,
            )  # fmt: skip
        return Caller(name, frozenset(audiences), editor, admin)

    async def _token(self, digest: bytes) -> Caller:
        rows = await self._rows(
            """
            SELECT a.name, t.audience, a.editor, a.admin
            FROM auth.tokens t JOIN auth.accounts a ON a.id = t.account_id
            WHERE t.token_hash = %s AND t.expires_at > now() AND NOT a.disabled AND t.audience = ANY (a.audiences)
            """,
            digest,
        )
        if not rows:
            return ANYBODY
        name, audience, editor, admin = rows[0]
        return Caller(name, frozenset([audience]), editor, admin)

    # -- signing in and out --

    async def refused_for(self, name: str, where: str) -> int:
        """Count an attempt to sign in. Seconds to wait when there were too many; 0 to go on.

        The address is locked within the transaction, so that attempts sent at once are counted one after the other.
        """
        async with self._pool.connection() as connection, connection.transaction():
            await connection.execute("SELECT pg_advisory_xact_lock(hashtextextended(%s, 0))", (where,))
            await connection.execute("DELETE FROM auth.attempts WHERE at < clock_timestamp() - %s", (2 * WINDOW,))
            cursor = await connection.execute(
                """
                SELECT count(*) FILTER (WHERE name = %(name)s), count(*),
                  extract(epoch FROM min(at) FILTER (WHERE name = %(name)s) + %(window)s - clock_timestamp()),
                  extract(epoch FROM min(at) + %(window)s - clock_timestamp())
                FROM auth.attempts WHERE address = %(where)s AND at > clock_timestamp() - %(window)s
                """,
                {"name": name, "where": where, "window": WINDOW},
            )
            by_name, by_address, wait_name, wait_address = await cursor.fetchone() or (0, 0, 0, 0)
            if by_name >= FAILURES_BY_NAME:
                return max(1, int(wait_name) + 1)
            if by_address >= FAILURES_BY_ADDRESS:
                return max(1, int(wait_address) + 1)
            await connection.execute("INSERT INTO auth.attempts (name, address) VALUES (%s, %s)", (name, where))
        return 0

    async def succeeded(self, name: str, where: str) -> None:
        """Forget the failures of this name from this address."""
        await self._rows("DELETE FROM auth.attempts WHERE name = %s AND address = %s", name, where)

    async def account(self, name: str) -> Account | None:
        rows = await self._rows(
            "SELECT id, password_hash, name, audiences, editor, admin, disabled FROM auth.accounts WHERE name = %s",
            name,
        )
        if not rows:
            return None
        key, password_hash, name, audiences, editor, admin, disabled = rows[0]
        return Account(key, password_hash, Caller(name, frozenset(audiences), editor, admin), disabled)

    async def start(self, account: Account, before: Iterable[str] = ()) -> str:
        """A new session; the sessions `before` it in the same browser end. Returns the token for the cookie."""
        for old in before:
            await self.end(old)
        token, digest = new_token()
        await self._rows("DELETE FROM auth.sessions WHERE expires_at < now()")
        await self._rows(
            "INSERT INTO auth.sessions (token_hash, account_id, expires_at) VALUES (%s, %s, now() + %s)",
            digest, account.id, IDLE,
        )  # fmt: skip
        return token

    async def end(self, token: str) -> None:
        """Delete a session. It ends in this process at once."""
        self._known.pop(("session", token), None)
        digest = token_hash(token)
        if digest is not None:
            await self._rows("DELETE FROM auth.sessions WHERE token_hash = %s", digest)
