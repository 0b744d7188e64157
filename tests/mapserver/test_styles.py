"""The map of an audience: style, legend and manifest agree with one another, with the tiles and with the release."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import httpx
import pytest

from layers.policy import Policy

SPECIFICATION = Path(__file__).parents[2] / "static" / "node_modules" / "@maplibre" / "maplibre-gl-style-spec"


@pytest.fixture
def analyst(sign_in: Callable[[str], httpx.Client]) -> httpx.Client:
    return sign_in("analyst")


def read(client: httpx.Client, path: str) -> Any:
    answer = client.get(path)
    assert answer.status_code == 200, answer.text
    return answer.json()


@pytest.mark.parametrize("theme", ["light", "dark"])
@pytest.mark.parametrize("audience", ["public", "confidential", "strict_ops"])
def test_the_style_is_valid(analyst: httpx.Client, tmp_path: Path, audience: str, theme: str) -> None:
    style = read(analyst, f"/{audience}/style.json?theme={theme}")
    path = tmp_path / "style.json"
    path.write_text(json.dumps(style), encoding="utf-8")
    validator = next(SPECIFICATION.glob("dist/gl-style-validate.*js"))
    node = Path(sys.executable).with_name("node")
    done = subprocess.run(
        [str(node), str(validator), str(path)], capture_output=True, text=True, check=False, env={"PATH": os.defpath}
    )
    # the specification wants glyphs for text; MapLibre draws ours with the page's fonts
    wrong = [line for line in (done.stdout + done.stderr).splitlines() if line.strip() and "glyphs" not in line]
    assert not wrong


def test_sources_layers_and_metadata(analyst: httpx.Client) -> None:
    style = read(analyst, "/confidential/style.json")
    manifest = read(analyst, "/confidential/manifest")
    assert "glyphs" not in style
    listed = {one["id"]: one for one in manifest["layers"]}
    drawn: dict[str, set[str]] = {}
    for layer in style["layers"][1:]:
        meta = layer["metadata"]
        assert layer["id"] == f"{meta['parallax:layer']}/{meta['parallax:part']}"
        assert meta["parallax:group"] == listed[meta["parallax:layer"]]["group"]
        drawn.setdefault(meta["parallax:layer"], set()).add(meta["parallax:part"])
    assert set(drawn) == set(listed)
    assert {"areas", "area-lines", "clusters", "cluster-count", "points", "stacks", "area-counts"} <= drawn["incidents"]
    assert {"points", "labels"} <= drawn["settlements"]
    assert {"line-international", "line-undetermined", "line-disputed"} <= drawn["boundaries"]
    for name, source in style["sources"].items():
        url = source["tiles"][0].format(z=6, y=31, x=35)
        assert analyst.get(url).status_code == 200
        assert name == "base" or name in listed


def test_source_layers_are_those_of_tiles(analyst: httpx.Client) -> None:
    declared = {one["id"] for one in read(analyst, "/strict/tiles/WebMercatorQuad?f=tilejson")["vector_layers"]}
    used = {one["source-layer"] for one in read(analyst, "/strict/style.json")["layers"][1:]}
    assert used <= declared


def test_hatches_have_colours(client: httpx.Client) -> None:
    style = read(client, "/public/style.json")
    used = {one["paint"]["fill-pattern"] for one in style["layers"] if "fill-pattern" in one.get("paint", {})}
    assert used == set(style["metadata"]["parallax:hatches"])
    assert "hatch-c31e1e" in used


def test_undetermined_boundaries_are_dashed(client: httpx.Client) -> None:
    layers = {one["id"]: one for one in read(client, "/public/style.json")["layers"]}
    assert "line-dasharray" not in layers["boundaries/line-international"]["paint"]
    assert layers["boundaries/line-undetermined"]["paint"]["line-dasharray"]
    legend = {one["id"]: one["legend"] for one in read(client, "/public/legend")["layers"]}
    dashes = {one["value"]: one["dash"] for one in legend["boundaries"]}
    assert dashes["international"] is None
    assert dashes["undetermined"]


def test_the_dark_map_is_dark(client: httpx.Client) -> None:
    light = read(client, "/public/style.json?theme=light")["layers"]
    dark = read(client, "/public/style.json?theme=dark")["layers"]
    assert [one["id"] for one in light] == [one["id"] for one in dark]

    def brightness(layers: list[dict[str, Any]], name: str) -> int:
        paint = next(one["paint"] for one in layers if one["id"] == name)
        colour = next(v for k, v in paint.items() if k.endswith("-color"))
        return sum(int(colour[i : i + 2], 16) for i in (1, 3, 5))

    for name in ("background", "areas/fill-admin0"):
        assert brightness(dark, name) < 200 < 500 < brightness(light, name)


def test_legend_and_manifest_in_languages(client: httpx.Client) -> None:
    def category(lang: str) -> dict[str, str]:
        layers = read(client, f"/public/legend?lang={lang}")["layers"]
        incidents = next(one for one in layers if one["id"] == "incidents")
        return {one["value"]: one["label"] for one in incidents["legend"]}

    assert category("en")["POC"] == "Protection of civilians"
    assert category("fr")["POC"] == "Protection des civils"
    assert category("ar")["POC"] == "حماية المدنيين"
    assert "الأمم المتحدة" in read(client, "/public/manifest?lang=ar")["disclaimer"]
    assert client.get("/public/legend?lang=xx").status_code == 400


def test_the_manifest_tells_what_is_released_and_no_more(analyst: httpx.Client, policy: Policy) -> None:
    for audience in ("public", "confidential", "strict", "strict_ops"):
        manifest = read(analyst, f"/{audience}/manifest")
        assert manifest["audience"]["marking"] == policy.audiences[audience].marking
        assert manifest["mission"]["notices"]
        released = policy.released(audience)
        assert [one["id"] for one in manifest["layers"]] == list(released)
        for one in manifest["layers"]:
            assert [f["name"] for f in one["fields"]] == [f.name for f in released[one["id"]].fields]
            assert one["sentences"] == list(released[one["id"]].sentences)


def test_a_colour_needs_a_released_property(analyst: httpx.Client) -> None:
    for audience in ("public", "confidential"):
        style = {one["id"]: one for one in read(analyst, f"/{audience}/style.json")["layers"]}
        fields = {
            one["id"]: {f["name"] for f in one["fields"]} for one in read(analyst, f"/{audience}/manifest")["layers"]
        }
        for layer in style.values():
            text = json.dumps(layer.get("paint", {})) + json.dumps(layer.get("layout", {}))
            if '"match"' in text:
                named = text.split('["match", ["get", "')[1].split('"')[0]
                assert named in fields[layer["metadata"]["parallax:layer"]]
