"""What the questions of the leak tests are made of: what an audience has, and what it may not learn.

A scene is made once, from the world as it is; the same questions are then put to every world.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import psycopg
import shapely

from layers.derivation import fid
from layers.layer import Layer
from layers.policy import Policy, ReleasedLayer
from layers.registry import all_layers
from tests.leaks import plants
from tests.leaks.oracle import Facts, release, rows
from tests.world import Database

NONSENSE = "zqnonsense"
INNER = (
    "geom", "geom3857", "geometry", "_text", "_stream", "_form", "fid", "id", "ctid", "xmin", "tableoid", "cell_x",
    "cell_y", "admin1", "admin2", "admin3", "area_label", "uncertainty_km", "version", "n", "sx", "km", "label",
)  # fmt: skip
"""Names that stand somewhere in the database and are no property of anything released."""


@dataclass(frozen=True)
class Part:
    """One layer in the eyes of one audience."""

    layer: Layer
    view: ReleasedLayer | None
    seen: tuple[int, ...]
    """Some ids that it has …"""
    hidden: tuple[int, ...]
    """… those that hidden records would have …"""
    foreign: tuple[int, ...]
    """… and those under which other audiences know the same records."""
    words: tuple[str, ...]
    places: tuple[tuple[float, float], ...]
    days: tuple[str, ...]
    sources: tuple[str, ...]
    """Source ids of hidden and of coarse records that an editor of the class `unclassified` cannot reach."""

    @property
    def released(self) -> tuple[str, ...]:
        if self.view is None:
            return ()
        names = [f.name for f in self.view.fields]
        times = ("time_from", "time_to", "time_precision") if self.view.has_time else ()
        return (*names, "place_precision", *times)

    @property
    def unreleased(self) -> tuple[str, ...]:
        """Names of the layer, of the vault and of the release's inside that this audience cannot ask for."""
        columns = [c.name for c in self.layer.model.__table__.columns]
        bands = [f"{f.name}_band" for f in self.layer.fields if f.bands]
        return tuple(dict.fromkeys(n for n in (*columns, *bands, *INNER) if n not in self.released))


@dataclass(frozen=True)
class Scene:
    audience: str
    policy: Policy
    parts: Mapping[str, Part]
    areas: tuple[str, ...]

    @property
    def root(self) -> str:
        return f"/{self.audience}"

    @property
    def words(self) -> tuple[str, ...]:
        return tuple(w for p in self.parts.values() for w in p.words)

    @property
    def views(self) -> Mapping[str, ReleasedLayer]:
        return self.policy.released(self.audience)

    def with_place(self) -> Iterator[tuple[str, tuple[float, float]]]:
        for name, part in self.parts.items():
            for place in part.places:
                yield name, place


def set_scene(world: Database, policy: Policy, audience: str) -> Scene:
    """Read the world as its owner, and sort it by the rules."""
    parts = {}
    with psycopg.connect(world.owner_dsn) as conn:
        facts = Facts.read(conn, policy)
        for name, layer in all_layers().items():
            parts[name] = _part(conn, policy, facts, layer, policy.audiences[audience].family, audience)
        area = "SELECT id FROM vault.areas_of_reference WHERE kind IN ('admin1', 'c0', 'c4') ORDER BY md5(id) LIMIT 4"
        areas = tuple(a for (a,) in conn.execute(area))
    return Scene(audience, policy, parts, areas)


def _part(conn: psycopg.Connection, policy: Policy, facts: Facts, layer: Layer, family: str, audience: str) -> Part:
    view = policy.released(audience).get(layer.id)
    records = rows(conn, layer.table)
    gone, blurred, seen = [], [], []
    for row in records:
        made = release(view, row, facts) if view else None
        if made is None:
            gone.append(row)
        elif made["geom"] is None:
            blurred.append(row)
        if made is not None:
            seen.append(row)
    # the planted ones first: their words and places are nobody else's
    gone.sort(key=lambda r: (r["source_system"] != plants.SYSTEM, str(r["id"])))
    blurred.sort(key=lambda r: (r["source_system"] != plants.SYSTEM, str(r["id"])))
    hidden = [*gone[:3], *blurred[:2]]
    editor = policy.audiences["unclassified"]
    beyond = [row for row in hidden if not editor.dominates(row["level"], row["compartments"])]
    texts = [w for row in hidden for w in plants.words(dict(row)).values()][:6]
    texts += [str(row[n]) for row in gone[-2:] for n in ("place_name", "title", "name") if row.get(n)]
    others = sorted({a.family for a in policy.audiences.values()} - {family})
    days = {str(row[layer.time.start])[:10] for row in hidden if layer.time and row[layer.time.start]}
    return Part(
        layer=layer,
        view=view,
        seen=_ids(conn, layer, family, seen[:2]),
        hidden=_ids(conn, layer, family, gone[:2]),
        foreign=_ids(conn, layer, others[0], seen[:1]),
        words=tuple(dict.fromkeys(texts)),
        places=tuple(place_of(row) for row in hidden[1:4] if row["geom"]),
        days=tuple(sorted(days))[:2],
        sources=tuple(row["source_id"] for row in beyond),
    )


def place_of(row: Mapping[str, Any]) -> tuple[float, float]:
    point = shapely.from_wkb(row["geom"]).representative_point()
    return point.x, point.y


def _ids(conn: psycopg.Connection, layer: Layer, family: str, chosen: list[dict[str, Any]]) -> tuple[int, ...]:
    key = fid(family, layer.id, "v.id")
    statement = f"SELECT {key} FROM vault.{layer.table} v WHERE v.id = ANY (%s) ORDER BY v.id"
    return tuple(n for (n,) in conn.execute(statement.encode(), ([r["id"] for r in chosen],)).fetchall())


def tile_at(lon: float, lat: float, z: int) -> tuple[int, int]:
    """(y, x) of the tile at a place."""
    x = int((lon + 180) / 360 * 2**z)
    y = int((1 - math.asinh(math.tan(math.radians(lat))) / math.pi) / 2 * 2**z)
    return y, x
