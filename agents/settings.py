"""Every setting, read once: environment over .env over Streamlit's secrets over defaults.

Keys are SecretStr, so that they show in no log and no repr, and are never written to the environment.
"""

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from dotenv import dotenv_values
from pydantic import BaseModel, ConfigDict, SecretStr, ValidationError

DEFAULT_MODEL = "gemini-3.5-flash"
NAMES = {
    "google_api_key": ("GOOGLE_API_KEY", "GEMINI_API_KEY"),
    "gemini_base_url": ("GOOGLE_GEMINI_BASE_URL",),
    "vertex": ("GOOGLE_GENAI_USE_VERTEXAI",),
    "model": ("MODEL",),
    "model_url": ("MODEL_URL",),
    "model_api_key": ("MODEL_API_KEY",),
    "home": ("ASSISTANT_HOME",),
    "persistent": ("USE_PERSISTENT_SESSIONS",),
    "upload_limit_mb": ("UPLOAD_LIMIT_MB",),
    "turn_timeout_seconds": ("TURN_TIMEOUT_SECONDS",),
    "max_model_calls": ("MAX_MODEL_CALLS",),
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
    persistent: bool = True
    upload_limit_mb: int = 200
    turn_timeout_seconds: float = 180
    max_model_calls: int = 12

    @classmethod
    def load(cls, secrets: Mapping[str, Any] | None = None, dotenv: Path = Path(".env")) -> "Settings":
        """Reads all sources. Raises SettingsError that names the bad setting."""
        file = dotenv_values(dotenv) if dotenv.is_file() else {}
        sources: list[Mapping[str, Any]] = [os.environ, file, secrets or {}]
        values: dict[str, Any] = {}
        for field, names in NAMES.items():
            given = (source.get(name) for source in sources for name in names)
            text = next((str(value).strip() for value in given if value), "")
            if text:
                values[field] = text
        try:
            return cls(**values)
        except ValidationError as error:
            first = error.errors()[0]
            name = NAMES[str(first["loc"][0])][0]
            raise SettingsError(f"{name} cannot be used: {first['msg']}.") from None
