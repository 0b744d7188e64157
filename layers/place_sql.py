"""Places made coarse, as SQL over a vault record `r`: own geometry, a cell, an administrative unit or nothing."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from layers.layer import Layer
from layers.policy import SCOPES, Place, ReleasedLayer, Tier

NEAR_LEVEL = 2
"""A place known as 'near' lies within about 25 km: its cell is at least of this level (40 km)."""


def literal(value: str) -> str:
    """An SQL string literal."""
    return "'" + value.replace("'", "''") + "'"


def text_array(values: Sequence[str]) -> str:
    return f"ARRAY[{', '.join(map(literal, values))}]::text[]"


def _exact_if(place: Place) -> str:
    assert place.exact_if is not None
    return f"coalesce(r._consent_place, 0) >= {SCOPES.index(place.exact_if) + 1}"


def _own_area(finest: int = 3) -> str:
    """The area of a record whose own place is not a point: its administrative unit, no finer than `finest`."""
    units = {n: f"'admin{n}.' || r.admin{n}" for n in (1, 2, 3)}
    return (
        f"CASE r.place_precision WHEN 'admin3' THEN {units[min(3, finest)] if finest else 'NULL'}"
        f" WHEN 'admin2' THEN {units[min(2, finest)] if finest else 'NULL'}"
        f" WHEN 'admin1' THEN {units[1] if finest else 'NULL'} WHEN 'linear' THEN {units[1] if finest else 'NULL'}"
        " WHEN 'country' THEN (SELECT id FROM vault.areas_of_reference WHERE kind = 'admin0') END"
    )


def _cell(level: int) -> str:
    return f"'c{level}.' || (r.cell_x >> {level}) || '.' || (r.cell_y >> {level})"


def _area(place: Place) -> str | None:
    """The area expression of a place rule, or None when the place is exact or not released."""
    if place.kind == "cell":
        near = _cell(max(place.level, NEAR_LEVEL))
        return (
            f"CASE r.place_precision WHEN 'exact' THEN {_cell(place.level)} WHEN 'near' THEN {near} ELSE"
            f" {_own_area()} END"
        )
    if place.kind == "admin":
        if place.level == 0:
            return "(SELECT id FROM vault.areas_of_reference WHERE kind = 'admin0')"
        return (
            f"CASE WHEN r.place_precision IN ('exact', 'near') THEN 'admin{place.level}.' || r.admin{place.level}"
            f" ELSE {_own_area(place.level)} END"
        )
    if place.kind == "honest":
        fallbacks = [f"h{n}.area" for n in place.otherwise]
        near = f"CASE WHEN hc.level < {NEAR_LEVEL} THEN {_cell(NEAR_LEVEL)} ELSE hc.area END"
        chain = ", ".join(["NULL", *fallbacks])
        # An administrative unit stands for a record only when it passes the same test as a cell.
        below2 = ", ".join(["NULL", *(f"h{n}.area" for n in place.otherwise if n <= 1)])
        return (
            f"CASE r.place_precision WHEN 'exact' THEN coalesce(hc.area, {chain}) WHEN 'near' THEN"
            f" coalesce({near}, {chain})"
            f" WHEN 'admin3' THEN coalesce({chain}) WHEN 'admin2' THEN coalesce({chain})"
            f" WHEN 'admin1' THEN coalesce({below2}) WHEN 'linear' THEN coalesce({below2})"
            " WHEN 'country' THEN (SELECT id FROM vault.areas_of_reference WHERE kind = 'admin0') END"
        )
    return None


def place_joins(tiers: Iterable[Tier], released: ReleasedLayer) -> str:
    """The frozen tables of honest areas. At most one honest rule per layer and audience."""
    rules = {t.place.rule: t.place for t in tiers if t.place.kind == "honest"}
    if len(rules) > 1:
        raise ValueError(f"{released.id} for {released.audience.id}: more than one honest-cell rule")
    out = ""
    for key, place in rules.items():
        out += (
            f"LEFT JOIN vault.honest_cells hc ON hc.rule = {literal(key)} AND hc.cell_x = r.cell_x AND hc.cell_y"
            " = r.cell_y\n"
        )
        for level in place.otherwise:
            out += (
                f"LEFT JOIN vault.honest_areas h{level} ON h{level}.rule = {literal(key)}"
                f" AND h{level}.area = 'admin{level}.' || r.admin{level}\n"
            )
    return out


def _is_exact(tier: Tier | None, layer: Layer) -> str:
    """Is the row's own geometry released?"""
    point = "r.place_precision IN ('exact', 'near')" if layer.geometry == "point" else "true"
    if tier is None or tier.place.kind == "exact":
        return point
    if tier.place.exact_if:
        return f"({point} AND {_exact_if(tier.place)})"
    return "false"


def place_value(column: str, tier: Tier | None, layer: Layer) -> str:
    exact = _is_exact(tier, layer)
    place = tier.place if tier else Place("exact")
    if layer.geometry != "point":
        if place.kind not in ("exact", "none"):
            raise ValueError(
                f"{layer.id}: only points can be made coarse; release lines and polygons exactly or not at all"
            )
        return {
            "geom": "r.geom" if place.kind == "exact" else "NULL::geometry",
            "area": "NULL::text",
            "place_precision": "r.place_precision",
        }[column]
    area = "NULL::text" if place.kind == "none" else _own_area() if place.kind == "exact" else _area(place)
    if column == "geom":
        return f"CASE WHEN {exact} THEN r.geom END"
    if column == "area":
        return f"CASE WHEN NOT {exact} THEN {area} END"
    unknown = (
        f"({area}) IS NULL" if tier is None or place.kind in ("exact", "none") else "r.place_precision = 'unknown'"
    )
    return f"CASE WHEN {exact} THEN r.place_precision WHEN {unknown} THEN 'unknown' END"
