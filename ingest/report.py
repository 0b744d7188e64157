"""What an import did, or would do."""

from __future__ import annotations

import datetime as dt
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import shapely

from layers.layer import Layer
from layers.vault import WriteResult


@dataclass
class Report:
    """Counts of rows by what became of them. `result` is None in a dry run. `bbox` is lon/lat; times are UTC."""

    path: Path
    layer: Layer
    profile: str
    dry_run: bool
    notes: tuple[str, ...] = ()
    rows: int = 0
    accepted: int = 0
    skipped: int = 0
    rejected: Counter[str] = field(default_factory=Counter)
    warnings: Counter[str] = field(default_factory=Counter)
    categories: Counter[str] = field(default_factory=Counter)
    levels: Counter[str] = field(default_factory=Counter)
    precisions: Counter[str] = field(default_factory=Counter)
    missing: tuple[str, ...] = ()
    bbox: tuple[float, float, float, float] | None = None
    first: dt.date | None = None
    last: dt.date | None = None
    rejects: Path | None = None
    result: WriteResult | None = None

    @property
    def nothing_changed(self) -> bool:
        done = self.result
        return done is not None and not (done.inserted or done.updated or done.deleted)

    def count(self, record: Mapping[str, Any]) -> None:
        """Take one accepted record into the summary."""
        self.accepted += 1
        compartments = record.get("compartments") or ()
        self.levels[" + ".join([record["level"], *compartments])] += 1
        self.precisions[record.get("place_precision", "exact")] += 1
        by = self.layer.style.by
        if by and record.get(by) is not None:
            self.categories[str(record[by])] += 1
        if record.get("geom") is not None:
            self._extend(shapely.from_wkb(record["geom"]).bounds)
        time = self.layer.time
        if time and record.get(time.start):
            start = record[time.start]
            day = start.date() if isinstance(start, dt.datetime) else start
            self.first = min(self.first or day, day)
            self.last = max(self.last or day, day)

    def _extend(self, box: tuple[float, float, float, float]) -> None:
        old = self.bbox or box
        self.bbox = (min(old[0], box[0]), min(old[1], box[1]), max(old[2], box[2]), max(old[3], box[3]))

    def __str__(self) -> str:
        lines = [f"{self.path.name} → {self.layer.id} by profile {self.profile} ({', '.join(self.notes)})"]
        lines.append(
            f"  {self.rows} rows: {self.accepted} accepted, {self.rejected.total()} rejected"
            + (f", {self.skipped} not meant by the profile" if self.skipped else "")
        )
        by = self.layer.style.by
        for title, counts in (
            (self.layer.field[by].label if by else "", self.categories),
            ("Class", self.levels),
            ("Place known to", self.precisions),
            ("Rejected", self.rejected),
            ("Look at", self.warnings),
        ):
            if counts:
                lines.append(f"  {title}: " + ", ".join(f"{name} {n}" for name, n in counts.most_common(12)))
        if self.bbox:
            lines.append("  Extent: " + ", ".join(f"{v:.4f}" for v in self.bbox))
        if self.first:
            lines.append(f"  From {self.first} to {self.last}")
        if self.missing:
            more = f" and {len(self.missing) - 8} more" if len(self.missing) > 8 else ""
            lines.append(f"  The profile knows and the file has not: {', '.join(self.missing[:8])}{more}")
        if self.rejects:
            lines.append(f"  Rejected rows: {self.rejects} (mend them there and import that file)")
        lines.append(self._outcome())
        return "\n".join(lines)

    def _outcome(self) -> str:
        if self.result is None:
            return "  Dry run: nothing was written."
        if self.nothing_changed:
            return f"  Nothing changed: all {self.result.unchanged} records were there already."
        done = self.result
        return (
            f"  {done.inserted} new, {done.updated} changed, {done.unchanged} unchanged, {done.deleted} deleted "
            f"(import {done.import_id})."
        )
