"""The rule file: what the loader takes, what it refuses, and in which words."""

from __future__ import annotations

import copy
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml

from layers import monotone
from layers import policy as rules
from layers.policy import Policy, PolicyError
from layers.sentences import table

Edit = Callable[[dict[str, Any]], object]
DEMO: dict[str, Any] = yaml.safe_load(rules.default_path().read_text(encoding="utf-8"))


@pytest.fixture
def load(tmp_path: Path) -> Callable[[Edit], Policy]:
    def load(edit: Edit) -> Policy:
        data = copy.deepcopy(DEMO)
        edit(data)
        path = tmp_path / "rules.yaml"
        path.write_text(yaml.safe_dump(data, sort_keys=False), encoding="utf-8")
        return rules.load(path)

    return load


def coarse(data: dict[str, Any], audience: str, layer: str = "incidents") -> dict[str, Any]:
    found: dict[str, Any] = data["layers"][layer]["coarse"][audience]
    return found


def test_the_demo_rules_load_and_name_every_audience(load: Callable[[Edit], Policy]) -> None:
    policy = load(lambda data: None)
    expected = {"public", "partner:au", "unclassified", "confidential", "strict", "strict_ops", "strict_hr"}
    assert set(policy.audiences) == expected
    assert len(policy.sha256) == 64


REFUSED: list[tuple[str, Edit, str]] = [
    (
        "a field without a rule",
        lambda d: d["layers"]["incidents"]["own"].pop("narrative"),
        "narrative .*neither named nor dropped",
    ),
    ("a field that is no field", lambda d: d["layers"]["sites"]["own"].update(colour="all"), "colour is no field"),
    (
        "a field both released and dropped",
        lambda d: d["layers"]["incidents"]["drop"].append("category"),
        "category is both",
    ),
    ("a layer that does not exist", lambda d: d["layers"].update(ufos={"own": {}}), "layers.ufos: no such layer"),
    ("an unknown word", lambda d: coarse(d, "public").update(jitter="5km"), r"public\[0\]: unknown jitter"),
    ("an unknown verb", lambda d: coarse(d, "public")["fields"].update(category="guess"), "'guess' is none of show"),
    ("an unknown audience", lambda d: d["layers"]["sites"]["coarse"].update(press={}), "unknown press"),
    ("an unknown level", lambda d: coarse(d, "public")["show"].update(up_to="secret"), "'secret' is none of"),
    ("an unknown compartment", lambda d: coarse(d, "public")["show"].update(compartments=["x"]), "'x' is none of"),
    (
        "a tier that does not say how the place is shown",
        lambda d: coarse(d, "public").pop("place"),
        "say how the place is shown",
    ),
    (
        "a tier that shows nothing in particular",
        lambda d: coarse(d, "confidential").update(show={}),
        "say up_to which level",
    ),
    (
        "a cell that the grid does not have",
        lambda d: coarse(d, "confidential").update(place={"cell": "15km"}),
        "no cell of the grid; there are 10km, 20km",
    ),
    (
        "two kinds of place at once",
        lambda d: coarse(d, "public").update(place={"admin": 1, "cell": "10km"}),
        "name exactly one of",
    ),
    (
        "an honest cell of one village",
        lambda d: d["places"].update(honest={"settlements": 1, "people": 5}),
        "2 or more",
    ),
    ("a delay without a unit", lambda d: coarse(d, "public").update(delay="30"), "72h or 30d"),
    (
        "bands where none are declared",
        lambda d: coarse(d, "public")["fields"].update(category="band"),
        "declares no bands",
    ),
    ("rules of one person", lambda d: d.update(approved_by=["chief_jmac", "chief_jmac"]), "two different persons"),
    ("an audience twice", lambda d: d["audiences"].append(d["audiences"][0]), "public stands twice"),
    ("an audience with a wild name", lambda d: d["audiences"][0].update(id="Pub lic"), "use lower-case letters"),
    ("another size of grid", lambda d: d["grid"].update(base_m=5000), "grid.base_m"),
    ("a missing part", lambda d: d.pop("batch"), "batch missing"),
    ("a wrong time", lambda d: d["batch"].update(at="6 o'clock"), "write for example"),
    (
        "ids that link the public with the cleared",
        lambda d: d["audiences"][0].update(family="cleared"),
        "ids would link",
    ),
]


@pytest.mark.parametrize(("edit", "words"), [case[1:] for case in REFUSED], ids=[case[0] for case in REFUSED])
def test_it_refuses(load: Callable[[Edit], Policy], edit: Edit, words: str) -> None:
    with pytest.raises(PolicyError, match=words):
        load(edit)


MONOTONE: list[tuple[str, Edit, str]] = [
    (
        "a finer cell",
        lambda d: coarse(d, "public").update(place={"cell": "10km"}),
        "public would get a finer place than",
    ),
    ("a finer time", lambda d: coarse(d, "public").update(time="day"), "public would get a finer time than"),
    ("an earlier date", lambda d: coarse(d, "public").update(delay="1h"), "public would get records earlier than"),
    (
        "one more field",
        lambda d: coarse(d, "public")["fields"].update(actor_a="show"),
        "public would get field actor_a, more than",
    ),
    (
        "a field more open",
        lambda d: (
            coarse(d, "partner:au")["fields"].update(killed_best="show")
            or coarse(d, "public")["fields"].update(killed_best="show")
        ),
        "field killed_best",
    ),
    (
        "more records",
        lambda d: coarse(d, "unclassified").update(show={"up_to": "strict", "compartments": ["hr"]}),
        "that do not exist there, more than",
    ),
    (
        "records that need no approval",
        lambda d: coarse(d, "public").update(show={"up_to": "strict"}),
        "that do not exist there, more than",
    ),
    (
        "a wider use of a consent",
        lambda d: coarse(d, "public", "sites")["fields"].update(title={"consent": "mission"}),
        "field title .consent., more open",
    ),
]


@pytest.mark.parametrize(("edit", "words"), [case[1:] for case in MONOTONE], ids=[case[0] for case in MONOTONE])
def test_a_lower_audience_never_gets(load: Callable[[Edit], Policy], edit: Edit, words: str) -> None:
    with pytest.raises(PolicyError, match=words):
        load(edit)


def test_a_field_without_a_rule_for_an_audience_is_not_released(load: Callable[[Edit], Policy]) -> None:
    released = load(lambda data: None).released("public")["incidents"]
    assert [field.name for field in released.fields] == ["category", "summary_public"]


def test_a_layer_below_its_floor_does_not_exist(load: Callable[[Edit], Policy]) -> None:
    policy = load(lambda data: None)
    assert "bases" not in policy.released("public")
    assert "bases" in policy.released("unclassified")


def test_the_source_alias_stays_with_its_compartment(load: Callable[[Edit], Policy]) -> None:
    policy = load(lambda data: None)
    own = {audience: policy.released(audience)["incidents"].own for audience in policy.audiences}
    verbs = {audience: form["source_alias"].kind for audience, form in own.items() if "source_alias" in form}
    assert verbs == {"strict": "pseudonym", "strict_ops": "pseudonym", "strict_hr": "show"}


def test_a_change_to_a_finer_cell_needs_to_be_asked_for(load: Callable[[Edit], Policy]) -> None:
    old = load(lambda data: coarse(data, "unclassified").update(place={"admin": 2}))
    new = load(lambda data: coarse(data, "unclassified").update(place={"cell": "20km"}))
    with pytest.raises(PolicyError, match=r"becomes finer.*allow-finer"):
        monotone.check_change(old, new)
    monotone.check_change(old, new, allow_finer=True)
    monotone.check_change(new, old)


def test_a_file_that_cannot_be_read_says_so(tmp_path: Path) -> None:
    with pytest.raises(PolicyError, match="cannot be read"):
        rules.load(tmp_path / "none.yaml")
    (tmp_path / "broken.yaml").write_text("a: [1, 2", encoding="utf-8")
    with pytest.raises(PolicyError, match="not valid YAML"):
        rules.load(tmp_path / "broken.yaml")


def test_the_table_shows_every_field_of_every_layer(load: Callable[[Edit], Policy]) -> None:
    policy = load(lambda data: None)
    for title, header, rows in table(policy):
        layer = next(v.layer for a in policy.audiences for v in policy.released(a).values() if v.layer.title == title)
        assert len(header) == len(policy.audiences) + 1
        assert set(layer.field) <= {row[0] for row in rows} | set(policy.rules[layer.id]["drop"])
        assert all(len(row) == len(header) for row in rows)


def test_sentences_never_mention_a_higher_audience_by_name(load: Callable[[Edit], Policy]) -> None:
    policy = load(lambda data: None)
    for audience in policy.audiences:
        for view in policy.released(audience).values():
            assert all(words.endswith(".") and "strict_hr" not in words for words in view.sentences)
