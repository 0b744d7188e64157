"""Records over HTTP: paging, counts, boxes, times, filters, axes, formats; and other people's clients."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable, Iterator
from typing import Any
from urllib.parse import urlencode

import httpx
import pytest
from owslib.ogcapi.features import Features

from tests.mapserver.conftest import BANGUI
from tests.world import Reader

ITEMS = "/confidential/collections/incidents/items"


@pytest.fixture
def officer(sign_in: Callable[[str], httpx.Client]) -> httpx.Client:
    return sign_in("officer")


def get(client: httpx.Client, path: str = ITEMS, **query: Any) -> dict[str, Any]:
    answer = client.get(path, params=query)
    assert answer.status_code == 200, answer.text
    found: dict[str, Any] = answer.json()
    return found


def ids(body: dict[str, Any]) -> list[int]:
    return [feature["id"] for feature in body["features"]]


def link(body: dict[str, Any], rel: str) -> str | None:
    return next((one["href"] for one in body["links"] if one["rel"] == rel), None)


def pages(client: httpx.Client, path: str, **query: Any) -> Iterator[dict[str, Any]]:
    body = get(client, path, **query)
    yield body
    while following := link(body, "next"):
        body = client.get(following).json()
        yield body


@pytest.mark.parametrize("sort", [None, "category", "-killed_best,place_name", "-time_from"])
def test_pages_hold_every_record_once(officer: httpx.Client, sort: str | None) -> None:
    more = {"sortby": sort} if sort else {}
    whole = get(officer, limit=1000, **more)
    found: list[int] = []
    for body in pages(officer, ITEMS, limit=4, **more):
        assert body["numberMatched"] == whole["numberMatched"]
        assert body["numberReturned"] == len(body["features"]) <= 4
        found += ids(body)
    assert found == ids(whole)
    assert len(found) == len(set(found)) == whole["numberMatched"]


def test_a_cursor_fits_its_query_only(officer: httpx.Client) -> None:
    following = link(get(officer, limit=4), "next")
    assert following is not None
    cursor = httpx.URL(following).params["cursor"]
    assert officer.get(ITEMS, params={"cursor": cursor, "limit": "9"}).status_code == 200
    for other in ({"category": "POC"}, {"sortby": "category"}):
        assert officer.get(ITEMS, params={"cursor": cursor, **other}).status_code == 400
    assert officer.get("/unclassified/collections/incidents/items", params={"cursor": cursor}).status_code == 400


def test_sorting(officer: httpx.Client) -> None:
    values = [f["properties"]["killed_best"] for f in get(officer, sortby="-killed_best")["features"]]
    known = [v for v in values if v is not None]
    assert known == sorted(known, reverse=True)
    assert values == known + [None] * (len(values) - len(known))


def test_a_box_in_three_axes(officer: httpx.Client) -> None:
    near = get(officer, bbox="18.5,4.3,18.6,4.4")
    assert near["numberMatched"] > 0
    turned = get(officer, bbox="4.3,18.5,4.4,18.6", **{"bbox-crs": "http://www.opengis.net/def/crs/EPSG/0/4326"})
    metres = get(
        officer,
        bbox="2059410.6,479125.6,2070542.5,490287.9",
        **{"bbox-crs": "http://www.opengis.net/def/crs/EPSG/0/3857"},
    )
    assert ids(near) == ids(turned) == ids(metres)
    assert get(officer, bbox="100,4,101,5")["numberMatched"] == 0
    assert get(officer, bbox="170,-80,-170,80")["numberMatched"] == 0


def test_geometries_in_three_axes(officer: httpx.Client) -> None:
    def first(uri: str) -> tuple[list[float], str]:
        answer = officer.get(ITEMS, params={"crs": uri, "sortby": "place_name", "place_name": "Place 0"})
        return answer.json()["features"][0]["geometry"]["coordinates"], answer.headers["content-crs"]

    base = "http://www.opengis.net/def/crs/"
    place, axes = first(base + "OGC/1.3/CRS84")
    assert place == pytest.approx(list(BANGUI))
    assert axes == f"<{base}OGC/1.3/CRS84>"
    assert first(base + "EPSG/0/4326")[0] == pytest.approx(list(reversed(BANGUI)))
    assert first(base + "EPSG/0/3857")[0] == pytest.approx([2065889.4, 485960.5], abs=20)


def test_times(officer: httpx.Client) -> None:
    day = get(officer, datetime="2020-01-04")
    assert {f["properties"]["place_name"] for f in day["features"]} == {"Place 3"}
    both = get(officer, datetime="2020-01-04T12:00:00Z/2020-01-05T12:00:00Z")
    assert both["numberMatched"] == 2
    assert get(officer, datetime="../2019-12-31")["numberMatched"] == 0


@pytest.mark.parametrize(
    ("text", "json_text"),
    [
        ("category = 'POC'", '{"op":"=","args":[{"property":"category"},"POC"]}'),
        (
            "category IN ('POC','ARC') AND killed_best >= 2",
            (
                '{"op":"and","args":[{"op":"in","args":[{"property":"category"},["POC","ARC"]]},'
                '{"op":">=","args":[{"property":"killed_best"},2]}]}'
            ),
        ),
        (
            "S_INTERSECTS(geometry, BBOX(18.5,4.3,18.6,4.4))",
            '{"op":"s_intersects","args":[{"property":"geometry"},{"bbox":[18.5,4.3,18.6,4.4]}]}',
        ),
        (
            "T_INTERSECTS(time_from, INTERVAL('2020-01-02','2020-01-05'))",
            '{"op":"t_intersects","args":[{"property":"time_from"},{"interval":["2020-01-02","2020-01-05"]}]}',
        ),
        (
            "CASEI(place_name) LIKE CASEI('pLACE 1%')",
            (
                '{"op":"like","args":[{"op":"casei","args":[{"property":"place_name"}]},'
                '{"op":"casei","args":["pLACE 1%"]}]}'
            ),
        ),
        (
            "NOT (killed_best IS NULL) AND killed_best BETWEEN 1 AND 3",
            (
                '{"op":"and","args":[{"op":"not","args":[{"op":"isNull","args":[{"property":"killed_best"}]}]},'
                '{"op":"between","args":[{"property":"killed_best"},1,3]}]}'
            ),
        ),
    ],
)
def test_filters_in_both_languages(officer: httpx.Client, text: str, json_text: str) -> None:
    one = get(officer, filter=text)
    other = get(officer, filter=json_text, **{"filter-lang": "cql2-json"})
    assert ids(one) == ids(other)
    whole = get(officer)["numberMatched"]
    assert 0 < one["numberMatched"] < whole


def test_and_binds_closer_than_or(officer: httpx.Client) -> None:
    def matched(text: str) -> int:
        return int(get(officer, filter=text)["numberMatched"])

    mixed = matched("category = 'POC' OR category = 'ARC' AND killed_best > 100")
    assert mixed == matched("category = 'POC'")
    assert mixed > matched("(category = 'POC' OR category = 'ARC') AND killed_best > 100") == 0


def test_filter_axes(officer: httpx.Client) -> None:
    plain = get(officer, filter="S_INTERSECTS(geometry,BBOX(18.5,4.3,18.6,4.4))")
    turned = get(
        officer,
        filter="S_INTERSECTS(geometry,BBOX(4.3,18.5,4.4,18.6))",
        **{"filter-crs": "http://www.opengis.net/def/crs/EPSG/0/4326"},
    )
    assert ids(plain) == ids(turned) != []


def test_equality_takes_several_values(officer: httpx.Client) -> None:
    one = get(officer, category="POC")["numberMatched"]
    other = get(officer, category="ARC")["numberMatched"]
    assert get(officer, category="POC,ARC")["numberMatched"] == one + other


def test_chosen_properties(officer: httpx.Client) -> None:
    body = get(officer, properties="category,place_precision")
    assert all(set(f["properties"]) == {"category", "place_precision"} for f in body["features"])


def test_records_without_their_outlines(client: httpx.Client) -> None:
    path = "/public/collections/incidents/items"
    whole, bare = client.get(path), client.get(path, params={"skipGeometry": "true"})
    assert all(f["geometry"]["type"].endswith("Polygon") for f in whole.json()["features"])
    assert bare.json()["features"] == [{**f, "geometry": None} for f in whole.json()["features"]]
    assert client.get(path, params={"skipGeometry": "1"}).status_code == 400


def test_one_record(officer: httpx.Client) -> None:
    first = get(officer)["features"][0]
    one = get(officer, f"{ITEMS}/{first['id']}")
    assert {k: one[k] for k in first} == first
    assert link(one, "collection")
    # the same record has another id for another family of audiences
    assert officer.get(f"/public/collections/incidents/items/{first['id']}").status_code == 404


def test_released_properties_only(officer: httpx.Client, client: httpx.Client) -> None:
    for who, audience in ((officer, "confidential"), (officer, "unclassified"), (client, "public")):
        for collection in get(who, f"/{audience}/collections")["collections"]:
            path = f"/{audience}/collections/{collection['id']}"
            schema = set(get(who, f"{path}/schema")["properties"])
            for feature in get(who, f"{path}/items")["features"]:
                assert {*feature["properties"], "geometry", "id"} == schema


def test_numbers_are_numbers(officer: httpx.Client) -> None:
    sites = get(officer, "/confidential/collections/sites/items", sortby="cost")["features"]
    costs = [f["properties"].get("cost") for f in sites]
    assert all(isinstance(c, (int, float)) for c in costs if c is not None)


def test_a_page_for_people(officer: httpx.Client) -> None:
    answer = officer.get(ITEMS, params={"f": "html", "limit": "5"})
    assert "Next page" in answer.text
    assert '<p class="marking level-confidential">CONFIDENTIAL</p>' in answer.text
    browser = officer.get(ITEMS, params={"limit": "5"}, headers={"Accept": "text/html"})
    assert browser.text.count("<tr>") == 6


def test_links_go_to_this_server(officer: httpx.Client, served: Reader) -> None:
    answer = officer.get(ITEMS, params={"limit": "2"})
    assert all(one["href"].startswith(served.url) for one in answer.json()["links"])
    assert 'rel="next"' in answer.headers["link"]


def test_owslib_reads_and_pages(served: Reader) -> None:
    api = Features(f"{served.url}/public/")
    assert "settlements" in api.feature_collections()
    assert api.collection("settlements")["id"] == "settlements"
    assert "name" in api.collection_queryables("settlements")["properties"]
    body = api.collection_items("settlements", limit=1)
    assert body["numberMatched"] == 2
    assert body["numberReturned"] == 1
    found = api.collection_items("settlements", filter="name='Bria'")
    assert [f["properties"]["name"] for f in found["features"]] == ["Bria"]


def test_gdal_reads_all_pages(served: Reader) -> None:
    """What QGIS does as well: it reads the description, the collections, and follows `next`."""
    # a process of its own: GDAL does not let go of the interpreter while it waits for the server in this one
    program = f"""
import json, pyogrio
source = "OAPIF:{served.url}/public"
layers = [str(name) for name, _ in pyogrio.list_layers(source)]
meta, _, geometry, values = pyogrio.raw.read(source, layer="settlements", PAGE_SIZE=1)
names = dict(zip(meta["fields"], values))["name"]
print(json.dumps([layers, sorted(names), len(geometry), meta["crs"]]))
"""
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=False, timeout=60)
    assert done.returncode == 0, done.stderr
    layers, names, count, axes = json.loads(done.stdout)
    assert "settlements" in layers
    assert (names, count) == (["Bangui", "Bria"], 2)
    assert "CRS84" in axes


def test_requests_as_qgis_makes_them(client: httpx.Client) -> None:
    path = "/public/collections/settlements/items"
    query = urlencode(
        {"limit": 1000, "bbox": "14.0,2.0,28.0,11.0", "crs": "http://www.opengis.net/def/crs/OGC/1.3/CRS84"}
    )
    answer = client.get(f"{path}?{query}", headers={"Accept": "application/geo+json, application/json"})
    assert answer.headers["content-type"] == "application/geo+json"
    assert answer.json()["numberReturned"] == 2
