"""The one writer of the vault: imports and edits, each in one transaction that holds whole or leaves nothing.

Records stream by COPY into a temporary table, are placed in their administrative areas, compared with what is there,
and only those that are new or differ are written; the releases follow by statement trigger in the same transaction.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Self

import psycopg
from psycopg import sql
from sqlalchemy import Column, DefaultClause, Table
from sqlalchemy.dialects import postgresql

from layers.layer import Base, Layer
from layers.registry import all_layers, layer

SERVERS_OWN = {
    "id",
    "cell_x",
    "cell_y",
    "import_id",
    "created_at",
    "updated_at",
    "updated_by",
    "version",
    "source_system",
}
"""Columns that no record brings along."""

NEAR_BORDER = 0.02
"""Degrees: a point this close outside the simplified outline still belongs to the nearest area."""

BATCH = 5000
"""Records between two calls of `progress`."""


class VaultError(RuntimeError):
    """A write was refused and nothing of it was kept. The message names record, field and remedy."""


@dataclass(frozen=True)
class Provenance:
    """Where an import came from; it stays with each record by the import's number."""

    file: str
    sha256: str
    profile: str
    who: str
    licence: str = ""
    source: str = ""


@dataclass(frozen=True)
class WriteResult:
    inserted: int
    updated: int
    unchanged: int
    deleted: int
    import_id: int

    @property
    def changed(self) -> bool:
        return bool(self.inserted or self.updated or self.deleted)


class Vault:
    """A connection of the desk's role. Use as a context manager."""

    def __init__(self, dsn: str) -> None:
        self._conn = psycopg.connect(dsn, autocommit=True)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        self._conn.close()

    def write(
        self,
        layer_id: str,
        source_system: str,
        records: Iterable[Mapping[str, Any]],
        provenance: Provenance,
        *,
        deletions: Iterable[str] = (),
        progress: Callable[[int], None] | None = None,
    ) -> WriteResult:
        """Upsert records by (source_system, source_id) and delete the listed source ids, in one transaction.

        A record maps column names to values; `source_id` and `level` are required, `geom` is WKB in EPSG:4326.
        Raises VaultError, and then nothing was written.
        """
        declared = layer(layer_id)
        table: Table = declared.model.__table__  # type: ignore[assignment]
        names = [c.name for c in table.columns if c.name not in SERVERS_OWN]
        with _refusals(declared.id), self._conn.transaction():
            staged = self._stage(table, names, records, progress)
            if declared.geometry == "point":
                self._place()
            row = self._conn.execute(
                "INSERT INTO vault.imports (layer, source_system, file, sha256, profile, who, licence, source)"
                " VALUES (%s, %s, %s, %s, %s, %s, %s, %s) RETURNING id",
                (
                    declared.id,
                    source_system,
                    provenance.file,
                    provenance.sha256,
                    provenance.profile,
                    provenance.who,
                    provenance.licence,
                    provenance.source,
                ),
            ).fetchone()
            assert row is not None
            inserted, updated = self._merge(declared, names, source_system, row[0], provenance.who)
            deleted = self._conn.execute(
                sql.SQL("DELETE FROM {} WHERE source_system = %s AND source_id = ANY (%s)").format(
                    sql.Identifier("vault", declared.table)
                ),
                (source_system, list(deletions)),
            ).rowcount
            result = WriteResult(inserted, updated, staged - inserted - updated, deleted, row[0])
            self._conn.execute(
                "UPDATE vault.imports SET inserted = %s, updated = %s, unchanged = %s, deleted = %s WHERE id = %s",
                (result.inserted, result.updated, result.unchanged, result.deleted, row[0]),
            )
            self._conn.execute("DROP TABLE stage")
        return result

    def write_rows(self, table: str, rows: Iterable[Mapping[str, Any]], key: Sequence[str]) -> WriteResult:
        """Upsert rows of a table that layers depend on (partners, consents), in one transaction."""
        allowed = {d.table for one in all_layers().values() for d in one.depends}
        if table not in allowed:
            raise VaultError(f"table {table!r} cannot be written like this; there are {', '.join(sorted(allowed))}")
        declared = Base.metadata.tables[f"vault.{table}"]
        rows = list(rows)
        # Columns that no row brings along keep what they hold.
        names = [c.name for c in declared.columns if any(c.name in row for row in rows)]
        if not rows:
            return WriteResult(0, 0, 0, 0, 0)
        inserted = updated = total = 0
        columns = sql.SQL(", ").join(map(sql.Identifier, names))
        rest = [n for n in names if n not in key]
        statement = sql.SQL(
            "INSERT INTO {t} AS t ({c}) VALUES ({v}) ON CONFLICT ({k}) DO UPDATE SET {s} WHERE ({mine}) IS"
            " DISTINCT FROM ({theirs})"
            " RETURNING xmax = 0"
        ).format(
            t=sql.Identifier("vault", table),
            c=columns,
            k=sql.SQL(", ").join(map(sql.Identifier, key)),
            v=sql.SQL(", ").join(_or_default(declared.columns[n], _typed(declared.columns[n], n)) for n in names),
            s=sql.SQL(", ").join(sql.SQL("{0} = excluded.{0}").format(sql.Identifier(n)) for n in rest),
            mine=sql.SQL(", ").join(sql.Identifier("t", n) for n in rest),
            theirs=sql.SQL(", ").join(sql.Identifier("excluded", n) for n in rest),
        )
        with _refusals(table), self._conn.transaction():
            for row in rows:
                _known(row, names, table)
                total += 1
                done = self._conn.execute(statement, {n: row.get(n) for n in names}).fetchone()
                inserted += bool(done and done[0])
                updated += bool(done and not done[0])
        return WriteResult(inserted, updated, total - inserted - updated, 0, 0)

    def labels(self, layer_id: str, source_system: str, source_ids: Sequence[str]) -> list[tuple[str, str, list[str]]]:
        """(source_id, level, compartments) of existing records: what the desk needs to judge an edit."""
        statement = sql.SQL(
            "SELECT source_id, level, compartments FROM {} WHERE source_system = %s AND source_id = ANY (%s)"
            " ORDER BY source_id"
        ).format(sql.Identifier("vault", layer(layer_id).table))
        return self._conn.execute(statement, (source_system, list(source_ids))).fetchall()

    # --- steps -------------------------------------------------------------------------------------------------------

    def _stage(
        self,
        table: Table,
        names: Sequence[str],
        records: Iterable[Mapping[str, Any]],
        progress: Callable[[int], None] | None,
    ) -> int:
        """COPY the records into a temporary table; returns their number."""
        self._conn.execute("DROP TABLE IF EXISTS stage")
        self._conn.execute(
            sql.SQL("CREATE TEMP TABLE stage AS SELECT {} FROM {} WITH NO DATA").format(
                sql.SQL(", ").join(map(sql.Identifier, names)), sql.Identifier("vault", table.name)
            )
        )
        self._conn.execute(
            "ALTER TABLE stage ADD seq integer GENERATED ALWAYS AS IDENTITY PRIMARY KEY, ADD UNIQUE (source_id)"
        )
        count = 0
        copy_in = sql.SQL("COPY stage ({}) FROM STDIN").format(sql.SQL(", ").join(map(sql.Identifier, names)))
        with self._conn.cursor() as cursor, cursor.copy(copy_in) as copy:
            for count, record in enumerate(records, 1):
                _known(record, names, table.name)
                copy.write_row([_text(record.get(n)) for n in names])
                if progress and count % BATCH == 0:
                    progress(count)
        if progress:
            progress(count)
        self._conn.execute("ANALYZE stage")
        return count

    def _place(self) -> None:
        """Administrative codes by the frozen outlines: the commune that holds the point, else the nearest close by."""
        self._conn.execute(
            # Found once a record and joined by its key; else time grows with the square of the records.
            "WITH found AS MATERIALIZED (SELECT s.seq, coalesce("
            "   (SELECT a.code FROM vault.areas_of_reference a WHERE a.kind = 'admin3' AND a.kind LIKE 'admin%%'"
            "     AND ST_Intersects(a.geom, s.geom) ORDER BY a.code LIMIT 1),"
            "   (SELECT a.code FROM vault.areas_of_reference a WHERE a.kind = 'admin3' AND a.kind LIKE 'admin%%'"
            "     AND a.geom && ST_Expand(s.geom, %(near)s) AND ST_DWithin(a.geom, s.geom, %(near)s)"
            "     ORDER BY ST_Distance(a.geom, s.geom), a.code LIMIT 1)) AS code"
            "   FROM stage s WHERE s.geom IS NOT NULL)"
            " UPDATE stage s SET admin1 = a2.parent, admin2 = a3.parent, admin3 = a3.code FROM found"
            " JOIN vault.areas_of_reference a3 ON a3.kind = 'admin3' AND a3.code = found.code"
            " JOIN vault.areas_of_reference a2 ON a2.kind = 'admin2' AND a2.code = a3.parent"
            " WHERE found.seq = s.seq",
            {"near": NEAR_BORDER},
        )

    def _merge(
        self, declared: Layer, names: Sequence[str], source_system: str, import_id: int, who: str
    ) -> tuple[int, int]:
        table: Table = declared.model.__table__  # type: ignore[assignment]
        target = sql.Identifier("vault", declared.table)
        values = {n: _or_default(table.columns[n], sql.Identifier("s", n)) for n in names}
        rest = [n for n in names if n != "source_id"]
        parameters = {"system": source_system, "import": import_id, "who": who}
        inserted = self._conn.execute(
            sql.SQL(
                "INSERT INTO {t} ({c}, source_system, import_id, updated_by) SELECT {v}, %(system)s, %(import)s,"
                " %(who)s FROM stage s"
                " WHERE NOT EXISTS (SELECT FROM {t} o WHERE o.source_system = %(system)s AND o.source_id ="
                " s.source_id) ORDER BY s.seq"
            ).format(
                t=target,
                c=sql.SQL(", ").join(map(sql.Identifier, names)),
                v=sql.SQL(", ").join(values[n] for n in names),
            ),
            parameters,
        ).rowcount
        updated = self._conn.execute(
            sql.SQL(
                "UPDATE {t} o SET {set}, import_id = %(import)s, updated_by = %(who)s FROM stage s"
                " WHERE o.source_system = %(system)s AND o.source_id = s.source_id AND o.import_id IS DISTINCT"
                " FROM %(import)s"
                " AND ({mine}) IS DISTINCT FROM ({theirs})"
            ).format(
                t=target,
                set=sql.SQL(", ").join(sql.SQL("{} = {}").format(sql.Identifier(n), values[n]) for n in rest),
                mine=sql.SQL(", ").join(sql.Identifier("o", n) for n in rest),
                theirs=sql.SQL(", ").join(values[n] for n in rest),
            ),
            parameters,
        ).rowcount
        return inserted, updated


def _typed(column: Column[Any], name: str) -> sql.Composable:
    """A parameter with the type of its column: a list next to a default would be taken for text."""
    kind = column.type.compile(dialect=postgresql.dialect())  # type: ignore[no-untyped-call]
    return sql.SQL("{}::{}").format(sql.Placeholder(name), sql.SQL(kind))


def _or_default(column: Column[Any], value: sql.Composable) -> sql.Composable:
    """A missing value takes the column's default of the declaration."""
    default = column.server_default
    if not isinstance(default, DefaultClause):
        return value
    words = default.arg if isinstance(default.arg, str) else str(default.arg)
    literal = sql.SQL("true") if words == "true" else sql.SQL("false") if words == "false" else sql.Literal(words)
    return sql.SQL("coalesce({}, {})").format(value, literal)


def _text(value: Any) -> Any:
    """Geometry goes into COPY as hexadecimal EWKB."""
    return value.hex() if isinstance(value, bytes | memoryview) else value


def _known(record: Mapping[str, Any], names: Sequence[str], table: str) -> None:
    unknown = set(record) - set(names)
    if unknown:
        raise VaultError(
            f"{table}: record {record.get('source_id')!r} brings {', '.join(sorted(unknown))}, which is no column"
        )


class _refusals:  # noqa: N801 -- reads as a word in a with statement
    """Turns what PostgreSQL refuses into one line that names record, field and remedy."""

    def __init__(self, what: str) -> None:
        self.what = what

    def __enter__(self) -> None:
        return None

    def __exit__(self, kind: Any, error: BaseException | None, trace: Any) -> None:
        # PostGIS calls a geometry that it cannot read or project an internal error.
        if isinstance(error, psycopg.DataError | psycopg.IntegrityError | psycopg.InternalError):
            diag = error.diag
            place = re.search(r"COPY stage, line (\d+)(?:, column (\w+))?", diag.context or "")
            where = (
                f"record {place[1]}" + (f", field {place[2]}" if place[2] else "")
                if place
                else diag.constraint_name or diag.column_name or ""
            )
            if isinstance(error, psycopg.errors.UniqueViolation):
                message = f"{diag.message_detail or diag.message_primary} Give each record a source id of its own."
            elif isinstance(error, psycopg.errors.NotNullViolation):
                message = f"field {diag.column_name} is empty; it is required"
            elif isinstance(error, psycopg.errors.CheckViolation):
                message = f"a value breaks the check {diag.constraint_name}; mend it"
            else:
                message = f"{diag.message_primary}; mend the value"
            raise VaultError(f"{self.what}: {where}: {message} Nothing was written.") from None
        if isinstance(error, psycopg.OperationalError):
            raise VaultError(
                f"{self.what}: the database went away ({' '.join(str(error).split())}). Nothing was written; try again."
            ) from None
