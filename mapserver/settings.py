"""Settings of all processes: one class, read from the environment (`PARALLAX_…`) and one TOML file.

The file is the one that PARALLAX_CONFIG names, else `parallax.toml` in the current folder; an empty PARALLAX_CONFIG
means no file. The environment wins. Unknown keys are refused in both, because a misspelt setting that is silently
ignored is how a server ends up open.
"""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal

from psycopg import ProgrammingError
from psycopg.conninfo import conninfo_to_dict
from pydantic import Field, ValidationError, field_validator, model_validator
from pydantic_settings import BaseSettings, PydanticBaseSettingsSource, SettingsConfigDict, TomlConfigSettingsSource

from layers import policy as rules
from mapserver.home import default_home

PREFIX = "PARALLAX_"
OTHER_VARIABLES = frozenset({"PARALLAX_CONFIG", "PARALLAX_TEST_DATABASE_URL"})
"""Environment variables with our prefix that are no settings: the name of the file, and the tests' own database."""

SHORTEST_SECRET = 32
SHORTEST_PASSWORD = 16
_PLACEHOLDER = re.compile(r"change.?me|example|password|secret|insecure|parallax", re.IGNORECASE)


class SettingsError(ValueError):
    """A setting is unknown, malformed or too weak. The message is one line a problem and names the remedy."""


class Settings(BaseSettings):
    """All settings. Each process is given only the credentials of its own: the others are empty there."""

    model_config = SettingsConfigDict(env_prefix=PREFIX, extra="forbid", frozen=True, env_ignore_empty=True)

    home: Path = Field(default_factory=default_home, description="folder of the cluster, secrets and caches")
    host: str = Field("127.0.0.1", description="address that the reader and the desk listen on")
    port: int = Field(8000, ge=1, le=65535, description="port of the reader")
    desk_port: int = Field(8001, ge=1, le=65535, description="port of the desk")
    workers: int = Field(1, ge=1, le=64, description="reader processes")
    mode: Literal["demo", "production"] = Field("demo", description="production refuses weak secrets")
    https: bool = Field(False, description="people reach the server by https (a proxy holds the certificate)")
    policy: Path = Field(default_factory=rules.default_path, description="the rule file")
    version_poll: float = Field(0.5, ge=0, le=60, description="seconds that a cached tile may be old; 0: none")
    log_level: Literal["critical", "error", "warning", "info", "debug"] = "info"
    secret: str = Field("", repr=False, description="key of cursors; at least 32 characters; generated when empty")
    secrets: Path | None = Field(None, description="folder of the passwords; <home>/secrets when not given")
    database: str | None = Field(None, description="host=… port=… dbname=… of a PostgreSQL; none: the embedded one")
    owner_dsn: str | None = Field(None, repr=False, description="migrations and user accounts of the command line")
    desk_dsn: str | None = Field(None, repr=False)
    publisher_dsn: str | None = Field(None, repr=False)
    auth_dsn: str | None = Field(None, repr=False)
    reader_dsn: dict[str, str] = Field(default_factory=dict, repr=False, description="audience id → DSN of its role")

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,
        file_secret_settings: PydanticBaseSettingsSource,
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        return init_settings, env_settings, TomlConfigSettingsSource(settings_cls, toml_file=_file())

    @field_validator("home", "policy", "secrets")
    @classmethod
    def _absolute(cls, value: Path | None) -> Path | None:
        return value.expanduser().absolute() if value else None

    @field_validator("database", "owner_dsn", "desk_dsn", "publisher_dsn", "auth_dsn")
    @classmethod
    def _readable(cls, value: str | None) -> str | None:
        # libpq's own message can quote the text, which may hold a password
        if value:
            try:
                conninfo_to_dict(value)
            except ProgrammingError:
                raise ValueError("is no libpq connection string; write host=… dbname=… user=… password=…") from None
        return value or None

    @model_validator(mode="after")
    def _strong(self) -> Settings:
        if self.mode == "production":
            if self.secret and weak_secret(self.secret):
                raise ValueError("secret is too weak for production; make one with: openssl rand -base64 48")
            if not self.https:
                raise ValueError("production needs https = true: session cookies must not travel in clear")
            for dsn in (self.owner_dsn, self.desk_dsn, self.publisher_dsn, self.auth_dsn, *self.reader_dsn.values()):
                password = str(conninfo_to_dict(dsn).get("password") or "") if dsn else ""
                if password and len(password) < SHORTEST_PASSWORD:
                    raise ValueError(f"a database password is shorter than {SHORTEST_PASSWORD} characters")
        return self


def weak_secret(secret: str) -> bool:
    """Is it shorter than 32 characters, made of few distinct ones, or a placeholder from some document?"""
    return len(secret) < SHORTEST_SECRET or len(set(secret)) < 12 or bool(_PLACEHOLDER.search(secret))


def load(**given: Any) -> Settings:
    """Read file and environment; `given` wins over both. Raises SettingsError with every problem, one a line."""
    path = _file()
    if path is not None and not path.is_file():
        raise SettingsError(f"PARALLAX_CONFIG names {path}, which is no file")
    unknown = unknown_variables(os.environ)
    if unknown:
        raise SettingsError(
            f"unknown setting {', '.join(unknown)} in the environment; there are "
            + ", ".join(PREFIX + name.upper() for name in Settings.model_fields)
        )
    try:
        return Settings(**given)
    except ValidationError as error:
        raise SettingsError("\n".join(_problem(one) for one in error.errors(include_input=False))) from None
    except ValueError as error:  # a file that is no TOML, or a value that is no JSON
        raise SettingsError(f"settings cannot be read: {error}") from None


def unknown_variables(environment: Mapping[str, str]) -> list[str]:
    """Variables with our prefix that are no setting, sorted."""
    known = {PREFIX + name.upper() for name in Settings.model_fields} | OTHER_VARIABLES
    return sorted(name for name in environment if name.upper().startswith(PREFIX) and name.upper() not in known)


def _file() -> Path | None:
    named = os.environ.get("PARALLAX_CONFIG")
    if named is not None:
        return Path(named).expanduser() if named else None
    here = Path("parallax.toml")
    return here if here.is_file() else None


def _problem(error: Mapping[str, Any]) -> str:
    name = ".".join(str(part) for part in error["loc"])
    text = str(error["msg"]).removeprefix("Value error, ")
    if error["type"] == "extra_forbidden":
        return f"unknown setting {name!r}; there are {', '.join(Settings.model_fields)}"
    return f"setting {name}: {text}" if name else f"setting {text}"
