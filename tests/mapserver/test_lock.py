"""One user of a home folder at a time."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from mapserver import lock
from mapserver.lock import BusyError


def test_the_second_one_is_told_who_holds_it(tmp_path: Path) -> None:
    with lock.hold(tmp_path, "serve"):
        assert lock.holder(tmp_path) == {"pid": os.getpid(), "what": "serve"}
        refused = rf"`parallax serve` \(process {os.getpid()}\).*PARALLAX_HOME"
        with pytest.raises(BusyError, match=refused), lock.hold(tmp_path, "ingest"):
            pass
    assert lock.holder(tmp_path) is None


def test_it_ends_with_its_holder(tmp_path: Path) -> None:
    program = (
        "import os, pathlib, signal\nfrom mapserver import lock\n"
        f"with lock.hold(pathlib.Path({str(tmp_path)!r}), 'serve'):\n    os.kill(os.getpid(), signal.SIGKILL)\n"
    )
    subprocess.run([sys.executable, "-c", program], check=False)
    with lock.hold(tmp_path, "ingest"):
        pass


def test_nobody_holds_a_folder_that_is_not_there(tmp_path: Path) -> None:
    assert lock.holder(tmp_path / "none") is None
