"""One server process: reader, desk or publisher. The supervisor starts them, or a container runs one by itself."""

from __future__ import annotations

import errno
import logging.config
import os
import signal
import socket
import sys
import threading
from pathlib import Path
from typing import Any, Literal, get_args

import uvicorn
from uvicorn.supervisors.multiprocess import Multiprocess

from layers import policy as policies
from layers.policy import PolicyError
from mapserver import credentials, publisher
from mapserver import settings as configuration
from mapserver.settings import Settings, SettingsError

Name = Literal["reader", "desk", "publisher"]
NAMES: tuple[Name, ...] = get_args(Name)
APPLICATIONS = {"reader": "mapserver.app:create_app", "desk": "mapserver.desk:create_app"}
HEALTH = {"reader": "/health", "desk": "/desk/health"}
PROTOCOL = "mapserver.protocol:LimitedProtocol"
KEEP_ALIVE_SECONDS = 30
GRACE_SECONDS = 5
"""Requests under way get so long to finish when the process is told to stop."""


class ProcessError(RuntimeError):
    """The process could not start. Its log says why."""


def log_config(level: str) -> dict[str, Any]:
    """Logging of every process: one line an event, to the standard error."""
    return {
        "version": 1,
        "disable_existing_loggers": False,
        "formatters": {
            "line": {
                "format": "%(asctime)s %(levelname)s %(name)s: %(message)s",
                "datefmt": "%Y-%m-%dT%H:%M:%S%z",
            }
        },
        "handlers": {"standard_error": {"class": "logging.StreamHandler", "formatter": "line"}},
        "root": {"handlers": ["standard_error"], "level": "WARNING"},
        "loggers": {
            "parallax": {"level": level.upper()},
            # its lines about starting and stopping are the supervisor's to tell
            "uvicorn.error": {"level": "DEBUG" if level == "debug" else "WARNING"},
            "uvicorn.access": {"level": "INFO"},
        },
    }


def command(name: Name) -> list[str]:
    """The command of a process: a program of its own, that loads nothing of what the other processes need."""
    return [sys.executable, "-m", "mapserver.process", name]


def become(name: Name) -> None:
    """Replace this program by that process. Does not return."""
    sys.stdout.flush()
    os.execv(sys.executable, command(name))


def run(settings: Settings, name: Name, listening: socket.socket | None = None) -> None:
    """Run until SIGTERM or SIGINT, with the credentials of this process and no other.

    Without `listening` the socket is opened as the settings say.
    """
    logging.config.dictConfig(log_config(settings.log_level))
    policy = policies.load(settings.policy)
    equipped = credentials.equip(settings, name, policy, credentials.address_of(settings))
    if name == "publisher":
        assert equipped.publisher_dsn
        stop = threading.Event()
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, lambda *_: stop.set())
        publisher.run(equipped.publisher_dsn, policy, health_file(settings), stop)
        return
    # the factory reads its settings again, also in worker processes: what it shall not have must be gone from there
    for variable in [one for one in os.environ if one.startswith("PARALLAX_")]:
        del os.environ[variable]
    os.environ.update(credentials.environment(equipped))
    _listen(equipped, name, listening or open_socket(settings, name))


def health_file(settings: Settings) -> Path:
    """Where the publisher writes how it is."""
    folder = settings.home / "run" / "publisher"
    folder.mkdir(parents=True, exist_ok=True)
    return folder / "health.json"


def open_socket(settings: Settings, name: Name) -> socket.socket:
    """A listening socket for the reader or the desk. Raises SettingsError that names the setting to change."""
    port, variable = (
        (settings.port, "PARALLAX_PORT") if name == "reader" else (settings.desk_port, "PARALLAX_DESK_PORT")
    )
    try:
        family = socket.getaddrinfo(settings.host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)[0][0]
        return socket.create_server((settings.host, port), family=family, backlog=2048)
    except socket.gaierror:
        raise SettingsError(f"{settings.host!r} is no address of this machine; set PARALLAX_HOST") from None
    except OSError as error:
        reason = "in use" if error.errno == errno.EADDRINUSE else (error.strerror or str(error)).lower()
        raise SettingsError(
            f"cannot listen on {settings.host} port {port}: {reason}; choose another, e.g. {variable}={port + 80}"
        ) from None


def _listen(settings: Settings, name: Name, listening: socket.socket) -> None:
    config = uvicorn.Config(
        APPLICATIONS[name],
        factory=True,
        http=PROTOCOL,
        workers=settings.workers if name == "reader" else 1,
        log_config=log_config(settings.log_level),
        # addresses of requests hold what people search for
        access_log=settings.log_level == "debug",
        server_header=False,
        # only a proxy in front may say where a client is, and there is one when people come by https
        proxy_headers=settings.https,
        timeout_keep_alive=KEEP_ALIVE_SECONDS,
        timeout_graceful_shutdown=GRACE_SECONDS,
    )
    if config.workers > 1:
        Multiprocess(config, sockets=[listening]).run()
        return
    server = uvicorn.Server(config)
    server.run(sockets=[listening])
    if not server.started:
        raise ProcessError(f"the {name} could not start; the lines above say why")


def main() -> None:
    """`python -m mapserver.process NAME [DESCRIPTOR]`: run one process, on a listening socket that was handed over."""
    name, *descriptor = sys.argv[1:]
    try:
        found = next(one for one in NAMES if one == name)
        run(configuration.load(), found, socket.socket(fileno=int(descriptor[0])) if descriptor else None)
    except (SettingsError, PolicyError, ProcessError) as error:
        sys.stderr.write("".join(f"parallax {name}: {line}\n" for line in str(error).splitlines()))
        sys.exit(2 if isinstance(error, SettingsError) else 1)


if __name__ == "__main__":
    main()
