"""Passwords of the database roles, one folder per process: `<secrets>/<process>/passwords.json`, mode 0600.

A process is given its own folder only. That is what keeps the vault out of the reader's reach, in one machine's
supervisor as well as in containers that mount one folder each.
"""

from __future__ import annotations

import json
import os
import secrets
from pathlib import Path
from typing import Any

from psycopg.conninfo import make_conninfo

from layers.database import AUTH, DESK, PUBLISHER
from layers.policy import Policy
from mapserver.cluster import OWNER, Cluster
from mapserver.settings import Settings, SettingsError

PROCESSES = ("owner", "reader", "desk", "publisher")
_FILE = "passwords.json"
_CURSORS = "secret"
"""Key of the cursor secret in the reader's and the desk's file. No role has that name."""


def roles_of(process: str, policy: Policy) -> tuple[str, ...]:
    """The database roles that a process may log in as."""
    return {
        "owner": (OWNER,),
        "reader": (AUTH, *(audience.role for audience in policy.audiences.values())),
        "desk": (AUTH, DESK),
        "publisher": (PUBLISHER,),
    }[process]


def owner_password(folder: Path) -> str:
    """The password of the cluster's superuser; made when there is none."""
    known = read(folder, "owner")
    if OWNER not in known:
        known = {OWNER: secrets.token_urlsafe(32)}
        write_private(folder / "owner" / _FILE, known)
    return known[OWNER]


def create(folder: Path, policy: Policy) -> dict[str, str]:
    """Make what is missing for reader, desk and publisher, keep what is there, return the passwords by role.

    Roles that two processes share, such as that of accounts, have one password.
    """
    processes = ("reader", "desk", "publisher")
    known: dict[str, str] = {}
    for process in processes:
        known |= read(folder, process)
    wanted = {role for process in processes for role in roles_of(process, policy)} | {_CURSORS}
    known |= {name: secrets.token_urlsafe(32) for name in sorted(wanted - known.keys())}
    for process in processes:
        names = [*roles_of(process, policy)] + ([_CURSORS] if process in ("reader", "desk") else [])
        content = {name: known[name] for name in names}
        if read(folder, process) != content:
            write_private(folder / process / _FILE, content)
    return {role: password for role, password in known.items() if role != _CURSORS}


def read(folder: Path, process: str) -> dict[str, str]:
    """The file of one process: passwords by role. Empty when there is none."""
    path = folder / process / _FILE
    try:
        return dict(json.loads(path.read_text(encoding="utf-8")))
    except FileNotFoundError:
        return {}
    except PermissionError:
        raise SettingsError(f"{path} may not be read by this account; start as the one that made it") from None
    except ValueError:
        raise SettingsError(f"{path} is damaged; restore it, or start afresh with `parallax serve --reset`") from None


def write_private(path: Path, content: Any) -> None:
    """Write JSON that only this account may read, all or nothing."""
    for folder in (path.parent.parent, path.parent):
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    part = path.with_suffix(".part")
    descriptor = os.open(part, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(descriptor, "w", encoding="utf-8") as stream:
        json.dump(content, stream, indent=2)
        stream.flush()
        os.fsync(stream.fileno())
    part.rename(path)


def external(settings: Settings) -> bool:
    """Do the settings name a database of their own, by its address or by a connection of one process?"""
    dsns = (settings.owner_dsn, settings.desk_dsn, settings.publisher_dsn, settings.auth_dsn, settings.reader_dsn)
    return bool(settings.database) or any(dsns)


def address_of(settings: Settings) -> str:
    """The database without user and password: that of the settings, or the embedded one. Empty: only DSNs are set."""
    return settings.database or ("" if external(settings) else Cluster(settings.home).address)


def secrets_folder(settings: Settings) -> Path:
    return settings.secrets or settings.home / "secrets"


def equip(settings: Settings, process: str, policy: Policy, address: str) -> Settings:
    """The settings with the credentials of `process` filled in and those of every other process removed.

    `address` is that of the database (see address_of). A DSN that the settings give already is kept. Raises
    SettingsError when a credential is missing.
    """
    folder, roles = secrets_folder(settings), roles_of(process, policy)
    given: dict[str, Any] = {
        "secret": settings.secret,
        "owner_dsn": settings.owner_dsn,
        "desk_dsn": settings.desk_dsn,
        "publisher_dsn": settings.publisher_dsn,
        "auth_dsn": settings.auth_dsn,
        "reader_dsn": settings.reader_dsn,
    }
    needed = {
        "secret": process in ("reader", "desk"),
        "owner_dsn": OWNER in roles,
        "desk_dsn": DESK in roles,
        "publisher_dsn": PUBLISHER in roles,
        "auth_dsn": AUTH in roles,
        "reader_dsn": process == "reader",
    }
    found: dict[str, Any] = {}
    if address and any(needed[name] and not given[name] for name in given):
        # only now: a process to which all is given may not be allowed to read the folder
        passwords = read(folder, process)
        dsn = {role: make_conninfo(address, user=role, password=passwords[role]) for role in roles if role in passwords}
        found = {
            "secret": passwords.get(_CURSORS, ""),
            "owner_dsn": dsn.get(OWNER),
            "desk_dsn": dsn.get(DESK),
            "publisher_dsn": dsn.get(PUBLISHER),
            "auth_dsn": dsn.get(AUTH),
            "reader_dsn": {name: dsn[one.role] for name, one in policy.audiences.items() if one.role in dsn},
        }
    empty = {name: field.get_default(call_default_factory=True) for name, field in Settings.model_fields.items()}
    update = {name: given[name] or found.get(name) if needed[name] else empty[name] for name in given}
    missing = [name for name in needed if needed[name] and not update[name]]
    if missing:
        raise SettingsError(
            f"the {process} has no {', '.join(missing)}: neither set ({_variable(missing[0])}) nor in"
            f" {folder / process / _FILE}; `parallax db migrate` makes that file"
        )
    return settings.model_copy(update=update)


def environment(settings: Settings) -> dict[str, str]:
    """The settings as environment variables, for a child process that shall read nothing else."""
    variables = {"PARALLAX_CONFIG": ""}
    dumped: dict[str, Any] = settings.model_dump(mode="json")
    for name, value in dumped.items():
        if value not in (None, "", {}):
            variables[_variable(name)] = value if isinstance(value, str) else json.dumps(value)
    return variables


def _variable(name: str) -> str:
    return "PARALLAX_" + name.upper()
