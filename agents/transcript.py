"""From ADK's events to what a reader sees: text as it streams, steps, results, the error if any."""

import json
from typing import Any

from google.adk.events.event import Event
from google.genai import types

from agents import model_errors, steps
from agents.code_runs import parts_of
from agents.gemini_runs import AT_GOOGLE, TOOL, News
from storage.results import RUN_PYTHON
from storage.turns import TurnRecord

CODE_BLOCK = "code block"


class Transcript:
    """Fills a turn's record from the events of one run."""

    def __init__(self, record: TurnRecord) -> None:
        self.record = record
        self.structural = False
        """Whether the last event changed more than the text."""
        self._live: dict[str, Any] | None = None
        self._steps: dict[str, dict[str, Any]] = {}
        self._said_since_step = False
        self._streamed = False
        """Whether text of an answer of Gemini's code agent was taken as it came."""

    @property
    def answered(self) -> bool:
        """Whether something was said after the last step."""
        return self._said_since_step

    def take(self, event: Event) -> None:
        """One event. An error is kept, not shown twice: ADK yields it and raises it."""
        self.record.invocation_id = event.invocation_id or self.record.invocation_id
        self.structural = False
        parts = (event.content.parts or []) if event.content else []
        if event.author == AT_GOOGLE:
            self._at_google(event, parts)
        elif event.author != "user":
            for part in parts:
                self._part(part, partial=bool(event.partial))
            if not event.partial:
                self._code_block(parts)
        if not event.partial:
            self._live = None
            if event.usage_metadata and event.usage_metadata.total_token_count:
                self.record.tokens += event.usage_metadata.total_token_count
        if event.error_code and self.record.error is None:
            self.record.error = model_errors.from_event(event.error_code).as_json()
            self.structural = True

    def close_steps(self) -> None:
        """Steps that never ended have failed."""
        for step in self._steps.values():
            if step["status"] == "running":
                step |= {"status": "failed", "detail": "Not finished."}

    def _at_google(self, event: Event, parts: list[types.Part]) -> None:
        """Text between runs of code. When it was streamed, the whole answer repeats it."""
        news = News.of(event)
        for index, part in enumerate([*parts, types.Part()]):
            for mark in news.marks:
                if mark["before"] == index:
                    self._run_at_google(mark)
            if part.text and not part.thought and index not in news.hidden:
                if event.partial or not self._streamed:
                    self._text(part.text, partial=True)
                self._streamed = self._streamed or bool(event.partial)
        # ADK puts an event without content before the whole answer.
        if parts and not event.partial:
            self._streamed = False

    def _run_at_google(self, mark: dict[str, Any]) -> None:
        run = mark["run"]
        if mark["state"] == "running":
            self._call(types.FunctionCall(id=run, name=TOOL))
            return
        self.structural = True
        self._live = None
        failed = mark["state"] == "failed"
        if run in self._steps:
            self._steps[run] |= {"status": "failed" if failed else "done", "detail": mark["detail"]}
        about = {"run": run} | ({"failed": True} if failed else {})
        self.record.parts += [{"kind": "result", "id": result} | about for result in mark["results"]]
        self._said_since_step = mark["shown"]

    def _part(self, part: types.Part, *, partial: bool) -> None:
        if part.text and not part.thought:
            self._text(part.text, partial=partial)
        elif part.function_call and not partial:
            self._call(part.function_call)
        elif part.function_response:
            self._answer(part.function_response)

    def _text(self, text: str, *, partial: bool) -> None:
        if self._live is None:
            self._live = {"kind": "text", "text": ""}
            self.record.parts.append(self._live)
        self._live["text"] = self._live["text"] + text if partial else text
        self._said_since_step = bool(self._live["text"].strip())

    def _call(self, call: types.FunctionCall) -> None:
        self._live = None
        self._said_since_step = False
        self.structural = True
        name, arguments = call.name or "", dict(call.args or {})
        step = {
            "kind": "step", "tool": name, "label": steps.label(name, arguments),
            "status": "running", "detail": "",
        }  # fmt: skip
        self._steps[call.id or name] = step
        self.record.parts.append(step)

    def _code_block(self, parts: list[types.Part]) -> None:
        """A fenced block that is about to run, or what came of it."""
        last = parts[-1] if parts else types.Part()
        if last.executable_code:
            if self._live is not None and not any(part.text for part in parts):
                # All that was streamed was the block.
                self.record.parts.remove(self._live)
            self._call(types.FunctionCall(id=CODE_BLOCK, name=RUN_PYTHON))
        elif last.code_execution_result:
            response = _outcome(last.code_execution_result)
            self._answer(types.FunctionResponse(id=CODE_BLOCK, name=RUN_PYTHON, response=response))

    def _answer(self, answer: types.FunctionResponse) -> None:
        self.structural = True
        step = self._steps.get(answer.id or answer.name or "")
        response = dict(answer.response or {})
        failed = response.get("status") == "error" or "error" in response
        if step is not None:
            detail = str(response.get("message") or response.get("error") or "") if failed else ""
            step |= {"status": "failed" if failed else "done", "detail": detail}
        if answer.name == RUN_PYTHON:
            self.record.parts += parts_of(response)
        elif response.get("result_id") and answer.name != "find_values":
            self.record.parts.append({"kind": "result", "id": response["result_id"]})


def _outcome(result: types.CodeExecutionResult) -> dict[str, Any]:
    """The JSON that the executor wrote; ADK put words around it."""
    text = result.output or ""
    try:
        response, _ = json.JSONDecoder().raw_decode(text, max(text.find("{"), 0))
    except ValueError:
        return {"status": "error", "message": "The code gave nothing that can be read."}
    return dict(response)
