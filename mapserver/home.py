"""Where a server keeps its things: the home folder, and the unprivileged accounts used when root starts it."""

from __future__ import annotations

import hashlib
import os
import pwd
import stat
import sys
from pathlib import Path

PROJECT = Path(__file__).resolve().parent.parent
CLUSTER_ACCOUNT = "postgres"
SERVICE_ACCOUNT = "nobody"


def default_home() -> Path:
    """`.parallax` in the project folder.

    Started by root from a folder that the cluster's account cannot reach (such as root's own home), it is a folder
    under /var/lib/parallax, one per project folder. An installed package without a project folder uses
    ~/.local/share/parallax.
    """
    if not (PROJECT / "pyproject.toml").is_file():
        return Path.home() / ".local" / "share" / "parallax"
    if os.geteuid() == 0 and not reachable(PROJECT, account(CLUSTER_ACCOUNT)):
        short = hashlib.sha256(str(PROJECT).encode()).hexdigest()[:8]
        return Path("/var/lib/parallax") / short
    return PROJECT / ".parallax"


def account(name: str) -> pwd.struct_passwd | None:
    """The account of that name, or None where there is none."""
    try:
        return pwd.getpwnam(name)
    except KeyError:
        return None


def reachable(folder: Path, who: pwd.struct_passwd | None) -> bool:
    """May that account (or, for None, anyone) pass through `folder` and every folder above it?"""
    groups = set(os.getgrouplist(who.pw_name, who.pw_gid)) if who else set()
    for part in (folder, *folder.parents):
        try:
            found = part.stat()
        except FileNotFoundError:
            continue
        needed = stat.S_IXOTH
        if who and found.st_uid == who.pw_uid:
            needed = stat.S_IXUSR
        elif found.st_gid in groups:
            needed = stat.S_IXGRP
        if not found.st_mode & needed:
            return False
    return True


def service_account() -> pwd.struct_passwd | None:
    """The account that reader, desk and publisher run as when root starts them; None to keep the own one.

    None for an ordinary user, and also where that account could not read the program itself.
    """
    if os.geteuid() != 0:
        return None
    who = account(SERVICE_ACCOUNT)
    needed = (PROJECT, Path(sys.prefix), Path(sys.base_prefix), Path(sys.executable).resolve().parent)
    return who if who and all(reachable(folder, who) for folder in needed) else None
