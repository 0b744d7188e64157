"""`parallax db`: the embedded database cluster, and migrations of any database."""

from __future__ import annotations

from typing import Annotated

import typer

from mapserver import cli_console as console
from mapserver import lock, prepare
from mapserver import settings as configuration
from mapserver.cli_console import CommandError, say
from mapserver.cluster import Cluster
from mapserver.settings import Settings

app = typer.Typer(help="The database: start, stop, status, migrate.", no_args_is_help=True, rich_markup_mode=None)


def _cluster(settings: Settings) -> Cluster:
    cluster = prepare.embedded(settings)
    if cluster is None:
        raise CommandError("the settings name another database; start and stop it with its own tools")
    return cluster


@app.command(epilog="Example: parallax db start")
def start(
    foreground: Annotated[
        bool, typer.Option("--foreground", help="Do not return: become the database process, for service managers.")
    ] = False,
) -> None:
    """Start the embedded cluster and leave it running; make it when there is none."""
    settings = configuration.load()
    cluster = _cluster(settings)
    with lock.hold(settings.home, "db start", prepare.COMMAND_SECONDS):
        prepare.make_cluster(settings, cluster, say)
        if not foreground:
            prepare.keep_running(settings, True)
            say(f"the database {'runs' if cluster.start() else 'ran already'}: {cluster.address}")
    if foreground:
        cluster.run()


@app.command(epilog="Example: parallax db stop")
def stop() -> None:
    """Stop the embedded cluster."""
    settings = configuration.load()
    cluster = _cluster(settings)
    with lock.hold(settings.home, "db stop"):
        prepare.keep_running(settings, False)
        say("the database is stopped" if cluster.stop() else "the database did not run")


@app.command(epilog="Example: parallax db status")
def status() -> None:
    """Say whether the embedded cluster runs; exit status 1 when it does not."""
    settings = configuration.load()
    cluster = _cluster(settings)
    found = cluster.status()
    if not found.initialised:
        raise CommandError(f"there is no database in {settings.home}; `parallax serve` makes one")
    if not found.running:
        raise CommandError(f"the database in {settings.home} does not run; `parallax db start` starts it")
    say(f"the database runs (process {found.pid}): {cluster.address}")


@app.command(epilog="Example: parallax db migrate")
def migrate(
    allow_finer: Annotated[
        bool, typer.Option("--allow-finer", help="Put rules into force that show something finer than those before.")
    ] = False,
) -> None:
    """Bring roles, tables, rights and releases to what this version and the rule file declare.

    Makes the cluster and the passwords of the processes when they are missing. Running it again changes nothing.
    """
    settings, policy = console.prepared()
    cluster = prepare.embedded(settings)
    if cluster and not cluster.status().initialised:
        with lock.hold(settings.home, "db migrate", prepare.COMMAND_SECONDS):
            prepare.make_cluster(settings, cluster, say)
    with prepare.database(settings, "db migrate"):
        prepare.migrate(settings, policy, say, allow_finer=allow_finer)
