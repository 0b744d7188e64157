"""`python -m benchmarks NAME [--rows N] [--rounds N]`: run a benchmark; `report` tabulates results."""

from __future__ import annotations

import argparse
import importlib
import sys

from benchmarks import report
from benchmarks.harness import finish

NAMES = (
    "release_write",
    "redaction_read",
    "tiles",
    "cached_tile",
    "features",
    "importing",
    "startup",
    "first_view",
)


def main() -> None:
    parser = argparse.ArgumentParser(prog="benchmarks", description=__doc__)
    parser.add_argument("name", choices=[*NAMES, "report"])
    parser.add_argument("--rows", type=int, help="synthetic rows; each benchmark has a default")
    parser.add_argument("--rounds", type=int, help="rounds that alternate between the things compared")
    parser.add_argument("--keep", action="store_true", help="keep the result in benchmarks/results")
    given = parser.parse_args()
    if given.name == "report":
        report.write()
        return
    module = importlib.import_module(f"benchmarks.{given.name}")
    options = {name: getattr(given, name) for name in ("rows", "rounds") if getattr(given, name) is not None}
    result = finish(given.name, module.run, options, keep=given.keep)
    sys.stdout.write(report.lines(result))


if __name__ == "__main__":
    main()
