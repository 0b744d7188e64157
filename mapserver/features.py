"""Records of a collection: OGC API Features parts 1 to 3, paged by a keyed cursor, with exact counts."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import orjson
from starlette.requests import Request
from starlette.responses import Response

from layers.door import Feature
from layers.policy import ReleasedLayer
from mapserver import crs, html, respond, where
from mapserver.catalog import trail
from mapserver.context import Context, context, released, services
from mapserver.errors import bad, not_found
from mapserver.parameters import Query
from mapserver.respond import GEOJSON, HTML, Link


async def items(request: Request, query: Query) -> Response:
    here, layer = context(request), released(request, request.path_params["collection"])
    wanted = _wanted(layer, query)
    question = where.build(query)
    web = respond.wants_html(request, query)
    # what the cursor continues: everything of the query but where the page starts, how long it is and how it looks
    same = sorted(query.without("cursor", "limit", "f", "crs", "properties", "skipGeometry"))
    bound = (here.audience.id, layer.id, orjson.dumps(same).decode())
    cursors = services(request).cursors
    after = cursors.open(query["cursor"], *bound) if query["cursor"] else None
    matched = await here.reader.count(layer.id, question)
    page = await here.reader.features(
        layer.id, question, sort=query["sortby"], limit=query["limit"], after=after, srid=crs.srid(query["crs"])
    )
    url = f"{here.root}/collections/{layer.id}/items"
    following = None
    if page.after is not None:
        following = respond.address(url, [*query.without("cursor"), ("cursor", cursors.seal(page.after, *bound))])
    if web:
        return await _table(request, query, layer, page.features, matched, following)
    links = [
        Link(respond.address(url, query.given), "self", GEOJSON, "This page"),
        Link(respond.address(url, [*query.without("f"), ("f", "html")]), "alternate", HTML, "This page for people"),
        Link(f"{here.root}/collections/{layer.id}", "collection", title=layer.layer.title),
    ]
    if following:
        links.append(Link(following, "next", GEOJSON, "The next page"))
    body = {
        "type": "FeatureCollection",
        "numberMatched": matched,
        "numberReturned": len(page.features),
        "features": [_feature(one, query["crs"], wanted, query["skipGeometry"]) for one in page.features],
        "links": respond.links(*links),
    }
    return await respond.json(
        request, body, GEOJSON, negotiated=True, link_header=links, headers={"Content-Crs": f"<{query['crs']}>"}
    )


async def item(request: Request, query: Query) -> Response:
    here, layer = context(request), released(request, request.path_params["collection"])
    number = request.path_params["feature"]
    if not (number.isascii() and number.isdigit() and len(number) <= 16):
        raise not_found()
    found = await here.reader.feature(layer.id, int(number), crs.srid(query["crs"]))
    if found is None:
        raise not_found()
    url = f"{here.root}/collections/{layer.id}/items/{found.fid}"
    if respond.wants_html(request, query):
        facts = [(_label(layer, name), _words(value)) for name, value in found.properties.items() if value is not None]
        return await html.page(
            request, query, "links", f"{layer.layer.title}: {found.fid}", facts=facts, sentences=layer.sentences,
            trail=[*trail(here, layer), ("Records", f"{here.root}/collections/{layer.id}/items?f=html")],
        )  # fmt: skip
    links = [
        Link(respond.address(url, query.given), "self", GEOJSON, "This record"),
        Link(respond.address(url, [*query.without("f"), ("f", "html")]), "alternate", HTML, "This record for people"),
        Link(f"{here.root}/collections/{layer.id}", "collection", title=layer.layer.title),
    ]
    body = {**_feature(found, query["crs"], None), "links": respond.links(*links)}
    return await respond.json(
        request, body, GEOJSON, negotiated=True, link_header=links, headers={"Content-Crs": f"<{query['crs']}>"}
    )


def _wanted(layer: ReleasedLayer, query: Query) -> frozenset[str] | None:
    if query["properties"] is None:
        return None
    known = {*where.queryables(layer), "area", "area_label", "uncertainty_km"}
    for name in query["properties"]:
        if name not in known:
            raise bad(f"properties: there is no property {name[:60]!r}")
    return frozenset(query["properties"])


def _feature(found: Feature, uri: str, wanted: frozenset[str] | None, bare: bool = False) -> dict[str, Any]:
    properties: Mapping[str, Any] = found.properties
    if wanted is not None:
        properties = {name: value for name, value in properties.items() if name in wanted}
    geometry: Any = None if bare else orjson.Fragment(found.geometry)
    if uri == crs.EPSG4326 and not bare and found.geometry != "null":
        geometry = crs.swapped(orjson.loads(found.geometry))
    return {"type": "Feature", "id": found.fid, "geometry": geometry, "properties": properties}


async def _table(
    request: Request, query: Query, layer: ReleasedLayer, rows: list[Feature], matched: int, following: str | None
) -> Response:
    here: Context = context(request)
    wanted = _wanted(layer, query)
    names = [n for n in (rows[0].properties if rows else ()) if wanted is None or n in wanted]
    url = f"{here.root}/collections/{layer.id}/items"
    if following and query.values.get("f") is None:
        following += "&f=html"
    return await html.page(
        request,
        query,
        "table",
        f"{layer.layer.title}: records",
        description=f"{matched:,} records match; {len(rows):,} are on this page.",
        header=["Record", *(_label(layer, n) for n in names)],
        rows=[
            [{"href": f"{url}/{one.fid}?f=html", "text": one.fid}, *(_words(one.properties[n]) for n in names)]
            for one in rows
        ],
        next_url=following,
        trail=trail(here, layer),
    )


_LABELS = {
    "place_precision": "Precision of the place",
    "area": "Area",
    "area_label": "Name of the area",
    "uncertainty_km": "Width of the area (km)",
    "time_from": "From",
    "time_to": "To (excluded)",
    "time_precision": "Precision of the time",
}


def _label(layer: ReleasedLayer, name: str) -> str:
    field = layer.field.get(name)
    if field is None:
        return _LABELS.get(name, name)
    return f"{field.label} ({field.unit})" if field.unit else field.label


def _words(value: Any) -> str:
    if value is None:
        return ""
    if isinstance(value, bool):
        return "yes" if value else "no"
    return str(value)
