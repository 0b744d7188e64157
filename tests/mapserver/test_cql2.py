"""CQL2 text and JSON become one tree: precedence, operators, axes, and bounds on what is parsed."""

from __future__ import annotations

import datetime as dt
import json
from typing import Any

import pytest
from pygeofilter import ast, values

from mapserver import cql2, crs
from mapserver.cql2_text import to_json
from mapserver.errors import Problem


def text(filter_text: str) -> Any:
    return to_json(filter_text)


def tree(filter_text: str) -> ast.Node:
    return cql2.parse(filter_text, "cql2-text")


def test_and_binds_closer_than_or() -> None:
    assert text("a = 1 OR b = 2 AND c = 3") == {
        "op": "or",
        "args": [
            {"op": "=", "args": [{"property": "a"}, 1]},
            {
                "op": "and",
                "args": [{"op": "=", "args": [{"property": "b"}, 2]}, {"op": "=", "args": [{"property": "c"}, 3]}],
            },
        ],
    }


def test_parentheses_and_not() -> None:
    assert text("NOT (a = 1 OR b = 2) AND c IS NOT NULL") == {
        "op": "and",
        "args": [
            {
                "op": "not",
                "args": [
                    {
                        "op": "or",
                        "args": [
                            {"op": "=", "args": [{"property": "a"}, 1]},
                            {"op": "=", "args": [{"property": "b"}, 2]},
                        ],
                    }
                ],
            },
            {"op": "not", "args": [{"op": "isNull", "args": [{"property": "c"}]}]},
        ],
    }


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ("a LIKE 'x%'", {"op": "like", "args": [{"property": "a"}, "x%"]}),
        ("a NOT IN ('x', 'y')", {"op": "not", "args": [{"op": "in", "args": [{"property": "a"}, ["x", "y"]]}]}),
        ("a BETWEEN 1 AND 2", {"op": "between", "args": [{"property": "a"}, 1, 2]}),
        ("a = 'it''s'", {"op": "=", "args": [{"property": "a"}, "it's"]}),
        ("a = -1.5e2", {"op": "=", "args": [{"property": "a"}, -150.0]}),
        ('"a" <> TRUE', {"op": "<>", "args": [{"property": "a"}, True]}),
        (
            "(a + 1) * 2 > 3",
            {"op": ">", "args": [{"op": "*", "args": [{"op": "+", "args": [{"property": "a"}, 1]}, 2]}, 3]},
        ),
        (
            "t_during(a, INTERVAL('2024-01-01', '..'))",
            {"op": "t_during", "args": [{"property": "a"}, {"interval": ["2024-01-01", ".."]}]},
        ),
        (
            "S_INTERSECTS(geometry, MULTIPOINT((1 2), (-3 4)))",
            {
                "op": "s_intersects",
                "args": [{"property": "geometry"}, {"type": "MultiPoint", "coordinates": [[1, 2], [-3, 4]]}],
            },
        ),
        (
            "S_WITHIN(geometry, POLYGON((0 0, 1 0, 1 1, 0 0)))",
            {
                "op": "s_within",
                "args": [
                    {"property": "geometry"},
                    {"type": "Polygon", "coordinates": [[[0, 0], [1, 0], [1, 1], [0, 0]]]},
                ],
            },
        ),
    ],
)
def test_text_is_the_same_as_json(given: str, expected: Any) -> None:
    assert text(given) == expected
    assert cql2.parse(given, "cql2-text") == cql2.parse(json.dumps(expected), "cql2-json")


@pytest.mark.parametrize(
    "given",
    [
        "a =",
        "a = 1 b",
        "= 1",
        "a = 'open",
        "a = 1; DROP TABLE x",
        "a IN ()",
        "NOT",
        "a NOT = 1",
        "POINT(1)",
        "nosuch(a)",
        "a",
        "1",
        "'x'",
        "a + 1",
        "a AND b",
        "casei(a)",
        "DATE('2024-13-01') = a",
        "a = TIMESTAMP('soon')",
        "S_INTERSECTS(geometry, POINT(181 0))",
        "S_INTERSECTS(geometry, BBOX(0, 1))",
        "x" * 7000,
    ],
)
def test_nonsense_is_a_bad_request(given: str) -> None:
    with pytest.raises(Problem) as found:
        tree(given)
    assert found.value.status == 400
    assert found.value.detail.startswith("filter: ")


@pytest.mark.parametrize(
    "given",
    [
        "[]",
        "null",
        "{",
        '{"op": "and", "args": []}',
        '{"op": "and"}',
        '{"op": ["and"], "args": [true, true]}',
        '{"op": "=", "args": [{"property": 1}, 1]}',
        '{"op": "=", "args": [{"property": "a"}, null]}',
        '{"op": "s_within", "args": [{"property": "geometry"}, {"type": "Point", "coordinates": "x"}]}',
        '{"op": "s_within", "args": [{"property": "geometry"}, {"type": "Polygon", "coordinates": [[1, 2]]}]}',
        '{"op": "in", "args": [{"property": "a"}, []]}',
    ],
)
def test_malformed_json_is_a_bad_request(given: str) -> None:
    with pytest.raises(Problem) as found:
        cql2.parse(given, "cql2-json")
    assert found.value.status == 400


def test_depth_is_bounded_before_anything_recurses() -> None:
    with pytest.raises(Problem, match="nested deeper"):
        tree("(" * 100 + "a = 1" + ")" * 100)
    with pytest.raises(Problem, match="nested deeper"):
        tree("NOT " * 100 + "a = 1")
    deep = '{"op":"not","args":[' * 200 + "true" + "]}" * 200
    with pytest.raises(Problem, match="nested deeper"):
        cql2.parse(deep, "cql2-json")


def test_a_long_chain_becomes_a_shallow_tree() -> None:
    def depth(node: Any) -> int:
        return 1 + max((depth(n) for n in (node.lhs, node.rhs)), default=0) if isinstance(node, ast.Or) else 0

    assert depth(tree(" OR ".join(f"a = {n}" for n in range(200)))) <= 8


def test_like_is_folded_on_both_sides_or_none() -> None:
    node = tree("CASEI(a) LIKE CASEI('Ba%')")
    assert isinstance(node, ast.Like)
    assert (node.nocase, node.wildcard, node.singlechar, node.pattern) == (True, "%", "_", "Ba%")
    with pytest.raises(Problem):
        tree("CASEI(a) LIKE a")


def test_intersecting_in_time_is_to_share_a_moment() -> None:
    name = ast.Attribute("time_from")
    start, end = dt.datetime(2024, 1, 1, tzinfo=dt.UTC), dt.datetime(2024, 2, 1, 10, tzinfo=dt.UTC)
    assert tree("T_INTERSECTS(time_from, INTERVAL('2024-01-01', '2024-02-01T12:00:00+02:00'))") == ast.And(
        ast.LessEqual(name, end), ast.And(ast.LessEqual(start, name), ast.IsNull(name, not_=True))
    )
    assert tree("T_INTERSECTS(time_from, INTERVAL('..', '..'))") == ast.IsNull(name, not_=True)


def test_intervals() -> None:
    node = tree("T_DURING(time_from, INTERVAL('2024-01-01', '..'))")
    assert isinstance(node, ast.TimeDuring)
    assert node.rhs == values.Interval(dt.date(2024, 1, 1), None)


def test_geometries_come_out_as_longitude_and_latitude() -> None:
    node = cql2.parse("S_INTERSECTS(geometry, POINT(4.5 18.5))", "cql2-text", crs.EPSG4326)
    assert isinstance(node, ast.GeometryIntersects)
    assert node.rhs.geometry == {"type": "Point", "coordinates": [18.5, 4.5]}
    mercator = cql2.parse("S_INTERSECTS(geometry, POINT(2059410.58 501524.98))", "cql2-text", crs.EPSG3857)
    assert isinstance(mercator, ast.GeometryIntersects)
    assert mercator.rhs.geometry["coordinates"] == pytest.approx([18.5, 4.5], abs=1e-3)


def test_a_box_over_the_antimeridian_has_two_parts() -> None:
    node = tree("S_INTERSECTS(geometry, BBOX(170, -10, -170, 10))")
    assert isinstance(node, ast.GeometryIntersects)
    assert node.rhs.geometry["type"] == "MultiPolygon"
    assert [ring[0][0][0] for ring in node.rhs.geometry["coordinates"]] == [170, -180]


def test_true_and_false_are_conditions() -> None:
    assert tree("TRUE") == ast.Include(not_=False)
    assert tree("a = 1 AND FALSE") == ast.And(ast.Equal(ast.Attribute("a"), 1), ast.Include(not_=True))
