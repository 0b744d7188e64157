"""The rule file: who sees what, at which precision, how late. A closed vocabulary without expressions.

Nothing is released by default: a layer without rules, a field without a rule or an audience without a tier stays in
the vault. `load` reads and checks the shape; `layers.monotone` checks that a lower audience never gets more.

A record reaches an audience in one of these forms, tried in this order:
  1. own: the audience dominates the record's level and compartments; it gets the fields under `own`;
  2. the tiers under `coarse`, from the first: fields by verb, place and time made coarse, delayed;
  3. none: the record does not exist for that audience.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path
from typing import Any

from layers.audience import LEVELS, Audience
from layers.layer import CodeList, FieldType, Layer
from layers.registry import all_layers

SCOPES = ("mission", "un", "public")
"""Consent scopes, from narrow to wide: consent to publish covers the narrower uses."""
UNITS = ("day", "week", "month")
VERBS = ("show", "band", "pseudonym")
ADMIN_LEVELS = (0, 1, 2, 3)


class PolicyError(ValueError):
    """The rule file is wrong. The message names the place in the file and the remedy."""


@dataclass(frozen=True)
class Place:
    """How a place is released. Sizes in metres; cells are those of the mission's quadtree (layers.cells)."""

    kind: str  # exact | cell | honest | admin | none
    level: int = 0  # cell: quadtree level; admin: administrative level
    settlements: int = 0
    people: int = 0
    max_level: int = 0
    otherwise: tuple[int, ...] = ()  # honest: administrative levels to fall back to
    exact_if: str | None = None  # consent scope that allows the exact place

    @property
    def rule(self) -> str:
        """The key of this place rule's frozen table."""
        return f"s{self.settlements}-p{self.people}-m{self.max_level}"

    @property
    def coarseness(self) -> int:
        order = {"exact": 0, "cell": 10 + self.level, "honest": 20, "admin": 34 - self.level, "none": 40}
        return order[self.kind]


@dataclass(frozen=True)
class Verb:
    """What happens to one field: show, band, pseudonym, or a mask that depends on consent or on frozen counts."""

    kind: str  # show | band | pseudonym | consent | mask
    scope: str | None = None  # consent: show from this scope on
    sector_if: int = 0  # mask: name the sector when at least so many partners of it work in the district
    word: str = ""  # mask: the word that stands for the value
    otherwise: Verb | None = None

    @property
    def openness(self) -> int:
        return {"show": 4, "consent": 3, "pseudonym": 2, "band": 2, "mask": 1}[self.kind]


@dataclass(frozen=True)
class Tier:
    """One coarse form of a layer for one audience."""

    up_to: str | None
    compartments: frozenset[str]
    explicit: str  # no | require | also
    consent: str | None
    partner: bool
    place: Place
    time: str | None
    delay: dt.timedelta
    fields: Mapping[str, Verb]


@dataclass(frozen=True)
class ReleasedField:
    """A property as an audience sees it."""

    name: str
    type: FieldType
    label: str
    unit: str | None = None
    codes: CodeList | None = None
    tile: bool = True
    description: str = ""


@dataclass(frozen=True)
class ReleasedLayer:
    """A layer as one audience gets it: the shape of its released relation."""

    layer: Layer
    audience: Audience
    own: Mapping[str, Verb]
    tiers: tuple[Tier, ...]
    fields: tuple[ReleasedField, ...]
    sentences: tuple[str, ...] = ()
    publishers: frozenset[str] = frozenset()
    """Audiences at or below this one: a person's decision to release to one of them releases to this one too."""

    @property
    def id(self) -> str:
        return self.layer.id

    @property
    def has_time(self) -> bool:
        return self.layer.time is not None and (bool(self.own) or any(t.time for t in self.tiers))

    @property
    def has_geometry(self) -> bool:
        return True

    @property
    def clustered(self) -> bool:
        return self.layer.clustered

    @property
    def area_sources(self) -> bool:
        """May it hold rows that stand for an area?"""
        return self.layer.geometry == "point" and (bool(self.tiers) or self.layer.time is not None)

    @property
    def batched(self) -> bool:
        """Does any form wait for the batch clock?"""
        return any(t.delay for t in self.tiers)

    @property
    def uses_consent(self) -> bool:
        return any(consent_scopes(t) for t in self.tiers)

    @cached_property
    def search(self) -> tuple[str, ...]:
        names = {f.name for f in self.fields}
        return tuple(n for n in self.layer.search if n in names)

    @cached_property
    def field(self) -> dict[str, ReleasedField]:
        return {f.name: f for f in self.fields}


def consent_scopes(tier: Tier) -> set[str]:
    """The consent scopes on which a tier depends."""
    scopes = {v.scope for v in tier.fields.values() if v.scope}
    return {s for s in (*scopes, tier.consent, tier.place.exact_if) if s}


@dataclass(frozen=True)
class Batch:
    """When delayed forms are applied: daily at `at` (UTC), or every so many days counted from 1970-01-05, a Monday."""

    at: dt.time
    every_days: Mapping[str, int]

    def every(self, audience: str) -> int:
        return self.every_days.get(audience, self.every_days["default"])


@dataclass(frozen=True)
class Policy:
    version: int
    mission: Mapping[str, Any]
    approved_by: tuple[str, ...]
    compartments: tuple[str, ...]
    audiences: Mapping[str, Audience]
    reference: str
    grid_levels: int
    batch: Batch
    rules: Mapping[str, Mapping[str, Any]]  # layer id → {own, drop, coarse: {audience: tiers}}
    sha256: str = ""
    path: Path = field(default_factory=Path)
    source: bytes = b""
    """The file as it was read; the database keeps the rules in force."""

    @cached_property
    def _released(self) -> dict[str, dict[str, ReleasedLayer]]:
        from layers.sentences import sentences  # imported here: it words what this module parses

        out: dict[str, dict[str, ReleasedLayer]] = {a: {} for a in self.audiences}
        for layer_id, layer in all_layers().items():
            rule = self.rules.get(layer_id)
            for audience in self.audiences.values():
                if rule is None:
                    continue
                own = own_fields(rule, audience)
                tiers = tuple(rule["coarse"].get(audience.id, ()))
                if not own and not tiers:
                    continue
                below = frozenset(a.id for a in self.audiences.values() if a <= audience)
                fields = released_fields(layer, own, tiers)
                released = ReleasedLayer(layer, audience, own, tiers, fields, (), below)
                out[audience.id][layer_id] = replace(released, sentences=sentences(released, self))
        return out

    def released(self, audience: str) -> dict[str, ReleasedLayer]:
        """The layers that exist for an audience, in drawing order. KeyError for an unknown audience."""
        return self._released[audience]


def own_fields(rule: Mapping[str, Any], audience: Audience) -> dict[str, Verb]:
    """The fields of the own form for one audience: rules are by audience id or for all (`*`). None below the floor."""
    out: dict[str, Verb] = {}
    if rule["floor"] is not None and audience.rank < LEVELS.index(rule["floor"]):
        return out
    for name, by in rule["own"].items():
        verb = by.get(audience.id, by.get("*"))
        if verb is not None:
            out[name] = verb
    return out


def _worded(verb: Verb) -> bool:
    """Does the verb put a word or a pseudonym in the value's place?"""
    return verb.kind == "pseudonym" or bool(verb.word) or (verb.otherwise is not None and _worded(verb.otherwise))


def released_fields(layer: Layer, own: Mapping[str, Verb], tiers: Iterable[Tier]) -> tuple[ReleasedField, ...]:
    """The columns of the released relation: a banded field is a column of its own, `<name>_band`."""
    forms = [own, *(t.fields for t in tiers)]
    fields = []
    for one in layer.fields:
        verbs = [form[one.name] for form in forms if one.name in form]
        if any(v.kind != "band" for v in verbs):
            masked = any(_worded(v) for v in verbs)
            kind: FieldType = "text" if masked else one.type
            codes = None if masked else one.codes
            fields.append(ReleasedField(one.name, kind, one.label, one.unit, codes, one.tile, one.description))
        if any(v.kind == "band" for v in verbs):
            fields.append(ReleasedField(f"{one.name}_band", "text", f"{one.label} (band)", one.unit))
    return tuple(fields)


def reference_folder(name: str) -> Path:
    """Where the frozen public data of that name stands."""
    return Path(__file__).parent / "reference" / name


def default_path() -> Path:
    """The demo mission's rules."""
    return Path(__file__).parent / "policies" / "demo.yaml"


def load(path: Path | None = None) -> Policy:
    """Read and check a rule file. Raises PolicyError with the place in the file and the remedy."""
    from layers.monotone import check  # the checks and the reader know this module
    from layers.rule_file import read

    policy = read(path or default_path())
    check(policy)
    return policy
