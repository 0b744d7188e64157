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
import hashlib
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path
from typing import Any

import yaml

from layers.audience import LEVELS, Audience
from layers.layer import GRID_METRES, CodeList, FieldType, Layer
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

    @cached_property
    def _released(self) -> dict[str, dict[str, ReleasedLayer]]:
        from layers.sentences import sentences  # imported here: it words what this module parses

        out: dict[str, dict[str, ReleasedLayer]] = {a: {} for a in self.audiences}
        for layer_id, layer in all_layers().items():
            rule = self.rules.get(layer_id)
            for audience in self.audiences.values():
                if rule is None:
                    continue
                own = own_fields(rule["own"], audience)
                tiers = tuple(rule["coarse"].get(audience.id, ()))
                if not own and not tiers:
                    continue
                if not tiers and rule["floor"] is not None and audience.rank < LEVELS.index(rule["floor"]):
                    continue
                below = frozenset(a.id for a in self.audiences.values() if a <= audience)
                fields = released_fields(layer, own, tiers)
                released = ReleasedLayer(layer, audience, own, tiers, fields, (), below)
                out[audience.id][layer_id] = replace(released, sentences=sentences(released, self))
        return out

    def released(self, audience: str) -> dict[str, ReleasedLayer]:
        """The layers that exist for an audience, in drawing order. KeyError for an unknown audience."""
        return self._released[audience]


def own_fields(own: Mapping[str, Mapping[str, Verb]], audience: Audience) -> dict[str, Verb]:
    """The fields of the own form for one audience: rules are by audience id or for all (`*`)."""
    out: dict[str, Verb] = {}
    for name, by in own.items():
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


# --- reading ---------------------------------------------------------------------------------------------------------

_DURATION = re.compile(r"^(\d+)(h|d)$")
_SIZE = re.compile(r"^(\d+)km$")


def default_path() -> Path:
    """The demo mission's rules."""
    return Path(__file__).parent / "policies" / "demo.yaml"


def _only(where: str, data: Any, keys: Iterable[str]) -> Mapping[str, Any]:
    if not isinstance(data, Mapping):
        raise PolicyError(f"{where}: expected a mapping, found {data!r}")
    unknown = set(map(str, data)) - set(keys)
    if unknown:
        raise PolicyError(f"{where}: unknown {', '.join(sorted(unknown))}; allowed are {', '.join(sorted(keys))}")
    return data


def _one_of(where: str, value: Any, allowed: Iterable[Any]) -> Any:
    if value not in allowed:
        raise PolicyError(f"{where}: {value!r} is none of {', '.join(map(str, allowed))}")
    return value


def _duration(where: str, value: Any) -> dt.timedelta:
    match = _DURATION.match(str(value))
    if not match:
        raise PolicyError(f"{where}: {value!r} is no duration; write for example 72h or 30d")
    return dt.timedelta(**{"hours" if match[2] == "h" else "days": int(match[1])})


def _cell_level(where: str, value: Any, levels: int) -> int:
    match = _SIZE.match(str(value))
    sizes = [f"{GRID_METRES * 2**n // 1000}km" for n in range(levels)]
    if not match or str(value) not in sizes:
        raise PolicyError(f"{where}: {value!r} is no cell of the grid; there are {', '.join(sizes)}")
    return sizes.index(str(value))


def _place(where: str, data: Any, levels: int) -> Place:
    if data in ("exact", "none"):
        return Place(str(data))
    data = _only(where, data, ("cell", "settlements", "people", "max", "else", "admin", "exact_if"))
    exact_if = data.get("exact_if")
    if exact_if is not None:
        _one_of(f"{where}.exact_if", exact_if, SCOPES)
    kinds = [k for k in ("cell", "settlements", "admin") if k in data]
    if len(kinds) != 1:
        raise PolicyError(f"{where}: name exactly one of cell, settlements (with people), admin")
    if kinds == ["cell"]:
        return Place("cell", _cell_level(where, data["cell"], levels), exact_if=exact_if)
    if kinds == ["admin"]:
        return Place("admin", _one_of(where, data["admin"], ADMIN_LEVELS), exact_if=exact_if)
    if int(data["settlements"]) < 2 or int(data.get("people", 0)) < 1:
        raise PolicyError(f"{where}: an honest cell needs settlements of 2 or more, and people")
    otherwise = tuple(_one_of(f"{where}.else", e, ("admin2", "admin1")) for e in data.get("else", ()))
    return Place(
        "honest",
        settlements=int(data["settlements"]),
        people=int(data["people"]),
        max_level=_cell_level(where, data.get("max", "160km"), levels),
        otherwise=tuple(int(e[-1]) for e in otherwise),
        exact_if=exact_if,
    )


def _verb(where: str, data: Any) -> Verb:
    if isinstance(data, str):
        return Verb(_one_of(where, data, VERBS))
    data = _only(where, data, ("consent", "sector_if", "word", "else"))
    if "consent" in data:
        otherwise = _verb(f"{where}.else", data["else"]) if "else" in data else None
        return Verb("consent", scope=_one_of(where, data["consent"], SCOPES), otherwise=otherwise)
    if "word" in data or "sector_if" in data:
        return Verb("mask", sector_if=int(data.get("sector_if", 0)), word=str(data.get("word", "")))
    raise PolicyError(f"{where}: a verb is one of {', '.join(VERBS)}, {{consent: …}}, {{sector_if: …}} or {{word: …}}")


def _tier(where: str, data: Any, compartments: Iterable[str], places: Mapping[str, Place], levels: int) -> Tier:
    data = _only(where, data, ("show", "place", "time", "delay", "fields"))
    show = _only(f"{where}.show", data.get("show"), ("up_to", "compartments", "explicit", "consent", "partner"))
    if not any(k in show for k in ("up_to", "partner")) and show.get("explicit") != "also":
        raise PolicyError(f"{where}.show: say up_to which level records are shown")
    if "place" not in data:
        raise PolicyError(f"{where}: say how the place is shown (place: …); nothing is shown by default")
    place = data["place"]
    if isinstance(place, str) and place in places:
        parsed = places[place]
    else:
        parsed = _place(f"{where}.place", place, levels)
    fields = data.get("fields")
    if not isinstance(fields, Mapping):
        raise PolicyError(f"{where}.fields: expected field: verb")
    return Tier(
        up_to=_one_of(f"{where}.show.up_to", show["up_to"], LEVELS) if "up_to" in show else None,
        compartments=frozenset(_one_of(f"{where}.show", c, compartments) for c in show.get("compartments", ())),
        explicit=_one_of(f"{where}.show.explicit", show.get("explicit", "no"), ("no", "require", "also")),
        consent=_one_of(f"{where}.show.consent", show["consent"], SCOPES) if "consent" in show else None,
        partner=bool(show.get("partner", False)),
        place=parsed,
        time=None if data.get("time") is None else _one_of(f"{where}.time", data["time"], ("exact", *UNITS)),
        delay=_duration(f"{where}.delay", data["delay"]) if "delay" in data else dt.timedelta(),
        fields={str(k): _verb(f"{where}.fields.{k}", v) for k, v in fields.items()},
    )


def _own(where: str, data: Any, audiences: Iterable[str]) -> dict[str, dict[str, Verb]]:
    out: dict[str, dict[str, Verb]] = {}
    for name, by in _only(where, data, data).items():
        if by == "all":
            out[str(name)] = {"*": Verb("show")}
            continue
        pairs = _only(f"{where}.{name}", by, ("show", "pseudonym"))
        out[str(name)] = {
            _one_of(f"{where}.{name}", a, audiences): Verb(verb) for verb, whom in pairs.items() for a in whom
        }
    return out


def _layer_rules(
    name: str, data: Any, audiences: Mapping[str, Audience], compartments: Iterable[str], places: Mapping[str, Place],
    levels: int,
) -> dict[str, Any]:
    where = f"layers.{name}"
    layer = all_layers().get(name)
    if layer is None:
        raise PolicyError(f"{where}: no such layer; there are {', '.join(all_layers())}")
    data = _only(where, data, ("own", "drop", "coarse", "floor"))
    own = _own(f"{where}.own", data.get("own", {}), audiences)
    drop = set(data.get("drop", ()))
    coarse = {}
    for audience, tiers in _only(f"{where}.coarse", data.get("coarse", {}), audiences).items():
        listed = tiers if isinstance(tiers, list) else [tiers]
        coarse[audience] = tuple(
            _tier(f"{where}.coarse.{audience}[{n}]", t, compartments, places, levels) for n, t in enumerate(listed)
        )
    declared = set(layer.field)
    named = set(own) | {f for tiers in coarse.values() for t in tiers for f in t.fields}
    for wrong, why in ((named | drop) - declared, "is no field"), (declared - named - drop, "is neither named nor dropped"):
        if wrong:
            raise PolicyError(f"{where}: {', '.join(sorted(wrong))} {why} of the layer")
    if named & drop:
        raise PolicyError(f"{where}: {', '.join(sorted(named & drop))} is both released and dropped")
    for audience, tiers in coarse.items():
        for tier in tiers:
            for name_, verb in tier.fields.items():
                if verb.kind == "band" and not layer.field[name_].bands:
                    raise PolicyError(f"{where}.coarse.{audience}: field {name_} declares no bands")
            if tier.delay and layer.time is None:
                raise PolicyError(f"{where}.coarse.{audience}: a delay needs a layer with time")
    floor = data.get("floor")
    if floor is not None:
        _one_of(f"{where}.floor", floor, LEVELS)
    return {"own": own, "drop": drop, "coarse": coarse, "floor": floor}


def load(path: Path | None = None) -> Policy:
    """Read and check a rule file. Raises PolicyError with the place in the file and the remedy."""
    from layers.monotone import check  # the checks read what this module parses

    path = path or default_path()
    try:
        raw = path.read_bytes()
        data = yaml.safe_load(raw)
    except OSError as error:
        raise PolicyError(f"{path}: cannot be read ({error.strerror}); give the path of a rule file") from None
    except yaml.YAMLError as error:
        raise PolicyError(f"{path}: not valid YAML: {' '.join(str(error).split())}") from None
    keys = ("version", "mission", "approved_by", "compartments", "audiences", "reference", "grid", "batch", "places", "layers")
    data = _only(path.name, data, keys)
    missing = [k for k in keys if k not in data and k != "places"]
    if missing:
        raise PolicyError(f"{path.name}: {', '.join(missing)} missing")
    compartments = tuple(data["compartments"])
    audiences: dict[str, Audience] = {}
    for row in data["audiences"]:
        row = _only("audiences", row, ("id", "level", "compartments", "partner", "family", "title"))
        try:
            held = frozenset(_one_of("audiences", c, compartments) for c in row.get("compartments", ()))
            one = Audience(row["id"], row["level"], held, row.get("partner"), row["family"], row.get("title", row["id"]))
        except (KeyError, ValueError) as error:
            raise PolicyError(f"audiences: {row.get('id')}: {error}") from None
        if one.id in audiences:
            raise PolicyError(f"audiences: {one.id} stands twice")
        audiences[one.id] = one
    grid = _only("grid", data["grid"], ("base_m", "levels"))
    if grid["base_m"] != GRID_METRES:
        raise PolicyError(f"grid.base_m: this build's cells are of {GRID_METRES} m; every stored record counts on it")
    levels = int(grid["levels"])
    places = {str(k): _place(f"places.{k}", v, levels) for k, v in (data.get("places") or {}).items()}
    batch = _only("batch", data["batch"], ("at", "every_days"))
    try:
        at = dt.time.fromisoformat(str(batch["at"]))
    except ValueError:
        raise PolicyError(f"batch.at: {batch['at']!r} is no time; write for example \"06:00\"") from None
    policy = Policy(
        version=int(data["version"]),
        mission=data["mission"],
        approved_by=tuple(data["approved_by"]),
        compartments=compartments,
        audiences=audiences,
        reference=str(data["reference"]),
        grid_levels=levels,
        batch=Batch(at, {str(k): int(v) for k, v in batch["every_days"].items()}),
        rules={
            str(name): _layer_rules(str(name), rule, audiences, compartments, places, levels)
            for name, rule in data["layers"].items()
        },
        sha256=hashlib.sha256(raw).hexdigest(),
        path=path,
    )
    check(policy)
    return policy
