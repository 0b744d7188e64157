"""The supervisor: one command prepares the database, runs reader, desk and publisher, and stops all it started.

Each process is a child with an environment of its own that holds its own credentials. When the supervisor is killed,
the kernel stops the children; the cluster stays and the next start takes it over.
"""

from __future__ import annotations

import collections
import contextlib
import ctypes
import http.client
import os
import signal
import socket
import subprocess
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from types import FrameType

from layers import policy as policies
from layers.policy import Policy
from mapserver import credentials, home, lock, prepare, process
from mapserver.cluster import Cluster
from mapserver.prepare import Progress, Say
from mapserver.settings import Settings

READY_SECONDS = 60
STOP_SECONDS = 10
RESTARTS = 5
RESTART_WINDOW_SECONDS = 60
_PR_SET_PDEATHSIG = 1
_LIBC = ctypes.CDLL(None, use_errno=True)


class ServeError(RuntimeError):
    """A process does not start or keeps dying. One line with the remedy."""


class Stop(KeyboardInterrupt):
    """A signal asked us to stop. A KeyboardInterrupt, so that a running query is cancelled by the driver."""


@dataclass
class Child:
    name: process.Name
    command: list[str]
    environment: dict[str, str]
    descriptors: tuple[int, ...]
    started: collections.deque[float] = field(default_factory=lambda: collections.deque(maxlen=RESTARTS))
    running: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        who = home.service_account()
        supervisor = os.getpid()

        def follow() -> None:
            # in the child, before the program: die with the supervisor, also when it is killed
            _LIBC.prctl(_PR_SET_PDEATHSIG, signal.SIGTERM)
            if os.getppid() != supervisor:
                os._exit(1)

        self.started.append(time.monotonic())
        self.running = subprocess.Popen(
            self.command,
            env=self.environment,
            pass_fds=self.descriptors,
            stdin=subprocess.DEVNULL,
            user=who.pw_uid if who else None,
            group=who.pw_gid if who else None,
            extra_groups=[] if who else None,
            preexec_fn=follow,
            # Ctrl-C in the terminal is for the supervisor
            start_new_session=True,
            cwd="/",
        )

    @property
    def exhausted(self) -> bool:
        """Did it die so often lately that another start is no use?"""
        return len(self.started) == RESTARTS and time.monotonic() - self.started[0] < RESTART_WINDOW_SECONDS


class Supervisor:
    """Runs one server. `say` gets lines of text; `progress` the long steps of a first start."""

    def __init__(self, settings: Settings, say: Say, progress: Progress) -> None:
        self.settings = settings
        self.policy: Policy = policies.load(settings.policy)
        self.say = say
        self.progress = progress
        self.passwords: dict[str, str] = {}

    def run(self, ready: Say) -> None:
        """Serve until a signal. `ready` is called once, with the address, when everything answers.

        Raises BusyError, SettingsError, ClusterError, DatabaseError or ServeError; what was started is stopped.
        """
        with contextlib.ExitStack() as stack:
            stack.enter_context(lock.hold(self.settings.home, lock.SERVE))
            listening: tuple[process.Name, ...] = ("reader", "desk")
            sockets = {name: stack.enter_context(process.open_socket(self.settings, name)) for name in listening}
            asked = stack.enter_context(_signals())
            try:
                cluster = prepare.embedded(self.settings)
                if cluster:
                    stack.callback(self._stop_cluster, cluster)
                    prepare.make_cluster(self.settings, cluster, self.say)
                    cluster.start()
                self._prepare()
                children = self._children(sockets)
                stack.callback(_stop, children)
                # the publisher last: nobody waits for it, and starting takes its share of the processors
                first = [child for child in children if child.name in sockets]
                for child in first:
                    child.start()
                self._wait_until_ready(first, asked)
                for child in children:
                    if child not in first:
                        child.start()
                ready(f"http://{_shown(self.settings.host)}:{self.settings.port}/")
                self._watch(children, asked)
            except Stop:
                self.say("stopping")
            finally:
                # from here on everything is stopped in order; a second Ctrl-C must not leave half of it running
                for number in _SIGNALS:
                    signal.signal(number, signal.SIG_IGN)

    def _prepare(self) -> None:
        prepare.migrate(self.settings, self.policy, lambda _: None)
        if self.settings.mode == "demo":
            if not prepare.demo_loaded(self.settings):
                self.say(f"loading the demo mission: {self.policy.mission['title']}")
                prepare.load_demo(self.settings, self.policy, self.progress)
            self.passwords = prepare.demo_accounts(self.settings, self.policy)

    def _stop_cluster(self, cluster: Cluster) -> None:
        if not prepare.kept_running(self.settings):
            cluster.stop()

    def _children(self, sockets: dict[process.Name, socket.socket]) -> list[Child]:
        others = {name: value for name, value in os.environ.items() if not name.startswith(("PARALLAX_", "PG"))}
        address = credentials.address_of(self.settings)
        children = []
        for name in process.NAMES:
            equipped = credentials.equip(self.settings, name, self.policy, address)
            command = process.command(name)
            descriptors: tuple[int, ...] = ()
            if name in sockets:
                descriptors = (sockets[name].fileno(),)
                command.append(str(descriptors[0]))
            children.append(Child(name, command, others | credentials.environment(equipped), descriptors))
        who = home.service_account()
        if who:
            folder = process.health_file(self.settings).parent
            os.chown(folder, who.pw_uid, who.pw_gid)
            (self.settings.home / "run").chmod(0o711)
        return children

    def _wait_until_ready(self, children: list[Child], asked: threading.Event) -> None:
        deadline = time.monotonic() + READY_SECONDS
        waiting = {"reader": self.settings.port, "desk": self.settings.desk_port}
        while waiting:
            _heed(asked)
            self._bury(children)
            host = self.settings.host
            waiting = {name: port for name, port in waiting.items() if not _answers(host, port, process.HEALTH[name])}
            if waiting and time.monotonic() > deadline:
                raise ServeError(
                    f"{' and '.join(waiting)} did not answer within {READY_SECONDS} s; see the lines above"
                )
            if waiting:
                time.sleep(0.05)

    def _watch(self, children: list[Child], asked: threading.Event) -> None:
        while True:
            _heed(asked)
            time.sleep(0.5)
            self._bury(children)

    def _bury(self, children: list[Child]) -> None:
        for child in children:
            assert child.running
            code = child.running.poll()
            if code is None:
                continue
            if child.exhausted:
                raise ServeError(f"the {child.name} died {RESTARTS} times within a minute; see the lines above")
            self.say(f"the {child.name} ended ({_reason(code)}); starting it again")
            time.sleep(1)
            child.start()


_SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


@contextlib.contextmanager
def _signals() -> Iterator[threading.Event]:
    """Signals to stop raise Stop in the main thread, once, and are noted in the event.

    An exception that lands in a destructor or a callback of the interpreter is lost; the event is not. Whoever waits
    in a loop heeds it.
    """
    asked = threading.Event()

    def stop(_: int, __: FrameType | None) -> None:
        if not asked.is_set():
            asked.set()
            raise Stop

    before = {number: signal.signal(number, stop) for number in _SIGNALS}
    try:
        yield asked
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def _heed(asked: threading.Event) -> None:
    if asked.is_set():
        raise Stop


def _stop(children: list[Child]) -> None:
    """End the children: in good order, and after STOP_SECONDS by force."""
    running = [child.running for child in children if child.running and child.running.poll() is None]
    for one in running:
        one.terminate()
    deadline = time.monotonic() + STOP_SECONDS
    for one in running:
        try:
            one.wait(max(0.0, deadline - time.monotonic()))
        except subprocess.TimeoutExpired:
            one.kill()
            one.wait()


def _answers(host: str, port: int, path: str) -> bool:
    connection = http.client.HTTPConnection(_reached(host), port, timeout=2)
    try:
        connection.request("GET", path)
        return connection.getresponse().status == 200
    except OSError:
        return False
    finally:
        connection.close()


def _reached(host: str) -> str:
    return {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(host, host)  # noqa: S104 -- where to ask, not where to listen


def _shown(host: str) -> str:
    return f"[{_reached(host)}]" if ":" in host else _reached(host)


def _reason(code: int) -> str:
    return f"signal {signal.Signals(-code).name}" if code < 0 else f"exit status {code}"


def banner(settings: Settings, policy: Policy, address: str, passwords: dict[str, str]) -> list[str]:
    """What the person who started the server wants to know."""
    lines = ["", f"Parallax serves {policy.mission['title']}", "", f"  Map     {address}", f"  Data    {settings.home}"]
    if passwords:
        shown = {name: one for name, one in passwords.items() if name in prepare.DEMO_ACCOUNTS}
        lines += ["", "  Without signing in you are the public. Demo accounts, made for this machine:"]
        for name in prepare.DEMO_ACCOUNTS:
            if name in shown:
                audiences = ", ".join(prepare.DEMO_ACCOUNTS[name][0])
                lines.append(f"    {name:<6}{shown[name]}   {audiences}")
        lines.append(f"  They are kept in {_relative(prepare.demo_accounts_file(settings))}")
    else:
        lines += ["", "  Accounts are made by `parallax user add NAME --audience ID`"]
    lines += ["", "  Stop with Ctrl-C; start afresh with `script/server --reset`", ""]
    return lines


def _relative(path: Path) -> Path:
    try:
        return path.relative_to(Path.cwd())
    except ValueError:
        return path
