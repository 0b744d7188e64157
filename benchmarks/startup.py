"""`parallax serve` from an empty folder until it answers, again from a full one, and how long it takes to stop."""

from __future__ import annotations

import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
import urllib.request
from pathlib import Path

from benchmarks.harness import ROOT, Outcome, Stopwatch, spread


def run(rounds: int = 3) -> Outcome:
    out = Outcome(
        "`parallax serve` with the demo mission: the first start on an empty folder (cluster, migration, data, batches,"
        " accounts), later starts, and the stop by a signal. The set-up of packages and of the page is not in it."
    )
    home = Path(tempfile.mkdtemp(prefix="parallax-bench-", dir="/tmp"))
    home.chmod(0o755)
    try:
        starts, stops = [], []
        for _ in range(rounds + 1):
            start, stop = _once(home / "home")
            starts.append(start)
            stops.append(stop)
    finally:
        shutil.rmtree(home)
    out.numbers["seconds"] = {"first": round(starts[0], 2), "later": spread(starts[1:]), "stop": spread(stops)}
    out.judge("first start until the reader and the desk answer", starts[0], unit=" s")
    out.judge("later start, the slowest", max(starts[1:]), 5, unit=" s")
    out.judge("stop, the slowest", max(stops), unit=" s")
    return out


def _free_port() -> int:
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        return int(one.getsockname()[1])


def _once(home: Path) -> tuple[float, float]:
    ports = _free_port(), _free_port()
    environment = {name: value for name, value in os.environ.items() if not name.startswith("PARALLAX_")} | {
        "PARALLAX_CONFIG": "",
        "PARALLAX_HOME": str(home),
        "PARALLAX_PORT": str(ports[0]),
        "PARALLAX_DESK_PORT": str(ports[1]),
    }
    with Stopwatch() as started:
        child = subprocess.Popen(
            [sys.executable, "-m", "mapserver.cli", "serve"], env=environment, cwd=ROOT, stdout=subprocess.DEVNULL
        )
        for port in ports:
            _wait(f"http://127.0.0.1:{port}/health", child)
    with Stopwatch() as stopped:
        child.send_signal(signal.SIGTERM)
        child.wait()
    return started.seconds, stopped.seconds


def _wait(url: str, child: subprocess.Popen[bytes]) -> None:
    while True:
        try:
            urllib.request.urlopen(url, timeout=10).read()
            return
        except OSError:
            if child.poll() is not None:
                raise RuntimeError(f"parallax serve ended with status {child.returncode}") from None
            time.sleep(0.02)
