"""GeoParquet 1.0 and 1.1: geometry as WKB or in the native (GeoArrow) encodings, read batch by batch."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pyproj
import shapely

from ingest.decoded import Decoded, Row
from ingest.errors import IngestError

_BATCH = 1024
_NATIVE = {
    "point": (shapely.GeometryType.POINT, 0),
    "linestring": (shapely.GeometryType.LINESTRING, 1),
    "polygon": (shapely.GeometryType.POLYGON, 2),
    "multipoint": (shapely.GeometryType.MULTIPOINT, 1),
    "multilinestring": (shapely.GeometryType.MULTILINESTRING, 2),
    "multipolygon": (shapely.GeometryType.MULTIPOLYGON, 3),
}


@contextmanager
def open_geoparquet(path: Path) -> Iterator[Decoded]:
    """Open a GeoParquet file. Rows are numbered from 1; geometry comes in the file's CRS, axes x then y.

    Raises IngestError when the file is no Parquet file or names no geometry column.
    """
    try:
        file = pq.ParquetFile(path)
    except (pa.ArrowException, OSError) as error:
        raise IngestError(f"{path.name}: not a Parquet file ({' '.join(str(error).split())}); export it anew") from None
    with file:
        try:
            geo = json.loads((file.schema_arrow.metadata or {})[b"geo"])
            column = geo["primary_column"]
            about = geo["columns"][column]
            encoding = about["encoding"].lower()
        except (KeyError, TypeError, ValueError):
            raise IngestError(f"{path.name}: Parquet without geometry; give GeoParquet or CSV") from None
        if encoding != "wkb" and encoding not in _NATIVE:
            raise IngestError(f"{path.name}: geometry encoding {encoding!r} is not known; export it as WKB")
        covering = {part[0] for part in about.get("covering", {}).get("bbox", {}).values() if part}
        names = [n for n in file.schema_arrow.names if n != column and n not in covering and n != "bbox"]
        total = file.metadata.num_rows
        state = {"row": 0}
        yield Decoded(
            columns=tuple(names),
            rows=_rows(file, names, column, encoding, state),
            has_geometry=True,
            crs=_crs(about, path),
            fraction=lambda: min(state["row"] / total, 1.0) if total else None,
            notes=(f"geometry encoding {encoding}",),
        )


def _crs(about: dict[str, Any], path: Path) -> str | None:
    """The stated CRS as WKT. The key left out means OGC:CRS84; null means that nobody knows."""
    if "crs" not in about:
        return "OGC:CRS84"
    if about["crs"] is None:
        return None
    try:
        return str(pyproj.CRS.from_user_input(about["crs"]).to_wkt())
    except pyproj.exceptions.CRSError as error:
        raise IngestError(f"{path.name}: unknown CRS ({error}); export it in EPSG:4326") from None


def _rows(file: Any, names: Sequence[str], column: str, encoding: str, state: dict[str, int]) -> Iterator[Row]:
    for batch in file.iter_batches(batch_size=_BATCH, columns=[*names, column]):
        shapes = _shapes(batch.column(batch.schema.get_field_index(column)), encoding)
        values = [batch.column(batch.schema.get_field_index(n)).to_pylist() for n in names]
        for index, shape in enumerate(shapes):
            state["row"] += 1
            yield Row(state["row"], {n: v[index] for n, v in zip(names, values, strict=True)}, geometry=shape)


def _shapes(array: Any, encoding: str) -> Any:
    if encoding == "wkb":
        return shapely.from_wkb(array.to_numpy(zero_copy_only=False), on_invalid="ignore")
    kind, depth = _NATIVE[encoding]
    missing = array.is_null().to_numpy(zero_copy_only=False)
    if missing.any():
        array = array.drop_null()
    offsets = []
    for _ in range(depth):
        edges = array.offsets.to_numpy()
        offsets.append(edges - edges[0])
        array = array.flatten()
    xy = np.column_stack(
        [array.field("x").to_numpy(zero_copy_only=False), array.field("y").to_numpy(zero_copy_only=False)]
    )
    # Shapely takes the offsets from the innermost level outwards.
    made = shapely.from_ragged_array(kind, xy, tuple(reversed(offsets)) if offsets else None)
    out = np.full(len(missing), None, dtype=object)
    out[~missing] = made
    return out
