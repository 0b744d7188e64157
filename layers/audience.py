"""Audiences and the lattice they form.

An audience is a clearance level with a set of compartments, or a named partner. The set is finite and stands in
the rule file. Mandatory access control in the sense of Bell and LaPadula: an audience sees a record in its full
form when its level is at least the record's and it holds every compartment of the record.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass

LEVELS = ("public", "unclassified", "confidential", "strict")
"""From low to high. `public` is no classification (ST/SGB/2007/6): it is the lowest audience."""

MARKINGS = {
    "public": "PUBLIC",
    "unclassified": "UNCLASSIFIED",
    "confidential": "CONFIDENTIAL",
    "strict": "STRICTLY CONFIDENTIAL",
}

_ID = re.compile(r"^[a-z][a-z0-9_]{0,30}(:[a-z0-9_]{1,20})?$")


@dataclass(frozen=True)
class Audience:
    """Who reads. `family` groups audiences that share record ids and pseudonyms: across families they do not link."""

    id: str
    level: str
    compartments: frozenset[str] = frozenset()
    partner: str | None = None
    family: str = ""
    title: str = ""

    def __post_init__(self) -> None:
        if not _ID.match(self.id):
            raise ValueError(f"audience id {self.id!r}: use lower-case letters, digits, _ and one ':'")
        if self.level not in LEVELS:
            raise ValueError(f"audience {self.id}: level {self.level!r} is none of {', '.join(LEVELS)}")

    @property
    def rank(self) -> int:
        return LEVELS.index(self.level)

    @property
    def schema(self) -> str:
        """The PostgreSQL schema that holds this audience's release."""
        return "rel_" + self.id.replace(":", "_")

    @property
    def role(self) -> str:
        """The PostgreSQL login role that may read that schema and nothing else."""
        return "parallax_" + self.schema

    @property
    def marking(self) -> str:
        """What stands at the top and bottom of every page: the class of the release, never of a record."""
        parts = [MARKINGS[self.level], *(c.upper() for c in sorted(self.compartments))]
        if self.partner:
            parts.append(f"RELEASABLE TO {self.partner.upper()}")
        return " // ".join(parts)

    def dominates(self, level: str, compartments: Iterable[str] = ()) -> bool:
        """May this audience see a record of that label in its full form?"""
        return self.rank >= LEVELS.index(level) and set(compartments) <= self.compartments

    def __le__(self, other: Audience) -> bool:
        return (
            self.rank <= other.rank
            and self.compartments <= other.compartments
            and (self.partner is None or self.partner == other.partner)
        )

    def __lt__(self, other: Audience) -> bool:
        return self != other and self <= other
