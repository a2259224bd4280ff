"""Talking to the assistant in code mode: what the model says, what is stored, what it is told."""

from typing import Any

from agents.assistant import Assistant
from agents.turns import RunningTurn
from storage.keys import SessionKey
from storage.results import Result
from storage.turns import TurnRecord
from tests.agents.conftest import TURN_SECONDS, result_ids, with_sample
from tests.servers.gemini import GeminiServer, Part, call

HANDOVER = [[call("transfer_to_agent", agent_name="analysis_agent")]]


def python(code: str, title: str = "") -> list[list[Part]]:
    """A model's reply that runs code."""
    return [[call("run_python", code=code, title=title)]]


def code_mode(made: Assistant) -> SessionKey:
    """A conversation in code mode, with the sample."""
    key = with_sample(made)
    made.set_mode(key, "code")
    return key


def results(made: Assistant, record: TurnRecord) -> list[Result]:
    """The stored results that a turn shows, in order."""
    found = [made.store.results.get(record.key.user_id, result_id) for result_id in result_ids(record)]
    assert all(found)
    return [result for result in found if result is not None]


def value(result: Result) -> Any:
    """A single value."""
    assert result.kind == "value"
    return result.output["table"]["rows"][0][0]


def responses(server: GeminiServer) -> list[dict[str, Any]]:
    """What the tools told the model, from the last request."""
    parts = [part for content in server.requests[-1]["contents"] for part in content["parts"]]
    return [part["functionResponse"]["response"] for part in parts if "functionResponse" in part]


def ended(running: RunningTurn) -> TurnRecord:
    """Waits for the end."""
    while not running.done:
        assert running.wait(running.version, TURN_SECONDS), "it never ended"
    return running.record


def tools(server: GeminiServer) -> set[str]:
    """Names of the tools in the last request."""
    declared = server.requests[-1].get("tools", [])
    return {function["name"] for tool in declared for function in tool["functionDeclarations"]}
