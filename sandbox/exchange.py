"""One call to a locked process, and its answer: with a mark, a deadline, and bounds on what comes back."""

import json
import os
import re
import secrets
import signal
import threading
import time
from collections.abc import Callable
from typing import Any, TypeVar

from sandbox import errors
from sandbox.launcher import PipeEnded, Process, TimeOver
from sandbox.processes import SCRATCH_FILES, SCRATCH_MB
from sandbox.warm import MAX_THREADS
from sandbox.worker import HEADER

LEAVING_SECONDS = 0.3
MAX_PARTS = 5_000_000
STOPPED = "Stopped."
FULL = f"The code filled its folder (at most {SCRATCH_FILES} files and {SCRATCH_MB} MB) and was ended."
CROWDED = f"The code started more than {MAX_THREADS} threads and was ended."
CRASHED = "The code crashed its process ({}), in a library or for lack of memory. Its variables are kept."
DIED = "The process that computes answers {}. Ask again."
NO_ANSWER = DIED.format("sent something that is no answer")
KINDS = {kind.__name__: kind for kind in errors.SandboxError.__subclasses__()}
T = TypeVar("T")
Progress = Callable[[float, str], None]


def ask(
    process: Process,
    call: dict[str, Any],
    timeout: float,
    read: Callable[[Any], T],
    *,
    output_bytes: int,
    stopped: threading.Event,
    progress: Progress | None = None,
) -> T:
    """Sends the call and reads its answer. Raises the errors that the process or its end mean.

    `progress` hears how far the call is: a part between 0 and 1, and words.
    """
    # A stop that came before there was anything to stop.
    if stopped.is_set():
        raise errors.WorkerStopped(STOPPED)
    process.mark, process.died = secrets.token_hex(8), False
    message = json.dumps(call | {"seconds": timeout, "mark": process.mark}).encode()
    deadline = time.monotonic() + timeout
    try:
        process.write(message, deadline)
        while "progress" in (answer := _answer(process, output_bytes, deadline)):
            if progress is not None:
                progress(*_understood(_told, answer["progress"]))
    except TimeOver:
        raise errors.TimeLimitExceeded(_too_long(timeout)) from None
    except PipeEnded:
        raise _ended(process, process.reason(LEAVING_SECONDS), stopped) from None
    if "ok" in answer:
        return _understood(read, answer["ok"])
    if "died" in answer:
        process.died = True
        reason = process.reason(0) or f"ended {_understood(int, answer['died'])}"
        raise _ended(process, reason, stopped)
    kind, reason = _understood(_refusal, answer)
    raise kind(explained(kind, reason))


def tell(process: Process, word: str) -> None:
    """Sends a word that the notebook says back when it has taken it. Raises TimeOver and PipeEnded."""
    process.word = secrets.token_hex(8)
    message = json.dumps({"do": word, "mark": process.word}).encode()
    process.write(message, time.monotonic() + LEAVING_SECONDS)


def await_ready(process: Process, seconds: float) -> None:
    """Reads until it says its word back, whatever comes before. Raises TimeOver and PipeEnded."""
    word, process.word = process.word, ""
    if word:
        process.skip(_end_of('"ready": true', word), time.monotonic() + seconds)


def await_death(process: Process, seconds: float) -> None:
    """Reads until it says that the run of its last call is over. Raises TimeOver and PipeEnded."""
    if not process.died:
        process.skip(_end_of(r'"died": \d+', process.mark), time.monotonic() + seconds)


def _answer(process: Process, output_bytes: int, deadline: float) -> dict[str, Any]:
    (size,) = HEADER.unpack(process.read(HEADER.size, deadline))
    if size <= output_bytes + 1024:
        data = process.read(size, deadline)
        answer = _understood(_bounded if process.forks else _dictionary, data)
        if answer.get("mark") == process.mark:
            return answer
    raise errors.WorkerDied(NO_ANSWER)


def _ended(process: Process, reason: str, stopped: threading.Event) -> errors.SandboxError:
    """What the end of a process means; `reason` is what the warm process said, or its status."""
    if stopped.is_set():
        return errors.WorkerStopped(STOPPED)
    if "disk" in reason:
        return errors.DiskLimitExceeded(FULL)
    if "threads" in reason:
        return errors.WorkerDied(CROWDED)
    digits = reason.rpartition("ended ")[2].strip()
    status = int(digits) if digits.isdigit() else 0
    ended_by = os.WTERMSIG(status) if os.WIFSIGNALED(status) else 0
    if ended_by == signal.SIGXCPU:
        return errors.TimeLimitExceeded("This took more processor time than a call may use.")
    if process.forks and ended_by in (signal.SIGSEGV, signal.SIGABRT, signal.SIGBUS):
        return errors.WorkerDied(CRASHED.format(signal.Signals(ended_by).name))
    if ended_by in (signal.SIGKILL, signal.SIGSEGV, signal.SIGABRT, signal.SIGBUS):
        return errors.MemoryLimitExceeded(explained(errors.MemoryLimitExceeded, ""))
    return errors.WorkerDied(DIED.format(f"ended ({reason or 'no reason given'})"))


def _understood(read: Callable[[Any], T], data: Any) -> T:
    """`read(data)`; data of another form than an answer's raises WorkerDied."""
    try:
        return read(data)
    except (ArithmeticError, AttributeError, LookupError, RecursionError, TypeError, ValueError) as error:
        raise errors.WorkerDied(NO_ANSWER) from error


def _end_of(content: str, mark: str) -> re.Pattern[bytes]:
    """The end of a message that only says one thing, as `sandbox.worker` writes it."""
    return re.compile(rf'\{{{content}, "mark": "{mark}"\}}\Z'.encode())


def _dictionary(data: bytes) -> dict[str, Any]:
    return dict(json.loads(data))


def _bounded(data: bytes) -> dict[str, Any]:
    """Millions of empty lists fit into few bytes, and would hold the whole app up while they are read."""
    if data.count(b",") + data.count(b"[") + data.count(b"{") > MAX_PARTS:
        raise ValueError("an answer of too many parts")
    return _dictionary(data)


def _told(progress: Any) -> tuple[float, str]:
    part, text = progress
    return min(max(float(part), 0.0), 1.0), str(text)


def _refusal(answer: dict[str, Any]) -> tuple[type[errors.SandboxError], str]:
    return KINDS[answer["error"]], str(answer["message"])


def _too_long(timeout: float) -> str:
    return (
        f"This took longer than {timeout:g} seconds and was stopped. "
        "Ask for less: fewer rows, fewer groups, or a narrower filter."
    )


def explained(kind: type[errors.SandboxError], message: str) -> str:
    """The message for a person."""
    if kind is errors.MemoryLimitExceeded:
        return (
            "This needs more memory than a query may use. Ask for less: fewer columns, fewer "
            "groups, or a narrower filter."
        )
    if kind is errors.OutputTooLarge:
        return f"The answer is too large to show ({message}). Group it, filter it, or ask for the top."
    first = message.split("\n\n")[0].strip()
    return first[:1000]
