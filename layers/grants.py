"""Who may do what in the database. One login role per audience: SELECT on its own schema, and nothing else.

Not SET ROLE (an injected RESET ROLE undoes it) and not row-level security (PostGIS' && is not leakproof, so the
index would be lost); a login role has nowhere to go.
"""

from __future__ import annotations

import psycopg
from psycopg import sql

from layers.policy import Policy
from layers.registry import all_layers

_CATALOGUE = (
    "pg_stats",
    "pg_stats_ext",
    "pg_stats_ext_exprs",
    "pg_stat_all_tables",
    "pg_stat_all_indexes",
    "pg_stat_user_tables",
    "pg_stat_user_indexes",
    "pg_statio_all_tables",
    "pg_statio_user_tables",
    "pg_stat_activity",
    "pg_stat_xact_all_tables",
    "pg_stat_xact_user_tables",
    "pg_statio_all_indexes",
    "pg_statio_user_indexes",
)
"""Statistics views that would tell of hidden rows. No reader gets to write SQL; this is a seat-belt."""

_TELLING = r"^(pg_stat_get_.*|pg_(total_)?(relation|table|indexes)_size|lo_.*|loread|lowrite|pg_logical_emit_message)$"
"""Functions of PostgreSQL that tell how large any table is, or leave something behind that is in no schema."""

_TELLING_POSTGIS = r"^(st_estimatedextent|_postgis_(stats|selectivity|index_extent))$"
"""Functions of PostGIS that read statistics of any table: ST_EstimatedExtent even with its owner's rights."""

_SIZES = ("relpages", "reltuples", "relallvisible")

_READER_SETTINGS = {
    "default_transaction_read_only": "on",
    "statement_timeout": "20s",
    "idle_in_transaction_session_timeout": "30s",
    "max_parallel_workers_per_gather": "0",  # a parallel ST_AsMVT is not deterministic
    "jit": "off",
    "timezone": "UTC",
    "datestyle": "ISO, YMD",
    "extra_float_digits": "1",
}


def grant(conn: psycopg.Connection, policy: Policy) -> None:
    """Set every right anew. Runs inside the caller's transaction."""
    database = sql.Identifier(conn.info.dbname)
    conn.execute(sql.SQL("REVOKE ALL ON DATABASE {} FROM PUBLIC").format(database))
    conn.execute("REVOKE CREATE ON SCHEMA public FROM PUBLIC")
    for inner in ("vault", "auth"):
        conn.execute(sql.SQL("REVOKE ALL ON SCHEMA {} FROM PUBLIC").format(sql.Identifier(inner)))
        conn.execute(sql.SQL("REVOKE ALL ON ALL FUNCTIONS IN SCHEMA {} FROM PUBLIC").format(sql.Identifier(inner)))
    if _superuser(conn):
        _statistics(conn)
    for audience in policy.audiences.values():
        role, schema = sql.Identifier(audience.role), sql.Identifier(audience.schema)
        conn.execute(sql.SQL("GRANT CONNECT ON DATABASE {} TO {}").format(database, role))
        conn.execute(sql.SQL("REVOKE ALL ON SCHEMA {} FROM PUBLIC").format(schema))
        conn.execute(sql.SQL("GRANT USAGE ON SCHEMA {} TO {}").format(schema, role))
        conn.execute(sql.SQL("GRANT SELECT ON ALL TABLES IN SCHEMA {} TO {}").format(schema, role))
        _settings(conn, role, database, {**_READER_SETTINGS, "search_path": f"{audience.schema}, public"})
    _desk(conn, database)
    _publisher(conn, database)
    _auth(conn, database)


def _statistics(conn: psycopg.Connection) -> None:
    """What tells of rows that a role may not read is for the owner and for monitoring alone."""
    for view in _CATALOGUE:
        conn.execute(sql.SQL("REVOKE ALL ON pg_catalog.{} FROM PUBLIC").format(sql.Identifier(view)))
    telling = conn.execute(
        "SELECT oid::regprocedure::text FROM pg_proc WHERE has_function_privilege('public', oid, 'EXECUTE')"
        " AND (pronamespace = 'pg_catalog'::regnamespace AND proname ~ %s OR proname ~ %s) ORDER BY 1",
        (_TELLING, _TELLING_POSTGIS),
    ).fetchall()
    if telling:
        # regprocedure writes names as SQL, in quotes where they need them
        listed = ", ".join(name for (name,) in telling)
        conn.execute(f"REVOKE EXECUTE ON FUNCTION {listed} FROM PUBLIC".encode())
        conn.execute(f"GRANT EXECUTE ON FUNCTION {listed} TO pg_monitor".encode())
    columns = conn.execute(
        "SELECT attname::text FROM pg_attribute WHERE attrelid = 'pg_class'::regclass AND attname <> ALL (%s)"
        " AND NOT attisdropped ORDER BY attnum",
        (list(_SIZES),),
    ).fetchall()
    conn.execute("REVOKE SELECT ON pg_catalog.pg_class FROM PUBLIC")
    conn.execute(
        sql.SQL("GRANT SELECT ({}) ON pg_catalog.pg_class TO PUBLIC").format(
            sql.SQL(", ").join(sql.Identifier(name) for (name,) in columns)
        )
    )
    conn.execute("GRANT SELECT ON pg_catalog.pg_class TO pg_monitor")


def _superuser(conn: psycopg.Connection) -> bool:
    """On a managed server the catalogue's rights cannot be changed."""
    row = conn.execute("SELECT rolsuper FROM pg_roles WHERE rolname = current_user").fetchone()
    return bool(row and row[0])


def _settings(
    conn: psycopg.Connection, role: sql.Identifier, database: sql.Identifier, settings: dict[str, str]
) -> None:
    for name, value in settings.items():
        values = (
            sql.SQL(", ").join(sql.Identifier(v.strip()) for v in value.split(","))
            if name == "search_path"
            else sql.Literal(value)
        )
        conn.execute(
            sql.SQL("ALTER ROLE {} IN DATABASE {} SET {} = {}").format(role, database, sql.Identifier(name), values)
        )


def _desk(conn: psycopg.Connection, database: sql.Identifier) -> None:
    """The desk writes layers, partners and consents of the vault; releases follow by trigger, not by its rights."""
    role = sql.Identifier("parallax_desk")
    conn.execute(sql.SQL("GRANT CONNECT, TEMPORARY ON DATABASE {} TO {}").format(database, role))
    conn.execute(sql.SQL("GRANT USAGE ON SCHEMA vault TO {}").format(role))
    tables = {layer.table for layer in all_layers().values()} | {
        d.table for layer in all_layers().values() for d in layer.depends
    }
    for table in sorted(tables):
        conn.execute(
            sql.SQL("GRANT SELECT, INSERT, UPDATE, DELETE ON {} TO {}").format(sql.Identifier("vault", table), role)
        )
    conn.execute(sql.SQL("GRANT SELECT, INSERT, UPDATE ON vault.imports TO {}").format(role))
    conn.execute(sql.SQL("GRANT SELECT ON vault.areas_of_reference TO {}").format(role))
    _settings(conn, role, database, {"timezone": "UTC", "jit": "off"})


def _publisher(conn: psycopg.Connection, database: sql.Identifier) -> None:
    """The publisher runs batches by one function; it reads nothing itself."""
    role = sql.Identifier("parallax_publisher")
    conn.execute(sql.SQL("GRANT CONNECT ON DATABASE {} TO {}").format(database, role))
    conn.execute(sql.SQL("GRANT USAGE ON SCHEMA vault TO {}").format(role))
    conn.execute(sql.SQL("GRANT SELECT ON vault.batches, vault.clock TO {}").format(role))
    for function in ("run_batch(text, timestamptz)", "set_clock(timestamptz)"):
        conn.execute(sql.SQL("GRANT EXECUTE ON FUNCTION vault.{} TO {}").format(sql.SQL(function), role))
    _settings(conn, role, database, {"timezone": "UTC", "jit": "off"})


def _auth(conn: psycopg.Connection, database: sql.Identifier) -> None:
    role = sql.Identifier("parallax_auth")
    conn.execute(sql.SQL("GRANT CONNECT ON DATABASE {} TO {}").format(database, role))
    conn.execute(sql.SQL("GRANT USAGE ON SCHEMA auth TO {}").format(role))
    conn.execute(sql.SQL("GRANT SELECT, INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA auth TO {}").format(role))
    _settings(conn, role, database, {"timezone": "UTC", "jit": "off"})
