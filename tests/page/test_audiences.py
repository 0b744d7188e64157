"""Signing in, working as one audience, looking as two."""

from __future__ import annotations

import re
from urllib.parse import urlsplit

import pytest
from playwright.sync_api import expect

from tests.page.conftest import PASSWORD, Opener

BOTH = pytest.mark.parametrize("size", ["desktop", "phone"])


@BOTH
def test_sign_in_and_out(visit: Opener, size: str) -> None:
    seen = visit(size=size)
    page = seen.page
    page.get_by_test_id("audience").click()
    page.get_by_role("button", name="Sign in").click()
    page.get_by_label("Name").fill("visitor")
    page.get_by_label("Password").fill("a wrong word entirely")
    page.get_by_role("dialog").get_by_role("button", name="Sign in").click()
    expect(page.get_by_role("alert")).to_have_text("The name or the password is wrong.")
    page.get_by_label("Password").fill(PASSWORD)
    page.get_by_label("Password").press("Enter")
    expect(page.locator(".banner.top .mark")).to_have_text("UNCLASSIFIED")
    expect(page.get_by_role("dialog")).to_be_hidden()
    seen.drawn()
    page.get_by_test_id("audience").click()
    page.get_by_test_id("sign-out").click()
    expect(page.locator(".banner.top .mark")).to_have_text("PUBLIC")
    seen.drawn()


def test_change_of_audience_lets_go(visit: Opener) -> None:
    """After a change nothing is asked for, shown or kept of the audience before."""
    seen = visit("#a=strict_ops&m=9/5.76/20.67", account="officer")
    page = seen.page
    seen.tab("list")
    seen.matched()
    page.get_by_test_id("records").get_by_role("button").nth(4).click()
    expect(page.get_by_test_id("details")).to_be_visible()
    seen.rest()
    page.get_by_test_id("audience").click()
    page.locator(".choice[data-audience=unclassified]").click()
    expect(page.locator(".banner.top .mark")).to_have_text("UNCLASSIFIED")
    expect(page.get_by_test_id("details")).to_be_hidden()
    expect(page.locator(".view")).to_have_count(1)
    seen.requests.clear()
    seen.drawn()
    assert seen.marks("bottom") == ["UNCLASSIFIED"]
    seen.matched()
    page.get_by_role("button", name="Zoom in").click()
    seen.rest()
    first = {path.split("/")[1] for path in seen.paths()}
    assert first <= {"unclassified", "assets", "api"}, first
    assert "strict" not in page.evaluate("() => location.hash")
    # what only the audience before has: the alias of a source
    assert not re.search(r"Source alias", page.locator("body").inner_text())


@BOTH
def test_view_as(visit: Opener, size: str) -> None:
    seen = visit("#a=strict&m=7/5.7/19", account="officer", size=size)
    page = seen.page
    page.get_by_test_id("view-as").click()
    page.locator(".choice[data-audience=public]").click()
    expect(page.locator(".view")).to_have_count(2)
    seen.drawn()
    assert seen.marks("top") == seen.marks("bottom") == ["STRICTLY CONFIDENTIAL", "PUBLIC"]
    counts = []
    for side, audience in (("first", "strict"), ("second", "public")):
        cell = page.locator(f"[data-testid=side-{side}] [data-layer-count=incidents]")
        expect(cell).to_have_text(re.compile(r"^[\d,]+$"))
        asked = [r.url for r in seen.requests if f"/{audience}/collections/incidents/items" in r.url]
        found = seen.page.context.request.get(asked[-1]).json()["numberMatched"]
        assert int(cell.inner_text().replace(",", "")) == found
        counts.append(found)
    assert counts[0] != counts[1]
    # the divider: by keys, and by pointer or finger
    divider = page.get_by_role("slider", name="Divider between the two audiences")
    divider.focus()
    divider.press("ArrowRight")
    expect(divider).to_have_attribute("aria-valuenow", "52")
    assert page.get_by_test_id("second").evaluate("(e) => e.style.clipPath").endswith("52%)")
    divider.press("Home")
    expect(divider).to_have_attribute("aria-valuenow", "0")
    divider.press("End")
    expect(divider).to_have_attribute("aria-valuenow", "100")
    page.wait_for_function("() => document.querySelector('.knob').getBoundingClientRect().right > innerWidth - 10")
    knob, stage = divider.locator(".knob").bounding_box(), page.locator("#map").bounding_box()
    assert knob is not None
    assert stage is not None
    page.mouse.move(knob["x"] + 4, knob["y"] + knob["height"] / 2)
    page.mouse.down()
    page.mouse.move(stage["x"] + stage["width"] * 0.3, knob["y"] + 20, steps=4)
    page.mouse.up()
    expect(divider).to_have_attribute("aria-valuenow", "30")
    page.wait_for_function("() => location.hash.includes('v=public')")
    page.get_by_test_id("compare-stop").click()
    expect(page.locator(".view")).to_have_count(1)
    assert seen.marks() == ["STRICTLY CONFIDENTIAL"]


def test_both_maps_show_one_place(visit: Opener) -> None:
    """Moved together: the second map asks for tiles of the same zoom and place as the first."""
    seen = visit("#a=strict&m=6/5.7/19&v=public", account="officer")
    seen.requests.clear()
    seen.page.get_by_role("button", name="Zoom in").click()
    seen.page.wait_for_function("() => location.hash.includes('m=7.00/')")
    seen.rest()
    tiles = [p for p in seen.paths() if "/tiles/" in p]
    places = {a: {p.split("/tiles/")[1] for p in tiles if p.startswith(f"/{a}/")} for a in ("strict", "public")}
    assert places["public"]
    # where both have a layer they ask for the same squares
    assert places["public"] <= places["strict"]


@BOTH
def test_deep_link(visit: Opener, size: str) -> None:
    fragment = (
        "#a=confidential&m=8.50/5.1000/19.2000&l=incidents:0.5&t=2013-01-01T00:00:00Z/.."
        "&f=incidents.category:ARC&v=public"
    )
    seen = visit(fragment, account="officer", size=size)
    page = seen.page
    assert seen.marks() == ["CONFIDENTIAL", "PUBLIC"]
    seen.rest()
    # the page writes back what it read
    assert page.evaluate("() => location.hash") == fragment
    if size == "phone":
        seen.tab("layers")
    assert page.get_by_role("checkbox", name="Incidents").is_checked()
    assert not page.get_by_role("checkbox", name="Project sites").is_checked()
    assert page.locator("[data-code=ARC]").get_attribute("aria-pressed") == "true"
    assert not [p for p in seen.paths() if "/collections/sites/tiles/" in p]


def test_a_link_to_what_one_may_not_see(visit: Opener) -> None:
    """An audience that is not one's own answers as one that does not exist: the page asks for a sign-in either way."""
    for audience in ("strict", "nosuch"):
        seen = visit(f"#a={audience}")
        expect(seen.page.get_by_role("dialog")).to_contain_text("Sign in with an account that may use it")
        assert seen.marks() == ["PUBLIC"]


def test_sign_in_takes_one_where_the_link_led(visit: Opener) -> None:
    seen = visit("#a=strict&m=8/5/19")
    seen.page.get_by_label("Name").fill("officer")
    seen.page.get_by_label("Password").fill(PASSWORD)
    seen.page.get_by_label("Password").press("Enter")
    expect(seen.page.locator(".banner.top .mark")).to_have_text("STRICTLY CONFIDENTIAL")
    seen.page.wait_for_function("() => location.hash.includes('a=strict&m=8.00/5.0000/19.0000')")


def test_a_session_that_ends(visit: Opener) -> None:
    """What it showed goes from the screen; a sign-in leads back."""
    seen = visit("#a=strict_ops&m=9/5.76/20.67", account="officer")
    seen.tab("list")
    seen.matched()
    seen.page.context.clear_cookies()
    seen.page.get_by_role("button", name="Zoom in").click()
    expect(seen.page.locator(".banner.top .mark")).to_have_text("PUBLIC")
    expect(seen.page.get_by_role("dialog")).to_contain_text("strict_ops")
    seen.page.get_by_label("Name").fill("officer")
    seen.page.get_by_label("Password").fill(PASSWORD)
    seen.page.get_by_label("Password").press("Enter")
    expect(seen.page.locator(".banner.top .mark")).to_have_text("STRICTLY CONFIDENTIAL // OPS")


def test_compare_needs_two(visit: Opener) -> None:
    seen = visit()
    seen.page.get_by_test_id("view-as").click()
    expect(seen.page.get_by_role("group", name="View as").last).to_contain_text("Sign in")
    assert urlsplit(seen.page.url).fragment.startswith("a=public")
