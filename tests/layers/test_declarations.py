"""The declared layers and their code lists: complete, translated, readable."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

import layers
from layers.incidents import COUNTS, SOURCE_ALIAS
from layers.layer import Layer, code_list
from layers.registry import all_layers

LISTS = sorted(p.stem for p in (Path(layers.__path__[0]) / "codes").glob("*.yaml"))
GRAPHIC = re.compile(r"^#[0-9a-f]{6}$")
WHITE, BLACK = "#ffffff", "#12161c"


def luminance(colour: str) -> float:
    """Relative luminance as WCAG 2 defines it."""
    parts = [int(colour[i : i + 2], 16) / 255 for i in (1, 3, 5)]
    linear = [c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in parts]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


def contrast(one: str, other: str) -> float:
    high, low = sorted((luminance(one), luminance(other)), reverse=True)
    return (high + 0.05) / (low + 0.05)


def test_all_layers_are_found_in_drawing_order() -> None:
    order = ["areas", "water", "boundaries", "settlements", "facilities", "bases", "sites", "incidents"]
    assert list(all_layers()) == order
    groups = [layer.style.group for layer in all_layers().values()]
    assert groups == ["base"] * 4 + ["reference"] * 2 + ["operations"] * 2


@pytest.mark.parametrize("name", LISTS)
def test_a_code_list_is_complete_in_three_languages(name: str) -> None:
    codes = code_list(name).codes
    assert codes
    assert len({c.code for c in codes}) == len(codes)
    for code in codes:
        assert set(code.label) == {"en", "fr", "ar"}
        assert all(text == text.strip() and text for text in code.label.values())
        assert re.search("[\u0600-\u06ff]", code.label["ar"])
        assert code.parent is None or code.parent in code_list(name).by_code or name == "incident_subcategory"
        assert code.colour is None or GRAPHIC.match(code.colour)
    for language in ("en", "fr", "ar"):
        assert len({c.label[language] for c in codes}) == len(codes), "two codes read alike"


def test_sub_categories_belong_to_a_category() -> None:
    categories = code_list("incident_category").by_code
    for code in code_list("incident_subcategory").codes:
        assert code.parent in categories
        assert re.match(rf"^{code.parent}-[A-Z]{{3}}$", code.code)


@pytest.mark.parametrize("name", ["incident_category", "sector"])
def test_colours_of_symbols_are_seen_on_light_and_dark(name: str) -> None:
    for code in code_list(name).codes:
        assert code.colour is not None
        assert contrast(code.colour, WHITE) >= 2.9, code
        assert contrast(code.colour, BLACK) >= 2.9, code


@pytest.mark.parametrize("layer", all_layers().values(), ids=lambda layer: layer.id)
def test_the_look_names_what_there_is(layer: Layer) -> None:
    style = layer.style
    for name in (style.by, style.zoom_by, style.label):
        assert name is None or name in layer.field
    for by, table in ((style.by, style.paint), (style.zoom_by, style.zooms)):
        if table:
            codes = layer.field[by or ""].codes
            assert codes is not None
            assert set(table) <= set(codes.by_code)
    if style.zoom_by:
        codes = layer.field[style.zoom_by].codes
        assert codes is not None
        assert set(style.zooms) == set(codes.by_code), "a value without a zoom is never in a tile"


@pytest.mark.parametrize("layer", all_layers().values(), ids=lambda layer: layer.id)
def test_a_field_has_a_unit_or_needs_none(layer: Layer) -> None:
    for field in layer.fields:
        assert field.label
        assert field.type != "code" or field.codes is not None
        assert not field.bands or (field.type == "integer" and field.bands[0] == 0)
        assert tuple(sorted(set(field.bands))) == field.bands


def test_long_texts_do_not_travel_in_tiles() -> None:
    for layer in all_layers().values():
        for name in ("narrative", "description", "summary_public", "contributors"):
            assert name not in layer.field or not layer.field[name].tile


@pytest.mark.parametrize(
    ("alias", "good"), [("HERON-12", True), ("AB-1", True), ("Jean", False), ("JEAN DUPONT-1", False)]
)
def test_an_alias_is_no_name(alias: str, good: bool) -> None:
    assert bool(re.match(SOURCE_ALIAS, alias)) == good


def test_counts_of_people_are_published_in_the_same_bands() -> None:
    bands = {f.bands for f in all_layers()["incidents"].fields if f.unit == "persons"}
    assert bands == {COUNTS}
