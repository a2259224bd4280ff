"""Code that a model writes as a fenced block instead of calling a tool, run in the conversation's notebook.

ADK takes the first block of an answer, runs it here, and gives the outcome back to the model.
"""

from typing import Any

from google.adk.agents.invocation_context import InvocationContext
from google.adk.code_executors.base_code_executor import BaseCodeExecutor
from google.adk.code_executors.code_execution_utils import CodeExecutionInput, CodeExecutionResult, File
from pydantic import Field
from typing_extensions import override

from agents.code_runs import MAX_FAILURES, NoAttemptsLeft, as_text, attempts_left, run_code, told
from agents.workspace import workspace
from sandbox.errors import IsolationMissing, WorkerStopped
from storage.keys import SessionKey

BLOCKS = [("```python\n", "\n```"), ("```tool_code\n", "\n```"), ("```py\n", "\n```")]


class SandboxCodeExecutor(BaseCodeExecutor):
    """Runs code where `run_python` runs it, and stores the same results.

    The outcome is JSON, as the tool gives it: in stdout, or in stderr when the code failed, since ADK hides
    stdout then.
    """

    stateful: bool = True
    # One more than may fail, so that the model is told that no attempt is left.
    error_retry_attempts: int = MAX_FAILURES + 1
    code_block_delimiters: list[tuple[str, str]] = Field(default_factory=lambda: list(BLOCKS))

    @override
    def execute_code(
        self, invocation_context: InvocationContext, code_execution_input: CodeExecutionInput
    ) -> CodeExecutionResult:
        place, session = workspace(), invocation_context.session
        key = SessionKey(session.app_name, session.user_id, session.id)
        invocation_id = invocation_context.invocation_id
        try:
            run = run_code(place, key, code_execution_input.code, invocation_id=invocation_id)
        except NoAttemptsLeft as error:
            return _refused("no_attempts_left", str(error))
        except WorkerStopped as error:
            return _refused("stopped", str(error))
        except IsolationMissing as error:
            return _refused("no_isolation", str(error))
        answer = told(run, attempts_left(place, key, invocation_id))
        if run.outcome.failure is not None:
            return CodeExecutionResult(stderr=as_text(answer), exit_code=1)
        files = [File(name=a.name, content=a.data, mime_type=a.mime) for a in run.artifacts]
        return CodeExecutionResult(stdout=as_text(answer), output_files=files, exit_code=0)


def _refused(kind: str, message: str) -> CodeExecutionResult:
    answer: dict[str, Any] = {"status": "error", "kind": kind, "message": message}
    return CodeExecutionResult(stderr=as_text(answer), exit_code=1)
