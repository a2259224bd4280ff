"""Python that Gemini ran at Google: from the parts of its answer to stored results.

A streamed answer brings each part twice, in a chunk and in the whole answer at the end; here it counts once.
A run is stored when what follows it is known not to belong to it, so that its images are with it. What
happened is told in the event's `custom_metadata`, which the transcript reads; images leave the event.
"""

import asyncio
import hashlib
import mimetypes
import re
import time
import uuid
from collections.abc import Awaitable, Callable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

from google.adk.models.llm_response import LlmResponse
from google.genai import types

from agents.artifacts import Artifact
from agents.code_runs import first_line
from agents.outputs_of_code import as_output
from sandbox.outcome import FileOutput, ImageOutput
from storage.datasets import Dataset
from storage.jsonsafe import to_json_safe
from storage.keys import SessionKey
from storage.results import InputRef, Result

TOOL = "gemini_code"
AT_GOOGLE = "gemini_code_agent"
METADATA = "gemini_code"
RUN_SECONDS = 30
PNG = b"\x89PNG\r\n\x1a\n"
IMAGE_BYTES = 8_000_000
PRINTED_CHARACTERS = 100_000
SHOWN = "[An image that the code drew; it was shown to the user.]"
CODE_LINE = re.compile(r'File "<[^"]*>", line (\d+)')
LAST_LINE = re.compile(r"(?P<type>[A-Za-z_][\w.]*)(: (?P<message>.*))?")

Keep = Callable[[Artifact], Awaitable[None]]
Save = Callable[[Result], None]


@dataclass
class Run:
    """One piece of code and what came back."""

    id: str
    code: str
    given: str | None
    """Gemini's own id, where it gives one."""
    began: float
    outcome: types.Outcome | None = None
    printed: str = ""
    duration: float = 0.0
    files: list[types.Blob] = field(default_factory=list)
    stored: int = 0
    """How many results it has."""


@dataclass
class News:
    """What one event says of runs, besides its parts."""

    marks: list[dict[str, Any]] = field(default_factory=list)
    """In order: {"before": index of a part, "run", "state": running, ok or failed}, and at the end of a run
    "results" (ids), "shown" (whether there is more to see than printed text) and "detail"."""
    hidden: list[int] = field(default_factory=list)
    """Parts whose text is for the model alone."""

    @classmethod
    def of(cls, event: LlmResponse) -> "News":
        """As `metadata` wrote it."""
        return cls(**(event.custom_metadata or {}).get(METADATA, {}))

    def metadata(self) -> dict[str, Any]:
        """For an event's `custom_metadata`."""
        return {METADATA: {"marks": self.marks, "hidden": self.hidden}}


class Runs:
    """The runs of one answer; made for each invocation."""

    def __init__(self, key: SessionKey, invocation_id: str, model: str, save: Save, keep: Keep) -> None:
        self._key = key
        self._invocation_id = invocation_id
        self._model = model
        self._save = save
        self._keep = keep
        self._open: list[Run] = []
        self._last: Run | None = None
        self._streamed = 0
        self.datasets: Sequence[Dataset] = ()
        """What the code was given."""
        self.sent = 0
        """Bytes of it."""

    async def take(self, response: LlmResponse) -> None:
        """Stores what this response completes, and puts the news into it."""
        told, parts = News(), list(response.content.parts or []) if response.content else []
        self._model = response.model_version or self._model
        seen = 0
        for index, part in enumerate(parts):
            if part.executable_code or part.code_execution_result or part.inline_data:
                seen += 1
                if response.partial or seen > self._streamed:
                    await self._part(part, index, told)
            elif _says(part) and (response.partial or not self._streamed):
                await self._close(index, told)
            if part.inline_data and not response.partial:
                parts[index] = part.model_copy(update={"inline_data": None, "text": SHOWN})
                told.hidden.append(index)
        self._streamed = self._streamed + seen if response.partial else 0
        if not response.partial:
            await self._close(len(parts), told, everything=True)
        if told.hidden and response.content:
            response.content = types.Content(role=response.content.role, parts=parts)
        if told.marks or told.hidden:
            response.custom_metadata = (response.custom_metadata or {}) | told.metadata()

    async def end(self) -> dict[str, Any] | None:
        """Stores what an answer that broke off had completed; the metadata of an event that tells it."""
        told = News()
        await self._close(0, told)
        return told.metadata() if told.marks else None

    async def _part(self, part: types.Part, index: int, told: News) -> None:
        if part.executable_code:
            await self._close(index, told)
            given = part.executable_code.id
            run = Run(uuid.uuid4().hex, part.executable_code.code or "", given, time.perf_counter())
            self._open.append(run)
            self._last = run
            told.marks.append({"before": index, "run": run.id, "state": "running"})
        elif part.code_execution_result and (run_of := self._run_of(part.code_execution_result)):
            run_of.outcome = part.code_execution_result.outcome or types.Outcome.OUTCOME_UNSPECIFIED
            run_of.printed += part.code_execution_result.output or ""
            run_of.duration = time.perf_counter() - run_of.began
        elif part.inline_data and part.inline_data.data:
            finished = [run for run in self._open if run.outcome]
            drawn_by = (finished or self._open or [self._last or self._without_code()])[-1]
            drawn_by.files.append(part.inline_data)
            if drawn_by not in self._open:
                await self._store(drawn_by, index, told)

    def _without_code(self) -> Run:
        run = Run(uuid.uuid4().hex, "", None, time.perf_counter(), types.Outcome.OUTCOME_OK)
        self._last = run
        return run

    def _run_of(self, result: types.CodeExecutionResult) -> Run | None:
        named = [run for run in self._open if result.id and run.given == result.id]
        waiting = [run for run in self._open if run.outcome is None]
        return next(iter([*named, *waiting, *reversed(self._open)]), None)

    async def _close(self, index: int, told: News, *, everything: bool = False) -> None:
        """Stores the runs that are over; with `everything` also those that nothing came back from."""
        over = [run for run in self._open if run.outcome or everything]
        self._open = [run for run in self._open if run not in over]
        for run in over:
            await self._store(run, index, told)

    async def _store(self, run: Run, index: int, told: News) -> None:
        # An image that comes after its run was stored is shown, however the run ended.
        failed = run.outcome is not types.Outcome.OUTCOME_OK and not run.stored
        failure = _failure(run) if failed else None
        results = [self._failed(run, failure)] if failure else await self._outputs(run)
        for result in results:
            await asyncio.to_thread(self._save, result)
        told.marks.append(
            {
                "before": index,
                "run": run.id,
                "state": "failed" if failure else "ok",
                "detail": f"{failure['type']}: {failure['message']}" if failure else "",
                "results": [result.id for result in results],
                "shown": any(result.kind != "text" for result in results),
            }
        )
        run.stored += len(results)
        run.printed, run.files = "", []

    async def _outputs(self, run: Run) -> list[Result]:
        made = [await self._output(run, index) for index in range(len(run.files))] or [("text", {"text": ""})]
        if run.printed:
            made[0][1]["printed"] = run.printed[:PRINTED_CHARACTERS]
        count = run.stored + len(made)
        return [
            self._result(run, kind, output, run.stored + index, count)
            for index, (kind, output) in enumerate(made)
        ]

    async def _output(self, run: Run, index: int) -> tuple[str, dict[str, Any]]:
        blob = run.files[index]
        data, ending = blob.data or b"", mimetypes.guess_extension(blob.mime_type or "") or ".bin"
        drawn = data.startswith(PNG) and len(data) <= IMAGE_BYTES
        position = run.stored + index
        given = ImageOutput("", data) if drawn else FileOutput(f"output-{position + 1}{ending}", data)
        kind, output, artifact = as_output(given, f"run-{run.id}/{position}")
        if artifact is not None:
            await self._keep(artifact)
        return kind, output

    def _failed(self, run: Run, failure: dict[str, Any]) -> Result:
        output = {"text": "", "printed": "", "failure": failure}
        return self._result(run, "text", output, 0, 1, status="failed")

    def _result(
        self, run: Run, kind: str, output: dict[str, Any], position: int, count: int, status: str = "ok"
    ) -> Result:
        return Result(
            id=uuid.uuid4().hex,
            key=self._key,
            invocation_id=self._invocation_id,
            kind=kind,
            title=first_line(run.code),
            tool=TOOL,
            arguments={"run": run.id, "position": position, "count": count, "rebuilt": 0},
            language="python",
            code=run.code,
            code_sha256=hashlib.sha256(run.code.encode()).hexdigest(),
            inputs=[InputRef(d.name, d.version, d.sha256) for d in self.datasets],
            output=to_json_safe(output),
            engine={"gemini": self._model},
            notes=list(self._notes()),
            status=status,
            duration=run.duration,
            created_at=time.time(),
        )

    def _notes(self) -> Iterator[str]:
        if not self.datasets:
            yield f"Ran at Google ({self._model}), on no data of this conversation."
            return
        names = ", ".join(f"{d.file_name} ({d.rows:,} rows)" for d in self.datasets)
        yield f"Ran at Google ({self._model}) on a CSV copy of all rows of {names}: {self.sent / 1e6:.2f} MB."


def _says(part: types.Part) -> bool:
    return bool(part.text and part.text.strip() and not part.thought)


def _failure(run: Run) -> dict[str, Any]:
    """Why a run gave nothing, in the form of every failed run."""
    if run.outcome is types.Outcome.OUTCOME_DEADLINE_EXCEEDED:
        message = f"Google ended this run: it took longer than {RUN_SECONDS} seconds."
        kind = "TimeLimitExceeded"
    elif run.outcome is None:
        kind, message = "NoResult", "Nothing came back from this code."
    else:
        lines = [line for line in run.printed.splitlines() if line.strip()]
        found = LAST_LINE.fullmatch(lines[-1].strip()) if lines else None
        kind = found["type"] if found else "Failed"
        message = (
            (found["message"] or "") if found else (lines[-1].strip() if lines else "No reason was given.")
        )
    line = CODE_LINE.findall(run.printed)
    trace = run.printed[-PRINTED_CHARACTERS:]
    return {
        "type": kind, "message": message, "line": int(line[-1]) if line else None,
        "trace": trace, "suggestions": [],
    }  # fmt: skip
