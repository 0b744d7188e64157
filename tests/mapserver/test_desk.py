"""The desk: editors write and delete within their labels; nothing of the vault comes back."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import httpx
import psycopg
import pytest

from layers.vault import Vault
from mapserver import accounts
from mapserver.desk import create_app
from tests.mapserver.conftest import FACTS, HEADERS, PASSWORD, incident
from tests.world import Database, serve


@pytest.fixture(scope="module")
def desk(database: Database, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    accounts.add(database.auth_dsn, "editor", PASSWORD, ["confidential", "unclassified"], editor=True)
    accounts.add(database.auth_dsn, "reader", PASSWORD, ["confidential"])
    settings = database.settings(tmp_path_factory.mktemp("desk"), desk_dsn=database.desk_dsn, reader_dsn={})
    with serve(create_app(settings)) as url:
        yield url


@pytest.fixture
def open_as(desk: str, database: Database) -> Iterator[Callable[[str], httpx.Client]]:
    opened = []

    def start(name: str) -> httpx.Client:
        audience = "confidential"
        token = accounts.issue_token(database.auth_dsn, name, audience, days=1)
        opened.append(httpx.Client(base_url=desk, headers={**HEADERS, "Authorization": f"Bearer {token}"}))
        return opened[-1]

    yield start
    for one in opened:
        one.close()


@pytest.fixture
def editor(open_as: Callable[[str], httpx.Client]) -> httpx.Client:
    return open_as("editor")


def feature(**more: Any) -> dict[str, Any]:
    own = {
        "level": "confidential",
        "category": "POC",
        "occurred_from": "2024-05-01",
        "place_name": "Somewhere",
        **more.pop("properties", {}),
    }
    return {
        "type": "Feature",
        "geometry": {"type": "Point", "coordinates": [18.55, 4.36]},
        "properties": own,
        **more,
    }


def rows(database: Database, statement: str) -> list[Any]:
    with psycopg.connect(database.owner_dsn) as connection:
        return connection.execute(statement.encode()).fetchall()


def test_health(desk: str) -> None:
    assert httpx.get(f"{desk}/desk/health").json() == {"status": "ok"}


def test_a_record_is_made_edited_and_deleted(editor: httpx.Client, database: Database) -> None:
    made = editor.post("/desk/incidents/records", json=feature())
    assert made.status_code == 200, made.text
    body = made.json()
    assert (body["inserted"], body["updated"], body["unchanged"]) == (1, 0, 0)
    name = body["ids"][0]
    query = f"SELECT place_name, level, updated_by FROM vault.incidents WHERE source_id = '{name}'"
    assert rows(database, query) == [("Somewhere", "confidential", "editor")]
    same = editor.post("/desk/incidents/records", json=feature(id=name))
    assert same.json()["unchanged"] == 1
    changed = editor.post("/desk/incidents/records", json=feature(id=name, properties={"place_name": "Elsewhere"}))
    assert changed.json()["updated"] == 1
    assert rows(database, query)[0][0] == "Elsewhere"
    assert editor.delete(f"/desk/incidents/records/parallax/{name}").status_code == 204
    assert rows(database, query) == []
    assert editor.delete(f"/desk/incidents/records/parallax/{name}").status_code == 404


def test_all_or_nothing(editor: httpx.Client, database: Database) -> None:
    before = rows(database, "SELECT count(*) FROM vault.incidents")
    features = [feature(), feature(properties={"category": "NOSUCH"})]
    answer = editor.post("/desk/incidents/records", json={"type": "FeatureCollection", "features": features})
    assert answer.status_code == 422
    assert "record 2" in answer.json()["detail"]
    assert "category" in answer.json()["detail"]
    assert rows(database, "SELECT count(*) FROM vault.incidents") == before


@pytest.mark.parametrize(
    "label",
    [{"level": "strict"}, {"level": "confidential", "compartments": ["ops"]}],
)
def test_a_label_that_the_editor_does_not_cover(editor: httpx.Client, label: dict[str, Any]) -> None:
    assert editor.post("/desk/incidents/records", json=feature(properties=label)).status_code == 403


def test_records_out_of_reach_are_records_that_are_not_there(editor: httpx.Client, database: Database) -> None:
    with Vault(database.desk_dsn) as vault:
        vault.write("incidents", "parallax", [incident(1, "strict", 20.0, 5.0)], FACTS)
    path = "/desk/incidents/records"
    pairs = [
        [editor.delete(f"{path}/parallax/{name}") for name in ("i001", "i999")],
        [editor.post(path, json=feature(id=name)) for name in ("i001", "i999")],
    ]
    for hidden, absent in pairs:
        assert hidden.status_code == absent.status_code == 404
        assert hidden.content == absent.content
    assert rows(database, "SELECT level FROM vault.incidents WHERE source_id = 'i001'") == [("strict",)]


def test_who_may(open_as: Callable[[str], httpx.Client], desk: str) -> None:
    assert open_as("reader").post("/desk/incidents/records", json=feature()).status_code == 403
    assert httpx.post(f"{desk}/desk/incidents/records", json=feature(), headers=HEADERS).status_code == 403
    bare = open_as("editor")
    del bare.headers["X-Parallax"]
    assert bare.post("/desk/incidents/records", json=feature()).status_code == 403
    assert bare.delete("/desk/incidents/records/parallax/x").status_code == 403


@pytest.mark.parametrize(
    ("body", "status"),
    [
        (b"{", 400),
        (b"[]", 400),
        (b'{"type": "FeatureCollection", "features": []}', 400),
        (b'{"type": "Feature"}', 400),
        (b'{"type": "Feature", "properties": {"level": "secret"}}', 422),
        (b'{"type": "Feature", "properties": {"level": "confidential", "category": {"a": 1}}}', 422),
        (b'{"type": "Feature", "id": 5, "properties": {"level": "confidential"}}', 400),
        (b'{"type": "Feature", "properties": {"level": "confidential", "source_id": "x"}}', 400),
        (b'{"type": "Feature", "geometry": 7, "properties": {"level": "confidential"}}', 422),
    ],
)
def test_malformed(editor: httpx.Client, body: bytes, status: int) -> None:
    answer = editor.post("/desk/incidents/records", content=body, headers={"Content-Type": "application/geo+json"})
    assert answer.status_code == status, answer.text
    assert set(answer.json()) == {"type", "title", "status", "detail"}


def test_other_addresses(editor: httpx.Client) -> None:
    assert editor.post("/desk/nosuch/records", json=feature()).status_code == 404
    assert editor.get("/desk/incidents/records").status_code == 405
    assert editor.post("/desk/incidents/records", content=b"x").status_code == 415
    assert editor.get("/public/").status_code == 404


def test_nothing_stays_behind(editor: httpx.Client, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    editor.post("/desk/incidents/records", json=feature())
    assert list(tmp_path.iterdir()) == []
