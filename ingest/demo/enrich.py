"""What a mission would add to a public event: section, alias, grading, narrative, approved summaries. All simulated.

The real record keeps its facts. Texts begin with [simulated]; aliases are birds and stand for nobody.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ingest.demo.dice import number, pick, weighted
from ingest.draft import Draft

_BIRDS = ("HERON", "EGRET", "PLOVER", "WEAVER", "HOOPOE", "SUNBIRD", "KITE", "IBIS", "TURACO", "SHRIKE")
_SECTIONS = {"CA": 5, "HRD": 5, "MIL": 5, "UNPOL": 2, "JMAC": 3, "UNDSS": 2, "CP": 1, "WPA": 1}
_RELIABILITY = {"A": 1, "B": 5, "C": 5, "D": 2, "F": 2}
_CREDIBILITY = {"1": 2, "2": 5, "3": 5, "4": 1, "6": 2}
_APPROVED = "Simulated approver (chief of the analysis centre)"
_WHAT = {"POC": "Civilians were killed in an attack by an armed group", "ARC": "Armed groups or forces clashed"}


def stage(draft: Draft) -> None:
    """A stage of the import pipeline: adds to about a third of the records, by their source id."""
    draft.record.update(additions(draft.record))


def additions(record: Mapping[str, Any]) -> dict[str, Any]:
    key = f"incident/{record['source_id']}"
    if number(f"{key}/told", 3):
        return {}
    section = weighted(f"{key}/section", _SECTIONS)
    added: dict[str, Any] = {
        "source_section": section,
        "reliability": weighted(f"{key}/reliability", _RELIABILITY),
        "credibility": weighted(f"{key}/credibility", _CREDIBILITY),
        "obtained_how": pick(f"{key}/how", ("human_source", "community_alert", "direct_observation", "open_source")),
    }
    if added["obtained_how"] in ("human_source", "community_alert"):
        added["source_alias"] = f"{pick(f'{key}/bird', _BIRDS)}-{1 + number(f'{key}/alias', 24)}"
    if number(f"{key}/narrative", 3) == 0:
        added["narrative"] = _narrative(key, record, section)
    if number(f"{key}/summary", 5) == 0:
        what = _WHAT[record["category"]]
        added["summary_public"] = f"[simulated] {what}. The United Nations called for restraint."
        added["summary_unclassified"] = f"[simulated] {what}. A patrol was sent in the days after."
        added["summary_confidential"] = f"[simulated] {what}. Further violence in the area is thought possible."
        added["summary_strict"] = f"[simulated] {what}. Those named as responsible remain in the area."
        added["summary_approved_by"] = _APPROVED
    return added


def _narrative(key: str, record: Mapping[str, Any], section: str) -> str:
    hour = 4 + number(f"{key}/hour", 15)
    seen = pick(
        f"{key}/seen", ("the teacher of the only school", "a trader on the way to the market", "a village chief")
    )
    return (
        f"[simulated] {section} was told by {seen} that about {hour:02d}:00 shots were heard near "
        f"{record.get('place_name') or 'the village'}. The person asked not to be called back."
    )
