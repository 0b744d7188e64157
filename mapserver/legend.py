"""The legend of an audience: what each symbol of its layers means, from the declarations and what is released.

Entries: `{"label", "colour", "kind": "circle" | "fill" | "line" | "hatch", "dash": [on, off, …] | null, "value"}`;
`value` is the code that the entry stands for, or null. A property that is not released gives no colours.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from starlette.requests import Request
from starlette.responses import Response

from layers.layer import Code
from layers.policy import ReleasedLayer
from mapserver import html, respond
from mapserver.context import context
from mapserver.parameters import Query

_SOMEWHERE = {
    "en": "Somewhere in this area",
    "fr": "Quelque part dans cette zone",
    "ar": "في مكان ما من هذه المنطقة",
}
_SEVERAL = {"en": "Several records", "fr": "Plusieurs entrées", "ar": "عدة سجلات"}


def coloured_by(layer: ReleasedLayer) -> tuple[Code, ...]:
    """The codes that give the layer's colours; none when their property is not released as a code."""
    name = layer.layer.style.by
    field = layer.field.get(name) if name else None
    return field.codes.codes if field is not None and field.codes is not None else ()


def label(texts: Mapping[str, str], lang: str) -> str:
    return texts.get(lang, texts["en"])


def entries(layer: ReleasedLayer, lang: str = "en") -> list[dict[str, Any]]:
    style = layer.layer.style
    found = []
    for code in coloured_by(layer):
        if code.parent is not None:
            continue
        paint = style.paint.get(code.code, style.paint.get("*", {}))
        kind, colour, dash = _look(layer, paint, code.colour or style.colour)
        if kind:
            found.append(_entry(label(code.label, lang), colour, kind, dash, code.code))
    if not found:
        kind = {"point": "circle", "line": "line", "polygon": "fill"}[layer.layer.geometry]
        found.append(_entry(layer.layer.title, style.colour, kind, None, None))
    if layer.clustered:
        found.append(_entry(label(_SEVERAL, lang), style.colour, "circle", None, None))
    if layer.area_sources:
        found.append(_entry(label(_SOMEWHERE, lang), style.colour, "hatch", None, None))
    return found


def _look(layer: ReleasedLayer, paint: Mapping[str, Any], colour: str) -> tuple[str, str, list[float] | None]:
    """Kind, colour and dashes of one code; no kind when it is not drawn."""
    if layer.layer.geometry == "point":
        return "circle", colour, None
    if paint.get("line-width", 0) > 0:
        return "line", paint.get("line-color", colour), paint.get("line-dasharray")
    if "fill-color" in paint and paint.get("fill-opacity", 1) > 0:
        return "fill", paint["fill-color"], None
    if not paint:
        return ("fill" if layer.layer.geometry == "polygon" else "line"), colour, None
    return "", colour, None


def _entry(text: str, colour: str, kind: str, dash: list[float] | None, value: str | None) -> dict[str, Any]:
    return {"label": text, "colour": colour, "kind": kind, "dash": dash, "value": value}


async def legend(request: Request, query: Query) -> Response:
    layers = [
        {
            "id": layer.id,
            "title": layer.layer.title,
            "group": layer.layer.style.group,
            "sentences": list(layer.sentences),
            "legend": entries(layer, query["lang"]),
        }
        for layer in context(request).reader.layers.values()
    ]
    if respond.wants_html(request, query):
        return await html.page(request, query, "legend", "Legend", layers=layers)
    return await respond.json(request, {"layers": layers}, negotiated=True)
