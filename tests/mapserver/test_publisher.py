"""The batch clock: runs what is due, says how it is, survives a database that is away."""

from __future__ import annotations

import datetime as dt
import json
import threading
from pathlib import Path

import pytest

from layers import release
from layers.policy import Policy
from mapserver import publisher
from tests.world import Database

NOW = dt.datetime.now(dt.UTC)


def test_due_batches_run_once(database: Database, policy: Policy) -> None:
    assert publisher.run_due(database.publisher_dsn, policy, NOW) == len(policy.audiences)
    assert publisher.run_due(database.publisher_dsn, policy, NOW) == 0


def test_the_next_slot_is_the_first_of_all(policy: Policy) -> None:
    found = publisher.next_slot(policy, NOW)
    assert found > NOW
    assert all(found <= release.next_slot(policy, audience, NOW) for audience in policy.audiences)
    assert found - NOW <= dt.timedelta(days=1)


def test_it_waits_for_the_next_slot_and_stops_when_told(database: Database, policy: Policy, tmp_path: Path) -> None:
    health, stop = tmp_path / "health.json", threading.Event()
    thread = threading.Thread(target=publisher.run, args=(database.publisher_dsn, policy, health, stop))
    thread.start()
    while not health.exists():
        thread.join(0.01)
    stop.set()
    thread.join()
    assert publisher.problem_of(health, dt.datetime.now(dt.UTC)) is None
    assert dt.datetime.fromisoformat(json.loads(health.read_text())["next"]) > NOW


def test_a_database_that_is_away_is_reported_and_tried_again(
    policy: Policy, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    health, stop = tmp_path / "health.json", threading.Event()
    tries: list[dt.datetime] = []
    run_due = publisher.run_due

    def counted(dsn: str, rules: Policy, now: dt.datetime) -> int:
        tries.append(now)
        if len(tries) == 2:
            stop.set()
        return run_due(dsn, rules, now)

    monkeypatch.setattr(publisher, "RETRY_SECONDS", 0)
    monkeypatch.setattr(publisher, "run_due", counted)
    publisher.run("host=/nowhere user=parallax_publisher", policy, health, stop)
    assert len(tries) == 2
    assert "/nowhere" in (publisher.problem_of(health, dt.datetime.now(dt.UTC)) or "")


def test_silence_is_a_problem(tmp_path: Path) -> None:
    health = tmp_path / "health.json"
    assert "no publisher" in (publisher.problem_of(health, NOW) or "")
    health.write_text(json.dumps({"at": (NOW - dt.timedelta(minutes=10)).isoformat()}))
    assert publisher.problem_of(health, NOW) == "the publisher has been silent for 600 s"
