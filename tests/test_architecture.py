"""Who may import whom: `mapserver → ingest → layers`, one door, one writer. Read from the source, nothing is run."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from layers.registry import all_layers

ROOT = Path(__file__).parents[1]
OURS = ("layers", "ingest", "mapserver", "tests", "benchmarks")
MODULES = sorted(p for package in ("layers", "ingest", "mapserver") for p in (ROOT / package).rglob("*.py"))

DRIVER: dict[str, set[str]] = {
    "layers": {"door", "vault", "database", "release", "cells", "grants"},
    "ingest": set(),
    # cli_data opens the owner's connection and hands it to layers.release
    "mapserver": {"auth", "accounts", "sessions", "cluster", "cli_data"},
}
"""Rooms that may talk to the database themselves."""


def name(path: Path) -> str:
    return ".".join(path.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__")


def imports(path: Path) -> Iterator[str]:
    """Full names of what a module imports, anywhere in it."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            yield from (one.name for one in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            for one in node.names:
                yield f"{node.module}.{one.name}"
                yield node.module


def ours(path: Path) -> set[str]:
    return {one for one in imports(path) if one.split(".")[0] in OURS}


def of(package: str) -> list[Path]:
    return [p for p in MODULES if p.relative_to(ROOT).parts[0] == package]


@pytest.mark.parametrize("path", of("layers"), ids=name)
def test_layers_know_nothing_of_ours_but_layers(path: Path) -> None:
    assert {one.split(".")[0] for one in ours(path)} <= {"layers"}


@pytest.mark.parametrize("path", of("ingest"), ids=name)
def test_ingest_does_not_know_the_server(path: Path) -> None:
    assert {one.split(".")[0] for one in ours(path)} <= {"layers", "ingest"}


WRITERS = re.compile(r"^mapserver\.(cli(_\w+)?|desk|prepare)$")
"""Rooms of the server that bring records in. Readers are none of them."""


@pytest.mark.parametrize("path", of("mapserver"), ids=name)
def test_only_the_command_line_and_the_desk_know_the_vault(path: Path) -> None:
    writing = {one for one in ours(path) if one.startswith(("ingest", "layers.vault"))}
    if not WRITERS.match(name(path)):
        assert not writing


def reached(start: str) -> set[str]:
    """Every module of ours that importing `start` pulls in."""
    known = {name(p): p for p in MODULES}
    found: set[str] = set()
    waiting = [start]
    while waiting:
        one = waiting.pop()
        if one in found or one not in known:
            continue
        found.add(one)
        waiting += ours(known[one])
    return found


def test_the_reader_process_holds_no_way_to_write() -> None:
    """Not even at second hand: what the reader imports imports neither the importers nor the writer of the vault."""
    pulled = reached("mapserver.app")
    assert "layers.door" in pulled
    assert not {one for one in pulled if one.startswith("ingest") or one in ("layers.vault", "layers.release")}


SPEAKS_SQL = re.compile(
    r"psycopg\.(Async)?[cC]onnect\b|psycopg\.(Async)?Connection\.connect|psycopg_pool|from psycopg import sql"
)
"""Opening connections or composing statements; the driver's errors and its reader of connection strings may be used."""


@pytest.mark.parametrize("path", MODULES, ids=name)
def test_the_database_is_spoken_to_in_few_rooms(path: Path) -> None:
    package, *_, room = name(path).split(".") if "." in name(path) else (name(path), "")
    if SPEAKS_SQL.search(path.read_text(encoding="utf-8")) and "migrations" not in path.parts:
        assert room in DRIVER[package]


@pytest.mark.parametrize("path", MODULES, ids=name)
def test_the_reader_of_the_door_is_the_only_one_of_the_releases(path: Path) -> None:
    """No room but those of layers speaks SQL about released relations or the vault."""
    if name(path).startswith("layers"):
        return
    text = path.read_text(encoding="utf-8")
    assert not re.search(r"(FROM|INTO|UPDATE|JOIN)\s+(vault|rel_\w+)\.", text)


def test_every_declared_layer_is_registered() -> None:
    declared = {
        match[1]
        for path in of("layers")
        for match in re.finditer(
            r"^LAYER = Layer\(\s*(?:id=)?[\"'](\w+)", path.read_text(encoding="utf-8"), re.MULTILINE
        )
    }
    assert declared == set(all_layers())
    assert len(declared) == sum("LAYER = Layer(" in p.read_text(encoding="utf-8") for p in of("layers"))


def test_packages_are_imported_by_their_full_name() -> None:
    for path in MODULES:
        tree = ast.parse(path.read_text(encoding="utf-8"))
        assert not [n for n in ast.walk(tree) if isinstance(n, ast.ImportFrom) and n.level], name(path)
