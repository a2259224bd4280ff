"""Settings: which source wins, what is refused, and that keys do not show."""

from pathlib import Path

import pytest

from agents.models import choose_model
from agents.settings import Settings, SettingsError


def test_environment_over_dotenv_over_secrets(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    dotenv = tmp_path / ".env"
    dotenv.write_text("MODEL=from-file\nMAX_MODEL_CALLS=5\n")
    monkeypatch.setenv("MODEL", "from-environment")
    secrets = {"MODEL": "from-secrets", "MAX_MODEL_CALLS": 6, "UPLOAD_LIMIT_MB": 7}
    settings = Settings.load(secrets, dotenv)
    assert (settings.model, settings.max_model_calls, settings.upload_limit_mb) == ("from-environment", 5, 7)


def test_a_bad_value_names_its_setting(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("UPLOAD_LIMIT_MB", "lots")
    with pytest.raises(SettingsError, match="UPLOAD_LIMIT_MB"):
        Settings.load(dotenv=tmp_path / "none")


def test_keys_show_nowhere(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("GEMINI_API_KEY", "secret-value")
    settings = Settings.load(dotenv=tmp_path / "none")
    choice = choose_model(settings)
    assert choice.kind == "gemini" and "gemini-3.5-flash" in choice.label
    shown = f"{settings!r} {settings.model_dump()} {choice!r} {choice.llm!r} {choice.llm.model_dump()}"
    assert "secret-value" not in shown


def test_the_model_is_chosen_explicitly(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert choose_model(Settings()).kind == "planner"
    monkeypatch.setenv("MODEL_URL", "http://localhost:1/v1")
    monkeypatch.setenv("MODEL", "qwen3")
    monkeypatch.setenv("GOOGLE_API_KEY", "k")
    choice = choose_model(Settings.load(dotenv=tmp_path / "none"))
    assert choice.kind == "openai" and "qwen3" in choice.label
