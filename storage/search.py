"""Words of titles and messages, found by the database's own full-text index.

SQLite's index takes in new events when somebody searches, so storing one costs nothing more; PostgreSQL's is
written with the event. Every word of a query has to occur, the last one also as a beginning.
"""

import re
from typing import TYPE_CHECKING

from storage.database import Connection

if TYPE_CHECKING:
    from google.adk.events.event import Event

LONGEST_TEXT = 200_000
MOST_WORDS = 12


def index_words(connection: Connection, sequence: int, event: "Event") -> None:
    """Makes a stored event's text findable, where this is not done later."""
    if connection.dialect == "sqlite":
        return
    parts = (event.content.parts or []) if event.content else []
    text = "\n".join(part.text for part in parts if part.text and not part.thought)[:LONGEST_TEXT]
    if text:
        connection.execute(
            "UPDATE adk_events SET words = to_tsvector('simple', ?) WHERE sequence = ?",
            (text.replace("\0", " "), sequence),
        )


def catch_up(connection: Connection) -> None:
    """Takes events that were stored since the last time into SQLite's index."""
    if connection.dialect != "sqlite":
        return
    done, newest = connection.execute(
        "SELECT sequence, (SELECT max(sequence) FROM adk_events) FROM words_indexed"
    ).fetchone()
    if newest is None or newest <= done:
        return
    connection.execute(
        "INSERT INTO words (rowid, text) SELECT sequence, words FROM event_texts"
        " WHERE sequence > ? AND words IS NOT NULL",
        (done,),
    )
    connection.execute("UPDATE words_indexed SET sequence = ?", (newest,))


def is_behind(connection: Connection) -> bool:
    """Whether events wait to be taken in."""
    if connection.dialect != "sqlite":
        return False
    row = connection.execute(
        "SELECT (SELECT max(sequence) FROM adk_events) > sequence FROM words_indexed"
    ).fetchone()
    return bool(row[0])


def matching(connection: Connection, query: str) -> tuple[str, list[str]]:
    """An SQL condition on `s.key`, and its values, for sessions in which all words of `query` occur.

    The words may be spread over a session's title and messages only if one of them holds them all.
    """
    words = re.findall(r"\w+", query.lower())[:MOST_WORDS]
    if not words:
        return "false" if query.strip() else "true", []
    if connection.dialect == "sqlite":
        terms = " ".join(f'"{word}"' for word in words) + "*"
        return (
            "s.key IN (SELECT CASE WHEN w.rowid < 0 THEN -w.rowid ELSE (SELECT e.session_key"
            " FROM adk_events e WHERE e.sequence = w.rowid) END FROM words w WHERE words MATCH ?)",
            [terms],
        )
    terms = " & ".join([*(f"'{word}'" for word in words[:-1]), f"'{words[-1]}':*"])
    return (
        "(to_tsvector('simple', s.title) @@ ?::tsquery OR s.key IN"
        " (SELECT e.session_key FROM adk_events e WHERE e.words @@ ?::tsquery))",
        [terms, terms],
    )
