"""Releases follow the vault: after whatever happens, what is released equals what the rules make of what is there."""

from __future__ import annotations

import datetime as dt
import random
from collections.abc import Iterator
from typing import Any

import psycopg
import pytest
import shapely

from layers import release
from layers.policy import Policy
from layers.vault import Provenance, Vault, VaultError
from tests.world import Database

FACTS = Provenance("test.geojson", "0" * 64, "test", "tester")
BANGUI, BRIA = (18.5582, 4.3612), (21.9864, 6.5425)
LONG_AGO = dt.datetime(2019, 5, 14, 9, 30, tzinfo=dt.UTC)


def point(lon: float, lat: float) -> bytes:
    return bytes(shapely.to_wkb(shapely.Point(lon, lat)))


def incident(name: str, level: str = "confidential", **more: Any) -> dict[str, Any]:
    start = more.pop("start", LONG_AGO)
    return {
        "source_id": name,
        "level": level,
        "geom": point(*BRIA),
        "occurred_from": start,
        "occurred_to": start + dt.timedelta(hours=2),
        "category": "POC",
        "narrative": f"what happened in {name}",
        **more,
    }


def site(name: str, partner: str, **more: Any) -> dict[str, Any]:
    return {
        "source_id": name,
        "level": "confidential",
        "geom": point(*BRIA),
        "title": f"Title of {name}",
        "sector": "WSH",
        "partner": f"Partner of {name}",
        "partner_id": partner,
        "starts_on": dt.date(2021, 3, 4),
        **more,
    }


@pytest.fixture
def owner(database: Database) -> Iterator[psycopg.Connection]:
    with psycopg.connect(database.owner_dsn, autocommit=True) as conn:
        yield conn


@pytest.fixture(autouse=True)
def empty(database: Database, owner: psycopg.Connection) -> None:
    """Each test starts from an empty vault and a clock of today."""
    for table in ("incidents", "sites", "consents", "partners"):
        owner.execute(f"DELETE FROM vault.{table}".encode())
    for audience in ("public", "partner_au", "unclassified"):
        for layer in ("incidents", "sites"):
            owner.execute(f"DELETE FROM rel_{audience}.{layer}".encode())
    today = dt.datetime.now(dt.UTC).replace(hour=0, minute=0, second=0, microsecond=0)
    owner.execute("UPDATE vault.clock SET slot = %s", (today,))
    owner.execute("DELETE FROM vault.batches")


def batch(database: Database, policy: Policy, audience: str, when: dt.datetime | None = None) -> dt.datetime:
    slot = release.last_slot(policy, audience, when or dt.datetime.now(dt.UTC))
    release.run_batch(database.publisher_dsn, policy, slot, audience)
    return slot


def seen(owner: psycopg.Connection, audience: str, layer: str = "incidents", columns: str = "*") -> list[Any]:
    return owner.execute(f"SELECT {columns} FROM rel_{audience}.{layer} ORDER BY fid".encode()).fetchall()


def physical(owner: psycopg.Connection, audience: str, layer: str = "incidents") -> list[Any]:
    return seen(owner, audience, layer, "fid, ctid::text, xmin::text")


# --- incremental equals rebuilt --------------------------------------------------------------------------------------


class Player:
    """Random work on a vault, as editors, importers and the batch clock do it."""

    def __init__(self, database: Database, policy: Policy, owner: psycopg.Connection, seed: int) -> None:
        self.database, self.policy, self.owner = database, policy, owner
        self.dice = random.Random(seed)
        self.names = [f"r{n}" for n in range(14)]
        self.partners = ["p1", "p2", "p3"]

    def step(self, vault: Vault) -> str:
        work = self.dice.choice(
            [
                self.write,
                self.write,
                self.write,
                self.edit,
                self.erase,
                self.consent,
                self.withdraw,
                self.partner,
                self.run,
            ]
        )
        work(vault)
        return work.__name__

    def label(self) -> dict[str, Any]:
        return {
            "level": self.dice.choice(["public", "unclassified", "confidential", "strict"]),
            "compartments": self.dice.choice([[], [], ["ops"], ["hr"], ["hr", "child"]]),
            "publish": self.dice.choice([[], ["public"], ["partner:au", "unclassified"]]),
        }

    def place(self) -> dict[str, Any]:
        known = ["exact", "near", "admin3", "admin2", "admin1", "linear", "country", "unknown"]
        lon, lat = self.dice.uniform(15, 26), self.dice.uniform(4, 9)
        return {
            "geom": self.dice.choice([point(lon, lat), point(*BANGUI), point(lon, lat), None]),
            "place_precision": self.dice.choice(known),
        }

    def write(self, vault: Vault) -> None:
        some = self.dice.sample(self.names, self.dice.randrange(1, 6))
        gone = self.dice.sample(self.names, self.dice.randrange(2))
        start = dt.datetime.now(dt.UTC) - dt.timedelta(hours=self.dice.choice([1, 30, 80, 200, 900, 9000]))
        if self.dice.random() < 0.6:
            records = [
                incident(n, start=start, killed_best=self.dice.choice([None, 0, 3, 40]), **self.label(), **self.place())
                for n in some
            ]
            vault.write("incidents", "test", records, FACTS, deletions=set(gone) - set(some))
        else:
            records = [site(n, self.dice.choice(self.partners), **self.label(), **self.place()) for n in some]
            vault.write("sites", "test", records, FACTS, deletions=set(gone) - set(some))

    def edit(self, vault: Vault) -> None:
        """A single statement over a few rows, as an editor's tool or a script may send it."""
        with psycopg.connect(self.database.desk_dsn) as conn:
            some = self.dice.sample(self.names, 4)
            new = self.label()
            conn.execute(
                "UPDATE vault.incidents SET level = %s, compartments = %s, narrative = 'edited'"
                " WHERE source_id = ANY (%s)",
                (new["level"], new["compartments"], some),
            )

    def erase(self, vault: Vault) -> None:
        with psycopg.connect(self.database.desk_dsn) as conn:
            table = self.dice.choice(["incidents", "sites"])
            conn.execute(f"DELETE FROM vault.{table} WHERE source_id = %s".encode(), (self.dice.choice(self.names),))

    def consent(self, vault: Vault) -> None:
        scope = self.dice.choice(["mission", "un", "public"])
        fields = self.dice.sample(["name", "place", "title"], self.dice.randrange(4))
        day = dt.date(2024, 1, 1)
        rows = [{"id": f"c{self.dice.randrange(4)}", "partner_id": self.dice.choice(self.partners), "given_on": day}]
        vault.write_rows("consents", [{**rows[0], "scope": scope, "fields": fields}], ("id",))

    def withdraw(self, vault: Vault) -> None:
        with psycopg.connect(self.database.desk_dsn) as conn:
            if self.dice.random() < 0.5:
                conn.execute("UPDATE vault.consents SET withdrawn_on = current_date WHERE id = 'c1'")
            else:
                conn.execute("DELETE FROM vault.consents WHERE id = 'c2'")

    def partner(self, vault: Vault) -> None:
        code = self.dice.choice(["au", None])
        vault.write_rows("partners", [{"id": self.dice.choice(self.partners), "name": "P", "code": code}], ("id",))

    def run(self, vault: Vault) -> None:
        batch(self.database, self.policy, self.dice.choice(list(self.policy.audiences)))


@pytest.mark.parametrize("seed", range(4))
def test_incremental_equals_rebuilt(
    seed: int, database: Database, policy: Policy, owner: psycopg.Connection, vault: Vault
) -> None:
    """After every import, edit, deletion, consent, withdrawal and batch, in any order."""
    player = Player(database, policy, owner, seed)
    done = []
    for _ in range(14):
        done.append(player.step(vault))
        assert release.verify(owner, policy) == [], f"after {', '.join(done)}"
    release.rebuild(owner, policy)
    assert release.verify(owner, policy) == []


def test_a_rebuild_of_a_right_release_touches_no_row(policy: Policy, owner: psycopg.Connection, vault: Vault) -> None:
    vault.write("incidents", "test", [incident("a"), incident("b", "unclassified")], FACTS)
    before = physical(owner, "strict")
    release.rebuild(owner, policy)
    assert physical(owner, "strict") == before


def test_verify_finds_what_is_wrong(policy: Policy, owner: psycopg.Connection, vault: Vault) -> None:
    vault.write("incidents", "test", [incident("a"), incident("b")], FACTS)
    with owner.transaction(force_rollback=True):
        owner.execute("SET LOCAL session_replication_role = replica")
        owner.execute(
            "UPDATE rel_strict.incidents SET category = 'ARC' WHERE fid = (SELECT min(fid) FROM rel_strict.incidents)"
        )
        (found,) = release.verify(owner, policy)
        assert (found.audience, found.layer, found.part, found.missing, found.extra) == (
            "strict", "incidents", "now", 1, 1,
        )  # fmt: skip


# --- a hidden edit leaves no trace -----------------------------------------------------------------------------------


def test_a_hidden_edit_touches_no_released_row(
    policy: Policy, database: Database, owner: psycopg.Connection, vault: Vault
) -> None:
    """Not even rewritten in place: the order on disk and the row's own transaction stay."""
    vault.write("incidents", "test", [incident(f"n{n}", "strict") for n in range(6)], FACTS)
    batch(database, policy, "unclassified")
    before = physical(owner, "confidential"), _versions(owner, "confidential")
    changes: list[dict[str, Any]] = [
        {"narrative": "another narrative", "source_alias": "HERON-12", "originator": "UNPOL"},
        {"geom": point(BRIA[0] + 0.002, BRIA[1] + 0.002)},
        {"occurred_from": LONG_AGO - dt.timedelta(hours=3)},
    ]
    for change in changes:
        vault.write("incidents", "test", [{**incident("n2", "strict"), **change}], FACTS)
        assert (physical(owner, "confidential"), _versions(owner, "confidential")) == before
    vault.write("incidents", "test", [incident("n2", "strict", compartments=["ops"])], FACTS)
    assert len(physical(owner, "confidential")) == 5
    assert _versions(owner, "confidential") != before[1]


def _versions(owner: psycopg.Connection, audience: str) -> dict[str, int]:
    return dict(owner.execute(f"SELECT layer, version FROM rel_{audience}.versions".encode()).fetchall())


def test_a_raised_record_leaves_at_once(owner: psycopg.Connection, vault: Vault) -> None:
    vault.write("incidents", "test", [incident("a", "unclassified")], FACTS)
    assert len(seen(owner, "unclassified")) == 1
    vault.write("incidents", "test", [incident("a", "strict", compartments=["hr"])], FACTS)
    assert [len(seen(owner, a)) for a in ("unclassified", "confidential", "strict", "strict_ops")] == [0, 0, 0, 0]
    assert len(seen(owner, "strict_hr")) == 1


def test_a_failed_write_leaves_nothing(owner: psycopg.Connection, vault: Vault) -> None:
    vault.write("incidents", "test", [incident("a")], FACTS)
    before = seen(owner, "strict"), owner.execute("SELECT * FROM vault.incidents").fetchall()
    with pytest.raises(VaultError):
        vault.write("incidents", "test", [incident("a", "strict"), incident("b", "secret")], FACTS)
    assert (seen(owner, "strict"), owner.execute("SELECT * FROM vault.incidents").fetchall()) == before


# --- delay and batches -----------------------------------------------------------------------------------------------


def test_nothing_of_a_delayed_form_before_its_slot(
    policy: Policy, database: Database, owner: psycopg.Connection, vault: Vault
) -> None:
    """The clock of the batch decides, not the moment at which the delay ends: that would tell the time of the event."""
    now = dt.datetime.now(dt.UTC)
    young, old = now - dt.timedelta(hours=50), now - dt.timedelta(hours=120)
    vault.write("incidents", "test", [incident("young", start=young), incident("old", start=old)], FACTS)
    assert seen(owner, "unclassified") == []
    batch(database, policy, "unclassified", now - dt.timedelta(days=3))
    assert seen(owner, "unclassified") == []
    batch(database, policy, "unclassified")
    assert len(seen(owner, "unclassified")) == 1


def test_a_late_report_waits_from_its_report(
    policy: Policy, database: Database, owner: psycopg.Connection, vault: Vault
) -> None:
    late = dt.datetime.now(dt.UTC) - dt.timedelta(hours=5)
    vault.write("incidents", "test", [incident("a", reported_at=late)], FACTS)
    batch(database, policy, "unclassified")
    assert seen(owner, "unclassified") == []


def test_batches_go_forward_only(policy: Policy, database: Database, owner: psycopg.Connection) -> None:
    slot = batch(database, policy, "public")
    with pytest.raises(psycopg.errors.RaiseException, match="before the last batch"):
        release.run_batch(database.publisher_dsn, policy, slot - dt.timedelta(days=7), "public")
    with pytest.raises(psycopg.errors.RaiseException, match="future"):
        release.run_batch(database.publisher_dsn, policy, slot + dt.timedelta(days=14), "public")
    release.run_batch(database.publisher_dsn, policy, slot, "public")


def test_slots_of_a_week_fall_on_one_weekday(policy: Policy) -> None:
    start = dt.datetime(2026, 3, 1, 5, 59, tzinfo=dt.UTC)
    slots = {release.last_slot(policy, "public", start + dt.timedelta(hours=h)) for h in range(24 * 28)}
    assert {s.weekday() for s in slots} == {0}
    assert {s.time() for s in slots} == {policy.batch.at}
    for slot in slots:
        assert release.last_slot(policy, "public", slot) == slot
        assert release.next_slot(policy, "public", slot) == slot + dt.timedelta(days=7)


# --- consents --------------------------------------------------------------------------------------------------------


def test_a_withdrawn_consent_acts_at_once(owner: psycopg.Connection, vault: Vault) -> None:
    consent = {
        "id": "c", "partner_id": "p", "scope": "public", "fields": ["name", "place", "title"],
        "given_on": dt.date(2024, 1, 1),
    }  # fmt: skip
    vault.write_rows("consents", [consent], ("id",))
    vault.write("sites", "test", [site("a", "p", level="strict")], FACTS)
    assert seen(owner, "public", "sites", "partner, title") == [("Partner of a", "Title of a")]
    assert seen(owner, "confidential", "sites", "area") == [(None,)]
    vault.write_rows("consents", [{**consent, "withdrawn_on": dt.date(2025, 1, 1)}], ("id",))
    assert seen(owner, "public", "sites") == []
    assert seen(owner, "unclassified", "sites", "partner, title") == [("partner", None)]
    assert seen(owner, "confidential", "sites", "area LIKE 'c0.%'") == [(True,)]


def test_a_consent_without_the_place_keeps_the_place(owner: psycopg.Connection, vault: Vault) -> None:
    consent = {"id": "c", "partner_id": "p", "scope": "mission", "fields": ["name"], "given_on": dt.date(2024, 1, 1)}
    vault.write_rows("consents", [consent], ("id",))
    vault.write("sites", "test", [site("a", "p", level="strict")], FACTS)
    assert seen(owner, "confidential", "sites", "geom") == [(None,)]


def test_a_consent_ends_with_its_last_day(
    policy: Policy, database: Database, owner: psycopg.Connection, vault: Vault
) -> None:
    today = dt.datetime.now(dt.UTC).date()
    consent = {
        "id": "c", "partner_id": "p", "scope": "public", "fields": ["name"], "given_on": dt.date(2024, 1, 1),
        "until": today - dt.timedelta(days=1),
    }  # fmt: skip
    owner.execute("UPDATE vault.clock SET slot = slot - interval '2 days'")
    vault.write_rows("consents", [consent], ("id",))
    vault.write("sites", "test", [site("a", "p")], FACTS)
    assert len(seen(owner, "public", "sites")) == 1
    for _ in release.run_due(database.publisher_dsn, policy, dt.datetime.now(dt.UTC) + dt.timedelta(seconds=0)):
        pass
    (clock,) = owner.execute("SELECT slot FROM vault.clock").fetchone() or ()
    assert (seen(owner, "public", "sites") == []) == (clock.date() >= today)
    assert release.verify(owner, policy) == []


# --- identities and places -------------------------------------------------------------------------------------------


def test_ids_do_not_link_across_families(owner: psycopg.Connection, vault: Vault) -> None:
    vault.write("incidents", "test", [incident(f"n{n}", "unclassified") for n in range(20)], FACTS)
    low, high, higher = (
        {row[0] for row in seen(owner, a, columns="fid")} for a in ("unclassified", "confidential", "strict")
    )
    assert high == higher
    assert not low & high
    assert len(low) == len(high) == 20
    assert all(0 <= fid < 2**53 for fid in low | high)


def test_a_source_alias_is_told_to_its_compartment_alone(owner: psycopg.Connection, vault: Vault) -> None:
    """Others of the level can tell that two reports have one source, and no more."""
    records = [
        incident("a", source_alias="HERON-12"),
        incident("b", source_alias="HERON-12"),
        incident("c", source_alias="OWL-3"),
    ]
    vault.write("incidents", "test", records, FACTS)
    assert {row[0] for row in seen(owner, "strict_hr", columns="source_alias")} == {"HERON-12", "OWL-3"}
    pseudonyms = [row[0] for row in seen(owner, "strict", columns="source_alias")]
    assert len(set(pseudonyms)) == 2
    assert sorted(pseudonyms) == sorted(row[0] for row in seen(owner, "strict_ops", columns="source_alias"))
    assert not {"HERON-12", "OWL-3"} & set(pseudonyms)
    columns = {c.name for c in owner.execute("SELECT * FROM rel_confidential.incidents LIMIT 0").description or ()}
    assert "source_alias" not in columns


@pytest.mark.parametrize(
    ("known", "area"),
    [("near", "c2."), ("admin3", "admin3."), ("admin2", "admin2."), ("admin1", "admin1."), ("linear", "admin1."),
     ("country", "admin0."), ("exact", "c0.")],
)  # fmt: skip
def test_a_place_is_never_finer_than_it_is_known(
    known: str, area: str, owner: psycopg.Connection, vault: Vault
) -> None:
    vault.write("incidents", "test", [incident("a", "strict", place_precision=known)], FACTS)
    assert seen(owner, "confidential", columns=f"geom, left(area, {len(area)})") == [(None, area)]


def test_a_record_without_an_honest_cell_falls_back_or_is_absent(
    policy: Policy, database: Database, owner: psycopg.Connection, vault: Vault
) -> None:
    """In an empty region the smallest honest area is large; where there is none, the record does not exist."""
    vault.write("incidents", "test", [incident("a")], FACTS)
    slot = batch(database, policy, "unclassified")

    def area() -> list[Any]:
        release.run_batch(database.publisher_dsn, policy, slot, "unclassified")
        return [row[0].split(".")[0] for row in seen(owner, "unclassified", columns="area")]

    assert area()[0].startswith("c")
    cells = owner.execute("SELECT * FROM vault.honest_cells").fetchall()
    areas = owner.execute("SELECT rule, area FROM vault.honest_areas").fetchall()
    rule = areas[0][0]
    (admin2, admin1) = owner.execute("SELECT admin2, admin1 FROM vault.incidents").fetchone() or ()
    try:
        owner.execute("DELETE FROM vault.honest_cells")
        owner.execute("DELETE FROM vault.honest_areas")
        assert area() == []
        owner.execute("INSERT INTO vault.honest_areas VALUES (%s, %s)", (rule, f"admin1.{admin1}"))
        assert area() == ["admin1"]
        owner.execute("INSERT INTO vault.honest_areas VALUES (%s, %s)", (rule, f"admin2.{admin2}"))
        assert area() == ["admin2"]
    finally:
        owner.execute("DELETE FROM vault.honest_areas")
        with owner.cursor() as cursor:
            cursor.executemany("INSERT INTO vault.honest_areas VALUES (%s, %s)", areas)
            with cursor.copy("COPY vault.honest_cells FROM STDIN") as copy:
                for row in cells:
                    copy.write_row(row)


def test_two_releases_of_a_moved_record_name_the_same_area(owner: psycopg.Connection, vault: Vault) -> None:
    """Averaging many releases gives nothing: within a cell the released place does not move."""
    areas = set()
    for n in range(8):
        moved = point(BRIA[0] + n * 0.0007, BRIA[1] - n * 0.0005)
        vault.write("incidents", "test", [incident("a", "strict", geom=moved)], FACTS)
        areas |= set(seen(owner, "confidential", columns="area, geom"))
    assert len(areas) == 1
