"""The batch clock: applies each audience's delayed forms at its slots. Holds the publisher's credential and no other.

It sleeps until the next slot that the rule file sets; nothing wakes it in between, so that the moment of a release
tells nothing of the moment of a change. A database that is away is tried again every half minute.
"""

from __future__ import annotations

import datetime as dt
import json
import logging
import threading
from pathlib import Path

import psycopg

from layers import release
from layers.policy import Policy

log = logging.getLogger("parallax.publisher")

HEARTBEAT_SECONDS = 60
RETRY_SECONDS = 30
DAILY = "default"
"""The slot of the daily clock as of which consents are judged, beside those of the audiences."""


def run_due(dsn: str, policy: Policy, now: dt.datetime) -> int:
    """Run every batch whose slot has come, one log line each. Returns how many. Raises psycopg.Error."""
    done = 0
    for audience, slot in release.run_due(dsn, policy, now):
        log.info("batch of %s as of %s", audience, slot.strftime("%Y-%m-%d %H:%M UTC"))
        done += 1
    return done


def next_slot(policy: Policy, after: dt.datetime) -> dt.datetime:
    """The first slot of any audience, or of the daily clock, after a moment (aware)."""
    return min(release.next_slot(policy, name, after) for name in (DAILY, *policy.audiences))


def run(dsn: str, policy: Policy, health: Path, stop: threading.Event) -> None:
    """Run batches at their slots until `stop` is set. `health` is rewritten at least once a minute."""
    while not stop.is_set():
        now = dt.datetime.now(dt.UTC)
        try:
            run_due(dsn, policy, now)
        except psycopg.Error as error:
            problem = " ".join(str(error).split())
            log.error("batch failed, again in %d s: %s", RETRY_SECONDS, problem)
            _write(health, {"at": now.isoformat(), "problem": problem})
            stop.wait(RETRY_SECONDS)
            continue
        then = next_slot(policy, now)
        log.info("next batch at %s", then.strftime("%Y-%m-%d %H:%M UTC"))
        # in short steps: a clock that is set, or a machine that slept, must not delay a slot
        while not stop.is_set() and (now := dt.datetime.now(dt.UTC)) < then:
            _write(health, {"at": now.isoformat(), "next": then.isoformat()})
            stop.wait(min(HEARTBEAT_SECONDS, max(0.0, (then - now).total_seconds())))


def problem_of(health: Path, now: dt.datetime) -> str | None:
    """Why the publisher that writes this file is not well, or None when it is."""
    try:
        found = json.loads(health.read_text(encoding="utf-8"))
        age = now - dt.datetime.fromisoformat(found["at"])
    except (OSError, ValueError, KeyError):
        return f"no publisher has written {health}"
    if "problem" in found:
        return str(found["problem"])
    if age > dt.timedelta(seconds=3 * HEARTBEAT_SECONDS):
        return f"the publisher has been silent for {age.total_seconds():.0f} s"
    return None


def _write(health: Path, state: dict[str, str]) -> None:
    part = health.with_suffix(".part")
    part.write_text(json.dumps(state), encoding="utf-8")
    part.replace(health)
