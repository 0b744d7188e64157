"""What every answer carries, and what a request that changes something must show."""

from __future__ import annotations

from starlette.requests import Request

from mapserver.context import base_url
from mapserver.errors import Problem

MAX_URL = 8_192
MAX_BODY = 1_000_000
ALLOWED = "GET, HEAD, OPTIONS"

CONTENT_SECURITY_POLICY = (
    "default-src 'self'; script-src 'self'; style-src 'self'; img-src 'self' data: blob:; font-src 'self'; "
    "connect-src 'self'; worker-src 'self' blob:; object-src 'none'; frame-ancestors 'none'; base-uri 'none'; "
    "form-action 'self'"
)
"""Nothing inline and nothing from elsewhere. Scripts may set `element.style.…`; markup may have no style attributes.

Images from data: and blob: and workers from blob: are those that the map makes itself.
"""

HEADER = "X-Parallax"


def headers(https: bool) -> tuple[list[tuple[bytes, bytes]], list[tuple[bytes, bytes]]]:
    """The security headers of documents and of data, ready to send.

    Data get few of them: a map asks for hundreds of tiles over slow links, and what is no document loads nothing.
    """
    common = {"x-content-type-options": "nosniff", "cross-origin-resource-policy": "same-origin"}
    if https:
        common["strict-transport-security"] = "max-age=31536000; includeSubDomains"
    document = {
        "content-security-policy": CONTENT_SECURITY_POLICY,
        "x-frame-options": "DENY",
        "referrer-policy": "same-origin",
        "cross-origin-opener-policy": "same-origin",
        "cross-origin-embedder-policy": "require-corp",
        "permissions-policy": "camera=(), display-capture=(), geolocation=(), microphone=(), payment=(), usb=()",
    }
    data = {"content-security-policy": "default-src 'none'; frame-ancestors 'none'"}
    return _raw({**common, **document}), _raw({**common, **data})


def _raw(found: dict[str, str]) -> list[tuple[bytes, bytes]]:
    return [(name.encode(), value.encode()) for name, value in found.items()]


def check_same_origin(request: Request) -> None:
    """Refuse a change that another site could have caused: beside SameSite=Strict, the origin and a header are checked.

    Raises a 403 problem. A client that is no browser sends the header `X-Parallax: 1` and no Origin.
    """
    origin = request.headers.get("origin")
    if request.headers.get(HEADER) != "1":
        raise Problem(403, f"A request that changes something needs the header {HEADER}: 1.")
    if request.headers.get("sec-fetch-site", "same-origin") != "same-origin":
        raise Problem(403, "A request that changes something must come from this site's own page.")
    if origin is not None and origin != base_url(request.scope):
        raise Problem(403, "A request that changes something must come from this site's own page.")
