"""script/setup on systems that lack something: it says what, exactly, and changes nothing."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest

SETUP = Path(__file__).parents[2] / "script" / "setup"
TOOLS = ("bash", "cut", "dirname", "env", "id", "ls", "sed", "mktemp", "tail", "rm")


@pytest.fixture
def bare(tmp_path: Path) -> Path:
    """A copy of the script where it would install, and a path with a few tools and no Python."""
    (tmp_path / "project" / "script").mkdir(parents=True)
    shutil.copy(SETUP, tmp_path / "project" / "script")
    (tmp_path / "bin").mkdir()
    for tool in TOOLS:
        found = shutil.which(tool)
        assert found
        (tmp_path / "bin" / tool).symlink_to(found)
    return tmp_path


def add(bare: Path, name: str, program: str) -> None:
    path = bare / "bin" / name
    path.write_text(f"#!/bin/bash\n{program}\n", encoding="utf-8")
    path.chmod(0o755)


def run(bare: Path, *options: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        ["bash", bare / "project" / "script" / "setup", *options],
        env={"PATH": str(bare / "bin"), "LANG": "C.UTF-8"},
        capture_output=True,
        text=True,
        check=False,
    )


def test_without_apt_the_missing_packages_are_named(bare: Path) -> None:
    failed = run(bare)
    assert failed.returncode == 1
    assert failed.stderr.startswith("script/setup: this system has no apt; install what Debian calls: ")
    assert failed.stderr.endswith("python3 python3-venv\n")
    assert not (bare / "project" / ".venv").exists()


def test_without_root_and_sudo_the_command_is_named(bare: Path) -> None:
    add(bare, "apt-get", "exit 0")
    (bare / "bin" / "id").unlink()
    add(bare, "id", "echo 1000")
    failed = run(bare, "--test")
    assert failed.returncode == 1
    assert "missing packages; as root: apt-get install --no-install-recommends " in failed.stderr
    assert "python3 python3-venv chromium" in failed.stderr


def test_a_failure_of_apt_is_shown_and_the_rest_is_not_tried(bare: Path) -> None:
    add(bare, "apt-get", "echo 'E: no network' >&2; exit 100")
    add(bare, "dpkg", "exit 0")
    (bare / "bin" / "id").unlink()
    add(bare, "id", "echo 0")
    failed = run(bare, "--system")
    assert failed.returncode == 1
    assert "E: no network" in failed.stderr
    assert "apt could not install " in failed.stderr


def test_a_python_that_is_too_old_is_not_taken(bare: Path) -> None:
    add(bare, "python3", "exit 1")
    assert "python3 python3-venv" in run(bare).stderr


def test_an_unknown_option_is_refused(bare: Path) -> None:
    refused = run(bare, "--tset")
    assert refused.returncode == 2
    assert "usage: script/setup [--test | --system]" in refused.stderr


def test_every_script_is_bash_that_parses_and_stops_at_the_first_fault() -> None:
    scripts = [*SETUP.parent.iterdir(), SETUP.parents[1] / ".ci" / "run"]
    assert {script.name for script in scripts} >= {"setup", "server", "test", "run"}
    for script in scripts:
        text = script.read_text(encoding="utf-8")
        assert text.startswith("#!/usr/bin/env bash\n"), script
        assert "\nset -euo pipefail\n" in text, script
        assert script.stat().st_mode & 0o111, script
        assert subprocess.run(["bash", "-n", script], check=False).returncode == 0
