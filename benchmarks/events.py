"""Events as a data conversation has them: four a turn, about 1,145 bytes of JSON each, always the same."""

import random
import uuid
from collections.abc import Iterator
from itertools import islice

from google.adk.events.event import Event
from google.genai import types

START = 1_760_000_000.0
SECONDS_BETWEEN = 0.25
WORDS = (
    "revenue", "region", "quarter", "average", "the", "of", "by", "customers", "grew", "orders", "fell",
    "channel", "between", "product", "and", "margin", "north", "discount", "month", "store", "median",
    "total", "share", "online", "returns",
)  # fmt: skip
COLUMNS = ("region", "channel", "product", "orders", "revenue", "margin")


def stream(seed: int = 7) -> Iterator[Event]:
    """Endless turns: a question, the model's call, the tool's answer, the model's text."""
    chance = random.Random(seed)
    moment = START
    while True:
        invocation = f"e-{_identifier(chance)}"
        for author, content, tokens in _turn(chance):
            moment += SECONDS_BETWEEN
            yield Event(
                id=_identifier(chance),
                invocation_id=invocation,
                author=author,
                content=content,
                timestamp=moment,
                usage_metadata=_usage(tokens) if tokens else None,
            )


def take(count: int, seed: int = 7) -> list[Event]:
    """The first `count` events of a stream."""
    return list(islice(stream(seed), count))


def to_json(event: Event) -> str:
    """What a service stores of an event."""
    return event.model_dump_json(exclude_none=True)


def _turn(chance: random.Random) -> Iterator[tuple[str, types.Content, int]]:
    call = f"adk-{_identifier(chance)}"
    sql = f"SELECT {', '.join(COLUMNS)} FROM sales WHERE {_text(chance, 40)} GROUP BY 1, 2, 3 ORDER BY 5"
    yield "user", types.Content(role="user", parts=[types.Part(text=_text(chance, 25))]), 0
    asked = types.FunctionCall(id=call, name="query_table", args={"sql": sql, "note": _text(chance, 40)})
    yield "analyst", types.Content(role="model", parts=[types.Part(function_call=asked)]), 1800
    rows = [[_value(chance, name) for name in COLUMNS] for _ in range(24)]
    answer = {"status": "ok", "columns": list(COLUMNS), "rows": rows}
    answered = types.FunctionResponse(id=call, name="query_table", response=answer)
    yield "analyst", types.Content(role="user", parts=[types.Part(function_response=answered)]), 0
    yield "analyst", types.Content(role="model", parts=[types.Part(text=_text(chance, 120))]), 2400


def _value(chance: random.Random, column: str) -> str | float | int:
    if column in COLUMNS[:3]:
        return chance.choice(WORDS)
    return chance.randrange(5000) if column == "orders" else round(chance.uniform(0, 90_000), 2)


def _text(chance: random.Random, words: int) -> str:
    return " ".join(chance.choice(WORDS) for _ in range(words))


def _identifier(chance: random.Random) -> str:
    return str(uuid.UUID(int=chance.getrandbits(128), version=4))


def _usage(prompt: int) -> types.GenerateContentResponseUsageMetadata:
    return types.GenerateContentResponseUsageMetadata(
        prompt_token_count=prompt, candidates_token_count=180, total_token_count=prompt + 180
    )
