"""Place: coordinates or geometry in any CRS become a checked geometry in EPSG:4326."""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache
from typing import Any

import pyproj
import shapely
from pyproj.exceptions import CRSError, ProjError
from shapely.errors import GEOSException
from shapely.geometry.base import BaseGeometry

from ingest.draft import Context, Draft, Stage
from ingest.errors import IngestError, Reject
from ingest.values import as_number, bind, clean
from layers.layer import PLACE_PRECISIONS

_SHAPES = {
    "point": ("Point",),
    "line": ("LineString", "MultiLineString", "Polygon", "MultiPolygon"),  # lakes lie in a layer of rivers
    "polygon": ("Polygon", "MultiPolygon"),
}
_LON_LAT = ("EPSG:4326", "OGC:CRS84")
_Finder = Callable[[Draft], tuple[BaseGeometry | None, str]]


def stage(context: Context) -> Stage:
    """Fill `geom` (WKB, EPSG:4326) and `place_precision`.

    Raises IngestError when the CRS of file or profile is unknown.
    """
    place = context.match.table.place
    find, crs = _finder(context)
    move = _mover(crs)
    precision = place.precision and bind(place.precision, context.columns)
    allowed = _SHAPES[context.layer.geometry]

    def locate(draft: Draft) -> None:
        shape, field = find(draft)
        if shape is None or shape.is_empty:
            if place.optional:
                draft.record["geom"] = None
                draft.record["place_precision"] = "unknown"
                return
            raise Reject(field, "no place", "give longitude and latitude")
        shape = _checked(_whole(shape, allowed, field), move, field, context)
        draft.record["geom"] = shapely.to_wkb(shape)
        known = precision(draft.values) if precision else None
        if known is not None and known not in PLACE_PRECISIONS:
            raise Reject(field, f"no precision of place {known!r}", f"use one of {', '.join(PLACE_PRECISIONS)}")
        draft.record["place_precision"] = known or "exact"

    return locate


def _finder(context: Context) -> tuple[_Finder, str | None]:
    """How to get the geometry of a row, and the CRS in which it comes."""
    place, columns = context.match.table.place, context.columns
    lon, lat = columns.first(place.lon), columns.first(place.lat)
    if lon and lat:
        return _from_columns(lon, lat), place.crs
    wkt = columns.first(place.wkt) or columns.find("wkt")
    if wkt and not context.has_geometry:
        return _from_wkt(wkt), place.crs
    if place.lon and not context.has_geometry:
        return lambda draft: (None, place.lon[0]), place.crs
    return lambda draft: (draft.row.geometry, "geometry"), context.crs


def _from_columns(lon: str, lat: str) -> _Finder:
    def find(draft: Draft) -> tuple[BaseGeometry | None, str]:
        x, y = clean(draft.values.get(lon)), clean(draft.values.get(lat))
        if x is None or y is None:
            return None, lat if x is not None else lon
        return shapely.Point(_degrees(x, lon), _degrees(y, lat)), lon

    return find


def _degrees(value: Any, column: str) -> float:
    """Decimal degrees (or metres of a projected CRS). A single comma is a decimal comma here, never a thousand."""
    if isinstance(value, str) and value.count(",") == 1 and "." not in value:
        value = value.replace(",", ".")
    return as_number(value, column)


def _from_wkt(column: str) -> _Finder:
    def find(draft: Draft) -> tuple[BaseGeometry | None, str]:
        value = clean(draft.values.get(column))
        if value is None:
            return None, column
        try:
            return shapely.from_wkt(str(value)), column
        except GEOSException:
            raise Reject(column, "is no geometry in WKT", "write for example POINT (18.5 4.4)") from None

    return find


@lru_cache(maxsize=16)
def _mover(crs: str | None) -> Callable[[Any], Any] | None:
    """A transformation of x, y to longitude, latitude; None when there is nothing to do."""
    if crs is None or crs in _LON_LAT:
        return None
    try:
        source = pyproj.CRS.from_user_input(crs)
    except CRSError:
        raise IngestError(f"the CRS {crs[:60]!r} is not known; write an EPSG code such as EPSG:32634") from None
    if source.is_geographic and source.equals(pyproj.CRS.from_epsg(4326), ignore_axis_order=True):
        return None
    transformer = pyproj.Transformer.from_crs(source, 4326, always_xy=True)

    def move(xy: Any) -> Any:
        x, y = transformer.transform(xy[:, 0], xy[:, 1], errcheck=True)
        xy = xy.copy()
        xy[:, 0], xy[:, 1] = x, y
        return xy

    return move


def _whole(shape: BaseGeometry, allowed: tuple[str, ...], field: str) -> BaseGeometry:
    """Two dimensions, one geometry of a kind that the layer takes."""
    shape = shapely.force_2d(shape)
    if shape.geom_type.startswith("Multi") and shape.geom_type not in allowed and len(shape.geoms) == 1:
        shape = shape.geoms[0]
    if shape.geom_type not in allowed:
        raise Reject(field, f"is a {shape.geom_type}", f"this layer takes {' or '.join(allowed)}")
    return shape


def _checked(shape: BaseGeometry, move: Callable[[Any], Any] | None, field: str, context: Context) -> BaseGeometry:
    if move is not None:
        try:
            shape = shapely.transform(shape, move)
        except ProjError:
            raise Reject(field, "lies outside of the CRS of the file", "check coordinates and CRS") from None
    west, south, east, north = shape.bounds
    if not all(map(_finite, (west, south, east, north))):
        raise Reject(field, "a coordinate is no number", "give longitude and latitude in degrees")
    if not (-90 <= south and north <= 90 and -180 <= west and east <= 180):
        swapped = -180 <= south and north <= 180 and -90 <= west and east <= 90
        why = "latitude and longitude look exchanged" if swapped else "the coordinates are no degrees"
        remedy = "exchange them" if swapped else "state the CRS, or give longitude and latitude in degrees"
        raise Reject(field, why, remedy)
    if west == south == east == north == 0:
        raise Reject(field, "lies at 0, 0", "give the real place or leave it empty")
    if context.extent and not _inside((west, south, east, north), context.extent):
        if _inside((south, west, north, east), context.extent):
            raise Reject(field, "latitude and longitude look exchanged", "exchange them")
        context.warnings["place: outside of the mission area"] += 1
    if shape.geom_type.endswith("Polygon") and not shape.is_valid:
        repaired = _polygons(shapely.make_valid(shape))
        if repaired is None:
            raise Reject(field, "is no valid polygon", "repair it in a GIS")
        context.warnings["place: polygon repaired"] += 1
        return repaired
    return shape


def _polygons(shape: BaseGeometry) -> BaseGeometry | None:
    """The polygons of what a repair gave; lines and points are its crumbs."""
    parts = [p for p in shapely.get_parts(shape).tolist() if p.geom_type.endswith("Polygon") and p.area > 0]
    return shapely.union_all(parts) if parts else None


def _inside(box: tuple[float, float, float, float], extent: tuple[float, float, float, float]) -> bool:
    return extent[0] <= box[0] and extent[1] <= box[1] and box[2] <= extent[2] and box[3] <= extent[3]


def _finite(value: float) -> bool:
    return value == value and abs(value) != float("inf")
