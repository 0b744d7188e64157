"""What a reader relies on: pages hold every row once, counts are exact, every condition means what it says."""

from __future__ import annotations

import datetime as dt
import json
import math
from collections.abc import AsyncIterator, Callable, Iterator
from typing import Any

import mapbox_vector_tile
import psycopg
import pytest
import shapely
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from pygeofilter import ast, values

from layers.door import Door, Feature, Reader
from layers.filters import BadQuery
from layers.policy import Policy, load
from layers.questions import Sort, Where
from tests.world import Database

pytestmark = pytest.mark.anyio
POLICY = load()
CASES = [("unclassified", "incidents"), ("confidential", "sites"), ("public", "facilities"), ("strict_hr", "incidents")]
MISSION = (14.0, 2.0, 28.0, 11.5)


@pytest.fixture(scope="module")
async def door(demo_database: Database, policy: Policy, anyio_backend: str) -> AsyncIterator[Door]:
    opened = Door(policy, demo_database.reader_dsn)
    await opened.open()
    yield opened
    await opened.close()


@pytest.fixture(scope="module")
async def known(door: Door) -> dict[tuple[str, str], list[Feature]]:
    """Every row of the cases, read page by page."""
    return {case: await everything(door.reader(case[0]), case[1], Where(), limit=500) for case in CASES}


async def everything(
    reader: Reader, layer: str, where: Where, sort: tuple[Sort, ...] = (), limit: int = 50
) -> list[Feature]:
    out: list[Feature] = []
    after = None
    while True:
        page = await reader.features(layer, where, sort=sort, limit=limit, after=after)
        out += page.features
        # a cursor travels as JSON
        after = json.loads(json.dumps(page.after))
        if after is None:
            return out


def ids(features: list[Feature]) -> list[int]:
    return [one.fid for one in features]


# --- pages -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("descending", [False, True], ids=["up", "down"])
@pytest.mark.parametrize(("audience", "layer"), CASES)
async def test_pages_hold_every_row_once_in_every_order(
    door: Door, known: dict[Any, list[Feature]], audience: str, layer: str, descending: bool
) -> None:
    """With empty values too: they come last, whichever way."""
    reader = door.reader(audience)
    rows = known[audience, layer]
    by_id = {one.fid: one for one in rows}
    names = [f.name for f in reader.layers[layer].fields] + ["place_precision"]
    names += ["time_from"] if reader.layers[layer].has_time else []
    for name in names:
        found = ids(await everything(reader, layer, Where(), (Sort(name, descending),), limit=400))
        assert len(found) == len(set(found)) == len(rows), name
        kept = [by_id[n].properties[name] for n in found]
        full = [v for v in kept if v is not None]
        assert kept == full + [None] * (len(kept) - len(full)), name
        assert full == sorted(full, reverse=descending), name
        ties = zip(found, found[1:], kept, kept[1:], strict=False)
        assert all(a < b for a, b, x, y in ties if x == y), f"{name}: rows of one value come by id"


async def test_several_sorts_and_small_pages(door: Door, known: dict[Any, list[Feature]]) -> None:
    reader = door.reader("confidential")
    sort = (Sort("sector"), Sort("status", True), Sort("beneficiaries"))
    for limit in (1, 3, 1000):
        found = await everything(reader, "sites", Where(), sort, limit)
        assert sorted(ids(found)) == sorted(ids(known["confidential", "sites"]))
        sectors = [one.properties["sector"] for one in found]
        assert [s for s in sectors if s] == sorted(s for s in sectors if s)


async def test_a_cursor_of_another_question_is_refused(door: Door) -> None:
    reader = door.reader("confidential")
    for after in ([1, 2, 3], [], ["x"]):
        with pytest.raises(BadQuery, match="cursor"):
            await reader.features("sites", Where(), sort=(Sort("sector"),), limit=5, after=after)


async def test_a_name_that_is_hidden_is_a_name_that_is_not(door: Door) -> None:
    reader = door.reader("unclassified")
    for name in ("narrative_of_nobody", "source_alias", "summary_strict", "geom", "_stream", "cell_x", "fid"):
        refusals = []
        questions: list[tuple[Where, tuple[Sort, ...]]] = [
            (Where(), (Sort(name),)),
            (Where(equals={name: "x"}), ()),
            (Where(filter=ast.Equal(ast.Attribute(name), "x")), ()),
        ]
        for where, sort in questions:
            with pytest.raises(BadQuery) as refused:
                await reader.features("incidents", where, sort=sort, limit=1)
            refusals.append(str(refused.value).replace(name, "…"))
        assert refusals == [
            "sortby: there is no property '…'", "there is no property '…'", "filter: there is no property '…'",
        ]  # fmt: skip


async def test_a_row_by_its_id(door: Door, known: dict[Any, list[Feature]]) -> None:
    reader = door.reader("strict_hr")
    one = known["strict_hr", "incidents"][7]
    assert await reader.feature("incidents", one.fid) == one
    # the same record has other ids for other families
    assert await door.reader("public").feature("incidents", one.fid) is None
    assert await reader.feature("incidents", 2**53 - 1) is None
    with pytest.raises(KeyError):
        door.reader("nobody")


# --- conditions ------------------------------------------------------------------------------------------------------


def shape_of(one: Feature) -> Any:
    return shapely.from_geojson(one.geometry) if one.geometry != "null" else None


@pytest.mark.parametrize(("audience", "layer"), CASES)
@pytest.mark.parametrize(
    "box",
    [
        MISSION,
        (18.4, 4.2, 18.7, 4.5),
        (20.0, 5.0, 24.0, 8.0),
        (170.0, -10.0, 19.0, 12.0),
        (-180.0, -90.0, 180.0, 90.0),
        (18.5582, 4.3612, 18.5582, 4.3612),
        (15.0, 5.5, 27.0, 5.5),
        (100.0, 10.0, 110.0, 20.0),
    ],
    ids=["mission", "town", "middle", "antimeridian", "world", "a point", "a line", "elsewhere"],
)
async def test_a_box_finds_what_meets_it(
    door: Door, known: dict[Any, list[Feature]], audience: str, layer: str, box: tuple[float, float, float, float]
) -> None:
    """Own places and areas alike; a box over the antimeridian is two boxes."""
    west, south, east, north = box
    halves = [box] if west <= east else [(west, south, 180.0, north), (-180.0, south, east, north)]
    boxes = [
        shapely.box(*h) if h[0] < h[2] and h[1] < h[3] else shapely.LineString([h[:2], h[2:]]) if h[:2] != h[2:]
        else shapely.Point(h[:2])
        for h in halves
    ]  # fmt: skip
    want = sorted(
        one.fid
        for one in known[audience, layer]
        if (shape := shape_of(one)) is not None and any(shapely.intersects(shape, b) for b in boxes)
    )
    reader = door.reader(audience)
    where = Where(bbox=box)
    assert sorted(ids(await everything(reader, layer, where, limit=700))) == want
    assert await reader.count(layer, where) == len(want)


@pytest.mark.parametrize(
    "interval",
    [
        (dt.datetime(2018, 1, 1, tzinfo=dt.UTC), dt.datetime(2018, 12, 31, 23, tzinfo=dt.UTC)),
        (None, dt.datetime(2010, 6, 1, tzinfo=dt.UTC)),
        (dt.datetime(2021, 1, 1, tzinfo=dt.UTC), None),
        (dt.datetime(2017, 5, 9, 12, tzinfo=dt.UTC),) * 2,
        (None, None),
    ],
)
@pytest.mark.parametrize("audience", ["unclassified", "public", "strict_hr"])
async def test_times_are_those_that_are_released(door: Door, audience: str, interval: Any) -> None:
    """A row of a month is found by any day of the month."""
    reader = door.reader(audience)
    rows = await everything(reader, "incidents", Where(), limit=900)
    start, end = interval

    def meets(one: Feature) -> bool:
        first, last = (dt.datetime.fromisoformat(one.properties[n]) for n in ("time_from", "time_to"))
        return (end is None or first <= end) and (start is None or last > start)

    found = await everything(reader, "incidents", Where(interval=interval), limit=900)
    assert ids(found) == [one.fid for one in rows if meets(one)]


A = ast.Attribute


def val(one: Feature, name: str) -> Any:
    return one.properties[name]


OPERATORS: dict[str, tuple[Any, Callable[[Feature], Any]]] = {
    "=": (ast.Equal(A("category"), "POC"), lambda f: val(f, "category") == "POC"),
    "<>": (ast.NotEqual(A("category"), "POC"), lambda f: val(f, "category") != "POC"),
    "<": (ast.LessThan(A("killed_best"), 3), lambda f: val(f, "killed_best") is not None and val(f, "killed_best") < 3),
    ">=": (
        ast.GreaterEqual(A("killed_best"), 3),
        lambda f: val(f, "killed_best") is not None and val(f, "killed_best") >= 3,
    ),
    "<= on text": (
        ast.LessEqual(A("place_name"), "Bo"), lambda f: "" < (val(f, "place_name") or "") <= "Bo"
    ),
    "between": (
        ast.Between(A("killed_best"), 2, 9, False),
        lambda f: val(f, "killed_best") is not None and 2 <= val(f, "killed_best") <= 9,
    ),
    "not between": (
        ast.Between(A("killed_best"), 2, 9, True),
        lambda f: val(f, "killed_best") is not None and not 2 <= val(f, "killed_best") <= 9,
    ),
    "in": (ast.In(A("level"), ["strict", "public"], False), lambda f: val(f, "level") in ("strict", "public")),
    "not in": (ast.In(A("level"), ["strict", "public"], True), lambda f: val(f, "level") not in ("strict", "public")),
    "like": (
        ast.Like(A("place_name"), "B%", False, "%", "_", "\\", False),
        lambda f: (val(f, "place_name") or "").startswith("B"),
    ),
    "like of one letter": (
        ast.Like(A("place_name"), "Br_a%", False, "%", "_", "\\", False),
        lambda f: (val(f, "place_name") or "")[:2] == "Br" and (val(f, "place_name") or "")[3:4] == "a",
    ),
    "is null": (ast.IsNull(A("subcategory"), False), lambda f: val(f, "subcategory") is None),
    "is not null": (ast.IsNull(A("actor_b"), True), lambda f: val(f, "actor_b") is not None),
    "no own place": (ast.IsNull(A("geometry"), False), lambda f: f.geometry == "null"),
    "not": (ast.Not(ast.LessThan(A("killed_best"), 3)), lambda f: val(f, "killed_best") not in (0, 1, 2)),
    "and": (
        ast.And(ast.Equal(A("category"), "POC"), ast.GreaterThan(A("killed_best"), 5)),
        lambda f: val(f, "category") == "POC" and (val(f, "killed_best") or 0) > 5,
    ),
    "or": (
        ast.Or(ast.Equal(A("category"), "POC"), ast.GreaterThan(A("killed_best"), 5)),
        lambda f: val(f, "category") == "POC" or (val(f, "killed_best") or 0) > 5,
    ),
    "casei": (
        ast.Equal(ast.Function("casei", [A("place_name")]), "bria"),
        lambda f: (val(f, "place_name") or "").lower() == "bria",
    ),
    "arithmetic": (
        ast.GreaterThan(ast.Add(A("killed_best"), ast.Mul(A("killed_low"), 2)), 30),
        lambda f: val(f, "killed_best") is not None and val(f, "killed_best") + 2 * val(f, "killed_low") > 30,
    ),
    "by nothing": (ast.GreaterThan(ast.Div(A("killed_best"), 0), 1), lambda f: False),
    "after": (
        ast.TimeAfter(A("time_from"), dt.date(2019, 12, 31)),
        lambda f: val(f, "time_from") >= "2020-01-01",
    ),
    "before": (ast.TimeBefore(A("time_to"), dt.date(2010, 1, 1)), lambda f: val(f, "time_to") < "2010-01-01"),
    "during": (
        ast.TimeDuring(A("time_from"), values.Interval(dt.date(2017, 1, 1), dt.date(2017, 12, 31))),
        lambda f: "2017-01-01T00:00:00Z" < val(f, "time_from") < "2018",
    ),
    "boolean": (A("un_affected"), lambda f: val(f, "un_affected") is True),
    "date as text": (
        ast.GreaterEqual(A("time_from"), "2020-01-01"), lambda f: val(f, "time_from") >= "2020-01-01"
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", OPERATORS)
async def test_an_operator_means_what_it_says(door: Door, known: dict[Any, list[Feature]], name: str) -> None:
    node, plain = OPERATORS[name]
    where = Where(filter=node)
    reader = door.reader("strict_hr")
    want = [one.fid for one in known["strict_hr", "incidents"] if plain(one)]
    assert ids(await everything(reader, "incidents", where, limit=900)) == want
    assert await reader.count("incidents", where) == len(want)


SPATIAL = {
    ast.GeometryIntersects: shapely.intersects,
    ast.GeometryWithin: shapely.within,
    ast.GeometryDisjoint: shapely.disjoint,
    ast.GeometryContains: shapely.contains,
    ast.GeometryOverlaps: shapely.overlaps,
}


@pytest.mark.parametrize("operator", SPATIAL, ids=lambda o: o.__name__)
@pytest.mark.parametrize("audience", ["unclassified", "strict_hr"])
async def test_a_spatial_operator_looks_at_the_released_place(door: Door, operator: Any, audience: str) -> None:
    """Of a coarse row that is its area: asking around its true place gives nothing more."""
    reader = door.reader(audience)
    rows = await everything(reader, "incidents", Where(), limit=900)
    ring = shapely.Polygon([(18.013, 5.017), (23.011, 4.519), (22.517, 7.013), (19.019, 7.511)])
    node = operator(A("geometry"), values.Geometry(shapely.geometry.mapping(ring)))
    meets = SPATIAL[operator]
    want = [one.fid for one in rows if (shape := shape_of(one)) is not None and meets(shape, ring)]
    assert ids(await everything(reader, "incidents", Where(filter=node), limit=900)) == want


async def test_equality_reads_the_type_and_takes_several(door: Door, known: dict[Any, list[Feature]]) -> None:
    reader = door.reader("strict_hr")
    rows = known["strict_hr", "incidents"]
    for equals, plain in (
        ({"category": "POC,ARC"}, lambda f: val(f, "category") in ("POC", "ARC")),
        ({"killed_best": "0,1.0"}, lambda f: val(f, "killed_best") in (0, 1)),
        ({"un_affected": "true"}, lambda f: val(f, "un_affected")),
        ({"category": "POC", "level": "strict"}, lambda f: (val(f, "category"), val(f, "level")) == ("POC", "strict")),
        ({"place_precision": "near"}, lambda f: val(f, "place_precision") == "near"),
    ):
        found = await everything(reader, "incidents", Where(equals=equals), limit=900)
        assert ids(found) == [one.fid for one in rows if plain(one)]
    for name, text in (("killed_best", "many"), ("un_affected", "perhaps"), ("time_from", "soon"), ("category", "\0")):
        with pytest.raises(BadQuery):
            await reader.count("incidents", Where(equals={name: text}))


async def test_an_area_holds_what_its_count_says(door: Door, known: dict[Any, list[Feature]]) -> None:
    reader = door.reader("unclassified")
    rows = known["unclassified", "incidents"]
    for area in {one.properties["area"] for one in rows if one.properties["area"]}:
        where = Where(area=area)
        assert await reader.count("incidents", where) == sum(one.properties["area"] == area for one in rows)
    assert await reader.count("incidents", Where(area="c0.0.0")) == 0


# --- counts, extents, tiles ------------------------------------------------------------------------------------------


@pytest.mark.parametrize("audience", POLICY.audiences)
async def test_extents_are_exact(door: Door, audience: str) -> None:
    reader = door.reader(audience)
    for layer in ("incidents", "sites", "settlements", "water"):
        rows = await everything(reader, layer, Where(), limit=900)
        shapes = [shape for one in rows if (shape := shape_of(one)) is not None]
        extent = await reader.extent(layer)
        assert extent.bbox == pytest.approx(shapely.total_bounds(shapes), abs=1e-6)
        if reader.layers[layer].has_time:
            starts, ends = ([one.properties[n] for one in rows if one.properties[n]] for n in ("time_from", "time_to"))
            assert extent.interval is not None
            assert [f"{e:%Y-%m-%dT%H:%M:%SZ}" for e in extent.interval] == [min(starts), max(ends)]
        assert await reader.count(layer, Where()) == len(rows)


def tiles(z: int) -> Iterator[tuple[int, int]]:
    """(x, y) of the tiles over the mission."""
    west, south, east, north = MISSION

    def at(lon: float, lat: float) -> tuple[int, int]:
        y = (1 - math.asinh(math.tan(math.radians(lat))) / math.pi) / 2 * 2**z
        return int((lon + 180) / 360 * 2**z), int(y)

    (x0, y0), (x1, y1) = at(west, north), at(east, south)
    return ((x, y) for x in range(x0, x1 + 1) for y in range(y0, y1 + 1))


async def counted(reader: Reader, layer: str, z: int, where: Where) -> tuple[int, int]:
    """How many rows the tiles of a zoom show at their own place, and in areas."""
    own, held, alone = 0, {}, set()
    for x, y in tiles(z):
        data = await reader.tile([layer], z, x, y, where)
        for name, part in mapbox_vector_tile.decode(data).items() if data else ():
            for one in part["features"]:
                if name == f"{layer}_clusters":
                    own += one["properties"]["n"]
                elif name == f"{layer}_area_labels":
                    area = one["properties"]["area"]
                    assert area not in held, "an area is labelled once"
                    held[area] = one["properties"]["n"]
                elif name == layer:
                    alone.add(one["id"])
    return own + len(alone), sum(held.values())


@pytest.mark.parametrize("where", [Where(), Where(equals={"category": "POC"})], ids=["all", "filtered"])
@pytest.mark.parametrize("z", [0, 4, 6, 8, 9])
@pytest.mark.parametrize("audience", ["unclassified", "confidential"])
async def test_tiles_count_what_pages_hold(door: Door, audience: str, z: int, where: Where) -> None:
    """At every zoom and under every filter: no row is dropped, none is counted twice."""
    reader = door.reader(audience)
    rows = await everything(reader, "incidents", where, limit=900)
    here = [one for one in rows if one.geometry != "null"]
    areas = sum(one.properties["area"] is not None for one in here)
    assert await counted(reader, "incidents", z, where) == (len(here) - areas, areas)


async def test_a_tile_has_the_same_bytes_each_time(door: Door) -> None:
    for audience in POLICY.audiences:
        reader = door.reader(audience)
        data = {await reader.tile(list(reader.layers), 6, 35, 31, Where()) for _ in range(3)}
        assert len(data) == 1
        assert data != {b""}


# --- search ----------------------------------------------------------------------------------------------------------


async def test_search_ranks_by_the_row_alone(door: Door) -> None:
    hits = await door.reader("public").search("bria", 20)
    assert hits[0].title.lower().startswith("bria")
    assert all("bria" in f"{hit.title} {hit.detail}".lower() or hit.layer for hit in hits)
    assert await door.reader("public").search("bria", 3) == hits[:3]
    # accents and case do not matter, and signs of a pattern are letters
    assert await door.reader("public").search("BRÍA", 20) == hits
    for text in ("%", "_", "\\", "a%b_c"):
        assert not [h for h in await door.reader("public").search(text) if text not in h.title]
    assert await door.reader("public").search("   ") == []


async def test_search_finds_released_texts_only(door: Door, demo_database: Database) -> None:
    with psycopg.connect(demo_database.owner_dsn) as conn:
        row = conn.execute("SELECT narrative FROM vault.incidents WHERE length(narrative) > 60 ORDER BY id").fetchone()
    assert row is not None
    phrase = " ".join(row[0].split()[:6])
    for audience in POLICY.audiences:
        assert not [h for h in await door.reader(audience).search(phrase) if h.layer == "incidents"]


async def test_a_coarse_hit_has_a_box_and_no_point(door: Door, known: dict[Any, list[Feature]]) -> None:
    reader = door.reader("unclassified")
    for text in ("partner", "projet", "a", "school", "water"):
        for hit in await reader.search(text, 50):
            found = await reader.feature(hit.layer, hit.fid)
            assert found is not None
            if found.properties["area"]:
                assert hit.lon is None
                assert hit.lat is None


# --- versions --------------------------------------------------------------------------------------------------------


@settings(max_examples=30, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(text=st.text(max_size=30))
async def test_any_text_can_be_searched_and_compared(door: Door, text: str) -> None:
    reader = door.reader("public")
    questions = (
        Where(equals={"name": text}),
        Where(filter=ast.Equal(A("name"), text)),
        Where(filter=ast.Like(A("name"), text, False, "%", "_", "\\", False)),
    )
    if "\0" in text:
        for where in questions:
            with pytest.raises(BadQuery, match="NUL"):
                await reader.count("facilities", where)
        return
    await reader.search(text)
    for where in questions:
        await reader.count("facilities", where)
