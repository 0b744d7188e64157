"""Query parameters: read strictly, refused by name, and cursors that fit one query only."""

from __future__ import annotations

import datetime as dt
from typing import Any
from urllib.parse import urlencode

import pytest

from layers.door import Sort
from mapserver import crs, parameters
from mapserver.cursor import Cursors
from mapserver.errors import Problem
from mapserver.parameters import Query

ALL = (parameters.BBOX, parameters.BBOX_CRS, parameters.DATETIME, parameters.LIMIT, parameters.SORTBY)


def read(query: str, *properties: str) -> Query:
    return parameters.read({"query_string": query.encode()}, ALL, properties)


def refused(query: str, *properties: str) -> str:
    with pytest.raises(Problem) as found:
        read(query, *properties)
    assert found.value.status == 400
    return found.value.detail


def test_defaults_and_equality() -> None:
    found = read("category=POC%2CARC", "category")
    assert found["limit"] == 100
    assert found.equals == {"category": "POC,ARC"}


def test_a_property_that_is_not_released_is_like_nonsense() -> None:
    assert refused("narrative=x", "category").replace("narrative", "?") == refused("zzz=x", "category").replace(
        "zzz", "?"
    )


@pytest.mark.parametrize(
    "query",
    [
        "limit=0",
        "limit=-1",
        "limit=ten",
        "limit=1&limit=2",
        "bbox=1,2,3",
        "bbox=1,2,3,x",
        "bbox=nan,0,1,1",
        "datetime=2024",
        "datetime=2024-01-01/2024-02-01/2024-03-01",
        "datetime=2024-02-01/2024-01-01",
        "datetime=2024-02-30",
        "bbox-crs=EPSG:32634",
        "sortby=",
        "sortby=a,a",
        "sortby=-",
        "datetime=%00",
        "datetime=%ff",
    ],
)
def test_malformed(query: str) -> None:
    assert refused(query)


def test_a_limit_above_the_greatest_is_the_greatest() -> None:
    assert read("limit=5000")["limit"] == 1000


def test_sorting_reads_a_plus_that_arrived_as_a_blank() -> None:
    assert read("sortby=+a,-b,c")["sortby"] == (Sort("a"), Sort("b", True), Sort("c"))


@pytest.mark.parametrize(
    ("text", "start", "end"),
    [
        ("2024-05-01T00:00:00Z", dt.datetime(2024, 5, 1, tzinfo=dt.UTC), dt.datetime(2024, 5, 1, tzinfo=dt.UTC)),
        ("../2024-05-01T02:00:00+02:00", None, dt.datetime(2024, 5, 1, tzinfo=dt.UTC)),
        ("2024-05-01/", dt.datetime(2024, 5, 1, tzinfo=dt.UTC), None),
        (
            "2024-05-01",
            dt.datetime(2024, 5, 1, tzinfo=dt.UTC),
            dt.datetime(2024, 5, 1, 23, 59, 59, 999999, tzinfo=dt.UTC),
        ),
    ],
)
def test_times(text: str, start: Any, end: Any) -> None:
    assert read(urlencode({"datetime": text}))["datetime"] == (start, end)


@pytest.mark.parametrize(
    ("numbers", "uri", "expected"),
    [
        ((14, 2, 27, 11), crs.CRS84, (14, 2, 27, 11)),
        ((2, 14, 11, 27), crs.EPSG4326, (14, 2, 27, 11)),
        ((170, -10, -170, 10), crs.CRS84, (170, -10, -170, 10)),
        ((170, -10, 190, 10), crs.CRS84, (170, -10, -170, 10)),
        ((-200, -10, 200, 10), crs.CRS84, (-180, -10, 180, 10)),
    ],
)
def test_boxes(numbers: Any, uri: str, expected: Any) -> None:
    assert parameters.bbox(numbers, uri) == pytest.approx(expected)


@pytest.mark.parametrize("numbers", [(0, 5, 1, 4), (0, -91, 1, 0), (-600, 0, 0, 1)])
def test_impossible_boxes(numbers: Any) -> None:
    with pytest.raises(Problem):
        parameters.bbox(numbers, crs.CRS84)


def test_cursors_are_deterministic_sealed_and_bound() -> None:
    cursors = Cursors("secret")
    sealed = cursors.seal(["2024-01-01", 42], "public", "incidents", "[]")
    assert sealed == cursors.seal(["2024-01-01", 42], "public", "incidents", "[]")
    assert "42" not in sealed
    assert cursors.open(sealed, "public", "incidents", "[]") == ["2024-01-01", 42]
    wrong = [("strict", "incidents", "[]"), ("public", "sites", "[]"), ("public", "incidents", '[["a","b"]]')]
    for bound in wrong:
        with pytest.raises(Problem, match="does not belong"):
            cursors.open(sealed, *bound)
    for text in (sealed[:-2], sealed + "AA", "", "x", "é"):
        with pytest.raises(Problem, match="does not belong"):
            cursors.open(text, "public", "incidents", "[]")
    with pytest.raises(Problem):
        Cursors("other").open(sealed, "public", "incidents", "[]")
