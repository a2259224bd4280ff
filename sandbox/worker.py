"""The worker's own program: takes limits on itself, then answers one call after another.

Calls and answers are JSON with a length before them, on the standard pipes. The worker ends when its
parent does, also in the middle of a query.
"""

import json
import os
import resource
import struct
import sys
import threading
import time
from typing import Any, BinaryIO

import duckdb

from sandbox.convert import convert
from sandbox.engine import Engine
from sandbox.errors import OutputTooLarge, ProgramFailed, QueryFailed

HEADER = struct.Struct(">Q")
OPEN_FILES = 256
PARENT_POLL_SECONDS = 1.0


def main() -> None:
    """Serves calls until the parent closes the pipe."""
    settings = json.loads(sys.argv[1])
    incoming, outgoing = sys.stdin.buffer, os.fdopen(os.dup(1), "wb")
    devnull = os.open(os.devnull, os.O_RDWR)
    os.dup2(devnull, 1)
    _limit(settings["address_space_mb"])
    threading.Thread(target=_leave_with, args=(os.getppid(),), daemon=True).start()
    engine = Engine(settings["engine_mb"], settings["threads"])
    while (call := read_message(incoming)) is not None:
        answer = _answer(engine, call, settings)
        data = json.dumps(answer).encode()
        if len(data) > settings["output_bytes"]:
            size = f"{len(data) / 1e6:,.0f} MB"
            data = json.dumps({"error": OutputTooLarge.__name__, "message": size}).encode()
        outgoing.write(HEADER.pack(len(data)) + data)
        outgoing.flush()


def read_message(stream: BinaryIO) -> dict[str, Any] | None:
    """The next message, or None at the end of the stream."""
    header = stream.read(HEADER.size)
    if len(header) < HEADER.size:
        return None
    message: dict[str, Any] = json.loads(stream.read(HEADER.unpack(header)[0]))
    return message


def _answer(engine: Engine, call: dict[str, Any], settings: dict[str, Any]) -> dict[str, Any]:
    try:
        if call["do"] == "query":
            table = engine.query(call["sql"], call["tables"], call["limit"])
            return {"ok": table.to_json()}
        if call["do"] == "program":
            return {"ok": engine.program(call["code"], call["tables"])}
        return {"ok": convert(call["source"], call["target"], call["read"], settings["engine_mb"])}
    except (MemoryError, duckdb.OutOfMemoryException) as error:
        return {"error": "MemoryLimitExceeded", "message": str(error)}
    except (QueryFailed, ProgramFailed) as error:
        return {"error": type(error).__name__, "message": str(error)}
    except duckdb.Error as error:
        return {"error": "QueryFailed", "message": str(error)}


def _limit(address_space_mb: int) -> None:
    wanted = {
        resource.RLIMIT_CORE: 0,
        resource.RLIMIT_NOFILE: OPEN_FILES,
        resource.RLIMIT_AS: address_space_mb * 1024 * 1024,
    }
    for name, value in wanted.items():
        try:
            resource.setrlimit(name, (value, value))
        except (ValueError, OSError):  # macOS knows RLIMIT_AS but refuses to set it
            continue


def _leave_with(parent: int) -> None:
    while os.getppid() == parent:
        time.sleep(PARENT_POLL_SECONDS)
    os._exit(1)


if __name__ == "__main__":
    main()
