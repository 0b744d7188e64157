"""Classify: the first rule that fits gives level, compartments, ground and originator. No rule, no record."""

from __future__ import annotations

import datetime as dt
import re
from collections.abc import Callable, Mapping
from typing import Any

from ingest import dates
from ingest.draft import Context, Draft, Stage
from ingest.errors import IngestError, Reject
from ingest.profile import Condition
from ingest.values import Columns, as_number, bind, clean, key
from layers.audience import LEVELS
from layers.layer import code_list

Test = Callable[[Mapping[str, Any]], bool]


def stage(context: Context) -> Stage:
    """Fill level, compartments, publish, ground, originator and their marking from the profile's `label` rules.

    Raises IngestError when the profile names a level, compartment or audience that the policy does not know.
    """
    rules = [
        (tests(rule.when, context.columns), {n: bind(s, context.columns) for n, s in rule.values.items()})
        for rule in context.match.table.label
    ]
    for rule in context.match.table.label:
        for name, one in rule.values.items():
            if not one.names:
                try:
                    _verified(name, bind(one, context.columns)({}), context)
                except Reject as reject:
                    raise IngestError(f"profile {context.match.name}: label.{reject}") from None
    by = f"profile {context.match.name}"

    def classify(draft: Draft) -> None:
        for applies, readers in rules:
            if applies(draft.values):
                for name, read in readers.items():
                    value = _verified(name, read(draft.values), context)
                    if value is not None:
                        draft.record[name] = value
                if "level" not in draft.record:
                    raise Reject("level", "no class", f"write one of {', '.join(LEVELS)}")
                draft.record["classified_by"] = by
                return
        raise Reject("level", "no rule of the profile gives it a class", "add a rule without `when` at the end")

    return classify


def _verified(name: str, value: Any, context: Context) -> Any:
    if value is None:
        return None
    if name in ("compartments", "publish"):
        values = [str(v).strip() for v in (value if isinstance(value, list | tuple) else [value])]
        known = set(context.policy.compartments if name == "compartments" else context.policy.audiences)
        for one in values:
            if one not in known:
                kind = "compartment" if name == "compartments" else "audience"
                raise Reject(name, f"no {kind} {one!r}", f"use {', '.join(sorted(known)) or 'none'}")
        return values
    if name == "level":
        level = key(value).replace("strictly confidential", "strict").replace("strictly_confidential", "strict")
        if level not in LEVELS:
            raise Reject(name, f"no level {str(value)[:30]!r}", f"use one of {', '.join(LEVELS)}")
        return level
    if name == "ground" and value not in code_list("ground").by_code:
        raise Reject(name, f"no ground {str(value)[:30]!r}", f"use one of {', '.join(code_list('ground').by_code)}")
    if name == "review_on":
        return _date(value)
    return str(value)


def _date(value: Any) -> dt.date:
    try:
        return dates.parse(value)[0].date()
    except dates.DateError as error:
        raise Reject("review_on", str(error), "write the date as YYYY-MM-DD") from None


def tests(conditions: tuple[Condition, ...], columns: Columns) -> Test:
    """One test that holds when all conditions hold. A condition on a column that the file lacks never holds."""
    bound = [(columns.first((c.column,)), c) for c in conditions]
    patterns = {word: re.compile(rf"(?<!\w){re.escape(word)}(?!\w)") for _, c in bound for word in c.mentions}

    def holds(values: Mapping[str, Any]) -> bool:
        return all(column is not None and _holds(c, clean(values.get(column)), column) for column, c in bound)

    def _holds(c: Condition, value: Any, column: str) -> bool:
        folded = "" if value is None else key(value)
        if c.is_ and folded not in c.is_:
            return False
        if c.is_not and folded in c.is_not:
            return False
        if c.filled is not None and (value is not None) != c.filled:
            return False
        if c.at_least is not None and (value is None or as_number(value, column) < c.at_least):
            return False
        return not c.mentions or any(patterns[w].search(folded) for w in c.mentions)

    return holds
