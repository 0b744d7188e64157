"""The promise, tried: two databases that differ only in what an audience may not see give it the same bytes.

For each audience the whole table of questions (tests.leaks.routes) is put to the world as it is, to one from which
everything hidden was deleted, and to one in which it is all different. Status, headers and bodies must be equal.
"""

from __future__ import annotations

from collections.abc import Callable

import psycopg
import pytest

from layers.policy import Policy, load
from tests.leaks import worlds
from tests.leaks.conftest import Record
from tests.leaks.replay import Answer, Ask, differences
from tests.world import Database

POLICY = load()
WORLDS = [(audience, "scramble") for audience in POLICY.audiences]
WORLDS += [(audience, "purge") for audience in ("public", "unclassified", "strict_ops")]


@pytest.mark.parametrize(("audience", "how"), WORLDS)
def test_what_is_hidden_changes_no_byte(
    audience: str,
    how: str,
    policy: Policy,
    record: Callable[[str], Record],
    ask_world: Callable[..., list[list[Answer]]],
    grow: Callable[[], Database],
    drop: Callable[[Database], None],
) -> None:
    asked = record(audience)
    other = grow()
    try:
        hidden = worlds.alter(other, policy, audience, how, seed=len(audience))
        assert hidden > 50, "the world hides too little to prove anything"
        answers = ask_world(other, asked.asks)
    finally:
        drop(other)
    found = differences(asked.asks, asked.answers, answers)
    assert not found, f"{len(found)} of {len(asked.asks)} questions tell, the first: " + "\n".join(found[:5])


def _wrote(ask: Ask, answer: Answer) -> bool:
    return ask.app == "desk" and ask.method != "GET" and answer.status < 300


@pytest.mark.parametrize("audience", POLICY.audiences)
def test_no_question_is_a_fault(audience: str, record: Callable[[str], Record]) -> None:
    asked = record(audience)
    pairs = zip(asked.asks, asked.answers, strict=True)
    faults = [f"{ask.target}: {a.status}" for ask, answers in pairs for a in answers if a.status >= 500]
    assert not faults
    written = [ask.target for ask, found in zip(asked.asks, asked.answers, strict=True) if _wrote(ask, found[0])]
    assert not written, "a question changed the world that all share"
    found = [answers[0].status for answers in asked.answers]
    # questions that only meet refusals would prove little
    assert found.count(200) > 800


def test_the_other_world_is_another_one(
    policy: Policy, grow: Callable[[], Database], drop: Callable[[Database], None], world: Database
) -> None:
    """The harness does change what is hidden: else equal answers would prove nothing."""
    other = grow()
    try:
        worlds.alter(other, policy, "unclassified", "scramble", seed=1)
        statement = (
            "SELECT source_id, ST_AsText(geom), narrative, source_alias, originator, level, occurred_from"
            " FROM vault.incidents WHERE id IN (SELECT id FROM vault.incidents ORDER BY id) ORDER BY id"
        )
        with psycopg.connect(world.owner_dsn) as one, psycopg.connect(other.owner_dsn) as two:
            was, now = one.execute(statement).fetchall(), two.execute(statement).fetchall()
        assert len(now) > len(was)
        kept = sum(a == b for a, b in zip(was, now, strict=False))
        assert kept < len(was) / 10
    finally:
        drop(other)
