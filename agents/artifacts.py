"""Files beside results, kept by ADK's artifact service: the numbers of a table, what code wrote."""

import re
from dataclasses import dataclass

from google.adk.artifacts.base_artifact_service import BaseArtifactService
from google.genai import types

from analysis.present import frame
from storage.keys import SessionKey
from storage.results import Result


@dataclass(frozen=True)
class Artifact:
    """Bytes to keep under a name."""

    name: str
    data: bytes
    mime: str
    what: str = "The copy of these numbers as a file"
    """How a sentence calls it."""

    def part(self) -> types.Part:
        """As ADK takes it."""
        return types.Part.from_bytes(data=self.data, mime_type=self.mime)


def csv_of(result: Result) -> Artifact:
    """A result's numbers as CSV, named by its title, so that the same again is one more version."""
    name = re.sub(r"[^a-z0-9]+", "-", result.title.lower()).strip("-")[:60] or result.tool
    return Artifact(f"{name}.csv", frame(result).to_csv(index=False).encode("utf-8", "replace"), "text/csv")


async def save(service: BaseArtifactService, key: SessionKey, artifact: Artifact) -> None:
    """Keeps it with the session. Raises OSError and ValueError."""
    await service.save_artifact(
        app_name=key.app_name,
        user_id=key.user_id,
        session_id=key.session_id,
        filename=artifact.name,
        artifact=artifact.part(),
    )


async def load(service: BaseArtifactService, key: SessionKey, name: str) -> bytes | None:
    """The newest version's bytes, or None when it is not kept."""
    part = await service.load_artifact(
        app_name=key.app_name, user_id=key.user_id, session_id=key.session_id, filename=name
    )
    return part.inline_data.data if part and part.inline_data else None
