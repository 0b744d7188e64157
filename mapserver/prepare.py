"""From an empty folder to a database that can be served: cluster, passwords, migration, demo mission, demo accounts.

Every step looks first whether it is done, so that a second start does nothing and an interrupted one goes on.
"""

from __future__ import annotations

import contextlib
import datetime as dt
import json
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

import psycopg

from layers import database as databases
from layers import release
from layers.policy import Policy
from layers.vault import Vault
from mapserver import accounts, credentials, lock
from mapserver.cluster import Cluster, create_database, wait_for
from mapserver.settings import Settings, SettingsError

Say = Callable[[str], None]
Progress = Callable[[str, int, int | None], None]
"""Called with a title, how much is done and how much there is (None: unknown)."""

COMMAND_SECONDS = 600
"""A command waits so long for another one that works on the same home folder."""

DEMO_ACCOUNTS: dict[str, tuple[tuple[str, ...], bool, bool]] = {
    # name: audiences, editor, admin
    "jmac": (("unclassified", "confidential", "strict", "strict_ops", "strict_hr"), True, False),
    "duty": (("unclassified", "confidential", "strict", "strict_ops"), True, False),
    "gis": (("unclassified", "confidential"), False, False),
    "au": (("partner:au",), False, False),
    "admin": (("unclassified", "confidential", "strict", "strict_ops", "strict_hr", "partner:au"), True, True),
}


def embedded(settings: Settings) -> Cluster | None:
    """The embedded cluster, or None when the settings name another database."""
    return None if credentials.external(settings) else Cluster(settings.home)


@contextlib.contextmanager
def database(settings: Settings, command: str) -> Iterator[str]:
    """The address of a database that runs, for one command.

    The embedded cluster is started for it, and stopped afterwards unless it ran before.
    """
    cluster = embedded(settings)
    if cluster is None:
        yield credentials.address_of(settings)
        return
    holder = lock.holder(settings.home)
    if holder and holder["what"] == lock.SERVE:
        wait_for(cluster)
        yield cluster.address
        return
    with lock.hold(settings.home, command, COMMAND_SECONDS):
        started = cluster.start()
        try:
            yield cluster.address
        finally:
            if started and not kept_running(settings):
                cluster.stop()


def migrate(settings: Settings, policy: Policy, say: Say, *, allow_finer: bool = False) -> None:
    """Make the database, and its roles, tables and releases, what the rule file declares. It must run already.

    Passwords of the roles are made when there are none. Doing it again changes nothing. Raises PolicyError for rules
    that are finer than those in force, unless that is allowed.
    """
    equipped = credentials.equip(settings, "owner", policy, credentials.address_of(settings))
    assert equipped.owner_dsn
    # an owner of one database alone may not reach the others; then it exists, or the next step says what is wrong
    with contextlib.suppress(psycopg.OperationalError):
        create_database(equipped.owner_dsn)
    passwords = credentials.create(credentials.secrets_folder(settings), policy)
    databases.migrate(equipped.owner_dsn, policy, passwords, say, allow_finer=allow_finer)


def make_cluster(settings: Settings, cluster: Cluster, say: Say) -> None:
    """Initialise it when there is none."""
    if not cluster.status().initialised:
        say(f"making a database cluster in {cluster.data}")
        cluster.initialise(credentials.owner_password(credentials.secrets_folder(settings)))


def demo_loaded(settings: Settings) -> bool:
    return _demo_marker(settings).exists()


def load_demo(settings: Settings, policy: Policy, progress: Progress) -> None:
    """Load the demo mission into the vault and run its batches. Doing it again changes nothing.

    A mission in the field waits for the next slot of its batch clock; a newcomer shall see every audience at once.
    """
    from ingest import demo  # the decoders take a while to load: a second start does without them

    if settings.mode != "demo":
        raise SettingsError("the demo mission is loaded in demo mode only; it holds simulated records")
    address = credentials.address_of(settings)
    desk = credentials.equip(settings, "desk", policy, address)
    publisher = credentials.equip(settings, "publisher", policy, address)
    assert desk.desk_dsn
    assert publisher.publisher_dsn
    with Vault(desk.desk_dsn) as vault:
        demo.load(vault, progress)
    now = dt.datetime.now(dt.UTC)
    for number, audience in enumerate(policy.audiences):
        progress("Releases", number, len(policy.audiences))
        slot = release.last_slot(policy, audience, now)
        release.run_batch(publisher.publisher_dsn, policy, slot, audience)
    progress("Releases", len(policy.audiences), len(policy.audiences))
    credentials.write_private(_demo_marker(settings), {"mission": policy.mission["id"]})


def demo_accounts(settings: Settings, policy: Policy) -> dict[str, str]:
    """The passwords of the demo accounts by name; they are made on the first call.

    The file is written before the accounts are, so that an interrupted first start keeps its passwords.
    """
    if settings.mode != "demo":
        raise SettingsError("demo accounts exist in demo mode only; use `parallax user add`")
    path = demo_accounts_file(settings)
    wanted = {name: one for name, one in DEMO_ACCOUNTS.items() if set(one[0]) <= policy.audiences.keys()}
    if path.exists():
        passwords: dict[str, str] = json.loads(path.read_text(encoding="utf-8"))
    else:
        passwords = {name: accounts.generate_password() for name in wanted}
        credentials.write_private(path, passwords)
    dsn = credentials.equip(settings, "desk", policy, credentials.address_of(settings)).auth_dsn
    assert dsn
    there = {account.name for account in accounts.list_all(dsn)}
    for name in passwords.keys() & wanted.keys() - there:
        audiences, editor, admin = wanted[name]
        accounts.add(dsn, name, passwords[name], audiences, editor=editor, admin=admin)
    return passwords


def demo_accounts_file(settings: Settings) -> Path:
    return credentials.secrets_folder(settings) / "demo-accounts.json"


def wipe(settings: Settings) -> None:
    """Remove the embedded cluster with all data, passwords and accounts. The caller holds the lock and has asked."""
    cluster = Cluster(settings.home)
    cluster.stop()
    for path in (cluster.data, settings.home / "secrets", settings.home / "run", cluster.socket_folder):
        if path.exists():
            shutil.rmtree(path)
    for path in (cluster.log, _demo_marker(settings)):
        path.unlink(missing_ok=True)
    keep_running(settings, False)


def keep_running(settings: Settings, keep: bool) -> None:
    """Note whether the cluster shall outlive the commands that use it (`db start`), or end with them (`db stop`)."""
    marker = settings.home / "keep-running"
    if keep:
        marker.touch()
    else:
        marker.unlink(missing_ok=True)


def kept_running(settings: Settings) -> bool:
    return (settings.home / "keep-running").exists()


def _demo_marker(settings: Settings) -> Path:
    return settings.home / "demo.json"
