"""The conversation's notebook as an ADK environment, for skills and toolsets that expect one.

There is no shell in it: a command is Python. Files are those of the notebook's scratch folder, which is flat.
"""

import ast
import asyncio
import json
import shlex
from pathlib import Path

from google.adk.environment import BaseEnvironment, ExecutionResult
from typing_extensions import override

from agents.artifacts import save
from agents.code_runs import CodeRun, run_code, told
from agents.workspace import Workspace, workspace
from sandbox.errors import IsolationMissing, WorkerStopped
from storage.keys import SessionKey

WORKING_DIR = Path("/notebook")
"""A name for the scratch folder; the real one is nobody's business."""
PYTHON = ("python", "python3")
NO_SHELL = (
    "There is no shell here, only Python. Give Python code, `python -c CODE`, or `python FILE.py` with a file"
    " that was written here.\n"
)
TIME_LIMIT = "TimeLimitExceeded"


class SandboxEnvironment(BaseEnvironment):
    """Runs Python in a session's locked worker, where its variables stay from run to run."""

    def __init__(self, key: SessionKey, invocation_id: str = "environment") -> None:
        self._key = key
        self._invocation_id = invocation_id

    @property
    @override
    def working_dir(self) -> Path:
        return WORKING_DIR

    @override
    async def execute(self, command: str, *, timeout: float | None = None) -> ExecutionResult:
        """Runs Python; `timeout` in seconds can only shorten the limit that is set."""
        try:
            code = await self._code(command)
        except FileNotFoundError as error:
            return ExecutionResult(exit_code=2, stderr=f"{error}\n")
        if code is None:
            return ExecutionResult(exit_code=127, stderr=NO_SHELL)
        place = workspace()
        async with place.code_lock(self._key.session_id):
            try:
                run = await asyncio.to_thread(
                    run_code,
                    place,
                    self._key,
                    code,
                    invocation_id=self._invocation_id,
                    limited=False,
                    timeout=timeout,
                )
            except (IsolationMissing, WorkerStopped) as error:
                return ExecutionResult(exit_code=126, stderr=f"{error}\n")
        await self._keep(place, run)
        done = _as_command(run)
        failure = run.outcome.failure
        if failure is not None and failure.type == "NameError" and "\n" not in command.strip():
            # A line such as `cat notes | head` is an expression of names to Python.
            done.stderr += NO_SHELL
        return done

    @override
    async def read_file(self, path: Path) -> bytes:
        name = _name(path)
        worker = workspace().pool.worker(self._key.session_id)
        return await asyncio.to_thread(worker.read_file, name)

    @override
    async def write_file(self, path: Path, content: str | bytes) -> None:
        name = _name(path)
        worker = workspace().pool.worker(self._key.session_id)
        data = content.encode() if isinstance(content, str) else content
        await asyncio.to_thread(worker.write_file, name, data)

    async def _code(self, command: str) -> str | None:
        """The Python of a command, or None when it is for a shell."""
        try:
            words = shlex.split(command)
        except ValueError:
            words = []
        if words[:1] and words[0] in PYTHON:
            if words[1:2] == ["-c"] and len(words) == 3:
                return words[2]
            if len(words) == 2 and not words[1].startswith("-"):
                return (await self.read_file(Path(words[1]))).decode("utf-8", "replace")
            return None
        try:
            ast.parse(command)
        except (SyntaxError, ValueError, RecursionError, MemoryError):
            return None
        return command

    async def _keep(self, place: Workspace, run: CodeRun) -> None:
        for artifact in run.artifacts:
            await save(place.store.artifacts, self._key, artifact)


def _as_command(run: CodeRun) -> ExecutionResult:
    outcome = run.outcome
    if outcome.failure is not None:
        failure = outcome.failure
        text = f"{failure.trace}\n{failure.type}: {failure.message}\n".lstrip()
        return ExecutionResult(
            exit_code=1, stdout=outcome.printed, stderr=text, timed_out=failure.type == TIME_LIMIT
        )
    shown = told(run, 0)["outputs"]
    lines = [json.dumps(output, ensure_ascii=False) for output in shown]
    return ExecutionResult(stdout="\n".join(filter(None, [outcome.printed.rstrip("\n"), *lines])))


def _name(path: Path) -> str:
    """A file's name in the scratch folder. Raises FileNotFoundError for a place outside."""
    inside = path.relative_to(WORKING_DIR) if path.is_relative_to(WORKING_DIR) else path
    if inside.is_absolute() or len(inside.parts) != 1 or inside.name in ("", ".", ".."):
        raise FileNotFoundError(f"{path} is not in {WORKING_DIR}, which has no folders.")
    return inside.name
