"""A process that forks hosts without a sandbox, one for each attack."""

import contextlib
import json
import os
import select
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Self

from tests.sandbox.attacks.attack import Seen
from tests.sandbox.attacks.stage import APP_SECRET, SECRET_NAME

NAIVE = Path(__file__).with_name("naive.py")
PASSED_ON = ("PATH", "LANG", "LC_ALL", "LD_LIBRARY_PATH")
MOST_BYTES = 8 << 20


class Unprotected:
    """Used by one thread."""

    def __init__(self, home: Path) -> None:
        clean = {name: os.environ[name] for name in PASSED_ON if name in os.environ}
        home.mkdir(parents=True, exist_ok=True)
        self.home = home
        self._process = subprocess.Popen(
            [sys.executable, "-I", str(NAIVE)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            env=clean
            | {"HOME": str(home), "MPLBACKEND": "Agg", SECRET_NAME: APP_SECRET}
            | {"OPENBLAS_NUM_THREADS": "1", "OMP_NUM_THREADS": "1"},
            start_new_session=True,
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._process.kill()
        self._process.communicate()

    def run(self, cells: list[list[str]], scratch: Path, folder: Path, timeout: float) -> Seen:
        """What a host printed that ran these cells in `scratch`; all its processes are killed afterwards."""
        spec, printed = folder / "spec.json", folder / "printed"
        spec.write_text(
            json.dumps(
                {"scratch": str(scratch), "cells": cells, "printed": str(printed), "home": str(folder)}
            )
        )
        assert self._process.stdin is not None and self._process.stdout is not None
        self._process.stdin.write(f"{spec}\n".encode())
        self._process.stdin.flush()
        pid = int(self._process.stdout.readline())
        started = time.monotonic()
        hung = not select.select([self._process.stdout], [], [], timeout)[0]
        with contextlib.suppress(ProcessLookupError):
            os.killpg(pid, signal.SIGKILL)
        died = int(self._process.stdout.readline()) != 0 and not hung
        text = ""
        if printed.exists():
            with printed.open("rb") as file:
                text = file.read(MOST_BYTES).decode(errors="replace")
        return Seen(text, died=died, hung=hung, elapsed=time.monotonic() - started, later=Seen(text))
