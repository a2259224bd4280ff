"""The tab of cleaning steps: a look ahead, a step, the list of steps, undo and the choice of a version."""

from streamlit.testing.v1 import AppTest

from agents.assistant import Assistant
from tests.agents.conftest import with_sample


def page(session_id: str) -> None:
    from agents.assistant import current
    from storage.keys import SessionKey
    from ui import cleaning

    key = SessionKey("agents", "ann", session_id)
    cleaning.tab(current(), key, current().datasets(key)[-1])


def press(shown: AppTest, label: str) -> None:
    next(button for button in shown.button if button.label == label).click().run()
    assert not shown.exception


def test_a_step_is_looked_at_made_and_undone(made: Assistant) -> None:
    key = with_sample(made)
    shown = AppTest.from_function(page, args=(key.session_id,), default_timeout=30).run()
    assert "no step was made" in shown.caption[0].value
    shown.selectbox[0].select("Fill missing values").run()
    press(shown, "Preview")
    assert "Say which value" in shown.warning[0].value
    shown.multiselect[0].select("rating")
    shown.selectbox[1].select("median")
    press(shown, "Preview")
    assert [metric.value for metric in shown.metric] == ["6,000", "1,087"]
    assert len(made.store.datasets.for_user("ann")) == 1
    press(shown, "Make this step")
    shown.run()
    assert shown.markdown[0].value.startswith("1. Fill missing values of rating with the median")
    assert made.datasets(key)[-1].version == 2
    (result,) = made.store.results.for_session(key)
    assert result.facts["values_changed"] == 1_087
    press(shown, "Undo")
    assert made.datasets(key)[-1].version == 1
    later = next(box for box in shown.selectbox if box.label == "Version")
    later.select(later.options[1]).run()
    assert made.datasets(key)[-1].version == 2
