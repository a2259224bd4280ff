"""The warm process: imports what analyses use once, then forks locked processes as it is told.

It runs no code but ours and has one thread. It holds, for each group of processes that it forked, a socket
to the app; when that closes, because the app let go of it or died, the whole group is killed. It decides
about every fork inside a locked group: those that the app's word for a run's end allows, none otherwise.
"""

import contextlib
import ctypes
import gc
import importlib
import json
import os
import selectors
import signal
import socket
import sys
import time
import traceback
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from sandbox import processes
from sandbox.lockdown import Grant, lock, prepare
from sandbox.notices import ForkNotices
from sandbox.worker import serve

PR_SET_CHILD_SUBREAPER = 36  # prctl(2)
WATCH_SECONDS = 0.05
HANDSHAKE_SECONDS = 10.0
ORDER_BYTES = 64 * 1024
LISTENER, LOCKED = b"l", b"locked"
# What the app says to a group: one byte each.
BUSY, KEEP, DROP = b"b", b"k", b"d"
MAX_THREADS = 256
FREEZE_SECONDS = 2.0
MODULES = (
    "numpy", "pandas", "plotly.express", "plotly.graph_objects", "plotly.subplots", "matplotlib.pyplot",
    "seaborn", "scipy.stats", "scipy.optimize", "scipy.signal", "scipy.cluster.hierarchy", "sklearn.pipeline",
    "sklearn.linear_model", "sklearn.ensemble", "sklearn.cluster", "sklearn.model_selection",
    "sklearn.preprocessing", "sklearn.metrics", "sklearn.compose", "sklearn.decomposition", "sklearn.tree",
    "sklearn.impute", "statsmodels.api", "statsmodels.formula.api", "statsmodels.tsa.api",
)  # fmt: skip


@dataclass
class Group:
    """A locked process with what it forked; all of them are in one process group."""

    socket: socket.socket
    leader: int
    holder: int
    """The process that has the variables; a run is a fork of it."""
    grant: Grant
    notices: ForkNotices | None = None
    permits: int = 1
    """How many forks it may make: at first one, for the first run."""
    busy: bool = False
    idle_since: float = field(default_factory=time.monotonic)
    frozen: bool = False
    """Whether its processes are stopped: between calls nothing of them has to run."""
    free: int = 0
    """Bytes on its folder's disk when the run began."""
    gone: bool = False
    """Whether it has no process any more; its number may be another's by now."""


class Warm:
    """Serves the app's orders until the app is gone."""

    def __init__(self, control: socket.socket, wakes: int, settings: dict[str, Any]) -> None:
        self._control = control
        self._locks = {name: bool(settings[name]) for name in ("files", "calls")}
        self._groups: dict[int, Group] = {}
        self._ready = False
        self._waiting: list[tuple[dict[str, Any], list[int]]] = []
        self._selector = selectors.DefaultSelector()
        self._selector.register(control, selectors.EVENT_READ, self._order)
        # Written to when a child ends, so that it is waited for at once.
        self._selector.register(wakes, selectors.EVENT_READ, lambda: os.read(wakes, 4096))

    def serve(self) -> None:
        """Imports, answering what can be answered between imports, then serves for ever."""
        prepare()
        for name in MODULES:
            importlib.import_module(name)
            self._serve_once(0)
        # k-means and nearest neighbours ask for these; later, what they are read from is refused.
        importlib.import_module("sklearn.utils.parallel")._get_threadpool_controller()
        importlib.import_module("sklearn.utils._openmp_helpers")._CPU_COUNTS[True] = 1
        importlib.import_module("sandbox.notebook").warm()
        gc.collect()
        gc.freeze()
        self._ready = True
        for order, descriptors in self._waiting:
            self._spawn_safely(order, descriptors)
        self._waiting.clear()
        watched = 0.0
        while True:
            self._serve_once(self._pause())
            if time.monotonic() - watched >= WATCH_SECONDS:
                watched = time.monotonic()
                for group in list(self._groups.values()):
                    self._look_after(group)

    def _pause(self) -> float | None:
        """How long to wait for something to do: not for ever while there is something to look at."""
        forking = [group for group in self._groups.values() if group.grant.forks]
        if any(group.busy for group in forking):
            return WATCH_SECONDS
        return FREEZE_SECONDS if any(not group.frozen for group in forking) else None

    def _look_after(self, group: Group) -> None:
        if not group.grant.forks:
            return
        if group.busy:
            self._watch(group)
        elif not group.frozen and time.monotonic() - group.idle_since > FREEZE_SECONDS:
            # Code that carries on after its answer, or a thread that it left, does so no longer.
            self._signal(group, signal.SIGSTOP)
            group.frozen = True

    @staticmethod
    def _signal(group: Group, number: int) -> None:
        if not group.gone:
            with contextlib.suppress(ProcessLookupError, PermissionError):
                os.killpg(group.leader, number)

    def _serve_once(self, timeout: float | None) -> None:
        for key, _ in self._selector.select(timeout):
            key.data()
        with contextlib.suppress(ChildProcessError):
            while (ended := os.waitpid(-1, os.WNOHANG))[0]:
                self._ended(*ended)

    def _ended(self, pid: int, status: int) -> None:
        for group in self._groups.values():
            if pid == group.leader and not group.grant.forks:
                with contextlib.suppress(OSError):
                    group.socket.sendall(f"ended {status}".encode())
            try:
                os.killpg(group.leader, 0)
            except ProcessLookupError:
                group.gone = True
            except PermissionError:  # macOS, of a group that has ended and was not waited for
                continue

    def _order(self) -> None:
        data, descriptors, *_ = socket.recv_fds(self._control, ORDER_BYTES, 3)
        if not data:
            for group in list(self._groups.values()):
                self._end(group)
            os._exit(0)
        order = json.loads(data)
        if order["kind"] == "notebook" and not self._ready:
            self._waiting.append((order, descriptors))
        else:
            self._spawn_safely(order, descriptors)

    def _spawn_safely(self, order: dict[str, Any], descriptors: list[int]) -> None:
        """One that cannot be made is told why, and is nobody else's trouble."""
        told = socket.socket(fileno=os.dup(descriptors[0])) if descriptors else None
        try:
            self._spawn(order, descriptors)
        except Exception as error:
            traceback.print_exc()
            for descriptor in descriptors:
                with contextlib.suppress(OSError):
                    os.close(descriptor)
            if told is not None:
                with contextlib.suppress(OSError):
                    told.sendall(f"{type(error).__name__}: {error}".encode())
        finally:
            if told is not None:
                told.close()

    def _spawn(self, order: dict[str, Any], descriptors: list[int]) -> None:
        told = socket.socket(fileno=descriptors[0])
        calls, answers = descriptors[1:]
        ours, theirs = socket.socketpair()
        grant = Grant(**order["grant"])
        pid = os.fork()
        if pid == 0:
            _become(order, grant, calls, answers, theirs, self._locks)
        for descriptor in (calls, answers):
            os.close(descriptor)
        theirs.close()
        ours.settimeout(HANDSHAKE_SECONDS)
        said, listeners = _handshake(ours)
        if said != LOCKED:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
            with contextlib.suppress(OSError):
                told.sendall(said or b"the process ended while it was locked")
            told.close()
            return
        group = Group(told, pid, pid, grant)
        if listeners:
            group.notices = ForkNotices(listeners[0])
            self._selector.register(group.notices, selectors.EVENT_READ, self._calling(self._forking, group))
        self._groups[told.fileno()] = group
        self._selector.register(told, selectors.EVENT_READ, self._calling(self._told, group))
        with contextlib.suppress(OSError):
            told.sendall(f"pid {pid}".encode())

    def _calling(self, work: Callable[[Group], None], group: Group) -> Callable[[], None]:
        def call() -> None:
            try:
                work(group)
            except Exception:
                # One conversation's trouble must not be everybody's end.
                traceback.print_exc()
                self._end(group)

        return call

    def _told(self, group: Group) -> None:
        """What the app says about a group; the end of its socket is the end of the group."""
        if group.socket.fileno() < 0:
            return
        try:
            said = group.socket.recv(64, socket.MSG_DONTWAIT)
        except BlockingIOError:
            return
        except OSError:
            said = b""
        if not said:
            self._end(group)
            return
        for byte in said:
            word = bytes([byte])
            group.busy, group.idle_since = word == BUSY, time.monotonic()
            if group.frozen:
                self._signal(group, signal.SIGCONT)
                group.frozen = False
            if group.busy and group.grant.write:
                group.free = processes.free_bytes(group.grant.write)
            if word == KEEP:
                self._keep(group)
            elif word == DROP:
                self._kill_others(group)
                # For the fork that waits for the next run.
                group.permits = 1

    def _keep(self, group: Group) -> None:
        """The run carries on; the process it was forked from is not needed any more.

        It may fork twice: to leave the threads behind that it has started, and for the next run.
        """
        group.permits = 2
        children = processes.children(group.holder)
        if children:
            _kill(group, group.holder)
            group.holder = children[0]

    def _kill_others(self, group: Group) -> None:
        """Leaves only the process that has the variables."""
        living = processes.members(group.leader)
        if group.holder not in living and len(living) == 1:
            group.holder = living[0]
        for pid in living:
            if pid != group.holder:
                _kill(group, pid)

    def _forking(self, group: Group) -> None:
        """A process of the group asks to fork: at most once for each permit, and then it is the only one."""
        if group.notices is None:  # ended a moment ago
            return
        asked = group.notices.next()
        if asked is None:
            if group.notices.closed:
                self._selector.unregister(group.notices)
                group.notices.close()
                group.notices = None
            return
        # The app's word was sent before the message that the process follows; it may lie unread.
        self._told(group)
        if group.permits <= 0 or group.notices is None:
            if group.notices is not None:
                group.notices.refuse(asked)
            return
        for pid in {group.holder, *processes.children(asked.pid)} - {asked.pid}:
            _kill(group, pid)
        group.holder = asked.pid
        if group.notices.allow(asked):
            group.permits -= 1

    def _watch(self, group: Group) -> None:
        """Ends a run that fills its folder, or starts threads without end."""
        if any(processes.threads(pid) > MAX_THREADS for pid in processes.children(group.holder)):
            group.busy = False
            with contextlib.suppress(OSError):
                group.socket.sendall(b"threads")
            self._kill_others(group)
        elif group.grant.write and processes.fills(group.grant.write, group.free):
            group.busy = False
            with contextlib.suppress(OSError):
                group.socket.sendall(b"disk")
            self._kill_others(group)

    def _end(self, group: Group) -> None:
        """Kills whatever the group is."""
        if group.socket.fileno() < 0:
            return
        self._signal(group, signal.SIGKILL)
        self._groups.pop(group.socket.fileno(), None)
        self._selector.unregister(group.socket)
        group.socket.close()
        if group.notices is not None:
            self._selector.unregister(group.notices)
            group.notices.close()
            group.notices = None


def _kill(group: Group, pid: int) -> None:
    """Kills a process if it is one of the group: its number may be another's by now."""
    with contextlib.suppress(ProcessLookupError):
        if os.getpgid(pid) == group.leader:
            os.kill(pid, signal.SIGKILL)


def _handshake(ours: socket.socket) -> tuple[bytes, list[int]]:
    """What a fork says before it serves: its listener if it has one, then that it is locked, or why not."""
    said, listeners = b"", list[int]()
    with ours:
        try:
            while said != LOCKED:
                data, found, *_ = socket.recv_fds(ours, ORDER_BYTES, 1)
                listeners += found
                said += data.removeprefix(LISTENER) if found else data
                if not data:
                    break
        except OSError as error:
            said = str(error).encode()
    return said, listeners


def _become(
    order: dict[str, Any], grant: Grant, calls: int, answers: int, told: socket.socket, locks: dict[str, bool]
) -> None:
    """In the fork: lets go of everything, locks itself, and serves calls; never returns."""
    try:
        os.setsid()
        null = os.open(os.devnull, os.O_RDWR)
        # High numbers first, so that no descriptor is overwritten before it was moved.
        kept = [os.dup(descriptor) for descriptor in (null, null, null, calls, answers, told.fileno())]
        for place, descriptor in enumerate(kept):
            os.dup2(descriptor, place, inheritable=False)
        os.closerange(len(kept), 4096)
        os.environ.clear()
        os.chdir(grant.write or "/")
        signal.set_wakeup_fd(-1)
        signal.signal(signal.SIGCHLD, signal.SIG_DFL)
        handshake = socket.socket(fileno=5)

        def hand_over(listener: int) -> None:
            socket.send_fds(handshake, [LISTENER], [listener])

        try:
            lock(grant, hand_over=hand_over, **locks)
        except OSError as error:
            os.write(5, str(error).encode())
            os._exit(1)
        os.write(5, LOCKED)
        os.close(5)
        handshake.detach()
        serve(order["kind"], 3, 4, order["settings"])
    finally:
        os._exit(1)


def main() -> None:
    """Started by `sandbox.launcher`: the control socket's descriptor and settings are its arguments."""
    settings = json.loads(sys.argv[1])
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(PR_SET_CHILD_SUBREAPER, 1)
    reading, writing = os.pipe()
    os.set_blocking(reading, False)
    os.set_blocking(writing, False)
    signal.signal(signal.SIGCHLD, lambda *_: None)
    signal.set_wakeup_fd(writing)
    Warm(socket.socket(fileno=settings["control"]), reading, settings).serve()
