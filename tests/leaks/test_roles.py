"""What each login role may do in the database, whatever SQL it sends: its own part, and nothing else."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any
from urllib.parse import quote

import psycopg
import pytest

from layers import database as databases
from layers.policy import Policy, load
from layers.registry import all_layers
from mapserver.app import create_app
from mapserver.routes import AUDIENCE_ROUTES
from tests.leaks.conftest import Keys
from tests.leaks.replay import Ask, replay
from tests.leaks.scene import tile_at
from tests.world import Database

POLICY = load()
ROLES = databases.roles(POLICY)
OPEN = {"public", "pg_catalog", "information_schema", "pg_toast"}
REFUSED = (psycopg.errors.InsufficientPrivilege, psycopg.errors.ReadOnlySqlTransaction)


def schema_of(role: str) -> str:
    return {"parallax_auth": "auth", databases.DESK: "vault", databases.PUBLISHER: "vault"}.get(
        role, role.removeprefix("parallax_")
    )


@pytest.fixture(scope="module")
def dsn(world: Database, policy: Policy) -> Callable[[str], str]:
    known = {databases.DESK: world.desk_dsn, databases.PUBLISHER: world.publisher_dsn, databases.AUTH: world.auth_dsn}
    known |= {policy.audiences[a].role: address for a, address in world.reader_dsn.items()}
    return lambda role: known[role]


def rows(dsn: str, statement: str, *params: Any) -> list[tuple[Any, ...]]:
    with psycopg.connect(dsn, autocommit=True) as conn:
        return conn.execute(statement.encode(), params or None).fetchall()


_RELATIONS = """SELECT n.nspname, c.relname, p.what FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace,
    unnest(ARRAY['SELECT', 'INSERT', 'UPDATE', 'DELETE', 'TRUNCATE', 'REFERENCES', 'TRIGGER']) AS p (what)
    WHERE c.relkind IN ('r', 'v', 'm', 'p', 'f') AND n.nspname NOT IN ('pg_catalog', 'information_schema')
    AND n.nspname NOT LIKE 'pg_t%%'
    AND (has_table_privilege(c.oid, p.what) OR (p.what IN ('SELECT', 'INSERT', 'UPDATE', 'REFERENCES')
      AND has_any_column_privilege(c.oid, p.what)))"""


@pytest.mark.parametrize("role", ROLES)
def test_a_role_reads_and_writes_its_own_schema_only(role: str, dsn: Callable[[str], str]) -> None:
    found = rows(dsn(role), _RELATIONS.replace("%%", "%"))
    schemas = {schema for schema, relation, _ in found if schema != "public"}
    assert schemas <= {schema_of(role)}
    # the tables of PostGIS itself, which tell of coordinate systems
    assert {(r, w) for s, r, w in found if s == "public"} <= {
        (r, "SELECT") for r in ("spatial_ref_sys", "geometry_columns", "geography_columns")
    }
    if role.startswith("parallax_rel_"):
        assert {what for schema, _, what in found if schema != "public"} == {"SELECT"}
        # its relations, the areas and versions they need, and no other
        known = set(POLICY.released(next(a.id for a in POLICY.audiences.values() if a.role == role)))
        for _, relation, _ in (f for f in found if f[0] != "public"):
            stem = relation.removesuffix("_clusters").removesuffix("_area_counts")
            assert stem in known | {"versions", "blur_areas"}


def test_the_desk_reaches_records_and_no_keys(dsn: Callable[[str], str]) -> None:
    found = {(relation, what) for _, relation, what in rows(dsn(databases.DESK), _RELATIONS.replace("%%", "%"))}
    tables = {one.table for one in all_layers().values()}
    secret = {"release_keys", "history", "batches", "clock", "installed"}
    assert not {relation for relation, _ in found} & secret
    assert tables <= {relation for relation, _ in found}
    assert not {what for _, what in found} & {"TRUNCATE", "TRIGGER", "REFERENCES"}


def test_the_publisher_reads_no_record(dsn: Callable[[str], str]) -> None:
    found = {
        relation for s, relation, _ in rows(dsn(databases.PUBLISHER), _RELATIONS.replace("%%", "%")) if s == "vault"
    }
    assert found == {"batches", "clock"}


@pytest.mark.parametrize("role", ROLES)
def test_a_role_calls_no_function_of_ours_but_its_own(role: str, dsn: Callable[[str], str]) -> None:
    statement = """SELECT n.nspname || '.' || p.proname FROM pg_proc p JOIN pg_namespace n ON n.oid = p.pronamespace
        WHERE n.nspname <> ALL (%s) AND has_schema_privilege(n.oid, 'USAGE')
        AND has_function_privilege(p.oid, 'EXECUTE') AND p.prorettype <> 'trigger'::regtype"""
    found = {name for (name,) in rows(dsn(role), statement, list(OPEN))}
    allowed = {"vault.run_batch", "vault.set_clock"} if role == databases.PUBLISHER else set()
    assert found <= allowed


@pytest.mark.parametrize("role", ROLES)
def test_a_role_runs_nothing_with_the_rights_of_another(role: str, dsn: Callable[[str], str]) -> None:
    """SECURITY DEFINER functions in open schemas would be a way around every grant."""
    statement = """SELECT n.nspname, p.proname FROM pg_proc p JOIN pg_namespace n ON n.oid = p.pronamespace
        WHERE p.prosecdef AND has_function_privilege(p.oid, 'EXECUTE') AND has_schema_privilege(n.oid, 'USAGE')
        AND p.prorettype <> 'trigger'::regtype"""
    found = {name for _, name in rows(dsn(role), statement)}
    assert found <= ({"run_batch", "set_clock"} if role == databases.PUBLISHER else set())


@pytest.mark.parametrize("role", ROLES)
def test_a_role_creates_nothing_and_owns_nothing(role: str, dsn: Callable[[str], str]) -> None:
    mine = rows(
        dsn(role),
        """SELECT rolsuper, rolcreaterole, rolcreatedb, rolreplication, rolbypassrls,
        (SELECT count(*) FROM pg_auth_members m WHERE m.member = r.oid),
        (SELECT count(*) FROM pg_class c WHERE c.relowner = r.oid) FROM pg_roles r WHERE rolname = current_user""",
    )
    assert mine == [(False, False, False, False, False, 0, 0)]
    schemas = rows(dsn(role), "SELECT nspname FROM pg_namespace WHERE has_schema_privilege(oid, 'CREATE')")
    assert [s for (s,) in schemas if not s.startswith("pg_temp")] == []
    assert rows(dsn(role), "SELECT has_database_privilege(current_database(), 'CREATE')") == [(False,)]


READERS = [a.role for a in POLICY.audiences.values()]
ATTEMPTS = (
    "RESET ROLE; SELECT * FROM vault.incidents",
    "SET ROLE parallax_owner; SELECT 1",
    "SET ROLE parallax_desk",
    "SET SESSION AUTHORIZATION parallax_desk",
    "SELECT * FROM vault.incidents",
    "SELECT * FROM vault.release_keys",
    "SELECT vault.fid('00000000-0000-0000-0000-000000000000', '')",
    "SELECT vault.run_batch('public', now())",
    "SELECT * FROM auth.accounts",
    "TABLE vault.consents",
    "COPY (SELECT 1) TO PROGRAM 'true'",
    "COPY (SELECT 1) TO '/tmp/parallax-leak'",
    "COPY versions FROM '/etc/passwd'",
    "SELECT pg_read_file('/etc/passwd')",
    "SELECT pg_ls_dir('.')",
    "SELECT lo_import('/etc/passwd')",
    "SELECT lo_create(0)",
    "SELECT lo_from_bytea(0, 'x')",
    "SELECT ST_EstimatedExtent('vault', 'incidents', 'geom')",
    "SELECT _postgis_stats((SELECT min(oid) FROM pg_class WHERE relname = 'incidents')::regclass, 'geom')",
    "SELECT reltuples FROM pg_class",
    "SELECT pg_relation_size(oid) FROM pg_class",
    "SELECT pg_total_relation_size(oid) FROM pg_class",
    "SELECT pg_stat_get_live_tuples(oid) FROM pg_class",
    "SELECT pg_stat_get_activity(NULL)",
    "CREATE EXTENSION dblink",
    "CREATE EXTENSION postgres_fdw",
    "CREATE TABLE public.found (x text)",
    "CREATE TABLE found (x text)",
    "CREATE TEMP TABLE found (x text)",
    "CREATE FUNCTION public.found() RETURNS int LANGUAGE sql AS 'SELECT 1'",
    "CREATE SCHEMA found",
    "DELETE FROM versions",
    "UPDATE versions SET version = 0",
    "INSERT INTO versions VALUES ('x', 1)",
    "SELECT * FROM versions FOR UPDATE",
    "TRUNCATE versions",
    "SELECT * FROM pg_stat_activity",
    "SELECT * FROM pg_stats",
    "SELECT * FROM pg_statistic",
    "SELECT * FROM pg_authid",
    "SELECT * FROM pg_stat_user_tables",
    "ALTER ROLE CURRENT_USER SUPERUSER",
    "GRANT parallax_desk TO CURRENT_USER",
    "ALTER SYSTEM SET jit = off",
    "SELECT pg_reload_conf()",
    "SELECT set_config('session_replication_role', 'replica', false)",
    "SELECT pg_logical_emit_message(false, 'x', 'y')",
    "DO $$ BEGIN PERFORM * FROM vault.incidents; END $$",
)


@pytest.mark.parametrize("role", READERS)
@pytest.mark.parametrize("read_only", [True, False], ids=["as connected", "writing allowed"])
def test_a_reader_with_free_sql_gets_nowhere(role: str, read_only: bool, dsn: Callable[[str], str]) -> None:
    got = []
    with psycopg.connect(dsn(role), autocommit=True) as conn:
        for attempt in ATTEMPTS:
            if not read_only:
                conn.execute("SET default_transaction_read_only = off")
            try:
                conn.execute(attempt.encode())
                got.append(attempt)
            except psycopg.Error as error:
                if not isinstance(error, REFUSED):
                    got.append(f"{attempt}: {type(error).__name__}: {error}")
            conn.execute("RESET ALL")
    assert got == []


@pytest.mark.parametrize("role", READERS)
def test_a_reader_cannot_name_another_schema(role: str, dsn: Callable[[str], str], policy: Policy) -> None:
    others = {a.schema for a in policy.audiences.values()} - {schema_of(role)}
    with psycopg.connect(dsn(role), autocommit=True) as conn:
        for schema in sorted(others | {"vault", "auth"}):
            for relation in ("incidents", "versions", "blur_areas", "accounts"):
                with pytest.raises(psycopg.errors.InsufficientPrivilege):
                    conn.execute(f"SELECT * FROM {schema}.{relation}".encode())


@pytest.mark.parametrize("role", ROLES)
def test_large_objects_cannot_be_made(role: str, dsn: Callable[[str], str]) -> None:
    """They belong to no schema: a reader could leave one there for another to find."""
    with psycopg.connect(dsn(role), autocommit=True) as conn:
        conn.execute("SET default_transaction_read_only = off")
        for attempt in ("SELECT lo_create(0)", "SELECT lo_from_bytea(0, 'x')"):
            with pytest.raises(REFUSED):
                conn.execute(attempt.encode())


INJECTIONS = (
    "'; RESET ROLE; DELETE FROM vault.incidents; --",
    "' OR '1'='1",
    "1) UNION SELECT id::text FROM vault.incidents --",
    '"; DROP TABLE versions; --',
    "x' || (SELECT current_user) || '",
    "%s %(z)s %% $1 {} \\",
    "category\" = 'x' OR true --",
)


def test_an_injection_through_any_parameter_changes_nothing(
    world: Database, keys: Keys, tmp_path_factory: pytest.TempPathFactory
) -> None:
    """Every parameter of every route, properties and path parts too; then all tables are as before."""
    tables = rows(
        world.owner_dsn,
        "SELECT schemaname, tablename FROM pg_tables WHERE schemaname = 'vault' OR starts_with(schemaname, 'rel_')"
        " ORDER BY 1, 2",
    )

    def state() -> list[Any]:
        return [
            (schema, table, rows(world.owner_dsn, f"SELECT count(*), max(xmin::text::bigint) FROM {schema}.{table}"))
            for schema, table in tables
        ]

    before = state()
    y, x = map(str, tile_at(18.6, 4.4, 6))
    filled = {"collection": "incidents", "tms": "WebMercatorQuad", "z": "6", "y": y, "x": x, "feature": "1"}
    asks = []
    for route in AUDIENCE_ROUTES:
        for text in INJECTIONS:
            url = route.path.replace("{audience}", "confidential")
            good = url
            for name, value in filled.items():
                good = good.replace(f"{{{name}}}", value)
            for name in filled:
                if f"{{{name}}}" in url:
                    bad = url.replace(f"{{{name}}}", quote(text, safe=""))
                    for other, value in filled.items():
                        bad = bad.replace(f"{{{other}}}", value)
                    asks.append(Ask(bad))
            names = [*(p.name for p in route.parameters), "category", "summary_public", text]
            asks += [Ask(f"{good}?{quote(n, safe='')}={quote(text, safe='')}") for n in names]
    settings = world.settings(tmp_path_factory.mktemp("home"))
    token = keys.readers["confidential"]
    answers = replay({"reader": lambda: create_app(settings)}, [a.bearing(token) for a in asks])
    assert [a.target for a, found in zip(asks, answers, strict=True) if found[0].status >= 500] == []
    assert state() == before
