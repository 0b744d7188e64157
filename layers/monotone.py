"""The checks of a rule file that reach over audiences: a lower audience never gets more than a higher one.

For every pair of audiences A < B and every layer: what A sees, B sees too (in a form at least as fine), B's fields
include A's at verbs at least as open, B's place and time are at least as fine, B waits no longer. A check that fails
names the layer, both audiences and the remedy.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from itertools import permutations
from typing import Any

from layers.audience import LEVELS, Audience
from layers.policy import SCOPES, UNITS, Place, Policy, PolicyError, Tier, Verb, own_fields


def check(policy: Policy) -> None:
    """Raise PolicyError at the first rule that breaks the lattice."""
    if len(set(policy.approved_by)) < 2:
        raise PolicyError("approved_by: a rule file needs two different persons")
    families: dict[str, list[Audience]] = {}
    for audience in policy.audiences.values():
        families.setdefault(audience.family, []).append(audience)
    for name, members in families.items():
        if len({a.level for a in members}) > 1 and "public" in {a.level for a in members}:
            raise PolicyError(f"audiences: family {name!r} holds public with a cleared audience; their ids would link")
    for low, high in permutations(policy.audiences.values(), 2):
        if low < high:
            for layer in policy.rules:
                for fault in faults(policy.rules[layer], low, high):
                    raise PolicyError(
                        f"layers.{layer}: {low.id} would get {fault} than {high.id}; rules must be monotone"
                    )


def faults(rule: Mapping[str, Any], low: Audience, high: Audience) -> Iterator[str]:
    """What a lower audience would get beyond a higher one, in words."""
    coarse: Mapping[str, tuple[Tier, ...]] = rule["coarse"]
    own_low, own_high = own_fields(rule, low), own_fields(rule, high)
    owned = high.rank if own_high else -1
    yield from _field_faults(own_low, own_high, "its own form, ")
    for tier in coarse.get(low.id, ()):
        theirs = coarse.get(high.id, ())
        own_covers = bool(own_high) and _own_covers(tier, high)
        if not own_covers and not any(_covers(their, tier, high, owned) for their in theirs):
            yield f"records (up to {tier.up_to or tier.explicit}) that do not exist there, more"
            return
        if own_high:
            yield from _field_faults(tier.fields, own_high, "")
        for their in theirs:
            if their.partner and not tier.partner:
                continue
            yield from _field_faults(tier.fields, their.fields, "")
            if _finer(tier.place, their.place):
                yield "a finer place"
            if _time(tier) < _time(their):
                yield "a finer time"
            if tier.delay < their.delay:
                yield "records earlier"


def _own_covers(tier: Tier, high: Audience) -> bool:
    """Everything the tier shows is dominated by the higher audience itself."""
    highest = LEVELS[-1] if tier.explicit == "also" or tier.up_to is None else tier.up_to
    return high.dominates(highest, tier.compartments)


def _covers(their: Tier, tier: Tier, high: Audience, owned: int) -> bool:
    """Is the set of records of `tier` within that of `their` (or within what `high` owns)?"""
    if their.partner and not tier.partner:
        return False
    if not tier.compartments <= their.compartments | high.compartments:
        return False
    if their.consent and (tier.consent is None or SCOPES.index(tier.consent) < SCOPES.index(their.consent)):
        return False
    reach = max(_rank(their.up_to), owned)
    if their.explicit == "require":
        return tier.explicit == "require" and _rank(tier.up_to) <= reach
    if their.explicit == "also" and tier.explicit == "require":
        return True
    highest = len(LEVELS) - 1 if tier.explicit == "also" and their.explicit == "no" else _rank(tier.up_to)
    return highest <= reach


def _rank(level: str | None) -> int:
    return -1 if level is None else LEVELS.index(level)


def _field_faults(low: Mapping[str, Verb], high: Mapping[str, Verb], form: str) -> Iterator[str]:
    for name, verb in low.items():
        theirs = high.get(name)
        if theirs is None:
            yield f"{form}field {name}, more"
        elif _more_open(verb, theirs):
            yield f"{form}field {name} ({verb.kind}), more open"


def _more_open(low: Verb, high: Verb) -> bool:
    if high.kind == "show":
        return False
    if high.kind == "consent":
        # Without the consent the higher audience gets what stands under `else`, or nothing.
        rest = low.otherwise if low.kind == "consent" else low
        if low.kind == "consent" and _wider(str(low.scope), high.scope):
            return True
        return rest is not None and (high.otherwise is None or _more_open(rest, high.otherwise))
    if low.kind == "consent":
        return low.openness > high.openness or (low.otherwise is not None and _more_open(low.otherwise, high))
    if low.kind == high.kind == "mask" and low.sector_if:
        return not high.sector_if or low.sector_if < high.sector_if
    return low.openness > high.openness


def _finer(low: Place, high: Place) -> bool:
    """Is `low` finer than `high`? Cells are nested: the smallest honest cell is at least a cell of level 0."""
    if low.exact_if and high.kind != "exact" and _wider(low.exact_if, high.exact_if):
        return True
    if low.kind == high.kind == "honest":
        return (low.settlements, low.people) < (high.settlements, high.people)
    if low.kind == "honest" and high.kind == "cell":
        return high.level > 0
    return low.coarseness < high.coarseness


def _wider(low: str, high: str | None) -> bool:
    """Does the lower audience get the exact place on a narrower consent than the higher one?"""
    return high is None or SCOPES.index(low) < SCOPES.index(high)


def _time(tier: Tier) -> int:
    order = ["exact", *UNITS]
    return len(order) if tier.time is None else order.index(tier.time)


def check_change(old: Policy, new: Policy, allow_finer: bool = False) -> None:
    """A change to a finer cell lets a reader with memory subtract: refuse it unless it is asked for by name.

    Raises PolicyError naming layer and audience.
    """
    for layer, rule in new.rules.items():
        before = old.rules.get(layer)
        if before is None:
            continue
        for audience, tiers in rule["coarse"].items():
            for was, now in zip(before["coarse"].get(audience, ()), tiers, strict=False):
                finer = _finer(now.place, was.place) or _time(now) < _time(was)
                if (
                    finer or (was.place.kind != now.place.kind and not _nested(was.place, now.place))
                ) and not allow_finer:
                    raise PolicyError(
                        f"layers.{layer}.coarse.{audience}: place or time becomes finer than in version {old.version}; "
                        "two releases could be subtracted (give --allow-finer if two persons agreed)"
                    )


def _nested(was: Place, now: Place) -> bool:
    """Coarser cells contain finer ones; an administrative area or nothing may replace a cell."""
    return now.coarseness >= was.coarseness
