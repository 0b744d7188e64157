"""Worlds that differ only in what one audience may not see.

A change is tried on a record and kept when the rules, read in plain Python (tests.leaks.oracle), release the same row
as before: so what may change follows from the rule file. Hidden records are deleted (`purge`) or rewritten and
multiplied (`scramble`); visible ones are moved within their area, given other hidden words, classes, sources.
Then the tables are physically reordered, and the batch of the same slot runs again.
"""

from __future__ import annotations

import datetime as dt
import random
import uuid
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import psycopg
import shapely
from psycopg import sql
from sqlalchemy import Boolean, Date, DateTime, Integer, Numeric, Text

from layers import release as releases
from layers.audience import LEVELS
from layers.cells import Reference, base_cells, folder
from layers.layer import Layer
from layers.policy import Policy, ReleasedLayer
from layers.registry import all_layers
from layers.relations import relation
from tests.leaks.oracle import Facts, release, rows
from tests.world import Database

KEPT = {"id", "cell_x", "cell_y", "created_at", "updated_at", "version", "source_system", "geom"}
"""Columns that are the server's own, or are changed in company."""
TOGETHER = {"level", "compartments", "publish", "place_precision", "admin1", "admin2", "admin3", "partner_id"}


@dataclass(frozen=True)
class Spot:
    """A place with what the vault knows of it."""

    geom: bytes
    cell_x: int
    cell_y: int
    admin1: str | None
    admin2: str | None
    admin3: str | None

    def on(self, row: Mapping[str, Any]) -> dict[str, Any]:
        return {**row, **self.__dict__}


class Country:
    """Places all over the country, and near to given ones."""

    def __init__(self, policy: Policy, dice: random.Random) -> None:
        units = [a for a in Reference(folder(policy)).admin if a["kind"] == "admin3"]
        self.dice = dice
        self.codes = [(u["code"], u["parent"]) for u in units]
        self.tree = shapely.STRtree([u["geometry"] for u in units])
        west, south, east, north = shapely.total_bounds([u["geometry"] for u in units])
        self.anywhere = self.spots([(dice.uniform(west, east), dice.uniform(south, north)) for _ in range(400)])

    def spots(self, places: Sequence[tuple[float, float]]) -> list[Spot]:
        points = shapely.points(np.array(places))
        xs, ys = base_cells(np.array([p[0] for p in places]), np.array([p[1] for p in places]))
        held = dict(reversed(self.tree.query(points, predicate="intersects").T.tolist()))
        out = []
        for n, point in enumerate(points):
            if n in held:
                code, parent = self.codes[held[n]]
                place = Spot(shapely.to_wkb(point), int(xs[n]), int(ys[n]), parent[:4], parent, code)
                out.append(place)
        return out

    def near(self, row: Mapping[str, Any]) -> Iterator[Spot]:
        """From far to near: anywhere, the same units, then closer and closer."""
        yield from self.dice.sample(self.anywhere, 3)
        for level in ("admin1", "admin2"):
            same = [s for s in self.anywhere if getattr(s, level) == row[level]]
            yield from self.dice.sample(same, min(2, len(same)))
        point = shapely.from_wkb(row["geom"])
        for reach in (0.5, 0.1, 0.02, 0.005):
            moved = [(point.x + self.dice.uniform(-reach, reach), point.y + self.dice.uniform(-reach, reach))]
            yield from self.spots(moved)


@dataclass
class Change:
    """A world on its way: its rows before, and the facts that the rules look at."""

    world: Database
    policy: Policy
    audience: str
    facts: Facts
    dice: random.Random
    country: Country

    def view(self, layer: Layer) -> ReleasedLayer | None:
        return self.policy.released(self.audience).get(layer.id)

    def same(self, layer: Layer, old: Mapping[str, Any], new: Mapping[str, Any]) -> bool:
        view = self.view(layer)
        return view is None or release(view, old, self.facts) == release(view, new, self.facts)

    # --- one record --------------------------------------------------------------------------------------------------

    def changed(self, layer: Layer, row: dict[str, Any]) -> dict[str, Any]:
        """The record with everything changed that this audience does not get."""
        view = self.view(layer)
        columns = [c for c in layer.model.__table__.columns if c.name not in KEPT | TOGETHER]
        drafts = {c.name: self.draft(layer, c, row) for c in columns}
        hidden = view is None or release(view, row, self.facts) is None
        times = {n for n in (layer.time.start, layer.time.end, layer.time.reported, layer.time.precision) if n} if (
            layer.time
        ) else set()  # fmt: skip
        shown = {f.name for f in layer.fields if view and (f.name in view.field or f"{f.name}_band" in view.field)}
        new = dict(row)
        quiet = {n: d for n, d in drafts.items() if n not in times and (hidden or n not in shown)}
        if self.same(layer, row, {**new, **quiet}):
            new |= quiet
        for name, draft in drafts.items():
            if name in shown and self.same(layer, row, {**new, name: draft}):
                new[name] = draft
        for draft in self.times(layer, row) if times else ():
            if self.same(layer, row, {**new, **draft}):
                new |= draft
                break
        for draft in self.labels(layer):
            if self.same(layer, row, {**new, **draft}):
                new |= draft
                break
        if layer.geometry == "point" and row["geom"] is not None:
            for spot in self.country.near(row):
                if self.same(layer, row, spot.on(new)):
                    new = spot.on(new)
                    break
        return new

    def draft(self, layer: Layer, column: Any, row: Mapping[str, Any]) -> Any:
        """Another value of a column. Checks of the database hold."""
        dice, name = self.dice, column.name
        field = layer.field.get(name)
        if field and field.codes and name not in ("reliability", "credibility"):
            return dice.choice([c.code for c in field.codes.codes])
        fixed = {"reliability": "ABCDEF", "credibility": "123456", "currency": ("USD", "EUR", "XAF")}
        if name in fixed:
            return dice.choice(fixed[name])
        if name == "source_alias":
            return f"SCRAMBLED-{dice.randrange(1, 9999)}"
        if name == "import_id":
            return dice.randrange(10_000)
        if isinstance(column.type, Boolean):
            return dice.random() < 0.5
        if isinstance(column.type, Integer | Numeric):
            bands = field.bands if field else ()
            now = int(row[name] or 0)
            return dice.randrange(now, max(next((b for b in bands if b > now), now + 40), now + 1))
        if isinstance(column.type, DateTime):
            return dt.datetime(2003, 1, 1, tzinfo=dt.UTC) + dt.timedelta(minutes=dice.randrange(10**6))
        if isinstance(column.type, Date):
            return dt.date(2003, 1, 1) + dt.timedelta(days=dice.randrange(5000))
        if isinstance(column.type, Text):
            return f"scrambled {uuid.UUID(int=dice.getrandbits(128))}"
        return row[name]

    def times(self, layer: Layer, row: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
        """Other times: years off, and closer and closer."""
        time = layer.time
        assert time is not None
        ends = [n for n in (time.start, time.end) if n and row[n] is not None]
        for reach in (3000, 20, 5, 1, 0.4, 0.1):
            by = dt.timedelta(days=self.dice.uniform(-reach, reach))
            if not isinstance(row[time.start], dt.datetime):
                by = dt.timedelta(days=round(by.days))
            out: dict[str, Any] = {n: row[n] + by for n in ends}
            if time.reported and row[time.reported] is not None:
                out[time.reported] = row[time.reported] - dt.timedelta(days=self.dice.uniform(0, 300))
            yield out
            if time.precision:
                yield {**out, time.precision: self.dice.choice(["hour", "day"])}
        if time.reported and row[time.reported] is not None:
            yield {time.reported: row[time.reported] - dt.timedelta(days=self.dice.uniform(0, 300))}
            yield {time.reported: row[time.reported] + dt.timedelta(hours=self.dice.uniform(0, 3))}

    def labels(self, layer: Layer) -> Iterator[dict[str, Any]]:
        """Other classes, compartments, decisions to publish, partners."""
        partners = [*self.facts.codes, None]
        for _ in range(6):
            label: dict[str, Any] = {
                "level": self.dice.choice(LEVELS),
                "compartments": self.dice.sample(list(self.policy.compartments), self.dice.randrange(3)),
                "publish": self.dice.sample(list(self.policy.audiences), self.dice.randrange(3)),
            }
            if "partner_id" in layer.model.__table__.columns:
                label["partner_id"] = self.dice.choice(partners)
            yield label
            yield {n: v for n, v in label.items() if n != "level"}
            yield {n: v for n, v in label.items() if n == "publish"}

    # --- tables ------------------------------------------------------------------------------------------------------

    def store(self, conn: psycopg.Connection, layer: Layer, new: Sequence[Mapping[str, Any]], table: str) -> None:
        """COPY records into a table of the vault, or a temporary one like it."""
        names = [c.name for c in layer.model.__table__.columns if c.name not in ("cell_x", "cell_y")]
        listed = sql.SQL(", ").join(map(sql.Identifier, names))
        into = sql.Identifier("vault", table) if table == layer.table else sql.Identifier(table)
        with conn.cursor().copy(sql.SQL("COPY {} ({}) FROM STDIN").format(into, listed)) as copy:
            for row in new:
                copy.write_row([_geometry(row[n]) if n == "geom" else row[n] for n in names])

    def rewrite(self, conn: psycopg.Connection, layer: Layer, new: Sequence[Mapping[str, Any]]) -> None:
        """Put changed records in the place of old ones, by one UPDATE, as an import does."""
        conn.execute(f"CREATE TEMP TABLE new_rows (LIKE vault.{layer.table}) ON COMMIT DROP".encode())
        self.store(conn, layer, new, "new_rows")
        names = [c.name for c in layer.model.__table__.columns if c.name not in ("id", "cell_x", "cell_y")]
        pairs = ", ".join(f"{n} = n.{n}" for n in names)
        conn.execute(f"UPDATE vault.{layer.table} v SET {pairs} FROM new_rows n WHERE n.id = v.id".encode())
        conn.execute("DROP TABLE new_rows")


def _geometry(value: Any) -> Any:
    if value is None:
        return None
    return shapely.to_wkb(shapely.set_srid(shapely.from_wkb(value), 4326), hex=True, include_srid=True)


def alter(world: Database, policy: Policy, audience: str, how: str, seed: int) -> int:
    """Make the hidden part of a world another one: `how` is purge or scramble. Returns how many records were hidden."""
    hidden = 0
    dice = random.Random(seed)
    with psycopg.connect(world.owner_dsn) as conn:
        facts = Facts.read(conn, policy)
        change = Change(world, policy, audience, facts, dice, Country(policy, dice))
        slots: dict[str, dt.datetime] = dict(conn.execute("SELECT audience, slot FROM vault.batches").fetchall())
        for layer in all_layers().values():
            view = change.view(layer)
            before = rows(conn, layer.table)
            gone = [r for r in before if view is None or release(view, r, facts) is None]
            hidden += len(gone)
            conn.execute(f"ALTER TABLE vault.{layer.table} DISABLE TRIGGER keep_update".encode())
            if how == "purge":
                ids = [r["id"] for r in gone]
                conn.execute(f"DELETE FROM vault.{layer.table} WHERE id = ANY (%s)".encode(), (ids,))
                before = [r for r in before if r["id"] not in set(ids)]
            dice.shuffle(before)
            change.rewrite(conn, layer, [change.changed(layer, r) for r in before])
            if how == "scramble" and layer.id != "areas":  # codes of areas are unique
                more = [{**change.changed(layer, r), "id": uuid.UUID(int=dice.getrandbits(128))} for r in gone[::3]]
                change.store(conn, layer, [{**r, "source_id": str(r["id"])} for r in more], layer.table)
        identities(conn, change, how)
        conn.execute("DELETE FROM vault.history" if how == "purge" else "UPDATE vault.history SET state = '{}'")
        conn.execute("DELETE FROM vault.imports" if how == "purge" else "UPDATE vault.imports SET who = 'somebody'")
    for name, slot in slots.items():
        releases.run_batch(world.publisher_dsn, policy, slot, name)
    shake(world, policy, audience)
    return hidden


def identities(conn: psycopg.Connection, change: Change, how: str) -> None:
    """Consents and partners: whatever of them does not show in this audience's release of any record."""
    leaning = [
        (layer, row)
        for layer in all_layers().values()
        if any(d.table == "consents" for d in layer.depends)
        for row in rows(conn, layer.table)
    ]

    def seen(partner: str) -> list[Any]:
        mine = [(layer, row) for layer, row in leaning if row["partner_id"] == partner]
        return [release(v, row, change.facts) for layer, row in mine if (v := change.view(layer))]

    for partner, given in list(change.facts.consents.items()):
        for one in list(given):
            before = seen(partner)
            given.remove(one)
            if seen(partner) != before:
                given.append(one)
                conn.execute(
                    "UPDATE vault.consents SET paper_reference = 'scrambled', given_by_function = NULL WHERE id = %s",
                    (one["id"],),
                )
            elif how == "purge":
                conn.execute("DELETE FROM vault.consents WHERE id = %s", (one["id"],))
            else:
                conn.execute("UPDATE vault.consents SET withdrawn_on = '2020-01-01' WHERE id = %s", (one["id"],))
    for partner, code in list(change.facts.codes.items()):
        before = seen(partner)
        change.facts.codes[partner] = None
        if seen(partner) == before and how == "purge":
            conn.execute("DELETE FROM vault.partners WHERE id = %s", (partner,))
        else:
            change.facts.codes[partner] = code
            conn.execute("UPDATE vault.partners SET name = 'scrambled', type = NULL WHERE id = %s", (partner,))


def shake(world: Database, policy: Policy, audience: str) -> None:
    """Reorder everything on disk, gather statistics anew, rebuild indexes: none of it may show."""
    with psycopg.connect(world.owner_dsn, autocommit=True) as conn:
        for view in policy.released(audience).values():
            conn.execute(f"CLUSTER {relation(view)} USING {view.id}_geom3857".encode())
            conn.execute(f"ALTER TABLE {relation(view)} SET (fillfactor = 60)".encode())
        conn.execute("VACUUM ANALYZE")
        for view in policy.released(audience).values():
            conn.execute(f"REINDEX TABLE {relation(view)}".encode())
