"""GeoJSON, GeoPackage, Shapefile (also zipped) and KML by GDAL, as a stream of Arrow batches."""

from __future__ import annotations

import warnings
import zipfile
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import pyogrio
import shapely
from pyogrio.errors import DataLayerError, DataSourceError

from ingest.decoded import Decoded, Row
from ingest.errors import IngestError

_BATCH = 2048
_SHAPE = b"\x00\x00\x27\x0a"  # the file code of a shapefile


@contextmanager
def open_vector(path: Path, sheet: str | None = None) -> Iterator[Decoded]:
    """Open a vector file. Rows are numbered by feature; geometry comes in the file's CRS, axes x then y.

    `sheet` names a layer of a GeoPackage. Folders of a KML file are read one after the other.
    Raises IngestError when the file is not what its name says, or has several layers and none is named.
    """
    source = _checked(path)
    try:
        with _quiet():
            layers = [str(name) for name, kind in pyogrio.list_layers(source) if kind is not None]
        if sheet is not None:
            if sheet not in layers:
                raise IngestError(f"{path.name}: no layer {sheet!r}; there are {', '.join(layers)}")
            layers = [sheet]
        elif len(layers) > 1 and path.suffix.lower() not in (".kml", ".kmz"):
            names = ", ".join(layers)
            raise IngestError(f"{path.name}: {len(layers)} layers ({names}); name one in the profile (sheet)")
        if not layers:
            raise IngestError(f"{path.name}: there is no layer with geometry in it; use CSV for tables")
        with _quiet():
            infos = [pyogrio.read_info(source, layer=name) for name in layers]
        columns = tuple(dict.fromkeys(str(f) for info in infos for f in info["fields"]))
        total = sum(max(int(info["features"]), 0) for info in infos)
        state = {"row": 0}
        yield Decoded(
            columns=columns,
            rows=_rows(source, layers, state, path),
            has_geometry=True,
            crs=next((str(info["crs"]) for info in infos if info["crs"]), None),
            fraction=lambda: min(state["row"] / total, 1.0) if total else None,
            notes=(
                f"driver {infos[0].get('driver', 'GDAL')}",
                f"layers {', '.join(' '.join(n.split()) for n in layers)}",
            ),
        )
    except (DataSourceError, DataLayerError) as error:
        raise IngestError(f"{path.name}: {' '.join(str(error).split())}; get the file again") from None


def _rows(source: str, layers: Sequence[str], state: dict[str, int], path: Path) -> Iterator[Row]:
    for name in layers:
        try:
            with ExitStack() as stack:
                with _quiet():
                    meta, reader = stack.enter_context(
                        pyogrio.open_arrow(source, layer=name, batch_size=_BATCH, use_pyarrow=True)
                    )
                column = meta["geometry_name"] or "wkb_geometry"
                while (batch := _next(reader)) is not None:
                    yield from _batch(batch, column, state)
        except (DataSourceError, DataLayerError, OSError, ValueError) as error:
            where = f"{path.name}, after feature {state['row']}"
            raise IngestError(f"{where}: {' '.join(str(error).split())}; get the file again") from None


def _next(reader: Any) -> Any | None:
    with _quiet():
        return next(reader, None)


@contextmanager
def _quiet() -> Iterator[None]:
    """GDAL warns of things that do not matter here (styles, missing ids); what matters is found row by row."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", RuntimeWarning)
        yield


def _batch(batch: Any, column: str, state: dict[str, int]) -> Iterator[Row]:
    names = [n for n in batch.schema.names if n != column]
    shapes = shapely.from_wkb(batch.column(column).to_numpy(zero_copy_only=False), on_invalid="ignore")
    values = [batch.column(n).to_pylist() for n in names]
    for index, shape in enumerate(shapes):
        state["row"] += 1
        yield Row(state["row"], {n: v[index] for n, v in zip(names, values, strict=True)}, geometry=shape)


def _checked(path: Path) -> str:
    """The name for GDAL, after a look at the first bytes: GDAL itself goes by content and would follow a virtual
    dataset to other files, whatever the suffix says."""
    suffix = path.suffix.lower()
    with path.open("rb") as file:
        head = file.read(4096).lstrip(b"\xef\xbb\xbf \t\r\n")
    wrong = IngestError(f"{path.name}: not a {suffix} file by its content; give it the right suffix or export it anew")
    if suffix in (".geojson", ".json"):
        if not head.startswith(b"{"):
            raise wrong
    elif suffix == ".gpkg":
        if not head.startswith(b"SQLite format 3\0"):
            raise wrong
    elif suffix == ".shp":
        if not head.startswith(_SHAPE):
            raise wrong
        if not path.with_suffix(".shx").exists() or not path.with_suffix(".dbf").exists():
            raise IngestError(f"{path.name}: the .shx or .dbf beside it is missing; give all parts, or a zip of them")
    elif suffix == ".kml":
        if not head.startswith(b"<") or b"<kml" not in head.lower():
            raise wrong
    else:
        return _checked_zip(path)
    return str(path)


def _checked_zip(path: Path) -> str:
    try:
        with zipfile.ZipFile(path) as archive:
            members = [m.filename for m in archive.infolist() if not m.is_dir()]
            wanted = ".kml" if path.suffix.lower() == ".kmz" else ".shp"
            found = [m for m in members if m.lower().endswith(wanted) and not m.startswith("__MACOSX")]
            # A KMZ may carry more files; its main one has a fixed name.
            found = [m for m in found if m.lower() == "doc.kml"] or found
            if len(found) != 1:
                raise IngestError(f"{path.name}: {len(found)} {wanted} files in it; give an archive with exactly one")
            with archive.open(found[0]) as member:
                head = member.read(4096)
    except zipfile.BadZipFile:
        raise IngestError(f"{path.name}: the archive is broken; get the file again") from None
    if (wanted == ".kml" and b"<kml" not in head.lower()) or (wanted == ".shp" and not head.startswith(_SHAPE)):
        raise IngestError(f"{path.name}: {found[0]} in it is no {wanted} file; export it anew")
    return f"/vsizip/{path.resolve()}/{found[0]}"
