"""Coordinate reference systems of the API (OGC API Features part 2): CRS84, EPSG:4326 and EPSG:3857.

Everything is stored and asked for in longitude, latitude. EPSG:4326 has the order latitude, longitude.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

CRS84 = "http://www.opengis.net/def/crs/OGC/1.3/CRS84"
EPSG4326 = "http://www.opengis.net/def/crs/EPSG/0/4326"
EPSG3857 = "http://www.opengis.net/def/crs/EPSG/0/3857"
SUPPORTED = (CRS84, EPSG4326, EPSG3857)

RADIUS = 6378137.0
WORLD = math.pi * RADIUS

_SHORT = {
    "[OGC:CRS84]": CRS84,
    "[EPSG:4326]": EPSG4326,
    "[EPSG:3857]": EPSG3857,
    "urn:ogc:def:crs:OGC:1.3:CRS84": CRS84,
    "urn:ogc:def:crs:EPSG::4326": EPSG4326,
    "urn:ogc:def:crs:EPSG::3857": EPSG3857,
}


def parse(text: str) -> str:
    """A CRS by URI, URN or safe CURIE. Raises ValueError with the ones that exist."""
    uri = _SHORT.get(text, text.replace("https://", "http://", 1))
    if uri not in SUPPORTED:
        raise ValueError(f"{text!r} is not supported; use one of {', '.join(SUPPORTED)}")
    return uri


def srid(uri: str) -> int:
    return 3857 if uri == EPSG3857 else 4326


def to_lonlat(uri: str, x: float, y: float) -> tuple[float, float]:
    """Longitude and latitude in degrees of a position in the axis order of the CRS."""
    if uri == CRS84:
        return x, y
    if uri == EPSG4326:
        return y, x
    return math.degrees(x / RADIUS), math.degrees(2 * math.atan(math.exp(y / RADIUS)) - math.pi / 2)


def positions(coordinates: Any, change: Callable[[list[float]], list[float]]) -> Any:
    """Coordinates of any nesting with every position changed."""
    if coordinates and isinstance(coordinates[0], (int, float)):
        return change(coordinates)
    return [positions(part, change) for part in coordinates]


def change_geometry(geometry: dict[str, Any], change: Callable[[list[float]], list[float]]) -> dict[str, Any]:
    """A GeoJSON geometry with every position changed."""
    if geometry["type"] == "GeometryCollection":
        return {**geometry, "geometries": [change_geometry(g, change) for g in geometry["geometries"]]}
    return {**geometry, "coordinates": positions(geometry["coordinates"], change)}


def swapped(geometry: dict[str, Any]) -> dict[str, Any]:
    """The geometry with its first two axes exchanged, for EPSG:4326."""
    return change_geometry(geometry, lambda p: [p[1], p[0], *p[2:]])
