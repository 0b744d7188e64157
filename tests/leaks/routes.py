"""Every route of the reader and of the desk, with the questions by which the leak tests try it.

A route that does not stand in `READER` or `DESK` fails the tests, and so does a query parameter that no question
uses. Questions follow from the declarations: a new layer or field is asked for without a change here.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from urllib.parse import quote, urlencode

import orjson

from tests.leaks.replay import Ask
from tests.leaks.scene import NONSENSE, Part, Scene, tile_at

TMS = "WebMercatorQuad"
Questions = Callable[[Scene], Iterator[Ask]]
HTML = (("accept", "text/html"),)
PACKED = (("accept-encoding", "gzip"),)
CRS = ("http://www.opengis.net/def/crs/EPSG/0/3857", "http://www.opengis.net/def/crs/EPSG/0/4326", "nonsense")


def to(path: str, *pairs: tuple[str, str], **more: str) -> str:
    query = urlencode([*pairs, *((k.replace("_", "-"), v) for k, v in more.items())])
    return f"{quote(path)}?{query}" if query else quote(path)


def documents(suffix: str, *extra: tuple[str, str]) -> Questions:
    """The questions to a document below the root."""

    def ask(scene: Scene) -> Iterator[Ask]:
        url = scene.root + suffix
        yield Ask(to(url), again=True)
        yield Ask(to(url), headers=HTML)
        for form in ("json", "html", "nonsense"):
            yield Ask(to(url, f=form))
        yield Ask(to(url, (NONSENSE, "1")))
        for name, value in extra:
            yield Ask(to(url, (name, value)))

    return ask


def by_collection(suffix: str, *extra: tuple[str, str]) -> Questions:
    """The questions to a document of each layer, of those that this audience lacks too."""

    def ask(scene: Scene) -> Iterator[Ask]:
        for name in (*scene.parts, NONSENSE, "versions", "blur_areas", "incidents_clusters", "vault.incidents"):
            yield from documents(f"/collections/{name}{suffix}", *extra)(scene)

    return ask


# --- records ---------------------------------------------------------------------------------------------------------


def items(scene: Scene) -> Iterator[Ask]:
    for name, part in scene.parts.items():
        url = f"{scene.root}/collections/{name}/items"
        yield Ask(to(url), again=True)
        yield Ask(to(url, f="html", limit="30"))
        if part.view is None:
            continue
        yield Ask(to(url, limit="1000"), pages=20)
        yield Ask(to(url, limit="40", crs=CRS[0]), pages=2)
        yield from (Ask(to(url, limit=limit)) for limit in ("1", "0", "-1", "x"))
        yield Ask(to(url, limit="1000", skipGeometry="true"))
        yield from (Ask(to(url, limit="3", crs=crs)) for crs in CRS)
        yield from _where(url, scene, part)
        yield from _boxes(url, part)
        yield from _names(url, part)
        yield Ask(to(url, cursor="AAAA"))
        yield Ask(to(url, cursor=NONSENSE))


def _boxes(url: str, part: Part) -> Iterator[Ask]:
    places = [*part.places, (18.5582, 4.3612)]
    for lon, lat in places:
        for half in (0.0, 0.0001, 0.3):
            yield Ask(to(url, bbox=f"{lon - half},{lat - half},{lon + half},{lat + half}", limit="20"))
    for box in ("14,2,20,8", "20,2,28,12", "170,-10,-170,10", "14,2,0,28,12,9", "28,12,14,2", "1,2,3", "a,b,c,d"):
        yield Ask(to(url, bbox=box, limit="20"))
    yield Ask(to(url, bbox="2500000,600000,2900000,800000", bbox_crs=CRS[0], limit="20"))
    yield Ask(to(url, bbox="5,22,7,26", bbox_crs=CRS[1], limit="20"))
    yield Ask(to(url, bbox="5,22,7,26", bbox_crs="nonsense"))


def _where(url: str, scene: Scene, part: Part, **more: str) -> Iterator[Ask]:
    """Times, areas and filters, as records and tiles take them."""
    times = [
        "2019-03-01",
        "2019-03-13T07:43:11Z",
        "2015-01-01/2018-12-31",
        "../2001-01-01",
        "2022-12-01/..",
        "nonsense",
    ]
    for when in (*times, *part.days):
        yield Ask(to(url, datetime=when, **more))
    for area in (*scene.areas, "admin1.CF11", "admin0.CF", NONSENSE):
        yield Ask(to(url, area=area, **more))
    for text in filters(part):
        yield Ask(to(url, filter=text, **more))
    point = {"type": "Point", "coordinates": list((part.places or ((20.0, 6.0),))[0])}
    for tree in (
        {"op": "s_intersects", "args": [{"property": "geometry"}, point]},
        {"op": "isNull", "args": [{"property": "geometry"}]},
        {"op": "=", "args": [{"property": NONSENSE}, 1]},
        {"op": "nonsense", "args": []},
    ):
        yield Ask(to(url, filter=orjson.dumps(tree).decode(), filter_lang="cql2-json", **more))
    yield Ask(to(url, filter="place_precision = 'exact'", filter_crs=CRS[0], **more))
    yield Ask(to(url, filter="S_INTERSECTS(geometry, POINT(6 20))", filter_crs=CRS[1], **more))
    yield Ask(to(url, filter="1=1", filter_lang="nonsense", **more))


def filters(part: Part) -> Iterator[str]:
    """CQL2 about places and times that this audience may not have."""
    for lon, lat in part.places:
        yield f"S_INTERSECTS(geometry, POINT({lon} {lat}))"
        ring = ",".join(f"{lon + x} {lat + y}" for x, y in ((-1e-3, -1e-3), (1e-3, -1e-3), (0, 1e-3), (-1e-3, -1e-3)))
        yield f"S_WITHIN(geometry, POLYGON(({ring})))"
        yield f"NOT S_DISJOINT(geometry, POLYGON(({ring})))"
    for day in part.days:
        yield f"T_INTERSECTS(INTERVAL(time_from, time_to), DATE('{day}'))"
        yield f"T_AFTER(time_from, DATE('{day}'))"
    yield "place_precision <> 'exact' AND geometry IS NULL"
    yield "1=1) OR (1=1"
    yield "AND AND"


def _names(url: str, part: Part) -> Iterator[Ask]:
    """Each name that this audience has, and each that it has not, in every role."""
    value = next(iter(part.words), "x")
    for name in (*part.unreleased, NONSENSE):  # test_routes asks for them in every role
        yield Ask(to(url, sortby=name))
        yield Ask(to(url, filter=f"{name} = '{value}'"))
    for name in part.released:
        yield Ask(to(url, sortby=f"-{name}", limit="40"), pages=1)
        yield Ask(to(url, sortby=f"+{name}", limit="7"))
        yield Ask(to(url, (name, value), limit="5"))
        yield Ask(to(url, filter=f"{name} = '{value}'", limit="5"))
        yield Ask(to(url, filter=f"{name} > 4", limit="5"))
        yield Ask(to(url, filter=f"{name} IS NOT NULL", limit="5"))
        yield Ask(to(url, filter=f"CASEI({name}) LIKE 'zq%'", limit="5"))
        yield Ask(to(url, properties=name, limit="5"))
    for word in part.words:
        for name in (f.name for f in (part.view.fields if part.view else ()) if f.type == "text"):
            yield Ask(to(url, (name, word), limit="5"))


def item(scene: Scene) -> Iterator[Ask]:
    for name, part in scene.parts.items():
        url = f"{scene.root}/collections/{name}/items"
        for number in (*part.seen, *part.hidden, *part.foreign, 0, 2**53 - 1, 10**20):
            yield Ask(to(f"{url}/{number}"), again=number in part.seen)
            yield Ask(to(f"{url}/{number}", f="html"))
        for text in ("-1", "1.5", NONSENSE, "0x10", *part.sources):
            yield Ask(f"{quote(url)}/{quote(text, safe='')}")
        yield from (Ask(to(f"{url}/{n}", crs=crs)) for n in (*part.seen[:1], *part.hidden[:1]) for crs in CRS)
    yield Ask(to(f"{scene.root}/collections/{NONSENSE}/items/1"))


# --- tiles -----------------------------------------------------------------------------------------------------------


def collection_tile(scene: Scene) -> Iterator[Ask]:
    for name, part in scene.parts.items():
        url = f"{scene.root}/collections/{name}/tiles/{TMS}"
        for lon, lat in (*part.places[:2], (18.5582, 4.3612)):
            for z in (0, 5, 8, 9, 12, 15, 18):
                y, x = tile_at(lon, lat, z)
                yield Ask(to(f"{url}/{z}/{y}/{x}"), headers=PACKED, again=z == 8)
        if part.view is not None:
            where = list(_where(f"{url}/5/15/17", scene, part))
            yield from where
            yield from (Ask(to(f"{url}/9/249/287", filter=f"{n} IS NULL")) for n in part.released)
            names = (*part.released[:3], *part.unreleased, NONSENSE)
            yield from (Ask(to(f"{url}/9/249/287", (n, next(iter(part.words), "x")))) for n in names)
    yield from _malformed(f"{scene.root}/collections/incidents/tiles")
    yield Ask(to(f"{scene.root}/collections/{NONSENSE}/tiles/{TMS}/0/0/0"))


def tile(scene: Scene) -> Iterator[Ask]:
    url = f"{scene.root}/tiles/{TMS}"
    y, x = tile_at(20.5, 6.5, 6)
    for z in (0, 3, 6):
        y, x = tile_at(20.5, 6.5, z)
        yield Ask(to(f"{url}/{z}/{y}/{x}"), headers=PACKED, again=True)
    for _, (lon, lat) in scene.with_place():
        for z in (7, 11, 14):
            y, x = tile_at(lon, lat, z)
            yield Ask(to(f"{url}/{z}/{y}/{x}"), headers=PACKED)
    y, x = tile_at(20.5, 6.5, 7)
    for chosen in ("incidents", "sites,incidents", "bases", NONSENSE, "vault", ""):
        yield Ask(to(f"{url}/7/{y}/{x}", collections=chosen))
    part = scene.parts["incidents"]
    yield from _where(f"{url}/7/{y}/{x}", scene, part, collections="incidents,sites")
    for name in ("place_precision", "level", "narrative", "time_precision", NONSENSE):
        yield Ask(to(f"{url}/7/{y}/{x}", (name, "exact")))
        yield Ask(to(f"{url}/7/{y}/{x}", (name, "exact"), collections="incidents"))
    yield from _malformed(f"{scene.root}/tiles")


def _malformed(url: str) -> Iterator[Ask]:
    for rest in ("0/0/1", "0/1/0", "19/0/0", "99/0/0", "-1/0/0", "a/b/c", "5/15/17.5", "5/32/0", "5/15/1e1"):
        yield Ask(to(f"{url}/{TMS}/{rest}"))
    yield Ask(to(f"{url}/{NONSENSE}/5/15/17"))
    yield Ask(to(f"{url}/{TMS}/5/15/17", f="png"))
    yield Ask(to(f"{url}/{TMS}/5/15/17", f="mvt"))


# --- search and the rest ---------------------------------------------------------------------------------------------


def search(scene: Scene) -> Iterator[Ask]:
    url = f"{scene.root}/search"
    coordinates = [f"{lat:.5f}, {lon:.5f}" for _, (lon, lat) in scene.with_place()][:3]
    common = [
        "Bangui",
        "bang",
        "a",
        "Bria",
        "%",
        "_",
        "'; DROP",
        "33N YD 12345 12345",
        "4.36, 18.55",
        "",
        " ",
        "x" * 300,
    ]
    for text in (*scene.words, *(w[:5] for w in scene.words), *coordinates, *common):
        yield Ask(to(url, q=text))
    yield Ask(to(url, q="Bangui", limit="1"), again=True)
    yield Ask(to(url, q="Bangui", limit="50", f="html"))
    yield Ask(to(url, q="Bangui", limit="nonsense"))
    yield Ask(to(url))


def other_audiences(scene: Scene) -> Iterator[Ask]:
    """Roots that the caller may not use, and one that nobody has: the same questions to both."""
    for name in (*scene.policy.audiences, NONSENSE):
        if name not in (scene.audience, "public"):
            for path in ("", "/", "/collections/incidents/items", f"/tiles/{TMS}/0/0/0", "/search?q=a", "/nonsense"):
                yield Ask(f"/{name}{path}")
    for method in ("POST", "PUT", "PATCH", "DELETE", "TRACE", "OPTIONS", "HEAD"):
        for path in ("/collections/incidents/items", f"/tiles/{TMS}/5/15/17", "/nonsense"):
            yield Ask(scene.root + path, method)
    yield Ask(f"{scene.root}/collections/incidents/items?{'x' * 9000}")
    yield Ask(f"{scene.root}/collections/incidents/items?limit=%ff%fe")
    yield Ask(f"{scene.root}/collections/incidents/items?limit=1&limit=2")


def landing(scene: Scene) -> Iterator[Ask]:
    yield from documents("/")(scene)
    yield from other_audiences(scene)


def session(scene: Scene) -> Iterator[Ask]:
    yield Ask("/api/session")
    mark = (("x-parallax", "1"), ("content-type", "application/json"))
    for method in ("POST", "DELETE"):
        yield Ask("/api/session", method)
    # a name of its own for each audience: attempts are counted, and the world is shared
    who = f"nobody.{scene.audience.replace(':', '.')}"
    yield Ask("/api/session", "POST", mark, orjson.dumps({"name": who, "password": "wrong wrong wrong"}))
    yield Ask("/api/session", "POST", mark, b"{")


def desk_records(scene: Scene) -> Iterator[Ask]:
    """An editor of the lowest class tries records above him, and ones that never were."""
    mark = (("x-parallax", "1"), ("content-type", "application/json"))
    for name, part in scene.parts.items():
        url = f"/desk/{name}/records"
        for source in (*part.sources, NONSENSE):
            for level in ("unclassified", "strict", "nonsense"):
                feature = {
                    "type": "Feature", "id": source, "geometry": None, "properties": {"level": level, "title": "x"},
                }  # fmt: skip
                yield Ask(url, "POST", mark, orjson.dumps(feature), app="desk")
        yield Ask(url, "POST", mark, b"{}", app="desk")
        yield Ask(url, "GET", mark, app="desk")
    yield Ask(f"/desk/{NONSENSE}/records", "POST", mark, b"{}", app="desk")


def desk_record(scene: Scene) -> Iterator[Ask]:
    mark = (("x-parallax", "1"),)
    for name, part in scene.parts.items():
        for source in (*part.sources, NONSENSE):
            for system in ("planted", "simulated", "parallax", NONSENSE):
                yield Ask(f"/desk/{name}/records/{system}/{quote(source)}", "DELETE", mark, app="desk")


_LANGUAGES = (("lang", "fr"), ("lang", "ar"), ("lang", NONSENSE))
_COLLECTIONS = (("collections", "incidents"), ("collections", "bases"), ("collections", NONSENSE))
_C = "/{audience}/collections/{collection}"
READER: dict[str, Questions] = {
    "/{audience}/": landing,
    "/{audience}": documents(""),
    "/{audience}/conformance": documents("/conformance"),
    "/{audience}/api": documents("/api"),
    "/{audience}/collections": documents("/collections"),
    _C: by_collection(""),
    f"{_C}/schema": by_collection("/schema"),
    f"{_C}/queryables": by_collection("/queryables"),
    f"{_C}/items": items,
    f"{_C}/items/{{feature}}": item,
    f"{_C}/tiles": by_collection("/tiles"),
    f"{_C}/tiles/{{tms}}": by_collection(f"/tiles/{TMS}", ("f", "tilejson")),
    f"{_C}/tiles/{{tms}}/{{z}}/{{y}}/{{x}}": collection_tile,
    "/{audience}/tiles": documents("/tiles", *_COLLECTIONS),
    "/{audience}/tiles/{tms}": documents(f"/tiles/{TMS}", ("f", "tilejson"), *_COLLECTIONS),
    "/{audience}/tiles/{tms}/{z}/{y}/{x}": tile,
    "/{audience}/tileMatrixSets": documents("/tileMatrixSets"),
    "/{audience}/tileMatrixSets/{tms}": documents(f"/tileMatrixSets/{TMS}"),
    "/{audience}/style.json": documents("/style.json", ("theme", "dark"), ("theme", NONSENSE), *_LANGUAGES),
    "/{audience}/legend": documents("/legend", *_LANGUAGES),
    "/{audience}/manifest": documents("/manifest", *_LANGUAGES),
    "/{audience}/search": search,
    "/api/session": session,
    "/health": lambda _: iter([Ask("/health"), Ask("/health", "POST")]),
}
DESK: dict[str, Questions] = {
    "/desk/health": lambda _: iter([Ask("/desk/health", app="desk")]),
    "/desk/{layer}/records": desk_records,
    "/desk/{layer}/records/{source_system}/{source_id:path}": desk_record,
}


def questions(scene: Scene, token: str, editor: str) -> list[Ask]:
    """All of them: to the reader as this audience, and to the desk as the editor, who holds `unclassified`."""
    asks = [ask.bearing(token) for ask_all in READER.values() for ask in ask_all(scene)]
    if scene.audience == "unclassified":
        asks += [ask.bearing(editor) for ask_all in DESK.values() for ask in ask_all(scene)]
    return asks
