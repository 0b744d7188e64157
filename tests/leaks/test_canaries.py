"""Words and places of hidden records occur in no answer to whom they are hidden, and do in the answers to the others.

Searched are headers and bodies of every question of the table, unpacked, tiles decoded too.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from urllib.parse import unquote_plus

import mapbox_vector_tile
import psycopg
import pytest
import shapely

from layers.policy import Policy, load
from layers.registry import all_layers
from tests.leaks import plants
from tests.leaks.conftest import Record
from tests.leaks.oracle import Facts, release, rows
from tests.leaks.replay import Answer, Ask
from tests.world import Database

POLICY = load()
WORD = re.compile(rb"zq[a-z]{10}(?:[a-z]{2}|-\d{1,4})")
"""In bytes made lower: a pattern that ignores case is many times slower."""
DEGREES = re.compile(rb"(-?\d{1,3}\.\d{4,17}),\s*(-?\d{1,3}\.\d{4,17})")
METRES = re.compile(rb"(-?\d{6,8}(?:\.\d+)?),\s*(-?\d{5,8}(?:\.\d+)?)")
TILE = re.compile(r"/tiles/WebMercatorQuad/(\d+)/(\d+)/(\d+)")
RADIUS = 6_378_137.0
NEAR = 60.0
"""Metres of the Mercator map within which a point of a tile would give a hidden place away."""


@dataclass
class Canaries:
    """What an audience may find, and what it may not."""

    allowed: set[str]
    forbidden: set[str]
    places: list[tuple[float, float]]
    """Where hidden or coarse records truly are, in degrees."""


@pytest.fixture(scope="module")
def canaries(world: Database, policy: Policy) -> Callable[[str], Canaries]:
    with psycopg.connect(world.owner_dsn) as conn:
        facts = Facts.read(conn, policy)
        planted = {
            name: [r for r in rows(conn, one.table) if r["source_system"] == plants.SYSTEM]
            for name, one in all_layers().items()
        }
    # what stands in partners and consents alone is nobody's
    apart = {plants.word(kind, s) for kind in ("partner", "paper", "function") for s in plants.CONSENTS}

    def of(audience: str) -> Canaries:
        found = Canaries(set(), set(apart), [])
        for name, records in planted.items():
            view = policy.released(audience).get(name)
            for row in records:
                made = release(view, row, facts) if view else None
                seen = {v.lower() for v in (made or {}).values() if isinstance(v, str)}
                every = {w.lower() for w in plants.words(row).values()}
                found.allowed |= every & seen
                found.forbidden |= every - seen
                if made is None or made["geom"] is None:
                    point = shapely.from_wkb(row["geom"]).representative_point()
                    found.places.append((point.x, point.y))
        found.forbidden -= found.allowed
        return found

    return of


def told(asked: Record) -> Iterator[tuple[Ask, Answer, bytes]]:
    """Each answer with all of its bytes: body and headers. Of equal answers, the first."""
    known = set()
    for ask, answers in zip(asked.asks, asked.answers, strict=True):
        for answer in answers:
            if (key := hash(answer)) in known:
                continue
            known.add(key)
            yield ask, answer, answer.plain + b"\n".join(n + b": " + v for n, v in answer.headers)


@pytest.mark.parametrize("audience", POLICY.audiences)
def test_hidden_words_are_nowhere_and_released_ones_are_there(
    audience: str, record: Callable[[str], Record], canaries: Callable[[str], Canaries]
) -> None:
    own = canaries(audience)
    assert len(own.forbidden) > 100
    seen: set[str] = set()
    for ask, _, data in told(record(audience)):
        words = {w.decode() for w in WORD.findall(data.lower())}
        seen |= words
        # a link to the page itself repeats what was asked
        leaked = {w for w in words & own.forbidden if w not in unquote_plus(ask.target).lower()}
        assert not leaked, f"{ask.method} {ask.target} tells {sorted(leaked)[:3]}"
    # the same search does find what this audience may see
    assert own.allowed <= seen


@pytest.mark.parametrize("audience", POLICY.audiences)
def test_hidden_places_are_in_no_document(
    audience: str, record: Callable[[str], Record], canaries: Callable[[str], Canaries]
) -> None:
    own = canaries(audience)
    degrees = {(round(x, 4), round(y, 4)) for x, y in own.places}
    degrees |= {(y, x) for x, y in degrees}
    metres = {(round(a), round(b)) for a, b in map(mercator, own.places)}
    for ask, answer, data in told(record(audience)):
        if answer.header(b"content-type").startswith(b"application/vnd.mapbox"):
            continue  # no text; its points are tried below
        pairs = {(float(a), float(b)) for a, b in DEGREES.findall(data)}
        found = {(a, b) for a, b in pairs if (round(a, 4), round(b, 4)) in degrees}
        if "3857" in ask.target:
            found |= {(a, b) for a, b in _floats(METRES.findall(data)) if (round(a), round(b)) in metres}
        asked = unquote_plus(ask.target)
        leaked = [pair for pair in found if f"{pair[0]:.3f}"[:-1] not in asked and f"{pair[1]:.3f}"[:-1] not in asked]
        assert not leaked, f"{ask.method} {ask.target} tells {leaked[:3]}"


def _floats(pairs: list[tuple[bytes, bytes]]) -> set[tuple[float, float]]:
    return {(float(a), float(b)) for a, b in pairs}


def mercator(place: tuple[float, float]) -> tuple[float, float]:
    lon, lat = place
    return math.radians(lon) * RADIUS, RADIUS * math.log(math.tan(math.pi / 4 + math.radians(lat) / 2))


def points(answer: Answer, z: int, y: int, x: int) -> Iterator[tuple[str, float, float]]:
    """The points of a tile with their layer, in metres of the Mercator map. A label of an area is no place."""
    side = 2 * math.pi * RADIUS / 2**z
    for name, layer in mapbox_vector_tile.decode(answer.plain).items():
        for feature in layer["features"]:
            if feature["geometry"]["type"] == "Point" and not name.endswith("_area_labels"):
                across, up = feature["geometry"]["coordinates"]
                west, south = -math.pi * RADIUS + x * side, math.pi * RADIUS - (y + 1) * side
                yield name, west + across / layer["extent"] * side, south + up / layer["extent"] * side


@pytest.mark.parametrize("audience", POLICY.audiences)
def test_no_tile_has_a_point_where_a_hidden_record_is(
    audience: str, record: Callable[[str], Record], canaries: Callable[[str], Canaries]
) -> None:
    hidden = shapely.STRtree([shapely.Point(mercator(p)) for p in canaries(audience).places])
    tried = 0
    for ask, answer, _ in told(record(audience)):
        match = TILE.search(ask.target)
        if match is None or answer.status != 200 or not answer.body or int(match[1]) < 11:
            continue
        for name, east, north in points(answer, *map(int, match.groups())):
            tried += 1
            assert not hidden.query(shapely.Point(east, north), "dwithin", NEAR).size, f"{ask.target}: {name}"
    assert tried, "no tile had a point: the questions miss the records"


def test_the_highest_see_what_the_lowest_do_not(canaries: Callable[[str], Canaries]) -> None:
    """The canaries are worth something: words hidden from the public are told to somebody, or to nobody by rule."""
    told_to_anybody = set[str]().union(*(canaries(a).allowed for a in POLICY.audiences))
    assert len(told_to_anybody & canaries("public").forbidden) > 500
    dropped = {
        plants.words(one)[column].lower()
        for layer in all_layers().values()
        for one in plants.records(layer)
        for column in ("summary_approved_by", "classified_by")
        if column in plants.words(one)
    }
    assert not told_to_anybody & dropped
