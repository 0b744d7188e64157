"""XLSX workbooks, read as a stream. Values, not formulas; the first sheet that holds a table."""

from __future__ import annotations

import datetime as dt
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import openpyxl
from openpyxl.utils.exceptions import InvalidFileException

from ingest.decoded import REJECT_COLUMNS, Decoded, Row
from ingest.errors import IngestError
from ingest.header import LOOK_AHEAD, Header, find_header


@contextmanager
def open_workbook(path: Path, sheet: str | None = None) -> Iterator[Decoded]:
    """Open an XLSX file. Rows are numbered as in the sheet; rows without any value are left out.

    Raises IngestError when the file is no workbook, when there is no such sheet, or no table in any sheet.
    """
    try:
        book = openpyxl.load_workbook(path, read_only=True, data_only=True)
    except (InvalidFileException, zipfile.BadZipFile, KeyError, OSError, ValueError) as error:
        raise IngestError(f"{path.name}: not a workbook ({error}); save it as .xlsx or CSV") from None
    try:
        sheets = [s for s in book.worksheets if s.sheet_state == "visible"]
        if sheet is not None:
            sheets = [s for s in sheets if s.title == sheet]
            if not sheets:
                names = ", ".join(s.title for s in book.worksheets)
                raise IngestError(f"{path.name}: no sheet {sheet!r}; there are {names}")
        for one in sheets:
            top = [[_text(v) for v in row] for row in one.iter_rows(values_only=True, max_row=LOOK_AHEAD + 1)]
            header = find_header(top)
            if len(header.columns) > 1:
                break
        else:
            raise IngestError(f"{path.name}: there is no table in it; give a sheet with a header row and data")
        total = one.max_row or 0
        state = {"row": 0}
        yield Decoded(
            columns=tuple(c for c in header.columns if c not in REJECT_COLUMNS),
            rows=_rows(one, header, state),
            tags=header.tags,
            fraction=lambda: min(state["row"] / total, 1.0) if total else None,
            notes=(f"sheet {one.title!r}", f"header in row {header.first_row}"),
        )
    finally:
        book.close()


def _rows(sheet: Any, header: Header, state: dict[str, int]) -> Iterator[Row]:
    for number, cells in enumerate(sheet.iter_rows(values_only=True), 1):
        state["row"] = number
        if number <= header.first_row or all(v is None or v == "" for v in cells):
            continue
        values = {c: v for c, v in zip(header.columns, cells, strict=False) if c not in REJECT_COLUMNS}
        yield Row(number, values)


def _text(value: object) -> str:
    if value is None:
        return ""
    return value.isoformat() if isinstance(value, dt.datetime | dt.date) else str(value)
