"""How the built page is served: small, and kept as long as it may be."""

from __future__ import annotations

import re

import httpx


def test_first_view_is_small(site: str) -> None:
    """What the first view loads of scripts, styles and fonts stays within 500 kB as sent."""
    html = httpx.get(site).text
    names = re.findall(r'(?:src|href)="(/assets/[^"]+)"', html)
    assert any("maplibre" in name for name in names)
    total = 0
    for name in names:
        with httpx.stream("GET", site + name, headers={"Accept-Encoding": "br"}) as answer:
            assert answer.status_code == 200
            assert answer.headers["cache-control"] == "public, max-age=31536000, immutable"
            total += sum(len(part) for part in answer.iter_raw())
    assert total < 500_000


def test_brotli_only_for_those_who_take_it(site: str) -> None:
    html = httpx.get(site).text
    script = re.findall(r'src="(/assets/[^"]+\.js)"', html)[0]
    for accepted, sent in (("br, gzip", "br"), ("gzip", "gzip"), ("br;q=0, gzip", "gzip"), ("identity", None)):
        with httpx.stream("GET", site + script, headers={"Accept-Encoding": accepted}) as answer:
            assert answer.headers.get("content-encoding") == sent
            assert answer.headers["content-type"].startswith("text/javascript")
            assert "accept-encoding" in answer.headers["vary"].lower()
    assert httpx.get(site + script + ".br").status_code == 404
