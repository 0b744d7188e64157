"""What must hold at both sizes, in both themes, in every language: drawn, readable, ours alone."""

from __future__ import annotations

import json
from typing import Any
from urllib.parse import urlsplit

import pytest

from tests.page.conftest import AXE, Opener, Visit

RULES = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa"]
BOTH = pytest.mark.parametrize("size", ["desktop", "phone"])


def faults(visit: Visit) -> list[str]:
    """What axe-core finds wrong with the screen as it is."""
    page = visit.page
    page.add_script_tag(path=str(AXE))
    found: Any = page.evaluate("(rules) => axe.run(document, { runOnly: rules })", RULES)
    return [
        f"{one['id']}: {node['target']} {node['failureSummary']}"
        for one in found["violations"]
        for node in one["nodes"]
    ]


def overflow(visit: Visit) -> int:
    """By how many pixels the page is wider than the screen."""
    wide = "() => Math.max(document.documentElement.scrollWidth, document.body.scrollWidth) - window.innerWidth"
    return int(visit.page.evaluate(wide))


@BOTH
def test_first_view(visit: Opener, size: str) -> None:
    seen = visit(size=size)
    assert seen.marks("top") == seen.marks("bottom") == ["PUBLIC"]
    assert seen.page.get_by_text("Demonstration data").first.is_visible()
    assert seen.page.title() == "Parallax · PUBLIC"
    assert overflow(seen) <= 0
    # nothing inline, nothing refused, nothing missing
    assert seen.complaints == []
    assert [r.url for r in seen.responses if r.status >= 400] == []


@BOTH
def test_no_other_host(visit: Opener, site: str, size: str) -> None:
    seen = visit("#a=strict_ops&m=8/5/19&v=public", account="officer", size=size)
    own = urlsplit(site).netloc
    assert {urlsplit(r.url).netloc for r in seen.requests if not r.url.startswith(("data:", "blob:"))} == {own}


def test_only_preferences_are_kept(visit: Opener) -> None:
    seen = visit("#a=confidential", account="officer")
    seen.tab("list")
    seen.matched()
    kept: dict[str, str] = seen.page.evaluate("() => ({ ...localStorage })")
    assert set(kept) == {"parallax"}
    assert set(json.loads(kept["parallax"])) == {"theme", "language", "rail", "tab"}
    assert seen.page.evaluate("async () => (await caches.keys()).length + (await indexedDB.databases()).length") == 0
    assert seen.page.evaluate("() => document.cookie + Object.keys(sessionStorage)") == ""


@BOTH
@pytest.mark.parametrize("language", ["en-GB", "fr-FR", "ar"])
def test_languages(visit: Opener, size: str, language: str) -> None:
    seen = visit("#a=unclassified&m=8/5/19", account="officer", size=size, language=language)
    root = seen.page.locator("html")
    assert root.get_attribute("dir") == ("rtl" if language == "ar" else "ltr")
    assert root.get_attribute("lang") == language[:2]
    for tab in ("layers", "list", "filters"):
        seen.tab(tab)
        seen.rest()
        assert overflow(seen) <= 0, tab
    assert seen.complaints == []


def test_arabic_is_arabic(visit: Opener) -> None:
    seen = visit(language="ar")
    text = seen.page.locator(".tabs").first.inner_text()
    assert "الطبقات" in text
    # coordinates read from left to right in every language
    assert seen.page.locator("[data-testid=coordinates] bdi").first.inner_text()[:2].isdigit()
    # the panel is on the right, where reading begins
    panel = seen.page.locator("#panel").bounding_box()
    assert panel is not None
    assert panel["x"] > 600


@BOTH
@pytest.mark.parametrize("dark", [True, False], ids=["dark", "light"])
def test_readable(visit: Opener, size: str, dark: bool) -> None:
    """No fault by WCAG 2.2 AA in any panel. A context without the policy lets the checker in; nothing else differs."""
    seen = visit("#a=unclassified&m=9/5.76/20.67", account="officer", size=size, dark=dark, bypass_csp=True)
    page = seen.page
    found = {"first view": faults(seen)}
    for tab in ("layers", "list", "filters"):
        seen.tab(tab)
        seen.rest()
        found[tab] = faults(seen)
    seen.tab("list")
    page.get_by_test_id("records").get_by_role("button").nth(4 if size == "desktop" else 0).click()
    page.get_by_test_id("record").wait_for()
    seen.rest()
    found["details"] = faults(seen)
    page.get_by_test_id("audience").click()
    found["audiences"] = faults(seen)
    page.keyboard.press("Escape")
    page.get_by_role("button", name="About this map").last.click()
    page.get_by_role("dialog").wait_for()
    found["about"] = faults(seen)
    assert {place: wrong for place, wrong in found.items() if wrong} == {}


@BOTH
def test_readable_side_by_side(visit: Opener, size: str) -> None:
    seen = visit("#a=strict&m=8/5/19&v=public", account="officer", size=size, bypass_csp=True)
    seen.page.get_by_test_id("side-second").wait_for()
    assert faults(seen) == []


def test_theme_by_choice(visit: Opener) -> None:
    seen = visit(dark=False)
    assert seen.page.locator("html").get_attribute("data-theme") == "light"
    seen.page.get_by_test_id("prefs").click()
    seen.page.locator("button[data-theme=dark]").click()
    assert seen.page.locator("html").get_attribute("data-theme") == "dark"
    seen.drawn()
    seen.page.reload()
    assert seen.page.locator("html[data-theme=dark]").count() == 1
