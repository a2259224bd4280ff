"""Real turns on a whole assistant, as the agents' own tests open it."""

from tests.agents.conftest import assistant

__all__ = ["assistant"]
