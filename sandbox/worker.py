"""What a locked process does: it answers one call after another until the app closes the pipe.

Calls and answers are JSON with a length before them. Each answer carries the mark of its call, so that the
app takes no answer for another's.
"""

import json
import os
import resource
import select
import struct
import time
from collections.abc import Callable
from io import RawIOBase
from typing import Any, BinaryIO

import duckdb

from sandbox.engine import Engine, Progress
from sandbox.errors import OutputTooLarge, ProgramFailed, QueryFailed, Unreadable
from sandbox.profiling import profile
from sandbox.reading.job import read
from sandbox.saving import save

HEADER = struct.Struct(">Q")
PROCESSOR_SECONDS_MORE = 5
PIECE_BYTES = 1 << 20
PROGRESS_SECONDS = 0.1
Call = dict[str, Any]


def serve(kind: str, calls: int, answers: int, settings: dict[str, Any]) -> None:
    """Serves `engine` or `notebook` calls from and to these descriptors."""
    # Without a buffer: what a fork has read must not be read again by the process that it left.
    incoming, outgoing = os.fdopen(calls, "rb", buffering=0), os.fdopen(answers, "wb")
    if kind == "notebook":
        serve_notebook(incoming, outgoing, settings)
        return
    engine = Engine(settings["engine_mb"], settings["threads"])
    while (call := read_message(incoming)) is not None:
        _limit_processor_time(call["seconds"] * settings["threads"])
        answer = _answer(engine, call, settings, _progress(outgoing, call))
        write_message(outgoing, call, answer, settings["output_bytes"])
        engine.rest()


def serve_notebook(incoming: RawIOBase, outgoing: BinaryIO, settings: Call) -> None:
    """Runs each cell in a fork: one that fails is killed, and this process still has the variables.

    The fork is there before its call and has limbered up. A run that succeeded carries on when it is told
    "keep", and this process is killed then; of any other this process reports the end, and waits for "again".
    """
    from sandbox.notebook import Notebook

    # Bound here, so that no code can put others in their place.
    fork, wait, leave = os.fork, os.waitpid, os._exit
    home = os.open(".", os.O_RDONLY)
    notebook = Notebook(settings["engine_mb"], settings["threads"])
    limit = settings["output_bytes"]
    while True:
        taken, take = os.pipe()
        run, status = _forked(fork), 0
        if run == 0:
            call = _next_call(incoming, notebook)
            if call is None:
                return
            os.write(take, call["mark"].encode())
            # Nothing that the code may write to but the answers.
            os.close(taken)
            os.close(take)
            os.fchdir(home)
            _limit_processor_time(call["seconds"] * settings["threads"])
            answer = notebook.run(call["code"], call["tables"])
            write_message(outgoing, call, {"ok": answer}, limit)
            word = read_message(incoming)
            if word is None:
                return
            notebook.rest()
            # Threads that the code left running stay behind in this process.
            if _forked(fork) != 0:
                leave(0)
            write_message(outgoing, word, {"ready": True}, limit)
            continue
        if run is not None:
            status = wait(run, 0)[1]
        mark = _taken(taken, take)
        if not mark:
            # It ended before it took a call, or could not be forked; the next call is told so.
            call = read_message(incoming)
            if call is None:
                return
            mark = call["mark"]
        os.set_blocking(outgoing.fileno(), True)
        write_message(outgoing, {"mark": mark}, {"died": status}, limit)
        word = read_message(incoming)
        if word is None:
            return
        write_message(outgoing, word, {"ready": True}, limit)


def _forked(fork: Callable[[], int]) -> int | None:
    """What fork returns; None when it was refused, or there is no memory for another process."""
    try:
        return fork()
    except OSError:
        return None


def _next_call(incoming: RawIOBase, notebook: Any) -> Call | None:
    """Waits for a call; if none is there yet, makes the memory that every run writes to its own first."""
    if not select.select([incoming], [], [], 0)[0]:
        notebook.rehearse()
    return read_message(incoming)


def _taken(taken: int, take: int) -> str:
    """The mark of the call that a fork took, if it took one."""
    os.close(take)
    with os.fdopen(taken, "rb") as pipe:
        return pipe.read().decode()


def read_message(stream: RawIOBase) -> Call | None:
    """The next message, or None at the end of the stream."""
    header = _exactly(stream, HEADER.size)
    if header is None:
        return None
    body = _exactly(stream, HEADER.unpack(header)[0])
    if body is None:
        return None
    message: Call = json.loads(body)
    return message


def _exactly(stream: RawIOBase, size: int) -> bytes | None:
    data = bytearray()
    while len(data) < size:
        piece = stream.read(min(size - len(data), PIECE_BYTES))
        if piece is None:
            # Code has made the pipe one that does not wait, for every process that shares it.
            os.set_blocking(stream.fileno(), True)
            continue
        if not piece:
            return None
        data += piece
    return bytes(data)


def write_message(stream: BinaryIO, call: Call, answer: dict[str, Any], limit: int) -> None:
    """Sends an answer to `call`; one that is no JSON or too long is replaced by the reason."""
    mark = {"mark": call["mark"]}
    data = _encoded(answer | mark)
    if len(data) > limit:
        size = f"{len(data) / 1e6:,.0f} MB"
        data = _encoded({"error": OutputTooLarge.__name__, "message": size} | mark)
    stream.write(HEADER.pack(len(data)) + data)
    stream.flush()


def _progress(stream: BinaryIO, call: Call) -> Progress:
    """Tells the app how far the call is, at most some times a second."""
    last = 0.0

    def tell(part: float, text: str = "") -> None:
        nonlocal last
        now = time.monotonic()
        if now - last >= PROGRESS_SECONDS:
            last = now
            write_message(stream, call, {"progress": [float(part), str(text)[:200]]}, PIECE_BYTES)

    return tell


def _answer(engine: Engine, call: Call, settings: dict[str, Any], progress: Progress) -> dict[str, Any]:
    kinds: dict[str, Callable[[], Any]] = {
        "query": lambda: engine.query(call["sql"], call["tables"], call["limit"]).to_json(),
        "program": lambda: engine.program(call["code"], call["tables"], call["files"], progress),
        "read": lambda: read(call, settings, progress),
        "profile": lambda: engine.reading(
            call["tables"], lambda con: profile(con, call["columns"], call["now"], progress)
        ),
        "save": lambda: save(
            call["sql"], call["tables"], call["target"], settings["engine_mb"], settings["threads"]
        ),
    }
    try:
        return {"ok": kinds[call["do"]]()}
    except (MemoryError, duckdb.OutOfMemoryException) as error:
        return {"error": "MemoryLimitExceeded", "message": str(error)}
    except (QueryFailed, ProgramFailed, Unreadable) as error:
        return {"error": type(error).__name__, "message": str(error)}
    except (duckdb.Error, RecursionError, UnicodeError, OSError) as error:
        return {"error": "QueryFailed", "message": str(error)}


def _encoded(answer: dict[str, Any]) -> bytes:
    mark = {"mark": answer["mark"]}
    try:
        return json.dumps(answer).encode()
    except MemoryError as error:
        return json.dumps({"error": "MemoryLimitExceeded", "message": str(error)} | mark).encode()
    except (TypeError, ValueError, RecursionError) as error:
        message = f"The output cannot be returned as JSON: {error}"
        return json.dumps({"error": ProgramFailed.__name__, "message": message} | mark).encode()


def _limit_processor_time(seconds: float) -> None:
    """The system's own end for a call whose parent is gone and cannot end it."""
    used = resource.getrusage(resource.RUSAGE_SELF)
    allowed = int(used.ru_utime + used.ru_stime + seconds) + PROCESSOR_SECONDS_MORE
    most = resource.getrlimit(resource.RLIMIT_CPU)[1]
    allowed = allowed if most == resource.RLIM_INFINITY else min(allowed, most)
    resource.setrlimit(resource.RLIMIT_CPU, (allowed, most))
