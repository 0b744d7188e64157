"""The reader: `create_app(settings)` gives the ASGI application that serves audiences from their releases."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager

from fastapi import FastAPI
from starlette.requests import Request
from starlette.responses import Response
from starlette.types import ASGIApp

from layers import policy as policies
from layers.door import Door
from mapserver import errors, openapi, parameters, where
from mapserver import settings as configuration
from mapserver.context import Services, context, released, services
from mapserver.cursor import Cursors
from mapserver.front import Front
from mapserver.page import Page
from mapserver.routes import AUDIENCE_ROUTES, SESSION_ROUTES, Route
from mapserver.sessions import REMEMBER, Sessions
from mapserver.settings import Settings


def create_app(settings: Settings | None = None) -> ASGIApp:
    """The reader over the audiences of `settings.reader_dsn`. Holds no credential of the vault.

    Without `settings` they are read from file and environment. Raises ValueError for an audience whose name is that
    of a file of the page, and PolicyError, SettingsError as those rooms do. `app.routes` of the router inside is at
    `.app.routes` of the result.
    """
    settings = settings or configuration.load()
    policy = policies.load(settings.policy)
    page = Page()
    audiences = tuple(a for a in policy.audiences if a in settings.reader_dsn)
    poll = settings.version_poll
    roots = {"", "api", "health", *page.first_segments}
    taken = roots & set(audiences)
    if taken:
        raise ValueError(f"audience {', '.join(sorted(taken))}: the name is that of an address of the page; rename it")
    held = Services(
        settings=settings,
        policy=policy,
        door=Door(policy, {a: settings.reader_dsn[a] for a in audiences}),
        audiences=audiences,
        sessions=Sessions(settings.auth_dsn, remember=min(REMEMBER, 10 * poll)) if settings.auth_dsn else None,
        cursors=Cursors(settings.secret),
        page=page,
    )
    return Front(_router(held), held, roots, poll)


def _router(held: Services) -> FastAPI:
    @asynccontextmanager
    async def life(_: FastAPI) -> AsyncIterator[None]:
        await held.door.open()
        try:
            if held.sessions:
                await held.sessions.open()
            yield
        finally:
            if held.sessions:
                await held.sessions.close()
            await held.door.close()

    # the pages that FastAPI would add load scripts from other hosts; every audience has its own description
    app = FastAPI(
        title="Parallax", version=openapi.VERSION, lifespan=life, openapi_url=None, docs_url=None, redoc_url=None,
        redirect_slashes=False,
    )  # fmt: skip
    app.state.services = held
    errors.install(app)
    # the addresses of the server itself come first: /{audience} would take them
    for method, path, name, endpoint in SESSION_ROUTES:
        app.add_api_route(path, endpoint, methods=[method], name=name, response_model=None, include_in_schema=False)
    app.add_api_route("/health", _health, name="health", response_model=None, include_in_schema=False)
    for top in sorted(held.page.first_segments | {""}):
        folder = any(name.startswith(f"{top}/") for name in held.page.files)
        path = f"/{top}/{{file:path}}" if folder else f"/{top}"
        app.add_api_route(path, _file, name=f"page:{top}", response_model=None, include_in_schema=False)
    for route in AUDIENCE_ROUTES:
        app.add_api_route(
            route.path,
            _handler(route),
            name=route.name,
            operation_id=route.name,
            summary=route.summary,
            tags=[route.tag],
            response_class=Response,
            response_model=None,
            openapi_extra=openapi.operation(route.path, route.parameters, route.media),
        )
    return app


def _handler(route: Route) -> Callable[[Request], Awaitable[Response]]:
    async def handle(request: Request) -> Response:
        names: tuple[str, ...] = ()
        if "collection" in request.path_params:
            layer = released(request, request.path_params["collection"])
            if route.properties == "collection":
                names = where.queryables(layer)
        elif route.properties == "shared":
            names = where.shared(context(request).reader.layers.values())
        return await route.endpoint(request, parameters.read(request.scope, route.parameters, names))

    return handle


async def _health(_: Request) -> Response:
    return Response(b'{"status":"ok"}', 200, {"Cache-Control": "no-store"}, "application/json")


async def _file(request: Request) -> Response:
    name = request.url.path.removeprefix("/") or "index.html"
    return services(request).page.answer(request, name)
