"""Goal 4: pages of 1,000 records with a box, against tipg over the same released table."""

from __future__ import annotations

import statistics
from collections.abc import Callable
from functools import partial

import numpy as np

from benchmarks.harness import SEED, Outcome, ground, reader, rules, spread
from benchmarks.peers import tipg
from benchmarks.places import TileIndex, boxes
from benchmarks.tiles import AUDIENCE, load
from benchmarks.web import Load, ask, token

PAGE = 1000


def run(rows: int = 300_000, rounds: int = 3) -> Outcome:
    out = Outcome(
        "GeoJSON pages of up to 1,000 incidents of one audience in boxes of a fifth of a degree that"
        " hold 1,000 to 5,000, over HTTP, four connections,"
        " one server process each, not compressed. Ours also names the areas, counts exactly and sorts; tipg"
        " adds a link"
        " to each record. Processor time of server and PostgreSQL; medians of the rounds."
    )
    policy = rules((AUDIENCE,))
    audience = policy.audiences[AUDIENCE]
    with ground() as base:
        database = load(base, policy, rows, out)
        index = TileIndex(database.owner_dsn, audience.schema)
        windows = [",".join(map(str, b)) for b in boxes(index, 30, np.random.default_rng(SEED))]
        bearer = token(database, AUDIENCE)
        found: dict[str, list[Load]] = {}
        with (
            reader(database, base.home / "reader", policy) as ours,
            tipg(database, audience.schema, "incidents") as theirs,
        ):
            mine = [f"{ours.url}/{AUDIENCE}/collections/incidents/items?limit={PAGE}&bbox={b}" for b in windows]
            sides: dict[str, Callable[[], Load]] = {"parallax": partial(ask, mine, (ours.pid, base.pid), bearer=bearer)}
            if theirs:
                name = f"{audience.schema}.incidents"
                urls = [
                    f"{theirs.url}/collections/{name}/items?f=geojson&limit={PAGE}&bbox={b}&geom-column=geom"
                    for b in windows
                ]
                sides["tipg"] = partial(ask, urls, (theirs.pid, base.pid))
            for turn in range(rounds + 1):
                for name, call in sides.items():
                    one = call()
                    if turn:
                        found.setdefault(name, []).append(one)
    cost = {}
    for name, loads in found.items():
        cost[name] = statistics.median(sum(one.cpu) / len(one.sizes) * 1000 for one in loads)
        out.numbers[name] = {
            "cpu_ms_per_page": round(cost[name], 2),
            "of_which_server": round(statistics.median(one.cpu[0] / len(one.sizes) * 1000 for one in loads), 2),
            "pages_per_s": round(statistics.median(len(one.sizes) / one.seconds for one in loads), 1),
            "ms": spread([ms for one in loads for ms in one.milliseconds], 1),
            "kB": spread([size / 1000 for size in loads[0].sizes], 1),
        }
    if "tipg" in cost:
        out.judge("pages of 1,000 records against tipg, processor time", cost["parallax"] / cost["tipg"], 1 / 6, goal=4,
                  unit="x")  # fmt: skip
    out.judge("processor time of a page", cost["parallax"], unit=" ms")
    return out
