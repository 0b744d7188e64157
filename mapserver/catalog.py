"""What an audience has: landing page, conformance, collections, their schemas (OGC API Common, Features 1, 3 and 5)."""

from __future__ import annotations

import datetime as dt
from typing import Any

from starlette.requests import Request
from starlette.responses import Response

from layers.policy import ReleasedLayer
from mapserver import crs, html, respond, schemas
from mapserver.context import Context, context, released, services
from mapserver.parameters import Query
from mapserver.respond import GEOJSON, HTML, OPENAPI, SCHEMA, Link

_OGC = "http://www.opengis.net/spec"
_REL = "http://www.opengis.net/def/rel/ogc/1.0"

CONFORMANCE = (
    *(f"{_OGC}/ogcapi-common-1/1.0/conf/{c}" for c in ("core", "landing-page", "json", "html", "oas30")),
    f"{_OGC}/ogcapi-common-2/1.0/conf/collections",
    *(f"{_OGC}/ogcapi-features-1/1.0/conf/{c}" for c in ("core", "oas30", "html", "geojson")),
    f"{_OGC}/ogcapi-features-2/1.0/conf/crs",
    *(f"{_OGC}/ogcapi-features-3/1.0/conf/{c}" for c in ("queryables", "queryables-query-parameters")),
    *(f"{_OGC}/ogcapi-features-3/1.0/conf/{c}" for c in ("filter", "features-filter")),
    *(
        f"{_OGC}/ogcapi-features-5/1.0/conf/{c}"
        for c in ("schemas", "core-roles-features", "returnables-and-receivables")
    ),
    *(f"{_OGC}/cql2/1.0/conf/{c}" for c in ("cql2-text", "cql2-json", "basic-cql2", "advanced-comparison-operators")),
    *(f"{_OGC}/cql2/1.0/conf/{c}" for c in ("case-insensitive-comparison", "basic-spatial-functions")),
    *(f"{_OGC}/cql2/1.0/conf/{c}" for c in ("basic-spatial-functions-plus", "spatial-functions", "temporal-functions")),
    *(f"{_OGC}/ogcapi-tiles-1/1.0/conf/{c}" for c in ("core", "tileset", "tilesets-list", "dataset-tilesets")),
    *(f"{_OGC}/ogcapi-tiles-1/1.0/conf/{c}" for c in ("geodata-tilesets", "collections-selection", "datetime", "mvt")),
    f"{_OGC}/ogcapi-tiles-1/1.0/conf/oas30",
    *(
        f"{_OGC}/tms/2.0/conf/{c}"
        for c in ("tilematrixset", "json-tilematrixset", "tilesetmetadata", "json-tilesetmetadata")
    ),
)


def self_links(here: Context, path: str, *, media: str = respond.JSON, web: bool = True) -> list[Link]:
    """`self` and, where there is one, the page for people."""
    url = here.root + path
    found = [Link(url, "self", media, "This document")]
    if web:
        found.append(Link(f"{url}?f=html", "alternate", HTML, "This document for people"))
    return found


def title(here: Context) -> str:
    return f"Parallax, {here.audience.title or here.audience.id}"


async def landing(request: Request, query: Query) -> Response:
    here = context(request)
    mission = services(request).policy.mission
    links = [
        *self_links(here, "/"),
        Link(f"{here.root}/api", "service-desc", OPENAPI, "The API"),
        Link(f"{here.root}/api?f=html", "service-doc", HTML, "The API for people"),
        Link(f"{here.root}/conformance", "conformance", title="Standards"),
        Link(f"{here.root}/conformance", f"{_REL}/conformance", title="Standards"),
        Link(f"{here.root}/collections", "data", title="Collections"),
        Link(f"{here.root}/collections", f"{_REL}/data", title="Collections"),
        Link(f"{here.root}/tiles", f"{_REL}/tilesets-vector", title="Vector tiles"),
        Link(f"{here.root}/tileMatrixSets", f"{_REL}/tiling-schemes", title="Tile matrix sets"),
        Link(f"{here.root}/style.json", f"{_REL}/styles", "application/vnd.mapbox.style+json", "MapLibre style"),
        Link(f"{here.root}/legend", f"{_REL}/legend", title="Legend"),
        Link(f"{here.root}/manifest", "related", title="Everything that the map page needs"),
        Link(
            f"{here.root}/search{{?q,limit}}",
            "search",
            title="Names, titles, summaries, grid references",
            templated=True,
        ),
    ]
    description = f"{mission.get('title', 'Mission')}: what the audience {here.audience.id} may see."
    if respond.wants_html(request, query):
        entries = [
            {"href": one.href, "title": one.title, "text": ""}
            for one in links[2:]
            if not one.templated and one.rel not in (f"{_REL}/conformance", f"{_REL}/data")
        ]
        return await html.page(request, query, "links", title(here), description=description, entries=entries)
    return await respond.json(
        request,
        {
            "title": title(here),
            "description": description,
            "attribution": "; ".join(mission.get("attribution", ())),
            "links": respond.links(*links),
        },
        negotiated=True,
        link_header=links[:3],
    )


async def conformance(request: Request, query: Query) -> Response:
    if respond.wants_html(request, query):
        entries = [{"href": uri, "title": uri, "text": ""} for uri in CONFORMANCE]
        return await html.page(request, query, "links", "Standards", entries=entries)
    return await respond.json(request, {"conformsTo": list(CONFORMANCE)}, negotiated=True)


def collection_links(here: Context, layer: ReleasedLayer) -> list[Link]:
    url = f"{here.root}/collections/{layer.id}"
    return [
        Link(f"{url}/items", "items", GEOJSON, "Records"),
        Link(f"{url}/items?f=html", "items", HTML, "Records for people"),
        Link(f"{url}/schema", "http://www.opengis.net/def/rel/ogc/1.0/schema", SCHEMA, "Schema"),
        Link(f"{url}/queryables", f"{_REL}/queryables", SCHEMA, "What can be asked for"),
        Link(f"{url}/tiles", f"{_REL}/tilesets-vector", title="Vector tiles"),
    ]


async def describe(here: Context, layer: ReleasedLayer, *more: Link) -> dict[str, Any]:
    """The collection document. The extent is that of the audience's own release, and exact."""
    extent = await here.reader.extent(layer.id)
    found: dict[str, Any] = {}
    if extent.bbox is not None:
        found["spatial"] = {"bbox": [list(extent.bbox)], "crs": crs.CRS84}
    if extent.interval is not None:
        ends = [end.astimezone(dt.UTC).isoformat().replace("+00:00", "Z") for end in extent.interval]
        found["temporal"] = {"interval": [ends], "trs": "http://www.opengis.net/def/uom/ISO-8601/0/Gregorian"}
    return {
        "id": layer.id,
        "title": layer.layer.title,
        "description": layer.layer.description,
        "itemType": "feature",
        **({"extent": found} if found else {}),
        "crs": list(crs.SUPPORTED),
        "storageCrs": crs.CRS84,
        "links": respond.links(*more, *collection_links(here, layer)),
    }


async def collections(request: Request, query: Query) -> Response:
    here = context(request)
    layers = list(here.reader.layers.values())
    if respond.wants_html(request, query):
        entries = [
            {"href": f"{here.root}/collections/{one.id}", "title": one.layer.title, "text": one.layer.description}
            for one in layers
        ]
        return await html.page(request, query, "links", "Collections", entries=entries)
    listed = [
        await describe(here, one, Link(f"{here.root}/collections/{one.id}", "self", title=one.layer.title))
        for one in layers
    ]
    links = self_links(here, "/collections")
    body = {"links": respond.links(*links), "crs": list(crs.SUPPORTED), "collections": listed}
    return await respond.json(request, body, negotiated=True, link_header=links)


async def collection(request: Request, query: Query) -> Response:
    here, layer = context(request), released(request, request.path_params["collection"])
    links = self_links(here, f"/collections/{layer.id}")
    if respond.wants_html(request, query):
        extent = await here.reader.extent(layer.id)
        facts = []
        if extent.bbox is not None:
            facts.append(("Extent (west, south, east, north)", ", ".join(f"{n:.4f}°" for n in extent.bbox)))
        if extent.interval is not None:
            facts.append(("Time", " to ".join(f"{end:%Y-%m-%d}" for end in extent.interval)))
        entries = [
            {"href": _for_people(one.href), "title": one.title, "text": ""}
            for one in collection_links(here, layer)
            if one.type != GEOJSON
        ]
        return await html.page(
            request, query, "links", layer.layer.title, description=layer.layer.description,
            sentences=layer.sentences, facts=facts, entries=entries, trail=trail(here),
        )  # fmt: skip
    body = await describe(here, layer, *links)
    return await respond.json(request, body, negotiated=True, link_header=links)


def _for_people(url: str) -> str:
    return url if url.endswith("f=html") else f"{url}?f=html"


def trail(here: Context, layer: ReleasedLayer | None = None) -> list[tuple[str, str]]:
    """The way back, for pages."""
    found = [("Collections", f"{here.root}/collections")]
    if layer is not None:
        found.append((layer.layer.title, f"{here.root}/collections/{layer.id}"))
    return found


async def schema(request: Request, query: Query) -> Response:
    return await _schema(request, query, "schema")


async def queryables(request: Request, query: Query) -> Response:
    return await _schema(request, query, "queryables")


async def _schema(request: Request, query: Query, kind: str) -> Response:
    here, layer = context(request), released(request, request.path_params["collection"])
    url = f"{here.root}/collections/{layer.id}/{kind}"
    document = schemas.schema(layer, url) if kind == "schema" else schemas.queryables(layer, url)
    if respond.wants_html(request, query):
        rows = [
            [name, part.get("title", ""), part.get("type", part.get("format", "")), ", ".join(part.get("enum", ()))]
            for name, part in document["properties"].items()
        ]
        name = "Schema" if kind == "schema" else "What can be asked for"
        return await html.page(
            request, query, "table", f"{layer.layer.title}: {name.lower()}", rows=rows,
            header=["Property", "Title", "Type", "Values"], trail=trail(here, layer),
        )  # fmt: skip
    links = self_links(here, f"/collections/{layer.id}/{kind}", media=SCHEMA)
    return await respond.json(request, document, SCHEMA, negotiated=True, link_header=links)
