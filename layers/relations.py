"""The released relations of one audience: tables, indexes, and what is derived from them within the same transaction.

From a relation follow its version counter (it moves only when a released row does), its clusters for zooms 0 to 8 with
exact counts, and its counts per area. They read the relation alone, so they tell no more than it does.
"""

from __future__ import annotations

from collections.abc import Iterator

from layers.audience import Audience
from layers.derivation import columns
from layers.policy import Policy, ReleasedLayer

CLUSTER_ZOOM = 8
"""The highest zoom that is served from clusters."""

CLUSTERS_PER_TILE = 16
"""Cluster cells along one side of a tile: 32 pixels of a 512 pixel tile."""

WORLD = 40_075_016.685578488
"""The side of the Web Mercator square in metres."""

CLUSTER_METRES = WORLD / (CLUSTERS_PER_TILE * 2**CLUSTER_ZOOM)


def relation(released: ReleasedLayer) -> str:
    return f"{released.audience.schema}.{released.id}"


def schema_sql(audience: Audience, policy: Policy) -> str:
    """The audience's schema with its areas: the same for any content, so they tell nothing of records."""
    kinds = {"admin0", "admin1", "admin2", "admin3"}
    for layer in policy.released(audience.id).values():
        for tier in layer.tiers:
            if tier.place.kind == "cell":
                kinds |= {f"c{n}" for n in (tier.place.level, max(tier.place.level, 2))}
            if tier.place.kind == "honest":
                kinds |= {f"c{n}" for n in range(tier.place.max_level + 1)}
    names = ", ".join(f"'{k}'" for k in sorted(kinds))
    s = audience.schema
    return f"""
CREATE SCHEMA IF NOT EXISTS {s};
CREATE TABLE IF NOT EXISTS {s}.blur_areas (
    id text PRIMARY KEY, kind text NOT NULL, label text, km integer NOT NULL,
    geom geometry(Geometry,4326) NOT NULL, geom3857 geometry(Geometry,3857) NOT NULL
);
ALTER TABLE {s}.blur_areas ADD COLUMN IF NOT EXISTS inside3857 geometry(Point,3857)
    GENERATED ALWAYS AS (ST_PointOnSurface(geom3857)) STORED;
CREATE INDEX IF NOT EXISTS blur_areas_geom ON {s}.blur_areas USING gist (geom3857);
CREATE TABLE IF NOT EXISTS {s}.versions (layer text PRIMARY KEY, version bigint NOT NULL DEFAULT 0);
DELETE FROM {s}.blur_areas a WHERE NOT EXISTS (
    SELECT FROM vault.areas_of_reference r WHERE r.id = a.id AND r.kind IN ({names})
    AND (r.label, r.km, r.geom) IS NOT DISTINCT FROM (a.label, a.km, a.geom));
INSERT INTO {s}.blur_areas SELECT id, kind, label, km, geom, geom3857
    FROM vault.areas_of_reference WHERE kind IN ({names})
    ORDER BY id ON CONFLICT DO NOTHING;
"""


def relation_sql(released: ReleasedLayer) -> str:
    """Tables, indexes and triggers of one released relation, which must not exist yet."""
    name, s = relation(released), released.audience.schema
    declared = ",\n    ".join(
        f"{c.name} {c.sql_type}{' PRIMARY KEY' if c.name == 'fid' else ''}" for c in columns(released)
    )
    out = f"""
CREATE TABLE {name} (
    {declared}
);
CREATE INDEX {released.id}_geom3857 ON {name} USING gist (geom3857);
INSERT INTO {s}.versions (layer) VALUES ('{released.id}') ON CONFLICT DO NOTHING;
"""
    if released.layer.geometry == "point":
        out += f"CREATE INDEX {released.id}_area ON {name} (area) WHERE area IS NOT NULL;\n"
        out += f"CREATE TABLE {name}_area_counts (area text PRIMARY KEY, n integer NOT NULL);\n"
    if released.has_time:
        out += f"CREATE INDEX {released.id}_time ON {name} (time_from, fid);\n"
    if released.search:
        out += (
            f"CREATE INDEX {released.id}_text ON {name} USING gin (_text public.gin_trgm_ops) WHERE _text IS NOT"
            " NULL;\n"
        )
    if released.clustered:
        out += (
            f"CREATE TABLE {name}_clusters (z smallint, x integer, y integer, n integer NOT NULL,"
            " sx bigint NOT NULL, sy bigint NOT NULL, PRIMARY KEY (z, x, y));\n"
        )
    return out + "".join(_trigger(released, event) for event in ("INSERT", "UPDATE", "DELETE"))


def drop_sql(schema: str, layer: str) -> str:
    """Drop a released relation with all that follows from it."""
    name = f"{schema}.{layer}"
    functions = "".join(
        f"DROP FUNCTION IF EXISTS vault.changed_{schema}_{layer}_{e}();\n" for e in ("insert", "update", "delete")
    )
    return (
        f"DROP TABLE IF EXISTS {name}, {name}_clusters, {name}_area_counts CASCADE;\n{functions}"
        f"DROP FUNCTION IF EXISTS vault.batch_{schema}_{layer}(timestamptz);\n"
    )


def _trigger(released: ReleasedLayer, event: str) -> str:
    tables = {"INSERT": ("added",), "UPDATE": ("added", "removed"), "DELETE": ("removed",)}[event]
    function = f"vault.changed_{released.audience.schema}_{released.id}_{event.lower()}"
    references = " ".join({"added": "NEW TABLE AS added", "removed": "OLD TABLE AS removed"}[t] for t in tables)
    body = "\n".join(_maintenance(released, tables))
    return f"""
CREATE FUNCTION {function}() RETURNS trigger LANGUAGE plpgsql
    SECURITY DEFINER SET search_path = public, pg_temp AS $changed$
BEGIN
IF EXISTS (SELECT FROM {tables[0]}) THEN
UPDATE {released.audience.schema}.versions SET version = version + 1 WHERE layer = '{released.id}';
{body}
END IF;
RETURN NULL;
END $changed$;
CREATE TRIGGER changed_{event.lower()} AFTER {event} ON {relation(released)} REFERENCING {references}
    FOR EACH STATEMENT EXECUTE FUNCTION {function}();
"""


def _maintenance(released: ReleasedLayer, tables: tuple[str, ...]) -> Iterator[str]:
    sign = {"added": "1", "removed": "-1"}
    if released.layer.geometry == "point":
        deltas = " UNION ALL ".join(f"SELECT area, {sign[t]} AS d FROM {t} WHERE area IS NOT NULL" for t in tables)
        yield f"""INSERT INTO {relation(released)}_area_counts AS c (area, n)
SELECT area, sum(d) FROM ({deltas}) x GROUP BY area HAVING sum(d) <> 0 ORDER BY area
ON CONFLICT (area) DO UPDATE SET n = c.n + excluded.n;"""
        if "removed" in tables:
            yield (f"DELETE FROM {relation(released)}_area_counts WHERE n = 0 AND area IN (SELECT area FROM removed);")
    if released.clustered:
        deltas = " UNION ALL ".join(
            f"SELECT geom3857 AS g, {sign[t]} AS d FROM {t} WHERE geom3857 IS NOT NULL" for t in tables
        )
        yield f"""INSERT INTO {relation(released)}_clusters AS c (z, x, y, n, sx, sy)
{clusters_sql(deltas)}
HAVING (sum(n), sum(sx), sum(sy)) IS DISTINCT FROM (0, 0, 0) ORDER BY 1, 2, 3
ON CONFLICT (z, x, y) DO UPDATE SET n = c.n + excluded.n, sx = c.sx + excluded.sx, sy = c.sy + excluded.sy;"""
        if "removed" in tables:
            # Only where something left: looking through all clusters would cost more than the edit.
            gone = "SELECT geom3857 AS g, 1 AS d FROM removed WHERE geom3857 IS NOT NULL"
            yield (
                f"DELETE FROM {relation(released)}_clusters c USING ({clusters_sql(gone)}) k"
                " WHERE (c.z, c.x, c.y) = (k.z, k.x, k.y) AND c.n = 0;"
            )


def clusters_sql(points: str) -> str:
    """SELECT z, x, y, n, sx, sy … GROUP BY of the clusters of `points` (a SELECT of g in EPSG:3857 and d, +1 or -1).

    Sums of whole metres: they come out the same in whichever order rows arrive.
    """
    half = WORLD / 2
    return f"""SELECT z::smallint, x >> ({CLUSTER_ZOOM} - z) AS x, y >> ({CLUSTER_ZOOM} - z) AS y,
    sum(n)::integer AS n, sum(sx)::bigint AS sx, sum(sy)::bigint AS sy
FROM (SELECT floor((ST_X(g) + {half}) / {CLUSTER_METRES})::integer AS x,
    floor(({half} - ST_Y(g)) / {CLUSTER_METRES})::integer AS y,
    sum(d) AS n, sum(d * round(ST_X(g))::bigint) AS sx, sum(d * round(ST_Y(g))::bigint) AS sy
    FROM ({points}) p GROUP BY 1, 2) base, generate_series(0, {CLUSTER_ZOOM}) AS z GROUP BY 1, 2, 3"""
