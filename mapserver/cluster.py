"""The embedded PostgreSQL cluster: the system's binaries, a private data folder, a unix socket and no network.

Started by root, the cluster runs as the unprivileged account `postgres`. Its superuser is the role `parallax_owner`
with a generated password; every connection is authenticated by SCRAM, also on the socket.
"""

from __future__ import annotations

import hashlib
import os
import pwd
import re
import shutil
import signal
import stat
import subprocess
import tempfile
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

import psycopg
from psycopg import sql
from psycopg.conninfo import conninfo_to_dict, make_conninfo

from mapserver.home import CLUSTER_ACCOUNT, account

OWNER = "parallax_owner"
DATABASE = "parallax"
PORT = 5432
OLDEST_VERSION = 15
# sockaddr_un holds 107 bytes and a final zero; PostgreSQL adds "/.s.PGSQL.5432"
LONGEST_SOCKET_FOLDER = 107 - len(f"/.s.PGSQL.{PORT}")
START_SECONDS = 60
MEGABYTE = 1024 * 1024


class ClusterError(RuntimeError):
    """The cluster cannot be made, started or stopped. The message is one line with the remedy."""


@dataclass(frozen=True)
class Status:
    """`running`: accepts connections as far as its own file says; `pid` of the postmaster while it lives."""

    initialised: bool
    running: bool
    pid: int | None


def binaries() -> Path:
    """The folder of the newest installed PostgreSQL server. Raises ClusterError naming the packages."""
    places = {folder for folder in Path("/usr/lib/postgresql").glob("*/bin") if (folder / "initdb").exists()}
    on_path = shutil.which("initdb")  # where other systems keep it
    if on_path:
        places.add(Path(on_path).resolve().parent)
    usable = [one for one in ((_version(folder), folder) for folder in places) if one[0] >= OLDEST_VERSION]
    if not usable:
        raise ClusterError(
            f"no PostgreSQL server {OLDEST_VERSION} or newer found; run script/setup, or install the packages"
            " postgresql and postgresql-postgis"
        )
    return max(usable)[1]


def _version(folder: Path) -> int:
    text = subprocess.run([folder / "initdb", "--version"], capture_output=True, text=True, check=False).stdout
    number = re.search(r"\) (\d+)", text)
    return int(number.group(1)) if number else 0


class Cluster:
    """One cluster in `<home>/cluster`. `options` are postgresql.conf settings that win over our own."""

    def __init__(self, home: Path, options: Mapping[str, str] | None = None) -> None:
        self.home = home
        self.data = home / "cluster"
        self.log = home / "cluster.log"
        self._options = dict(options or {})
        self._account: pwd.struct_passwd | None = None
        if os.geteuid() == 0:
            self._account = account(CLUSTER_ACCOUNT)
            if self._account is None:
                raise ClusterError(f"there is no account {CLUSTER_ACCOUNT!r}; install the package postgresql")
        self.socket_folder = _socket_folder(home)

    @property
    def address(self) -> str:
        """Where it listens, as a libpq connection string without user or password."""
        return make_conninfo(host=str(self.socket_folder), port=str(PORT), dbname=DATABASE)

    def status(self) -> Status:
        pid, line = self._postmaster()
        return Status((self.data / "PG_VERSION").exists(), pid is not None and line == "ready", pid)

    def initialise(self, password: str) -> None:
        """Make the cluster if there is none yet; an interrupted attempt leaves nothing behind.

        `password` becomes that of the superuser role, parallax_owner.
        """
        if (self.data / "PG_VERSION").exists():
            return
        self._make_folders()
        # initdb fills the folder step by step: only a finished one gets the final name
        unfinished = self.home / "cluster.part"
        if unfinished.exists():
            shutil.rmtree(unfinished)
        self._own(unfinished, 0o700)
        read_end, write_end = os.pipe()  # the password never stands in an argument or a file
        try:
            os.write(write_end, f"{password}\n".encode())
            os.close(write_end)
            if self._account:
                os.fchown(read_end, self._account.pw_uid, self._account.pw_gid)  # it is opened again, by name
            self._run(
                [
                    str(binaries() / "initdb"),
                    f"--pgdata={unfinished}",
                    f"--username={OWNER}",
                    f"--pwfile=/dev/fd/{read_end}",
                    "--auth=scram-sha-256",
                    "--encoding=UTF8",
                    "--locale=C.UTF-8",
                    "--data-checksums",
                    "--no-instructions",
                ],
                "initdb failed",
                pass_fds=(read_end,),
            )
        finally:
            os.close(read_end)
        (unfinished / "pg_hba.conf").write_text("local all all scram-sha-256\n", encoding="ascii")
        unfinished.rename(self.data)

    def start(self) -> bool:
        """Start it and wait until it accepts connections. False when it ran already.

        A cluster that was killed is recovered by PostgreSQL itself; a stale pid file is no hindrance.
        Raises ClusterError with the last lines of its log.
        """
        status = self.status()
        if not status.initialised:
            raise ClusterError(f"there is no cluster in {self.data}; `parallax serve` makes one")
        if status.pid is None:
            self._make_folders()
            self._configure()
            self._forget_dead_postmaster()
            self._control("start", f"--log={self.log}")
            return True
        deadline = time.monotonic() + START_SECONDS
        while not self.status().running:
            if time.monotonic() > deadline:
                raise ClusterError(f"the cluster (process {status.pid}) is not ready; look into {self.log}")
            time.sleep(0.05)
        return False

    def run(self) -> None:
        """Become the cluster's server process, in the foreground, as a service manager wants it. Does not return."""
        if self.status().pid is not None:
            raise ClusterError("the database runs already; stop it first with `parallax db stop`")
        self._make_folders()
        self._configure()
        self._forget_dead_postmaster()
        command = str(binaries() / "postgres")
        if self._account:
            os.setgroups([])
            os.setgid(self._account.pw_gid)
            os.setuid(self._account.pw_uid)
        os.chdir(self.data)
        os.execve(command, [command, "-D", str(self.data)], self._environment())

    def stop(self) -> bool:
        """Stop it, cutting its clients off, and wait. False when it did not run."""
        pid, _ = self._postmaster()
        if pid is None:
            return False
        self._control("stop", "--mode=fast")
        return True

    def kill(self) -> None:
        """End it at once, without a checkpoint. Only for clusters whose data is thrown away."""
        pid, _ = self._postmaster()
        if pid is not None:
            os.kill(pid, signal.SIGQUIT)

    def _make_folders(self) -> None:
        # passable, so that the accounts of the cluster and of the services reach their own folders in it
        self.home.mkdir(parents=True, exist_ok=True)
        if not self.home.is_dir() or self.home.stat().st_uid != os.geteuid():
            raise ClusterError(f"{self.home} is not yours; choose another folder with PARALLAX_HOME")
        self.home.chmod(0o711 if self._account else 0o700)
        self._own(self.socket_folder, 0o711 if self._account else 0o700)
        if not self.log.exists():
            self.log.touch(0o600)
            self._give(self.log)

    def _own(self, folder: Path, mode: int) -> None:
        """A folder that belongs to the cluster's account; refused when somebody else made it before us."""
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        found = folder.lstat()
        owner = self._account.pw_uid if self._account else os.geteuid()
        if not stat.S_ISDIR(found.st_mode) or found.st_uid not in (owner, os.geteuid()):
            raise ClusterError(f"{folder} belongs to somebody else; remove it, or set a shorter PARALLAX_HOME")
        self._give(folder)
        folder.chmod(mode)

    def _give(self, path: Path) -> None:
        if self._account:
            os.chown(path, self._account.pw_uid, self._account.pw_gid)

    def _configure(self) -> None:
        # rewritten at each start: the memory of the machine, or the place of the home, may have changed
        lines = [f"{name} = '{value}'" for name, value in (_tuning() | self._fixed() | self._options).items()]
        path = self.data / "parallax.conf"
        path.write_text("\n".join(lines) + "\n", encoding="utf-8")
        self._give(path)
        main = self.data / "postgresql.conf"
        include = "include = 'parallax.conf'\n"
        if include not in main.read_text(encoding="utf-8"):
            with main.open("a", encoding="utf-8") as stream:
                stream.write(include)

    def _fixed(self) -> dict[str, str]:
        return {
            "listen_addresses": "",
            "unix_socket_directories": str(self.socket_folder),
            "port": str(PORT),
            "password_encryption": "scram-sha-256",
            "log_line_prefix": "%m [%p] %q%u@%d ",
            # statements of the vault hold secrets: they do not belong into a log
            "log_min_error_statement": "panic",
            "log_min_duration_statement": "-1",
            "log_parameter_max_length_on_error": "0",
            "log_timezone": "UTC",
            "timezone": "UTC",
        }

    def _postmaster(self) -> tuple[int | None, str]:
        """The live postmaster of this folder and its state, from its pid file; (None, "") when it is dead."""
        try:
            lines = (self.data / "postmaster.pid").read_text(encoding="utf-8").splitlines()
            pid = int(lines[0])
            # the number may belong to another process by now
            folder = Path(f"/proc/{pid}/cwd").readlink()
        except (OSError, ValueError, IndexError):
            return None, ""
        if folder != self.data.resolve():
            return None, ""
        return pid, lines[7].strip() if len(lines) > 7 else "starting"

    def _forget_dead_postmaster(self) -> None:
        """After a kill -9: wait until the rest of that server is gone, and remove a pid file that names a stranger."""
        pid_file = self.data / "postmaster.pid"
        if not pid_file.exists():
            return
        deadline = time.monotonic() + START_SECONDS
        while _processes_in(self.data.resolve()) and time.monotonic() < deadline:
            time.sleep(0.05)
        # PostgreSQL takes any process of that number for its predecessor, also a stranger's or one that nobody buried
        try:
            Path(f"/proc/{int(pid_file.read_text(encoding='utf-8').split()[0])}/cwd").readlink()
        except PermissionError:
            return
        except (OSError, ValueError, IndexError):
            pass
        for left in (pid_file, *self.socket_folder.glob(".s.PGSQL.*")):
            left.unlink(missing_ok=True)

    def _environment(self) -> dict[str, str]:
        kept = {name: value for name, value in os.environ.items() if not name.startswith(("PG", "PARALLAX_", "LC_"))}
        return kept | {"LC_ALL": "C.UTF-8"}

    def _control(self, verb: str, *options: str) -> None:
        command = [str(binaries() / "pg_ctl"), verb, f"--pgdata={self.data}", "--silent", "--wait"]
        self._run(
            [*command, f"--timeout={START_SECONDS}", *options],
            f"pg_ctl {verb} failed; the cluster's log is {self.log}",
        )

    def _run(self, command: list[str], failure: str, pass_fds: tuple[int, ...] = ()) -> None:
        # a file, not a pipe: the server that pg_ctl leaves behind would hold the pipe open
        with tempfile.TemporaryFile() as output:
            done = subprocess.run(
                command,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                env=self._environment(),
                cwd="/",
                user=self._account.pw_uid if self._account else None,
                group=self._account.pw_gid if self._account else None,
                extra_groups=[] if self._account else None,
                pass_fds=pass_fds,
                # Ctrl-C in the terminal is for us: we stop the cluster in good order
                start_new_session=True,
                check=False,
            )
            if done.returncode:
                output.seek(0)
                text = output.read().decode(errors="replace").strip().splitlines()
                raise ClusterError(f"{failure}: {' / '.join(text[-3:]) or f'exit status {done.returncode}'}")


def _processes_in(folder: Path) -> list[int]:
    """Processes whose working folder is that one, as far as this account may see."""
    found = []
    for process in Path("/proc").iterdir():
        try:
            if process.name.isdigit() and (process / "cwd").readlink() == folder:
                found.append(int(process.name))
        except OSError:
            continue
    return found


def create_database(owner_dsn: str) -> bool:
    """Create the database that the DSN names, by way of the database `postgres`. False when it was there.

    Raises psycopg.Error when the owner may not look or create.
    """
    name = str(conninfo_to_dict(owner_dsn).get("dbname") or DATABASE)
    with psycopg.connect(make_conninfo(owner_dsn, dbname="postgres"), autocommit=True) as connection:
        if connection.execute("SELECT 1 FROM pg_database WHERE datname = %s", [name]).fetchone():
            return False
        connection.execute(sql.SQL("CREATE DATABASE {}").format(sql.Identifier(name)))
    return True


def wait_for(cluster: Cluster, alive: Callable[[], bool] = lambda: True) -> None:
    """Wait until a cluster that another process starts is ready. Raises ClusterError after a minute."""
    deadline = time.monotonic() + START_SECONDS
    while not cluster.status().running:
        if time.monotonic() > deadline or not alive():
            raise ClusterError(f"the cluster in {cluster.data} did not become ready; look into {cluster.log}")
        time.sleep(0.05)


def _tuning() -> dict[str, str]:
    """For the machine at hand: a quarter of its memory for buffers, at most 1 GB; storage without seek times."""
    memory = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE") // MEGABYTE
    buffers = max(64, min(1024, memory // 4))
    return {
        "max_connections": "100",
        "shared_buffers": f"{buffers}MB",
        "effective_cache_size": f"{max(256, memory // 2)}MB",
        "work_mem": "16MB",
        "maintenance_work_mem": f"{max(64, min(256, memory // 16))}MB",
        "random_page_cost": "1.1",
        "effective_io_concurrency": "64",
        # short queries: compiling one costs more than running it
        "jit": "off",
        "wal_compression": "on",
        "max_wal_size": "2GB",
        "checkpoint_timeout": "15min",
        "huge_pages": "off",
        # a lost client must not hold a snapshot for ever
        "idle_in_transaction_session_timeout": "10min",
        # in files, not in /dev/shm: containers often give that 64 MB
        "dynamic_shared_memory_type": "mmap" if _small_shared_memory() else "posix",
    }


def _small_shared_memory() -> bool:
    try:
        return shutil.disk_usage("/dev/shm").free < 256 * MEGABYTE  # noqa: S108 -- nothing is made there by us
    except OSError:
        return True


def _socket_folder(home: Path) -> Path:
    """`<home>/socket`, or a private folder under /tmp where that path is too long for a socket's address."""
    usual = home / "socket"
    if len(os.fsencode(usual)) <= LONGEST_SOCKET_FOLDER:
        return usual
    short = hashlib.sha256(os.fsencode(home)).hexdigest()[:12]
    return Path(f"/tmp/parallax-{os.geteuid()}-{short}")  # noqa: S108 -- its owner is checked before use
