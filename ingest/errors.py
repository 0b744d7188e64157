"""What can go wrong with an import, in words for the person who runs it."""

from __future__ import annotations

import re
from dataclasses import dataclass


class IngestError(ValueError):
    """The import cannot be done at all. The message is one line that names the file and the remedy."""


@dataclass(frozen=True)
class Reject(Exception):
    """A verdict on one row, carried up by raising: it cannot become a record.

    `field` is the column to mend; a secret value is not written out again.
    """

    field: str
    reason: str
    remedy: str
    secret: bool = False

    @property
    def kind(self) -> str:
        """Field and reason without the values of the row, for counting."""
        reason = re.sub(r"\d[\d-]*", "#", re.sub(r"'[^']*'|\"[^\"]*\"", "…", self.reason))
        return f"{self.field}: {reason}" if self.field else reason

    def __str__(self) -> str:
        return f"{self.field}: {self.reason}; {self.remedy}"
