"""Which decoder reads a file: by its suffix; each decoder then checks the content."""

from __future__ import annotations

from contextlib import AbstractContextManager
from pathlib import Path

from ingest.decoded import Decoded
from ingest.delimited import open_delimited
from ingest.errors import IngestError
from ingest.geoparquet import open_geoparquet
from ingest.vector import open_vector
from ingest.workbook import open_workbook

DELIMITED = (".csv", ".tsv", ".txt", ".gz")
WORKBOOK = (".xlsx", ".xlsm")
VECTOR = (".geojson", ".json", ".gpkg", ".shp", ".zip", ".kml", ".kmz")
PARQUET = (".parquet", ".geoparquet")


def decode(path: Path, sheet: str | None = None, encoding: str | None = None) -> AbstractContextManager[Decoded]:
    """Open `path` with the decoder of its format. `sheet` names a sheet or layer where a file may hold several.

    Raises IngestError when the file is not there, is empty, or its format is not read.
    """
    if not path.is_file():
        raise IngestError(f"{path}: there is no such file; check the path")
    if path.stat().st_size == 0:
        raise IngestError(f"{path.name}: the file is empty; get it again")
    suffix = path.suffix.lower()
    if suffix in DELIMITED:
        return open_delimited(path, encoding)
    if suffix in WORKBOOK:
        return open_workbook(path, sheet)
    if suffix in VECTOR:
        return open_vector(path, sheet)
    if suffix in PARQUET:
        return open_geoparquet(path)
    known = " ".join((*DELIMITED, *WORKBOOK, *VECTOR, *PARQUET))
    raise IngestError(f"{path.name}: the format {suffix or 'without suffix'} is not read; convert it to one of {known}")
