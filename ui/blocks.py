"""What a turn's parts are to a reader: steps together, the words, verdicts, and pieces of work with versions.

Pure: the page draws what comes out of here, live and from the store alike.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

Part = dict[str, Any]


@dataclass
class Version:
    """One run of some code: the results that it gave, in order."""

    id: str
    """The run's id, or the result's where a tool made it."""
    results: list[str] = field(default_factory=list)
    failed: bool = False


@dataclass
class Steps:
    """What was done, and failed runs that were corrected afterwards."""

    steps: list[Part]
    attempts: list[Version]


@dataclass
class Said:
    """Words of the answer."""

    text: str


@dataclass
class Verdict:
    """A verified answer's row, by its thread."""

    thread_id: str


@dataclass
class Work:
    """Code with what it gave, as first answered and as edited since; the newest version is last."""

    versions: list[Version]

    @property
    def id(self) -> str:
        """The first version's, which stays."""
        return self.versions[0].id


Block = Steps | Said | Verdict | Work


def blocks(parts: Sequence[Part], *, answering: bool = False) -> list[Block]:
    """What to draw, in the order a reader wants it.

    While the answer is being made, a failed run may still be corrected, and waits among the steps.
    """
    steps = [dict(part) for part in parts if part["kind"] == "step"]
    said = [Said(part["text"]) for part in parts if part["kind"] == "text" and part["text"].strip()]
    verdicts = [Verdict(part["thread_id"]) for part in parts if part["kind"] == "verification"]
    attempts, shown = _attempts(_works(parts), answering=answering)
    made: list[Block] = [Steps(steps, attempts)] if steps or attempts else []
    return [*made, *said, *verdicts, *shown]


def _works(parts: Sequence[Part]) -> list[Work]:
    works: dict[str, Work] = {}
    versions: dict[str, Version] = {}
    for part in parts:
        if part["kind"] != "result":
            continue
        run = part.get("run") or part["id"]
        if run not in versions:
            version = versions[run] = Version(run)
            first = works.get(part.get("version_of", ""))
            if first is None:
                works[run] = Work([version])
            else:
                first.versions.append(version)
        versions[run].results.append(part["id"])
        versions[run].failed |= bool(part.get("failed"))
    return list(works.values())


def _attempts(works: list[Work], *, answering: bool) -> tuple[list[Version], list[Work]]:
    """Failed runs that another run followed, and all other work.

    Of several failed runs in a row the last one is work: it says how the answer ended.
    """
    runs = [work for work in works if work.versions[0].id not in work.versions[0].results]
    corrected = runs if answering else runs[:-1]
    past = [work for work in corrected if work.versions[0].failed and len(work.versions) == 1]
    return [work.versions[0] for work in past], [work for work in works if work not in past]
