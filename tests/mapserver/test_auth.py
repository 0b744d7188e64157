"""Sign-in, sessions, tokens, rates, and changes that other sites try to cause."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import httpx
import psycopg
import pytest

from mapserver import accounts, auth
from mapserver.sessions import FAILURES_BY_ADDRESS, FAILURES_BY_NAME
from tests.mapserver.conftest import HEADERS, PASSWORD
from tests.world import Database, Reader


@pytest.fixture(autouse=True)
def _clean(database: Database, served: Reader) -> Iterator[None]:
    yield
    with psycopg.connect(database.auth_dsn) as connection:
        connection.execute("DELETE FROM auth.attempts")


def attempt(client: httpx.Client, name: str, password: str) -> httpx.Response:
    return client.post("/api/session", json={"name": name, "password": password}, headers=HEADERS)


def execute(database: Database, statement: str) -> int:
    with psycopg.connect(database.auth_dsn) as connection:
        return connection.execute(statement.encode()).rowcount


def test_passwords() -> None:
    stored = auth.hash_password("correct horse")
    assert stored.startswith("$argon2id$")
    assert auth.verify_password(stored, "correct horse")
    assert not auth.verify_password(stored, "wrong horse")
    assert not auth.verify_password("no hash", "correct horse")


def test_a_session_from_sign_in_to_sign_out(client: httpx.Client) -> None:
    nobody = client.get("/api/session").json()
    assert nobody["account"] is None
    assert [a["id"] for a in nobody["audiences"]] == ["public"]
    assert client.get("/confidential/").status_code == 404
    answer = attempt(client, "officer", PASSWORD)
    cookie = answer.headers["set-cookie"].lower()
    assert "httponly" in cookie
    assert "samesite=strict" in cookie
    assert answer.headers["cache-control"] == "no-store"
    account = answer.json()["account"]
    assert [a["id"] for a in account["audiences"]] == ["unclassified", "confidential"]
    assert account["audiences"][1]["marking"] == "CONFIDENTIAL"
    assert client.get("/confidential/").status_code == 200
    # one held and one not
    assert client.get("/strict/").content == client.get("/zzz/").content
    ended = client.delete("/api/session", headers=HEADERS)
    assert ended.status_code == 204
    assert client.get("/confidential/").status_code == 404


def test_the_database_holds_no_token(client: httpx.Client, database: Database) -> None:
    attempt(client, "officer", PASSWORD)
    token = client.cookies["parallax_session"]
    with psycopg.connect(database.auth_dsn) as connection:
        rows = connection.execute("SELECT encode(token_hash, 'escape') FROM auth.sessions").fetchall()
    assert rows
    assert all(token not in row[0] for row in rows)


def test_signing_in_again_makes_a_new_session_and_ends_the_old(client: httpx.Client, served: Reader) -> None:
    attempt(client, "officer", PASSWORD)
    old = client.cookies["parallax_session"]
    attempt(client, "officer", PASSWORD)
    assert client.cookies["parallax_session"] != old
    with httpx.Client(base_url=served.url, cookies={"parallax_session": old}) as other:
        assert other.get("/confidential/").status_code == 404


def test_expired_sessions_and_disabled_accounts(client: httpx.Client, served: Reader, database: Database) -> None:
    attempt(client, "officer", PASSWORD)
    execute(database, "UPDATE auth.sessions SET expires_at = now() - interval '1 second'")
    assert client.get("/confidential/").status_code == 404
    attempt(client, "officer", PASSWORD)
    accounts.set_disabled(database.auth_dsn, "officer", True)
    assert client.get("/confidential/").status_code == 404
    refused = attempt(client, "officer", PASSWORD)
    unknown = attempt(client, "nobody", PASSWORD)
    assert refused.status_code == unknown.status_code == 401
    assert refused.content == unknown.content
    accounts.set_disabled(database.auth_dsn, "officer", False)


def test_a_session_slides(client: httpx.Client, database: Database) -> None:
    attempt(client, "officer", PASSWORD)
    execute(database, "UPDATE auth.sessions SET expires_at = now() + interval '1 hour'")
    assert client.get("/confidential/").status_code == 200
    assert execute(database, "SELECT FROM auth.sessions WHERE expires_at > now() + interval '11 hours'") >= 1


@pytest.mark.parametrize(
    ("body", "media", "status"),
    [
        (b"{", "application/json", 400),
        (b"[]", "application/json", 400),
        (b'{"name": "a"}', "application/json", 400),
        (b'{"name": "a", "password": 1}', "application/json", 400),
        (b'{"name": "a", "password": "b", "admin": true}', "application/json", 400),
        (b"name=a&password=b", "application/x-www-form-urlencoded", 415),
    ],
)
def test_malformed_sign_in(client: httpx.Client, body: bytes, media: str, status: int) -> None:
    answer = client.post("/api/session", content=body, headers={**HEADERS, "Content-Type": media})
    assert answer.status_code == status
    assert set(answer.json()) == {"type", "title", "status", "detail"}


@pytest.mark.parametrize(
    "headers",
    [
        {},
        {"X-Parallax": "1", "Origin": "https://elsewhere.example"},
        {"X-Parallax": "1", "Sec-Fetch-Site": "cross-site"},
        {"X-Parallax": "1", "Sec-Fetch-Site": "same-site"},
        {"X-Parallax": "0"},
    ],
)
def test_other_sites_cannot_change_anything(client: httpx.Client, headers: dict[str, str]) -> None:
    attempt(client, "officer", PASSWORD)
    sent = client.post("/api/session", json={"name": "officer", "password": PASSWORD}, headers=headers)
    ended = client.delete("/api/session", headers=headers)
    assert sent.status_code == ended.status_code == 403
    assert client.get("/confidential/").status_code == 200


def test_the_own_page_may(client: httpx.Client, served: Reader) -> None:
    headers = {**HEADERS, "Origin": served.url, "Sec-Fetch-Site": "same-origin"}
    assert (
        client.post("/api/session", json={"name": "officer", "password": PASSWORD}, headers=headers).status_code == 200
    )


def test_behind_a_proxy_with_https(server: Callable[..., Reader], served: Reader, database: Database) -> None:
    reader = server(database, https=True)
    host = reader.url.removeprefix("http://")
    headers = {**HEADERS, "Origin": f"https://{host}"}
    with httpx.Client(base_url=reader.url) as one:
        answer = one.post("/api/session", json={"name": "officer", "password": PASSWORD}, headers=headers)
        assert answer.status_code == 200
        assert "secure" in answer.headers["set-cookie"].lower()
        assert "max-age" in answer.headers["strict-transport-security"]
        page = one.get("/public/").json()
    assert all(link["href"].startswith(f"https://{host}/") for link in page["links"])


def test_too_many_attempts_of_one_name(client: httpx.Client) -> None:
    for _ in range(FAILURES_BY_NAME):
        assert attempt(client, "officer", "wrong").status_code == 401
    locked = attempt(client, "officer", PASSWORD)
    assert locked.status_code == 429
    assert 0 < int(locked.headers["retry-after"]) <= 15 * 60 + 1
    assert attempt(client, "analyst", PASSWORD).status_code == 200


def test_too_many_attempts_of_one_address(client: httpx.Client, database: Database) -> None:
    execute(
        database,
        f"INSERT INTO auth.attempts SELECT 'name' || n, '127.0.0.1' FROM generate_series(1, {FAILURES_BY_ADDRESS}) n",
    )
    assert attempt(client, "analyst", PASSWORD).status_code == 429
    execute(database, "UPDATE auth.attempts SET at = at - interval '16 minutes'")
    assert attempt(client, "analyst", PASSWORD).status_code == 200


def test_success_forgets_the_failures(client: httpx.Client) -> None:
    for _ in range(2):
        for _ in range(FAILURES_BY_NAME - 1):
            attempt(client, "officer", "wrong")
        assert attempt(client, "officer", PASSWORD).status_code == 200


def test_names_that_are_none_leave_no_trace(client: httpx.Client, database: Database) -> None:
    assert attempt(client, "My Secret Password!", "x").status_code == 401
    assert execute(database, "SELECT FROM auth.attempts WHERE name <> ''") == 0


def test_tokens_are_bound_to_one_audience(served: Reader, database: Database) -> None:
    token = accounts.issue_token(database.auth_dsn, "analyst", "strict", days=1)
    headers = {"Authorization": f"Bearer {token}"}
    with httpx.Client(base_url=served.url, headers=headers) as client:
        assert client.get("/strict/").status_code == 200
        assert client.get("/public/").status_code == 200
        assert client.get("/confidential/").content == client.get("/zzz/").content
        execute(database, "UPDATE auth.tokens SET expires_at = now() - interval '1 second'")
        assert client.get("/strict/").status_code == 404


@pytest.mark.parametrize("value", [b"Bearer", b"Bearer x", b"Basic YTpi", b"Bearer " + b"\xe9" * 43])
def test_odd_credentials_are_nobodys(client: httpx.Client, value: bytes) -> None:
    headers = [(b"Authorization", value)]
    assert client.get("/strict/", headers=headers).content == client.get("/zzz/").content
    assert client.get("/public/", headers=headers).status_code == 200


def test_signing_out_counts_at_once_where_sessions_are_remembered(
    server: Callable[..., Reader], served: Reader, database: Database
) -> None:
    with httpx.Client(base_url=server(database, version_poll=30).url) as one:
        attempt(one, "officer", PASSWORD)
        token = one.cookies["parallax_session"]
        assert one.get("/unclassified/").status_code == 200
        one.delete("/api/session", headers=HEADERS)
        one.cookies.set("parallax_session", token)
        assert one.get("/unclassified/").status_code == 404
