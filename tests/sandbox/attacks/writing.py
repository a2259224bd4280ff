"""Files: writing, changing and removing what lies outside."""

from collections.abc import Mapping
from pathlib import Path

from tests.sandbox.attacks.attack import Attack, Seen
from tests.sandbox.attacks.stage import Stage


def outside(stage: Stage) -> Mapping[str, object]:
    stage.secret()
    return {"path": stage.outside(), "folder": str(stage.folder), "secret": stage.outside("secret.txt")}


def wrote(stage: Stage, seen: Seen) -> bool:
    return stage.wrote()


def vanished(stage: Stage, seen: Seen) -> bool:
    return not Path(stage.outside("secret.txt")).exists()


def emptied(stage: Stage, seen: Seen) -> bool:
    return not Path(stage.outside("secret.txt")).read_text()


def opened_up(stage: Stage, seen: Seen) -> bool:
    return Path(stage.outside("secret.txt")).stat().st_mode & 0o777 != 0o600


def dated(stage: Stage, seen: Seen) -> bool:
    return Path(stage.outside("secret.txt")).stat().st_mtime < 10


WRITES = [
    Attack("a file outside", "open($path, 'w').write(TOKEN)", outside, wrote),
    Attack("a file outside by dot-dot", "open('../' * 40 + $path, 'w').write(TOKEN)", outside, wrote),
    Attack(
        "a file in the folder above", "open('../up.txt', 'w').write(TOKEN); show(open('../up.txt').read())"
    ),
    Attack(
        "a file moved out", "import os; open('a', 'w').write(TOKEN); os.rename('a', $path)", outside, wrote
    ),
    Attack(
        "a file moved out by shutil",
        "import shutil; open('a', 'w').write(TOKEN); shutil.move('a', $path)",
        outside,
        wrote,
    ),
    Attack(
        "a file moved into the folder above",
        "import os; open('a', 'w').write(TOKEN); os.rename('a', '../b'); show(open('../b').read())",
    ),
    Attack(
        "a database outside",
        """
        import sqlite3
        sqlite3.connect($path).execute("CREATE TABLE t AS SELECT 1")
        won(open($path, "rb").read(6) == b"SQLite")
        """,
        outside,
    ),
    Attack("a file outside emptied", "import os; os.truncate($secret, 0)", outside, emptied),
    Attack("a file outside opened to be emptied", "open($secret, 'w')", outside, emptied),
    Attack("a file outside removed", "import os; os.unlink($secret)", outside, vanished),
    Attack("a folder outside made", "import os; os.mkdir($path); os.rmdir($path); won()", outside),
    Attack("everything outside removed", "import shutil; shutil.rmtree($folder)", outside, vanished),
    Attack("a file's mode", "import os; os.chmod($secret, 0o777)", outside, opened_up),
    Attack(
        "a file's mode through O_PATH",
        "import os; fd = os.open($secret, os.O_PATH); os.chmod(f'/proc/self/fd/{fd}', 0o777)",
        outside,
        opened_up,
    ),
    Attack("a folder's mode", "import os; os.chmod($folder, 0o700); won()", outside),
    Attack("a file's times", "import os; os.utime($secret, (1, 1))", outside, dated),
    Attack("a file's owner", "import os; os.chown($secret, os.getuid(), os.getgid()); won()", outside),
    Attack(
        "an attribute of a file",
        "import os; os.setxattr($secret, 'user.planted', b'1'); won()",
        outside,
        fails_anyway="not on every file system",
    ),
    Attack(
        "a lock on a file",
        """
        import fcntl, os
        fcntl.flock(os.open($secret, os.O_RDONLY), fcntl.LOCK_EX | fcntl.LOCK_NB)
        won()
        """,
        outside,
    ),
    Attack(
        "a library's code opened for writing",
        "import json; open(json.__file__, 'r+').close(); won()",
        fails_anyway="needs the libraries to be the user's own",
    ),
    Attack(
        "a package put beside the libraries",
        """
        import numpy, pathlib
        planted = pathlib.Path(numpy.__file__).parents[1] / "planted_package.py"
        planted.write_text("")
        planted.unlink()
        won()
        """,
        fails_anyway="needs the libraries to be the user's own",
    ),
    Attack(
        "a file in shared memory",
        """
        import os
        open("/dev/shm/planted-file", "w").close()
        os.unlink("/dev/shm/planted-file")
        won()
        """,
    ),
    Attack(
        "a file in the temporary folder",
        "import tempfile\nwith tempfile.NamedTemporaryFile(dir='/tmp'): won()",
    ),
    Attack("a worse target for the system", "open('/proc/self/oom_score_adj', 'w').write('999'); won()"),
    Attack(
        "a setting of the kernel",
        "open('/proc/sys/vm/swappiness', 'r+').close(); won()",
        fails_anyway="needs root",
    ),
    Attack(
        "a control group",
        "import os; os.mkdir('/sys/fs/cgroup/planted'); os.rmdir('/sys/fs/cgroup/planted'); won()",
        fails_anyway="needs root",
    ),
]
