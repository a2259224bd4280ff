"""Python that the model writes, for what no other tool can do."""

import asyncio
from typing import Any

from google.adk.tools.tool_context import ToolContext

from agents.code_runs import NoAttemptsLeft, attempts_left, run_code, told
from agents.tools.running import failure, keep, session_key
from agents.workspace import workspace
from sandbox.errors import IsolationMissing, WorkerStopped


async def run_python(tool_context: ToolContext, code: str, title: str = "") -> dict[str, Any]:
    """Runs Python over all rows of the data and shows what it makes. Variables stay for the next run.

    Use it for what the other tools cannot do: own calculations in several steps, models, simulations, charts
    of other kinds. Not for a plain total, table or chart, which the other tools make faster.

    Found by the code: every dataset as a pandas DataFrame by its name; `df`, the current one; `con`, a DuckDB
    connection with all datasets; `show(value, title="")`, which shows a table, figure or value. The value
    of the last expression is shown too. There is no network; files written to the current folder are kept.

    Args:
        code: The Python code.
        title: What the results are called on the page.
    """
    place, key = workspace(), session_key(tool_context)
    async with place.code_lock(key.session_id):
        try:
            run = await asyncio.to_thread(
                run_code, place, key, code, invocation_id=tool_context.invocation_id, title=title
            )
        except NoAttemptsLeft as error:
            return failure("no_attempts_left", str(error)) | {"attempts_left": 0}
        except WorkerStopped as error:
            return failure("stopped", str(error))
        except IsolationMissing as error:
            return failure("no_isolation", f"{error} Answer with the other tools.")
        left = await asyncio.to_thread(attempts_left, place, key, tool_context.invocation_id)
    answer = told(run, left)
    problems = [await keep(tool_context, artifact) for artifact in run.artifacts]
    if any(problems):
        answer["notes"] = [*answer.get("notes", []), *filter(None, problems)]
    return answer
