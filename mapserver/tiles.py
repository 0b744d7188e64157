"""Vector tiles of a collection or of all of them: OGC API Tiles in WebMercatorQuad, MVT, with TileJSON.

An empty tile is 200 with an empty body: whether something lies in a tile never shows in the status. Tiles take the
same `datetime`, `filter`, `area` and property parameters as records do. Source layers of a tile, per collection L:
`L`, `L_clusters` (zoom ≤ 8), `L_stacks`, `L_areas`, `L_area_labels`; see mapserver.style_layers for their use.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from starlette.requests import Request
from starlette.responses import Response

from layers.policy import ReleasedLayer
from mapserver import crs, html, respond, schemas, where
from mapserver.catalog import self_links, trail
from mapserver.context import Context, context, released, services
from mapserver.errors import bad, not_found
from mapserver.parameters import Query
from mapserver.respond import JSON, MVT, Link

TMS = "WebMercatorQuad"
TMS_URI = "http://www.opengis.net/def/tilematrixset/OGC/1.0/WebMercatorQuad"
MAX_ZOOM = 18
"""Tiles are served up to here."""
DATA_ZOOM = 14
"""Tiles hold full detail from here on; a map need not ask for deeper ones."""
CLUSTER_ZOOM = 8


def _layers(request: Request, query: Query) -> list[ReleasedLayer]:
    """The collections that the tile or tileset is of."""
    here = context(request)
    if "collection" in request.path_params:
        return [released(request, request.path_params["collection"])]
    chosen = query.values.get("collections")
    if chosen is None:
        return list(here.reader.layers.values())
    for name in chosen:
        if name not in here.reader.layers:
            raise bad(f"collections: there is no collection {name[:60]!r}")
    return [layer for layer in here.reader.layers.values() if layer.id in chosen]


def _path(request: Request) -> str:
    collection = request.path_params.get("collection")
    return f"/collections/{collection}/tiles" if collection else "/tiles"


async def tile(request: Request, query: Query) -> Response:
    here = context(request)
    layers = _layers(request, query)
    z, y, x = (_index(request.path_params[name]) for name in ("z", "y", "x"))
    if request.path_params["tms"] != TMS or z > MAX_ZOOM or x >= 2**z or y >= 2**z:
        raise not_found()
    ids = [layer.id for layer in layers]
    data = await here.reader.tile(ids, z, x, y, where.build(query))
    here.cached_for = tuple(ids)
    return await respond.reply(request, data, MVT)


def _index(text: str) -> int:
    if not (text.isascii() and text.isdigit() and len(text) <= 9):
        raise not_found()
    return int(text)


async def tilesets(request: Request, query: Query) -> Response:
    here, layers, path = context(request), _layers(request, query), _path(request)
    url = f"{here.root}{path}/{TMS}"
    if respond.wants_html(request, query):
        entries = [{"href": f"{url}?f=html", "title": "Web Mercator", "text": TMS_URI}]
        return await html.page(
            request, query, "links", "Vector tiles", entries=entries, trail=_trail(here, layers, path)
        )
    tileset = {
        "title": "Vector tiles in Web Mercator",
        "dataType": "vector",
        "crs": crs.EPSG3857,
        "tileMatrixSetURI": TMS_URI,
        "links": respond.links(
            Link(url, "self", title="Tileset"),
            Link(
                f"{here.root}/tileMatrixSets/{TMS}", "http://www.opengis.net/def/rel/ogc/1.0/tiling-scheme", JSON, TMS
            ),
            _item_link(url),
        ),
    }
    links = self_links(here, path)
    body = {"tilesets": [tileset], "links": respond.links(*links)}
    return await respond.json(request, body, negotiated=True, link_header=links)


def _item_link(url: str) -> Link:
    return Link(f"{url}/{{tileMatrix}}/{{tileRow}}/{{tileCol}}", "item", MVT, "Tiles", templated=True)


def _trail(here: Context, layers: Sequence[ReleasedLayer], path: str) -> list[tuple[str, str]]:
    return trail(here, layers[0]) if path.startswith("/collections/") else trail(here)[:0]


async def tileset(request: Request, query: Query) -> Response:
    if request.path_params["tms"] != TMS:
        raise not_found()
    here, layers, path = context(request), _layers(request, query), _path(request)
    url = f"{here.root}{path}/{TMS}"
    if query.values.get("f") == "tilejson":
        return await respond.json(request, tilejson(request, layers, path))
    if respond.wants_html(request, query):
        facts = [("Tiles", f"{url}/{{z}}/{{y}}/{{x}}"), ("TileJSON", f"{url}?f=tilejson"), ("Zoom", f"0 to {MAX_ZOOM}")]
        return await html.page(request, query, "links", "Vector tiles", facts=facts, trail=_trail(here, layers, path))
    links = [
        *self_links(here, f"{path}/{TMS}"),
        Link(f"{url}?f=tilejson", "describedby", JSON, "TileJSON"),
        Link(f"{here.root}/tileMatrixSets/{TMS}", "http://www.opengis.net/def/rel/ogc/1.0/tiling-scheme", JSON, TMS),
        _item_link(url),
    ]
    west, south, east, north = _bounds(request)
    body = {
        "title": "Vector tiles in Web Mercator",
        "dataType": "vector",
        "crs": crs.EPSG3857,
        "tileMatrixSetURI": TMS_URI,
        "tileMatrixSetLimits": [
            {
                "tileMatrix": str(z), "minTileRow": 0, "maxTileRow": 2**z - 1, "minTileCol": 0, "maxTileCol": 2**z - 1,
            }
            for z in range(MAX_ZOOM + 1)
        ],
        "boundingBox": {"lowerLeft": [west, south], "upperRight": [east, north], "crs": crs.CRS84},
        "layers": [
            {
                "id": layer.id,
                "title": layer.layer.title,
                "dataType": "vector",
                "geometryDimension": {"point": 0, "line": 1, "polygon": 2}[layer.layer.geometry],
                "propertiesSchema": {"type": "object", "properties": _tile_properties(layer)},
            }
            for layer in layers
        ],
        "links": respond.links(*links),
    }  # fmt: skip
    return await respond.json(request, body, negotiated=True, link_header=links[:2])


def _bounds(request: Request) -> tuple[float, float, float, float]:
    """The mission's box from the rule file: a constant, not the extent of anything hidden."""
    west, south, east, north = services(request).policy.mission.get("bbox", (-180, -85, 180, 85))
    return west, south, east, north


def _tile_properties(layer: ReleasedLayer) -> dict[str, Any]:
    out = {f.name: schemas.field_schema(f) for f in layer.fields if f.tile}
    out["place_precision"] = {"type": "string"}
    if layer.has_time:
        day = {"type": "string", "format": "date"}
        out |= {"time_from": day, "time_to": day, "time_precision": {"type": "string"}}
    return out


_JSON_TYPES = {"integer": "Number", "number": "Number", "boolean": "Boolean"}


def vector_layers(layer: ReleasedLayer) -> list[dict[str, Any]]:
    """The source layers that a tile of this collection may have (TileJSON 3.0)."""
    fields = {n: _JSON_TYPES.get(s["type"], "String") for n, s in _tile_properties(layer).items()}
    found: list[dict[str, Any]] = [{"id": layer.id, "description": layer.layer.title, "fields": fields}]
    if layer.clustered:
        counted = {"n": "Number"}
        found.append({"id": f"{layer.id}_clusters", "fields": counted, "minzoom": 0, "maxzoom": CLUSTER_ZOOM})
        found.append({"id": f"{layer.id}_stacks", "fields": counted, "minzoom": CLUSTER_ZOOM + 1, "maxzoom": DATA_ZOOM})
    if layer.area_sources:
        area = {"area": "String", "label": "String", "km": "Number", "precision": "String", "n": "Number"}
        found.append({"id": f"{layer.id}_areas", "fields": area})
        found.append({"id": f"{layer.id}_area_labels", "fields": area})
    return found


def tilejson(request: Request, layers: Sequence[ReleasedLayer], path: str) -> dict[str, Any]:
    here = context(request)
    chosen = ""
    if path == "/tiles" and len(layers) < len(here.reader.layers):
        chosen = f"?collections={','.join(layer.id for layer in layers)}"
    return {
        "tilejson": "3.0.0",
        "name": layers[0].layer.title if path != "/tiles" else "Parallax",
        "tiles": [f"{here.root}{path}/{TMS}/{{z}}/{{y}}/{{x}}{chosen}"],
        "minzoom": 0,
        "maxzoom": DATA_ZOOM,
        "bounds": list(_bounds(request)),
        "attribution": "; ".join(services(request).policy.mission.get("attribution", ())),
        "vector_layers": [part for layer in layers for part in vector_layers(layer)],
    }


async def matrix_sets(request: Request, query: Query) -> Response:
    here = context(request)
    url = f"{here.root}/tileMatrixSets/{TMS}"
    if respond.wants_html(request, query):
        entries = [{"href": f"{url}?f=html", "title": "Web Mercator", "text": TMS_URI}]
        return await html.page(request, query, "links", "Tile matrix sets", entries=entries)
    one = {"id": TMS, "title": "Web Mercator", "uri": TMS_URI, "crs": crs.EPSG3857}
    one["links"] = respond.links(Link(url, "self", title=TMS))  # type: ignore[assignment]
    return await respond.json(request, {"tileMatrixSets": [one]}, negotiated=True)


async def matrix_set(request: Request, query: Query) -> Response:
    if request.path_params["tms"] != TMS:
        raise not_found()
    if respond.wants_html(request, query):
        rows = [[m["id"], f"{m['scaleDenominator']:,.0f}", f"{m['matrixWidth']:,}"] for m in _matrices()]
        return await html.page(
            request, query, "table", "Web Mercator", header=["Zoom", "Scale 1:", "Tiles a side"], rows=rows
        )
    body = {
        "id": TMS,
        "title": "Web Mercator",
        "uri": TMS_URI,
        "crs": crs.EPSG3857,
        "orderedAxes": ["X", "Y"],
        "wellKnownScaleSet": "http://www.opengis.net/def/wkss/OGC/1.0/GoogleMapsCompatible",
        "tileMatrices": _matrices(),
    }
    return await respond.json(request, body, negotiated=True)


def _matrices() -> list[dict[str, Any]]:
    found = []
    for z in range(MAX_ZOOM + 1):
        cell = 2 * crs.WORLD / 256 / 2**z
        found.append(
            {
                "id": str(z),
                "scaleDenominator": cell / 0.00028,
                "cellSize": cell,
                "cornerOfOrigin": "topLeft",
                "pointOfOrigin": [-crs.WORLD, crs.WORLD],
                "tileWidth": 256,
                "tileHeight": 256,
                "matrixWidth": 2**z,
                "matrixHeight": 2**z,
            }
        )
    return found
