"""What the parts of the page work with: the open conversation and what a click may begin in it."""

from collections.abc import Callable
from dataclasses import dataclass

from agents.assistant import Assistant
from storage.keys import SessionKey
from storage.results import Result
from storage.session_states import SessionState


@dataclass(frozen=True)
class Desk:
    """One open conversation."""

    assistant: Assistant
    key: SessionKey
    ask: Callable[[str], None]
    ask_directly: Callable[[str], None]
    """Asks in direct mode, whatever the conversation's mode is."""
    editable: bool
    """Whether code may be edited and run: not in an expired conversation."""

    def result(self, result_id: str) -> Result | None:
        """A stored result of this user."""
        return self.assistant.store.results.get(self.key.user_id, result_id)

    def verification(self, thread_id: str) -> SessionState | None:
        """A verified answer's row."""
        return self.assistant.store.session_states.get_session_state(thread_id, user_id=self.key.user_id)
