"""The desk: the process that writes to the vault. `create_app(settings)`; listens on `settings.desk_port`.

`POST /desk/{layer}/records` takes a GeoJSON Feature or FeatureCollection whose properties are the columns of the
layer with `level` and `compartments`; all are written in one transaction or none. A feature without `id` becomes a new
record with an id made here; one with `id` replaces the record of the desk with that id. `DELETE
/desk/{layer}/records/{source_system}/{source_id}` deletes one. Only editors may, and only records whose label one of
their audiences dominates, before and after the edit; any other record is not found. Nothing of the vault is answered.
"""

from __future__ import annotations

import asyncio
import csv
import hashlib
import secrets
import tempfile
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import orjson
from fastapi import FastAPI
from starlette.requests import Request
from starlette.responses import Response
from starlette.types import ASGIApp, Receive, Scope, Send

from ingest import pipeline
from ingest.errors import IngestError
from layers import policy as policies
from layers.audience import LEVELS
from layers.policy import Policy
from layers.registry import all_layers
from layers.vault import Provenance, Vault, VaultError
from mapserver import delivery, errors, security
from mapserver import settings as configuration
from mapserver.errors import Problem, bad, not_found
from mapserver.sessions import ANYBODY, Caller, Sessions
from mapserver.settings import Settings

MAX_BODY = 20_000_000
MAX_RECORDS = 5_000
SLOW = 120.0
NATIVE = "parallax"
"""Source system of records that are written here, and the import profile of our own column names."""

_LONGEST_ID = 200


@dataclass(frozen=True)
class Desk:
    settings: Settings
    policy: Policy
    sessions: Sessions
    vault_dsn: str


def create_app(settings: Settings | None = None) -> ASGIApp:
    """The desk over `settings.desk_dsn` and `settings.auth_dsn`. Raises SettingsError when one is missing."""
    settings = settings or configuration.load()
    if not settings.desk_dsn or not settings.auth_dsn:
        raise configuration.SettingsError("the desk needs desk_dsn and auth_dsn")
    desk = Desk(settings, policies.load(settings.policy), Sessions(settings.auth_dsn, size=2), settings.desk_dsn)

    @asynccontextmanager
    async def life(_: FastAPI) -> AsyncIterator[None]:
        await desk.sessions.open()
        try:
            yield
        finally:
            await desk.sessions.close()

    app = FastAPI(
        title="Parallax desk", lifespan=life, openapi_url=None, docs_url=None, redoc_url=None, redirect_slashes=False
    )
    app.state.desk = desk
    errors.install(app)
    app.add_api_route("/desk/health", _health, name="desk-health", response_model=None)
    app.add_api_route("/desk/{layer}/records", write, methods=["POST"], name="desk-write", response_model=None)
    app.add_api_route(
        "/desk/{layer}/records/{source_system}/{source_id:path}", delete, methods=["DELETE"], name="desk-delete",
        response_model=None,
    )  # fmt: skip
    return _Front(app, settings.https)


class _Front:
    """The same limits and headers as the reader's; a larger body."""

    def __init__(self, app: FastAPI, https: bool) -> None:
        self.app = app
        self.https = https
        documents, data = security.headers(https)
        self.headers = delivery.Headers(data, documents)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http":
            if self.https:
                scope["scheme"] = "https"
            await delivery.deliver(self.app, scope, receive, send, self.headers, MAX_BODY, SLOW)
        elif scope["type"] == "lifespan":
            await self.app(scope, receive, send)
        else:
            await send({"type": "websocket.close", "code": 1008})


async def _health(_: Request) -> Response:
    return Response(b'{"status":"ok"}', 200, {"Cache-Control": "no-store"}, "application/json")


# --- who may ---------------------------------------------------------------------------------------------------------


async def _editor(request: Request) -> tuple[Desk, Caller]:
    """The desk and the editor who asks. Raises 403 problems."""
    desk: Desk = request.app.state.desk
    security.check_same_origin(request)
    caller = await desk.sessions.caller(request.scope)
    if caller is ANYBODY or not caller.editor:
        raise Problem(403, "Sign in with an account that may edit.")
    return desk, caller


def _may(desk: Desk, caller: Caller, level: str, compartments: list[str]) -> bool:
    held = (desk.policy.audiences[a] for a in caller.audiences if a in desk.policy.audiences)
    return any(a.partner is None and a.dominates(level, compartments) for a in held)


def _layer(request: Request) -> str:
    name: str = request.path_params["layer"]
    if name not in all_layers():
        raise not_found()
    return name


# --- writing ---------------------------------------------------------------------------------------------------------


async def write(request: Request) -> Response:
    desk, caller = await _editor(request)
    layer = _layer(request)
    media = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if media not in ("application/geo+json", "application/json"):
        raise Problem(415, "Send the records as application/geo+json.")
    records = _features(await request.body())
    for number, record in enumerate(records, 1):
        level, compartments = _label(number, record["properties"])
        if not _may(desk, caller, level, compartments):
            raise Problem(403, f"Record {number}: your audiences do not cover its class and compartments.")
    done = await asyncio.to_thread(_store, desk, caller, layer, records)
    return Response(orjson.dumps(done), 200, {"Cache-Control": "no-store"}, "application/json")


def _features(body: bytes) -> list[dict[str, Any]]:
    """The features with flat properties; lists as the native profile wants them. Raises 400 and 422 problems."""
    try:
        data = orjson.loads(body)
    except orjson.JSONDecodeError:
        raise bad("The body is not valid JSON.") from None
    listed = data.get("features") if isinstance(data, dict) and data.get("type") == "FeatureCollection" else [data]
    if not isinstance(listed, list) or not 0 < len(listed) <= MAX_RECORDS:
        raise bad(f"The body must be a GeoJSON Feature, or a FeatureCollection of 1 to {MAX_RECORDS} features.")
    found = []
    for number, one in enumerate(listed, 1):
        if not isinstance(one, dict) or one.get("type") != "Feature" or not isinstance(one.get("properties"), dict):
            raise bad(f"Record {number} is no GeoJSON Feature with properties.")
        name = one.get("id")
        if name is not None and (not isinstance(name, str) or not 0 < len(name) <= _LONGEST_ID):
            raise bad(f"Record {number}: id must be a text of at most {_LONGEST_ID} characters.")
        if "source_id" in one["properties"]:
            raise bad(f"Record {number}: write the id of the record as the feature's id.")
        found.append({"id": name, "geometry": one.get("geometry"), "properties": one["properties"]})
    return found


def _label(number: int, properties: Mapping[str, Any]) -> tuple[str, list[str]]:
    level, compartments = properties.get("level"), properties.get("compartments", [])
    if level not in LEVELS:
        raise Problem(422, f"Record {number}: level must be one of {', '.join(LEVELS)}.")
    if not isinstance(compartments, list) or not all(isinstance(c, str) for c in compartments):
        raise Problem(422, f"Record {number}: compartments must be a list of texts.")
    return level, compartments


def _cell(number: int, name: str, value: Any) -> Any:
    if isinstance(value, list) and all(isinstance(v, str) and ";" not in v for v in value):
        return ";".join(value)
    if value is None or isinstance(value, (str, int, float, bool)):
        return value
    raise Problem(422, f"Record {number}: {name[:60]} must be a text, a number, true, false or null.")


def _store(desk: Desk, caller: Caller, layer: str, records: list[dict[str, Any]]) -> dict[str, Any]:
    """Check and write in one transaction. Blocks; runs in a thread."""
    given = [r["id"] for r in records if r["id"] is not None]
    if len(set(given)) < len(given):
        raise Problem(422, "The same id stands twice.")
    ids = [r["id"] or secrets.token_hex(16) for r in records]
    features = [
        {
            "type": "Feature",
            "geometry": record["geometry"],
            "properties": {
                **{name: _cell(number, name, value) for name, value in record["properties"].items()},
                "source_id": ids[number - 1],
            },
        }
        for number, record in enumerate(records, 1)
    ]
    with tempfile.TemporaryDirectory(prefix="parallax-desk-") as folder, Vault(desk.vault_dsn) as vault:
        _must_reach(desk, caller, vault, layer, NATIVE, given)
        path = Path(folder) / "records.geojson"
        path.write_bytes(orjson.dumps({"type": "FeatureCollection", "features": features}))
        try:
            wrong = Path(folder) / "rejects.csv"
            tried = pipeline.run(path, layer, None, NATIVE, dry_run=True, rejects=wrong, policy=desk.policy)
            if tried.rejected:
                raise Problem(422, _rejects(wrong))
            report = pipeline.run(path, layer, vault, NATIVE, who=caller.name or "", policy=desk.policy)
        except IngestError as error:
            raise Problem(422, str(error)) from None
        except VaultError as error:
            raise _refused(error) from None
    result = report.result
    assert result is not None
    return {"ids": ids, "inserted": result.inserted, "updated": result.updated, "unchanged": result.unchanged}


def _refused(error: VaultError) -> Problem:
    if "went away" in str(error):  # its words name the database
        return Problem(503, "The vault cannot be reached. Nothing was written; try again.", {"Retry-After": "10"})
    return Problem(422, str(error))


def _rejects(path: Path) -> str:
    """What is wrong with the first records; it quotes only what was sent."""
    with path.open(encoding="utf-8-sig", newline="") as file:
        rows = list(csv.reader(file))[1:]
    words = [
        f"record {row}: {field + ': ' if field else ''}{why}; {remedy}" for *_, row, field, why, remedy in rows[:5]
    ]
    return f"{len(rows)} records cannot be written, so none was. " + ". ".join(words)


def _must_reach(desk: Desk, caller: Caller, vault: Vault, layer: str, source_system: str, ids: list[str]) -> None:
    """A record that is to be changed must be there, with a label that the editor's audiences dominate.

    One that is missing and one that is out of reach are the same 404.
    """
    if not ids:
        return
    found = vault.labels(layer, source_system, ids)
    reached = {name for name, level, compartments in found if _may(desk, caller, level, compartments)}
    if not reached.issuperset(ids):
        raise not_found()


async def delete(request: Request) -> Response:
    desk, caller = await _editor(request)
    layer = _layer(request)
    source_system, source_id = request.path_params["source_system"], request.path_params["source_id"]
    if len(source_system) > _LONGEST_ID or len(source_id) > _LONGEST_ID or "\0" in source_system + source_id:
        raise not_found()
    await asyncio.to_thread(_delete, desk, caller, layer, source_system, source_id)
    return Response(b"", 204, {"Cache-Control": "no-store"})


def _delete(desk: Desk, caller: Caller, layer: str, source_system: str, source_id: str) -> None:
    facts = Provenance(
        file="desk", sha256=hashlib.sha256(source_id.encode()).hexdigest(), profile="desk", who=caller.name or ""
    )
    with Vault(desk.vault_dsn) as vault:
        _must_reach(desk, caller, vault, layer, source_system, [source_id])
        vault.write(layer, source_system, [], facts, deletions=[source_id])
