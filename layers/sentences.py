"""The rules in words: what one audience gets of one layer, and the one-page table of who sees what."""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence

from layers.audience import MARKINGS
from layers.layer import GRID_METRES
from layers.policy import Place, Policy, ReleasedLayer, Tier, Verb

ADMIN = ("country", "admin 1 area", "admin 2 area", "admin 3 area")
"""What administrative units are called, unless the rule file's mission says `admin_names`."""


def place_words(place: Place, names: Sequence[str] = ADMIN) -> str:
    size = GRID_METRES // 1000
    if place.kind == "exact":
        words = "at its place"
    elif place.kind == "none":
        words = "without a place"
    elif place.kind == "cell":
        words = f"somewhere in a {size * 2**place.level} km cell"
    elif place.kind == "admin":
        words = f"somewhere in the {names[place.level]}"
    else:
        words = (
            f"somewhere in the smallest cell with at least {place.settlements} settlements and "
            f"{place.people:,} people (at most {size * 2**place.max_level} km wide)"
        )
        for level in place.otherwise:
            words += f", else the {names[level]}"
    if place.exact_if:
        words += f", exact where the partner consented ({place.exact_if})"
    return words


def time_words(time: str | None) -> str:
    return {
        None: "without a date",
        "exact": "with its time",
        "day": "by day",
        "week": "by ISO week",
        "month": "by month",
    }[time]


def delay_words(delay: dt.timedelta) -> str:
    if not delay:
        return ""
    hours = int(delay.total_seconds() // 3600)
    return f", {hours} hours late" if hours < 120 else f", {delay.days} days late"


def _records(tier: Tier) -> str:
    parts = []
    if tier.partner:
        parts.append("the partner's own records")
    elif tier.up_to:
        words = f"records up to {MARKINGS[tier.up_to]}"
        if tier.explicit == "require":
            words += " that were approved for release"
        elif tier.explicit == "also":
            words += ", and any that were approved for release,"
        parts.append(words)
    else:
        parts.append("records that were approved for release")
    if tier.consent:
        parts.append(f"of partners that gave consent ({tier.consent})")
    if tier.compartments:
        parts.append(f"including {', '.join(sorted(c.upper() for c in tier.compartments))}")
    return " ".join(parts)


def sentences(released: ReleasedLayer, policy: Policy) -> tuple[str, ...]:
    """What an audience gets, one sentence a form. They tell the rule, never how many records it hit."""
    out = []
    if released.own:
        label = released.audience.marking
        out.append(f"Records marked up to {label} are shown in full, at once.")
    for tier in released.tiers:
        where = place_words(tier.place, policy.mission.get("admin_names", ADMIN))
        when = f", {time_words(tier.time)}" if released.layer.time else ""
        records = _records(tier)
        first = f"Otherwise {records}" if out else records[0].upper() + records[1:]
        words = f"{first} are shown {where}{when}{delay_words(tier.delay)}."
        if tier.delay:
            days = policy.batch.every(released.audience.id)
            every = "every day" if days == 1 else f"every {days} days"
            words += f" Changes appear with the release {every} at {policy.batch.at:%H:%M} UTC."
        out.append(words)
    return tuple(out)


def _verb_word(verb: Verb) -> str:
    words = {
        "show": "yes",
        "band": "band",
        "pseudonym": "pseudonym",
        "consent": f"if consent ({verb.scope})",
        "mask": "masked",
    }
    return words[verb.kind]


def table(policy: Policy) -> list[tuple[str, list[str], list[list[str]]]]:
    """Who sees what: per layer (title, header, rows); a column per audience, rows for place, time, delay, fields."""
    out = []
    audiences = list(policy.audiences)
    names = policy.mission.get("admin_names", ADMIN)
    for layer_id, rule in policy.rules.items():
        views = {a: policy.released(a).get(layer_id) for a in audiences}
        layer = next((v.layer for v in views.values() if v), None)
        if layer is None:
            continue
        aspects = ("own records", "others", "place", "time", "delay")
        rows = [[aspect, *(_aspect(views[a], aspect, names) for a in audiences)] for aspect in aspects]
        for field in layer.fields:
            cells = []
            for a in audiences:
                view = views[a]
                own = _verb_word(view.own[field.name]) if view and field.name in view.own else "-"
                coarse = (
                    "/".join(
                        dict.fromkeys(
                            _verb_word(t.fields[field.name]) if field.name in t.fields else "-" for t in view.tiers
                        )
                    )
                    if view and view.tiers
                    else ""
                )
                cells.append(f"{own} | {coarse}" if coarse else own)
            rows.append([field.name, *cells])
        out.append((layer.title, ["own | others", *audiences], rows))
        if rule["drop"]:
            out[-1][2].append(["never released", ", ".join(sorted(rule["drop"])), *[""] * (len(audiences) - 1)])
    return out


def _aspect(view: ReleasedLayer | None, aspect: str, names: Sequence[str]) -> str:
    if view is None:
        return "-"
    if aspect == "own records":
        return f"up to {view.audience.marking}" if view.own else "-"
    return "; ".join(_tier_aspect(view, tier, aspect, names) for tier in view.tiers) or "-"


def _tier_aspect(view: ReleasedLayer, tier: Tier, aspect: str, names: Sequence[str]) -> str:
    if aspect == "others":
        return _records(tier)
    if aspect == "place":
        return place_words(tier.place, names)
    if aspect == "time":
        return time_words(tier.time) if view.layer.time else ""
    return delay_words(tier.delay).strip(", ") or "none"
