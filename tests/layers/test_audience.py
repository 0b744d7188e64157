"""The lattice of audiences: a level and compartments, both must hold."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from layers.audience import LEVELS, Audience

COMPARTMENTS = st.frozensets(st.sampled_from(["ops", "hr", "child"]))
AUDIENCES = st.builds(
    Audience, st.just("one"), st.sampled_from(LEVELS), COMPARTMENTS, st.sampled_from([None, "au", "eu"])
)
LABELS = st.tuples(st.sampled_from(LEVELS), COMPARTMENTS)


@given(AUDIENCES, AUDIENCES, AUDIENCES)
def test_the_order_is_partial(a: Audience, b: Audience, c: Audience) -> None:
    assert a <= a
    assert not (a <= b and b <= c) or a <= c
    assert not (a <= b and b <= a) or (a.level, a.compartments) == (b.level, b.compartments)


@given(AUDIENCES, AUDIENCES, LABELS)
def test_what_a_lower_audience_sees_in_full_a_higher_one_sees_too(
    low: Audience, high: Audience, label: tuple[str, frozenset[str]]
) -> None:
    if low <= high and low.dominates(*label):
        assert high.dominates(*label)


def test_a_level_without_the_compartment_is_not_enough() -> None:
    strict = Audience("strict", "strict")
    assert strict.dominates("strict")
    assert not strict.dominates("public", ["hr"])


@pytest.mark.parametrize(
    ("audience", "marking"),
    [
        (Audience("public", "public"), "PUBLIC"),
        (Audience("s", "strict", frozenset({"hr", "child"})), "STRICTLY CONFIDENTIAL // CHILD // HR"),
        (Audience("partner:au", "public", partner="au"), "PUBLIC // RELEASABLE TO AU"),
    ],
)
def test_the_marking_is_that_of_the_release(audience: Audience, marking: str) -> None:
    assert audience.marking == marking


@pytest.mark.parametrize("name", ["", "Public", "a b", "a:b:c", "1a", "a;drop", "a" * 40])
def test_a_name_that_could_be_anything_else_is_refused(name: str) -> None:
    with pytest.raises(ValueError, match="audience id"):
        Audience(name, "public")
