"""Tiles over HTTP: content, status, cache, filters, tilesets, TileJSON; and tiles in memory follow the release."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import httpx
import mapbox_vector_tile
import pytest

from layers.vault import Vault
from mapserver.front import Front
from tests.mapserver.conftest import FACTS, incident, incidents
from tests.world import Database, Reader

TILE = "/tiles/WebMercatorQuad/{z}/{y}/{x}"
BANGUI_TILE = {8: (124, 141), 12: (1998, 2259)}
"""Row and column of the tile with Bangui."""


def decode(answer: httpx.Response) -> dict[str, Any]:
    assert answer.status_code == 200, answer.text
    assert answer.headers["content-type"] == "application/vnd.mapbox-vector-tile"
    found: dict[str, Any] = mapbox_vector_tile.decode(answer.content) if answer.content else {}
    return found


def tile(client: httpx.Client, root: str, z: int, **query: str) -> httpx.Response:
    row, column = BANGUI_TILE[z]
    return client.get(root + TILE.format(z=z, y=row, x=column), params=query)


@pytest.fixture
def officer(sign_in: Callable[[str], httpx.Client]) -> httpx.Client:
    return sign_in("officer")


def test_records_clusters_and_stacks(officer: httpx.Client) -> None:
    high = decode(tile(officer, "/confidential/collections/incidents", 12))
    assert set(high) == {"incidents", "incidents_stacks"}
    assert [f["properties"]["n"] for f in high["incidents_stacks"]["features"]] == [2]
    low = decode(tile(officer, "/confidential/collections/incidents", 8))
    assert "incidents" not in low
    assert sum(f["properties"]["n"] for f in low["incidents_clusters"]["features"]) > 2


def test_areas_instead_of_points(client: httpx.Client) -> None:
    found = decode(tile(client, "/public/collections/incidents", 8))
    assert "incidents" not in found
    assert "incidents_areas" in found
    properties = found["incidents_areas"]["features"][0]["properties"]
    assert {"area", "label", "km", "precision", "n"} <= set(properties)


def test_filters_reach_tiles(officer: httpx.Client) -> None:
    root = "/confidential/collections/incidents"
    whole = decode(tile(officer, root, 12))["incidents"]["features"]
    for query in (
        {"category": "POC"},
        {"filter": "category='POC'"},
        {"filter": '{"op":"=","args":[{"property":"category"},"POC"]}', "filter-lang": "cql2-json"},
    ):
        some = decode(tile(officer, root, 12, **query))["incidents"]["features"]
        assert 0 < len(some) < len(whole)
        assert {f["properties"]["category"] for f in some} == {"POC"}
    assert "incidents" not in decode(tile(officer, root, 12, datetime="2019-01-01"))
    assert officer.get(root + TILE.format(z=0, y=0, x=0), params={"source_alias": "x"}).status_code == 400


def test_everything_in_one_tile(client: httpx.Client) -> None:
    both = decode(tile(client, "/public", 8, collections="settlements,areas"))
    assert set(both) == {"settlements", "areas"}
    assert client.get("/public" + TILE.format(z=0, y=0, x=0), params={"collections": "bases"}).status_code == 400


def test_an_empty_tile_is_an_answer_like_another(client: httpx.Client) -> None:
    empty = client.get("/public/collections/settlements" + TILE.format(z=12, y=0, x=0))
    full = tile(client, "/public/collections/settlements", 12)
    assert (empty.status_code, empty.content) == (200, b"")
    differ = {"content-length", "etag", "date"}
    assert {k: v for k, v in empty.headers.items() if k not in differ} == {
        k: v for k, v in full.headers.items() if k not in differ
    }


def test_hidden_records_do_not_show_in_tiles(officer: httpx.Client, sign_in: Callable[[str], httpx.Client]) -> None:
    path = "/collections/incidents" + TILE.format(z=10, y=490, x=576)
    assert officer.get("/confidential" + path).content == b""
    assert decode(sign_in("analyst").get("/strict_ops" + path))


def test_tilesets(client: httpx.Client, served: Reader) -> None:
    for root in ("/public", "/public/collections/settlements"):
        listed = client.get(f"{root}/tiles").json()["tilesets"]
        assert [one["dataType"] for one in listed] == ["vector"]
        item = next(link for link in listed[0]["links"] if link["rel"] == "item")
        url = item["href"].format(tileMatrix=8, tileRow=124, tileCol=141)
        assert decode(client.get(url))
        meta = client.get(f"{root}/tiles/WebMercatorQuad").json()
        assert meta["tileMatrixSetLimits"][8]["maxTileRow"] == 255
        json = client.get(f"{root}/tiles/WebMercatorQuad?f=tilejson").json()
        assert json["tilejson"] == "3.0.0"
        assert json["tiles"][0].startswith(served.url)
        assert decode(client.get(json["tiles"][0].format(z=8, y=124, x=141)))
    matrices = client.get("/public/tileMatrixSets/WebMercatorQuad").json()["tileMatrices"]
    assert matrices[0]["scaleDenominator"] == pytest.approx(559082264.0287178)


def test_tilejson_names_every_source_layer(officer: httpx.Client) -> None:
    declared = officer.get("/confidential/tiles/WebMercatorQuad?f=tilejson").json()["vector_layers"]
    fields = {one["id"]: set(one["fields"]) for one in declared}
    for z in BANGUI_TILE:
        for name, layer in decode(tile(officer, "/confidential", z)).items():
            for feature in layer["features"]:
                assert set(feature["properties"]) <= fields[name]


def test_conditional_requests_and_encodings(client: httpx.Client) -> None:
    first = tile(client, "/public", 8)
    row, column = BANGUI_TILE[8]
    path = "/public" + TILE.format(z=8, y=row, x=column)
    again = client.get(path, headers={"If-None-Match": f'"other", W/{first.headers["etag"]}'})
    assert (again.status_code, again.content) == (304, b"")
    assert "content-length" not in again.headers
    head = client.head(path)
    assert head.headers["etag"] == first.headers["etag"]
    plain = client.get(path, headers={"Accept-Encoding": "identity"})
    assert plain.content == first.content
    assert client.get(path, headers={"Range": "bytes=0-3"}).status_code == 200


def test_memory_follows_the_release(database: Database, served: Reader, sign_in: Callable[[str], httpx.Client]) -> None:
    assert isinstance(served.app, Front)
    officer = sign_in("officer")
    root = "/confidential/collections/incidents"
    before = tile(officer, root, 12)
    held = len(served.app.cache)
    assert tile(officer, root, 12).content == before.content
    assert len(served.app.cache) == held
    with Vault(database.desk_dsn) as vault:
        # a hidden edit leaves the tile and its tag as they are
        vault.write("incidents", "test", [incident(90, "strict", 18.56, 4.36, compartments=["ops"])], FACTS)
        hidden = tile(officer, root, 12)
        assert (hidden.content, hidden.headers["etag"]) == (before.content, before.headers["etag"])
        vault.write("incidents", "test", [incident(91, "confidential", 18.56, 4.36)], FACTS)
        shown = tile(officer, root, 12)
        assert shown.content != before.content
        vault.write("incidents", "test", incidents(), FACTS, deletions=["i090", "i091"])
        assert tile(officer, root, 12).content == before.content
