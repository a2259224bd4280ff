"""Links, pipes and devices: roads out of the folder, or a host that follows them when it collects files."""

from collections.abc import Mapping
from pathlib import Path

from sandbox.outcome import FileOutput
from tests.sandbox.attacks.attack import Attack, Seen
from tests.sandbox.attacks.stage import Stage


def secret(stage: Stage) -> Mapping[str, object]:
    return {"path": stage.secret(), "folder": str(stage.folder), "new": stage.outside()}


def wrote(stage: Stage, seen: Seen) -> bool:
    return stage.wrote()


def hung(stage: Stage, seen: Seen) -> bool:
    """The host waits for something that never comes, beyond the run's own time."""
    return seen.hung or (stage.protected and seen.elapsed > 4.5)


def not_a_name(stage: Stage, seen: Seen) -> bool:
    """A file's name reached the host as it is, and would be a path or a second line there."""
    if seen.outcome is None:
        return "plant\ned" in seen.text or "planted.csv" in seen.text
    names = [found.name for found in seen.outcome.outputs if isinstance(found, FileOutput)]
    return any(Path(name).name != name or not name.isprintable() or "\\" in name for name in names)


def read_a_device(stage: Stage, seen: Seen) -> bool:
    return "\\x00\\x00\\x00\\x00" in seen.text


LINKS = [
    Attack("a link to a secret", "import os; os.symlink($path, 'l'); show(open('l').read())", secret),
    Attack("a link to a folder", "import os; os.symlink('/', 'l'); show(open('l' + $path).read())", secret),
    Attack("a hard link to a secret", "import os; os.link($path, 'h'); show(open('h').read())", secret),
    Attack(
        "a hard link through /proc",
        """
        descriptor = os.open($path, os.O_PATH)
        syscall("linkat", -100, f"/proc/self/fd/{descriptor}".encode(), -100, b"h", 0x400)
        show(open("h").read())
        """,
        secret,
        fails_anyway="links to files that others may not write can be forbidden",
    ),
    Attack(
        "a hard link out of the folder",
        "import os; open('a', 'w').write(TOKEN); os.link('a', $new)",
        secret,
        wrote,
    ),
    Attack(
        "a nameless file linked out of the folder",
        """
        descriptor = os.open(".", os.O_TMPFILE | os.O_RDWR)
        os.write(descriptor, TOKEN.encode())
        syscall("linkat", -100, f"/proc/self/fd/{descriptor}".encode(), -100, $new.encode(), 0x400)
        """,
        secret,
        wrote,
    ),
    Attack("a link outside to itself", "import os; os.symlink('/etc/passwd', $new); won()", secret),
    Attack(
        "a link made by its number",
        """
        won(syscall("symlinkat", $path.encode(), -100, b"l.txt") == 0)
        """,
        secret,
    ),
    Attack("a link as an output file", "import os; os.symlink($path, 'report.csv')", secret),
    Attack("a hard link as an output file", "import os; os.link($path, 'report.csv')", secret),
    Attack(
        "a folder's link as output",
        "import os; os.symlink($folder, 'folder')",
        secret,
        lambda stage, seen: (
            stage.token in seen.text
            if stage.protected
            else (stage.scratch / "folder" / "secret.txt").exists()
        ),
    ),
    Attack(
        "a dangling link that is filled later",
        """
        import os
        os.symlink("later.txt", "report.csv")
        os.symlink($path, "later.txt")
        """,
        secret,
    ),
    Attack(
        "a file that becomes a link while it is collected",
        """
        import os, threading
        def swap():
            while True:
                for make in (lambda: open("new", "w").close(), lambda: os.symlink($path, "new")):
                    make()
                    os.replace("new", "report.csv")
        threading.Thread(target=swap, daemon=True).start()
        """,
        secret,
        timeout=2.0,
    ),
    Attack("a pipe as an output file", "import os; os.mkfifo('report.csv')", None, hung, timeout=3.0),
    Attack(
        "a socket as an output file",
        "import socket; s = socket.socket(socket.AF_UNIX); s.bind('report.csv')",
        None,
        lambda stage, seen: seen.died or hung(stage, seen),
        timeout=3.0,
    ),
    Attack(
        "a device as an output file",
        "import os, stat; os.mknod('zero.bin', stat.S_IFCHR | 0o666, os.makedev(1, 5))",
        None,
        read_a_device,
        fails_anyway="needs root",
    ),
    Attack(
        "an output file without a right to read",
        "import os; open('report.csv', 'w').write('x'); os.chmod('report.csv', 0)",
        None,
        lambda stage, seen: seen.died,
        fails_anyway="root reads it all the same",
    ),
    Attack("a name of two lines", "open('plant\\ned.csv', 'w').write('x')", None, not_a_name),
    Attack(
        "a name with terminal escapes", "open('plant\\ned\\x1b[2J.csv', 'w').write('x')", None, not_a_name
    ),
    Attack("a name that is no text", "open(b'plant\\ned\\xff.csv', 'w').write('x')", None, not_a_name),
    Attack(
        "a name with the direction turned",
        "open('plant\\ned\\u202egpj.exe', 'w').write('x')",
        None,
        not_a_name,
    ),
    Attack(
        "a name with a backslash path",
        "open('..\\\\planted.csv', 'w').write('x')",
        None,
        not_a_name,
    ),
]
