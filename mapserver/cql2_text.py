"""CQL2 text (OGC 21-065r2) to CQL2 JSON: a recursive-descent parser with a bound on depth.

pygeofilter's own grammar gives AND and OR one precedence and has the temporal operators infix, so that a filter of
the standard would select other records than it says. Only its syntax tree is used (mapserver.cql2).
"""

from __future__ import annotations

import re
from typing import Any, NoReturn

MAX_DEPTH = 32

_NAME_START = ":_A-Za-z\u00c0-\u00d6\u00d8-\u00f6\u00f8-\u02ff\u0370-\u037d\u037f-\u1ffe\u3001-\ud7ff"
_TOKEN = re.compile(
    rf"""\s*(?:
      (?P<number>(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?)
    | (?P<string>'(?:''|\\'|[^'])*')
    | (?P<quoted>"[^"]+")
    | (?P<name>[{_NAME_START}][{_NAME_START}.0-9\u0300-\u036f\u203f-\u2040]*)
    | (?P<op><>|<=|>=|[=<>+\-*/^%(),\[\]])
    )""",
    re.VERBOSE,
)
_COMPARISONS = {"=", "<>", "<", "<=", ">", ">="}
_SPATIAL = ("intersects", "equals", "disjoint", "touches", "within", "overlaps", "crosses", "contains")
_TEMPORAL = (
    *("after", "before", "contains", "disjoint", "during", "equals", "finishedBy", "finishes", "intersects", "meets"),
    *("metBy", "overlappedBy", "overlaps", "startedBy", "starts"),
)
_CALLS = {
    **{f"s_{n}": f"s_{n}" for n in _SPATIAL},
    **{f"t_{n.lower()}": f"t_{n}" for n in _TEMPORAL},
}
_GEOMETRIES = {
    "point": "Point",
    "linestring": "LineString",
    "polygon": "Polygon",
    "multipoint": "MultiPoint",
    "multilinestring": "MultiLineString",
    "multipolygon": "MultiPolygon",
    "geometrycollection": "GeometryCollection",
}
_RESERVED = {"and", "or", "not", "like", "between", "in", "is", "null", "true", "false"}


class SyntaxProblem(ValueError):
    """The text is no CQL2. The message quotes only the text."""


class _Parser:
    def __init__(self, text: str) -> None:
        self.tokens: list[tuple[str, str, int]] = []
        self.at = 0
        self.depth = 0
        place = 0
        text = text.rstrip()
        while place < len(text):
            match = _TOKEN.match(text, place)
            if match is None:
                raise SyntaxProblem(f"filter: cannot read {text[place:].strip()[:20]!r} at character {place + 1}")
            kind = str(match.lastgroup)
            self.tokens.append((kind, match[kind], match.start(kind) + 1))
            place = match.end()
        self.tokens.append(("end", "", len(text) + 1))

    # -- tokens --
    def peek(self, *values: str) -> bool:
        kind, value, _ = self.tokens[self.at]
        return kind in ("op", "name") and value.lower() in values

    def take(self, *values: str) -> bool:
        if self.peek(*values):
            self.at += 1
            return True
        return False

    def expect(self, value: str) -> None:
        if not self.take(value):
            self.fail(f"expected {value.upper()!r}")

    def fail(self, why: str) -> NoReturn:
        kind, value, place = self.tokens[self.at]
        found = "the end" if kind == "end" else repr(value[:20])
        raise SyntaxProblem(f"filter: {why} at character {place}, found {found}")

    def deeper(self) -> None:
        self.depth += 1
        if self.depth > MAX_DEPTH:
            raise SyntaxProblem(f"filter: nested deeper than {MAX_DEPTH} levels; write it flatter")

    # -- booleans --
    def parse(self) -> Any:
        tree = self.either()
        if self.tokens[self.at][0] != "end":
            self.fail("expected AND, OR or the end")
        return tree

    def either(self) -> Any:
        parts = [self.both()]
        while self.take("or"):
            parts.append(self.both())
        return parts[0] if len(parts) == 1 else {"op": "or", "args": parts}

    def both(self) -> Any:
        parts = [self.negated()]
        while self.take("and"):
            parts.append(self.negated())
        return parts[0] if len(parts) == 1 else {"op": "and", "args": parts}

    def negated(self) -> Any:
        if self.take("not"):
            self.deeper()
            inner = self.negated()
            self.depth -= 1
            return {"op": "not", "args": [inner]}
        return self.comparison()

    def comparison(self) -> Any:
        left = self.sum()
        kind, value, _ = self.tokens[self.at]
        if kind == "op" and value in _COMPARISONS:
            self.at += 1
            return {"op": value, "args": [left, self.sum()]}
        if self.take("is"):
            negative = self.take("not")
            self.expect("null")
            return _maybe_not(negative, {"op": "isNull", "args": [left]})
        negative = self.take("not")
        if self.take("like"):
            return _maybe_not(negative, {"op": "like", "args": [left, self.sum()]})
        if self.take("between"):
            low = self.sum()
            self.expect("and")
            return _maybe_not(negative, {"op": "between", "args": [left, low, self.sum()]})
        if self.take("in"):
            self.expect("(")
            return _maybe_not(negative, {"op": "in", "args": [left, self.list_until(")", self.sum)]})
        if negative:
            self.fail("expected LIKE, BETWEEN or IN")
        return left

    # -- values --
    def sum(self) -> Any:
        left = self.product()
        while self.peek("+", "-"):
            op = self.tokens[self.at][1]
            self.at += 1
            left = {"op": op, "args": [left, self.product()]}
        return left

    def product(self) -> Any:
        left = self.atom()
        while self.peek("*", "/", "^", "%"):
            op = self.tokens[self.at][1]
            self.at += 1
            left = {"op": op, "args": [left, self.atom()]}
        return left

    def atom(self) -> Any:
        kind, value, _ = self.tokens[self.at]
        self.at += 1
        if kind == "number":
            return _number(value)
        if kind == "string":
            return value[1:-1].replace("''", "'").replace("\\'", "'")
        if kind == "quoted":
            return {"property": value[1:-1]}
        if kind == "op" and value == "-" and self.tokens[self.at][0] == "number":
            return -self.atom()
        if kind == "op" and value == "(":
            self.deeper()
            inner = self.either()
            self.expect(")")
            self.depth -= 1
            return inner
        if kind == "name":
            return self.named(value)
        self.at -= 1
        return self.fail("expected a property, a value or '('")

    def named(self, name: str) -> Any:
        lower = name.lower()
        if lower in ("true", "false"):
            return lower == "true"
        if lower in _GEOMETRIES and self.peek("(", "z"):
            return self.geometry(lower)
        if not self.peek("("):
            if lower in _RESERVED:
                self.at -= 1
                self.fail("expected a property or a value")
            return {"property": name}
        self.expect("(")
        self.deeper()
        arguments = self.list_until(")", self.either)
        self.depth -= 1
        if lower in ("date", "timestamp"):
            if len(arguments) != 1:
                self.fail(f"{name.upper()} takes one text")
            return {lower: arguments[0]}
        if lower == "interval":
            return {"interval": arguments}
        if lower == "bbox":
            return {"bbox": arguments}
        return {"op": _CALLS.get(lower, lower), "args": arguments}

    def list_until(self, close: str, item: Any) -> list[Any]:
        items = [item()]
        while self.take(","):
            items.append(item())
        self.expect(close)
        return items

    # -- well-known text --
    def geometry(self, lower: str) -> Any:
        self.take("z")
        self.expect("(")
        if lower == "geometrycollection":
            self.deeper()
            parts = self.list_until(")", self.member)
            self.depth -= 1
            return {"type": "GeometryCollection", "geometries": parts}
        nesting = {"point": 0, "linestring": 1, "multipoint": 1, "polygon": 2, "multilinestring": 2, "multipolygon": 3}
        coordinates = self.coordinates(nesting[lower])
        return {"type": _GEOMETRIES[lower], "coordinates": coordinates}

    def member(self) -> Any:
        _, value, _ = self.tokens[self.at]
        if value.lower() not in _GEOMETRIES:
            self.fail("expected a geometry")
        self.at += 1
        return self.geometry(value.lower())

    def coordinates(self, nesting: int) -> Any:
        """What stands inside the parentheses, the closing one included."""
        if nesting == 0:
            position = self.position()
            self.expect(")")
            return position
        if nesting == 1:
            return self.list_until(")", self.position)

        def part() -> Any:
            self.expect("(")
            return self.coordinates(nesting - 1)

        return self.list_until(")", part)

    def position(self) -> list[float]:
        if self.take("("):  # MULTIPOINT((1 2), (3 4))
            inner = self.position()
            self.expect(")")
            return inner
        numbers = []
        while self.peek("-") or self.tokens[self.at][0] == "number":
            sign = -1 if self.take("-") else 1
            if self.tokens[self.at][0] != "number":
                self.fail("expected a number")
            numbers.append(sign * _number(self.tokens[self.at][1]))
            self.at += 1
        if len(numbers) not in (2, 3):
            self.fail("expected a position of 2 or 3 numbers")
        return numbers


def _number(text: str) -> float:
    return int(text) if text.isdigit() else float(text)


def _maybe_not(negative: bool, tree: Any) -> Any:
    return {"op": "not", "args": [tree]} if negative else tree


def to_json(text: str) -> Any:
    """The same filter in CQL2 JSON. Raises SyntaxProblem."""
    return _Parser(text).parse()
