"""The one door: a Reader over the release of ONE audience. Nothing else reads a layer.

Each audience has a login role of its own and a small pool; the role may SELECT in its schema and nothing else, so no
query could leave out a filter, because there is none. Every query has a total order by a released key.
"""

from __future__ import annotations

import datetime as dt
import re
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

import psycopg
from psycopg.rows import TupleRow
from psycopg_pool import AsyncConnectionPool, PoolClosed, PoolTimeout

from layers.audience import Audience
from layers.filters import BadQuery, Sql, clean, column, kinds
from layers.policy import Policy, ReleasedLayer
from layers.questions import Sort, Where, beyond, named, where_sql
from layers.tile_sql import tile_sql

__all__ = ["BadQuery", "Door", "Extent", "Feature", "Hit", "Page", "Reader", "Sort", "Unavailable", "Where"]

POOL_SIZE = 4
"""Connections per audience and process."""


class Unavailable(RuntimeError):
    """The database is away or too slow. The text tells nothing of data; try again later."""


@dataclass(frozen=True)
class Feature:
    """A released row: keyed id, GeoJSON text of its own place or its area, released properties."""

    fid: int
    geometry: str
    properties: dict[str, Any]


@dataclass(frozen=True)
class Page:
    features: list[Feature]
    after: list[Any] | None
    """The key of the last row when more follow."""


@dataclass(frozen=True)
class Extent:
    """Exact, of the released rows: lon/lat box and time interval."""

    bbox: tuple[float, float, float, float] | None
    interval: tuple[dt.datetime, dt.datetime] | None


@dataclass(frozen=True)
class Hit:
    """A search hit. A record that stands for an area has a box and no point."""

    layer: str
    fid: int
    title: str
    detail: str
    lon: float | None
    lat: float | None
    bbox: tuple[float, float, float, float] | None


class Door:
    """Readers by audience. `dsn` maps audience ids to connections of their roles; others are not held."""

    def __init__(self, policy: Policy, dsn: Mapping[str, str]) -> None:
        self._readers = {
            name: Reader(policy.audiences[name], policy.released(name), address)
            for name, address in dsn.items()
            if name in policy.audiences
        }

    async def open(self) -> None:
        """Open every pool. Raises Unavailable when an audience cannot be reached within 15 s."""
        for reader in self._readers.values():
            await reader.open()

    async def close(self) -> None:
        for reader in self._readers.values():
            await reader.close()

    @property
    def audiences(self) -> Sequence[str]:
        return list(self._readers)

    def reader(self, audience_id: str) -> Reader:
        """The reader of one audience. KeyError when this door does not hold it."""
        return self._readers[audience_id]


class Reader:
    """What one audience may ask. Raises BadQuery for questions outside its release, Unavailable when it must wait."""

    def __init__(self, audience: Audience, layers: Mapping[str, ReleasedLayer], dsn: str) -> None:
        self.audience = audience
        self.layers = layers
        self._pool = AsyncConnectionPool(
            dsn, min_size=1, max_size=POOL_SIZE, open=False, timeout=10, kwargs={"autocommit": True}, name=audience.id
        )
        self._kept: dict[tuple[str, str], tuple[int, Any]] = {}

    async def open(self) -> None:
        try:
            await self._pool.open(wait=True, timeout=15)
        except PoolTimeout:
            raise Unavailable(
                f"the release of {self.audience.id} cannot be reached; is the database running?"
            ) from None

    async def close(self) -> None:
        await self._pool.close()

    @asynccontextmanager
    async def _connection(self) -> AsyncIterator[psycopg.AsyncConnection[TupleRow]]:
        try:
            async with self._pool.connection() as connection:
                yield connection
        except (PoolTimeout, PoolClosed, psycopg.errors.QueryCanceled, psycopg.OperationalError):
            raise Unavailable("the service is busy or restarting; try again") from None
        except psycopg.DataError:
            # An expression of the caller overflowed or divided on released values.
            raise BadQuery("filter: the expression cannot be evaluated") from None

    async def _rows(self, statement: str, params: Any = None, binary: bool = False) -> list[TupleRow]:
        async with self._connection() as connection:
            cursor = await connection.execute(statement.encode(), params, binary=binary)
            return await cursor.fetchall()

    async def _once_per_version(self, layer: str, what: str, statement: str) -> Any:
        """A costly answer about a whole relation, kept until a released row changes."""
        version = (await self.versions())[layer]
        kept = self._kept.get((layer, what))
        if kept is None or kept[0] != version:
            rows = await self._rows(statement)
            self._kept[layer, what] = kept = (version, rows[0])
        return kept[1]

    # --- questions ---------------------------------------------------------------------------------------------------

    async def versions(self) -> dict[str, int]:
        """Per layer a number that changes exactly when a released row does. For caches; never shown."""
        return dict(await self._rows("SELECT layer, version FROM versions ORDER BY layer"))

    async def count(self, layer: str, where: Where) -> int:
        """How many released rows match, exactly."""
        released = self.layers[layer]
        if where.everything:
            row = await self._once_per_version(layer, "count", f'SELECT count(*) FROM "{layer}"')
            return int(row[0])
        condition = where_sql(where, released)
        rows = await self._rows(f'SELECT count(*) FROM "{layer}" t WHERE {condition.text}', condition.params)
        return int(rows[0][0])

    async def extent(self, layer: str) -> Extent:
        """The exact extent of what is released: of own places and of areas that hold rows."""
        released = self.layers[layer]
        areas = (
            f"UNION ALL SELECT b.geom FROM blur_areas b JOIN {layer}_area_counts c ON c.area = b.id"
            if released.layer.geometry == "point"
            else ""
        )
        box = f'(SELECT ST_Extent(g) FROM (SELECT geom AS g FROM "{layer}" {areas}) places)'
        times = (
            f'(SELECT min(time_from) FROM "{layer}"), (SELECT max(time_to) FROM "{layer}")'
            if released.has_time
            else "NULL, NULL"
        )
        row = await self._once_per_version(
            layer, "extent", f"SELECT e::text, a, z FROM (SELECT {box} AS e, {times}) x (e, a, z)"
        )
        bbox = tuple(float(n) for n in re.findall(r"-?[\d.]+(?:e-?\d+)?", row[0])) if row[0] else None
        return Extent(bbox, (row[1], row[2]) if row[1] else None)  # type: ignore[arg-type]

    async def features(
        self,
        layer: str,
        where: Where,
        *,
        sort: Sequence[Sort] = (),
        limit: int,
        after: Sequence[Any] | None = None,
        srid: int = 4326,
    ) -> Page:
        """A page of rows in a total order: by `sort`, nulls last, then by id. `after` is the key of the page before."""
        released = self.layers[layer]
        allowed = kinds(released)
        for one in sort:
            if one.name not in allowed:
                raise BadQuery(f"sortby: there is no property {one.name[:60]!r}")
        condition = where_sql(where, released)
        if after is not None:
            later = beyond(sort, allowed, after)
            condition = Sql(f"{condition.text} AND {later.text}", condition.params + later.params)
        order = [f"{column(s.name, allowed[s.name])} {'DESC' if s.descending else 'ASC'} NULLS LAST" for s in sort]
        keys = "".join(f', t."{s.name}"::text' for s in sort)
        by = ", ".join([*order, "t.fid"])
        # The page first, then its areas and texts: else they are made for every row that matches.
        page = f'SELECT * FROM "{layer}" t WHERE {condition.text} ORDER BY {by} LIMIT %s'
        rows = await self._rows(
            f"{_select(released, srid, keys, page)} ORDER BY {by}",
            [*condition.params, limit + 1],
        )
        more, rows = len(rows) > limit, rows[:limit]
        last = [*rows[-1][len(rows[-1]) - len(sort) :], rows[-1][0]] if more and rows else None
        names = _names(released)
        return Page([_feature(row, names) for row in rows], last)

    async def feature(self, layer: str, fid: int, srid: int = 4326) -> Feature | None:
        """One row by its released id, or None. An id that is hidden and one that never was are the same question."""
        released = self.layers[layer]
        one = _select(released, srid, "", f'SELECT * FROM "{layer}" WHERE fid = %s')
        rows = await self._rows(f"{one} ORDER BY t.fid", [fid])
        return _feature(rows[0], _names(released)) if rows else None

    async def tile(self, layers: Sequence[str], z: int, x: int, y: int, where: Where) -> bytes:
        """A Mapbox vector tile of the layers, in the order given; b"" when nothing is there. EPSG:3857."""
        params: dict[str, Any] = {"z": z, "x": x, "y": y}
        parts = []
        for number, layer in enumerate(layers):
            released = self.layers[layer]
            condition = None
            if not where.everything:
                asked = where_sql(where, released)
                condition = named(asked, f"p{number}_")
                params |= {f"p{number}_{n}": v for n, v in enumerate(asked.params)}
            parts += tile_sql(released, z, condition)
        if not parts:
            return b""
        rows = await self._rows(f"SELECT {' || '.join(parts)}", params, binary=True)
        return bytes(rows[0][0])

    async def search(self, text: str, limit: int = 20) -> list[Hit]:
        """Released texts that hold all words: the name itself, names that begin with it, word starts, the rest.

        The rank looks at the row alone, never at how common a word is.
        """
        words = clean(text).split()[:8]
        searched = [v for v in self.layers.values() if v.search]
        if not words or not searched:
            return []
        patterns = ["%" + re.sub(r"([\\%_])", r"\\\1", w) + "%" for w in words]
        fold = "lower(public.unaccent(%s))"
        match = " AND ".join(f"t._text LIKE {fold}" for _ in patterns)
        parts, params = [], []
        for order, released in enumerate(reversed(searched)):
            title = "coalesce(" + ", ".join(f't."{n}"' for n in released.search) + ", '')"
            area = released.layer.geometry == "point"
            place = "coalesce(t.geom, b.geom)" if area else "t.geom"
            join = "LEFT JOIN blur_areas b ON b.id = t.area" if area else ""
            exact = "t.geom IS NOT NULL" if area else "false"
            parts.append(
                f"(SELECT * FROM (SELECT '{released.id}' AS layer, t.fid, left({title}, 200) AS title,"
                f" {'b.label' if area else 'NULL::text'} AS detail,"
                f" CASE WHEN {exact} THEN ST_X(t.geom) END AS lon, CASE WHEN {exact} THEN ST_Y(t.geom) END AS lat,"
                f" ST_XMin({place}) AS x0, ST_YMin({place}) AS y0, ST_XMax({place}) AS x1, ST_YMax({place}) AS y1,"
                f" CASE lower(public.unaccent({title})) WHEN {fold} THEN 0 ELSE"
                f" CASE WHEN starts_with(lower(public.unaccent({title})), {fold}) THEN 1"
                f" WHEN ' ' || lower(public.unaccent({title})) LIKE '%% ' || {fold} THEN 2 ELSE 3 END END AS rank,"
                f" {order} AS place"
                f' FROM "{released.id}" t {join} WHERE {match}) one ORDER BY rank, length(title), title COLLATE'
                ' "C", fid LIMIT %s)'
            )
            params += [" ".join(words), " ".join(words), patterns[0][1:], *patterns, limit]
        rows = await self._rows(
            f"SELECT * FROM ({' UNION ALL '.join(parts)}) h ORDER BY rank, place, length(title), title COLLATE"
            ' "C", fid LIMIT %s',
            [*params, limit],
        )
        return [
            Hit(r[0], r[1], r[2], r[3] or "", r[4], r[5], (r[6], r[7], r[8], r[9]) if r[6] is not None else None)
            for r in rows
        ]


def _names(released: ReleasedLayer) -> list[str]:
    names = [f.name for f in released.fields] + ["place_precision", "area", "area_label", "uncertainty_km"]
    return names + (["time_from", "time_to", "time_precision"] if released.has_time else [])


def _select(released: ReleasedLayer, srid: int, keys: str, page: str) -> str:
    """SELECT id, GeoJSON, properties in the order of `_names`, sort keys of the rows of `page` (a SELECT).

    7 decimals of a degree, or centimetres.
    """
    geometry, digits = ("geom", 7) if srid == 4326 else ("geom3857", 2)
    if srid not in (4326, 3857):
        raise BadQuery("crs: only EPSG:4326 and EPSG:3857 are served")
    point = released.layer.geometry == "point"
    own = f"ST_AsGeoJSON(t.{geometry}, {digits}, 0)"
    place = f"coalesce({own}, b.place)" if point else own
    iso = '\'YYYY-MM-DD"T"HH24:MI:SS"Z"\''
    columns = []
    for f in released.fields:
        if f.type == "datetime":
            columns.append(f'to_char(t."{f.name}", {iso})')
        else:
            columns.append(f't."{f.name}"::text' if f.type == "date" else f't."{f.name}"')
    columns += ["t.place_precision", "t.area", *(("b.label", "b.km") if point else ("NULL::text", "NULL::integer"))]
    if released.has_time:
        columns += [f"to_char(t.time_from, {iso})", f"to_char(t.time_to, {iso})", "t.time_precision"]
    areas, join = "", ""
    if point:
        # Many rows stand for one area: its outline is written out once.
        areas = (
            f", b AS MATERIALIZED (SELECT id, label, km, ST_AsGeoJSON({geometry}, {digits}, 0) AS place"
            " FROM blur_areas WHERE id IN (SELECT area FROM t))"
        )
        join = " LEFT JOIN b ON b.id = t.area"
    return f"WITH t AS MATERIALIZED ({page}){areas} SELECT t.fid, {place}, {', '.join(columns)}{keys} FROM t{join}"


def _feature(row: TupleRow, names: Sequence[str]) -> Feature:
    return Feature(row[0], row[1] or "null", dict(zip(names, row[2:], strict=False)))
