"""What a request carries below the router: the audience it was admitted to, and the services of the process."""

from __future__ import annotations

from dataclasses import dataclass

from starlette.requests import Request
from starlette.types import Scope

from layers.audience import Audience
from layers.door import Door, Reader
from layers.policy import Policy, ReleasedLayer
from mapserver.cursor import Cursors
from mapserver.errors import not_found
from mapserver.page import Page
from mapserver.sessions import Sessions
from mapserver.settings import Settings

KEY = "parallax"


@dataclass(frozen=True)
class Services:
    """Made once for the process (mapserver.app)."""

    settings: Settings
    policy: Policy
    door: Door
    audiences: tuple[str, ...]
    sessions: Sessions | None
    cursors: Cursors
    page: Page


@dataclass
class Context:
    """Put into the scope by mapserver.front when a caller is admitted to an audience."""

    reader: Reader
    base: str
    cached_for: tuple[str, ...] = ()
    """Set by an endpoint whose answer may be kept until a release of one of these layers changes."""

    @property
    def audience(self) -> Audience:
        return self.reader.audience

    @property
    def root(self) -> str:
        """The absolute address of the audience's API root, without a slash at its end."""
        return f"{self.base}/{self.audience.id}"


def services(request: Request) -> Services:
    found = request.app.state.services
    assert isinstance(found, Services)
    return found


def context(request: Request) -> Context:
    """The admitted audience. Every route below `/{audience}` has one, because mapserver.front refuses the others."""
    found = request.scope.get(KEY)
    if not isinstance(found, Context):
        raise not_found()
    return found


def released(request: Request, collection: str) -> ReleasedLayer:
    """The collection as this audience gets it. One that it does not get is not found, like one that is not there."""
    layer = context(request).reader.layers.get(collection)
    if layer is None:
        raise not_found()
    return layer


def base_url(scope: Scope) -> str | None:
    """Scheme and host as the client wrote them, without a slash at the end; None when the Host header is no host."""
    host = next((v for k, v in scope["headers"] if k == b"host"), b"").decode("latin-1")
    if not host:
        server = scope.get("server") or ("localhost", None)
        host = server[0] if server[1] is None else f"{server[0]}:{server[1]}"
    if len(host) > 255 or not all(c.isalnum() or c in ".-:[]_" for c in host) or not host.isascii():
        return None
    return f"{scope.get('scheme', 'http')}://{host}"
