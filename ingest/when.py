"""Time: a start, a last day and a precision become the interval that the layer declares."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Mapping
from typing import Any

from sqlalchemy import Date

from ingest import dates
from ingest.draft import Context, Draft, Stage
from ingest.errors import Reject
from ingest.profile import When
from ingest.values import Spec, bind
from layers.layer import Time

_Moment = tuple[dt.datetime, str]
_Read = Callable[[Mapping[str, Any]], _Moment | None]


def stage(context: Context) -> Stage:
    """Fill the layer's time columns. A layer without time, or a profile without it, is left as it is."""
    time, wanted = context.layer.time, context.match.table.time
    if time is None:
        return lambda draft: None
    start = context.layer.model.__table__.columns[time.start]
    if wanted is None:
        return (lambda draft: None) if start.nullable else _refuse(time.start)
    read = _span(context, wanted, time.start, required=not start.nullable)
    return _days(time, read) if isinstance(start.type, Date) else _moments(context, time, wanted, read)


def _span(
    context: Context, wanted: When, column: str, *, required: bool
) -> Callable[[Draft], tuple[_Moment | None, _Moment | None]]:
    start, end = _reader(wanted.start, context), _reader(wanted.end, context)
    name = context.columns.first(wanted.start.names) or column
    name_end = (context.columns.first(wanted.end.names) if wanted.end else None) or "end"

    def read(draft: Draft) -> tuple[_Moment | None, _Moment | None]:
        first, last = start(draft.values), end(draft.values)
        if first is None and required:
            raise Reject(name, "no date", "fill in when it happened")
        if first and last and last[0] < first[0]:
            raise Reject(name_end, "ends before it starts", "exchange or correct the dates")
        if first and required and first[0].date() > context.today:
            raise Reject(name, f"{first[0].date()} lies in the future", "check day and month")
        return first, last

    return read


def _days(time: Time, read: Callable[[Draft], tuple[_Moment | None, _Moment | None]]) -> Stage:
    def fill(draft: Draft) -> None:
        for column, moment in zip((time.start, time.end), read(draft), strict=True):
            if column and moment:
                draft.record[column] = moment[0].date()

    return fill


def _moments(
    context: Context, time: Time, wanted: When, read: Callable[[Draft], tuple[_Moment | None, _Moment | None]]
) -> Stage:
    precision = bind(wanted.precision, context.columns) if wanted.precision else None
    reported = _reader(wanted.reported, context)

    def fill(draft: Draft) -> None:
        first, last = read(draft)
        if first is None:
            return
        known = str((precision(draft.values) if precision else None) or first[1])
        if known not in dates.PRECISIONS:
            raise Reject(time.start, f"no precision of time {known!r}", f"use one of {', '.join(dates.PRECISIONS)}")
        # A file that states only a month or a year gives the first day of it: the interval is all of it.
        widen = wanted.widen or first[1] in ("month", "longer")
        since, until = dates.interval(first[0], None if wanted.exclusive or not last else last[0], known, widen)
        if wanted.exclusive and last and last[0] > since:
            until = last[0]
        draft.record[time.start] = since
        if time.end:
            draft.record[time.end] = until
        if time.precision:
            draft.record[time.precision] = known
        told = reported(draft.values)
        if time.reported and (told or wanted.reported_at_end):
            draft.record[time.reported] = told[0] if told else until

    return fill


def _reader(one: Spec | None, context: Context) -> _Read:
    if one is None:
        return lambda values: None
    name = context.columns.first(one.names) or "date"
    formats = one.formats or next((a.formats for a in one.alternatives if a.formats), ())
    raw = bind(one, context.columns)

    def read(values: Mapping[str, Any]) -> _Moment | None:
        value = raw(values)
        if value is None:
            return None
        try:
            return dates.parse(value, formats)
        except dates.DateError as error:
            raise Reject(name, str(error), "write the date as YYYY-MM-DD") from None

    return read


def _refuse(name: str) -> Stage:
    def refuse(draft: Draft) -> None:
        raise Reject(name, "the profile says no time", "add `time` to the profile")

    return refuse
