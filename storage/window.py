"""The part of a long session that a turn needs, so that a turn costs the same at 10 and at 10,000 events.

The last questions with all that followed; besides, from before them, the newest compactions and the newest
long-running calls that still wait for their answers. What a rewind took back is left out.
"""

from dataclasses import dataclass

from google.adk.events.event import Event
from google.adk.sessions.base_session_service import GetSessionConfig

from storage.database import Connection
from storage.event_cache import parse
from storage.session_rows import span

QUESTION, COMPACTION, WAITING_CALL, PERSONS_ANSWER, REWIND = 1, 2, 4, 8, 16
SPECIAL_LIMIT = 400
COMPACTIONS = 20
WAITING_CALLS = 20
LONGEST_TURN = 100


class History(GetSessionConfig):
    """Reads the last `questions` questions and what they need, in place of a number of events."""

    questions: int = 12


@dataclass(frozen=True)
class Window:
    """Rows from `start` on, but for `dropped` ranges, after the older events `before`."""

    start: int
    dropped: list[tuple[int, int]]
    before: list[Event]

    def keeps(self, sequence: int) -> bool:
        """Whether a row from `start` on is part of it."""
        return not any(low <= sequence <= high for low, high in self.dropped)


def marks_of(event: Event) -> int:
    """The flags that are stored with an event."""
    actions = event.actions
    if actions and actions.rewind_before_invocation_id:
        return REWIND
    if actions and actions.compaction:
        return COMPACTION
    if event.long_running_tool_ids:
        return WAITING_CALL
    if event.author != "user":
        return 0
    if event.get_function_responses():
        return PERSONS_ANSWER
    return QUESTION if event.content and event.content.parts else 0


def find_window(connection: Connection, row_key: int, questions: int) -> Window:
    """Where the window of a session lies."""
    specials = connection.execute(
        "SELECT sequence, event_data FROM adk_events WHERE sequence > ? AND sequence < ? AND marks > 1"
        " ORDER BY sequence DESC LIMIT ?",
        (*span(row_key), SPECIAL_LIMIT),
    ).fetchall()
    special = parse(list(reversed(specials)))
    dropped = _rewound(connection, row_key, special)
    start = _start(connection, row_key, questions, dropped)
    window = Window(start, dropped, [])
    older = [(s, e) for s, e in special if s < start and window.keeps(s)]
    compactions = [(s, e) for s, e in older if e.actions.compaction][-COMPACTIONS:]
    waiting = _waiting(connection, row_key, older)
    before = dict(compactions) | {s: e for s, e in waiting if s < start}
    return Window(start, dropped, [before[sequence] for sequence in sorted(before)])


def _rewound(connection: Connection, row_key: int, special: list[tuple[int, Event]]) -> list[tuple[int, int]]:
    """Ranges of rows as ADK takes them back: the newest rewind first, and none that another one took back."""
    ranges: list[tuple[int, int]] = []
    low, end = span(row_key)
    for sequence, event in reversed(special):
        target = event.actions.rewind_before_invocation_id
        if not target or sequence >= end:
            continue
        row = connection.execute(
            "SELECT min(sequence) FROM adk_events WHERE sequence > ? AND sequence < ? AND invocation_id = ?",
            (low, sequence, target),
        ).fetchone()
        if row[0] is not None:
            end = int(row[0])
            ranges.append((end, sequence))
    return ranges


def _start(connection: Connection, row_key: int, questions: int, dropped: list[tuple[int, int]]) -> int:
    outside = "".join(" AND NOT sequence BETWEEN ? AND ?" for _ in dropped)
    row = connection.execute(
        f"SELECT sequence FROM adk_events WHERE sequence > ? AND sequence < ? AND marks = {QUESTION}{outside}"
        " ORDER BY sequence DESC LIMIT 1 OFFSET ?",
        (*span(row_key), *(edge for pair in dropped for edge in pair), questions - 1),
    ).fetchone()
    return int(row[0]) if row else 0


def _waiting(connection: Connection, row_key: int, older: list[tuple[int, Event]]) -> list[tuple[int, Event]]:
    """The turns of the newest long-running calls that no person answered before the window."""
    answered = {
        response.id
        for _, event in older
        if event.author == "user"
        for response in event.get_function_responses()
    }
    found: dict[int, Event] = {}
    calls = [(s, e) for s, e in older if (e.long_running_tool_ids or set()) - answered]
    for sequence, event in calls[-WAITING_CALLS:]:
        found |= dict(parse(_around(connection, row_key, sequence, event.invocation_id)))
    return list(found.items())


def _around(connection: Connection, row_key: int, sequence: int, invocation_id: str) -> list[tuple[int, str]]:
    """Rows of one turn near a row of it."""
    low, high = span(row_key)
    return [
        (row[0], row[1])
        for row in connection.execute(
            "SELECT sequence, event_data FROM adk_events WHERE sequence > ? AND sequence < ?"
            " AND invocation_id = ? ORDER BY sequence",
            (max(low, sequence - LONGEST_TURN), min(high, sequence + LONGEST_TURN), invocation_id),
        )
    ]
