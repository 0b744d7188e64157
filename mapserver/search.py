"""`/{audience}/search?q=`: coordinates and grid references first, then names, titles and summaries as released.

A hit is `{"kind", "layer", "id", "title", "detail", "lon", "lat", "bbox", "href"}`; `kind` is `place` for coordinates
and `record` for a record. Ranks and matches come from the audience's own release alone.
"""

from __future__ import annotations

from typing import Any

from starlette.requests import Request
from starlette.responses import Response

from layers.door import Hit
from mapserver import html, places, respond
from mapserver.context import Context, context
from mapserver.errors import bad
from mapserver.parameters import Query

LONGEST = 200


async def search(request: Request, query: Query) -> Response:
    here, text = context(request), query["q"]
    if text is None:
        raise bad("q: say what to search for")
    if len(text) > LONGEST:
        raise bad(f"q: longer than {LONGEST} characters")
    found: list[dict[str, Any]] = []
    place = places.find(text)
    if place is not None:
        found.append(_place(place))
    found += [_record(here, hit) for hit in await here.reader.search(text, query["limit"])]
    found = found[: query["limit"]]
    if respond.wants_html(request, query):
        rows = [[_link(one), one["layer"] or "coordinates", one["detail"] or ""] for one in found]
        return await html.page(
            request, query, "table", "Search", description=f"{len(found)} hits for “{text}”.",
            header=["Hit", "Where", "Detail"], rows=rows,
        )  # fmt: skip
    return await respond.json(request, {"hits": found}, negotiated=True)


def _link(hit: dict[str, Any]) -> Any:
    return {"href": f"{hit['href']}?f=html", "text": hit["title"]} if hit["href"] else hit["title"]


def _place(place: places.Place) -> dict[str, Any]:
    return {
        "kind": "place",
        "layer": None,
        "id": None,
        "title": place.title,
        "detail": places.to_mgrs(place.lon, place.lat),
        "lon": place.lon,
        "lat": place.lat,
        "bbox": place.bbox,
        "href": None,
    }


def _record(here: Context, hit: Hit) -> dict[str, Any]:
    return {
        "kind": "record",
        "layer": hit.layer,
        "id": hit.fid,
        "title": hit.title,
        "detail": hit.detail,
        "lon": hit.lon,
        "lat": hit.lat,
        "bbox": hit.bbox,
        "href": f"{here.root}/collections/{hit.layer}/items/{hit.fid}",
    }
