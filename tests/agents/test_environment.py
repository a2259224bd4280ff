"""ADK's environment on the conversation's notebook: Python, no shell, and only its own files."""

from pathlib import Path

import pytest

from agents.environment import SandboxEnvironment
from agents.workspace import workspace
from tests.agents.conftest import Open, with_sample


@pytest.fixture
def environment(assistant: Open) -> SandboxEnvironment:
    """Of a conversation that has the sample."""
    return SandboxEnvironment(with_sample(assistant()))


@pytest.mark.parametrize(
    ("command", "shown"),
    [
        ("python -c 'print(len(orders))'", "6000"),
        ("print(len(df))", "6000"),
        ("a = 20\na + 1", '"rows": [[21]]'),
    ],
)
async def test_python_runs_over_the_data(command: str, shown: str, environment: SandboxEnvironment) -> None:
    done = await environment.execute(command)
    assert (done.exit_code, done.stderr, done.timed_out) == (0, "", False)
    assert shown in done.stdout


@pytest.mark.parametrize(
    "command", ["ls", "ls -la /", "cat /etc/passwd | head", "python -m pip list", "rm -rf ."]
)
async def test_there_is_no_shell(command: str, environment: SandboxEnvironment) -> None:
    done = await environment.execute(command)
    assert done.exit_code in (1, 127) and "no shell" in done.stderr


async def test_a_script_that_was_written_there_is_run(environment: SandboxEnvironment) -> None:
    await environment.write_file(Path("script.py"), "from pathlib import Path\nprint('from a file')\n1 / 0")
    assert await environment.read_file(environment.working_dir / "script.py")
    done = await environment.execute("python script.py")
    assert done.exit_code == 1 and done.stdout == "from a file\n" and "ZeroDivisionError" in done.stderr
    assert (await environment.execute("python3 missing.py")).exit_code == 2


async def test_a_run_can_be_given_less_time(environment: SandboxEnvironment) -> None:
    done = await environment.execute("while True: pass", timeout=1)
    assert done.exit_code == 1 and done.timed_out


@pytest.mark.parametrize("path", ["/etc/passwd", "../x", "a/b", "..", "missing.txt", "/notebook/../x"])
async def test_only_files_of_the_scratch_folder_are_there(path: str, environment: SandboxEnvironment) -> None:
    with pytest.raises(FileNotFoundError):
        await environment.read_file(Path(path))


async def test_a_link_that_code_made_leads_nowhere(environment: SandboxEnvironment, tmp_path: Path) -> None:
    (tmp_path / "secret").write_text("secret")
    await environment.execute(f"import os\nos.symlink({str(tmp_path / 'secret')!r}, 'link')")
    with pytest.raises(FileNotFoundError):
        await environment.read_file(Path("link"))


async def test_what_was_run_is_remembered(environment: SandboxEnvironment) -> None:
    await environment.execute("b = 1")
    assert [run.code for run in workspace().store.results.runs(environment._key)] == ["b = 1"]
