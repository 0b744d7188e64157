"""The kept results as one table: benchmarks/results/README.md."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

RESULTS = Path(__file__).parent / "results"


def lines(result: dict[str, Any]) -> str:
    """The verdicts of one result as rows of a Markdown table."""
    out = ""
    for one in result["verdicts"]:
        limit = one.get("limit", "")
        met = {True: "yes", False: "**no**", None: ""}[one.get("met")]
        out += f"| {one.get('goal') or ''} | {one['what']} | {limit} | {one['measured']} | {met} |\n"
    return out


def write() -> None:
    """Write the table of all kept results, in the order of their names."""
    found = [json.loads(p.read_text(encoding="utf-8")) for p in sorted(RESULTS.glob("*.json"))]
    text = "# Results\n\nWritten by `python -m benchmarks report` from the files beside it; do not edit.\n"
    for result in found:
        machine = result["machine"]
        text += (
            f"\n## {result['benchmark']}\n\n{result['description']}\n\n"
            f"{result['date']}, commit {result['commit']}, {machine['cores']} cores ({machine['cpu']}),"
            f" {machine['memory_gb']} GB, load average {result['load'][0]} before and {result['load'][1]} after;"
            f" {result['seconds']} s.\n\n| goal | what | limit | measured | met"
            f" |\n|---|---|---|---|---|\n{lines(result)}"
        )
    (RESULTS / "README.md").write_text(text, encoding="utf-8")
