"""One user of a home folder at a time: a lock that the kernel drops when its holder dies."""

from __future__ import annotations

import fcntl
import json
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

SERVE = "serve"


class BusyError(RuntimeError):
    """Another process uses the home folder. The message names it and the remedy."""


def holder(home: Path) -> dict[str, Any] | None:
    """Who holds the lock: {"pid", "what"}; None when nobody does."""
    try:
        descriptor = os.open(home / "lock", os.O_RDWR)
    except FileNotFoundError:
        return None
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return _read(descriptor)
    else:
        return None
    finally:
        os.close(descriptor)


@contextmanager
def hold(home: Path, what: str, wait_seconds: float = 0) -> Iterator[None]:
    """Hold the lock of a home folder. Raises BusyError when another keeps it longer than `wait_seconds`."""
    home.mkdir(mode=0o700, parents=True, exist_ok=True)
    descriptor = os.open(home / "lock", os.O_RDWR | os.O_CREAT, 0o600)
    deadline = time.monotonic() + wait_seconds
    try:
        while True:
            try:
                fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
                break
            except BlockingIOError:
                other = _read(descriptor)
                # commands end, a server does not
                if time.monotonic() >= deadline or other["what"] == SERVE:
                    raise BusyError(
                        f"{home} is in use by `parallax {other['what']}` (process {other['pid']});"
                        " stop that first, or set PARALLAX_HOME to another folder"
                    ) from None
                time.sleep(0.1)
        os.ftruncate(descriptor, 0)
        os.pwrite(descriptor, json.dumps({"pid": os.getpid(), "what": what}).encode(), 0)
        yield
    finally:
        os.close(descriptor)


def _read(descriptor: int) -> dict[str, Any]:
    try:
        found: dict[str, Any] = json.loads(os.pread(descriptor, 4096, 0))
    except ValueError:  # taken this moment, not yet written
        found = {"pid": "?", "what": "?"}
    return found
