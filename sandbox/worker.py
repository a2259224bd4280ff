"""The worker's own program: takes limits on itself, then answers one call after another.

Calls and answers are JSON with a length before them, on the pipes that were its standard input and
output; code that runs here finds empty ones in their place. The worker ends when its parent does, also in
the middle of a query.
"""

import ctypes
import json
import math
import os
import resource
import signal
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
PROCESSOR_SECONDS_MORE = 5
DEATH_SIGNAL = 1  # PR_SET_PDEATHSIG


def main() -> None:
    """Serves calls until the parent closes the pipe."""
    settings = json.loads(sys.argv[1])
    incoming, outgoing = os.fdopen(os.dup(0), "rb"), os.fdopen(os.dup(1), "wb")
    devnull = os.open(os.devnull, os.O_RDWR)
    os.dup2(devnull, 0)
    os.dup2(devnull, 1)
    _limit(settings["address_space_mb"])
    _leave_with(settings["parent"])
    engine = Engine(settings["engine_mb"], settings["threads"])
    while (call := read_message(incoming)) is not None:
        _limit_processor_time(call["seconds"] * settings["threads"])
        data = _encoded(_answer(engine, call, settings))
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
    except (duckdb.Error, RecursionError, UnicodeError, OSError) as error:
        return {"error": "QueryFailed", "message": str(error)}


def _encoded(answer: dict[str, Any]) -> bytes:
    try:
        return json.dumps(answer).encode()
    except MemoryError as error:
        return json.dumps({"error": "MemoryLimitExceeded", "message": str(error)}).encode()
    except (TypeError, ValueError, RecursionError) as error:
        message = f"The output cannot be returned as JSON: {error}"
        return json.dumps({"error": ProgramFailed.__name__, "message": message}).encode()


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


def _limit_processor_time(seconds: float) -> None:
    """The system's own end for a call whose parent is gone and cannot end it."""
    used = resource.getrusage(resource.RUSAGE_SELF)
    allowed = math.ceil(used.ru_utime + used.ru_stime + seconds) + PROCESSOR_SECONDS_MORE
    most = resource.getrlimit(resource.RLIMIT_CPU)[1]
    allowed = allowed if most == resource.RLIM_INFINITY else min(allowed, most)
    resource.setrlimit(resource.RLIMIT_CPU, (allowed, most))


def _leave_with(parent: int) -> None:
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(DEATH_SIGNAL, signal.SIGKILL)
    threading.Thread(target=_watch, args=(parent,), daemon=True).start()


def _watch(parent: int) -> None:
    while os.getppid() == parent:
        time.sleep(PARENT_POLL_SECONDS)
    os._exit(1)


if __name__ == "__main__":
    main()
