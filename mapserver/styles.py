"""`/{audience}/style.json`: the whole map of an audience as a MapLibre style (version 8), light or dark.

Sources: `base` holds all collections of the base map in one tile; every other collection has a source of its own,
named like it. There is no `glyphs` and no `sprite`: MapLibre draws text with the page's own fonts. The images of
hatched areas are made by the page: the style's metadata `parallax:hatches` gives their id and colour.
"""

from __future__ import annotations

from typing import Any

from starlette.requests import Request
from starlette.responses import Response

from layers.policy import ReleasedLayer
from mapserver import respond
from mapserver.context import context, services
from mapserver.parameters import Query
from mapserver.style_layers import THEMES, Builder, hatch
from mapserver.tiles import DATA_ZOOM, TMS

BASE = "base"
_GROUPS = ("base", "reference", "operations")


async def style(request: Request, query: Query) -> Response:
    here, theme = context(request), THEMES[query["theme"]]
    mission = services(request).policy.mission
    layers = sorted(
        here.reader.layers.values(),
        key=lambda one: (_GROUPS.index(one.layer.style.group), one.layer.style.order, one.id),
    )
    attribution = "; ".join(mission.get("attribution", ()))
    base = [one.id for one in layers if one.layer.style.group == "base"]
    sources: dict[str, Any] = {}
    if base:
        chosen = f"?collections={','.join(sorted(base))}"
        sources[BASE] = _source(f"{here.root}/tiles/{TMS}/{{z}}/{{y}}/{{x}}{chosen}", attribution)
    for one in layers:
        if one.id not in base:
            sources[one.id] = _source(f"{here.root}/collections/{one.id}/tiles/{TMS}/{{z}}/{{y}}/{{x}}", "")
    builders = [Builder(one, BASE if one.id in base else one.id, theme) for one in layers]
    bottom = [b for b in builders if b.source == BASE]
    drawn = [part for b in bottom for part in b.shapes] + [part for b in bottom for part in b.labels]
    drawn += [part for b in builders if b.source != BASE for part in (*b.shapes, *b.labels)]
    west, south, east, north = mission.get("bbox", (-180, -85, 180, 85))
    body = {
        "version": 8,
        "name": f"Parallax, {here.audience.title or here.audience.id}",
        "metadata": {
            "parallax:audience": here.audience.id,
            "parallax:marking": here.audience.marking,
            "parallax:theme": theme.name,
            "parallax:hatches": _hatches(layers),
        },
        "center": [(west + east) / 2, (south + north) / 2],
        "zoom": 5,
        "sources": sources,
        "layers": [
            {"id": "background", "type": "background", "paint": {"background-color": theme.background}},
            *drawn,
        ],
    }
    return await respond.json(request, body)


def _source(url: str, attribution: str) -> dict[str, Any]:
    found = {"type": "vector", "tiles": [url], "minzoom": 0, "maxzoom": DATA_ZOOM}
    return {**found, "attribution": attribution} if attribution else found


def _hatches(layers: list[ReleasedLayer]) -> dict[str, str]:
    return {hatch(one.layer.style.colour): one.layer.style.colour for one in layers if one.area_sources}
