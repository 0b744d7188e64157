"""Properties of what parses dates, numbers and coordinates, over drawn values."""

from __future__ import annotations

import contextlib
import datetime as dt
import math
from pathlib import Path

import pytest
import shapely
from hypothesis import given
from hypothesis import strategies as st

from ingest import dates
from ingest.demo import dice
from ingest.errors import Reject
from ingest.header import find_header
from ingest.partners import partner_id
from ingest.values import as_number
from tests.ingest.recorder import take

DAYS = st.dates(dt.date(1900, 1, 1), dt.date(2099, 12, 31))
FORMS = ("%Y-%m-%d", "%d %B %Y", "%B %d, %Y", "%d-%b-%Y", "%Y-%m-%dT00:00:00Z")


@given(DAYS, st.sampled_from(FORMS))
def test_a_day_is_read_in_every_unambiguous_form(day: dt.date, form: str) -> None:
    moment, _ = dates.parse(day.strftime(form))
    assert moment == dt.datetime(day.year, day.month, day.day, tzinfo=dt.UTC)


@given(DAYS)
def test_a_spreadsheet_date_is_a_day(day: dt.date) -> None:
    assert dates.parse(day) == dates.parse(dt.datetime(day.year, day.month, day.day)) == dates.parse(day.isoformat())  # noqa: DTZ001


@given(DAYS)
def test_an_ambiguous_form_needs_a_format(day: dt.date) -> None:
    with pytest.raises(dates.DateError):
        dates.parse(day.strftime("%d/%m/%Y"))
    assert dates.parse(day.strftime("%d/%m/%Y"), ["%d/%m/%Y"])[0].date() == day


@given(st.text(max_size=30))
def test_any_text_is_a_date_or_is_refused(text: str) -> None:
    with contextlib.suppress(dates.DateError):
        moment, precision = dates.parse(text)
        assert moment.tzinfo is dt.UTC
        assert precision in dates.PRECISIONS


@given(DAYS, st.integers(0, 400), st.sampled_from(dates.PRECISIONS), st.booleans())
def test_an_interval_holds_what_was_said(day: dt.date, length: int, precision: str, widen: bool) -> None:
    start = dt.datetime(day.year, day.month, day.day, tzinfo=dt.UTC)
    end = start + dt.timedelta(days=length)
    since, until = dates.interval(start, end, precision, widen)
    assert since <= start
    assert until > since
    assert until >= end
    if widen and precision == "week":
        assert since.weekday() == 0
        assert until - since >= dt.timedelta(days=7)
    if widen and precision == "month":
        assert since.day == 1
        assert length > 0 or until.day == 1


@given(st.floats(-1e9, 1e9).map(lambda x: round(x, 4)), st.sampled_from(["{:.4f}", "{:,.4f}"]))
def test_numbers_are_read_as_tables_write_them(number: float, form: str) -> None:
    text = form.format(number)
    assert as_number(text, "n") == pytest.approx(number, abs=1e-3)
    assert as_number(text.replace(",", "\u00a0"), "n") == pytest.approx(number, abs=1e-3)


@given(st.text(max_size=20))
def test_any_text_is_a_number_or_rejected(text: str) -> None:
    with contextlib.suppress(Reject):
        assert math.isfinite(as_number(text, "n"))


@given(st.lists(st.lists(st.text(max_size=8), max_size=6), max_size=30))
def test_a_header_names_every_column_once(rows: list[list[str]]) -> None:
    header = find_header(rows)
    assert len(set(header.columns)) == len(header.columns)
    assert all(header.columns)


@given(st.text(min_size=1, max_size=60))
def test_a_partner_has_one_id_however_its_name_is_spaced(name: str) -> None:
    assert partner_id(name) == partner_id(f"  {name} ")
    assert partner_id(name).isascii()


@given(st.text(max_size=20), st.integers(1, 1000))
def test_draws_stay_below_and_repeat(key: str, below: int) -> None:
    assert 0 <= dice.number(key, below) < below
    assert dice.number(key, below) == dice.number(key, below)


@pytest.mark.parametrize("mark", [".", ","])
def test_coordinates_in_the_country_keep_their_value(tmp_path: Path, mark: str) -> None:
    places = [(round(14.5 + n * 0.37, 5), round(2.3 + n * 0.25, 5)) for n in range(30)]
    lines = [f"s{n};unclassified;Well;WSH;{x};{y}".replace(".", mark) for n, (x, y) in enumerate(places)]
    path = tmp_path / "sites.csv"
    path.write_text("\n".join(["source_id;level;title;sector;lon;lat", *lines]) + "\n")
    _, recorder = take(path, "sites")
    points = [shapely.from_wkb(r["geom"]) for r in recorder.records]
    assert [(p.x, p.y) for p in points] == places
