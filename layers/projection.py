"""Boxes between EPSG:4326 and EPSG:3857. Mercator keeps boxes boxes, so four numbers are enough."""

from __future__ import annotations

import math
from collections.abc import Sequence

RADIUS = 6_378_137.0
LIMIT = 89.9
"""Degrees of latitude beyond which Mercator runs away; nothing is released there."""


def box_3857(bounds: Sequence[float]) -> tuple[float, float, float, float]:
    """(west, south, east, north) in degrees → metres of EPSG:3857, a millimetre wider so that edges hold."""
    west, south, east, north = bounds

    def y(lat: float) -> float:
        return RADIUS * math.log(math.tan(math.pi / 4 + math.radians(min(max(lat, -LIMIT), LIMIT)) / 2))

    scale = math.pi * RADIUS / 180
    return west * scale - 0.001, y(south) - 0.001, east * scale + 0.001, y(north) + 0.001
