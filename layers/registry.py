"""All layers, found by walking this package: a new layer is one new file with a module constant `LAYER`."""

from __future__ import annotations

import importlib
import pkgutil
from functools import lru_cache

import layers
from layers.layer import Layer

_MACHINERY = {"database", "derivation", "door", "freeze", "grants", "release", "vault"}
"""Modules that declare no layer and are not worth importing for a look: they pull in drivers and raster tools."""


@lru_cache
def all_layers() -> dict[str, Layer]:
    """Every declared layer by id, in drawing order (lowest first)."""
    found = []
    for module in pkgutil.iter_modules(layers.__path__):
        if not module.ispkg and module.name not in _MACHINERY:
            declared = getattr(importlib.import_module(f"layers.{module.name}"), "LAYER", None)
            if isinstance(declared, Layer):
                found.append(declared)
    return {layer.id: layer for layer in sorted(found, key=lambda one: (one.style.order, one.id))}


def layer(name: str) -> Layer:
    """The layer of that id. Raises KeyError with the ids that exist."""
    try:
        return all_layers()[name]
    except KeyError:
        raise KeyError(f"no layer {name!r}; there are {', '.join(all_layers())}") from None
