"""A process with notebooks in it, asked line by line: resetting would harm the process of the tests."""

import json
import os
from pathlib import Path
from typing import Any

from sandbox.notebook import Notebook, warm


def threads() -> list[str]:
    """The threads of this process by name."""
    return [(task / "comm").read_text().strip() for task in Path("/proc/self/task").iterdir()]


def forked(notebook: Notebook, call: dict[str, Any]) -> dict[str, Any]:
    """What a run gives in a fork of this process."""
    reading, writing = os.pipe()
    child = os.fork()
    if child == 0:
        with os.fdopen(writing, "w") as answer:
            answer.write(json.dumps(notebook.run(call["code"], call["tables"])))
        os._exit(0)
    os.close(writing)
    with os.fdopen(reading) as answer:
        found: dict[str, Any] = json.loads(answer.read())
    os.waitpid(child, 0)
    return found


def main() -> None:
    """Answers calls until its input ends."""
    incoming, outgoing = os.fdopen(os.dup(0), "r"), os.fdopen(os.dup(1), "w")
    devnull = os.open(os.devnull, os.O_RDWR)
    os.dup2(devnull, 0)
    os.dup2(devnull, 1)
    warm()
    notebooks: dict[int, Notebook] = {}
    for line in incoming:
        call = json.loads(line)
        notebook = notebooks.get(call["notebook"])
        answer: Any = None
        if call["do"] == "open":
            os.chdir(call["folder"])
            notebooks[call["notebook"]] = Notebook(memory_mb=500, threads=2)
        elif notebook is None:
            raise LookupError(call["notebook"])
        elif call["do"] == "run":
            answer = notebook.run(call["code"], call["tables"])
        elif call["do"] == "fork":
            answer = forked(notebook, call)
        elif call["do"] == "rest":
            notebook.rest()
            answer = threads()
        elif call["do"] == "close":
            del notebooks[call["notebook"]]
        outgoing.write(json.dumps(answer, allow_nan=False) + "\n")
        outgoing.flush()
    os._exit(0)


if __name__ == "__main__":
    main()
