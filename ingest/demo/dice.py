"""Draws that depend on a key only: the same demo mission on every machine and at every start."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from typing import TypeVar

SEED = "parallax-demo-1"

_T = TypeVar("_T")


def number(key: str, below: int) -> int:
    """A whole number from 0, evenly drawn."""
    digest = hashlib.sha256(f"{SEED}/{key}".encode()).digest()
    return int.from_bytes(digest[:8], "big") % below


def pick(key: str, options: Sequence[_T]) -> _T:
    return options[number(key, len(options))]


def weighted(key: str, options: Mapping[_T, int]) -> _T:
    """One of the options; the numbers are their weights."""
    left = number(key, sum(options.values()))
    for option, weight in options.items():
        left -= weight
        if left < 0:
            return option
    raise AssertionError("the weights add up")
