"""Files: what lies outside, read by every road."""

import os
from collections.abc import Callable, Mapping
from pathlib import Path

from tests.sandbox.attacks.attack import Attack
from tests.sandbox.attacks.links import LINKS
from tests.sandbox.attacks.reading_libraries import LIBRARIES
from tests.sandbox.attacks.stage import Stage
from tests.sandbox.attacks.writing import WRITES

PROJECT = Path(__file__).parents[3]


def secret(stage: Stage) -> Mapping[str, object]:
    path = stage.secret()
    relative = os.path.relpath(path, "/")
    return {"path": path, "folder": str(stage.folder), "climb": "../" * 40 + relative}


def hidden(name: str) -> Callable[[Stage], Mapping[str, object]]:
    """A planted file with a well-known name, in what would be somebody's home."""

    def planted(stage: Stage) -> Mapping[str, object]:
        return {"path": stage.secret(name), "folder": str(stage.folder)}

    return planted


def database(stage: Stage) -> Mapping[str, object]:
    return {"path": stage.database()}


def neighbours(stage: Stage) -> Mapping[str, object]:
    """Another conversation's scratch folder beside the unprotected one's, and its data."""
    stage.secret("scratch/other/note.txt")
    return {"path": stage.secret("data/other/orders.csv"), "folder": str(stage.folder)}


def importable(stage: Stage) -> Mapping[str, object]:
    Path(stage.outside("planted.py")).write_text(f"X = {stage.token!r}")
    return {"folder": str(stage.folder)}


def held_open(stage: Stage) -> Mapping[str, object]:
    """A file that this process holds open, as the app holds its database."""
    descriptor = os.open(stage.secret(), os.O_RDONLY)
    stage.later(lambda: os.close(descriptor))
    return {"app": os.getpid(), "fd": descriptor}


def in_the_project(stage: Stage) -> Mapping[str, object]:
    return {"path": str(PROJECT / "sandbox" / "client.py"), "folder": str(PROJECT)}


def in_temporary(stage: Stage) -> Mapping[str, object]:
    path = Path("/tmp") / f"{stage.token[:14]}.txt"
    path.write_text(stage.token)
    stage.later(path.unlink)
    return {"path": str(path), "name": path.name}


def copied_library(stage: Stage) -> str:
    """A copy of some shared library outside."""
    import _ctypes
    import shutil

    return str(shutil.copy(_ctypes.__file__, stage.outside("copied.so")))


STAT = "Landlock judges what is opened, not what is asked about"
INFORMATION = [
    Attack("whether a file is there", "import os; won(os.path.exists($path))", secret, gap=STAT),
    Attack("how large a file is", "import os; won(os.stat($path).st_size > 10)", secret, gap=STAT),
    Attack("which processes there are", "import os; won(os.path.exists('/proc/1'))", gap=STAT),
    Attack("where a link leads", "import os; won(os.readlink('/proc/self/exe'))", gap=STAT),
    Attack(
        "processes of the control group",
        "import glob\nfor path in glob.glob('/sys/fs/cgroup/**/cgroup.procs', recursive=True):\n"
        "    won(open(path).read())\n    break",
        fails_anyway="not everywhere is there a control group",
    ),
    Attack("the control group", "won(open('/proc/self/cgroup').read())"),
    Attack("how full the disks are", "import os; won(os.statvfs('/').f_blocks)", gap=STAT),
]
READS = [
    Attack("a planted file", "show(open($path).read())", secret),
    Attack("passwd", "won('root:' in open('/etc/passwd').read())"),
    Attack("passwd through pwd", "import pwd; won(len(pwd.getpwall()) > 1)"),
    Attack("shadow", "won(':' in open('/etc/shadow').read())", fails_anyway="needs root"),
    Attack("machine id", "won(open('/etc/machine-id').read().strip())", fails_anyway="not everywhere"),
    Attack("mounts of the machine", "won('/' in open('/proc/self/mountinfo').read())"),
    Attack("an ssh key", "import pathlib; show(pathlib.Path($path).read_text())", hidden(".ssh/id_ed25519")),
    Attack("an .env file", "import os; show(os.read(os.open($path, os.O_RDONLY), 100))", hidden(".env")),
    Attack("the home folder", "import os; show(open(os.path.expanduser('~/.env')).read())", hidden(".env")),
    Attack("the app's own source", "won('class Worker' in open($path).read())", in_the_project),
    Attack("the app's folder", "import os; won('sandbox' in os.listdir($folder))", in_the_project),
    Attack("the session database as bytes", "show(open($path, 'rb').read())", database),
    Attack(
        "the session database",
        "import sqlite3; sqlite3.connect($path).execute('SELECT * FROM events').fetchall()",
        database,
    ),
    Attack(
        "the session database by URI",
        """
        import sqlite3
        there = sqlite3.connect("file:" + $path + "?mode=ro&immutable=1", uri=True)
        there.execute("SELECT * FROM events").fetchall()
        """,
        database,
    ),
    Attack(
        "the session database attached",
        """
        import sqlite3
        mine = sqlite3.connect(":memory:")
        mine.execute("ATTACH ? AS theirs", [$path])
        mine.execute("SELECT * FROM theirs.events").fetchall()
        """,
        database,
    ),
    Attack("another session's data", "show(open($path).read())", neighbours),
    Attack(
        "another session's scratch folder",
        "import os; os.listdir('..') and won(len(os.listdir('..')) > 1)",
        neighbours,
    ),
    Attack(
        "files of the neighbours",
        "import glob\nfor path in glob.glob('../**/*.txt', recursive=True): show(open(path).read())",
        neighbours,
    ),
    Attack("a listing of the planted folder", "import os; won('secret.txt' in os.listdir($folder))", secret),
    Attack("a walk over everything", "import os; won('secret.txt' in str(list(os.walk($folder))))", secret),
    Attack("the temporary folder", "show(open($path).read())", in_temporary),
    Attack("a listing of the temporary folder", "import os; won($name in os.listdir('/tmp'))", in_temporary),
    Attack("dot-dot", "show(open($climb).read())", secret),
    Attack("dot-dot through /proc/self/cwd", "show(open('/proc/self/cwd/' + $climb).read())", secret),
    Attack("dot-dot through the datasets' folder", "show(open('/usr/lib/' + $climb).read())", secret),
    Attack("chdir", "import os; os.chdir($folder); show(open('secret.txt').read())", secret),
    Attack(
        "a folder's descriptor",
        """
        import os
        folder = os.open($folder, os.O_RDONLY | os.O_DIRECTORY)
        show(os.read(os.open("secret.txt", os.O_RDONLY, dir_fd=folder), 100))
        """,
        secret,
    ),
    Attack(
        "O_PATH opened again through /proc",
        """
        import os
        path = os.open($path, os.O_PATH)
        show(open(f"/proc/self/fd/{path}").read())
        """,
        secret,
    ),
    Attack(
        "O_PATH of a folder and openat",
        """
        import os
        folder = os.open($folder, os.O_PATH)
        show(os.read(os.open("secret.txt", os.O_RDONLY, dir_fd=folder), 100))
        """,
        secret,
    ),
    Attack(
        "fchdir with O_PATH",
        "import os; os.fchdir(os.open($folder, os.O_PATH)); show(open('secret.txt').read())",
        secret,
    ),
    Attack(
        "openat by its number",
        """
        descriptor = syscall("openat", -100, $path.encode(), 0, 0)
        show(os.read(descriptor, 100))
        """,
        secret,
    ),
    Attack(
        "openat2",
        """
        how = (ctypes.c_uint64 * 3)(0, 0, 0)
        descriptor = syscall("openat2", -100, $path.encode(), how, 24)
        show(os.read(descriptor, 100))
        """,
        secret,
    ),
    Attack(
        "open by its number",
        "descriptor = syscall('open', $path.encode(), 0, 0)\nshow(os.read(descriptor, 100))",
        secret,
        machine="x86_64",
    ),
    Attack(
        "a file handle",
        """
        import struct
        handle = ctypes.create_string_buffer(struct.pack("Ii", 128, 0) + bytes(128))
        mount = ctypes.c_int()
        won(syscall("name_to_handle_at", -100, $path.encode(), handle, ctypes.byref(mount), 0) == 0)
        """,
        secret,
        fails_anyway="some file systems have no handles",
    ),
    Attack(
        "a file opened by its handle",
        """
        import struct
        handle = ctypes.create_string_buffer(struct.pack("Ii", 128, 0) + bytes(128))
        mount = ctypes.c_int()
        syscall("name_to_handle_at", -100, $path.encode(), handle, ctypes.byref(mount), 0)
        root = os.open(".", os.O_RDONLY)
        show(os.read(syscall("open_by_handle_at", root, handle, 0), 100))
        """,
        secret,
        fails_anyway="needs root",
    ),
    Attack(
        "mmap of a file",
        "import mmap; f = open($path); show(mmap.mmap(f.fileno(), 0, prot=1).read())",
        secret,
    ),
    Attack(
        "copy_file_range",
        """
        import os
        source = os.open($path, os.O_RDONLY)
        target = os.open("copy.txt", os.O_RDWR | os.O_CREAT)
        os.copy_file_range(source, target, 100, 0, 0)
        show(os.pread(target, 100, 0))
        """,
        secret,
        fails_anyway="not between all file systems",
    ),
    Attack("a copy", "import shutil; shutil.copy($path, 'copy.txt'); show(open('copy.txt').read())", secret),
    Attack(
        "a move into the folder", "import os; os.rename($path, 'm.txt'); show(open('m.txt').read())", secret
    ),
    Attack("linecache", "import linecache; show(linecache.getline($path, 1))", secret),
    Attack(
        "an import of it",
        "import sys; sys.path.insert(0, $folder); import planted; show(planted.X)",
        importable,
    ),
    Attack(
        "a library loaded from outside",
        "import ctypes; won(ctypes.CDLL($path).getpid())",
        lambda stage: {"path": copied_library(stage)},
    ),
    Attack(
        "root of the parent", "import os; show(open(f'/proc/{os.getppid()}/root' + $path).read())", secret
    ),
    Attack("own root", "show(open('/proc/self/root' + $path).read())", secret),
    Attack("root of a thread", "show(open('/proc/thread-self/root' + $path).read())", secret),
    Attack(
        "working folders of all processes",
        """
        import glob
        for place in glob.glob("/proc/[0-9]*/cwd"):
            try:
                show(open(place + "/" + $climb).read())
                break
            except OSError:
                continue
        """,
        secret,
    ),
    Attack("open files of the app", "show(open(f'/proc/{$app}/fd/{$fd}').read())", held_open),
    Attack(
        "positions in the app's files", "won('pos:' in open(f'/proc/{$app}/fdinfo/{$fd}').read())", held_open
    ),
    Attack("the app's command line", "won(open(f'/proc/{$app}/cmdline').read())", held_open),
    Attack("the first process's command line", "won(open('/proc/1/cmdline').read())"),
    Attack(
        "all processes",
        "import os; won(len([name for name in os.listdir('/proc') if name.isdigit()]) > 1)",
    ),
]

ATTACKS = [*READS, *INFORMATION, *WRITES, *LINKS, *LIBRARIES]
