"""Every route of the reader, declared once: address, endpoint, query parameters and forms of the answer.

The name is the stable operation id. Everything below `/{audience}` is served to admitted callers only
(mapserver.front) and has an entry in the leak tests. The files of the page are added by mapserver.app.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Literal

from starlette.requests import Request
from starlette.responses import Response

from mapserver import auth, catalog, features, legend, manifest, openapi, search, styles, tiles
from mapserver import parameters as p
from mapserver.parameters import Parameter, Query
from mapserver.respond import GEOJSON, HTML, JSON, MVT, OPENAPI, SCHEMA

Endpoint = Callable[[Request, Query], Awaitable[Response]]


@dataclass(frozen=True)
class Route:
    """A GET of an audience. `properties`: whose released properties may be given as parameters for equality."""

    path: str
    name: str
    summary: str
    endpoint: Endpoint
    parameters: tuple[Parameter, ...] = (p.F,)
    properties: Literal["none", "collection", "shared"] = "none"
    media: tuple[str, ...] = (JSON, HTML)
    tag: str = "Catalogue"


_ITEMS = (
    *(p.F, p.LIMIT, p.BBOX, p.BBOX_CRS, p.CRS, p.DATETIME, p.CURSOR, p.SORTBY, p.PROPERTIES, p.SKIP_GEOMETRY),
    *p.FILTERS,
)
_TILE = (p.formats("mvt"), p.DATETIME, *p.FILTERS)
_TILESET = (p.formats("json", "html", "tilejson"),)
_COLLECTION = "/{audience}/collections/{collection}"

AUDIENCE_ROUTES = (
    Route("/{audience}/", "landing", "Landing page", catalog.landing),
    Route("/{audience}", "landing-bare", "Landing page", catalog.landing),
    Route("/{audience}/conformance", "conformance", "Standards that this API follows", catalog.conformance),
    Route("/{audience}/api", "api", "This description", openapi.api, media=(OPENAPI, HTML)),
    Route("/{audience}/collections", "collections", "Collections", catalog.collections),
    Route(_COLLECTION, "collection", "A collection", catalog.collection),
    Route(f"{_COLLECTION}/schema", "schema", "Properties of its records", catalog.schema, media=(SCHEMA, HTML)),
    Route(
        f"{_COLLECTION}/queryables", "queryables", "Properties that can be asked for", catalog.queryables,
        media=(SCHEMA, HTML),
    ),
    Route(
        f"{_COLLECTION}/items", "items", "Records", features.items, _ITEMS, "collection", (GEOJSON, HTML), "Records",
    ),
    Route(
        f"{_COLLECTION}/items/{{feature}}", "item", "One record", features.item, (p.F, p.CRS), "none", (GEOJSON, HTML),
        "Records",
    ),
    Route(f"{_COLLECTION}/tiles", "collection-tilesets", "Tilesets of a collection", tiles.tilesets, tag="Tiles"),
    Route(
        f"{_COLLECTION}/tiles/{{tms}}", "collection-tileset", "A tileset of a collection", tiles.tileset, _TILESET,
        tag="Tiles",
    ),
    Route(
        f"{_COLLECTION}/tiles/{{tms}}/{{z}}/{{y}}/{{x}}", "collection-tile", "A tile of a collection",
        tiles.tile, _TILE, "collection", (MVT,), "Tiles",
    ),
    Route(
        "/{audience}/tiles", "tilesets", "Tilesets of everything", tiles.tilesets, (p.F, p.COLLECTIONS), tag="Tiles",
    ),
    Route(
        "/{audience}/tiles/{tms}", "tileset", "A tileset of everything", tiles.tileset, (*_TILESET, p.COLLECTIONS),
        tag="Tiles",
    ),
    Route(
        "/{audience}/tiles/{tms}/{z}/{y}/{x}", "tile", "A tile of everything", tiles.tile, (*_TILE, p.COLLECTIONS),
        "shared", (MVT,), "Tiles",
    ),
    Route("/{audience}/tileMatrixSets", "matrix-sets", "Tile matrix sets", tiles.matrix_sets, tag="Tiles"),
    Route("/{audience}/tileMatrixSets/{tms}", "matrix-set", "A tile matrix set", tiles.matrix_set, tag="Tiles"),
    Route(
        "/{audience}/style.json", "style", "The map as a MapLibre style", styles.style, (p.THEME, p.LANG),
        media=(JSON,), tag="Map",
    ),
    Route("/{audience}/legend", "legend", "The legend of the map", legend.legend, (p.F, p.LANG), tag="Map"),
    Route(
        "/{audience}/manifest", "manifest", "What the map page needs", manifest.manifest, (p.LANG,), media=(JSON,),
        tag="Map",
    ),
    Route("/{audience}/search", "search", "Names, titles, summaries, coordinates", search.search, (p.F, p.Q, p.HITS),
          tag="Map"),
)  # fmt: skip

SESSION_ROUTES = (
    ("GET", "/api/session", "session", auth.show_session),
    ("POST", "/api/session", "sign-in", auth.sign_in),
    ("DELETE", "/api/session", "sign-out", auth.sign_out),
)
