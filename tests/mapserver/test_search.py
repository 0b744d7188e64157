"""Search: released names and titles, coordinates, and nothing of another audience."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import httpx
import pytest


def hits(client: httpx.Client, text: str, audience: str = "public", **more: Any) -> list[dict[str, Any]]:
    answer = client.get(f"/{audience}/search", params={"q": text, **more})
    assert answer.status_code == 200, answer.text
    found: list[dict[str, Any]] = answer.json()["hits"]
    return found


def test_names(client: httpx.Client) -> None:
    first = hits(client, "bang")[0]
    assert (first["kind"], first["layer"], first["title"]) == ("record", "settlements", "Bangui")
    assert client.get(first["href"]).json()["id"] == first["id"]


@pytest.mark.parametrize("text", ["4.3612 18.5582", "4°21'40\"N 18°33'30\"E", "34N BK 27 83"])
def test_coordinates(client: httpx.Client, text: str) -> None:
    first = hits(client, text)[0]
    assert first["kind"] == "place"
    assert first["id"] is None
    west, south, east, north = first["bbox"]
    assert west < first["lon"] < east
    assert south < first["lat"] < north
    assert first["detail"].startswith(("33N", "34N"))


def test_hidden_names_are_not_found(client: httpx.Client, sign_in: Callable[[str], httpx.Client]) -> None:
    assert hits(sign_in("analyst"), "Canary", "strict_ops")
    assert hits(sign_in("officer"), "Canary", "confidential") == []
    assert hits(client, "Canary") == hits(client, "zzzz") == []


def test_limits(client: httpx.Client) -> None:
    assert len(hits(client, "b", limit=1)) == 1
    for query in ("", "?q=", "?q=%20", "?q=" + "a" * 201, "?q=a&limit=0", "?q=%00"):
        assert client.get("/public/search" + query).status_code == 400


@pytest.mark.parametrize("text", ["%", "_", "\\", "'", '"', "a'; DROP TABLE x", "🙂", "b\u0301"])
def test_odd_words(client: httpx.Client, text: str) -> None:
    assert all(isinstance(one["title"], str) for one in hits(client, text))
