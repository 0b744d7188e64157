"""Coordinates that people type: MGRS, and latitude and longitude in degrees, minutes and seconds.

Latitude goes first unless hemisphere letters (N, S, E, W, and O for ouest and oeste) say otherwise. WGS 84.
"""

from __future__ import annotations

import math
import re
from dataclasses import dataclass

import mgrs

_MGRS = re.compile(r"^(\d{1,2}[C-HJ-NP-X][A-HJ-NP-Z][A-HJ-NP-V])((?:\d\d){0,5})$")
_DEGREES = re.compile(r"^[\d\s.,;:°º'’′\"”″+\-NSEWO]+$")
_PART = re.compile(r"[NSEWO]|[+-]?\d+(?:\.\d+)?")
_METRES_A_DEGREE = 111_320.0


@dataclass(frozen=True)
class Place:
    """A position in degrees, and how wide the square is that was named, in metres (0 for a point)."""

    title: str
    lon: float
    lat: float
    size: float

    @property
    def bbox(self) -> list[float]:
        """West, south, east, north: the named square, at least 1 km wide so that a map can be fitted to it."""
        north = max(self.size, 1000) / 2 / _METRES_A_DEGREE
        east = north / max(math.cos(math.radians(self.lat)), 0.01)
        return [round(n, 6) for n in (self.lon - east, self.lat - north, self.lon + east, self.lat + north)]


def find(text: str) -> Place | None:
    """The place that the text names as coordinates; None when it is something else."""
    return _grid(text) or _degrees(text)


def _grid(text: str) -> Place | None:
    match = _MGRS.match(re.sub(r"[\s,]", "", text).upper())
    if match is None:
        return None
    square, digits = match.groups()
    half = len(digits) // 2
    # the middle of the square: one more digit, a five, in each direction
    easting, northing = digits[:half], digits[half:]
    middle = f"{square}{easting}5{northing}5" if half < 5 else f"{square}{digits}"
    try:
        lat, lon = mgrs.MGRS().toLatLon(middle)
    except mgrs.core.MGRSError:
        return None
    if not (-90 <= lat <= 90 and -180 <= lon <= 180):
        return None
    title = " ".join(part for part in (square[:-2], square[-2:], easting, northing) if part)
    return Place(title, round(lon, 6), round(lat, 6), 10.0 ** (5 - half))


def _degrees(text: str) -> Place | None:
    upper = text.strip().upper()
    if not upper or not _DEGREES.match(upper):
        return None
    parts = _PART.findall(upper)
    letters = [i for i, part in enumerate(parts) if part.isalpha()]
    numbers = [part for part in parts if not part.isalpha()]
    if letters:
        if len(letters) != 2:
            return None
        first = letters[1] - 1 if letters[0] == 0 else letters[0]
    else:
        first = len(numbers) // 2
    if len(numbers) not in (2, 4, 6) or first * 2 != len(numbers):
        return None
    one, other = _angle(numbers[:first]), _angle(numbers[first:])
    if one is None or other is None:
        return None
    lat, lon = one, other
    if letters:
        pair = (parts[letters[0]], parts[letters[1]])
        if pair[0] in "EWO":
            pair, lat, lon = (pair[1], pair[0]), other, one
        if pair[0] not in "NS" or pair[1] not in "EWO" or lat < 0 or lon < 0:
            return None
        lat = -lat if pair[0] == "S" else lat
        lon = -lon if pair[1] in "WO" else lon
    if not (-90 <= lat <= 90 and -180 <= lon <= 180):
        return None
    title = f"{abs(lat):.5f}° {'S' if lat < 0 else 'N'}, {abs(lon):.5f}° {'W' if lon < 0 else 'E'}"
    return Place(title, round(lon, 6), round(lat, 6), 0.0)


def _angle(numbers: list[str]) -> float | None:
    """Degrees from one to three numbers. Only the last may have a fraction, only the first a sign."""
    if any("." in n for n in numbers[:-1]) or any(n[0] in "+-" for n in numbers[1:]):
        return None
    degrees, *smaller = (abs(float(n)) for n in numbers)
    if any(n >= 60 for n in smaller):
        return None
    value: float = degrees + sum(n / 60 ** (i + 1) for i, n in enumerate(smaller))
    return -value if numbers[0].startswith("-") else value


def to_mgrs(lon: float, lat: float) -> str | None:
    """The 1 m reference of a position, in groups; None near the poles."""
    if not -80 <= lat <= 84:
        return None
    text = mgrs.MGRS().toMGRS(lat, lon)
    return f"{text[:-12]} {text[-12:-10]} {text[-10:-5]} {text[-5:]}"
