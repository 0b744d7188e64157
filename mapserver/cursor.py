"""Opaque cursors for paging: the released sort key of the last row, sealed.

AES-SIV is deterministic, so that the same page has the same bytes; the seal is bound to audience, collection and
query, so that a cursor says nothing and fits nowhere else.
"""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Sequence
from typing import Any

import orjson
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESSIV

from mapserver.errors import bad

_WRONG = "cursor: does not belong to this query; follow the link 'next' of the page before, or leave it out"


class Cursors:
    def __init__(self, secret: str) -> None:
        self._cipher = AESSIV(hashlib.sha512(b"parallax cursor\0" + secret.encode()).digest())

    def seal(self, after: Sequence[Any], *bound_to: str) -> str:
        """A text for the query parameter `cursor`."""
        sealed = self._cipher.encrypt(orjson.dumps(list(after)), [b.encode() for b in bound_to])
        return base64.urlsafe_b64encode(sealed).rstrip(b"=").decode()

    def open(self, cursor: str, *bound_to: str) -> list[Any]:
        """The sort key. Raises a 400 problem for a cursor of another query, audience, collection or server."""
        try:
            sealed = base64.b64decode(cursor + "=" * (-len(cursor) % 4), altchars=b"-_", validate=True)
            after = orjson.loads(self._cipher.decrypt(sealed, [b.encode() for b in bound_to]))
        except (ValueError, InvalidTag):
            raise bad(_WRONG) from None
        assert isinstance(after, list)
        return after
