"""Passwords, and signing in and out: `/api/session`.

`GET /api/session` → `{"account": null | {"name", "audiences": [entry…], "admin", "editor"}, "audiences": [entry…]}`
where an entry is `{"id", "title", "level", "marking", "partner"}`; `account.audiences` are those that the account
holds, lowest first, `audiences` those that need no sign-in. `POST` with `{"name", "password"}` signs in and answers
the same; `DELETE` signs out (204). Both need the header `X-Parallax: 1`. Failures: 401 for a wrong name or password,
429 with Retry-After after too many, 403 from another site.
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import Iterable
from typing import Any

import orjson
from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError
from starlette.requests import Request
from starlette.responses import Response

from layers.audience import Audience
from mapserver import security
from mapserver.context import Services, services
from mapserver.errors import Problem, bad, not_found
from mapserver.sessions import ABSOLUTE, ANYBODY, COOKIE, Caller, address, credential

LONGEST = 1_000
_NAME = re.compile(r"^[a-z][a-z0-9._-]{0,62}$")
_WRONG = "The name or the password is wrong."

_hasher = PasswordHasher()
_DUMMY = _hasher.hash("no account has this password")
_at_once = asyncio.Semaphore(2)  # each verification takes 64 MiB


def hash_password(plain: str) -> str:
    """The Argon2id hash to store for a password."""
    return _hasher.hash(plain)


def verify_password(stored: str, plain: str) -> bool:
    """Does the password fit the stored hash? Takes about 50 ms of a core and 64 MiB."""
    try:
        return _hasher.verify(stored, plain)
    except (VerificationError, InvalidHashError):
        return False


def usable(held: Services, caller: Caller) -> list[Audience]:
    """The audiences that this server holds and the caller may use, lowest first. `public` is everybody's."""
    found = [held.policy.audiences[a] for a in held.audiences if a == "public" or a in caller.audiences]
    return sorted(found, key=lambda a: (a.rank, len(a.compartments), a.partner or "", a.id))


def entries(audiences: Iterable[Audience]) -> list[dict[str, Any]]:
    return [
        {"id": a.id, "title": a.title or a.id, "level": a.level, "marking": a.marking, "partner": a.partner}
        for a in audiences
    ]


async def caller(request: Request) -> Caller:
    held = services(request)
    return await held.sessions.caller(request.scope) if held.sessions else ANYBODY


def _session(held: Services, who: Caller) -> Response:
    account = None
    if who.name is not None:
        own = entries(a for a in usable(held, who) if a.id in who.audiences)
        account = {"name": who.name, "audiences": own, "admin": who.admin, "editor": who.editor}
    body = orjson.dumps({"account": account, "audiences": entries(usable(held, ANYBODY))})
    return Response(body, 200, {"Cache-Control": "no-store"}, "application/json")


async def show_session(request: Request) -> Response:
    return _session(services(request), await caller(request))


async def sign_in(request: Request) -> Response:
    held = services(request)
    security.check_same_origin(request)
    if held.sessions is None:
        raise not_found()  # a server that holds public releases alone knows no accounts
    name, password = _credentials(request, await request.body())
    where = address(request.scope)
    # only what can be a name is kept: people type passwords into the wrong field
    wait = await held.sessions.refused_for(name if _NAME.match(name) else "", where)
    if wait:
        raise Problem(429, f"Too many attempts to sign in. Try again in {wait} seconds.", {"Retry-After": str(wait)})
    account = await held.sessions.account(name) if _NAME.match(name) else None
    usable_account = account if account is not None and not account.disabled else None
    async with _at_once:
        stored = usable_account.password_hash if usable_account else _DUMMY
        fits = await asyncio.to_thread(verify_password, stored, password)
    if usable_account is None or not fits:
        raise Problem(401, _WRONG, {"WWW-Authenticate": "Bearer"})
    await held.sessions.succeeded(name, where)
    given = credential(request.scope)
    token = await held.sessions.start(usable_account, [given[1]] if given and given[0] == "session" else [])
    response = _session(held, usable_account.caller)
    response.set_cookie(
        COOKIE, token, max_age=int(ABSOLUTE.total_seconds()), path="/", httponly=True, samesite="strict",
        secure=held.settings.https,
    )  # fmt: skip
    return response


def _credentials(request: Request, body: bytes) -> tuple[str, str]:
    if request.headers.get("content-type", "").partition(";")[0].strip().lower() != "application/json":
        raise Problem(415, "Send the name and the password as application/json.")
    try:
        data = orjson.loads(body)
    except orjson.JSONDecodeError:
        raise bad("The body is not valid JSON.") from None
    if not isinstance(data, dict) or set(data) != {"name", "password"}:
        raise bad('The body must be {"name": "…", "password": "…"}.')
    name, password = data["name"], data["password"]
    if not isinstance(name, str) or not isinstance(password, str) or max(len(name), len(password)) > LONGEST:
        raise bad(f"name and password must be texts of at most {LONGEST} characters.")
    return name.strip().lower(), password


async def sign_out(request: Request) -> Response:
    held = services(request)
    security.check_same_origin(request)
    given = credential(request.scope)
    if held.sessions is not None and given is not None and given[0] == "session":
        await held.sessions.end(given[1])
    response = Response(b"", 204, {"Cache-Control": "no-store", "Clear-Site-Data": '"cache"'})
    response.delete_cookie(COOKIE, path="/", httponly=True, samesite="strict", secure=held.settings.https)
    return response
