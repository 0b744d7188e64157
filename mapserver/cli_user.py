"""`parallax user`: accounts. Passwords are asked for or generated; they never stand in an argument."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Annotated

import typer

from layers.policy import Policy
from mapserver import accounts, credentials, prepare
from mapserver import cli_console as console
from mapserver.cli_console import CommandError, say

app = typer.Typer(help="Accounts: add, list, disable, password, token.", no_args_is_help=True, rich_markup_mode=None)

Name = Annotated[str, typer.Argument(help="Name of the account.")]
Generate = Annotated[bool, typer.Option("--generate", help="Make a password and show it once, instead of asking.")]


@contextmanager
def _accounts() -> Iterator[tuple[str, Policy]]:
    """A DSN of the role that manages accounts, and the rules that name the audiences."""
    settings, policy = console.prepared()
    with prepare.database(settings, "user") as address:
        dsn = credentials.equip(settings, "desk", policy, address).auth_dsn
        assert dsn
        yield dsn, policy


def _known(audience: str, policy: Policy) -> str:
    if audience not in policy.audiences:
        raise CommandError(f"there is no audience {audience!r}; there are {', '.join(policy.audiences)}")
    return audience


def _password(name: str, generate: bool) -> str:
    if generate:
        return accounts.generate_password()
    if sys.stdin.isatty():
        password = str(typer.prompt(f"Password of {name}", hide_input=True, confirmation_prompt=True))
    else:
        password = sys.stdin.readline().rstrip("\n")
        if not password:
            raise CommandError("there is no terminal to ask on; give --generate, or the password on standard input")
    accounts.check_password(password, name)
    return password


@app.command(epilog="Example: parallax user add okello --audience unclassified --audience confidential --generate")
def add(
    name: Name,
    audience: Annotated[
        list[str] | None, typer.Option(help="Audience that the account may work as; repeat it.")
    ] = None,
    editor: Annotated[bool, typer.Option("--editor", help="May edit records, through the desk.")] = False,
    admin: Annotated[bool, typer.Option("--admin", help="May manage the server.")] = False,
    generate: Generate = False,
) -> None:
    """Make an account."""
    password = _password(name, generate)
    with _accounts() as (dsn, policy):
        held = [_known(one, policy) for one in audience or []]
        accounts.add(dsn, name, password, held, editor=editor, admin=admin)
    say(f"{name} may work as {', '.join(held) or 'the public only'}")
    if generate:
        say(f"password, shown this once: {password}")


@app.command("list", epilog="Example: parallax user list")
def show() -> None:
    """List accounts with what they may do."""
    with _accounts() as (dsn, _):
        found = accounts.list_all(dsn)
    width = max((len(one.name) for one in found), default=0)
    for one in found:
        marks = [word for word in ("editor", "admin", "disabled") if getattr(one, word)]
        say(f"{one.name:<{width}}  {', '.join(one.audiences) or '-'}" + (f"  ({', '.join(marks)})" if marks else ""))
    if not found:
        say("there are no accounts; `parallax user add` makes one")


@app.command(epilog="Example: parallax user disable okello")
def disable(
    name: Name,
    undo: Annotated[bool, typer.Option("--undo", help="Enable the account again.")] = False,
) -> None:
    """Disable an account; its sessions end at once."""
    with _accounts() as (dsn, _):
        accounts.set_disabled(dsn, name, not undo)
    say(f"{name} is {'enabled' if undo else 'disabled'}")


@app.command(epilog="Example: parallax user password okello --generate")
def password(name: Name, generate: Generate = False) -> None:
    """Set a new password; the account's sessions end."""
    new = _password(name, generate)
    with _accounts() as (dsn, _):
        accounts.set_password(dsn, name, new)
    say(f"password of {name}, shown this once: {new}" if generate else f"the password of {name} is changed")


@app.command(epilog="Example: parallax user token okello --audience confidential --days 30 --label dashboard")
def token(
    name: Name,
    audience: Annotated[str, typer.Option(help="The one audience that the token works as.")],
    days: Annotated[int, typer.Option(min=1, max=366, help="Days until it expires.")] = 30,
    label: Annotated[str, typer.Option(help="What it is for.")] = "",
) -> None:
    """Issue a bearer token for programs. It is shown once and cannot be shown again."""
    with _accounts() as (dsn, policy):
        issued = accounts.issue_token(dsn, name, _known(audience, policy), days, label)
    say(issued)
