"""Partners that stand in a file of sites: they get an id by their name, and a row of their own in the vault."""

from __future__ import annotations

import hashlib
import re
import unicodedata
from typing import Any

from ingest.draft import Context, Draft, Stage


def partner_id(name: str) -> str:
    """A stable id for a partner's name: readable, ASCII, and apart for names that read alike."""
    plain = unicodedata.normalize("NFKD", name).encode("ascii", "ignore").decode().lower()
    slug = re.sub(r"[^a-z0-9]+", "-", plain).strip("-")[:40]
    short = hashlib.sha256(" ".join(name.split()).casefold().encode()).hexdigest()[:6]
    return f"{slug}-{short}" if slug else short


def stage(context: Context, found: dict[str, dict[str, Any]]) -> Stage:
    """Give each record with a partner's name a `partner_id`, and collect the partners. Their number is small."""
    if "partner_id" not in context.layer.model.__table__.columns:
        return lambda draft: None

    def know(draft: Draft) -> None:
        name = draft.record.get("partner")
        if name is None:
            return
        known = draft.record.setdefault("partner_id", partner_id(name))
        found.setdefault(known, {"id": known, "name": name, "type": draft.record.get("partner_type")})

    return know
