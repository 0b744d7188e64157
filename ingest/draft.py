"""A record on its way through the stages, and what the stages know about the import."""

from __future__ import annotations

import datetime as dt
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from ingest.decoded import Row
from ingest.profile import Match
from ingest.values import Columns
from layers.layer import Layer
from layers.policy import Policy


@dataclass
class Draft:
    """`record` grows from stage to stage: column name → value, geometry as WKB in EPSG:4326."""

    row: Row
    record: dict[str, Any] = field(default_factory=dict)

    @property
    def values(self) -> Mapping[str, Any]:
        return self.row.values


@dataclass(frozen=True)
class Context:
    """What is the same for all rows. `extent` is west, south, east, north of the mission area in degrees."""

    layer: Layer
    match: Match
    columns: Columns
    policy: Policy
    has_geometry: bool
    crs: str | None
    extent: tuple[float, float, float, float] | None
    today: dt.date
    warnings: Counter[str]

    def columns_of(self, field: str) -> list[str]:
        """The columns of the file that the profile reads for a field."""
        one = self.match.table.set.get(field)
        found = (self.columns.find(name) for name in one.names) if one else ()
        return [column for column in found if column is not None]


Stage = Callable[[Draft], None]
"""Takes a draft and adds to its record; raises Reject."""
