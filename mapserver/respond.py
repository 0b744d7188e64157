"""Answers: negotiation of the format, entity tags, compression, cache and link headers.

The entity tag is a hash of the bytes that travel, so it changes with them and with nothing else; compressed and plain
forms have tags of their own. mapserver.front turns a matching If-None-Match into 304 and drops the body for HEAD.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from decimal import Decimal
from typing import Any
from urllib.parse import urlencode

import orjson
from starlette.requests import Request
from starlette.responses import Response

from mapserver.context import context
from mapserver.encoding import COMPRESS_FROM, accepts_gzip, compressed, etag
from mapserver.parameters import Query

JSON = "application/json"
GEOJSON = "application/geo+json"
HTML = "text/html"
SCHEMA = "application/schema+json"
OPENAPI = "application/vnd.oai.openapi+json;version=3.0"
MVT = "application/vnd.mapbox-vector-tile"


@dataclass(frozen=True)
class Link:
    href: str
    rel: str
    type: str = JSON
    title: str = ""
    templated: bool = False

    def json(self) -> dict[str, Any]:
        out: dict[str, Any] = {"href": self.href, "rel": self.rel, "type": self.type}
        if self.title:
            out["title"] = self.title
        if self.templated:
            out["templated"] = True
        return out

    def header(self) -> str:
        return f'<{self.href}>; rel="{self.rel}"; type="{self.type.replace(chr(34), "")}"'


def links(*some: Link) -> list[dict[str, Any]]:
    return [one.json() for one in some]


def address(url: str, parameters: Iterable[tuple[str, str]]) -> str:
    """The URL with these query parameters, in this order."""
    query = urlencode(list(parameters))
    return f"{url}?{query}" if query else url


def wants_html(request: Request, query: Query) -> bool:
    """`f` decides; without it, HTML when the client prefers it to JSON by name, as browsers do."""
    if query.values.get("f"):
        return bool(query["f"] == "html")
    return _quality(request.headers.get("accept", ""))


def _quality(accept: str) -> bool:
    html = json = 0.0
    for part in accept.split(","):
        media, *parameters = (p.strip().lower() for p in part.split(";"))
        quality = 1.0
        for parameter in parameters:
            if match := re.fullmatch(r"q=([01](?:\.\d{0,3})?)", parameter):
                quality = float(match[1])
        if media in ("text/html", "application/xhtml+xml"):
            html = max(html, quality)
        elif media.startswith("application/") and "json" in media:
            json = max(json, quality)
    return html > json


async def reply(
    request: Request,
    data: bytes,
    media: str = JSON,
    *,
    negotiated: bool = False,
    link_header: Iterable[Link] = (),
    headers: Mapping[str, str] | None = None,
) -> Response:
    """A complete answer to a caller who was admitted to an audience."""
    public = context(request).audience.id == "public"
    vary = ["Accept-Encoding"]
    if negotiated:
        vary.append("Accept")
    if not public:
        vary += ["Cookie", "Authorization"]
    out = {
        "Cache-Control": "public, max-age=60" if public else "private, no-cache",
        "Vary": ", ".join(vary),
        **(headers or {}),
    }
    linked = ", ".join(one.header() for one in link_header)
    if linked:
        out["Link"] = linked
    if len(data) >= COMPRESS_FROM and accepts_gzip(request.headers.get("accept-encoding", "")):
        data = await compressed(data)
        out["Content-Encoding"] = "gzip"
    out["ETag"] = etag(data)
    return Response(data, 200, out, media)


async def json(request: Request, value: Any, media: str = JSON, **more: Any) -> Response:
    return await reply(request, orjson.dumps(value, default=_plain), media, **more)


def _plain(value: Any) -> Any:
    """Exact numbers of the database as JSON numbers."""
    if isinstance(value, Decimal):
        return int(value) if value == value.to_integral_value() else float(value)
    raise TypeError(type(value).__name__)
