"""The map, the list and the details: they tell the same, and no more precisely than is known."""

from __future__ import annotations

import re
from typing import Any
from urllib.parse import parse_qs, urlsplit

import httpx
import mapbox_vector_tile
import pytest
from playwright.sync_api import expect

from tests.page.conftest import Opener, Visit, records

COUNTRY = "#a=confidential&m=5.2/6.67/20.95"


def drawn_records(visit: Visit, layer: str) -> int:
    """How many records of a layer stand in the tiles that the map fetched last: in clusters and in areas."""
    latest: dict[str, Any] = {}
    for response in visit.responses:
        parts = urlsplit(response.url)
        if f"/collections/{layer}/tiles/" in parts.path:
            latest[parts.path] = response
    tiles = [(path, mapbox_vector_tile.decode(r.body())) for path, r in latest.items() if r.status == 200 and r.body()]
    zooms = {path.split("/")[-3] for path, _ in tiles}
    assert len(zooms) == 1, "one zoom, or records would count twice"
    total = 0
    for _, tile in tiles:
        for name in (f"{layer}_clusters", f"{layer}_area_labels"):
            # a figure stands in one tile only, also when it lies on the edge of two
            total += sum(one["properties"]["n"] for one in tile.get(name, {"features": []})["features"])
    return total


@pytest.mark.parametrize(("size", "zoom"), [("desktop", "5.2"), ("phone", "3.6")])
def test_list_and_map_agree(visit: Opener, size: str, zoom: str) -> None:
    seen = visit(COUNTRY.replace("5.2", zoom), account="officer", size=size)
    seen.tab("list")
    matched = seen.matched()
    assert matched > 1_500
    assert matched == drawn_records(seen, "incidents")


def test_list_and_map_agree_under_filters(visit: Opener) -> None:
    fragment = f"{COUNTRY}&t=2014-01-01T00:00:00Z/2015-12-31T23:59:59Z&f=incidents.category:POC"
    seen = visit(fragment, account="officer")
    seen.tab("list")
    matched = seen.matched()
    assert 0 < matched < 1_000
    assert matched == drawn_records(seen, "incidents")
    asked = [r.url for r in seen.requests if "/collections/incidents/tiles/" in r.url]
    assert asked
    for url in asked:
        query = parse_qs(urlsplit(url).query)
        assert query["category"] == ["POC"]
        assert query["datetime"] == ["2014-01-01T00:00:00Z/2015-12-31T23:59:59Z"]


def test_time_filter(visit: Opener) -> None:
    seen = visit(COUNTRY, account="officer")
    seen.tab("list")
    everything = seen.matched()
    seen.tab("filters")
    seen.page.get_by_test_id("time-from").fill("2014-01-01")
    seen.page.get_by_test_id("time-to").fill("2014-12-31")
    seen.page.wait_for_function("() => location.hash.includes('t=2014-01-01T00:00:00Z/2014-12-31T23:59:59Z')")
    seen.tab("list")
    seen.page.wait_for_function(f"() => document.querySelector('[data-testid=matched]')?.dataset.count < {everything}")
    year = seen.matched()
    expected = seen.api(
        "/confidential/collections/incidents/items",
        limit=1,
        bbox="13,1,29,12",
        datetime="2014-01-01T00:00:00Z/2014-12-31T23:59:59Z",
    )["numberMatched"]
    assert year == expected
    seen.page.get_by_role("button", name="Reset filters").click()
    seen.page.wait_for_function(f"() => document.querySelector('[data-testid=matched]')?.dataset.count == {everything}")


def test_legend_filters(visit: Opener) -> None:
    seen = visit(COUNTRY, account="officer")
    before = int(seen.page.get_by_test_id("count-incidents").inner_text().replace(",", ""))
    seen.page.locator("[data-layer=incidents] [data-code=ARC]").click()
    expect(seen.page.get_by_test_id("count-incidents")).not_to_have_text(f"{before:,}")
    after = int(seen.page.get_by_test_id("count-incidents").inner_text().replace(",", ""))
    found = seen.api("/confidential/collections/incidents/items", limit=1, bbox="13,1,29,12", category="ARC")
    assert after == found["numberMatched"] < before
    seen.page.wait_for_function("() => location.hash.includes('f=incidents.category:ARC')")


@pytest.mark.parametrize("size", ["desktop", "phone"])
def test_click_on_a_point(visit: Opener, officer: httpx.Client, size: str) -> None:
    one = next(
        r for r in records(officer, "strict", "incidents", place_precision="exact", sortby="-time_from")
        if r["properties"]["place_name"]
    )  # fmt: skip
    lon, lat = one["geometry"]["coordinates"]
    seen = visit(f"#a=strict&m=12/{lat}/{lon}", account="officer", size=size)
    seen.click_middle()
    details = seen.page.get_by_test_id("details")
    expect(details).to_contain_text(one["properties"]["place_name"])
    if details.get_by_test_id("record").count() > 1:
        details.get_by_test_id("record").first.get_by_role("button").first.click()
    expect(details).to_contain_text("Exact place")
    # a grid of ten figures: one metre
    expect(details.get_by_test_id("record").first).to_contain_text(re.compile(r"\d\d[A-Z] [A-Z]{2} \d{5} \d{5}"))


def test_a_stack_lists_all(visit: Opener, officer: httpx.Client) -> None:
    """Bangui holds hundreds of records on one point: all of them are there, newest first."""
    found = records(officer, "strict", "incidents", place_precision="exact", place_name="Bangui city")
    lon, lat = found[0]["geometry"]["coordinates"]
    here = f"{lon - 0.001},{lat - 0.001},{lon + 0.001},{lat + 0.001}"
    answer = officer.get(
        "/strict/collections/incidents/items", params={"bbox": here, "place_precision": "exact,near", "limit": 1}
    )
    seen = visit(f"#a=strict&m=12/{lat}/{lon}", account="officer")
    seen.click_middle()
    title = seen.page.locator("#details-title")
    expect(title).to_contain_text("results here")
    assert int(re.sub(r"\D", "", title.inner_text())) >= answer.json()["numberMatched"] > 100
    expect(seen.page.get_by_test_id("record").nth(1)).to_contain_text(re.compile(r"20\d\d"))


def test_a_blurred_record_is_an_area(visit: Opener, officer: httpx.Client) -> None:
    """Never a pin: its area, in words, with the reason, and no coordinates of its own."""
    one = next(r for r in records(officer, "unclassified", "incidents", place_precision="cell", sortby="-time_from"))
    west, south = map(min, zip(*one["geometry"]["coordinates"][0], strict=True))
    east, north = map(max, zip(*one["geometry"]["coordinates"][0], strict=True))
    seen = visit(f"#a=unclassified&m=9/{(south + north) / 2}/{(west + east) / 2}", account="officer")
    seen.tab("list")
    row = seen.page.locator(
        "[data-testid=records] tbody tr", has=seen.page.locator("td.place[title^='Somewhere in this area, about']")
    )
    row.first.get_by_role("button").click()
    card = seen.page.get_by_test_id("record")
    expect(card.get_by_test_id("place")).to_have_text(re.compile(r"^Somewhere in this area, about \d+ km across$"))
    expect(card).to_contain_text("Why not closer?")
    assert not re.search(r"\d\d[A-Z] [A-Z]{2} \d", card.inner_text())
    assert not re.search(r"\d° [NS]", card.inner_text())


def test_click_on_an_area_lists_its_records(visit: Opener, officer: httpx.Client) -> None:
    seen = visit("#a=public&m=7/6.5/22", account="officer")
    seen.click_middle()
    area = seen.page.get_by_test_id("area").first
    expect(area).to_contain_text("somewhere here")
    if area.get_by_role("button").first.get_attribute("aria-expanded") == "false":
        area.get_by_role("button").first.click()
    expect(area.get_by_test_id("record").first).to_be_visible()
    assert any("area=" in urlsplit(r.url).query for r in seen.requests)


def test_coordinates_of_any_click(visit: Opener) -> None:
    seen = visit("#a=public&m=9/2.5/14.6")
    seen.click_middle()
    expect(seen.page.get_by_test_id("spot")).to_contain_text(re.compile(r"33N [A-Z]{2} \d{5} \d{5}"))
    seen.page.keyboard.press("Escape")
    expect(seen.page.get_by_test_id("spot")).to_be_hidden()


def test_search_flies(visit: Opener) -> None:
    seen = visit("#a=public")
    box = seen.page.get_by_test_id("search")
    box.fill("Bambari")
    option = seen.page.get_by_role("option").filter(has_text="Settlements")
    expect(option.first).to_contain_text("Bambari")
    box.press("ArrowDown")
    box.press("Enter")
    seen.page.wait_for_function("() => Math.abs(parseFloat(location.hash.match(/m=[^/]*\\/([^/]*)/)[1]) - 5.76) < 0.5")
    box.fill("34N DM 65000 37000")
    expect(seen.page.get_by_role("option").first).to_contain_text("34N DM 65000 37000")


def order(visit: Visit) -> list[str | None]:
    return [row.get_attribute("data-layer") for row in visit.page.locator("[data-layer]").all()]


def test_layers_by_keyboard(visit: Opener) -> None:
    seen = visit(COUNTRY, account="officer")
    assert order(seen)[:2] == ["incidents", "sites"]
    seen.page.get_by_role("button", name="Move Incidents: arrow up or down").press("ArrowDown")
    assert order(seen)[:2] == ["sites", "incidents"]
    expect(seen.page.locator("[aria-live=polite]")).to_contain_text("Incidents is now 2 of 2")
    seen.page.get_by_role("checkbox", name="Incidents").uncheck()
    seen.page.wait_for_function("() => /l=sites:1/.test(location.hash) && !location.hash.includes('incidents')")


def test_keyboard_path(visit: Opener, officer: httpx.Client) -> None:
    """From the first key to a record's details without a mouse."""
    one = records(officer, "strict", "incidents", place_precision="exact", limit=1)[0]
    lon, lat = one["geometry"]["coordinates"]
    seen = visit(f"#a=strict&m=12/{lat}/{lon}", account="officer")
    seen.page.keyboard.press("Tab")
    focused = seen.page.locator(":focus")
    expect(focused).to_have_text("Skip to the map")
    seen.page.keyboard.press("Enter")
    assert seen.page.evaluate("() => document.activeElement.tagName") == "CANVAS"
    seen.page.keyboard.press("Enter")
    expect(seen.page.get_by_test_id("details")).to_be_visible()
    seen.page.keyboard.press("Escape")
    expect(seen.page.get_by_test_id("details")).to_be_hidden()
    before = seen.page.evaluate("() => location.hash")
    seen.page.keyboard.press("ArrowRight")
    seen.page.wait_for_function("(before) => location.hash !== before", arg=before)
    seen.page.keyboard.press("Alt+2")
    expect(seen.page.get_by_test_id("list-layer")).to_be_visible()
    seen.page.keyboard.press("Control+k")
    expect(seen.page.get_by_test_id("search")).to_be_focused()


def test_server_gone_and_back(visit: Opener) -> None:
    seen = visit("#a=public")
    seen.page.route("**/*", lambda route: route.abort())
    seen.page.get_by_role("button", name="Zoom in").click()
    expect(seen.page.get_by_test_id("gone")).to_contain_text("The server does not answer.")
    seen.page.unroute("**/*")
    seen.page.get_by_role("button", name="Try again").click()
    expect(seen.page.get_by_test_id("gone")).to_be_hidden()
    seen.drawn()
