"""The listener of seccomp's user notification: each fork of a locked process waits here for an answer.

See seccomp_unotify(2). Only a fork's registers matter for the answer, and the kernel has copied those, so
letting the call continue is safe here.
"""

import errno
import fcntl
import os
import select
import struct
from dataclasses import dataclass

# _IOWR('!', 0, struct seccomp_notif), _IOWR('!', 1, struct seccomp_notif_resp)
RECEIVE, SEND = 0xC0502100, 0xC0182101
NOTICE_BYTES = 80
ANSWER = struct.Struct("=QqiI")
CONTINUE = 1


@dataclass(frozen=True)
class Notice:
    """One call that waits: its id, and the thread that made it."""

    id: int
    pid: int


class ForkNotices:
    """A listener's descriptor, for a selector."""

    def __init__(self, descriptor: int) -> None:
        self._descriptor = descriptor
        self.closed = False
        """Whether no process is left that could ask."""

    def fileno(self) -> int:
        """The descriptor."""
        return self._descriptor

    def next(self) -> Notice | None:
        """The next call that waits; None if its process was killed meanwhile, or none is left."""
        poll = select.poll()
        poll.register(self._descriptor, select.POLLIN)
        # Older kernels would wait for ever where nobody is left to ask.
        events = [event for _, event in poll.poll(0)]
        if not any(event & select.POLLIN for event in events):
            self.closed = any(event & select.POLLHUP for event in events)
            return None
        buffer = bytearray(NOTICE_BYTES)
        try:
            fcntl.ioctl(self._descriptor, RECEIVE, buffer)
        except OSError as failed:
            if failed.errno != errno.ENOENT:
                raise
            return None
        number, pid = struct.unpack_from("=QI", buffer)
        return Notice(number, pid)

    def allow(self, notice: Notice) -> bool:
        """Lets the call happen; False if nobody waits for it any more, or it will be asked again."""
        return self._answer(notice, 0, CONTINUE)

    def refuse(self, notice: Notice) -> None:
        """Lets the call fail with EPERM."""
        self._answer(notice, -errno.EPERM, 0)

    def close(self) -> None:
        """Every later fork fails."""
        os.close(self._descriptor)

    def _answer(self, notice: Notice, error: int, flags: int) -> bool:
        try:
            fcntl.ioctl(self._descriptor, SEND, ANSWER.pack(notice.id, 0, error, flags))
        except OSError as failed:
            # ENOENT: the process was killed while it waited, or a signal made it begin the call again.
            if failed.errno != errno.ENOENT:
                raise
            return False
        return True
