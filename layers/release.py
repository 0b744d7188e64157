"""Releases: what each audience sees, written when records change and never computed when they are read.

Two streams fill a released relation. NOW: statement triggers on the vault's tables keep undelayed forms in step within
the writer's transaction. BATCHED: delayed forms are written by the batch clock only, as of a slot. Either way a row is
touched only when it differs, so that a hidden edit leaves no trace. A rebuild equals the incremental state.
"""

from __future__ import annotations

import datetime as dt
import hashlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import psycopg
from psycopg import sql

from layers import relations
from layers.derivation import BATCHED, NOW, columns, derive, fid, plan
from layers.layer import Dependency, Layer
from layers.place_sql import literal
from layers.policy import SCOPES, Policy, ReleasedLayer, consent_scopes
from layers.registry import all_layers
from layers.relations import relation

CLOCK = "(SELECT slot FROM vault.clock)"
"""The daily slot as of which undelayed releases judge consents."""

EPOCH = dt.date(1970, 1, 5)
"""A Monday, from which batch days are counted."""


@dataclass(frozen=True)
class Difference:
    """What `verify` found in one relation: rows that should be there, rows that should not, rows that differ."""

    audience: str
    layer: str
    part: str
    missing: int
    extra: int


# --- slots -----------------------------------------------------------------------------------------------------------


def last_slot(policy: Policy, audience: str, now: dt.datetime) -> dt.datetime:
    """The latest batch slot of an audience that is not after `now` (aware)."""
    every = policy.batch.every(audience)
    now = now.astimezone(dt.UTC)
    day = now.date() if now.time() >= policy.batch.at else now.date() - dt.timedelta(days=1)
    return dt.datetime.combine(day - dt.timedelta(days=(day - EPOCH).days % every), policy.batch.at, dt.UTC)


def next_slot(policy: Policy, audience: str, after: dt.datetime) -> dt.datetime:
    """The first batch slot of an audience after a moment (aware)."""
    return last_slot(policy, audience, after) + dt.timedelta(days=policy.batch.every(audience))


# --- SQL -------------------------------------------------------------------------------------------------------------


def _names(released: ReleasedLayer, alias: str = "") -> str:
    return ", ".join(f"{alias}{c.name}" for c in columns(released))


def _apply(released: ReleasedLayer) -> str:
    """INSERT … of CTE d into the relation, touching only rows that are new or differ (the no-op guard)."""
    rest = [c.name for c in columns(released) if c.name != "fid"]
    mine, theirs = (f"({', '.join(f'{alias}.{n}' for n in rest)})" for alias in ("o", "d"))
    return (
        f"INSERT INTO {relation(released)} AS t ({_names(released)})\n"
        f"SELECT {_names(released, 'd.')} FROM d LEFT JOIN {relation(released)} o ON o.fid = d.fid\n"
        f"WHERE o.fid IS NULL OR {mine} IS DISTINCT FROM {theirs} ORDER BY d.fid\n"
        f"ON CONFLICT (fid) DO UPDATE SET {', '.join(f'{n} = excluded.{n}' for n in rest)}"
    )


def sync_sql(
    released: ReleasedLayer, source: str, stream: int, clock: str, keep: str = "false", whole: bool = False
) -> str | None:
    """One statement that brings the rows of `source`'s records to what the rules say.

    `whole`: `source` holds all records, so rows of records that are gone are removed too. `keep`: rows of the relation
    (alias t) that stay as they are.
    """
    derived = derive(released, source, stream, clock)
    if derived is None:
        return None
    if whole:
        gone = f"DELETE FROM {relation(released)} t WHERE t._stream = {stream} AND NOT {keep}"
    else:
        key = fid(released.audience.family, released.id, "c.id")
        gone = f"DELETE FROM {relation(released)} t USING {source} c WHERE t.fid = {key} AND t._stream = {stream}"
    return (
        f"WITH d AS MATERIALIZED ({derived}),\nup AS ({_apply(released)})\n"
        # NOT IN is looked up in a hash. The planner cannot tell how many rows d has, and would join it row by row.
        f"{gone} AND t.fid NOT IN (SELECT d.fid FROM d)"
    )


def _views(policy: Policy, layer: str) -> list[ReleasedLayer]:
    return [v for a in policy.audiences if (v := policy.released(a).get(layer))]


def _function(name: str, body: str, returns: str = "trigger", arguments: str = "") -> str:
    end = "RETURN NULL;\n" if returns == "trigger" else ""
    return (
        f"CREATE OR REPLACE FUNCTION {name}({arguments}) RETURNS {returns} LANGUAGE plpgsql"
        f" SECURITY DEFINER SET search_path = public, pg_temp SET jit = off AS $release$\nBEGIN\n{body}\n{end}END"
        " $release$;\n"
    )


def _trigger(name: str, event: str, table: str, references: str, function: str) -> str:
    return (
        f"CREATE OR REPLACE TRIGGER {name} AFTER {event} ON vault.{table} REFERENCING {references}"
        f" FOR EACH STATEMENT EXECUTE FUNCTION {function}();\n"
    )


def layer_triggers(policy: Policy, layer: Layer) -> str:
    """Triggers on a layer's vault table that keep the NOW stream of every audience in step."""
    views = _views(policy, layer.id)
    insert = [
        f"INSERT INTO {relation(v)} ({_names(v)})\n{d};" for v in views if (d := derive(v, "changed", NOW, CLOCK))
    ]
    update = [f"{s};" for v in views if (s := sync_sql(v, "changed", NOW, CLOCK))]
    delete = [
        f"DELETE FROM {relation(v)} t USING changed c WHERE t.fid = {fid(v.audience.family, v.id, 'c.id')} AND"
        f" t._stream = {NOW};"
        for v in views
    ]
    out = ""
    for event, parts, reference in (
        ("INSERT", insert, "NEW TABLE AS changed"),
        ("UPDATE", update, "NEW TABLE AS changed"),
        ("DELETE", delete, "OLD TABLE AS changed"),
    ):
        function = f"vault.release_{layer.id}_{event.lower()}"
        guarded = f"IF EXISTS (SELECT FROM changed) THEN\n{chr(10).join(parts)}\nEND IF;"
        out += _function(function, guarded) + _trigger(
            f"release_{event.lower()}", event, layer.table, reference, function
        )
    return out + "".join(dependency_triggers(policy, layer, d) for d in layer.depends)


def dependency_triggers(policy: Policy, layer: Layer, on: Dependency) -> str:
    """A change to what a record depends on re-releases the record; a consent that shrinks takes effect at once."""
    out = ""
    for event, tables in (("INSERT", ("new_rows",)), ("UPDATE", ("new_rows", "old_rows")), ("DELETE", ("old_rows",))):
        keys = " UNION ".join(f"SELECT {on.key} FROM {t}" for t in tables)
        source = f"(SELECT * FROM vault.{layer.table} WHERE {on.column} IN ({keys}))"
        parts = [f"{s};" for v in _views(policy, layer.id) if (s := sync_sql(v, source, NOW, CLOCK))]
        if on.table == "consents" and "old_rows" in tables:
            parts += [
                _withdrawal(v, layer, on, "new_rows" in tables)
                for v in _views(policy, layer.id)
                if v.batched and v.uses_consent
            ]
        function = f"vault.release_{layer.id}_by_{on.table}_{event.lower()}"
        references = " ".join(
            {"new_rows": "NEW TABLE AS new_rows", "old_rows": "OLD TABLE AS old_rows"}[t] for t in tables
        )
        out += _function(function, "\n".join(parts)) + _trigger(
            f"release_{layer.id}_{event.lower()}", event, on.table, references, function
        )
    return out


def _withdrawal(view: ReleasedLayer, layer: Layer, on: Dependency, updated: bool) -> str:
    """Delayed rows that leaned on a consent now withdrawn or narrowed leave at once; the next batch decides anew."""
    needed = min(SCOPES.index(s) for t in view.tiers for s in consent_scopes(t))
    scopes = ", ".join(literal(s) for s in SCOPES[needed:])
    still = (
        " AND NOT EXISTS (SELECT FROM new_rows n WHERE n.id = o.id AND n.partner_id = o.partner_id AND"
        " n.withdrawn_on IS NULL"
        " AND n.scope = o.scope AND n.fields @> o.fields AND coalesce(n.until, 'infinity') >= coalesce(o.until,"
        " 'infinity'))"
        if updated
        else ""
    )
    return (
        f"DELETE FROM {relation(view)} t USING vault.{layer.table} r WHERE t._stream = {BATCHED}"
        f" AND t.fid = {fid(view.audience.family, view.id)} AND r.{on.column} IN (SELECT o.{on.key} FROM old_rows o"
        f" WHERE o.withdrawn_on IS NULL AND o.scope IN ({scopes}){still});"
    )


def batch_functions(policy: Policy) -> str:
    """`vault.run_batch(audience, slot)` and `vault.set_clock(slot)`: all that the publisher may call."""
    out, branches, clock_parts, tables = "", "", [], sorted(layer.table for layer in all_layers().values())
    for audience in policy.audiences.values():
        calls = ""
        for view in policy.released(audience.id).values():
            statement = sync_sql(view, f"vault.{view.layer.table}", BATCHED, "slot", whole=True)
            if statement:
                name = f"vault.batch_{audience.schema}_{view.id}"
                out += _function(name, statement + ";", "void", "slot timestamptz")
                calls += f"  PERFORM {name}(slot);\n"
            if view.uses_consent:
                now = sync_sql(view, f"vault.{view.layer.table}", NOW, CLOCK, whole=True)
                clock_parts += [f"{now};"] if now else []
        branches += f"IF audience_id = {literal(audience.id)} THEN\n{calls}  NULL;\nEND IF;\n"
    locks = "LOCK TABLE " + ", ".join(f"vault.{t}" for t in tables) + " IN SHARE MODE;\n"
    guard = (
        "IF slot > clock_timestamp() THEN RAISE EXCEPTION 'slot % lies in the future', slot; END IF;\n"
        "IF slot < (SELECT b.slot FROM vault.batches b WHERE b.audience = audience_id) THEN"
        " RAISE EXCEPTION 'slot % is before the last batch', slot; END IF;\n"
    )
    note = (
        "INSERT INTO vault.batches VALUES (audience_id, slot, clock_timestamp()) ON CONFLICT (audience) DO UPDATE"
        " SET slot = excluded.slot, ran_at = excluded.ran_at;"
    )
    out += _function("vault.run_batch", locks + guard + branches + note, "void", "audience_id text, slot timestamptz")
    clock = (
        "IF new_slot > clock_timestamp() OR new_slot < (SELECT slot FROM vault.clock) THEN"
        " RAISE EXCEPTION 'slot % lies in the future or before the clock', new_slot; END IF;\n"
        + locks
        + "UPDATE vault.clock SET slot = new_slot;\n"
        + "\n".join(clock_parts)
    )
    return out + _function("vault.set_clock", clock, "void", "new_slot timestamptz")


# --- what the commands call ------------------------------------------------------------------------------------------


def install(conn: psycopg.Connection, policy: Policy) -> None:
    """Make schemas, relations, functions and triggers as the rules say; fill relations whose plan changed.

    Runs in the caller's transaction, so readers see the old release or the new one.
    """
    wanted = {(a, v.id): v for a in policy.audiences for v in policy.released(a).values()}
    installed = {(a, n): p for a, n, p in conn.execute("SELECT audience, layer, plan FROM vault.installed").fetchall()}
    for audience in policy.audiences.values():
        conn.execute(relations.schema_sql(audience, policy).encode())
    changed = []
    for key, view in wanted.items():
        fingerprint = hashlib.sha256((plan(policy, view) + relations.relation_sql(view)).encode()).hexdigest()
        if installed.get(key) != fingerprint:
            conn.execute(relations.drop_sql(view.audience.schema, view.id).encode())
            conn.execute(relations.relation_sql(view).encode())
            conn.execute(
                "INSERT INTO vault.installed VALUES (%s, %s, %s) ON CONFLICT (audience, layer) DO UPDATE SET"
                " plan = excluded.plan",
                (*key, fingerprint),
            )
            changed.append(view)
    for audience_id, layer_id in set(installed) - set(wanted):
        if audience_id in policy.audiences:
            schema = policy.audiences[audience_id].schema
            conn.execute(relations.drop_sql(schema, layer_id).encode())
            conn.execute(f"DELETE FROM {schema}.versions WHERE layer = %s".encode(), (layer_id,))
            conn.execute("DELETE FROM vault.installed WHERE audience = %s AND layer = %s", (audience_id, layer_id))
    for audience_id in {a for a, _ in installed} - set(policy.audiences):
        _retire(conn, audience_id)
    for layer in all_layers().values():
        conn.execute(layer_triggers(policy, layer).encode())
    conn.execute(batch_functions(policy).encode())
    for view in changed:
        _rebuild(conn, view)


def _retire(conn: psycopg.Connection, audience_id: str) -> None:
    """An audience that left the rules keeps neither its release nor its login."""
    schema = "rel_" + audience_id.replace(":", "_")
    for (layer,) in conn.execute("SELECT layer FROM vault.installed WHERE audience = %s", (audience_id,)).fetchall():
        conn.execute(relations.drop_sql(schema, layer).encode())
    conn.execute(sql.SQL("DROP SCHEMA IF EXISTS {} CASCADE").format(sql.Identifier(schema)))
    conn.execute("DELETE FROM vault.installed WHERE audience = %s", (audience_id,))
    conn.execute("DELETE FROM vault.batches WHERE audience = %s", (audience_id,))
    role = "parallax_" + schema
    if conn.execute("SELECT 1 FROM pg_roles WHERE rolname = %s", (role,)).fetchone():
        # Other databases of the cluster may know the role, so it stays, without a way in.
        conn.execute(sql.SQL("ALTER ROLE {} NOLOGIN").format(sql.Identifier(role)))
        database = sql.Identifier(conn.info.dbname)
        conn.execute(sql.SQL("REVOKE ALL ON DATABASE {} FROM {}").format(database, sql.Identifier(role)))


def _pending(view: ReleasedLayer) -> str:
    """Records written since the last batch (or gone since): the batch clock has not shown them yet."""
    key = fid(view.audience.family, view.id, "p.id")
    since = f"(SELECT ran_at FROM vault.batches WHERE audience = {literal(view.audience.id)})"
    return (
        f"t.fid IN (SELECT {key} FROM (SELECT id FROM vault.{view.layer.table} WHERE updated_at > {since}"
        f" UNION SELECT record FROM vault.history WHERE layer = {literal(view.layer.table)} AND at > {since}) p)"
    )


def _settled(view: ReleasedLayer) -> str:
    since = f"(SELECT ran_at FROM vault.batches WHERE audience = {literal(view.audience.id)})"
    return f"(SELECT * FROM vault.{view.layer.table} WHERE updated_at <= {since})"


def _slot(view: ReleasedLayer) -> str:
    return f"(SELECT slot FROM vault.batches WHERE audience = {literal(view.audience.id)})"


def _rebuild(conn: psycopg.Connection, view: ReleasedLayer) -> None:
    now = sync_sql(view, f"vault.{view.layer.table}", NOW, CLOCK, whole=True)
    if now:
        conn.execute(now.encode())
    delayed = sync_sql(view, _settled(view), BATCHED, _slot(view), keep=_pending(view), whole=True)
    if delayed:
        conn.execute(delayed.encode())


def rebuild(
    conn: psycopg.Connection,
    policy: Policy,
    audience: str | None = None,
    layer: str | None = None,
    progress: Callable[[int, int, str], None] = lambda *_: None,
) -> None:
    """Derive releases anew from the vault (owner connection). Delayed forms hold as of their last batch."""
    views = [
        v
        for a in policy.audiences
        if audience in (None, a)
        for v in policy.released(a).values()
        if layer in (None, v.id)
    ]
    with conn.transaction():
        for n, view in enumerate(views):
            progress(n, len(views), relation(view))
            _rebuild(conn, view)
        progress(len(views), len(views), "done")


def run_batch(publisher_dsn: str, policy: Policy, slot: dt.datetime, audience: str) -> None:
    """Apply one audience's delayed forms as of a slot (aware). Idempotent; psycopg.Error on a slot out of order."""
    if audience not in policy.audiences:
        raise KeyError(f"no audience {audience!r}")
    with psycopg.connect(publisher_dsn) as conn:
        conn.execute("SELECT vault.run_batch(%s, %s)", (audience, slot))


def run_due(publisher_dsn: str, policy: Policy, now: dt.datetime) -> Iterator[tuple[str, dt.datetime]]:
    """Run every batch whose slot has come and was not run; yields (audience, slot) as they are done."""
    with psycopg.connect(publisher_dsn, autocommit=True) as conn:
        ran: dict[str, dt.datetime] = dict(conn.execute("SELECT audience, slot FROM vault.batches").fetchall())
        row = conn.execute("SELECT slot FROM vault.clock").fetchone()
        daily = last_slot(policy, "default", now)
        if row is None or row[0] < daily:
            conn.execute("SELECT vault.set_clock(%s)", (daily,))
        for audience in policy.audiences:
            slot = last_slot(policy, audience, now)
            if audience not in ran or ran[audience] < slot:
                conn.execute("SELECT vault.run_batch(%s, %s)", (audience, slot))
                yield audience, slot


def verify(conn: psycopg.Connection, policy: Policy) -> list[Difference]:
    """Compare every relation with what a rebuild would make (owner connection); [] when they are equal."""
    found = []
    for audience in policy.audiences:
        for view in policy.released(audience).values():
            for part, want, have in _comparisons(view):
                row = conn.execute(
                    (
                        f"SELECT (SELECT count(*) FROM (({want}) EXCEPT ALL ({have})) x), (SELECT count(*) FROM"
                        f" (({have}) EXCEPT ALL ({want})) x)"
                    ).encode()
                ).fetchone()
                assert row is not None
                if row[0] or row[1]:
                    found.append(Difference(audience, view.id, part, row[0], row[1]))
    return found


def _comparisons(view: ReleasedLayer) -> Iterator[tuple[str, str, str]]:
    """(what, SELECT as it should be, SELECT as it is)."""
    name, names = relation(view), _names(view)
    now = derive(view, f"vault.{view.layer.table}", NOW, CLOCK)
    if now:
        yield "now", now, f"SELECT {names} FROM {name} WHERE _stream = {NOW}"
    delayed = derive(view, _settled(view), BATCHED, _slot(view))
    if delayed:
        yield "batch", delayed, f"SELECT {names} FROM {name} t WHERE _stream = {BATCHED} AND NOT {_pending(view)}"
    if view.layer.geometry == "point":
        yield (
            "area counts",
            f"SELECT area, count(*)::integer FROM {name} WHERE area IS NOT NULL GROUP BY area",
            f"SELECT area, n FROM {name}_area_counts",
        )
    if view.clustered:
        points = f"SELECT geom3857 AS g, 1 AS d FROM {name} WHERE geom3857 IS NOT NULL"
        yield "clusters", relations.clusters_sql(points), f"SELECT z, x, y, n, sx, sy FROM {name}_clusters"
    yield (
        "ids",
        f"SELECT count(*) FROM vault.{view.layer.table}",
        f"SELECT count(DISTINCT {fid(view.audience.family, view.id)}) FROM vault.{view.layer.table} r",
    )
