"""MapLibre layers of one collection. Ids are `<collection>/<part>`.

Parts of points: `areas` (hatched fill), `area-lines`, `clusters` and `cluster-count` (up to zoom 8), `points`,
`stacks` (how many share one point), `area-counts` (how many lie in one area), `labels`. Parts of lines and polygons:
`fill-<code>`, `line-<code>`, `labels` or `labels-<code>`. Every layer has the metadata `parallax:layer` (collection),
`parallax:part` and `parallax:group` (base, reference, operations). All layers are visible: which ones a page shows at
first stands in the manifest.
"""

from __future__ import annotations

import colorsys
from dataclasses import dataclass
from typing import Any

from layers.policy import ReleasedLayer
from mapserver.legend import coloured_by
from mapserver.tiles import CLUSTER_ZOOM

FONT = ["Noto Sans"]
StyleLayer = dict[str, Any]


@dataclass(frozen=True)
class Theme:
    """Colours that no layer declares."""

    name: str
    background: str
    text: str
    halo: str
    outline: str
    faint: str


THEMES = {
    "light": Theme("light", "#dde5ea", "#1b1f24", "#ffffff", "#ffffff", "#5d6670"),
    "dark": Theme("dark", "#0d1115", "#eef2f5", "#0d1115", "#0d1115", "#9aa5b0"),
}


def hatch(colour: str) -> str:
    """The image id of a hatch in a colour; the page makes the image (`parallax:hatches` in the style's metadata)."""
    return f"hatch-{colour.removeprefix('#').lower()}"


def themed(colour: str, theme: Theme) -> str:
    """A colour of the base map in a theme: in the dark one, light grounds become dark ones of the same hue."""
    if theme.name == "light" or not colour.startswith("#") or len(colour) != 7:
        return colour
    red, green, blue = (int(colour[i : i + 2], 16) / 255 for i in (1, 3, 5))
    hue, lightness, saturation = colorsys.rgb_to_hls(red, green, blue)
    rgb = colorsys.hls_to_rgb(hue, 0.1 + (1 - lightness) * 0.62, saturation * 0.6)
    return "#" + "".join(f"{round(part * 255):02x}" for part in rgb)


class Builder:
    """The layers of one collection in one theme: `shapes` and, of the base map, `labels` that go above all shapes."""

    def __init__(self, layer: ReleasedLayer, source: str, theme: Theme) -> None:
        self.layer = layer
        self.source = source
        self.theme = theme
        self.style = layer.layer.style
        self.shapes: list[StyleLayer] = []
        self.labels: list[StyleLayer] = []
        if layer.layer.geometry == "point":
            self._points()
        else:
            self._drawn()

    def _add(self, part: str, kind: str, source_layer: str, **more: Any) -> StyleLayer:
        made: StyleLayer = {
            "id": f"{self.layer.id}/{part}",
            "type": kind,
            "source": self.source,
            "source-layer": source_layer,
            "metadata": {
                "parallax:layer": self.layer.id, "parallax:part": part, "parallax:group": self.style.group,
            },
            **more,
        }  # fmt: skip
        over = kind == "symbol" and self.style.group == "base"
        (self.labels if over else self.shapes).append(made)
        return made

    def _colour(self, colour: str) -> str:
        return themed(colour, self.theme) if self.style.group == "base" else colour

    def _by_code(self) -> Any:
        """A colour, or an expression that takes it from the code of a record."""
        pairs: list[Any] = []
        for code in coloured_by(self.layer):
            if code.colour:
                pairs += [code.code, self._colour(code.colour)]
        plain = self._colour(self.style.colour)
        return ["match", ["get", self.style.by], *pairs, plain] if pairs else plain

    # -- points --

    def _points(self) -> None:
        name = self.layer.id
        if self.layer.area_sources:
            self._areas()
        if self.layer.clustered:
            self._clusters()
        small = self.style.group == "base"
        self._add(
            "points",
            "circle",
            name,
            **({"minzoom": CLUSTER_ZOOM + 1} if self.layer.clustered else {}),
            paint={
                "circle-color": self._by_code(),
                "circle-radius": ["interpolate", ["linear"], ["zoom"], 4, 2 if small else 4, 12, 3.5 if small else 7],
                "circle-stroke-color": self.theme.outline,
                "circle-stroke-width": 0.5 if small else 1.2,
            },
        )
        if self.layer.clustered:
            self._number("stacks", f"{name}_stacks", minzoom=CLUSTER_ZOOM + 1)
        if self.style.label in self.layer.field:
            self._names()
        if self.layer.area_sources:
            self._number("area-counts", f"{name}_area_labels")

    def _areas(self) -> None:
        name, colour = f"{self.layer.id}_areas", self.style.colour
        # The wider an area, the less it says and the fainter it is drawn: a whole country must not cover its districts.
        faint = ["interpolate", ["linear"], ["get", "km"], 10, 0.7, 40, 0.5, 160, 0.22, 400, 0.1, 700, 0.03]
        self._add("areas", "fill", name, paint={"fill-pattern": hatch(colour), "fill-opacity": faint})
        self._add(
            "area-lines",
            "line",
            name,
            paint={
                "line-color": colour,
                "line-width": 1.2,
                "line-opacity": ["interpolate", ["linear"], ["get", "km"], 40, 0.85, 400, 0.4],
                "line-dasharray": [3, 2],
            },
        )

    def _clusters(self) -> None:
        # a cluster tells how many records it holds and nothing else, so its colour is the layer's
        name, single = f"{self.layer.id}_clusters", ["==", ["get", "n"], 1]
        grow = ["interpolate", ["linear"], ["log10", ["max", ["get", "n"], 1]], 0, 8, 1, 12, 2, 17, 3, 23]
        self._add(
            "clusters",
            "circle",
            name,
            maxzoom=CLUSTER_ZOOM + 1,
            paint={
                "circle-color": self.style.colour,
                "circle-radius": ["case", single, 5, grow],
                "circle-opacity": ["case", single, 1, 0.85],
                "circle-stroke-color": self.theme.outline,
                "circle-stroke-width": 1.2,
            },
        )
        self._add(
            "cluster-count",
            "symbol",
            name,
            maxzoom=CLUSTER_ZOOM + 1,
            filter=[">", ["get", "n"], 1],
            layout={
                "text-field": ["to-string", ["get", "n"]],
                "text-font": FONT,
                "text-size": 12,
                "text-allow-overlap": True,
                "text-ignore-placement": True,
            },
            paint={"text-color": "#ffffff", "text-halo-color": "#00000080", "text-halo-width": 1},
        )

    def _number(self, part: str, source_layer: str, **more: Any) -> None:
        offset = {"text-offset": [0.9, -0.9]} if part == "stacks" else {}
        self._add(
            part,
            "symbol",
            source_layer,
            **more,
            filter=[">", ["get", "n"], 1],
            layout={
                "text-field": ["to-string", ["get", "n"]],
                "text-font": FONT,
                "text-size": 13,
                "text-allow-overlap": True,
                "text-ignore-placement": True,
                **offset,
            },
            paint={"text-color": self.theme.text, "text-halo-color": self.theme.halo, "text-halo-width": 2},
        )

    def _names(self) -> None:
        zooms = self.style.zooms
        ranked: Any = 12
        order: Any = 0
        if self.style.zoom_by in self.layer.field and zooms:
            size = [p for value, zoom in zooms.items() for p in (value, max(11, 15 - zoom // 2))]
            ranked = ["match", ["get", self.style.zoom_by], *size, 11]
            first = [p for value, zoom in zooms.items() for p in (value, zoom)]
            order = ["match", ["get", self.style.zoom_by], *first, 20]
        self._add(
            "labels",
            "symbol",
            self.layer.id,
            **({} if self.style.group == "base" else {"minzoom": 7}),
            layout={
                "text-field": ["coalesce", ["get", self.style.label], ""],
                "text-font": FONT,
                "text-size": ranked,
                "text-variable-anchor": ["left", "right", "top", "bottom"],
                "text-radial-offset": 0.6,
                "text-justify": "auto",
                "symbol-sort-key": order,
                "text-optional": True,
            },
            paint={"text-color": self.theme.text, "text-halo-color": self.theme.halo, "text-halo-width": 1.5},
        )

    # -- lines and polygons --

    def _drawn(self) -> None:
        codes = {code.code: code for code in coloured_by(self.layer)}
        paints = dict(self.style.paint)
        for code, known in codes.items():
            if code not in paints and known.colour:
                paints[code] = {self._default(): known.colour}
        if not codes or not paints:
            paints = {"*": self.style.paint.get("*", {self._default(): self.style.colour})}
        lines = []
        for code, paint in paints.items():
            chosen = {} if code == "*" else {"filter": ["==", ["get", self.style.by], code]}
            fill = self._part(paint, "fill-")
            line = self._part(paint, "line-")
            if fill and fill.get("fill-opacity", 1) > 0:
                self._add(f"fill-{code}", "fill", self.layer.id, **chosen, paint={"fill-antialias": False, **fill})
            if line and line.get("line-width", 1) > 0:
                rounded = {} if "line-dasharray" in line else {"line-cap": "round"}
                layout = {"line-join": "round", **rounded}
                lines.append(code)
                self._add(f"line-{code}", "line", self.layer.id, **chosen, paint=line, layout=layout)
        if self.style.label in self.layer.field:
            if self.layer.layer.geometry == "line":
                self._along(lines)
            else:
                self._inside(codes)

    def _default(self) -> str:
        return "line-color" if self.layer.layer.geometry == "line" else "fill-color"

    def _part(self, paint: Any, prefix: str) -> dict[str, Any]:
        found = {n: self._colour(v) if n.endswith("-color") else v for n, v in paint.items() if n.startswith(prefix)}
        # a paint with an opacity of nothing and no colour says "not drawn"
        return found if f"{prefix}color" in found else {}

    def _along(self, codes: list[str]) -> None:
        self._add(
            "labels",
            "symbol",
            self.layer.id,
            minzoom=8,
            **({} if codes == ["*"] else {"filter": ["in", ["get", self.style.by], ["literal", codes]]}),
            layout={
                "text-field": ["coalesce", ["get", self.style.label], ""],
                "text-font": FONT,
                "text-size": 11,
                "symbol-placement": "line",
                "symbol-spacing": 400,
            },
            paint={
                "text-color": self._colour(self.style.colour),
                "text-halo-color": self.theme.halo,
                "text-halo-width": 1.5,
            },
        )

    def _inside(self, codes: Any) -> None:
        """Names of areas, each kind within its own zooms: a name in every area at every zoom would hide the map."""
        for code, zoom in self.style.zooms.items():
            if code not in codes or zoom == 0:
                continue
            self._add(
                f"labels-{code}",
                "symbol",
                self.layer.id,
                minzoom=zoom + 1,
                maxzoom=zoom + 4,
                filter=["==", ["get", self.style.by], code],
                layout={
                    "text-field": ["coalesce", ["get", self.style.label], ""],
                    "text-font": FONT,
                    "text-size": 12,
                    "text-letter-spacing": 0.08,
                    "text-max-width": 8,
                },
                paint={"text-color": self.theme.faint, "text-halo-color": self.theme.halo, "text-halo-width": 1.2},
            )
