"""From query parameters to the one question that the door understands (layers.door.Where)."""

from __future__ import annotations

from collections.abc import Iterable

from layers.door import Where
from layers.policy import ReleasedLayer
from mapserver import cql2, parameters
from mapserver.parameters import Query

PLACE = ("place_precision",)
TIME = ("time_from", "time_to", "time_precision")


def queryables(layer: ReleasedLayer) -> tuple[str, ...]:
    """The names that a filter, an equality or a sort may use: released properties only."""
    names = [f.name for f in layer.fields]
    return (*names, *PLACE, *(TIME if layer.has_time else ()))


def shared(layers: Iterable[ReleasedLayer]) -> tuple[str, ...]:
    """The names that every one of these layers can answer."""
    lists = [queryables(one) for one in layers]
    return tuple(n for n in lists[0] if all(n in other for other in lists[1:])) if lists else ()


def build(query: Query) -> Where:
    """The question in the parameters that the route has. Raises 400 problems."""
    values = query.values
    box = values.get("bbox")
    cql = values.get("filter")
    return Where(
        bbox=parameters.bbox(box, values["bbox-crs"]) if box else None,
        interval=values.get("datetime"),
        equals=query.equals,
        filter=cql2.parse(cql, values["filter-lang"], values["filter-crs"]) if cql else None,
        area=values.get("area"),
    )
