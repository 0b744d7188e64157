"""The reader as a whole: every route answers, problems have one shape, headers, methods, limits."""

from __future__ import annotations

import json
import socket
from collections.abc import Callable
from typing import Any
from urllib.parse import urlsplit

import httpx
import pytest
from fastapi import FastAPI

from mapserver.front import Front
from mapserver.routes import AUDIENCE_ROUTES, SESSION_ROUTES
from tests.world import Reader

FILLED = {"collection": "settlements", "tms": "WebMercatorQuad", "z": "6", "y": "31", "x": "35", "feature": "1"}
PROBLEM = {"type", "title", "status", "detail"}


def router(served: Reader) -> FastAPI:
    assert isinstance(served.app, Front)
    assert isinstance(served.app.app, FastAPI)
    return served.app.app


def address(path: str, audience: str = "public", **names: str) -> str:
    for name, value in {**FILLED, **names, "audience": audience}.items():
        path = path.replace(f"{{{name}}}", value)
    return path


def test_every_route_of_the_router_stands_in_the_table(served: Reader) -> None:
    declared = {route.path for route in AUDIENCE_ROUTES} | {path for _, path, _, _ in SESSION_ROUTES}
    own = {r.path for r in router(served).routes if not r.name.startswith("page:")}  # type: ignore[attr-defined]
    assert own == declared | {"/health"}


def test_names_are_unique() -> None:
    names = [route.name for route in AUDIENCE_ROUTES]
    assert len(set(names)) == len(names)


@pytest.mark.parametrize("route", AUDIENCE_ROUTES, ids=lambda r: r.name)
def test_every_route_answers_a_known_audience(client: httpx.Client, route: Any) -> None:
    query = "?q=Bangui" if route.name == "search" else ""
    answer = client.get(address(route.path) + query)
    expected = 404 if route.name == "item" else 200
    assert answer.status_code == expected, answer.text
    assert answer.headers["x-classification"] == "PUBLIC"
    if expected == 200:
        assert answer.headers["content-type"].split(";")[0] == route.media[0].split(";")[0]
        assert answer.headers["etag"]
        again = client.get(address(route.path) + query, headers={"If-None-Match": answer.headers["etag"]})
        assert (again.status_code, again.content) == (304, b"")
        head = client.head(address(route.path) + query)
        assert (head.status_code, head.content) == (200, b"")
        assert head.headers["etag"] == answer.headers["etag"]
        assert head.headers["content-length"] == answer.headers["content-length"]


@pytest.mark.parametrize("route", [r for r in AUDIENCE_ROUTES if "text/html" in r.media], ids=lambda r: r.name)
def test_pages_for_people(client: httpx.Client, route: Any) -> None:
    query = "q=Bangui&" if route.name == "search" else ""
    answer = client.get(f"{address(route.path)}?{query}f=html")
    if route.name == "item":
        return
    assert answer.headers["content-type"].startswith("text/html")
    assert answer.text.count('<p class="marking level-public">PUBLIC</p>') == 2
    assert "<script" not in answer.text
    assert "style=" not in answer.text
    browser = client.get(address(route.path) + query.join(["?", ""]), headers={"Accept": "text/html,*/*;q=0.8"})
    assert browser.headers["content-type"].startswith("text/html")
    assert "Accept" in browser.headers["vary"]


@pytest.mark.parametrize("route", AUDIENCE_ROUTES, ids=lambda r: r.name)
@pytest.mark.parametrize("method", ["GET", "HEAD", "POST", "DELETE", "PATCH", "OPTIONS"])
def test_an_audience_that_may_not_be_used_is_one_that_is_not_there(
    client: httpx.Client, route: Any, method: str
) -> None:
    hidden = client.request(method, address(route.path, "strict_ops"))
    absent = client.request(method, address(route.path, "nonsense"))
    assert hidden.status_code == absent.status_code == (204 if method == "OPTIONS" else 404)
    assert hidden.content == absent.content
    assert [h for h in hidden.headers.raw if h[0] != b"date"] == [h for h in absent.headers.raw if h[0] != b"date"]


@pytest.mark.parametrize(
    "path",
    [
        "/public/nonsense",
        "/public/collections/nonsense",
        "/public/collections/nonsense/items",
        "/public/collections/bases/items",
        "/public/collections/settlements/items/1",
        "/public/collections/settlements/items/x",
        "/public/collections/settlements/items/99999999999999999999",
        "/public/collections/settlements/tiles/Other",
        "/public/collections/settlements/tiles/WebMercatorQuad/3/8/0",
        "/public/collections/settlements/tiles/WebMercatorQuad/19/0/0",
        "/public/collections/settlements/tiles/WebMercatorQuad/x/0/0",
        "/public/collections/settlements/tiles/WebMercatorQuad/0/0/-1",
        "/public/tileMatrixSets/Other",
        "/public/collections/",
        "/public/%00",
        "/nonsense.js",
        "/assets/nonsense.js",
    ],
)
def test_not_found_has_one_body(client: httpx.Client, path: str) -> None:
    answer = client.get(path)
    assert answer.status_code == 404
    assert answer.headers["content-type"] == "application/problem+json"
    assert answer.headers["cache-control"] == "no-store"
    assert answer.content == client.get("/zzz/").content


@pytest.mark.parametrize(
    "query",
    [
        "nosuch=1",
        "limit=0",
        "bbox=1,2,3",
        "bbox=0,5,1,4",
        "crs=EPSG:1",
        "datetime=never",
        "cursor=x",
        "sortby=nosuch",
        "sortby=source_alias",
        "filter=nosuch%3D1",
        "filter=source_alias%20LIKE%20'a'",
        "filter=category%3D",
        "filter=category%20%3D%205",
        "filter=true&filter-lang=cql",
        "properties=nosuch",
        "source_alias=x",
        "f=xml",
        "limit=1&limit=2",
        "%ff=1",
        "category=%00",
    ],
)
def test_malformed_requests_get_problems(client: httpx.Client, query: str) -> None:
    answer = client.get(f"/public/collections/incidents/items?{query}")
    assert answer.status_code == 400
    body = answer.json()
    assert set(body) == PROBLEM
    assert body["type"] == "about:blank"
    assert body["status"] == 400


def test_methods(client: httpx.Client) -> None:
    answer = client.post("/public/collections")
    assert answer.status_code == 405
    assert answer.headers["allow"] == "GET, HEAD, OPTIONS"
    assert set(answer.json()) == PROBLEM
    session = client.put("/api/session")
    assert session.headers["allow"] == "DELETE, GET, HEAD, OPTIONS, POST"
    options = client.options("/public/collections")
    assert (options.status_code, options.content) == (204, b"")


def test_limits_of_size(client: httpx.Client) -> None:
    answer = client.get("/public/collections?x=" + "a" * 9000)
    assert answer.status_code == 414
    assert set(answer.json()) == PROBLEM
    large = client.post(
        "/api/session", content=b"x" * 1_100_000, headers={"X-Parallax": "1", "Content-Type": "application/json"}
    )
    assert large.status_code == 413

    def chunks() -> Any:
        for _ in range(20):
            yield b"x" * 100_000

    streamed = client.post(
        "/api/session", content=chunks(), headers={"X-Parallax": "1", "Content-Type": "application/json"}
    )
    assert streamed.status_code == 413


def test_security_headers(client: httpx.Client) -> None:
    page = client.get("/public/?f=html").headers
    policy = page["content-security-policy"]
    assert "'unsafe-inline'" not in policy
    assert "'unsafe-eval'" not in policy
    assert "default-src 'self'" in policy
    assert "frame-ancestors 'none'" in policy
    assert page["referrer-policy"] == "same-origin"
    for path in ("/", "/public/", "/zzz", "/public/collections/settlements/items", "/api/session"):
        headers = client.get(path).headers
        assert headers["x-content-type-options"] == "nosniff"
        assert "frame-ancestors 'none'" in headers["content-security-policy"]
        assert not {"x-powered-by", "server-timing", "last-modified", "age"} & set(headers)
        assert "strict-transport-security" not in headers


def test_a_host_header_cannot_be_smuggled_into_links(served: Reader) -> None:
    where = urlsplit(served.url)
    with socket.create_connection((str(where.hostname), int(where.port or 0))) as connection:
        connection.sendall(b"GET /public/ HTTP/1.1\r\nHost: a.example/<script>\r\nConnection: close\r\n\r\n")
        answer = b""
        while part := connection.recv(65536):
            answer += part
    assert answer.startswith(b"HTTP/1.1 400")
    assert b"script" not in answer


def test_compression_is_deterministic_and_has_its_own_tag(client: httpx.Client) -> None:
    plain = client.get("/public/collections", headers={"Accept-Encoding": "identity"})
    packed = client.get("/public/collections", headers={"Accept-Encoding": "gzip"})
    assert "content-encoding" not in plain.headers
    assert packed.headers["content-encoding"] == "gzip"
    assert packed.content == plain.content
    assert packed.headers["etag"] != plain.headers["etag"]
    assert (
        packed.headers["etag"] == client.get("/public/collections", headers={"Accept-Encoding": "gzip"}).headers["etag"]
    )


def test_caching_by_audience(client: httpx.Client, sign_in: Callable[[str], httpx.Client]) -> None:
    assert client.get("/public/collections").headers["cache-control"] == "public, max-age=60"
    own = sign_in("officer").get("/confidential/collections")
    assert own.headers["cache-control"] == "private, no-cache"
    assert {"Cookie", "Authorization"} <= {part.strip() for part in own.headers["vary"].split(",")}
    assert own.headers["x-classification"] == "CONFIDENTIAL"


def test_answers_are_the_same_bytes_each_time(client: httpx.Client) -> None:
    for route in AUDIENCE_ROUTES:
        path = address(route.path) + ("?q=Bangui" if route.name == "search" else "")
        first, second = client.get(path), client.get(path)
        assert first.content == second.content
        assert first.headers.get("etag") == second.headers.get("etag")


def test_the_page_and_health(client: httpx.Client) -> None:
    assert client.get("/").headers["content-type"] == "text/html; charset=utf-8"
    assert client.get("/health").json() == {"status": "ok"}
    css = client.get("/pages.css")
    assert css.headers["content-type"] == "text/css; charset=utf-8"


def test_a_fault_tells_a_number_and_no_more(
    served: Reader, client: httpx.Client, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    assert isinstance(served.app, Front)
    reader = served.app.readers["public"]

    async def broken(*_: object, **__: object) -> None:
        raise RuntimeError("the secret word is heron")

    monkeypatch.setattr(reader, "extent", broken)
    answer = client.get("/public/collections/settlements")
    assert answer.status_code == 500
    assert set(answer.json()) == PROBLEM
    assert "heron" not in answer.text
    assert answer.headers["x-classification"] == "PUBLIC"
    assert "heron" not in caplog.text
    assert json.loads(answer.text)["detail"].split()[8] in caplog.text
