"""The database from nothing to ready: extensions, roles, vault, releases, grants. Idempotent, under one lock.

Order: roles → extensions and schemas → Alembic → tables of the declared layers → releases (layers.release) → grants.
Releases and grants are derived from the rule file and rebuilt after each migration, never edited by one.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path

import psycopg
from alembic import command
from alembic.config import Config
from psycopg import sql
from sqlalchemy import create_engine
from sqlalchemy.dialects import postgresql
from sqlalchemy.pool import NullPool
from sqlalchemy.schema import CreateIndex, CreateTable

from layers import cells, grants, release
from layers.layer import Base
from layers.monotone import check_change
from layers.policy import Policy, PolicyError
from layers.registry import all_layers
from layers.rule_file import parse

DESK, PUBLISHER, AUTH = "parallax_desk", "parallax_publisher", "parallax_auth"
EXTENSIONS = ("postgis", "pgcrypto", "pg_trgm", "unaccent")

_LOCK = 0x7061_7261
"""Advisory lock of everything that changes the shape of the database."""


class DatabaseError(RuntimeError):
    """The database cannot be used as it is. The message names the remedy."""


def roles(policy: Policy) -> list[str]:
    """Every login role: the desk, the publisher, the accounts, and one per audience."""
    return [DESK, PUBLISHER, AUTH, *(a.role for a in policy.audiences.values())]


def migrate(
    owner_dsn: str,
    policy: Policy,
    passwords: Mapping[str, str],
    say: Callable[[str], None] = lambda _: None,
    *,
    allow_finer: bool = False,
) -> None:
    """Bring the database of `owner_dsn` to the declared state. `passwords` are by role; others stay as they are.

    Raises PolicyError when the rules are finer than those in force and `allow_finer` is not given: a reader with memory
    could subtract the two releases. Raises DatabaseError when PostgreSQL or PostGIS is too old, a role is missing its
    password, or the owner may not create roles.
    """
    try:
        with psycopg.connect(owner_dsn, autocommit=True) as conn:
            conn.execute("SET client_min_messages = warning")
            if conn.info.server_version < 150000:
                raise DatabaseError(f"PostgreSQL {conn.info.server_version // 10000} is too old; install 15 or newer")
            conn.execute("SELECT pg_advisory_lock(%s)", (_LOCK,))
            with conn.transaction():
                _make_roles(conn, policy, passwords)
                for extension in EXTENSIONS:
                    conn.execute(
                        sql.SQL("CREATE EXTENSION IF NOT EXISTS {} SCHEMA public").format(sql.Identifier(extension))
                    )
                conn.execute("CREATE SCHEMA IF NOT EXISTS vault")
            _upgrade(owner_dsn)
            say("vault ready")
            with conn.transaction():
                conn.execute("SET LOCAL search_path = public, pg_temp")
                _put_in_force(conn, policy, allow_finer)
                _layer_tables(conn, policy)
                cells.install(conn, policy)
                release.install(conn, policy)
                grants.grant(conn, policy)
            say("releases ready")
    except psycopg.errors.InsufficientPrivilege as error:
        raise DatabaseError(
            f"the owner role may not do this: {error.diag.message_primary}; give it CREATEROLE and the database"
        ) from None
    except psycopg.OperationalError as error:
        raise DatabaseError(f"cannot reach the database: {' '.join(str(error).split())}; is it running?") from None


def _put_in_force(conn: psycopg.Connection, policy: Policy, allow_finer: bool) -> None:
    """Keep the rules as those in force, if they may follow the ones before."""
    row = conn.execute("SELECT sha256, file, version FROM vault.rules ORDER BY seq DESC LIMIT 1").fetchone()
    if row and row[0] == policy.sha256:
        return
    if row:
        try:
            before = parse(bytes(row[1]), policy.path)
        except PolicyError as error:
            if not allow_finer:
                raise PolicyError(
                    f"the rules in force (version {row[2]}) cannot be compared with these ({error});"
                    " give --allow-finer if two persons agreed"
                ) from None
        else:
            check_change(before, policy, allow_finer)
    conn.execute(
        "INSERT INTO vault.rules (version, sha256, file, allowed_finer) VALUES (%s, %s, %s, %s)",
        (policy.version, policy.sha256, policy.source, allow_finer),
    )


def _make_roles(conn: psycopg.Connection, policy: Policy, passwords: Mapping[str, str]) -> None:
    there = {r for (r,) in conn.execute("SELECT rolname FROM pg_roles").fetchall()}
    for role in roles(policy):
        if role not in there:
            if role not in passwords:
                raise DatabaseError(f"role {role} does not exist and no password was given for it")
            conn.execute(sql.SQL("CREATE ROLE {} LOGIN").format(sql.Identifier(role)))
        if role in passwords:
            conn.execute(
                sql.SQL("ALTER ROLE {} LOGIN PASSWORD {}").format(sql.Identifier(role), sql.Literal(passwords[role]))
            )


def _upgrade(owner_dsn: str) -> None:
    engine = create_engine("postgresql+psycopg://", creator=lambda: psycopg.connect(owner_dsn), poolclass=NullPool)
    config = Config()
    config.set_main_option("script_location", str(Path(__file__).parent / "migrations"))
    with engine.connect() as connection:
        config.attributes["connection"] = connection
        command.upgrade(config, "head")
        connection.commit()
    engine.dispose()


def _layer_tables(conn: psycopg.Connection, policy: Policy) -> None:
    """Make the tables of declared layers that are not there yet, with their label checks, keys and history."""
    all_layers()  # importing the layers declares their tables
    there = {t for (t,) in conn.execute("SELECT tablename FROM pg_tables WHERE schemaname = 'vault'").fetchall()}
    wanted = [t for t in Base.metadata.sorted_tables if t.schema == "vault" and t.name not in there]
    if wanted:
        dialect = postgresql.dialect()  # type: ignore[no-untyped-call]
        for made in wanted:
            conn.execute(str(CreateTable(made).compile(dialect=dialect)).encode())
            for index in made.indexes:
                conn.execute(str(CreateIndex(index).compile(dialect=dialect)).encode())
    for layer in all_layers().values():
        table = sql.Identifier("vault", layer.table)
        name = sql.Literal(layer.id)
        if layer.table not in there:
            conn.execute(
                sql.SQL(
                    "ALTER TABLE {t} ADD CONSTRAINT {c} CHECK (level IN ('public', 'unclassified',"
                    " 'confidential', 'strict'))"
                ).format(t=table, c=sql.Identifier(f"{layer.table}_level"))
            )
            conn.execute(
                sql.SQL("CREATE TRIGGER touch BEFORE UPDATE ON {} FOR EACH ROW EXECUTE FUNCTION vault.touch()").format(
                    table
                )
            )
            for event, transition in (("UPDATE", "OLD TABLE AS before"), ("DELETE", "OLD TABLE AS before")):
                conn.execute(
                    sql.SQL(
                        "CREATE TRIGGER {n} AFTER {e} ON {t} REFERENCING {tr} FOR EACH STATEMENT EXECUTE"
                        " FUNCTION vault.keep_history()"
                    ).format(
                        n=sql.Identifier(f"keep_{event.lower()}"), e=sql.SQL(event), t=table, tr=sql.SQL(transition)
                    )
                )
        for family in {a.family for a in policy.audiences.values()}:
            conn.execute(
                sql.SQL(
                    "INSERT INTO vault.release_keys (family, layer, key) VALUES ({}, {}, gen_random_bytes(32))"
                    " ON CONFLICT DO NOTHING"
                ).format(sql.Literal(family), name)
            )
