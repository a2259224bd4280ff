"""Every setting, read once: environment over .env over Streamlit's secrets over defaults.

Keys are SecretStr, so that they show in no log and no repr, and are never written to the environment.
"""

import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal
from urllib.parse import urlsplit

from dotenv import dotenv_values
from pydantic import BaseModel, ConfigDict, Field, SecretStr, ValidationError, field_validator

from agents.connection_settings import read_connections

DEFAULT_MODEL = "gemini-3.5-flash"
NAMES = {
    "google_api_key": ("GOOGLE_API_KEY", "GEMINI_API_KEY"),
    "gemini_base_url": ("GOOGLE_GEMINI_BASE_URL",),
    "vertex": ("GOOGLE_GENAI_USE_VERTEXAI",),
    "model": ("MODEL",),
    "model_url": ("MODEL_URL",),
    "model_api_key": ("MODEL_API_KEY",),
    "home": ("ASSISTANT_HOME",),
    "database_url": ("DATABASE_URL",),
    "expiry_hours": ("SESSION_EXPIRY_HOURS",),
    "api_token": ("API_TOKEN",),
    "api_tokens": ("API_TOKENS",),
    "api_requests_per_minute": ("API_REQUESTS_PER_MINUTE",),
    "persistent": ("USE_PERSISTENT_SESSIONS",),
    "upload_limit_mb": ("UPLOAD_LIMIT_MB",),
    "upload_folders": ("UPLOAD_FOLDERS",),
    "upload_urls": ("UPLOAD_URLS",),
    "turn_timeout_seconds": ("TURN_TIMEOUT_SECONDS",),
    "max_model_calls": ("MAX_MODEL_CALLS",),
    "code_timeout_seconds": ("CODE_TIMEOUT_SECONDS",),
    "code_blocks": ("CODE_BLOCKS",),
    "code_isolation": ("CODE_ISOLATION",),
    "connections": ("CONNECTIONS",),
    "connections_file": ("CONNECTIONS_FILE",),
    "connection_timeout_seconds": ("CONNECTION_TIMEOUT_SECONDS",),
}


class SettingsError(Exception):
    """A setting has a value that cannot be used; the message names it."""


class Settings(BaseModel):
    """What the app runs with. Times in seconds, sizes in MB."""

    model_config = ConfigDict(frozen=True)

    google_api_key: SecretStr | None = None
    gemini_base_url: str | None = None
    vertex: bool = False
    model: str = ""
    model_url: str | None = None
    model_api_key: SecretStr | None = None
    home: Path = Path(".assistant")
    database_url: SecretStr | None = None
    """postgresql://… keeps sessions there; without it, in a file in `home`."""
    expiry_hours: float | None = Field(default=None, ge=0, allow_inf_nan=False)
    """Idle hours after which a conversation expires; None is never."""
    api_token: SecretStr | None = None
    """The bearer token of the person who runs the server."""
    api_tokens: SecretStr | None = None
    """`name:token` pairs, separated by commas: tokens of further people."""
    api_requests_per_minute: int = Field(default=120, gt=0)
    """Of one person."""
    persistent: bool = True
    upload_limit_mb: int = Field(default=2000, gt=0)
    upload_folders: str = ""
    """Folders of the server, separated as in PATH, whose files may be brought in."""
    upload_urls: str = ""
    """true, or servers (`*` for any letters), separated by commas, whose files may be brought in."""
    turn_timeout_seconds: float = Field(default=180, gt=0, allow_inf_nan=False)
    max_model_calls: int = Field(default=12, gt=0)
    """At most this many model calls in one turn; ADK would take 0 as without bound."""
    code_timeout_seconds: float = Field(default=60, gt=0, allow_inf_nan=False)
    """Longest time for one run of Python."""
    code_isolation: Literal["auto", "bubblewrap", "off"] = "auto"
    """What keeps somebody's Python in; off is nothing, and the page says so."""
    code_blocks: bool = False
    """The model writes Python in fenced blocks instead of calling a tool with it."""

    connections: dict[str, SecretStr] = Field(default_factory=dict)
    """URLs of other engines by name: lines of `name=url`, or JSON. Also the section `connections` of
    Streamlit's secrets, and of the TOML file `connections_file`; who comes first wins."""
    connections_file: Path | None = None
    connection_timeout_seconds: float = Field(default=120, gt=0, allow_inf_nan=False)
    """Longest time for one query at another engine."""

    @field_validator("gemini_base_url", "model_url")
    @classmethod
    def _address(cls, value: str | None) -> str | None:
        """An address is shown on the page and sent as it is, so it holds no password."""
        if value is None:
            return None
        try:
            parts = urlsplit(value)
            host, _ = parts.hostname, parts.port
        except ValueError:
            raise ValueError("its server or port is malformed") from None
        if parts.scheme not in ("http", "https") or not host:
            raise ValueError("it has to start with http:// or https:// and name a server")
        if any(char.isspace() for char in value):
            raise ValueError("it must not hold a space or a line break")
        if parts.username or parts.password:
            raise ValueError("it must not hold a user name or password")
        return value

    @classmethod
    def load(cls, secrets: Mapping[str, Any] | None = None, dotenv: Path = Path(".env")) -> "Settings":
        """Reads all sources. Raises SettingsError that names the bad setting."""
        file = dotenv_values(dotenv) if dotenv.is_file() else {}
        sources: list[Mapping[str, Any]] = [os.environ, file, secrets or {}]
        values: dict[str, Any] = {}
        for field, names in NAMES.items():
            given = (source.get(name) for source in sources for name in names)
            texts = (_text(value) for value in given if value is not None)
            if text := next(filter(None, texts), ""):
                values[field] = text
        try:
            section = (secrets or {}).get("connections")
            said, path = values.get("connections", ""), values.get("connections_file", "")
            values["connections"] = read_connections(said, path, section)
            return cls(**values)
        except ValidationError as error:
            first = error.errors(include_input=False)[0]
            name = NAMES[str(first["loc"][0])][0]
            reason = first["msg"].removeprefix("Value error, ")
            raise SettingsError(f"{name} cannot be used: {reason}.") from None
        except ValueError as error:
            raise SettingsError(f"CONNECTIONS cannot be used: {error}.") from None


def _text(value: Any) -> str:
    return json.dumps(dict(value)) if isinstance(value, Mapping) else str(value).strip()
