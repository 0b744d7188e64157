"""What all commands share: settings and rules, plain lines of text, progress bars, questions, errors in one line."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import psycopg
import typer
from rich.console import Console
from rich.progress import BarColumn, Progress, TaskID, TaskProgressColumn, TextColumn, TimeElapsedColumn

from ingest.errors import IngestError
from layers import policy as policies
from layers.database import DatabaseError
from layers.policy import Policy, PolicyError
from layers.vault import VaultError
from mapserver import settings as configuration
from mapserver.accounts import AccountError
from mapserver.cluster import ClusterError
from mapserver.lock import BusyError
from mapserver.process import ProcessError
from mapserver.serve import ServeError
from mapserver.settings import Settings, SettingsError

USAGE, FAILURE = 2, 1


class CommandError(RuntimeError):
    """A command cannot do what was asked. One line with the remedy."""


USAGE_ERRORS = (SettingsError,)
FAILURES = (
    AccountError,
    BusyError,
    ClusterError,
    CommandError,
    DatabaseError,
    IngestError,
    PolicyError,
    ProcessError,
    ServeError,
    VaultError,
    psycopg.Error,
    OSError,
)
"""Errors whose message is written for the person at the terminal."""


def say(text: str = "") -> None:
    """One line to the standard output, at once."""
    typer.echo(text)
    sys.stdout.flush()


def complain(error: BaseException) -> None:
    """The error on the standard error, one line a problem."""
    text = str(error)
    if isinstance(error, OSError) and error.strerror:
        text = f"{error.filename}: {error.strerror.lower()}" if error.filename else error.strerror.lower()
        text += "; look at its owner and at the free space, or choose another folder with PARALLAX_HOME"
    for line in text.splitlines() or [type(error).__name__]:
        if line.strip():
            typer.echo(f"parallax: {line.strip()}", err=True)


def rules(settings: Settings) -> Policy:
    return policies.load(settings.policy)


def prepared(**given: object) -> tuple[Settings, Policy]:
    """The settings and the rule file they name."""
    settings = configuration.load(**given)
    return settings, rules(settings)


@contextmanager
def bars() -> Iterator[ProgressBars]:
    """Progress bars on a terminal; elsewhere a line when a step ends."""
    console = Console(stderr=True)
    columns = (TextColumn("  {task.description}"), BarColumn(), TaskProgressColumn(), TimeElapsedColumn())
    with Progress(*columns, console=console, disable=not console.is_terminal, refresh_per_second=8) as progress:
        yield ProgressBars(progress)


class ProgressBars:
    """Calls with a title, how much is done and how much there is (None: unknown)."""

    def __init__(self, progress: Progress) -> None:
        self._progress = progress
        self._tasks: dict[str, TaskID] = {}

    def __call__(self, title: str, done: int, total: int | None) -> None:
        if title not in self._tasks:
            self._tasks[title] = self._progress.add_task(title, total=total)
            if self._progress.disable:
                say(f"  {title}")
        self._progress.update(self._tasks[title], completed=done, total=total)

    def finish(self) -> None:
        """End the display, so that plain lines follow it."""
        self._progress.stop()


def confirm(question: str, yes: bool) -> None:
    """Go on only when the person says so. Without a terminal only `--yes` does."""
    if yes:
        return
    if not sys.stdin.isatty():
        raise CommandError("there is no terminal to ask on; give --yes if you mean it")
    typer.confirm(question, abort=True)


def existing(path: Path) -> Path:
    if not path.is_file():
        raise CommandError(f"{path}: there is no such file")
    return path
