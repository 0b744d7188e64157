"""Vector tiles of released relations as SQL. Each aggregate is ordered by a released key: equal releases, equal bytes.

MVT layers of a collection L, extent 4096, buffer 64: `L` (its records), `L_clusters` (zoom 8 and below), `L_stacks`
(several records on one point), `L_areas` and `L_area_labels` (areas that hold records, with exact counts).
"""

from __future__ import annotations

from layers.filters import Sql
from layers.policy import ReleasedLayer
from layers.relations import CLUSTER_ZOOM, CLUSTERS_PER_TILE, clusters_sql

EXTENT, BUFFER = 4096, 64
_ENVELOPE = "ST_TileEnvelope(%(z)s, %(x)s, %(y)s)"
_NEAR = f"ST_TileEnvelope(%(z)s, %(x)s, %(y)s, margin => {BUFFER}::float8 / {EXTENT})"


def _aggregate(name: str, order: str, rows: str, fid: str | None = None) -> str:
    key = f", '{fid}'" if fid else ""
    return (
        f"coalesce((SELECT ST_AsMVT(q, '{name}', {EXTENT}, 'g'{key} ORDER BY {order}) FROM ({rows}) q WHERE q.g"
        " IS NOT NULL), ''::bytea)"
    )


def _geometry(column: str, buffer: int = BUFFER) -> str:
    return f"ST_AsMVTGeom({column}, {_ENVELOPE}, {EXTENT}, {buffer}, true) AS g"


def tile_sql(released: ReleasedLayer, z: int, condition: Sql | None) -> list[str]:
    """Expressions of bytea, to be concatenated; parameters are z, x, y by name and those of the condition.

    `condition` is a filter on the relation `t` whose parameters are named already.
    """
    where = f" AND {condition.text}" if condition else ""
    out = []
    point = released.layer.geometry == "point"
    if released.clustered and z <= CLUSTER_ZOOM:
        out.append(_clusters(released, where))
    else:
        out.append(_records(released, z, where))
        if point:
            out.append(_stacks(released, where))
    if point and released.area_sources:
        out += _areas(released, z, where)
    return out


def _records(released: ReleasedLayer, z: int, where: str) -> str:
    columns = [
        f't."{f.name}"' if f.type != "date" else f't."{f.name}"::text AS "{f.name}"' for f in released.fields if f.tile
    ]
    columns.append("t.place_precision")
    if released.has_time:
        columns += [f"to_char(t.{c}, 'YYYY-MM-DD') AS {c}" for c in ("time_from", "time_to")] + ["t.time_precision"]
    style = released.layer.style
    if style.zoom_by and style.zoom_by in released.field:
        hidden = sorted(value for value, zoom in style.zooms.items() if zoom > z)
        if hidden:
            listed = ", ".join("'" + v.replace("'", "''") + "'" for v in hidden)
            where += f' AND (t."{style.zoom_by}" IS NULL OR t."{style.zoom_by}" NOT IN ({listed}))'
    rows = (
        f"SELECT t.fid, {', '.join(columns)}, {_geometry('t.geom3857')} FROM {released.id} t WHERE t.geom3857 &&"
        f" {_NEAR}{where}"
    )
    return _aggregate(released.id, "q.fid", rows, fid="fid")


def _stacks(released: ReleasedLayer, where: str) -> str:
    rows = (
        f"SELECT s.n, s.k, {_geometry('s.p')} FROM (SELECT t.geom3857 AS p, min(t.fid) AS k, count(*)::integer AS"
        f" n FROM {released.id} t"
        f" WHERE t.geom3857 && {_NEAR}{where} GROUP BY t.geom3857 HAVING count(*) > 1) s"
    )
    return _aggregate(f"{released.id}_stacks", "q.k", rows, fid="k")


def _clusters(released: ReleasedLayer, where: str) -> str:
    if where:
        # The cell of a point is found at the finest zoom, as in the stored clusters, so counts agree.
        points = f"SELECT t.geom3857 AS g, 1 AS d FROM {released.id} t WHERE t.geom3857 && {_NEAR}{where}"
        source = f"(SELECT * FROM ({clusters_sql(points)}) w WHERE w.z = %(z)s)"
    else:
        source = f"{released.id}_clusters"
    first, last = (f"%({axis})s::integer * {CLUSTERS_PER_TILE}" for axis in "xy")
    side = CLUSTERS_PER_TILE
    rows = (
        "SELECT c.n, c.x::bigint * 1048576 + c.y AS k,"
        f" {_geometry('ST_SetSRID(ST_MakePoint(c.sx::numeric / c.n, c.sy::numeric / c.n), 3857)', 0)}"
        f" FROM {source} c WHERE c.z = %(z)s AND c.x BETWEEN {first} AND {first} + {side - 1} AND c.y BETWEEN"
        f" {last} AND {last} + {side - 1}"
    )
    return _aggregate(f"{released.id}_clusters", "q.k", rows, fid="k")


def _areas(released: ReleasedLayer, z: int, where: str) -> list[str]:
    kind = "CASE WHEN b.kind LIKE 'c%%' THEN 'cell' WHEN b.kind = 'admin0' THEN 'country' ELSE b.kind END AS precision"
    columns = f"b.id AS area, b.label, b.km, {kind}, c.n, b.geom3857, b.inside3857"
    if where or z <= CLUSTER_ZOOM:
        # Counted once and joined before any geometry is touched: the planner would count for every area anew.
        counts = (
            f"SELECT t.area, count(*)::integer AS n FROM {released.id} t WHERE t.area IS NOT NULL{where}"
            " GROUP BY t.area"
            if where
            else f"SELECT area, n FROM {released.id}_area_counts"
        )
        held = (
            f"WITH c AS MATERIALIZED ({counts}), b AS MATERIALIZED (SELECT {columns}"
            f" FROM c JOIN blur_areas b ON b.id = c.area WHERE b.geom3857 && {_NEAR})"
        )
    else:
        # Few areas lie in a tile of a high zoom: only their stored counts are looked up.
        held = (
            f"WITH b AS (SELECT {columns} FROM blur_areas b JOIN {released.id}_area_counts c ON c.area = b.id"
            f" WHERE b.geom3857 && {_NEAR})"
        )
    shown = "b.area, b.label, b.km, b.precision, b.n"
    areas = f"{held} SELECT {shown}, {_geometry('b.geom3857')} FROM b"
    # The point of a label belongs to one tile only: no buffer, and the tile's own square holds it.
    labels = (
        f"{held} SELECT {shown}, {_geometry('b.inside3857', 0)} FROM b WHERE b.geom3857 && {_ENVELOPE} AND"
        f" b.inside3857 && {_ENVELOPE}"
    )
    return [
        _aggregate(f"{released.id}_areas", "q.km DESC, q.area", areas),
        _aggregate(f"{released.id}_area_labels", "q.km DESC, q.area", labels),
    ]
