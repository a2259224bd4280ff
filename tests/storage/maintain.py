"""The maintenance commands as a person starts them: in a process of their own."""

import os
import subprocess
import sys
from pathlib import Path

from tests.conftest import ROOT


def maintain(*arguments: str | Path, home: Path | None = None) -> tuple[int, str, str]:
    """Exit code, output and errors of `python -m storage …`."""
    environment = {name: value for name, value in os.environ.items() if name != "DATABASE_URL"}
    environment |= {"PYTHONPATH": str(ROOT)} | ({"ASSISTANT_HOME": str(home)} if home else {})
    command = [sys.executable, "-m", "storage", *map(str, arguments)]
    done = subprocess.run(command, env=environment, cwd=ROOT, capture_output=True, text=True, timeout=100)
    assert "Traceback" not in done.stderr, done.stderr
    return done.returncode, done.stdout, done.stderr


def succeed(*arguments: str | Path, home: Path | None = None) -> str:
    """The output of a command that does its work and complains of nothing."""
    code, output, errors = maintain(*arguments, home=home)
    assert (code, errors) == (0, ""), errors
    return output


def fail(*arguments: str | Path, home: Path | None = None) -> str:
    """The one sentence of a command that cannot do its work."""
    code, output, errors = maintain(*arguments, home=home)
    assert (code, output) == (1, "")
    assert errors.count("\n") == 1
    return errors
