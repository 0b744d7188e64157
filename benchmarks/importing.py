"""Imports: rows a second of real files through the whole pipeline into the vault, and memory that does not grow."""

from __future__ import annotations

import csv
import subprocess
import sys
from pathlib import Path

from benchmarks.harness import ROOT, Outcome, Stopwatch, ground, rules, spread
from ingest import pipeline
from layers.vault import Vault

DATA = ROOT / "ingest" / "demo" / "data"
FILES = (
    ("UCDP GED", DATA / "ucdp_ged_v23_1_caf.csv", "incidents", "ucdp-ged"),
    ("WHO facilities", DATA / "who_health_facilities_caf.csv", "facilities", "who-facilities"),
    ("OCHA 3W", ROOT / "tests" / "data" / "ocha_3w_ethiopia_2025-08.csv", "sites", "ocha-3w"),
)
WORLD = (-180.0, -90.0, 180.0, 90.0)
_CHILD = """
import resource, sys
from pathlib import Path
from ingest import pipeline
from layers.vault import Vault
before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
with Vault(sys.argv[1]) as vault:
    pipeline.run(Path(sys.argv[2]), "incidents", vault, "ucdp-ged", keep_rejects=False)
print(before, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss)
"""


def run(rows: int = 100_000, rounds: int = 3) -> Outcome:
    out = Outcome(
        "Files through ingest.pipeline.run into a vault with the releases of all seven audiences, and again when"
        " nothing"
        " changed; the big one repeats the rows of the first with ids of their own. Peak memory is that of a process"
        " that imports one file."
    )
    policy = rules()
    with ground() as base:
        for title, path, layer, profile in FILES:
            first: list[float] = []
            again: list[float] = []
            count = rejected = 0
            for _ in range(rounds):
                database = base.database(policy)
                with Vault(database.desk_dsn) as vault:
                    for times in (first, again):
                        with Stopwatch() as clock:
                            report = pipeline.run(
                                path, layer, vault, profile, keep_rejects=False, extent=WORLD, policy=policy
                            )
                        times.append(report.rows / clock.seconds)
                        count, rejected = report.rows, sum(report.rejected.values())
            out.numbers[title] = {
                "rows": count,
                "rejected": rejected,
                "rows_per_s": spread(first, 0),
                "rows_per_s_unchanged": spread(again, 0),
            }
            out.judge(f"{title} ({count:,} rows): rows a second, median of {rounds}", spread(first)["p50"])
        database = base.database(policy)
        peaks = {}
        for count in (rows // 10, rows):
            path = base.home / f"big-{count}.csv"
            _repeat(FILES[0][1], path, count)
            with Stopwatch() as clock:
                done = subprocess.run(
                    [sys.executable, "-c", _CHILD, database.desk_dsn, str(path)],
                    cwd=ROOT, capture_output=True, text=True, check=True,
                )  # fmt: skip
            start, peak = (int(word) // 1024 for word in done.stdout.split())
            peaks[count] = peak
            out.numbers[f"{count:,} rows of synthetic GED"] = {
                "rows_per_s": round(count / clock.seconds), "peak_mb": peak, "of_which_the_program": start
            }  # fmt: skip
            out.judge(f"{count:,} rows: rows a second (program start included)", count / clock.seconds)
            out.judge(f"{count:,} rows: peak memory", peak, unit=" MB")
        out.judge(
            f"peak memory of {rows:,} rows against {rows // 10:,}", peaks[rows] / peaks[rows // 10], 1.5, unit="x"
        )
    return out


def _repeat(source: Path, target: Path, rows: int) -> None:
    """The rows of a file again and again with ids of their own."""
    with source.open(encoding="utf-8", newline="") as stream:
        reader = csv.reader(stream)
        header, lines = next(reader), list(reader)
    key = header.index("id")
    lines = [line for line in lines if not line[key].startswith("#")]
    with target.open("w", encoding="utf-8", newline="") as stream:
        writer = csv.writer(stream)
        writer.writerow(header)
        for n in range(rows):
            line = list(lines[n % len(lines)])
            line[key] = str(10_000_000 + n)
            writer.writerow(line)
