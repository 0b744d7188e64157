"""The description of an audience's API is valid OpenAPI 3.0, complete, and names nothing that is not released."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from typing import Any

import httpx
import jsonschema
import pytest
from fastapi.openapi.models import OpenAPI

from layers.policy import Policy
from mapserver.routes import AUDIENCE_ROUTES


def describe(client: httpx.Client, audience: str) -> dict[str, Any]:
    answer = client.get(f"/{audience}/api")
    assert answer.headers["content-type"] == "application/vnd.oai.openapi+json;version=3.0"
    found: dict[str, Any] = answer.json()
    return found


@pytest.fixture
def analyst(sign_in: Callable[[str], httpx.Client]) -> httpx.Client:
    return sign_in("analyst")


@pytest.mark.parametrize("audience", ["public", "strict_ops"])
def test_it_is_valid(analyst: httpx.Client, audience: str) -> None:
    description = describe(analyst, audience)
    assert description["openapi"] == "3.0.3"
    OpenAPI.model_validate(description)
    names = [one["operationId"] for methods in description["paths"].values() for one in methods.values()]
    assert len(names) == len(set(names))
    for path, methods in description["paths"].items():
        for one in methods.values():
            parameters = [(p["name"], p["in"]) for p in one["parameters"]]
            assert len(parameters) == len(set(parameters))
            assert {name for name, place in parameters if place == "path"} == set(re.findall(r"{(\w+)}", path))
            assert one["responses"]["200"]["description"]
    for part in parts(description):
        if "$ref" in part:
            assert part["$ref"] == "#/components/schemas/Problem"
        # words of JSON Schema that OpenAPI 3.0 does not have
        assert not {"const", "$schema", "examples", "prefixItems"} & set(part)
        assert not isinstance(part.get("type"), list)
        if part.get("type") == "array":
            assert "items" in part


def parts(value: Any) -> Iterator[dict[str, Any]]:
    """Every object of a document."""
    if isinstance(value, dict):
        yield value
        value = list(value.values())
    if isinstance(value, list):
        for one in value:
            yield from parts(one)


def test_it_names_every_route_and_collection(client: httpx.Client, policy: Policy) -> None:
    paths = describe(client, "public")["paths"]
    for route in AUDIENCE_ROUTES:
        local = route.path.removeprefix("/{audience}")
        for layer in policy.released("public") if "{collection}" in local else ("",):
            assert not local or local.replace("{collection}", layer) in paths
    assert not any("bases" in path or "{collection}" in path for path in paths)


def test_only_released_properties_are_parameters(analyst: httpx.Client, policy: Policy) -> None:
    for audience in ("public", "strict"):
        paths = describe(analyst, audience)["paths"]
        for layer in policy.released(audience).values():
            operation = paths[f"/collections/{layer.id}/items"]["get"]
            names = {p["name"] for p in operation["parameters"]}
            hidden = set(layer.layer.field) - {f.name for f in layer.fields}
            assert {f.name for f in layer.fields} <= names
            assert not hidden & names


def test_parameters_of_the_description_are_those_that_are_taken(client: httpx.Client) -> None:
    operation = describe(client, "public")["paths"]["/collections/settlements/items"]["get"]
    refused = client.get("/public/collections/settlements/items?nosuch=1").json()["detail"]
    assert all(p["name"] in refused for p in operation["parameters"] if p["in"] == "query")
    limit = next(p for p in operation["parameters"] if p["name"] == "limit")
    assert (limit["schema"]["minimum"], limit["schema"]["maximum"]) == (1, 1000)


def test_conformance_is_that_of_the_landing_page(client: httpx.Client) -> None:
    classes = client.get("/public/conformance").json()["conformsTo"]
    assert len(set(classes)) == len(classes)
    wanted = (
        "http://www.opengis.net/spec/ogcapi-features-1/1.0/conf/core",
        "http://www.opengis.net/spec/ogcapi-features-2/1.0/conf/crs",
        "http://www.opengis.net/spec/ogcapi-features-3/1.0/conf/features-filter",
        "http://www.opengis.net/spec/cql2/1.0/conf/basic-cql2",
        "http://www.opengis.net/spec/ogcapi-tiles-1/1.0/conf/mvt",
    )
    assert set(wanted) <= set(classes)
    links = client.get("/public/").json()["links"]
    for one in links:
        if not one.get("templated"):
            assert client.get(one["href"]).status_code == 200, one
    assert {"self", "service-desc", "service-doc", "conformance", "data"} <= {one["rel"] for one in links}


def test_schemas_fit_the_records(analyst: httpx.Client) -> None:
    for collection in analyst.get("/strict_ops/collections").json()["collections"]:
        path = f"/strict_ops/collections/{collection['id']}"
        schema = analyst.get(f"{path}/schema").json()
        jsonschema.Draft202012Validator.check_schema(schema)
        nullable = {
            name: {**part, **({"type": [part["type"], "null"]} if "type" in part else {})}
            for name, part in schema["properties"].items()
        }
        for part in nullable.values():
            if "enum" in part:
                part["enum"] = [*part["enum"], None]
        check = jsonschema.Draft202012Validator(
            {"type": "object", "properties": nullable, "additionalProperties": False},
            format_checker=jsonschema.FormatChecker(),
        )
        for feature in analyst.get(f"{path}/items").json()["features"]:
            check.validate(feature["properties"])
