"""Conversations whose code runs at Google, and what their turns left."""

from collections.abc import Callable

from agents.assistant import Assistant
from storage.keys import SessionKey
from storage.results import Result
from storage.turns import TurnRecord
from tests.agents.conftest import with_sample
from tests.servers.gemini import GeminiServer

Serve = Callable[..., GeminiServer]
CODE = "import pandas as pd\nprint(len(pd.read_csv('input_file_0.csv')))"
DRAWING = "plt.plot(x, y)\nplt.show()"
PNG = b"\x89PNG\r\n\x1a\n" + bytes(range(256))
OTHER_PNG = PNG + b"other"


def at_google(made: Assistant, user: str = "ann") -> SessionKey:
    """A conversation with the sample whose code runs at Google."""
    key = with_sample(made, user)
    choose_google(made, key)
    return key


def choose_google(made: Assistant, key: SessionKey) -> None:
    """Code mode, with code at Google."""
    made.set_mode(key, "code")
    made.set_code_runs(key, "gemini")


def results(made: Assistant, record: TurnRecord) -> list[Result]:
    """The results of a turn, as they are stored."""
    ids = [part["id"] for part in record.parts if part["kind"] == "result"]
    return [result for i in ids if (result := made.store.results.get(record.key.user_id, i))]


def kinds(record: TurnRecord) -> list[str]:
    """What a turn shows, in order."""
    return [part["kind"] for part in record.parts]
