"""Registers our session service with ADK's commands, as the URI scheme `assistant`.

`adk web --session_service_uri=assistant:// agents` then uses the sessions of the page; a path after
the slashes names another database file.
"""

import sys
from pathlib import Path
from typing import Any

from google.adk.cli.service_registry import get_service_registry
from google.adk.sessions.base_session_service import BaseSessionService

SCHEME = "assistant"
# ADK's commands put this folder on the path, and import it before the one above.
ROOT = str(Path(__file__).parent.parent)
if ROOT not in sys.path:
    sys.path.insert(0, ROOT)


def session_service(uri: str, **_: Any) -> BaseSessionService:
    """The service behind `assistant://` or `assistant:///path/to/file`."""
    path = uri.removeprefix(f"{SCHEME}://")
    if path:
        from storage.sessions import DatabaseSessionService

        return DatabaseSessionService(path)
    from agents.workspace import workspace

    return workspace().store.sessions


get_service_registry().register_session_service(SCHEME, session_service)
