"""What the README says is so: its examples run, its settings exist, and none is missing."""

import re

import pytest

from agents.settings import NAMES, Settings
from tests.agents.conftest import Open, ask, assistant, result_ids, with_sample
from tests.conftest import ROOT

README = (ROOT / "README.md").read_text()
EXAMPLES = re.findall(r"^- `([^`]+)`$", README, re.MULTILINE)

__all__ = ["assistant"]


def test_there_are_examples() -> None:
    assert len(EXAMPLES) >= 5


def test_every_example_gives_a_result(assistant: Open) -> None:
    made = assistant()
    key = with_sample(made)
    for question in EXAMPLES:
        record = ask(made, key, question)
        assert record.status == "completed" and result_ids(record), question


def test_every_suggestion_gives_a_result(assistant: Open) -> None:
    from analysis.suggest import suggest

    made = assistant()
    key = with_sample(made)
    for question in suggest(made.datasets(key)[0]):
        assert result_ids(ask(made, key, question)), question


@pytest.mark.parametrize("name", [names[0] for names in NAMES.values()])
def test_every_setting_is_explained(name: str) -> None:
    assert f"`{name}`" in README


def test_the_defaults_are_the_ones_stated() -> None:
    defaults = Settings()
    for name, value in [
        ("UPLOAD_LIMIT_MB", defaults.upload_limit_mb),
        ("TURN_TIMEOUT_SECONDS", f"{defaults.turn_timeout_seconds:g}"),
        ("MAX_MODEL_CALLS", defaults.max_model_calls),
    ]:
        assert re.search(rf"`{name}` \| `{value}`", README), name
