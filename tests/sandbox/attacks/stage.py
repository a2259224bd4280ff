"""What is attacked: planted files, listeners and processes of this test, all gone afterwards."""

import contextlib
import http.server
import os
import secrets
import socket
import sqlite3
import subprocess
import sys
import threading
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Self

APP_SECRET = "sk-planted-" + secrets.token_hex(16)
"""Like the key of a model, it lies in this process's memory and environment."""
SECRET_NAME = "MODEL_API_KEY"

VICTIM = """
import ctypes, os, sys, time
token = ctypes.create_string_buffer(sys.stdin.readline().strip().encode())
ctypes.CDLL(None).prctl(0x59616d61, ctypes.c_ulong(-1), 0, 0, 0)
reading, writing = os.pipe()
os.write(writing, token.value)
os.write(1, f"{ctypes.addressof(token)} {reading}\\n".encode())
time.sleep(30)
"""


@dataclass(frozen=True)
class Victim:
    """A process with the token in its memory, at an address, and in a pipe."""

    process: "subprocess.Popen[bytes]"
    pid: int
    address: int
    descriptor: int

    @property
    def dead(self) -> bool:
        """Whether somebody ended it."""
        with contextlib.suppress(subprocess.TimeoutExpired):
            self.process.wait(0.2)
        return self.process.poll() is not None

    @property
    def stopped(self) -> bool:
        """Whether somebody stopped it."""
        return Path(f"/proc/{self.pid}/stat").read_text().rsplit(")", 1)[1].split()[0] == "T"


class Stage:
    """One attack's surroundings. `folder` is outside of every sandbox, `scratch` is where the code runs."""

    def __init__(self, folder: Path, *, protected: bool) -> None:
        self.token = "token-" + secrets.token_hex(12)
        self.protected = protected
        self.folder = folder
        self.scratch = folder / "scratch" / "mine"
        self.scratch.mkdir(parents=True)
        self.processes: Callable[[], list[int]] = list
        """The processes that run the code."""
        self._stack = contextlib.ExitStack()
        self._listening: list[socket.socket] = []
        self._victim: Victim | None = None
        before = os.environ.get(SECRET_NAME)
        os.environ[SECRET_NAME] = APP_SECRET
        self._stack.callback(self._restore, before)

    @staticmethod
    def _restore(before: str | None) -> None:
        if before is None:
            del os.environ[SECRET_NAME]
        else:
            os.environ[SECRET_NAME] = before

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._stack.close()

    def secret(self, name: str = "secret.txt") -> str:
        """The path of a new file whose content is the token."""
        path = self.folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(self.token + "\n")
        path.chmod(0o600)
        return str(path)

    def outside(self, name: str = "planted.txt") -> str:
        """The path of a file that is not there yet."""
        return str(self.folder / name)

    def wrote(self, name: str = "planted.txt") -> bool:
        """Whether the file is there now, with the token as content."""
        path = self.folder / name
        return path.is_file() and self.token in path.read_text(errors="replace")

    def database(self) -> str:
        """A session database with the token in it."""
        path = self.folder / "sessions.db"
        with contextlib.closing(sqlite3.connect(path)) as connection:
            connection.execute("CREATE TABLE events (content TEXT)")
            connection.execute("INSERT INTO events VALUES (?)", [self.token])
            connection.commit()
        return str(path)

    def tcp(self) -> int:
        """The port of a listener."""
        return int(self._listen(socket.AF_INET, socket.SOCK_STREAM, ("127.0.0.1", 0)).getsockname()[1])

    def udp(self) -> int:
        """The port of a receiver of datagrams."""
        return int(self._listen(socket.AF_INET, socket.SOCK_DGRAM, ("127.0.0.1", 0)).getsockname()[1])

    def unix(self) -> str:
        """The path of a listener."""
        path = f"/tmp/{self.token[:14]}.sock"
        self._listen(socket.AF_UNIX, socket.SOCK_STREAM, path)
        self._stack.callback(Path(path).unlink, missing_ok=True)
        return path

    def abstract(self) -> str:
        """The name of a listener in the abstract namespace."""
        name = "\0" + self.token[:14]
        self._listen(socket.AF_UNIX, socket.SOCK_STREAM, name)
        return name

    def _listen(self, family: int, kind: int, address: str | tuple[str, int]) -> socket.socket:
        made = self._stack.enter_context(socket.socket(family, kind))
        made.bind(address)
        if kind == socket.SOCK_STREAM:
            made.listen()
        made.settimeout(0.2)
        self._listening.append(made)
        return made

    def received(self) -> bool:
        """Whether the token arrived at a listener."""
        found = b""
        for made in self._listening:
            with contextlib.suppress(OSError):
                if made.type == socket.SOCK_DGRAM:
                    found += made.recv(1000)
                    continue
                connection, _ = made.accept()
                with connection:
                    connection.settimeout(0.5)
                    found += connection.recv(1000)
        return self.token.encode() in found

    def website(self) -> str:
        """The address of a server whose every page is the token."""
        page = f"a\n{self.token}\n".encode()

        class Page(http.server.BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                self.send_response(200)
                self.send_header("Content-Length", str(len(page)))
                self.end_headers()
                self.wfile.write(page)

            def log_message(self, format: str, *args: object) -> None:
                pass

        server = http.server.HTTPServer(("127.0.0.1", 0), Page)
        threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True).start()
        self._stack.callback(server.server_close)
        self._stack.callback(server.shutdown)
        return f"http://127.0.0.1:{server.server_port}/latest/meta-data.csv"

    def victim(self) -> Victim:
        """A process of the same user."""
        process = subprocess.Popen(
            [sys.executable, "-I", "-S", "-c", VICTIM],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            start_new_session=True,
        )
        self._stack.callback(self._end, process)
        assert process.stdin is not None and process.stdout is not None
        process.stdin.write(self.token.encode() + b"\n")
        process.stdin.flush()
        address, descriptor = process.stdout.readline().split()
        self._victim = Victim(process, process.pid, int(address), int(descriptor))
        return self._victim

    @staticmethod
    def _end(process: "subprocess.Popen[bytes]") -> None:
        process.kill()
        process.communicate()

    @property
    def the_victim(self) -> Victim:
        """The process that `victim` started."""
        assert self._victim is not None
        return self._victim

    def later(self, undo: Callable[[], object]) -> None:
        """Calls `undo` when the attack is over."""
        self._stack.callback(undo)
