"""The rejects file: every row that did not become a record, as it was, with what to mend. Nothing is lost."""

from __future__ import annotations

import csv
import datetime as dt
from collections.abc import Sequence
from pathlib import Path
from typing import Any, TextIO

import shapely

from ingest.decoded import REJECT_COLUMNS, Row
from ingest.errors import IngestError, Reject
from ingest.fields import is_alias


class Rejects:
    """Writes `path` as CSV (UTF-8 with a mark, for spreadsheets) when there is something to write.

    The columns are those of the source, then the row, field, reason and remedy. Mended, the file can be imported
    again as it is: the added columns are left out of account.
    """

    def __init__(
        self, path: Path | None, columns: Sequence[str], *, has_geometry: bool, aliases: Sequence[str] = ()
    ) -> None:
        self.path = path
        self.count = 0
        self._columns = [*columns, *(("wkt",) if has_geometry else ())]
        self._geometry = has_geometry
        self._aliases = [self._columns.index(c) for c in aliases if c in self._columns]
        self._file: TextIO | None = None
        self._writer: Any = None

    def add(self, row: Row, reject: Reject) -> None:
        self.count += 1
        if self.path is None:
            return
        if self._file is None:
            self._begin()
        cells = [_cell(row.values.get(c)) for c in self._columns]
        if self._geometry:
            cells[-1] = shapely.to_wkt(row.geometry, rounding_precision=-1) if row.geometry is not None else ""
        if reject.secret and reject.field in self._columns:
            cells[self._columns.index(reject.field)] = ""
        for index in self._aliases:
            # Whatever else is wrong with the row, a name in the place of an alias is not written out again.
            if cells[index] and not is_alias(cells[index]):
                cells[index] = ""
        self._writer.writerow([*cells, row.number, reject.field, reject.reason, reject.remedy])

    def close(self) -> None:
        if self._file is not None:
            self._file.close()
            self._file = None

    def _begin(self) -> None:
        assert self.path is not None
        try:
            self._file = self.path.open("w", encoding="utf-8-sig", newline="")
        except OSError as error:
            raise IngestError(f"{self.path}: {error.strerror}; name another place for the rejects file") from None
        self._writer = csv.writer(self._file)
        self._writer.writerow([*self._columns, *REJECT_COLUMNS])


def _cell(value: Any) -> str:
    if value is None:
        return ""
    if isinstance(value, dt.datetime | dt.date):
        return value.isoformat()
    return str(value)
