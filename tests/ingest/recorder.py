"""A store that keeps records in memory, and how records are written down for comparison."""

from __future__ import annotations

import csv
import datetime as dt
from collections.abc import Iterable, Mapping, Sequence
from decimal import Decimal
from pathlib import Path
from typing import Any

import shapely

from ingest import pipeline
from ingest.report import Report
from layers.vault import Provenance, WriteResult

DATA = Path(__file__).parents[1] / "data"

TODAY = dt.date(2026, 7, 1)


class Recorder:
    """Takes what the vault would take."""

    def __init__(self) -> None:
        self.records: list[dict[str, Any]] = []
        self.rows: dict[str, list[dict[str, Any]]] = {}
        self.deletions: list[str] = []
        self.source_system = ""
        self.provenance: Provenance | None = None

    def write(
        self,
        layer_id: str,
        source_system: str,
        records: Iterable[Mapping[str, Any]],
        provenance: Provenance,
        *,
        deletions: Iterable[str] = (),
    ) -> WriteResult:
        self.source_system, self.provenance = source_system, provenance
        self.records = [dict(r) for r in records]
        self.deletions = list(deletions)
        return WriteResult(len(self.records), 0, 0, len(self.deletions), 1)

    def write_rows(self, table: str, rows: Iterable[Mapping[str, Any]], key: Sequence[str]) -> WriteResult:
        self.rows[table] = [dict(r) for r in rows]
        return WriteResult(len(self.rows[table]), 0, 0, 0, 0)


def take(file: str | Path, layer: str, profile: str | None = None, **options: Any) -> tuple[Report, Recorder]:
    """Import a sample into memory."""
    recorder = Recorder()
    options = {"keep_rejects": False, "today": TODAY, **options}
    report = pipeline.run(DATA / file, layer, recorder, profile, who="tester", **options)
    return report, recorder


def plain(record: Mapping[str, Any]) -> dict[str, Any]:
    """A record as it stands in an expected file: geometry as WKT when it is a point, else as its shape in short."""
    return {name: _plain(value) for name, value in sorted(record.items())}


def _plain(value: Any) -> Any:
    if isinstance(value, bytes):
        shape = shapely.from_wkb(value)
        if shape.geom_type == "Point":
            return f"POINT ({shape.x:.5f} {shape.y:.5f})"
        box = ", ".join(f"{v:.3f}" for v in shape.bounds)
        return f"{shape.geom_type} of {shapely.get_num_coordinates(shape)} within {box}"
    if isinstance(value, dt.datetime | dt.date):
        return value.isoformat()
    return str(value) if isinstance(value, Decimal) else value


def rejects(path: Path) -> list[list[str]]:
    """Row, field, reason and remedy of every line of a rejects file."""
    if not path.exists():
        return []
    with path.open(encoding="utf-8-sig", newline="") as file:
        return [row[-4:] for row in list(csv.reader(file))[1:]]
