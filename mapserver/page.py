"""The page and its files: what Vite built into static/dist, held in memory and served from this server alone.

Files under a folder `assets/` carry a hash in their name and may be kept for ever; the others are revalidated. The
build leaves a Brotli form beside each large text file (`.br`): a sixth less than gzip, and too slow to make here.
Without a built page, `/` says how to build it.
"""

from __future__ import annotations

import gzip
import mimetypes
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from starlette.requests import Request
from starlette.responses import Response

from mapserver.encoding import COMPRESS_FROM, accepts_brotli, accepts_gzip, etag
from mapserver.errors import not_found

DIST = Path(__file__).resolve().parent.parent / "static" / "dist"
TEMPLATES = Path(__file__).resolve().parent / "templates"

_TYPES = {
    ".js": "text/javascript; charset=utf-8",
    ".mjs": "text/javascript; charset=utf-8",
    ".css": "text/css; charset=utf-8",
    ".html": "text/html; charset=utf-8",
    ".json": "application/json",
    ".svg": "image/svg+xml",
    ".woff2": "font/woff2",
    ".webmanifest": "application/manifest+json",
    ".pbf": "application/x-protobuf",
}
_BROTLI = ".br"
_ALREADY_SMALL = {".woff2", ".png", ".jpg", ".jpeg", ".webp", ".gz"}

_NOT_BUILT = b"""<!doctype html><html lang="en"><meta charset="utf-8"><title>Parallax</title>
<link rel="stylesheet" href="/pages.css"><main><h1>The page is not built</h1>
<p>Run <code>script/server</code>, or build it with <code>npm ci</code> and <code>npm run build</code> in the folder
<code>static</code>, and start the server again. The API is there: <a href="/public/">/public/</a>.</p></main></html>"""


@dataclass(frozen=True)
class File:
    plain: bytes
    packed: bytes | None
    """By gzip."""
    smallest: bytes | None
    """By Brotli."""
    media: str
    for_ever: bool


class Page:
    """All files by their path below `/`. Read once, at start."""

    def __init__(self, dist: Path = DIST) -> None:
        self.files = {name: _file(path, name) for name, path in _walk(dist)}
        self.files["pages.css"] = _file(TEMPLATES / "pages.css", "pages.css")
        if "index.html" not in self.files:
            self.files["index.html"] = File(_NOT_BUILT, None, None, _TYPES[".html"], False)

    @property
    def first_segments(self) -> set[str]:
        """What the addresses of files begin with: names that no audience can have."""
        return {name.split("/")[0] for name in self.files}

    def answer(self, request: Request, name: str) -> Response:
        file = self.files.get(name)
        if file is None:
            raise not_found()
        headers = {
            "Cache-Control": "public, max-age=31536000, immutable" if file.for_ever else "no-cache",
            "Vary": "Accept-Encoding",
        }
        data = file.plain
        accepted = request.headers.get("accept-encoding", "")
        if file.smallest is not None and accepts_brotli(accepted):
            data = file.smallest
            headers["Content-Encoding"] = "br"
        elif file.packed is not None and accepts_gzip(accepted):
            data = file.packed
            headers["Content-Encoding"] = "gzip"
        headers["ETag"] = etag(data)
        return Response(data, 200, headers, file.media)


def _walk(dist: Path) -> Iterator[tuple[str, Path]]:
    if dist.is_dir():
        for path in sorted(dist.rglob("*")):
            if path.is_file() and path.suffix != _BROTLI:
                yield path.relative_to(dist).as_posix(), path


def _file(path: Path, name: str) -> File:
    data = path.read_bytes()
    suffix = path.suffix.lower()
    packed = None
    if len(data) >= COMPRESS_FROM and suffix not in _ALREADY_SMALL:
        packed = gzip.compress(data, 9, mtime=0)
    media = _TYPES.get(suffix) or mimetypes.guess_type(path.name)[0] or "application/octet-stream"
    brotli = path.with_name(path.name + _BROTLI)
    smallest = brotli.read_bytes() if brotli.is_file() else None
    return File(data, packed, smallest, media, name.startswith("assets/"))
