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


MALFORMED = {
    "localhost:11434/v1": "start with http:// or https://",
    "ftp://localhost/v1": "start with http:// or https://",
    "http:///v1": "name a server",
    "http://localhost:abc/v1": "malformed",
    "http://localhost:99999/v1": "malformed",
    "http://[::1/v1": "malformed",
    "http://local host/v1": "space",
    "http://ann:hidden-word@localhost/v1": "user name or password",
    "http://hidden-word:hidden-word": "malformed",
}


@pytest.mark.parametrize("name", ["MODEL_URL", "GOOGLE_GEMINI_BASE_URL"])
@pytest.mark.parametrize("address", MALFORMED)
def test_a_malformed_address_is_refused_with_a_sentence(
    name: str, address: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(name, address)
    with pytest.raises(
        SettingsError, match=f"^{name} cannot be used: it.*{MALFORMED[address]}.*[.]$"
    ) as caught:
        Settings.load(dotenv=tmp_path / "none")
    assert "hidden-word" not in str(caught.value) and "Value error" not in str(caught.value)


@pytest.mark.parametrize(
    "address", ["http://localhost:11434/v1", "https://models.example/v1", "http://[::1]:8080"]
)
def test_an_address_is_kept_as_it_is(address: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MODEL_URL", address)
    assert Settings.load(dotenv=tmp_path / "none").model_url == address


@pytest.mark.parametrize("name", ["UPLOAD_LIMIT_MB", "TURN_TIMEOUT_SECONDS", "MAX_MODEL_CALLS"])
@pytest.mark.parametrize("value", ["0", "-1", "nan", "inf"])
def test_a_limit_is_a_number_above_zero(
    name: str, value: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(name, value)
    with pytest.raises(SettingsError, match=f"^{name} cannot be used"):
        Settings.load(dotenv=tmp_path / "none")


def test_zero_in_one_source_is_not_passed_over_for_another(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match="MAX_MODEL_CALLS"):
        Settings.load({"MAX_MODEL_CALLS": 0}, tmp_path / "none")


def test_false_in_the_secrets_counts(tmp_path: Path) -> None:
    assert not Settings.load({"USE_PERSISTENT_SESSIONS": False}, tmp_path / "none").persistent


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
