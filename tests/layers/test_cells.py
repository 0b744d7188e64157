"""Blur cells: nested, of equal area, and honest by a list that the vault cannot move."""

from __future__ import annotations

import numpy as np
import psycopg
import pytest
import shapely
from hypothesis import given
from hypothesis import strategies as st

from layers import cells
from layers.policy import Place, Policy
from tests.world import Database

XS, YS = st.integers(-200, 200), st.integers(-100, 200)


@pytest.fixture(scope="module")
def reference(policy: Policy) -> cells.Reference:
    return cells.Reference(cells.folder(policy))


@pytest.fixture(scope="module")
def honest(policy: Policy) -> Place:
    (place,) = cells.honest_rules(policy).values()
    return place


def area_km2(shape: shapely.Geometry) -> float:
    grid = cells.to_grid()
    return float(shapely.transform(shape, lambda c: np.column_stack(grid.transform(c[:, 0], c[:, 1]))).area) / 1e6


@given(st.integers(0, 6), XS, YS)
def test_every_cell_has_the_same_area(level: int, x: int, y: int) -> None:
    expected = (10 * 2**level) ** 2
    assert area_km2(cells.polygon(level, x >> level, y >> level)) == pytest.approx(expected, rel=0.01)


@given(st.integers(1, 6), XS, YS)
def test_a_cell_is_the_union_of_its_four_finer_ones(level: int, x: int, y: int) -> None:
    x, y = x >> level, y >> level
    coarse = cells.polygon(level, x, y)
    parts = [cells.polygon(level - 1, 2 * x + i, 2 * y + j) for i in (0, 1) for j in (0, 1)]
    outside = sum(shapely.difference(part, coarse).area for part in parts)
    # outlines are rounded to six decimals of a degree: a tenth of a metre
    assert outside <= coarse.area * 0.001
    assert sum(part.area for part in parts) == pytest.approx(coarse.area, rel=0.001)


def test_an_honest_cell_holds_enough_and_no_smaller_one_does(reference: cells.Reference, honest: Place) -> None:
    settlements, people = reference.counts(honest.max_level + 1)
    found = list(reference.honest_cells(honest))
    assert found
    for x, y, area, level in found:
        assert area == f"c{level}.{x >> level}.{y >> level}"
        key = (x >> level, y >> level)
        assert settlements[level][key] >= honest.settlements
        assert people[level][key] >= honest.people
        for finer in range(level):
            key = (x >> finer, y >> finer)
            assert settlements[finer][key] < honest.settlements or people[finer][key] < honest.people


def test_honest_cells_of_neighbours_are_nested_or_apart(reference: cells.Reference, honest: Place) -> None:
    # a place in a coarse cell must not be told from its neighbour by a finer cell that lies in the same coarse one
    areas = {area for _, _, area, _ in reference.honest_cells(honest)}
    for area in areas:
        level, x, y = (int(n) for n in area[1:].split("."))
        assert 0 <= level <= honest.max_level
        assert f"c{level}.{x}.{y}" == area


def test_fallback_areas_pass_the_same_test(reference: cells.Reference, honest: Place) -> None:
    points = shapely.points(reference.settlements)
    named = {f"{unit['kind']}.{unit['code']}": unit["geometry"] for unit in reference.admin}
    areas = list(reference.honest_areas(honest))
    assert areas
    for area in areas:
        assert int(shapely.intersects(named[area], points).sum()) >= honest.settlements


def test_the_frozen_people_are_those_of_the_mission(reference: cells.Reference) -> None:
    country = next(u["geometry"] for u in reference.admin if u["kind"] == "admin0")
    x0, y0, x1, y1 = reference.extent()
    inside = sum(n for (x, y), n in reference.people.items() if x0 <= x <= x1 and y0 <= y <= y1)
    assert 4_000_000 < inside < 60_000_000
    assert 600_000 < area_km2(country) < 640_000


def test_postgis_and_the_reference_agree_on_cells(database: Database) -> None:
    rng = np.random.default_rng(7)
    lon, lat = rng.uniform(14.5, 27.4, 500), rng.uniform(2.3, 11.0, 500)
    x, y = cells.base_cells(lon, lat)
    with psycopg.connect(database.owner_dsn) as conn:
        rows = conn.execute(
            "SELECT floor(ST_X(p) / 10000)::int, floor(ST_Y(p) / 10000)::int FROM"
            " (SELECT n, ST_Transform(ST_SetSRID(ST_MakePoint(lon, lat), 4326), 102022) AS p"
            " FROM unnest(%s::float8[], %s::float8[]) WITH ORDINALITY u(lon, lat, n)) q ORDER BY n",
            (lon.tolist(), lat.tolist()),
        ).fetchall()
    assert rows == list(zip(x.tolist(), y.tolist(), strict=True))
