"""One attack: code for a cell, what is set up for it outside, and how it is known that it got through."""

import textwrap
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from string import Template
from typing import Literal

from sandbox.outcome import RunOutcome
from tests.sandbox.attacks.numbers import NUMBERS
from tests.sandbox.attacks.stage import Stage

TOKEN = """
TOKEN = $nekot[::-1]
def won(yes=True):
    if yes:
        show(TOKEN)
"""
# The token comes backwards, so that a traceback that quotes the code is no success.
CALLS = """
import ctypes, os
libc = ctypes.CDLL(None, use_errno=True)
libc.syscall.restype = ctypes.c_long
NR = $numbers
def syscall(name, *arguments):
    plain = [ctypes.c_long(a) if isinstance(a, int) else a for a in arguments]
    answer = libc.syscall(ctypes.c_long(NR[name]), *plain)
    return answer if answer >= 0 else -ctypes.get_errno()
"""
FORGE = """
import os, stat, struct, json, sys
def mark():
    frame = sys._getframe()
    while frame:
        call = frame.f_locals.get("call")
        if type(call) is dict and "mark" in call:
            return call["mark"]
        frame = frame.f_back
    return ""
def pipes():
    for fd in range(256):
        try:
            mode = os.fstat(fd).st_mode
        except OSError:
            continue
        if stat.S_ISFIFO(mode) or stat.S_ISSOCK(mode):
            yield fd
def forge(payload, header=True):
    if not isinstance(payload, bytes):
        payload = json.dumps(payload).encode()
    for fd in pipes():
        try:
            os.write(fd, (struct.pack(">Q", len(payload)) if header else b"") + payload)
        except OSError:
            continue
def answer(text, **more):
    found = {"kind": "text", "title": "", "text": text}
    ok = {"outputs": [found], "printed": "", "failure": None, "duration": 0.1, "notes": []}
    return {"ok": ok | more, "mark": mark()}
def hostile(**more):
    forge(answer("x", **more))
def raw(text):
    forge(('{"mark": "' + mark() + '", "ok": ' + text + "}").encode("utf-8", "surrogatepass"))
"""


Where = Literal["next", "rebuilt", "other", "query"]


@dataclass(frozen=True)
class Seen:
    """What an attack led to, as far as the host can tell."""

    text: str = ""
    """Everything that came back: outputs, printed text, errors, the content of files."""
    outcome: RunOutcome | None = None
    """Of the protected run, when it ended by itself."""
    error: Exception | None = None
    died: bool = False
    """The host itself ended (unprotected only)."""
    hung: bool = False
    """The host itself did not come back in time (unprotected only)."""
    elapsed: float = 0.0
    kept_files: int = 0
    """In the run's folder, afterwards."""
    kept_bytes: int = 0
    """Disk used there, or the size of what was handed on as results."""
    later: "Seen | None" = None
    """What the second run gave."""
    rebuilt: int = 0
    """Runs that were run again before this one, because the variables were lost."""


@dataclass(frozen=True)
class Attack:
    """It got through if its token came back, or, with `after`, if that says so."""

    name: str
    code: str
    before: Callable[[Stage], Mapping[str, object]] | None = None
    """Sets up what is attacked; returns values for the code's `$$names`."""
    after: Callable[[Stage, Seen], bool] | None = None
    first: str = ""
    """A run before, whose variables are to be kept."""
    then: str = ""
    """A second run."""
    where: Where = "next"
    """The second run: the conversation's next; after the first cell was deleted; another's; an SQL query."""
    sizes: Mapping[str, tuple[float, float]] = field(default_factory=dict)
    """Values for the code: protected, unprotected."""
    dangerous: bool = False
    """Not run unprotected."""
    fails_anyway: str = ""
    """Why it need not succeed without a sandbox, on an ordinary system and as an ordinary user."""
    gap: str = ""
    """Why it is known to succeed in the sandbox."""
    timeout: float = 5.0
    machine: str = ""
    """The only processor that has it."""

    def source(self, stage: Stage, values: Mapping[str, object], protected: bool, code: str) -> str:
        """The cell's text: what the code uses of the helpers, and its values as literals."""
        own = textwrap.dedent(code).strip()
        parts = [TOKEN] if "won(" in own or "TOKEN" in own else []
        parts += [CALLS] if any(name in own for name in ("syscall(", "libc.", "ctypes.")) else []
        parts += [FORGE] if any(name in own for name in ("pipes()", "forge(", "hostile(", "raw(")) else []
        sizes = {name: both[0 if protected else 1] for name, both in self.sizes.items()}
        known: dict[str, object] = {"nekot": stage.token[::-1], "numbers": NUMBERS, **sizes, **values}
        filled = Template("\n".join([*parts, own])).substitute({k: repr(v) for k, v in known.items()})
        return filled.strip() + "\n"


def reached(name: str, call: str, *proofs: int, fails_anyway: str = "", machine: str = "") -> Attack:
    """A system call whose answer tells that the kernel looked at it: no error, or one of `proofs`."""
    code = f"""
    answer = {call}
    won(answer >= 0 or -answer in {tuple(proofs)!r})
    """
    return Attack(name, code, fails_anyway=fails_anyway, machine=machine)
