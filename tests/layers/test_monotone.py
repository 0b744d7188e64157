"""Which verb gives more than which: the order by which a rule file is judged."""

from __future__ import annotations

import pytest

from layers.monotone import _more_open
from layers.policy import Verb, load

SHOW, BAND, PSEUDONYM = Verb("show"), Verb("band"), Verb("pseudonym")
WORD, SECTOR, SECTOR_OF_FIVE = (
    Verb("mask", word="partner"),
    Verb("mask", sector_if=3),
    Verb("mask", sector_if=5),
)


def consent(scope: str, otherwise: Verb | None = None) -> Verb:
    return Verb("consent", scope=scope, otherwise=otherwise)


FINE = [
    (SHOW, SHOW),
    (BAND, SHOW),
    (consent("un", WORD), SHOW),
    (consent("public"), consent("un")),
    (consent("public"), consent("un", WORD)),
    (consent("un", WORD), consent("un", SHOW)),
    (SECTOR_OF_FIVE, SECTOR),
    (WORD, SECTOR),
    (WORD, consent("un", WORD)),
]
MORE = [
    (SHOW, BAND),
    (SHOW, consent("public")),
    (PSEUDONYM, WORD),
    (BAND, WORD),
    (consent("mission"), consent("un")),
    # what is given without consent counts too
    (consent("un", SHOW), consent("un", WORD)),
    (consent("un", WORD), consent("un")),
    (consent("un", SHOW), PSEUDONYM),
    (WORD, consent("un")),
    (BAND, consent("un")),
    (SECTOR, SECTOR_OF_FIVE),
    (SECTOR, WORD),
]


@pytest.mark.parametrize(("low", "high"), FINE)
def test_a_lower_audience_may_get(low: Verb, high: Verb) -> None:
    assert not _more_open(low, high)


@pytest.mark.parametrize(("low", "high"), MORE)
def test_a_lower_audience_may_not_get(low: Verb, high: Verb) -> None:
    assert _more_open(low, high)


def test_the_demo_rules_keep_the_order() -> None:
    assert load().audiences
