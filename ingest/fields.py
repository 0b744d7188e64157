"""Check: cells become typed values, codes are known codes, an alias is no name, and free text is looked over."""

from __future__ import annotations

import datetime as dt
import re
from collections.abc import Callable
from decimal import Decimal
from typing import Any

from sqlalchemy import ARRAY, Boolean, Date, DateTime, Float, Integer, Numeric, SmallInteger

from ingest import dates
from ingest.draft import Context, Draft, Stage
from ingest.errors import Reject
from ingest.values import Spec, as_number, bind, key, text_of
from layers.incidents import SOURCE_ALIAS
from layers.layer import COMMON

_ALIAS = re.compile(SOURCE_ALIAS)
_TEXT_LIMIT = 100_000
_TRUE = frozenset(("1", "true", "yes", "y", "oui", "o", "x", "vrai"))
_FALSE = frozenset(("0", "false", "no", "n", "non", "faux"))

_COERCED = re.compile(
    r"tortur|coerc|duress|contrainte|ill.?treat|mauvais.?traitement|forced.?confession|تعذيب|إكراه", re.IGNORECASE
)
"""Words in `obtained_how` that stop a record: nothing obtained under torture or coercion is taken in."""

_PHONE = re.compile(r"(?<![\w.])(?:\+|00)?\d(?:[\s().-]?\d){7,14}(?![\w.])")
_EMAIL = re.compile(r"[\w.+-]+@[\w-]+\.[\w.]{2,}")
_DATES = re.compile(r"\d{4}-\d{2}-\d{2}|\d{1,2}[./]\d{1,2}[./]\d{2,4}")


def stage(context: Context) -> Stage:
    """Fill and check the layer's own columns from the profile's `set`."""
    table = context.match.table
    columns = context.layer.model.__table__.columns
    readers = [
        (n, bind(s, context.columns), _converter(columns[n].type, s), _check(context, n)) for n, s in table.set.items()
    ]
    names = {n: (context.columns.first(s.names) or n) for n, s in table.set.items()}
    timed = context.layer.time
    later = {timed.start, timed.end, timed.precision, timed.reported} if timed else set()
    required = [
        column.name
        for column in columns
        if column.name not in (*COMMON, *later) and not column.nullable and column.server_default is None
    ]

    obtained = context.columns_of("obtained_how")

    def check(draft: Draft) -> None:
        # The cell as it stands, before a profile's codes: a translation must not let it through.
        for column in obtained:
            if _COERCED.search(str(draft.values.get(column) or "")):
                raise Reject(column, "how obtained blocks intake", "do not use it; tell the human rights section")
        for name, read, convert, verify in readers:
            value = read(draft.values)
            if value is None:
                continue
            value = convert(value, names[name])
            verify(value, names[name])
            draft.record[name] = value
        for name in required:
            if draft.record.get(name) is None:
                raise Reject(names.get(name, name), "is empty", "fill it in")
        _ranges(draft.record, names, context)

    return check


def _converter(kind: Any, one: Spec) -> Callable[[Any, str], Any]:
    if isinstance(kind, Boolean):
        return _boolean
    if isinstance(kind, Integer):
        limit = 2**15 if isinstance(kind, SmallInteger) else 2**31
        return lambda value, name: _integer(round(value) if one.scale else value, name, limit)
    if isinstance(kind, Float):
        return as_number
    if isinstance(kind, Numeric):
        return lambda value, name: round(Decimal(str(as_number(value, name))), 2)
    if isinstance(kind, DateTime):
        return lambda value, name: _moment(value, name, one)
    if isinstance(kind, Date):
        return lambda value, name: _moment(value, name, one).date()
    if isinstance(kind, ARRAY):
        return lambda value, name: [text(v) for v in (value if isinstance(value, list | tuple) else [value])]
    return lambda value, name: text(value)


def text(value: Any) -> str:
    """Text as it is stored; what is longer than any report is cut."""
    return text_of(value)[:_TEXT_LIMIT]


def _boolean(value: Any, name: str) -> bool:
    if isinstance(value, bool):
        return value
    folded = key(value)
    if folded in _TRUE or folded in _FALSE:
        return folded in _TRUE
    raise Reject(name, f"{str(value)[:40]!r} is neither yes nor no", "write yes or no")


def _integer(value: Any, name: str, limit: int) -> int:
    number = as_number(value, name)
    if not number.is_integer() or not -limit <= number < limit:
        raise Reject(name, f"{str(value)[:40]!r} is no whole number that can be stored", "write a whole number")
    return int(number)


def _moment(value: Any, name: str, one: Spec) -> dt.datetime:
    try:
        return dates.parse(value, one.formats)[0]
    except dates.DateError as error:
        raise Reject(name, str(error), "write the date as YYYY-MM-DD") from None


def _check(context: Context, name: str) -> Callable[[Any, str], None]:
    declared = context.layer.field.get(name)
    if name == "source_alias":
        return _alias
    if declared is not None and declared.codes is not None:
        known = declared.codes.by_code
        listed = ", ".join(list(known)[:12]) + (" …" if len(known) > 12 else "")

        def code(value: Any, column: str) -> None:
            if value not in known:
                raise Reject(column, f"no code {str(value)[:40]!r}", f"use one of {listed}")

        return code
    if declared is not None and declared.type == "text":
        return lambda value, column: _look_over(context, name, value)
    return lambda value, column: None


def is_alias(value: Any) -> bool:
    """An alias of a source, and so no name."""
    return bool(_ALIAS.match(str(value)))


def _alias(value: Any, column: str) -> None:
    if not is_alias(value):
        raise Reject(column, "is no alias", "write an alias such as HERON-12, never a name", secret=True)


def _look_over(context: Context, name: str, value: str) -> None:
    """A tripwire, not a filter: the row is taken, the count stands in the report, a person looks."""
    if _EMAIL.search(value):
        context.warnings[f"{name}: looks like an e-mail address"] += 1
    if _PHONE.search(_DATES.sub(" ", value)):
        context.warnings[f"{name}: looks like a telephone number"] += 1


def _ranges(record: dict[str, Any], names: dict[str, str], context: Context) -> None:
    low, high = record.get("killed_low"), record.get("killed_high")
    if low is not None and high is not None and low > high:
        context.warnings["killed_low: above the high estimate"] += 1
    for name, value in record.items():
        if isinstance(value, int | Decimal) and not isinstance(value, bool) and value < 0 and name != "elevation":
            raise Reject(names.get(name, name), f"{value} is below zero", "write a number from 0")
