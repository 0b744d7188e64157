"""Commands over data and rules: `ingest`, `policy`, `release`, `publisher`, `demo`."""

from __future__ import annotations

import datetime as dt
import getpass
import logging.config
from pathlib import Path
from typing import Annotated

import psycopg
import typer
from rich.console import Console
from rich.table import Table

from layers import monotone, sentences
from layers import policy as policies
from layers import release as releases
from layers.registry import all_layers
from layers.vault import Vault
from mapserver import cli_console as console
from mapserver import credentials, prepare, process
from mapserver import publisher as clock
from mapserver import settings as configuration
from mapserver.cli_console import CommandError, say

policy_app = typer.Typer(help="The rule file: check it, show it.", no_args_is_help=True, rich_markup_mode=None)
release_app = typer.Typer(help="Releases: rebuild them, verify them.", no_args_is_help=True, rich_markup_mode=None)
demo_app = typer.Typer(help="The demo mission.", no_args_is_help=True, rich_markup_mode=None)

TABLE_WIDTH = 200


def ingest(
    file: Annotated[Path, typer.Argument(help="GeoJSON, GeoPackage, Shapefile, KML, GeoParquet, CSV or XLSX.")],
    layer: Annotated[str, typer.Option(help="The layer to import into.")],
    profile: Annotated[
        str | None, typer.Option(help="A shipped profile or a YAML file; found out from the columns when not given.")
    ] = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only say what would be done.")] = False,
    rejects: Annotated[
        Path | None, typer.Option(help="Where rows go that cannot be imported; beside the file when not given.")
    ] = None,
    delete_list: Annotated[Path | None, typer.Option(help="A file of source ids to delete, one a line.")] = None,
) -> None:
    """Import a file into a layer, in one transaction. Doing it again changes nothing and says so."""
    console.existing(file)
    if layer not in all_layers():
        raise typer.BadParameter(f"there is no layer {layer!r}; there are {', '.join(all_layers())}")
    from ingest import pipeline  # the decoders take a while to load: other commands start without them

    settings, policy = console.prepared()

    def run(vault: Vault | None) -> object:
        with console.bars() as bars:

            def progress(_: int, fraction: float | None) -> None:
                bars(file.name, int((fraction or 0) * 1000), 1000 if fraction is not None else None)

            return pipeline.run(
                file,
                layer,
                vault,
                profile,
                dry_run=dry_run,
                who=getpass.getuser(),
                deletions=console.existing(delete_list) if delete_list else None,
                rejects=rejects,
                progress=progress,
                policy=policy,
            )

    if dry_run:
        report = run(None)
    else:
        with prepare.database(settings, "ingest") as address:
            dsn = credentials.equip(settings, "desk", policy, address).desk_dsn
            assert dsn
            with Vault(dsn) as vault:
                report = run(vault)
    say(str(report))


@policy_app.command(epilog="Example: parallax policy check rules.yaml --against layers/policies/demo.yaml")
def check(
    file: Annotated[Path | None, typer.Argument(help="The rule file; that of the settings when not given.")] = None,
    against: Annotated[Path | None, typer.Option(help="The rule file in force: nothing may become finer.")] = None,
    allow_finer: Annotated[
        bool, typer.Option("--allow-finer", help="Allow finer places and times; two persons agreed to it.")
    ] = False,
) -> None:
    """Check a rule file: complete, monotone, cells nested, and, against another, nowhere finer."""
    found = policies.load(console.existing(file) if file else configuration.load().policy)
    if against:
        monotone.check_change(policies.load(console.existing(against)), found, allow_finer)
    say(
        f"{found.path}: version {found.version}, {len(found.audiences)} audiences, {len(found.rules)} layers, no faults"
    )


@policy_app.command(epilog="Example: parallax policy show")
def show(
    file: Annotated[Path | None, typer.Argument(help="The rule file; that of the settings when not given.")] = None,
) -> None:
    """Print who sees what: one table a layer, one column an audience."""
    found = policies.load(console.existing(file) if file else configuration.load().policy)
    out = Console()
    out.width = max(out.width, TABLE_WIDTH) if not out.is_terminal else out.width
    for title, header, rows in sentences.table(found):
        table = Table(title=title, title_justify="left", title_style="bold", show_lines=False)
        for name in header:
            table.add_column(name, overflow="fold")
        for row in rows:
            table.add_row(*row)
        out.print(table)


@release_app.command(epilog="Example: parallax release rebuild --audience public --layer incidents")
def rebuild(
    audience: Annotated[str | None, typer.Option(help="Only this audience.")] = None,
    layer: Annotated[str | None, typer.Option(help="Only this layer.")] = None,
) -> None:
    """Derive releases anew from the vault. Delayed forms hold as of their last batch."""
    settings, policy = console.prepared()
    if audience is not None and audience not in policy.audiences:
        raise CommandError(f"there is no audience {audience!r}; there are {', '.join(policy.audiences)}")
    if layer is not None and layer not in policy.rules:
        raise CommandError(f"there is no layer {layer!r}; there are {', '.join(policy.rules)}")
    with prepare.database(settings, "release rebuild") as address, console.bars() as bars:
        dsn = credentials.equip(settings, "owner", policy, address).owner_dsn
        assert dsn
        with psycopg.connect(dsn) as connection:
            releases.rebuild(connection, policy, audience, layer, lambda done, total, _: bars("releases", done, total))
    say("the releases are rebuilt")


@release_app.command(epilog="Example: parallax release verify")
def verify() -> None:
    """Compare every release with what a rebuild would make; exit status 1 when they differ."""
    settings, policy = console.prepared()
    with prepare.database(settings, "release verify") as address:
        dsn = credentials.equip(settings, "owner", policy, address).owner_dsn
        assert dsn
        with psycopg.connect(dsn) as connection:
            differences = releases.verify(connection, policy)
    for one in differences:
        say(f"{one.audience} {one.layer} {one.part}: {one.missing} missing, {one.extra} too many")
    if differences:
        raise CommandError(f"{len(differences)} parts of releases differ; `parallax release rebuild` mends them")
    say("every release equals its rebuild")


def publisher(
    once: Annotated[bool, typer.Option("--once", help="Run the batches that are due and end.")] = False,
    health: Annotated[
        bool, typer.Option("--health", help="Say whether the publisher is well; exit status 1 when not.")
    ] = False,
) -> None:
    """The batch clock: apply the delayed forms of each audience at its slots, until stopped."""
    settings = configuration.load()
    if health:
        problem = clock.problem_of(process.health_file(settings), dt.datetime.now(dt.UTC))
        if problem:
            raise CommandError(problem)
        say("the publisher is well")
    elif once:
        logging.config.dictConfig(process.log_config(settings.log_level))
        policy = console.rules(settings)
        with prepare.database(settings, "publisher") as address:
            dsn = credentials.equip(settings, "publisher", policy, address).publisher_dsn
            assert dsn
            done = clock.run_due(dsn, policy, dt.datetime.now(dt.UTC))
        say(f"{done} batches were due")
    else:
        process.become("publisher")


@demo_app.command(epilog="Example: parallax demo load")
def load() -> None:
    """Load the demo mission into the vault. Doing it again changes nothing."""
    settings, policy = console.prepared()
    with prepare.database(settings, "demo load"), console.bars() as bars:
        prepare.load_demo(settings, policy, bars)
    say(f"the demo mission is loaded: {policy.mission['title']}")
