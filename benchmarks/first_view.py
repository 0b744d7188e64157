"""Goal 12: the first and the return visit of the map over 512 kbit/s with 600 ms round trip, and the bundle."""

from __future__ import annotations

import gzip
import shutil
import time
from pathlib import Path
from urllib.parse import urlsplit

from playwright.sync_api import Browser, sync_playwright

from benchmarks.harness import PASSWORD, ROOT, Outcome, ground, middle, reader, rules, spread
from benchmarks.link import Link, link
from mapserver import accounts
from tests.world import fill_demo

DIST = ROOT / "static" / "dist"
CHROMIUM = [
    "--no-sandbox", "--use-angle=swiftshader", "--enable-unsafe-swiftshader", "--disable-background-networking",
    "--disable-component-update", "--disable-sync", "--no-first-run",
]  # fmt: skip
READY = (
    "() => document.querySelector('.view') && [...document.querySelectorAll('.view')].every((v) =>"
    " v.dataset.state === 'ready')"
)
SIZES = {"desktop": (1366, 768), "phone": (390, 844)}


def run(rounds: int = 3) -> Outcome:
    out = Outcome(
        "The page over the demo mission in chromium (software rendering on the same cores), through a proxy of 512"
        " kbit/s each way and 300 ms each way, connections cut between visits. Usable: the page says that its map has"
        " drawn its style and come to rest. Bytes are those on the wire, headers included."
    )
    program = shutil.which("chromium") or shutil.which("chromium-browser")
    if program is None:
        raise SystemExit("chromium is missing; install the package chromium")
    _bundle(out)
    policy = rules()
    with ground() as base:
        database = base.database(policy)
        fill_demo(database, policy)
        accounts.add(database.auth_dsn, "officer", PASSWORD, ("unclassified", "confidential"))
        with (
            reader(database, base.home / "reader", policy) as ours,
            link(urlsplit(ours.url).port or 0) as thin,
            sync_playwright() as playwright,
        ):
            browser = playwright.chromium.launch(executable_path=program, args=CHROMIUM)
            for who, audience, size in (
                ("public", "public", "desktop"),
                ("public", "public", "phone"),
                ("officer", "confidential", "desktop"),
            ):
                _visits(out, browser, thin, ours.url, who, audience, size, rounds)
            browser.close()
    return out


def _visits(
    out: Outcome, browser: Browser, thin: Link, direct: str, who: str, audience: str, size: str, rounds: int
) -> None:
    width, height = SIZES[size]
    found: dict[str, list[tuple[float, int]]] = {"first": [], "return": []}
    for _ in range(rounds):
        context = browser.new_context(viewport={"width": width, "height": height}, is_mobile=size == "phone",
                                      has_touch=size == "phone", reduced_motion="reduce")  # fmt: skip
        context.set_default_timeout(180_000)
        url = f"http://127.0.0.1:{thin.port}"
        if who != "public":
            answer = context.request.post(
                f"{direct}/api/session", data={"name": who, "password": PASSWORD},
                headers={"X-Parallax": "1", "Origin": direct},
            )  # fmt: skip
            if not answer.ok:
                raise RuntimeError(answer.text())
        for visit in found:
            thin.reset()
            page = context.new_page()
            start = time.perf_counter()
            page.goto(f"{url}/#a={audience}", wait_until="commit")
            page.wait_for_function(READY)
            found[visit].append((time.perf_counter() - start, thin.down))
            page.close()
        context.close()
    name = f"{audience}, {size}"
    out.numbers[name] = {
        visit: {"seconds": spread([s for s, _ in some], 1), "bytes": round(middle([b for _, b in some]))}
        for visit, some in found.items()
    }
    for visit, seconds, kilobytes in (("first", 12, 600), ("return", 3, 60)):
        some = found[visit]
        out.judge(f"{name}: {visit} visit, usable", middle([s for s, _ in some]), seconds, goal=12, unit=" s")
        out.judge(f"{name}: {visit} visit, bytes", middle([b for _, b in some]) / 1000, kilobytes, goal=12, unit=" kB")


def _bundle(out: Outcome) -> None:
    """Sizes of the built page. Brotli forms are those that the build left."""
    total = {"raw": 0, "gzip": 0, "brotli": 0}
    files = {}
    for path in sorted(DIST.rglob("*")):
        if not path.is_file() or path.suffix in (".br", ".gz"):
            continue
        brotli = Path(f"{path}.br")
        sizes = {"raw": path.stat().st_size, "gzip": len(gzip.compress(path.read_bytes(), 9))}
        sizes["brotli"] = brotli.stat().st_size if brotli.is_file() else sizes["gzip"]
        files[path.relative_to(DIST).as_posix()] = sizes
        for form, size in sizes.items():
            total[form] += size
    if not files:
        raise SystemExit("the page is not built; run script/setup")
    out.numbers["bundle"] = {"all files": total, **files}
    for form, size in total.items():
        out.judge(f"bundle, all files, {form}", size / 1000, unit=" kB")
