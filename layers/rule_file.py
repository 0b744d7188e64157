"""Reading a rule file: a closed vocabulary, every word checked, errors that name the place and the remedy."""

from __future__ import annotations

import datetime as dt
import hashlib
import re
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import yaml

from layers.audience import LEVELS, Audience
from layers.layer import GRID_METRES
from layers.policy import (
    ADMIN_LEVELS,
    SCOPES,
    UNITS,
    VERBS,
    Batch,
    Place,
    Policy,
    PolicyError,
    Tier,
    Verb,
    reference_folder,
)
from layers.registry import all_layers

_DURATION = re.compile(r"^(\d+)(h|d)$")
_SIZE = re.compile(r"^(\d+)km$")


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


def _whole(where: str, value: Any) -> int:
    if isinstance(value, bool) or not isinstance(value, int) or value < 1:
        raise PolicyError(f"{where}: {value!r} is no whole number of 1 or more")
    return value


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
    name: str,
    data: Any,
    audiences: Mapping[str, Audience],
    compartments: Iterable[str],
    places: Mapping[str, Place],
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
    for wrong, why in (
        ((named | drop) - declared, "is no field"),
        (declared - named - drop, "is neither named nor dropped"),
    ):
        if wrong:
            raise PolicyError(f"{where}: {', '.join(sorted(wrong))} {why} of the layer")
    if named & drop:
        raise PolicyError(f"{where}: {', '.join(sorted(named & drop))} is both released and dropped")
    for audience, tiers in coarse.items():
        for tier in tiers:
            for name_, verb in tier.fields.items():
                if verb.kind == "band" and not layer.field[name_].bands:
                    raise PolicyError(f"{where}.coarse.{audience}: field {name_} declares no bands")
            if layer.geometry != "point" and tier.place.kind not in ("exact", "none"):
                raise PolicyError(
                    f"{where}.coarse.{audience}: only points can be made coarse; show {layer.geometry}s exact or none"
                )
            if tier.delay and layer.time is None:
                raise PolicyError(f"{where}.coarse.{audience}: a delay needs a layer with time")
    floor = data.get("floor")
    if floor is not None:
        _one_of(f"{where}.floor", floor, LEVELS)
    return {"own": own, "drop": drop, "coarse": coarse, "floor": floor}


def read(path: Path) -> Policy:
    """The rules of a file, each by itself in order; `layers.monotone` judges them together. Raises PolicyError."""
    try:
        raw = path.read_bytes()
    except OSError as error:
        raise PolicyError(f"{path}: cannot be read ({error.strerror}); give the path of a rule file") from None
    return parse(raw, path)


def parse(raw: bytes, path: Path) -> Policy:
    """The same from the content of a file; `path` is for messages."""
    try:
        data = yaml.safe_load(raw)
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise PolicyError(f"{path}: not valid YAML: {' '.join(str(error).split())}") from None
    keys = (
        "version",
        "mission",
        "approved_by",
        "compartments",
        "audiences",
        "reference",
        "grid",
        "batch",
        "places",
        "layers",
    )
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
            one = Audience(
                row["id"], row["level"], held, row.get("partner"), row["family"], row.get("title", row["id"])
            )
        except (KeyError, ValueError) as error:
            raise PolicyError(f"audiences: {row.get('id')}: {error}") from None
        if one.id in audiences:
            raise PolicyError(f"audiences: {one.id} stands twice")
        audiences[one.id] = one
    grid = _only("grid", data["grid"], ("base_m", "levels"))
    if grid["base_m"] != GRID_METRES:
        raise PolicyError(f"grid.base_m: this build's cells are of {GRID_METRES} m; every stored record counts on it")
    levels = _whole("grid.levels", grid["levels"])
    places = {str(k): _place(f"places.{k}", v, levels) for k, v in (data.get("places") or {}).items()}
    batch = _only("batch", data["batch"], ("at", "every_days"))
    try:
        at = dt.time.fromisoformat(str(batch["at"]))
    except ValueError:
        raise PolicyError(f'batch.at: {batch["at"]!r} is no time; write for example "06:00"') from None
    every = {str(k): _whole(f"batch.every_days.{k}", v) for k, v in batch["every_days"].items()}
    if "default" not in every or not set(every) <= {"default", *audiences}:
        raise PolicyError("batch.every_days: needs `default`, and beside it only names of audiences")
    reference = str(data["reference"])
    if not reference_folder(reference).is_dir():
        raise PolicyError(f"reference: there is no frozen data {reference!r} in layers/reference")
    return Policy(
        version=_whole("version", data["version"]),
        mission=data["mission"],
        approved_by=tuple(data["approved_by"]),
        compartments=compartments,
        audiences=audiences,
        reference=reference,
        source=raw,
        grid_levels=levels,
        batch=Batch(at, every),
        rules={
            str(name): _layer_rules(str(name), rule, audiences, compartments, places, levels)
            for name, rule in data["layers"].items()
        },
        sha256=hashlib.sha256(raw).hexdigest(),
        path=path,
    )
