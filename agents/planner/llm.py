"""The planner as an ADK model: deterministic, offline, and called what it is."""

from collections.abc import AsyncGenerator
from functools import partial
from typing import Any

from google.adk.models._capabilities import LlmCapabilities
from google.adk.models.base_llm import BaseLlm
from google.adk.models.llm_request import LlmRequest
from google.adk.models.llm_response import LlmResponse
from google.genai import types
from typing_extensions import override

from agents.planner.answers import answer, failed
from agents.planner.followup import drawn_from, follow, redrawn
from agents.planner.help import describe_forms, no_data
from agents.planner.intent import Intent
from agents.planner.programs import RUN, intent_of, program
from agents.planner.request import Call, Request, read
from agents.planner.runs import run_answer
from agents.planner.schema import Schema, is_rate
from agents.planner.tokens import has, stems
from agents.planner.topics import of_topic
from agents.planner.understand import understand

MODEL_NAME = "built-in-planner"
HANDOVER = "transfer_to_agent"
LOOK_UP = "find_values"
VAGUE = ["analyse this", "analyze this", "analyse the data", "analyze the data", "analyse my data",
         "analyze my data", "interesting", "insight", "explore"]  # fmt: skip
CHUNK_WORDS = 8
# What changes tables or lists them; a question that goes on is about the one before.
CHANGES = (
    "clean_data", "join_tables", "check_join", "undo_cleaning", "list_tables", "cleaning_steps",
)  # fmt: skip


class PlannerLlm(BaseLlm):
    """Matches a published list of question forms to tool calls; asks back rather than guess."""

    model: str = MODEL_NAME

    @property
    @override
    def capabilities(self) -> LlmCapabilities:
        return LlmCapabilities(output_schema_and_tools=False)

    @override
    async def generate_content_async(
        self, llm_request: LlmRequest, stream: bool = False
    ) -> AsyncGenerator[LlmResponse, None]:
        """One step: a tool call, a handover, or the answer."""
        tools = set(llm_request.tools_dict)
        calls, text = decide(read(llm_request), tools)
        if calls:
            parts = [types.Part.from_function_call(name=n, args=_plain(a)) for n, a in calls]
            yield _response(parts)
            return
        if stream:
            words = text.split(" ")
            for start in range(0, len(words), CHUNK_WORDS):
                piece = " ".join(words[start : start + CHUNK_WORDS])
                yield _response([types.Part(text=piece if start == 0 else f" {piece}")], partial=True)
        yield _response([types.Part(text=text)])


def decide(request: Request, tools: set[str]) -> tuple[list[Call], str]:
    """The calls to make now, or else what to say."""
    schema = Schema.from_card(request.card)
    if schema is None:
        return [], no_data()
    if HANDOVER in tools and not tools - {HANDOVER}:
        return _hand_over(request, schema)
    done = [(call, response) for call, response in zip(request.calls, request.responses, strict=False)]
    done = [item for item in done if item[0][0] != HANDOVER]
    if not done and _is_vague(request.question):
        calls = _several(schema)
        return [(call[0] not in tools and _in_code(call, schema, tools)) or call for call in calls], ""
    if done and done[-1][0][0] in CHANGES and done[-1][0][0] != "check_join":
        # The columns may be others by now, so the question would be read in another way.
        intent = Intent(done[-1][0][0])
    else:
        intent = interpret(request, schema)
    if intent.reply:
        return [], intent.reply
    if not done:
        if intent.look_up and LOOK_UP in tools:
            place = {name: v for name, v in intent.arguments.items() if name == "dataset"}
            return [(LOOK_UP, {"text": intent.look_up} | place)], ""
        return _call(intent, request, schema, tools)
    if done[-1][0][0] == LOOK_UP and len(done) == 1:
        found = _looked_up(intent, done[0][1])
        return _call(found, request, schema, tools) if isinstance(found, Intent) else ([], found)
    notes = [] if _is_vague(request.question) else intent.notes
    said = []
    for (name, arguments), response in done:
        if name != LOOK_UP:
            table = intent.arguments if name == RUN else arguments
            say = run_answer if name == RUN else partial(answer, name)
            said.append(say(arguments, response, [*notes, *_table(schema, name, table)]))
    return [], "\n\n".join(said)


def _table(schema: Schema, tool: str, arguments: dict[str, Any]) -> list[str]:
    """Which table an answer is about, where there are several."""
    if not schema.others or tool in (*CHANGES, "sql"):
        return []
    return [f"table {arguments.get('dataset') or schema.name}"]


def _call(intent: Intent, request: Request, schema: Schema, tools: set[str]) -> tuple[list[Call], str]:
    """The intent as a program where code may be run, else as the tool's call."""
    made = _in_code(_standing_alone(intent, request), schema, tools)
    if made is not None:
        return [made], ""
    if intent.tool not in tools:
        return [], f"That needs {intent.tool!r}, which is not available here. Ask in direct mode."
    return [(intent.tool, intent.arguments)], ""


def _in_code(call: Call, schema: Schema, tools: set[str]) -> Call | None:
    made = program(*call, schema) if RUN in tools else None
    return (RUN, {"code": made.code, "title": made.title}) if made else None


def _standing_alone(intent: Intent, request: Request) -> Call:
    """A chart of the last result as one of the data, where its call says which."""
    earlier = _earlier(request)
    if intent.tool == "show" and intent.arguments.get("result_id") == "last" and earlier:
        drawn = redrawn(str(intent.arguments.get("kind")), *earlier[-1])
        return ("show", drawn) if drawn else (intent.tool, intent.arguments)
    return intent.tool, intent.arguments


def _earlier(request: Request) -> list[Call]:
    """Calls of the questions before; programs as the calls that they stand for."""
    calls = [call for call in request.earlier if call[0] not in (HANDOVER, LOOK_UP, *CHANGES)]
    told = [intent_of(str(call[1].get("code", ""))) if call[0] == RUN else call for call in calls]
    return [call for call in told if call is not None]


def interpret(request: Request, schema: Schema) -> Intent:
    """The question as a change of the one before, else by itself."""
    special = of_topic(request.question, stems(request.question), schema)
    followed = special or follow(request.question, schema, drawn_from(_earlier(request)))
    return followed or understand(request.question, schema)


def _hand_over(request: Request, schema: Schema) -> tuple[list[Call], str]:
    tokens = stems(request.question)
    if _is_vague(request.question):
        return [(HANDOVER, {"agent_name": "analysis_agent"})], ""
    intent = interpret(request, schema)
    if intent.reply and has(tokens, ["help", "hello", "hi", "what can you do"]):
        return [], describe_forms(schema)
    agent = "visualization_agent" if intent.tool == "show" else "analysis_agent"
    return [(HANDOVER, {"agent_name": agent})], ""


def _is_vague(question: str) -> bool:
    tokens = stems(question)
    return has(tokens, VAGUE) and len(tokens) <= 9


def _several(schema: Schema) -> list[Call]:
    """A vague wish: the summary, the gaps, the main measure by a group and over time."""
    calls: list[Call] = [("profile", {}), ("missing", {})]
    measure = schema.main_measure
    aggregate = "mean" if measure is not None and is_rate(measure) else "sum"
    named = {"measure": measure.name} if measure is not None else {}
    if schema.groups:
        calls.append(
            ("query", named | ({"aggregate": [aggregate]} if named else {}) | {"by": [schema.groups[0].name]})
        )
    if schema.dates:
        calls.append(("trend", named | ({"aggregate": aggregate} if named else {})))
    return calls


def _looked_up(intent: Intent, response: dict[str, Any]) -> Intent | str:
    """After a look-up: the intent with the filter it found, or a question back."""
    rows = response.get("rows") or []
    if response.get("status") != "ok" or not rows:
        return failed(response)
    exact = [row for row in rows if row[3]] or rows
    columns = list(dict.fromkeys(row[0] for row in exact))
    if len(columns) > 1:
        question = f'"{intent.look_up}" occurs in several columns: {", ".join(columns)}.'
        return f'{question} Say which, such as: where {columns[0]} is "{intent.look_up}".'
    values = list(dict.fromkeys(row[1] for row in exact))
    if len(values) > 1 and not rows[0][3]:
        shown = "; ".join(str(value) for value in values[:6])
        return f'Several values of {columns[0]} contain "{intent.look_up}": {shown}. Which one do you mean?'
    found = {"column": columns[0], "op": "equals", "value": values[0]}
    where = [*intent.arguments.get("where", []), found]
    return Intent(intent.tool, intent.arguments | {"where": where})


def _plain(arguments: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in arguments.items() if value not in (None, "", [])}


def _response(parts: list[types.Part], *, partial: bool = False) -> LlmResponse:
    return LlmResponse(
        content=types.Content(role="model", parts=parts),
        partial=partial,
        custom_metadata={"planner": "rules"},
        usage_metadata=types.GenerateContentResponseUsageMetadata(
            prompt_token_count=0, candidates_token_count=0, total_token_count=0
        ),
        finish_reason=None if partial else types.FinishReason.STOP,
    )
