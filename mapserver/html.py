"""Pages of the API for people: plain tables that work without script, marked at the top and at the bottom."""

from __future__ import annotations

from functools import lru_cache
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined
from starlette.requests import Request
from starlette.responses import Response

from mapserver.context import context
from mapserver.parameters import Query
from mapserver.respond import HTML, address, reply


@lru_cache
def _environment() -> Environment:
    return Environment(
        loader=PackageLoader("mapserver", "templates"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )


async def page(request: Request, query: Query, template: str, title: str, **data: Any) -> Response:
    """Render `templates/<template>.html` for the caller's audience. `trail` in data: pairs of title and address."""
    here = context(request)
    url = here.base + request.url.path
    data = {"trail": (), "description": "", "facts": (), "entries": (), "sentences": (), **data}
    text = (
        _environment()
        .get_template(f"{template}.html")
        .render(
            title=title,
            audience=here.audience,
            root=here.root,
            json_url=address(url, [*query.without("f"), ("f", "json")]),
            **data,
        )
    )
    return await reply(request, text.encode(), HTML, negotiated=True)
