"""CSV and its relatives: encoding and delimiter are found out, quoted fields may hold newlines."""

from __future__ import annotations

import codecs
import csv
import gzip
import io
import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

from charset_normalizer import from_bytes

from ingest.decoded import REJECT_COLUMNS, Decoded, Row
from ingest.errors import IngestError
from ingest.header import LOOK_AHEAD, Header, find_header

_SAMPLE = 1 << 18
_DELIMITERS = ",;\t|"
_BOMS = ((codecs.BOM_UTF8, "utf-8-sig"), (codecs.BOM_UTF16_LE, "utf-16"), (codecs.BOM_UTF16_BE, "utf-16"))
_FIELD_LIMIT = 16 << 20  # a boundary as WKT in one cell can be long; a runaway quote is longer


@contextmanager
def open_delimited(path: Path, encoding: str | None = None) -> Iterator[Decoded]:
    """Open a CSV file (also .tsv, .txt, .gz). Rows are numbered by the line on which they begin.

    Raises IngestError when the file is empty or is no text.
    """
    size = max(path.stat().st_size, 1)
    with path.open("rb") as raw:
        zipped = path.suffix == ".gz"

        def begin() -> BinaryIO:
            raw.seek(0)
            return gzip.GzipFile(fileobj=raw) if zipped else raw  # type: ignore[return-value]

        encoding = encoding or _encoding(begin(), path)
        sample = io.TextIOWrapper(io.BytesIO(begin().read(_SAMPLE)), encoding=encoding, errors="replace", newline="")
        delimiter, header, names_at = _layout(sample.read())
        if not header.columns:
            raise IngestError(f"{path.name}: there is no table in it; give a file with a header row and data")
        text = io.TextIOWrapper(begin(), encoding=encoding, newline="")
        csv.field_size_limit(_FIELD_LIMIT)
        try:
            yield Decoded(
                columns=tuple(c for c in header.columns if c not in REJECT_COLUMNS),
                rows=_rows(csv.reader(text, delimiter=delimiter), header, path),
                tags=header.tags,
                fraction=lambda: min(raw.tell() / size, 1.0),
                notes=(f"encoding {encoding}", f"delimiter {delimiter!r}", f"header in row {names_at}"),
            )
        finally:
            text.detach()


def _rows(reader: Iterator[list[str]], header: Header, path: Path) -> Iterator[Row]:
    columns, width, line, index = header.columns, len(header.columns), 0, -1
    while True:
        start = line + 1
        try:
            cells = next(reader)
        except StopIteration:
            return
        except (csv.Error, UnicodeDecodeError, EOFError, OSError) as error:
            raise IngestError(f"{path.name}, line {start}: {error}; save the file anew as UTF-8 CSV") from None
        line = reader.line_num  # type: ignore[attr-defined]
        index += 1
        if index < header.first_row or not cells:
            index -= not cells and index < header.first_row
            continue
        values = {c: v for c, v in zip(columns, cells, strict=False) if c not in REJECT_COLUMNS}
        fault = None
        if any(extra.strip() for extra in cells[width:]):
            fault = f"{len(cells)} values for {width} columns"
        yield Row(start, values, fault=fault)


def _encoding(raw: BinaryIO, path: Path) -> str:
    """UTF-8 if the whole file is; else by the runs of high bytes: accents stand alone, other scripts stand in rows."""
    try:
        head = raw.read(_SAMPLE)
        for bom, name in _BOMS:
            if head.startswith(bom):
                return name
        if b"\0" in head:
            raise IngestError(f"{path.name}: not a text file; give CSV, XLSX, GeoJSON, GeoPackage, Shapefile or KML")
        decoder = codecs.getincrementaldecoder("utf-8")()
        high = head if not head.isascii() else b""
        try:
            block = head
            while block:
                decoder.decode(block)
                block = raw.read(_SAMPLE)
                if not high and not block.isascii():
                    high = block
            decoder.decode(b"", final=True)
        except UnicodeDecodeError:
            runs = [len(run) for run in re.findall(rb"[\x80-\xff]+", high)]
            if runs and sum(runs) / len(runs) >= 2.5:
                best = from_bytes(high, cp_isolation=["cp1256", "cp1251", "cp1253", "iso8859_6"]).best()
                if best is not None:
                    return str(best.encoding)
            return "cp1252" if not re.search(rb"[\x81\x8d\x8f\x90\x9d]", high) else "latin_1"
    except (EOFError, OSError) as error:
        raise IngestError(f"{path.name}: {error}; get the file again") from None
    return "utf-8"


def _layout(sample: str) -> tuple[str, Header, int]:
    """The delimiter under which the first rows agree best, and the header they have then."""
    best: tuple[float, str, list[list[str]]] = (-1.0, ",", [])
    for delimiter in _DELIMITERS:
        rows: list[list[str]] = []
        try:
            for cells in csv.reader(io.StringIO(sample, newline=""), delimiter=delimiter):
                if cells:
                    rows.append(cells)
                if len(rows) > LOOK_AHEAD:
                    break
        except csv.Error:
            continue
        widths = [len(r) for r in rows]
        common = max(set(widths), key=lambda w: (widths.count(w), w), default=0)
        score = common * widths.count(common) / max(len(widths), 1) if common > 1 else 0.0
        if score > best[0]:
            best = (score, delimiter, rows)
    header = find_header(best[2])
    return best[1], header, header.first_row
