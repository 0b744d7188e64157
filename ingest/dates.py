"""Dates and times as people write them. Ambiguous forms are read only where a profile names the format."""

from __future__ import annotations

import datetime as dt
import re
from collections.abc import Sequence

PRECISIONS = ("minute", "hour", "day", "week", "month", "longer")

_MONTHS = {
    name: number
    for number, names in enumerate(
        (
            "january janvier jan janv",
            "february février fevrier feb févr fév",
            "march mars mar",
            "april avril apr avr",
            "may mai",
            "june juin jun",
            "july juillet jul juil",
            "august août aout aug",
            "september septembre sep sept",
            "october octobre oct",
            "november novembre nov",
            "december décembre decembre dec déc",
        ),
        1,
    )
    for name in names.split()
}
_ISO = re.compile(r"^(\d{4})-(\d{2})-(\d{2})(?:[T ](\d{2}):(\d{2})(?::(\d{2})(?:[.,]\d+)?)?\s*(Z|[+-]\d{2}:?\d{2})?)?$")
_WORDS = re.compile(r"^(?:(\d{1,2})(?:er|st|nd|rd|th)?[\s/-]+)?([^\W\d_]+)\.?[\s,/-]+(\d{4})$")
_WORDS_US = re.compile(r"^([^\W\d_]+)\.?\s+(\d{1,2})(?:st|nd|rd|th)?,?\s+(\d{4})$")


class DateError(ValueError):
    """The text is no date that can be read without guessing."""


def parse(value: object, formats: Sequence[str] = ()) -> tuple[dt.datetime, str]:
    """Read a moment and say how precise it is: (UTC datetime, minute | day | month | longer).

    Without `formats`: ISO 8601, `13 May 2019`, `May 2019`, `2019-05`, `2019`, and what a spreadsheet holds as a date.
    Times without a zone are taken as UTC. `formats` are strptime patterns, or `unix` for seconds since 1970.
    Raises DateError; 03/04/2021 is refused without a format because nobody can tell the month.
    """
    if isinstance(value, dt.datetime):
        whole_day = value.time() == dt.time()
        return _utc(value), "day" if whole_day else "minute"
    if isinstance(value, dt.date):
        return _utc(dt.datetime.combine(value, dt.time())), "day"
    text = " ".join(str(value).split())
    for pattern in formats:
        found = _by_format(text, pattern)
        if found:
            return found
    if formats:
        raise DateError(f"{text[:40]!r} is not written as {' or '.join(formats)}")
    return _by_shape(text)


def _by_format(text: str, pattern: str) -> tuple[dt.datetime, str] | None:
    try:
        if pattern == "unix":
            return _utc(dt.datetime.fromtimestamp(float(text), tz=dt.UTC)), "minute"
        moment = dt.datetime.strptime(text, pattern)  # noqa: DTZ007 -- _utc sets the zone
    except (ValueError, OverflowError, OSError):
        return None
    if any(mark in pattern for mark in ("%H", "%I", "%X", "%c", "%T")):
        return _utc(moment), "minute"
    return _utc(moment), "day" if any(
        m in pattern for m in ("%d", "%j", "%x")
    ) else "month" if "%m" in pattern else "day"


def _by_shape(text: str) -> tuple[dt.datetime, str]:
    try:
        if match := _ISO.match(text):
            if match[4] is None:
                return _day(match[1], match[2], match[3]), "day"
            return _utc(dt.datetime.fromisoformat(re.sub(r",(\d+)", r".\1", text.replace("Z", "+00:00")))), "minute"
        if match := re.match(r"^(\d{4})-(\d{2})$", text):
            return _day(match[1], match[2], 1), "month"
        if match := re.match(r"^(\d{4})(?:\.0)?$", text):
            return _day(match[1], 1, 1), "longer"
        if (match := _WORDS.match(text)) and (month := _MONTHS.get(match[2].lower())):
            day, precision = (int(match[1]), "day") if match[1] else (1, "month")
            return _day(match[3], month, day), precision
        if (match := _WORDS_US.match(text)) and (month := _MONTHS.get(match[1].lower())):
            return _day(match[3], month, match[2]), "day"
    except ValueError as error:
        raise DateError(f"{text[:40]!r}: {error}") from None
    raise DateError(f"{text[:40]!r} is no date that can be read without guessing")


def _utc(moment: dt.datetime) -> dt.datetime:
    if not 1900 <= moment.year <= 2100:
        raise DateError(f"the year {moment.year} is not between 1900 and 2100")
    return moment.replace(tzinfo=dt.UTC) if moment.tzinfo is None else moment.astimezone(dt.UTC)


def _day(year: str, month: str | int, day: str | int) -> dt.datetime:
    return _utc(dt.datetime(int(year), int(month), int(day), tzinfo=dt.UTC))


def interval(
    start: dt.datetime, end: dt.datetime | None, precision: str, widen: bool
) -> tuple[dt.datetime, dt.datetime]:
    """The interval [from, to) that a start, an optional last moment and a precision stand for.

    A day stands for its 24 hours. With `widen`, the interval grows to the whole ISO week, month or year of its
    precision: for sources that give one date in the middle of what they know.
    """
    last = end if end is not None else start
    if precision == "minute":
        return start, max(last, start + dt.timedelta(minutes=1))
    if precision == "hour":
        return start, max(last, start + dt.timedelta(hours=1))
    begin, after = _midnight(start), _midnight(last) + dt.timedelta(days=1)
    if not widen or precision == "day":
        return begin, after
    if precision == "week":
        begin -= dt.timedelta(days=begin.weekday())
        return begin, max(after, begin + dt.timedelta(days=7))
    if precision == "month":
        begin = begin.replace(day=1)
        return begin, max(after, (begin + dt.timedelta(days=32)).replace(day=1))
    begin = begin.replace(month=1, day=1)
    return begin, max(after, begin.replace(year=begin.year + 1))


def _midnight(moment: dt.datetime) -> dt.datetime:
    return moment.replace(hour=0, minute=0, second=0, microsecond=0)
