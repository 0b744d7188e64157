"""One import from end to end. The stages stand in one list, in the order in which a row meets them."""

from __future__ import annotations

import datetime as dt
import hashlib
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from typing import Any, Protocol

from ingest import fields, label, partners, place, profile, selection, when
from ingest.decoded import Decoded, Row
from ingest.draft import Context, Draft, Stage
from ingest.errors import IngestError, Reject
from ingest.formats import decode
from ingest.profile import Match
from ingest.rejects import Rejects
from ingest.report import Report
from ingest.values import Columns, bind, text_of
from layers import policy as policies
from layers.layer import Layer
from layers.policy import Policy
from layers.registry import all_layers
from layers.vault import Provenance, WriteResult


class Store(Protocol):
    """What an import needs of a vault."""

    def write(
        self,
        layer_id: str,
        source_system: str,
        records: Iterable[Mapping[str, Any]],
        provenance: Provenance,
        *,
        deletions: Iterable[str] = (),
    ) -> WriteResult: ...

    def write_rows(self, table: str, rows: Iterable[Mapping[str, Any]], key: Sequence[str]) -> WriteResult: ...


Progress = Callable[[int, float | None], None]
"""Called now and then with the rows read so far and the fraction of the file (0..1; None when it is not known)."""

_REPORT_EVERY = 200
_MARGIN = 1.0  # degrees


def run(
    path: Path,
    layer_id: str,
    vault: Store | None = None,
    profile_name: str | None = None,
    *,
    dry_run: bool = False,
    who: str = "system",
    deletions: Path | None = None,
    rejects: Path | None = None,
    keep_rejects: bool = True,
    progress: Progress | None = None,
    policy: Policy | None = None,
    extent: tuple[float, float, float, float] | None = None,
    today: dt.date | None = None,
    extra: Sequence[Stage] = (),
) -> Report:
    """Import one file into one layer, in one transaction; with `dry_run` (or without a vault) only say what would be.

    `profile_name` names a shipped profile or a YAML file; without it the one that knows the columns is taken.
    `deletions` is a file of source ids to delete; `rejects` is where rows go that cannot become records (by default
    beside the file); `policy` names the known compartments and audiences (by default the demo's); `extent` is the
    mission area in degrees (west, south, east, north), by which exchanged axes are found (by default the policy's, for
    what happens in the mission); `extra` are stages after the others.
    Raises IngestError when nothing can be imported, VaultError when the vault refuses; both leave the vault as it was.
    """
    layer = _layer(layer_id)
    policy = policy or policies.load(policies.default_path())
    wanted = profile.named(profile_name, layer) if profile_name else None
    mine = [t for t in wanted.tables if t.layer == layer_id] if wanted else []
    sheet = next((t.sheet for t in mine if t.sheet), None)
    encoding = next((t.encoding for t in mine if t.encoding), None)
    with decode(path, sheet, encoding) as decoded:
        columns = Columns(decoded.columns, decoded.tags)
        match = profile.find(layer, columns, path.name, profile_name)
        report = Report(path, layer, match.name, dry_run or vault is None, decoded.notes)
        if match.table.join:
            columns = Columns((*decoded.columns, *match.table.join.take), decoded.tags)
        if match.table.latest:
            columns = Columns((*columns.names, match.table.latest.first), decoded.tags)
        context = Context(
            layer,
            match,
            columns,
            policy,
            decoded.has_geometry,
            decoded.crs,
            extent or _mission(layer, policy),
            today or dt.datetime.now(dt.UTC).date(),
            report.warnings,
        )
        where = (rejects or path.with_name(path.name + ".rejects.csv")) if keep_rejects else None
        aliases = context.columns_of("source_alias")
        out = Rejects(where, decoded.columns, has_geometry=decoded.has_geometry, aliases=aliases)
        found: dict[str, dict[str, Any]] = {}
        with closing(out), closing(selection.Seen()) as seen:
            rows = _selected(path, decoded, context, report, sheet, encoding)
            records = _records(rows, (*_stages(context, found, seen), *extra), report, out, decoded, progress)
            if report.dry_run or vault is None:
                for _ in records:
                    pass
            else:
                gone = _deletions(deletions, context)
                facts = Provenance(
                    file=path.name,
                    sha256=_sha256(path),
                    profile=match.name,
                    who=who,
                    licence=match.profile.licence,
                    source=match.profile.source,
                )
                report.result = vault.write(layer_id, match.profile.source_system, records, facts, deletions=gone)
                if found:
                    # After the sites: until its partner is known, a site finds no consent and is shown to fewer people.
                    vault.write_rows("partners", found.values(), ("id",))
    report.missing = tuple(sorted(columns.missing))
    report.rejects = where if out.count else None
    if not report.rows:
        raise IngestError(f"{path.name}: there are no rows below the header; give a file with data")
    return report


def _stages(context: Context, found: dict[str, dict[str, Any]], seen: selection.Seen) -> tuple[Stage, ...]:
    """What happens to a row after it was decoded; what passes all of them is stored."""
    return (
        _sound,
        place.stage(context),
        fields.stage(context),
        when.stage(context),
        label.stage(context),
        partners.stage(context, found),
        _identify(context, seen),
    )


def _records(
    rows: Iterator[Row],
    stages: tuple[Stage, ...],
    report: Report,
    out: Rejects,
    decoded: Decoded,
    progress: Progress | None,
) -> Iterator[dict[str, Any]]:
    for row in rows:
        draft = Draft(row)
        try:
            for stage in stages:
                stage(draft)
        except Reject as reject:
            report.rejected[reject.kind] += 1
            out.add(row, reject)
        else:
            report.count(draft.record)
            yield draft.record
        if progress and report.rows % _REPORT_EVERY == 0:
            progress(report.rows, decoded.fraction())
    if progress:
        progress(report.rows, 1.0)


def _selected(
    path: Path, decoded: Decoded, context: Context, report: Report, sheet: str | None, encoding: str | None
) -> Iterator[Row]:
    """The rows that the profile means, with joined columns; the others are counted as skipped."""
    table, columns = context.match.table, context.columns
    skips = [label.tests(conditions, columns) for conditions in table.skip]
    beside = selection.join(path, table.join) if table.join else {}
    newest: dict[int, float] | None = None
    if table.latest:
        with decode(path, sheet, encoding) as again:
            newest = selection.latest(again.rows, table.latest, columns)
    for row in decoded.rows:
        report.rows += 1
        if table.join:
            row = selection.joined(row, table.join, beside, columns)
        if any(skip(row.values) for skip in skips) or (newest is not None and row.number not in newest):
            report.skipped += 1
            continue
        if newest is not None and table.latest:
            row = replace(row, values={**row.values, table.latest.first: newest[row.number]})
        yield row


def _sound(draft: Draft) -> None:
    if draft.row.fault:
        raise Reject("", draft.row.fault, "mend the line: quote values that hold the delimiter")


def _identify(context: Context, seen: selection.Seen) -> Stage:
    one = context.match.table.source_id
    read = bind(one, context.columns)
    name = context.columns.first(one.names) or "source_id"

    def identify(draft: Draft) -> None:
        value = read(draft.values)
        if value is None:
            raise Reject(name, "no id", "fill in the id that the source gave it")
        source_id = text_of(value)
        if "geometry" in one.hash:
            source_id = hashlib.sha256(source_id.encode() + (draft.record.get("geom") or b"")).hexdigest()[:24]
        before = seen.first(source_id, draft.row.number)
        if before is not None:
            raise Reject(name, "the same id stands already in the file", f"keep one of this row and row {before}")
        draft.record["source_id"] = source_id

    return identify


def _deletions(path: Path | None, context: Context) -> list[str]:
    """Source ids from a list: the profile's id column where the file has it, else the first column."""
    if path is None:
        return []
    one = context.match.table.source_id
    with decode(path) as decoded:
        columns = Columns(decoded.columns, decoded.tags)
        name = columns.first(one.names) or decoded.columns[0]
        ids = [text_of(row.values[name]) for row in decoded.rows if row.values.get(name)]
    # A bare list has no header: its first line was taken for one.
    if len(decoded.columns) == 1 and columns.first(one.names) is None:
        ids.insert(0, decoded.columns[0])
    return ids


def _mission(layer: Layer, policy: Policy) -> tuple[float, float, float, float] | None:
    """The mission area with a margin, for layers of what happens in it; reference layers reach beyond it."""
    box = policy.mission.get("bbox")
    if layer.style.group != "operations" or not box:
        return None
    west, south, east, north = (float(v) for v in box)
    return west - _MARGIN, south - _MARGIN, east + _MARGIN, north + _MARGIN


def _layer(layer_id: str) -> Layer:
    if layer_id not in all_layers():
        raise IngestError(f"no layer {layer_id!r}; there are {', '.join(all_layers())}")
    return all_layers()[layer_id]


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


__all__ = ["Match", "Progress", "Report", "run"]
