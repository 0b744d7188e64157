"""The command `parallax`. Errors are one line with the remedy; exit status 2 for usage, 1 for failure."""

from __future__ import annotations

import os
import sys
from importlib.metadata import version
from typing import Annotated

import typer
from typer.exceptions import TyperException

from mapserver import cli_console as console
from mapserver import cli_data, cli_database, cli_user, lock, prepare, process
from mapserver import settings as configuration
from mapserver.cli_console import say
from mapserver.serve import Supervisor, banner

app = typer.Typer(
    name="parallax",
    help="A situational-awareness map server that shows each audience what it may see.",
    epilog="Example: parallax serve",
    no_args_is_help=True,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
    add_completion=False,
)
app.add_typer(cli_database.app, name="db")
app.add_typer(cli_data.policy_app, name="policy")
app.add_typer(cli_data.release_app, name="release")
app.add_typer(cli_data.demo_app, name="demo")
app.add_typer(cli_user.app, name="user")
app.command("ingest", epilog="Example: parallax ingest events.csv --layer incidents --dry-run")(cli_data.ingest)
app.command("publisher", epilog="Example: parallax publisher --once")(cli_data.publisher)


def _version(wanted: bool) -> None:
    if wanted:
        say(f"parallax {version('parallax')}")
        raise typer.Exit


@app.callback()
def parallax(
    _: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Show the version and exit.")
    ] = False,
) -> None:
    """A situational-awareness map server that shows each audience what it may see."""


@app.command(epilog="Example: PARALLAX_PORT=8080 parallax serve")
def serve(
    only: Annotated[
        str | None,
        typer.Option(metavar="PROCESS", help="Run one process alone: reader, desk or publisher."),
    ] = None,
    reset: Annotated[
        bool, typer.Option("--reset", help="First remove the database, passwords and accounts. Asks before.")
    ] = False,
    yes: Annotated[bool, typer.Option("--yes", help="With --reset: do not ask.")] = False,
) -> None:
    """Serve the map until Ctrl-C: the reader, the desk and the publisher, over the embedded database.

    The first start makes the database and, in demo mode, loads the demo mission and makes accounts.
    With --only it runs one process over a database that is there, with the credentials of that process alone.
    """
    if only is not None:
        name = next((one for one in process.NAMES if one == only), None)
        if name is None:
            raise typer.BadParameter(f"{only!r} is none of {', '.join(process.NAMES)}", param_hint="--only")
        if reset:
            raise typer.BadParameter("--reset does not go with --only", param_hint="--reset")
        configuration.load()
        process.become(name)
    settings = configuration.load()
    if reset:
        _reset(settings, yes)
    with console.bars() as progress:
        supervisor = Supervisor(settings, say, progress)

        def ready(address: str) -> None:
            progress.finish()
            for line in banner(settings, supervisor.policy, address, supervisor.passwords):
                say(line)

        supervisor.run(ready)


def _reset(settings: configuration.Settings, yes: bool) -> None:
    if prepare.embedded(settings) is None:
        raise console.CommandError("--reset works on the embedded database only; empty the other one yourself")
    with lock.hold(settings.home, "serve --reset"):
        if (settings.home / "cluster").exists():
            console.confirm(f"Remove all data, passwords and accounts in {settings.home}?", yes)
        prepare.wipe(settings)


def main() -> None:
    """Run a command and exit with its status."""
    try:
        status = app(standalone_mode=False, prog_name="parallax") or 0
    except TyperException as error:
        status = error.exit_code
        context = getattr(error, "ctx", None)
        text = error.format_message()
        if text.startswith("Usage:"):  # a command without arguments shows its help
            typer.echo(text)
        else:
            hint = f"; see `{context.command_path} --help`" if context else ""
            console.complain(RuntimeError(text.rstrip(".?") + hint))
    except typer.Abort:
        typer.echo("parallax: nothing was done", err=True)
        status = console.FAILURE
    except BrokenPipeError:  # the reader of a pipe, such as head, has seen enough
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        status = console.FAILURE
    except console.USAGE_ERRORS as error:
        console.complain(error)
        status = console.USAGE
    except console.FAILURES as error:
        console.complain(error)
        status = console.FAILURE
    except KeyboardInterrupt:
        typer.echo("parallax: interrupted", err=True)
        status = 130
    sys.exit(status if isinstance(status, int) else 0)


if __name__ == "__main__":
    main()
