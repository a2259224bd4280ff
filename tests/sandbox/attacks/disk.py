"""Disk and descriptors: large files, many files, files that a look at the folder does not show."""

from sandbox.outcome import FileOutput
from tests.sandbox.attacks.attack import Attack, Seen, reached
from tests.sandbox.attacks.stage import Stage

SPACE = {"mb": (2500, 20)}
"""A conversation's folder may hold 1 GB, one file 256 MB."""
COUNT = {"count": (30_000, 200)}
PIECE = "piece = b'x' * (1 << 20)\n"


def core_left(stage: Stage, seen: Seen) -> bool:
    return any(path.name.startswith("core") for path in stage.scratch.iterdir())


def kept_too_much(stage: Stage, seen: Seen) -> bool:
    """More stayed in the folder than it may hold, or more was handed on than a result keeps."""
    handed = (
        sum(len(o.data) for o in seen.outcome.outputs if isinstance(o, FileOutput)) if seen.outcome else 0
    )
    if stage.protected:
        return seen.kept_bytes > 1100 << 20 or handed > 100_000_000
    return seen.kept_bytes > 5_000_000 or len(seen.text) > 5_000_000


def many_kept(stage: Stage, seen: Seen) -> bool:
    return seen.kept_files >= (501 if stage.protected else 200)


DISK = [
    Attack(
        "one large file",
        PIECE + "f = open('a', 'wb')\nfor _ in range($mb): f.write(piece)\nwon()",
        sizes=SPACE,
    ),
    Attack(
        "many middling files",
        PIECE
        + """
for number in range(10):
    with open(f"file{number}", "wb") as f:
        for _ in range($mb // 10): f.write(piece)
won()
""",
        sizes=SPACE,
    ),
    Attack(
        "files that are removed while they are open",
        PIECE
        + """
import os
kept = []
for number in range(10):
    kept.append(open("a", "wb"))
    os.unlink("a")
    os.posix_fallocate(kept[-1].fileno(), 0, $mb // 10 << 20)
import time
time.sleep(0.3)
won(sum(os.fstat(f.fileno()).st_blocks for f in kept) * 512 >= $mb << 20)
""",
        sizes=SPACE,
    ),
    Attack(
        "files that are overwritten while they are mapped",
        PIECE
        + """
import mmap, os
kept = []
for number in range(10):
    with open("new", "w+b") as f:
        os.posix_fallocate(f.fileno(), 0, $mb // 10 << 20)
        kept.append(mmap.mmap(f.fileno(), 0))
    os.replace("new", "old")
import time
time.sleep(0.3)
won()
""",
        sizes=SPACE,
    ),
    Attack(
        "space taken by fallocate",
        """
        import os
        for number in range(10):
            with open(f"file{number}", "wb") as f:
                os.posix_fallocate(f.fileno(), 0, $mb // 10 << 20)
        """,
        None,
        lambda stage, seen: seen.kept_bytes > (1100 if stage.protected else 10) << 20,
        sizes=SPACE,
    ),
    Attack(
        "a sparse file", "import os; open('a', 'w').close(); os.truncate('a', $mb << 20); won()", sizes=SPACE
    ),
    Attack(
        "a sparse file that the host reads",
        "import os\nfor n in range(10): open(f's{n}', 'w').truncate($mb << 20)",
        None,
        kept_too_much,
        sizes=SPACE,
    ),
    Attack(
        "many small files",
        "for number in range($count): open(f'file{number}', 'w').close()\nwon()",
        sizes=COUNT,
    ),
    Attack(
        "just too many small files",
        "for number in range($count): open(f'file{number}', 'w').close()",
        None,
        many_kept,
        sizes={"count": (1500, 200)},
    ),
    Attack(
        "many small files, run after run",
        "for number in range($count): open(f'first{number}', 'w').close()",
        None,
        many_kept,
        then="for number in range($count): open(f'second{number}', 'w').close()",
        sizes={"count": (400, 100)},
    ),
    Attack(
        "names of the longest kind",
        "for n in range($count): open(f'{n:0200}', 'w').close()\nwon()",
        sizes=COUNT,
    ),
    Attack("deep folders", "import os; os.makedirs('/'.join(['a'] * 100)); won()"),
    Attack(
        "folders within folders without a path",
        "import os\nfor _ in range($count): os.mkdir('a'); os.chdir('a')\nwon()",
        sizes={"count": (2000, 50)},
    ),
    Attack(
        "many links",
        "import os; open('a', 'w').close()\nfor n in range($count): os.link('a', f'l{n}')\nwon()",
        sizes=COUNT,
    ),
    Attack(
        "an attribute of its own file",
        "import os; open('a', 'w').close(); os.setxattr('a', 'user.planted', b'x' * 2000); won()",
        fails_anyway="not on every file system",
    ),
    Attack(
        "many descriptors",
        "kept = [open('/dev/null') for _ in range($count)]; won()",
        sizes={"count": (5000, 500)},
    ),
    Attack(
        "many pipes",
        "import os\nkept = [os.pipe() for _ in range($count)]\nwon()",
        sizes={"count": (2000, 300)},
    ),
    Attack(
        "a core file",
        """
        import os, resource
        most = resource.getrlimit(resource.RLIMIT_CORE)[1]
        resource.setrlimit(resource.RLIMIT_CORE, (most, most))
        os.abort()
        """,
        None,
        core_left,
        fails_anyway="core files often go elsewhere, or nowhere",
    ),
    reached("a disk written out", "syscall('syncfs', -1)", 9),
    Attack(
        "watches on files outside",
        """
        there = syscall("inotify_init1", 0)
        won(syscall("inotify_add_watch", there, $path.encode(), 0xfff) >= 0)
        """,
        lambda stage: {"path": stage.secret()},
    ),
    reached(
        "the kernel's own reading and writing", "syscall('io_setup', 1000, ctypes.byref(ctypes.c_ulong()))"
    ),
    Attack(
        "a file that grows while it is collected",
        PIECE
        + """
import threading
def grow():
    with open("a", "wb") as f:
        for _ in range($mb): f.write(piece)
threading.Thread(target=grow).start()
""",
        None,
        kept_too_much,
        sizes=SPACE,
        timeout=3.0,
    ),
]
