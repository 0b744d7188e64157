"""`/{audience}/manifest`: all that the map page must know of an audience, in one document.

`layers` come in drawing order, lowest first. `coarse` says that the layer may hold records that stand for an area.
Labels are in the language asked for by `lang` (en, fr, ar), English where there is no other.
"""

from __future__ import annotations

from typing import Any

from starlette.requests import Request
from starlette.responses import Response

from layers.policy import ReleasedField, ReleasedLayer
from mapserver import legend, respond
from mapserver.auth import entries
from mapserver.context import Context, context, services
from mapserver.parameters import Query
from mapserver.tiles import TMS

DISCLAIMER = {
    "en": (
        "The boundaries and names shown and the designations used on this map do not imply official endorsement or "
        "acceptance by the United Nations."
    ),
    "fr": (
        "Les frontières et les noms indiqués et les désignations employées sur cette carte n’impliquent ni "
        "reconnaissance ni acceptation officielle de la part de l’Organisation des Nations Unies."
    ),
    "ar": (
        "لا تعني الحدود والأسماء المبيّنة والتسميات المستخدمة في هذه الخريطة إقرارًا أو قبولًا رسميًا "
        "من جانب الأمم المتحدة."
    ),
}


async def manifest(request: Request, query: Query) -> Response:
    here, held, lang = context(request), services(request), query["lang"]
    mission = held.policy.mission
    body = {
        "audience": entries([here.audience])[0],
        "mission": {
            "id": mission.get("id", ""),
            "title": mission.get("title", ""),
            "bbox": list(mission.get("bbox", (-180, -85, 180, 85))),
            "notices": list(mission.get("notices", ())),
        },
        "disclaimer": legend.label(DISCLAIMER, lang),
        "attribution": list(mission.get("attribution", ())),
        "layers": [_layer(here, layer, lang) for layer in here.reader.layers.values()],
    }
    return await respond.json(request, body)


def _layer(here: Context, layer: ReleasedLayer, lang: str) -> dict[str, Any]:
    style, path = layer.layer.style, f"/{here.audience.id}/collections/{layer.id}"
    return {
        "id": layer.id,
        "title": layer.layer.title,
        "description": layer.layer.description,
        "group": style.group,
        "order": style.order,
        "geometry": layer.layer.geometry,
        "visible": style.visible,
        "clustered": layer.clustered,
        "coarse": layer.area_sources,
        "time": layer.has_time,
        "sentences": list(layer.sentences),
        "colour": style.colour,
        "by": style.by if legend.coloured_by(layer) else None,
        "label": style.label if style.label in layer.field else None,
        "search": list(layer.search),
        "fields": [_field(field, lang) for field in layer.fields],
        "legend": legend.entries(layer, lang),
        "tiles": f"{path}/tiles/{TMS}/{{z}}/{{y}}/{{x}}",
        "items": f"{path}/items",
    }


def _field(field: ReleasedField, lang: str) -> dict[str, Any]:
    codes = None
    if field.codes is not None:
        codes = [
            {"code": c.code, "label": legend.label(c.label, lang), "colour": c.colour, "parent": c.parent}
            for c in field.codes.codes
        ]
    return {
        "name": field.name,
        "type": field.type,
        "label": field.label,
        "unit": field.unit,
        "description": field.description,
        "tile": field.tile,
        "codes": codes,
    }
