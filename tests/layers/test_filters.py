"""Filters compiled to SQL: every value is a parameter, every name is allowed, and whatever else is refused in words."""

from __future__ import annotations

import datetime as dt
import re
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pygeofilter import ast, values

from layers.filters import BadQuery, compile_filter, kinds
from layers.policy import load

POLICY = load()
RELEASED = POLICY.released("strict_hr")["incidents"]
A = ast.Attribute
NAMES = sorted(kinds(RELEASED))

texts = st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"]), max_size=20)
text_names = st.sampled_from([n for n, kind in kinds(RELEASED).items() if kind == "text"])
number_names = st.sampled_from([n for n, kind in kinds(RELEASED).items() if kind == "number"])
numbers = st.integers(-(10**6), 10**6) | st.floats(allow_nan=False, allow_infinity=False, width=32)
leaves = st.one_of(
    st.builds(lambda n, v: ast.Equal(A(n), v), text_names, texts),
    st.builds(lambda n, v: ast.GreaterThan(A(n), v), number_names, numbers),
    st.builds(lambda n, a, b, x: ast.Between(A(n), a, b, x), number_names, numbers, numbers, st.booleans()),
    st.builds(lambda n, v, x: ast.In(A(n), v, x), text_names, st.lists(texts, min_size=1, max_size=4), st.booleans()),
    st.builds(lambda n, v: ast.Like(A(n), v, False, "%", "_", "\\", False), text_names, texts),
    st.builds(lambda n, x: ast.IsNull(A(n), x), st.sampled_from(NAMES), st.booleans()),
)
trees = st.recursive(
    leaves,
    lambda inner: st.one_of(
        st.builds(ast.And, inner, inner), st.builds(ast.Or, inner, inner), st.builds(ast.Not, inner)
    ),
    max_leaves=8,
)


@given(trees)
def test_the_text_of_a_statement_holds_nothing_of_the_caller(tree: Any) -> None:
    """Names of released columns, operators and places for parameters: the values go apart."""
    made = compile_filter(tree, RELEASED)
    assert made.text.count("%s") == len(made.params)
    rest = re.sub(r't\."(\w+)"', lambda m: "" if m[1] in NAMES else "?", made.text)
    assert re.fullmatch(
        r"(%s(::[a-z ]+)?|COLLATE \"C\"|NOT|AND|OR|IN|IS|NULL|LIKE|BETWEEN|coalesce|false|true|[\s(),<>=])*", rest
    ), rest


UNKNOWN = ["narrative_x", "geom", "fid", "_stream", "_text", "cell_x", "id", "ctid", "t.category", 'category" OR "', ""]


@pytest.mark.parametrize("name", UNKNOWN)
def test_an_unknown_name_is_refused_wherever_it_stands(name: str) -> None:
    nodes = [
        ast.Equal(A(name), "x"),
        ast.Equal("x", A(name)),
        ast.In(A("category"), [A(name)], False),
        ast.Between(A("killed_best"), A(name), 5, False),
        ast.Like(A(name), "x", False, "%", "_", "\\", False),
        ast.Not(ast.Equal(A(name), 1)),
        ast.Equal(ast.Function("casei", [A(name)]), "x"),
        ast.GreaterThan(ast.Add(A(name), 1), 1),
        ast.TimeAfter(A(name), dt.date(2020, 1, 1)),
        A(name),
    ]
    for node in nodes:
        with pytest.raises(BadQuery, match="there is no property"):
            compile_filter(node, RELEASED)


WRONG: dict[str, Any] = {
    "a text for a number": ast.Equal(A("killed_best"), "many"),
    "a number for a text": ast.Equal(A("category"), 5),
    "two kinds of columns": ast.Equal(A("category"), A("killed_best")),
    "a truth for a number": ast.Equal(A("killed_best"), True),
    "a word for a time": ast.Equal(A("time_from"), "soon"),
    "a place for a number": ast.GeometryIntersects(
        A("killed_best"), values.Geometry({"type": "Point", "coordinates": [1, 2]})
    ),
    "a place that crosses itself": ast.GeometryIntersects(
        A("geometry"),
        values.Geometry({"type": "Polygon", "coordinates": [[[0, 0], [1, 1], [1, 0], [0, 1], [0, 0]]]}),
    ),
    "two places": ast.GeometryIntersects(A("geometry"), A("geometry")),
    "a text as condition": A("category"),
    "a function of the database": ast.Equal(ast.Function("pg_sleep", [9]), 1),
    "nothing to choose from": ast.In(A("category"), [], False),
    "sums of texts": ast.Equal(ast.Add(A("category"), "x"), "y"),
    "a pattern on a number": ast.Like(A("killed_best"), "1%", False, "%", "_", "\\", False),
    "a character that no text holds": ast.Equal(A("category"), "a\0b"),
    "half a character": ast.Equal(A("category"), "\ud800"),
    "a time that is a text": ast.TimeAfter(A("category"), dt.date(2020, 1, 1)),
    "a distance": ast.DistanceWithin(A("geometry"), values.Geometry({"type": "Point", "coordinates": [1, 2]}), 5, "m"),
    "a bare value": "true",
}


@pytest.mark.parametrize("case", WRONG)
def test_what_does_not_fit_is_refused_in_words(case: str) -> None:
    with pytest.raises(BadQuery) as refused:
        compile_filter(WRONG[case], RELEASED)
    assert "\n" not in str(refused.value)


def test_what_may_be_asked_is_what_is_released() -> None:
    for audience in POLICY.audiences:
        for view in POLICY.released(audience).values():
            names = {f.name for f in view.fields} | {"place_precision", "area"}
            names |= {"time_from", "time_to", "time_precision"} if view.has_time else set()
            assert set(kinds(view)) == names
