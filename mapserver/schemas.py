"""JSON Schemas of what an audience gets: the properties of a collection, and which of them can be asked for.

Only released properties exist here. Enumerations are the mission's code lists, which are the same for everybody.
"""

from __future__ import annotations

from typing import Any

from layers.layer import PLACE_PRECISIONS, TIME_PRECISIONS
from layers.policy import ReleasedField, ReleasedLayer

DIALECT = "https://json-schema.org/draft/2020-12/schema"
GEOMETRY = "geometry"
_TYPES: dict[str, dict[str, Any]] = {
    "text": {"type": "string"},
    "code": {"type": "string"},
    "integer": {"type": "integer"},
    "number": {"type": "number"},
    "date": {"type": "string", "format": "date"},
    "datetime": {"type": "string", "format": "date-time"},
    "boolean": {"type": "boolean"},
}
_FORMATS = {"point": "geometry-any", "line": "geometry-any", "polygon": "geometry-any"}


def field_schema(field: ReleasedField) -> dict[str, Any]:
    out: dict[str, Any] = {"title": field.label, **_TYPES[field.type]}
    if field.description:
        out["description"] = field.description
    if field.unit:
        out["x-ogc-unit"] = field.unit
    if field.codes is not None:
        out["enum"] = [code.code for code in field.codes.codes]
    return out


def _place() -> dict[str, Any]:
    return {
        "place_precision": {
            "title": "How well the place is known",
            "type": "string",
            "enum": [*PLACE_PRECISIONS[:2], "cell", *PLACE_PRECISIONS[2:]],
        }
    }


def _area() -> dict[str, Any]:
    return {
        "area": {"title": "Area in which the record lies", "type": "string"},
        "area_label": {"title": "Name of that area", "type": "string"},
        "uncertainty_km": {"title": "How wide that area is", "type": "number", "x-ogc-unit": "km"},
    }


def _time() -> dict[str, Any]:
    return {
        "time_from": {
            "title": "From", "type": "string", "format": "date-time", "x-ogc-role": "primary-interval-start",
        },
        "time_to": {
            "title": "To (excluded)", "type": "string", "format": "date-time", "x-ogc-role": "primary-interval-end",
        },
        "time_precision": {
            "title": "How well the time is known", "type": "string", "enum": list(TIME_PRECISIONS),
        },
    }  # fmt: skip


def _geometry(layer: ReleasedLayer) -> dict[str, Any]:
    return {GEOMETRY: {"title": "Place", "format": _FORMATS[layer.layer.geometry], "x-ogc-role": "primary-geometry"}}


def properties(layer: ReleasedLayer) -> dict[str, Any]:
    """Every property of a record in the answer of `items`, in order."""
    out = {field.name: field_schema(field) for field in layer.fields}
    return {**out, **_place(), **_area(), **(_time() if layer.has_time else {})}


def queryable_properties(layer: ReleasedLayer) -> dict[str, Any]:
    """The properties that filter, sortby and equality may name."""
    out = {field.name: field_schema(field) for field in layer.fields}
    area = {"area": _area()["area"]}
    return {**out, **_place(), **area, **(_time() if layer.has_time else {})}


def schema(layer: ReleasedLayer, url: str) -> dict[str, Any]:
    identity = {"id": {"title": "Identifier", "type": "integer", "x-ogc-role": "id"}}
    return _document(layer, url, {**identity, **_geometry(layer), **properties(layer)})


def queryables(layer: ReleasedLayer, url: str) -> dict[str, Any]:
    return _document(layer, url, {**_geometry(layer), **queryable_properties(layer)})


def _document(layer: ReleasedLayer, url: str, found: dict[str, Any]) -> dict[str, Any]:
    return {
        "$schema": DIALECT,
        "$id": url,
        "type": "object",
        "title": layer.layer.title,
        "description": layer.layer.description,
        "properties": found,
        "additionalProperties": False,
    }
