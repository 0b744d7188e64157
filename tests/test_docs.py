"""The pages under docs/ keep up with the code: what is declared is named there, links lead somewhere, examples hold."""

from __future__ import annotations

import datetime as dt
import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from typer.core import TyperGroup
from typer.main import get_command

from ingest import pipeline
from ingest import profile as profiles
from ingest.errors import IngestError
from ingest.values import spec
from layers import policy as policies
from layers.layer import COMMON, code_list
from layers.registry import all_layers
from mapserver.cli import app
from mapserver.routes import AUDIENCE_ROUTES
from mapserver.settings import Settings

ROOT = Path(__file__).parents[1]
DOCS = ROOT / "docs"
PAGES = ("rules.md", "importing.md", "api.md", "operating.md", "data-model.md")
LONGEST = 250


def page(name: str) -> str:
    return (DOCS / name).read_text(encoding="utf-8")


def rows(text: str) -> list[list[str]]:
    """The cells of all table rows, without the bars that separate them."""
    return [[cell.strip() for cell in line.strip("|").split(" | ")] for line in text.splitlines() if line[:2] == "| "]


def fenced(text: str, language: str, begins: str) -> str:
    """The one example in that language that begins so."""
    found = re.findall(rf"```{language}\n(.*?)```", text, re.DOTALL)
    (one,) = [block for block in found if block.startswith(begins)]
    return str(one)


def commands() -> Iterator[str]:
    """Every command as it is typed, such as `db start`."""

    def walk(group: TyperGroup, before: str) -> Iterator[str]:
        for name, command in group.commands.items():
            if isinstance(command, TyperGroup):
                yield from walk(command, f"{before}{name} ")
            else:
                yield before + name

    top = get_command(app)
    assert isinstance(top, TyperGroup)
    return walk(top, "")


def anchors(text: str) -> set[str]:
    headings = re.findall(r"^#+ (.*)$", text, re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


@pytest.mark.parametrize("layer", all_layers())
def test_every_field_of_a_layer_is_described(layer: str) -> None:
    text = page("data-model.md")
    heading = f"### {all_layers()[layer].title}: `{layer}`\n"
    assert heading in text, f"docs/data-model.md has no section of layer {layer}"
    described = rows(re.split(r"\n##", text.split(heading, 1)[1])[0])[1:]
    declared = [[f"`{f.name}`", f.type, f.label] for f in all_layers()[layer].fields]
    assert [row[:3] for row in described] == declared
    for row, field in zip(described, all_layers()[layer].fields, strict=True):
        more = row[3] if len(row) > 3 else ""
        assert (f"`{field.codes.id}`" in more) if field.codes else ("`" not in more)
        assert ("not in tiles" in more) is not field.tile
        assert ("bands from " + ", ".join(map(str, field.bands)) in more) == bool(field.bands)


def test_every_code_is_described() -> None:
    listed = {row[0]: row[1] for row in rows(page("data-model.md").split("## Code lists")[1])[1:]}
    names = {path.stem for path in (ROOT / "layers" / "codes").glob("*.yaml")}
    assert set(listed) == {f"`{name}`" for name in names}
    for name in names:
        assert listed[f"`{name}`"] == ", ".join(f"`{c.code}` {c.label['en']}" for c in code_list(name).codes)


def test_every_common_column_is_described() -> None:
    text = page("data-model.md")
    assert not [name for name in COMMON if f"`{name}`" not in text]


def test_every_setting_is_described() -> None:
    table = page("operating.md").split("## Settings")[1].split("\n## ")[0]
    named = [name for row in rows(table)[1:] for name in re.findall(r"`(\w+)`", row[0])]
    assert sorted(named) == sorted(Settings.model_fields)


def test_every_command_is_described() -> None:
    first = [row[0] for row in rows(page("operating.md").split("\n## ")[0])[1:]]
    named = [name.removeprefix("parallax ") for cell in first for name in re.findall(r"`([a-z ]+)`", cell)]
    assert sorted(named) == sorted(commands())


def test_every_profile_is_described() -> None:
    table = page("importing.md").split("## Profiles")[1].split("\n## ")[0]
    described = {row[0].strip("`"): row for row in rows(table)[1:]}
    assert set(described) == {*profiles.shipped(), "parallax"}
    for name, one in profiles.shipped().items():
        assert set(described[name][1].split(", ")) == {t.layer for t in one.tables}
        assert described[name][3] == one.licence


def test_every_route_is_described() -> None:
    text = page("api.md")
    paths = {route.path.removeprefix("/{audience}") or "/" for route in AUDIENCE_ROUTES}
    # the table writes addresses of one collection with an L, and shortens those of tiles and items
    for path in paths:
        last = re.sub(r"\{(\w+)\}", "", path).rstrip("/").rpartition("/")[2] or "/"
        assert last in text, f"docs/api.md says nothing of {path}"


def test_every_word_of_a_value_spec_is_described() -> None:
    with pytest.raises(IngestError, match="known are") as refused:
        spec({"no such word": 1}, "here")
    known = str(refused.value).rpartition("known are ")[2].split(", ")
    text = page("importing.md")
    assert not [word for word in known if f"`{word}`" not in text]


def test_the_words_of_rules_are_described() -> None:
    text = page("rules.md")
    words = [*policies.VERBS, *policies.SCOPES, *policies.UNITS, "own", "coarse", "drop", "floor", "delay", "exact_if"]
    assert not [word for word in words if f"`{word}" not in text]


@pytest.mark.parametrize("name", PAGES)
def test_links_lead_somewhere(name: str) -> None:
    for target in re.findall(r"\]\(([^)]+)\)", page(name)):
        path, _, anchor = target.partition("#")
        file = (DOCS / path).resolve() if path else DOCS / name
        assert file.is_file(), f"docs/{name} links to {target}"
        if anchor:
            assert anchor in anchors(file.read_text(encoding="utf-8")), f"docs/{name} links to {target}"


@pytest.mark.parametrize("name", PAGES)
def test_a_page_is_short(name: str) -> None:
    assert len(page(name).splitlines()) <= LONGEST


def test_the_profile_example_does_what_is_shown(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    text = page("importing.md")
    monkeypatch.chdir(tmp_path)
    Path("log.csv").write_text(fenced(text, "text", "Report no"), encoding="utf-8")
    Path("patrol.yaml").write_text(fenced(text, "yaml", "profile: patrol-log"), encoding="utf-8")
    report = pipeline.run(Path("log.csv"), "incidents", None, "patrol.yaml", dry_run=True, today=dt.date(2026, 11, 1))
    shown = fenced(text, "console", "$ parallax ingest").split("\n", 1)[1]
    assert str(report) == shown.rstrip("\n")


def test_the_layer_example_is_complete() -> None:
    code = fenced(page("operating.md"), "python", '"""Checkpoints')
    compile(code, "checkpoints.py", "exec")
    assert "LAYER = Layer(" in code


def test_the_excerpt_of_faults_is_what_the_loader_says(tmp_path: Path) -> None:
    rules = policies.default_path().read_text(encoding="utf-8")
    wrong = tmp_path / "rules.yaml"
    wrong.write_text(rules.replace("      narrative: all\n", ""), encoding="utf-8")
    with pytest.raises(policies.PolicyError) as refused:
        policies.load(wrong)
    assert str(refused.value) in page("rules.md")
    wrong.write_text(rules.replace("place: {admin: 1}", "place: {cell: 10km}"), encoding="utf-8")
    with pytest.raises(policies.PolicyError) as refused:
        policies.load(wrong)
    assert str(refused.value) in page("rules.md")
