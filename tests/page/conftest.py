"""The page in a real chromium, over the real reader and the demo mission."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import httpx
import pytest
from playwright.sync_api import Browser, BrowserContext, ConsoleMessage, Page, Request, Response, sync_playwright

from mapserver import accounts
from tests.world import Database, run_reader

PASSWORD = "a long enough word"
ACCOUNTS = {
    "officer": ("unclassified", "confidential", "strict", "strict_ops"),
    "visitor": ("unclassified",),
}
DIST = Path(__file__).parents[2] / "static" / "dist" / "index.html"
AXE = Path(__file__).parents[2] / "static" / "node_modules" / "axe-core" / "axe.min.js"
SIZES = {"desktop": (1366, 768), "phone": (390, 844)}
CHROMIUM = [
    "--no-sandbox",
    "--use-angle=swiftshader",
    "--enable-unsafe-swiftshader",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--no-first-run",
    "--disable-quic",
]
# software rendering on a busy machine is slow; nothing here measures time
PATIENCE = 60_000


@dataclass
class Visit:
    """A page that is open, with what it asked for and what it complained of."""

    page: Page
    url: str
    size: str
    requests: list[Request] = field(default_factory=list)
    responses: list[Response] = field(default_factory=list)
    complaints: list[str] = field(default_factory=list)
    pending: set[Request] = field(default_factory=set)

    def api(self, path: str, **parameters: Any) -> Any:
        """Ask the server for JSON as this visitor."""
        answer = self.page.context.request.get(self.url + path, params=parameters)
        assert answer.ok, answer.text()
        return answer.json()

    def paths(self) -> list[str]:
        return [urlsplit(request.url).path for request in self.requests]

    def open(self, fragment: str = "") -> None:
        self.page.goto(f"{self.url}/{fragment}")
        self.drawn()

    def drawn(self) -> None:
        """Wait until every map on the screen is drawn."""
        self.page.wait_for_selector(".view", state="attached")
        self.page.wait_for_function(
            "() => [...document.querySelectorAll('.view')].every((view) => view.dataset.state === 'ready')"
        )

    def hear(self, said: ConsoleMessage) -> None:
        if said.type in ("error", "warning"):
            self.complaints.append(said.text)

    def ask(self, request: Request) -> None:
        self.requests.append(request)
        self.pending.add(request)

    def rest(self) -> None:
        """Wait until the page has asked for nothing for a while: its own delays are a quarter of a second."""
        quiet = 0
        while quiet < 6:
            self.page.wait_for_timeout(100)
            quiet = 0 if self.pending else quiet + 1

    def tab(self, name: str) -> None:
        button = self.page.locator(f"[data-tab={name}]")
        if button.get_attribute("aria-expanded") != "true":
            button.click()

    def marks(self, place: str = "top") -> list[str]:
        return self.page.locator(f".banner.{place} .mark").all_inner_texts()

    def matched(self) -> int:
        """The exact count above the list, once it has come to rest."""
        self.page.wait_for_function("() => document.querySelector('[data-testid=matched]')?.dataset.count")
        self.rest()
        return int(self.page.get_by_test_id("matched").get_attribute("data-count") or "-1")

    def click_middle(self) -> None:
        box = self.page.locator("canvas").first.bounding_box()
        assert box is not None
        self.page.mouse.click(box["x"] + box["width"] / 2, box["y"] + box["height"] / 2)


Opener = Callable[..., Visit]


@pytest.fixture(scope="session")
def site(
    clone: Callable[[str], Database], demo_template: Database, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[str]:
    """The address of a reader over the demo mission, with two accounts."""
    if not DIST.is_file():
        pytest.exit("the page is not built; run script/setup, or `npm ci && npm run build` in static/", 1)
    database = clone(demo_template.name)
    for name, audiences in ACCOUNTS.items():
        accounts.add(database.auth_dsn, name, PASSWORD, audiences)
    with run_reader(database.settings(tmp_path_factory.mktemp("page"))) as reader:
        yield reader.url


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    """Chromium without a window. Per module: its driver holds this thread's event loop while it runs."""
    program = shutil.which("chromium") or shutil.which("chromium-browser")
    if program is None:
        pytest.exit("chromium is missing; install the package chromium", 1)
    with sync_playwright() as playwright:
        running = playwright.chromium.launch(executable_path=program, args=CHROMIUM)
        yield running
        running.close()


@pytest.fixture
def visit(browser: Browser, site: str) -> Iterator[Opener]:
    """Opens the page: `visit(fragment, account=…, size=…, dark=…, language=…)`; keywords of the context come last."""
    contexts: list[BrowserContext] = []

    def start(
        fragment: str = "",
        *,
        account: str | None = None,
        size: str = "desktop",
        dark: bool = True,
        language: str = "en-GB",
        ready: bool = True,
        **more: Any,
    ) -> Visit:
        width, height = SIZES[size]
        phone = size == "phone"
        context = browser.new_context(
            viewport={"width": width, "height": height}, color_scheme="dark" if dark else "light", locale=language,
            has_touch=phone, is_mobile=phone, reduced_motion="reduce", timezone_id="Africa/Bangui", **more,
        )  # fmt: skip
        contexts.append(context)
        context.set_default_timeout(PATIENCE)
        if account:
            sign_in(context, site, account)
        page = context.new_page()
        opened = Visit(page, site, size)
        page.on("request", opened.ask)
        page.on("requestfinished", lambda request: opened.pending.discard(request))
        page.on("requestfailed", lambda request: opened.pending.discard(request))
        page.on("response", lambda response: opened.responses.append(response))
        page.on("pageerror", lambda error: opened.complaints.append(f"error: {error}"))
        page.on("console", opened.hear)
        if ready:
            opened.open(fragment)
        else:
            page.goto(f"{site}/{fragment}")
        return opened

    yield start
    for context in contexts:
        context.close()


def sign_in(context: BrowserContext, url: str, account: str) -> None:
    answer = context.request.post(
        f"{url}/api/session", data={"name": account, "password": PASSWORD}, headers={"X-Parallax": "1", "Origin": url}
    )
    assert answer.ok, answer.text()


@pytest.fixture(scope="session")
def officer(site: str) -> Iterator[httpx.Client]:
    """The same API as the page's, for what a test must know beforehand."""
    with httpx.Client(base_url=site, headers={"X-Parallax": "1"}, timeout=30) as client:
        assert client.post("/api/session", json={"name": "officer", "password": PASSWORD}).is_success
        yield client


def records(client: httpx.Client, audience: str, layer: str, **parameters: Any) -> Sequence[dict[str, Any]]:
    answer = client.get(f"/{audience}/collections/{layer}/items", params={"limit": 50, **parameters})
    assert answer.is_success, answer.text
    found: Sequence[dict[str, Any]] = answer.json()["features"]
    return found
