"""The full name of a session."""

from dataclasses import dataclass


@dataclass(frozen=True)
class SessionKey:
    """ADK names a session by app, user and id; a session is only ever read through all three."""

    app_name: str
    user_id: str
    session_id: str
