"""Coordinates as people type them."""

from __future__ import annotations

import pytest

from mapserver import places


@pytest.mark.parametrize(
    ("text", "lat", "lon"),
    [
        ("4.37 18.55", 4.37, 18.55),
        ("4.37, 18.55", 4.37, 18.55),
        ("-4.37,-18.55", -4.37, -18.55),
        ("4.37N 18.55E", 4.37, 18.55),
        ("N4.37 E18.55", 4.37, 18.55),
        ("18.55E 4.37N", 4.37, 18.55),
        ("4.37 S, 18.55 W", -4.37, -18.55),
        ("4.37° N, 18.55° O", 4.37, -18.55),
        ("4°22'12\"N 18°33'00\"E", 4.37, 18.55),
        ("4° 22′ 12″ n, 18° 33′ 0″ e", 4.37, 18.55),
        ("4 22 12 18 33 0", 4.37, 18.55),
        ("4°22.2'N 18°33.0'E", 4.37, 18.55),
        ("N 4 22.2 E 18 33", 4.37, 18.55),
    ],
)
def test_latitude_and_longitude(text: str, lat: float, lon: float) -> None:
    found = places.find(text)
    assert found is not None
    assert (found.lat, found.lon) == pytest.approx((lat, lon), abs=1e-6)


@pytest.mark.parametrize(
    ("text", "size"),
    [("34NBK2783", 1000.0), ("34N BK 27 83", 1000.0), ("34nbk2712383456", 1.0), ("34NBK", 100_000.0)],
)
def test_grid_references(text: str, size: float) -> None:
    found = places.find(text)
    assert found is not None
    assert found.size == size
    # the middle of the named square lies in it
    square = places.to_mgrs(found.lon, found.lat)
    assert square is not None
    named = text.upper().replace(" ", "")
    half = (len(named) - 5) // 2
    zone, letters, east, north = square.split()
    assert zone + letters + east[:half] + north[:half] == named
    west, south, east_, north_ = found.bbox
    assert west < found.lon < east_
    assert south < found.lat < north_


@pytest.mark.parametrize(
    "text",
    [
        "Bangui",
        "91 18",
        "4.37 181",
        "4 60 0 18 0 0",
        "4.5 22 18 33",
        "N 4 N 18",
        "-4N 18E",
        "4",
        "1 2 3",
        "99NBK1234",
        "S",
        "",
    ],
)
def test_other_words_are_no_coordinates(text: str) -> None:
    assert places.find(text) is None
