"""Words of titles and messages, found by the database's own full-text index.

SQLite's index takes in new events when somebody searches, so storing one costs nothing more; PostgreSQL's is
written with the event. Every word of a query has to occur, the last one also as a beginning.
"""

import re
import unicodedata
from typing import TYPE_CHECKING

from storage.database import Connection

if TYPE_CHECKING:
    from google.adk.events.event import Event

LONGEST_TEXT = 200_000
LONGEST_WORD = 200
MOST_WORDS = 12
WORD = re.compile(r"[^\W_]+")


def words_column(connection: Connection, event: "Event | None") -> tuple[str, str, tuple[str, ...]]:
    """What an INSERT of an event adds to be found: column, expression and values; nothing on SQLite."""
    if connection.dialect == "sqlite" or event is None:
        return "", "", ()
    parts = (event.content.parts or []) if event.content else []
    text = "\n".join(part.text for part in parts if part.text and not part.thought)[:LONGEST_TEXT]
    if not text:
        return "", "", ()
    return ", words", ", to_tsvector('simple', ?::text)", (" ".join(WORD.findall(_without_accents(text))),)


def catch_up(connection: Connection) -> None:
    """Takes events that were stored since the last time into SQLite's index."""
    if connection.dialect != "sqlite":
        return
    connection.execute(
        "INSERT INTO words (rowid, text) SELECT t.sequence, t.words FROM adk_sessions s JOIN event_texts t"
        " ON t.sequence > (s.key << 32) + s.words_revision AND t.sequence <= (s.key << 32) + s.revision"
        " WHERE s.revision > s.words_revision AND t.words IS NOT NULL"
    )
    connection.execute("UPDATE adk_sessions SET words_revision = revision WHERE revision > words_revision")


def is_behind(connection: Connection) -> bool:
    """Whether events wait to be taken in."""
    if connection.dialect != "sqlite":
        return False
    waiting = "SELECT 1 FROM adk_sessions WHERE revision > words_revision LIMIT 1"
    return connection.execute(waiting).fetchone() is not None


def matching(connection: Connection, query: str) -> tuple[str, list[str]]:
    """An SQL condition on `s.key`, and its values, for sessions in which all words of `query` occur.

    The words may be spread over a session's title and messages only if one of them holds them all.
    """
    words = [word[:LONGEST_WORD] for word in WORD.findall(query.lower())[:MOST_WORDS]]
    if not words:
        return "false" if query.strip() else "true", []
    if connection.dialect == "sqlite":
        terms = " ".join(f'"{word}"' for word in words) + "*"
        return (
            "s.key IN (SELECT CASE WHEN rowid < 0 THEN -rowid ELSE rowid >> 32 END FROM words"
            " WHERE words MATCH ?)",
            [terms],
        )
    return (
        "(title_words(s.title) @@ ?::tsquery OR s.key IN"
        " (SELECT e.session_key FROM adk_events e WHERE e.words @@ ?::tsquery))",
        [_tsquery(words), _tsquery(WORD.findall(_without_accents(" ".join(words))))],
    )


def _tsquery(words: list[str]) -> str:
    return " & ".join([*(f"'{word}'" for word in words[:-1]), *(f"'{word}':*" for word in words[-1:])])


def _without_accents(text: str) -> str:
    """As SQLite's index has them, so that a search finds the same on both."""
    if text.isascii():
        return text.lower()
    parts = unicodedata.normalize("NFKD", text.lower())
    return "".join(part for part in parts if not unicodedata.combining(part))
