"""An event is stored whatever is in it, and is read again as the session has it."""

import math
from typing import Any

import numpy as np
import pytest
from google.adk.events.event import Event
from google.adk.events.event_actions import EventActions
from google.adk.tools.tool_confirmation import ToolConfirmation
from google.genai import types

from storage.jsonsafe import to_json_safe
from storage.sessions import DatabaseSessionService

APP = "app"
HALF = "half \ud83d of a character"


def parts(*made: types.Part) -> types.Content:
    return types.Content(role="model", parts=list(made))


ODD: dict[str, dict[str, Any]] = {
    "code": {"content": parts(types.Part.from_executable_code(code=HALF, language=types.Language.PYTHON))},
    "output": {
        "content": parts(
            types.Part.from_code_execution_result(output=HALF, outcome=types.Outcome.OUTCOME_OK),
            types.Part.from_bytes(data=b"\xff\x00", mime_type="image/png"),
        )
    },
    "name of a call": {"content": parts(types.Part.from_function_call(name=HALF, args={HALF: HALF}))},
    "error": {"error_code": "E", "error_message": HALF},
    "author": {"author": HALF},
    "turn": {"invocation_id": HALF},
    "transcription": {"input_transcription": types.Transcription(text=HALF)},
    "confirmation": {
        "actions": EventActions(
            requested_tool_confirmations={"c": ToolConfirmation(hint=HALF, payload={"n": np.int64(3)})}
        )
    },
    "response": {"actions": EventActions(set_model_response={"n": np.int64(3), "f": math.nan})},
    "waiting": {"long_running_tool_ids": {HALF}},
    "time": {"timestamp": math.inf},
}


@pytest.mark.parametrize("name", ODD)
async def test_an_odd_event_is_stored_and_read(name: str, service: DatabaseSessionService) -> None:
    session = await service.create_session(app_name=APP, user_id="u", session_id="s")
    await service.append_event(session, Event(**({"author": "agent"} | ODD[name])))
    found = await service.get_session(app_name=APP, user_id="u", session_id="s")
    assert found is not None
    assert [e.model_dump_json() for e in found.events] == [e.model_dump_json() for e in session.events]
    assert "\ud83d" not in str(found.events[0].model_dump())


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (np.datetime64("2024-01-02T03:04", "ns"), "2024-01-02T03:04:00"),
        (np.array(["2024-01-02", "NaT"], dtype="datetime64[ns]"), ["2024-01-02T00:00:00", None]),
        (np.datetime64("NaT"), None),
        (np.timedelta64(1_500, "ms").astype("timedelta64[ns]"), 1.5),
    ],
)
def test_moments_of_numpy_are_moments(value: Any, expected: Any) -> None:
    assert to_json_safe(value) == expected
