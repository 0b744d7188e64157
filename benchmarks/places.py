"""Where to look: seeded tiles and boxes around released rows, so that what is measured is not empty sea."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
import psycopg
from numpy.typing import NDArray

Tile = tuple[int, int, int]
Box = tuple[float, float, float, float]


class TileIndex:
    """The released points of an audience's incidents, read once as the owner."""

    def __init__(self, owner_dsn: str, schema: str) -> None:
        with psycopg.connect(owner_dsn) as conn:
            rows = conn.execute(
                f"SELECT ST_X(geom), ST_Y(geom) FROM {schema}.incidents WHERE geom IS NOT NULL ORDER BY fid".encode()
            ).fetchall()
        self.lonlat: NDArray[np.float64] = np.array(rows)

    def tile(self, z: int, number: int) -> Tile:
        """The tile of zoom z that holds that point."""
        lon, lat = self.lonlat[number]
        x = (lon + 180) / 360 * 2**z
        y = (1 - np.arcsinh(np.tan(np.radians(lat))) / np.pi) / 2 * 2**z
        return z, int(x), int(y)


def sample_tiles(index: TileIndex, zooms: Iterable[int], each: int, dice: np.random.Generator) -> list[Tile]:
    """`each` tiles of every zoom, around points chosen at random; fewer where a zoom has fewer."""
    found: list[Tile] = []
    for z in zooms:
        chosen = dice.integers(0, len(index.lonlat), each)
        found += sorted({index.tile(z, int(n)) for n in chosen})
    return found


def boxes(
    index: TileIndex, count: int, dice: np.random.Generator, side: float = 0.2, rows: tuple[int, int] = (1000, 5000)
) -> list[Box]:
    """Boxes of `side` degrees around points chosen at random that hold so many points: west, south, east, north.

    Where there are not enough such boxes, others fill up.
    """
    found: list[Box] = []
    others: list[Box] = []
    for lon, lat in index.lonlat[dice.integers(0, len(index.lonlat), 20 * count)].round(4).tolist():
        box = (lon - side / 2, lat - side / 2, lon + side / 2, lat + side / 2)
        inside = int((np.abs(index.lonlat - (lon, lat)) <= side / 2).all(axis=1).sum())
        (found if rows[0] <= inside <= rows[1] else others).append(box)
    return [*found, *others][:count]
