"""The app's side of the warm process: starts it, and has it fork locked processes.

One warm process serves the whole app. It lives as long as the app holds the control socket's other end.
"""

import atexit
import contextlib
import dataclasses
import json
import math
import os
import re
import select
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from sandbox.errors import WorkerDied
from sandbox.isolation import AUTO, Isolation, find, wrapper
from sandbox.lockdown import Grant
from sandbox.worker import HEADER

ROOT = Path(__file__).parent.parent
START = "import sys; sys.path.insert(0, sys.argv.pop(1)); from sandbox.warm import main; main()"
PASSED_ON = ("PATH", "LANG", "LC_ALL", "TZ", "LD_LIBRARY_PATH")
START_SECONDS = 60.0
END_SECONDS = 5.0
WRITE_BYTES = 64 * 1024
READ_BYTES = 1 << 20
SKIPPED_BYTES = 1000


class TimeOver(Exception):
    """The deadline of an exchange passed."""


class PipeEnded(Exception):
    """The process at the other end of a pipe is gone."""


class Process:
    """A locked process (with what it forks) and the pipes to it; letting go of it kills it."""

    def __init__(self, told: socket.socket, calls: int, answers: int) -> None:
        self._told = told
        self._calls = calls
        self._answers = answers
        self._lock = threading.Lock()
        self._open = True
        self._last = b""
        """What came last, also as part of a message that never became one."""
        self.forks = False
        """Whether it runs somebody's code, each run in a fork of it."""
        self.mark = ""
        """Of the last call; its answer carries it."""
        self.died = False
        """Whether it has said that the run of the last call is over."""
        self.word = ""
        """The mark of what it was told last and has not said back yet."""
        self.warm: subprocess.Popen[bytes] | None = None
        """The warm process that it was forked from."""
        self.pid = 0
        """The process that was locked first; runs are forks of it."""

    @property
    def running(self) -> bool:
        """Whether it can still answer."""
        if not self._open:
            return False
        poll = select.poll()
        poll.register(self._answers, 0)
        return not poll.poll(0)

    def tell(self, word: bytes) -> None:
        """One of `sandbox.warm`'s words."""
        with self._lock:
            if self._open:
                with contextlib.suppress(OSError):
                    self._told.sendall(word)

    def reason(self, seconds: float) -> str:
        """What the warm process said about an end, waiting that long for it; empty for nothing."""
        try:
            if ready(self._told.fileno(), select.POLLIN, time.monotonic() + seconds) or seconds == 0:
                return self._told.recv(4096, socket.MSG_DONTWAIT).decode(errors="replace")
        except OSError:
            pass
        return ""

    def kill(self) -> None:
        """Ends it and everything it started. A call that waits for its answer finds the pipe's end."""
        with self._lock:
            if self._open:
                with contextlib.suppress(OSError):
                    self._told.shutdown(socket.SHUT_RDWR)
                self._end_orphans()

    def close(self) -> None:
        """Ends it and frees the pipes; nobody may be reading or writing."""
        with self._lock:
            if self._open:
                self._open = False
                self._end_orphans()
                self._told.close()
                os.close(self._calls)
                os.close(self._answers)

    def _end_orphans(self) -> None:
        """What the warm process would do, if it is gone itself."""
        if self.pid and self.warm is not None and self.warm.poll() is not None:
            with contextlib.suppress(ProcessLookupError, PermissionError):
                os.killpg(self.pid, signal.SIGKILL)

    def write(self, message: bytes, deadline: float) -> None:
        """Sends one message. Raises TimeOver and PipeEnded."""
        left = memoryview(HEADER.pack(len(message)) + message)
        while left:
            if not ready(self._calls, select.POLLOUT, deadline):
                raise TimeOver
            try:
                left = left[os.write(self._calls, left[:WRITE_BYTES]) :]
            except BrokenPipeError:
                raise PipeEnded from None

    def read(self, size: int, deadline: float) -> bytes:
        """Exactly `size` bytes. Raises TimeOver and PipeEnded."""
        data = bytearray()
        while len(data) < size:
            if not ready(self._answers, select.POLLIN, deadline):
                raise TimeOver
            data += self._piece(min(size - len(data), READ_BYTES))
        return bytes(data)

    def skip(self, end: re.Pattern[bytes], deadline: float) -> None:
        """Reads until what came ends as `end` says. Raises TimeOver and PipeEnded."""
        while not end.search(self._last):
            if not ready(self._answers, select.POLLIN, deadline):
                raise TimeOver
            self._piece(READ_BYTES)

    def _piece(self, most: int) -> bytes:
        piece = os.read(self._answers, most)
        if not piece:
            raise PipeEnded
        self._last = (self._last + piece[-SKIPPED_BYTES:])[-SKIPPED_BYTES:]
        return piece


def ready(descriptor: int, event: int, deadline: float) -> bool:
    """Whether the pipe can be used, or its other end is gone, before the deadline."""
    left = deadline - time.monotonic()
    poll = select.poll()
    poll.register(descriptor, event)
    return left > 0 and bool(poll.poll(math.ceil(left * 1000)))


class Launcher:
    """Starts the warm process when it is first needed, and again if it died."""

    def __init__(self, kind: Isolation | None = None, wrapper: Sequence[str] = ()) -> None:
        """`wrapper` is a command that the warm process is started in."""
        self.isolation = kind or find()
        self._wrapper = list(wrapper)
        self._lock = threading.Lock()
        self._control: socket.socket | None = None
        self._process: subprocess.Popen[bytes] | None = None
        self._home: tempfile.TemporaryDirectory[str] | None = None

    def warm(self) -> None:
        """Starts the warm process, so that the first call does not wait for it."""
        with self._lock:
            self._started()

    def spawn(self, kind: str, grant: Grant, settings: dict[str, Any]) -> Process:
        """A locked process for `engine` or `notebook` calls. Raises WorkerDied with the reason."""
        ours, theirs = socket.socketpair()
        calls_read, calls_write = os.pipe()
        answers_read, answers_write = os.pipe()
        os.set_blocking(calls_write, False)
        order = {"kind": kind, "grant": dataclasses.asdict(grant), "settings": settings}
        process = Process(ours, calls_write, answers_read)
        process.forks = grant.forks
        try:
            with self._lock:
                control = self._started()
                process.warm = self._process
                socket.send_fds(
                    control, [json.dumps(order).encode()], [theirs.fileno(), calls_read, answers_write]
                )
        except OSError as error:
            process.close()
            raise WorkerDied(f"The process that computes answers could not be started: {error}") from error
        finally:
            theirs.close()
            os.close(calls_read)
            os.close(answers_write)
        ours.settimeout(START_SECONDS)
        try:
            said = ours.recv(4096).decode(errors="replace")
        except OSError as error:
            said = str(error)
        ours.settimeout(None)
        if not said.startswith("pid "):
            process.close()
            raise WorkerDied(f"The process that computes answers could not be locked: {said or 'it ended'}")
        process.pid = int(said.removeprefix("pid "))
        return process

    def for_code(self, read: Path, write: Path) -> "Launcher":
        """What somebody's code is forked from: this, or a wrapped one for one conversation alone."""
        if self.isolation.kind != "bubblewrap":
            return self
        return Launcher(self.isolation, wrapper(read, write, ROOT / "sandbox"))

    def close(self) -> None:
        """Ends the warm process and all that it forked."""
        with self._lock:
            self._end()

    def _started(self) -> socket.socket:
        if self._control is None or self._process is None or self._process.poll() is not None:
            self._end()
            # Whole messages, and an end that is noticed.
            kind = socket.SOCK_SEQPACKET if sys.platform == "linux" else socket.SOCK_STREAM
            self._control, theirs = socket.socketpair(socket.AF_UNIX, kind)
            settings = {"control": theirs.fileno(), "files": self.isolation.landlock}
            settings["calls"] = self.isolation.seccomp
            self._home = tempfile.TemporaryDirectory(prefix="warm-")
            with theirs:
                self._process = subprocess.Popen(
                    [*self._wrapper, sys.executable, "-I", "-c", START, str(ROOT), json.dumps(settings)],
                    pass_fds=[theirs.fileno()],
                    stdin=subprocess.DEVNULL,
                    stdout=subprocess.DEVNULL,
                    env=environment(self._home.name),
                    cwd=self._home.name,
                    start_new_session=True,
                )
        return self._control

    def _end(self) -> None:
        control, self._control = self._control, None
        process, self._process = self._process, None
        if control is not None:
            control.close()
        if process is not None:
            try:
                process.wait(END_SECONDS)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
        if self._home is not None:
            self._home.cleanup()
            self._home = None


def environment(home: str) -> dict[str, str]:
    """What the warm process finds of ours, and one thread for each library, because it forks."""
    clean = {name: os.environ[name] for name in PASSED_ON if name in os.environ}
    single = ("OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS", "MKL_NUM_THREADS", "NUMEXPR_NUM_THREADS")
    ours = {
        "HOME": home,
        "MPLBACKEND": "Agg",
        "MALLOC_ARENA_MAX": "2",
        # Arrow's other allocators have threads of their own, which a fork would lose.
        "ARROW_DEFAULT_MEMORY_POOL": "system",
        "JE_ARROW_MALLOC_CONF": "background_thread:false",
    }
    return clean | ours | dict.fromkeys(single, "1")


_lock = threading.Lock()
_shared: dict[str, Launcher] = {}


def shared(wanted: str = AUTO) -> Launcher:
    """The process's launcher with this isolation; `wanted` as for `sandbox.isolation.find`."""
    with _lock:
        if wanted not in _shared:
            _shared[wanted] = Launcher(find(wanted))
            atexit.register(_shared[wanted].close)
        return _shared[wanted]
