"""The container files: what each service may reach and hold. They are read, not run."""

from __future__ import annotations

import re
import shlex
from pathlib import Path
from typing import Any

import pytest
import typer.main
import yaml

from mapserver import cli
from mapserver.settings import Settings

PROJECT = Path(__file__).parents[2]
COMPOSE: dict[str, Any] = yaml.safe_load((PROJECT / "docker" / "compose.yaml").read_text(encoding="utf-8"))
SERVICES: dict[str, Any] = COMPOSE["services"]
SECRETS = "/var/lib/parallax/secrets/"
CREDENTIALS = {
    "database": {"owner"},
    "migrate": {"owner", "reader", "desk", "publisher"},
    "reader": {"reader"},
    "desk": {"desk"},
    "publisher": {"publisher"},
    "accounts": {"desk"},
}

DOCKERFILE = (PROJECT / "docker" / "Dockerfile").read_text(encoding="utf-8")
INSTRUCTIONS = [
    line.split(maxsplit=1)
    for line in re.sub(r"\\\n\s*", " ", DOCKERFILE).splitlines()
    if line and not line.startswith("#")
]


def mounts(service: str) -> dict[str, tuple[str, bool]]:
    """Volume → (folder in the container, writable)."""
    found = {}
    for volume in SERVICES[service].get("volumes", []):
        name, target, *mode = volume.split(":")
        found[name] = (target, "ro" not in mode)
    return found


@pytest.mark.parametrize("service", SERVICES)
def test_a_service_is_hardened(service: str) -> None:
    found = SERVICES[service]
    assert found["user"] == "10001:10001"
    assert found["read_only"] is True
    assert found["cap_drop"] == ["ALL"]
    assert "no-new-privileges:true" in found["security_opt"]
    assert "privileged" not in found
    assert found["pids_limit"]


@pytest.mark.parametrize("service", SERVICES)
def test_a_service_holds_its_own_credentials_only(service: str) -> None:
    held = {name for name, (target, _) in mounts(service).items() if target.startswith(SECRETS)}
    assert held == CREDENTIALS[service]
    writable = {name for name, (target, writes) in mounts(service).items() if target.startswith(SECRETS) and writes}
    assert writable == {"database": {"owner"}, "migrate": {"reader", "desk", "publisher"}}.get(service, set())


@pytest.mark.parametrize("service", SERVICES)
def test_no_password_stands_in_the_file(service: str) -> None:
    for name, value in SERVICES[service].get("environment", {}).items():
        assert not re.search(r"password|secret=|_DSN", f"{name}={value}", re.IGNORECASE)


def test_only_reader_and_desk_have_a_network_and_not_the_same() -> None:
    networks = {name: service.get("networks") for name, service in SERVICES.items()}
    assert networks.pop("reader") == ["readers"]
    assert networks.pop("desk") == ["editors"]
    assert all(SERVICES[name]["network_mode"] == "none" for name in networks)
    assert all("ports" not in SERVICES[name] for name in networks)


def test_ports_are_open_on_loopback_only() -> None:
    ports = [port for service in SERVICES.values() for port in service.get("ports", [])]
    assert ports == ["127.0.0.1:8000:8000", "127.0.0.1:8001:8001"]


def test_only_the_database_writes_the_data() -> None:
    assert [name for name in SERVICES if "data" in mounts(name)] == ["database"]
    assert [name for name in SERVICES if mounts(name)["socket"][1]] == ["database"]


def test_services_that_stay_have_a_health_check_and_start_again() -> None:
    for name in ("database", "reader", "desk", "publisher"):
        assert SERVICES[name]["healthcheck"]["test"][0] == "CMD"
        assert SERVICES[name]["restart"] == "unless-stopped"


def test_a_service_waits_for_what_it_needs() -> None:
    assert SERVICES["migrate"]["depends_on"] == {"database": {"condition": "service_healthy"}}
    for name in ("reader", "desk", "publisher"):
        assert SERVICES[name]["depends_on"]["migrate"] == {"condition": "service_completed_successfully"}


def test_every_volume_and_network_is_declared() -> None:
    assert {volume for name in SERVICES for volume in mounts(name)} == set(COMPOSE["volumes"])
    assert {network for service in SERVICES.values() for network in service.get("networks", [])} == set(
        COMPOSE["networks"]
    )


def test_settings_are_known_and_of_production() -> None:
    known = {"PARALLAX_" + name.upper() for name in Settings.model_fields}
    for name, service in SERVICES.items():
        environment = service.get("environment", {})
        assert set(environment) <= known
        assert name == "database" or environment["PARALLAX_MODE"] == "production"


@pytest.mark.parametrize("service", [name for name in SERVICES if "command" in SERVICES[name]])
def test_commands_exist(service: str) -> None:
    program, *words = SERVICES[service]["command"]
    assert program == "parallax"
    command: Any = typer.main.get_command(cli.app)
    while words and words[0] in getattr(command, "commands", {}):
        command = command.commands[words.pop(0)]
    options = {option for parameter in command.params for option in parameter.opts}
    assert not getattr(command, "commands", None)
    assert {word for word in words if word.startswith("--")} <= options


def test_images_are_built_from_stages_that_exist() -> None:
    stages = {words[-1] for name, words in ((one[0], one[1].split()) for one in INSTRUCTIONS) if name == "FROM"}
    for service in SERVICES.values():
        if "build" in service:
            assert service["build"]["target"] in stages
            assert (PROJECT / "docker" / service["build"]["context"] / service["build"]["dockerfile"]).is_file()


def test_images_run_as_the_account_of_the_services() -> None:
    stage, account = "", {}
    for name, rest in INSTRUCTIONS:
        if name == "FROM":
            stage = rest.split()[-1]
        elif name == "USER":
            account[stage] = rest
    assert account == {"app": "parallax", "database": "parallax"}
    assert "--uid 10001" in DOCKERFILE


def test_what_the_images_copy_and_run_exists() -> None:
    for name, rest in INSTRUCTIONS:
        if name == "COPY" and "--from=build" in rest:
            for source in shlex.split(rest)[1:-1]:
                relative = source.removeprefix("/opt/parallax/")
                built = relative in (".venv", "static/dist")  # made by script/setup
                assert built or (PROJECT / relative).exists(), source
        if name == "RUN" and "script/setup" in rest:
            used = set(re.findall(r"script/setup( --\w+)?", rest))
            assert all(
                not option or f"{option.strip()})" in (PROJECT / "script" / "setup").read_text() for option in used
            )


def test_images_start_from_a_named_release() -> None:
    bases = {rest.split()[0] for name, rest in INSTRUCTIONS if name == "FROM"}
    assert bases == {"debian:bookworm-slim", "program"}


def test_nothing_private_enters_the_build() -> None:
    ignored = (PROJECT / "docker" / "Dockerfile.dockerignore").read_text(encoding="utf-8").split()
    assert {".git", ".parallax", ".venv", "parallax.toml", "static/node_modules"} <= set(ignored)
