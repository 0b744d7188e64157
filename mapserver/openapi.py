"""`/{audience}/api`: the OpenAPI 3.0 description of one audience's API.

It is the application's own description with the audience filled in and every collection written out, so that only
released collections and properties stand in it.
"""

from __future__ import annotations

import copy
from typing import Any

from fastapi import FastAPI
from starlette.requests import Request
from starlette.responses import Response

from layers.policy import ReleasedLayer
from mapserver import html, respond, schemas, where
from mapserver.context import Context, context
from mapserver.parameters import Parameter, Query
from mapserver.respond import OPENAPI

VERSION = "1.0.0"
_PREFIX = "/{audience}"
_PATH_PARAMETERS: dict[str, dict[str, Any]] = {
    "feature": {"schema": {"type": "integer"}, "description": "Identifier of the record."},
    "tms": {"schema": {"type": "string", "enum": ["WebMercatorQuad"]}, "description": "Tile matrix set."},
    "z": {"schema": {"type": "integer", "minimum": 0, "maximum": 18}, "description": "Zoom."},
    "y": {"schema": {"type": "integer", "minimum": 0}, "description": "Row."},
    "x": {"schema": {"type": "integer", "minimum": 0}, "description": "Column."},
}
_PROBLEM = {
    "description": "A problem (RFC 9457)",
    "content": {"application/problem+json": {"schema": {"$ref": "#/components/schemas/Problem"}}},
}


def operation(path: str, parameters: tuple[Parameter, ...], media: tuple[str, ...]) -> dict[str, Any]:
    """What the router is told of a route beyond its own knowledge (`openapi_extra`)."""
    named = [part.strip("{}") for part in path.split("/") if part.startswith("{")]
    in_path = [
        {"name": name, "in": "path", "required": True, **copy.deepcopy(_PATH_PARAMETERS[name])}
        for name in named
        if name in _PATH_PARAMETERS
    ]
    binary = {"type": "string", "format": "binary"}
    content = {
        m: {"schema": {"type": "string"} if m == respond.HTML else binary if m == respond.MVT else {"type": "object"}}
        for m in media
    }
    return {
        "parameters": in_path + [one.openapi() for one in parameters],
        "responses": {
            "200": {"description": "The answer", "content": content},
            "304": {"description": "The client's copy is current"},
            "400": _PROBLEM,
            "404": _PROBLEM,
        },
    }


def document(app: FastAPI, here: Context) -> dict[str, Any]:
    """The description for the caller's audience."""
    own = app.openapi()
    paths: dict[str, Any] = {}
    for path, methods in own["paths"].items():
        if not path.startswith(f"{_PREFIX}/"):
            continue
        local = path.removeprefix(_PREFIX)
        if "{collection}" not in local:
            shared = where.shared(here.reader.layers.values())
            by_name = _by_name(next(iter(here.reader.layers.values())), shared) if shared else []
            paths[local] = _filled(methods, "", by_name if "{z}" in local else [])
            continue
        for layer in here.reader.layers.values():
            takes = local.endswith(("/items", "{x}"))
            by_name = _by_name(layer, where.queryables(layer)) if takes else []
            paths[local.replace("{collection}", layer.id)] = _filled(methods, f".{layer.id}", by_name)
    return {
        "openapi": "3.0.3",
        "info": {
            "title": f"Parallax, {here.audience.title or here.audience.id}",
            "description": f"What the audience {here.audience.id} may see. Class: {here.audience.marking}.",
            "version": VERSION,
        },
        "servers": [{"url": here.root}],
        "tags": [{"name": name} for name in ("Catalogue", "Records", "Tiles", "Map")],
        "paths": paths,
        "components": {"schemas": {"Problem": _problem_schema()}},
    }


def _filled(methods: dict[str, Any], suffix: str, by_name: list[dict[str, Any]]) -> dict[str, Any]:
    found = copy.deepcopy(methods)
    for one in found.values():
        one["operationId"] += suffix
        one["parameters"] = one.get("parameters", []) + by_name
    return found


def _by_name(layer: ReleasedLayer, names: tuple[str, ...]) -> list[dict[str, Any]]:
    """Equality parameters: one a property. Several values, separated by commas, mean any of them."""
    known = schemas.queryable_properties(layer)
    found = []
    for name in names:
        one = {k: v for k, v in known[name].items() if k in ("type", "format", "enum")}
        found.append(
            {
                "name": name,
                "in": "query",
                "required": False,
                "description": f"{known[name]['title']}: any of these values.",
                "schema": {"type": "array", "items": one},
                "style": "form",
                "explode": False,
            }
        )
    return found


def _problem_schema() -> dict[str, Any]:
    text = {"type": "string"}
    return {
        "type": "object",
        "required": ["type", "title", "status", "detail"],
        "properties": {"type": text, "title": text, "status": {"type": "integer"}, "detail": text},
    }


async def api(request: Request, query: Query) -> Response:
    here = context(request)
    description = document(request.app, here)
    if respond.wants_html(request, query):
        rows = [
            [path, one["summary"], ", ".join(p["name"] for p in one["parameters"] if p["in"] == "query")]
            for path, methods in description["paths"].items()
            for one in methods.values()
        ]
        return await html.page(
            request, query, "table", "The API", description=f"All addresses begin with {here.root}",
            header=["Address", "Answer", "Parameters"], rows=rows,
        )  # fmt: skip
    return await respond.json(request, description, OPENAPI, negotiated=True)
