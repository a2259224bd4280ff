"""The channel to the host: forged answers, broken pipes, and what else was inherited."""

from tests.sandbox.attacks.attack import Attack, Seen
from tests.sandbox.attacks.stage import Stage


def forged(stage: Stage, seen: Seen) -> bool:
    """The next run got an answer that is not its own, or none."""
    if not stage.protected:
        return stage.token in seen.text or seen.died
    later = seen.later
    return (
        later is None
        or later.outcome is None
        or stage.token in later.text
        or "the real one" not in later.text
    )


def lost(stage: Stage, seen: Seen) -> bool:
    """The variables from before are gone."""
    if not stage.protected:
        return "kept-value" not in seen.text
    later = seen.later
    return later is None or later.rebuilt > 0 or "kept-value" not in later.text


OWN = "code that takes what its own process is told harms its own conversation only"
REAL = "show('the real one')"


def keeps(name: str, code: str) -> Attack:
    """Code that fails on purpose, after it has tried to harm the process that holds the variables."""
    return Attack(name, code, None, lost, first="kept = 'kept-' + 'value'", then="show(kept)", timeout=2.0)


CHANNEL = [
    Attack("an answer before the answer", "forge(answer(TOKEN))", None, forged, then=REAL),
    Attack("two answers", "forge(answer(TOKEN))\nforge(answer(TOKEN))", None, forged, then=REAL),
    Attack("twenty answers", "for _ in range(20): forge(answer(TOKEN))", None, forged, then=REAL),
    Attack("an answer without a mark", "forge({'ok': answer(TOKEN)['ok']})", None, forged, then=REAL),
    Attack("an answer with an empty mark", "forge(answer(TOKEN) | {'mark': ''})", None, forged, then=REAL),
    Attack(
        "an answer with every mark", "forge(answer(TOKEN) | {'mark': ['a', {}]})", None, forged, then=REAL
    ),
    Attack(
        "an answer after the answer",
        """
        import threading, time
        own = answer(TOKEN)
        def late():
            for _ in range(100):
                time.sleep(0.005)
                forge(own)
        threading.Thread(target=late, daemon=True).start()
        """,
        None,
        forged,
        then="import time; time.sleep(0.1)\n" + REAL,
    ),
    Attack(
        "the next call read by a thread",
        """
        import threading, os, struct, json
        def read():
            for fd in pipes():
                try:
                    size = struct.unpack(">Q", os.read(fd, 8))[0]
                    call = json.loads(os.read(fd, size))
                    forge(answer(TOKEN) | {"mark": call["mark"]})
                except Exception:
                    continue
        threading.Thread(target=read, daemon=True).start()
        """,
        None,
        forged,
        then=REAL,
        fails_anyway="the host without a sandbox sends no calls",
        gap=OWN,
    ),
    Attack(
        "the next call read by a fork of the run",
        """
        import threading, os
        def fork():
            while True:
                try:
                    if os.fork() == 0:
                        own = answer(TOKEN)
                        for fd in pipes():
                            try:
                                size = struct.unpack(">Q", os.read(fd, 8))[0]
                                forge(own | {"mark": json.loads(os.read(fd, size))["mark"]})
                            except Exception:
                                continue
                        os._exit(0)
                    break
                except OSError:
                    continue
        threads = [threading.Thread(target=fork, daemon=True) for _ in range(4)]
        for thread in threads: thread.start()
        """,
        None,
        forged,
        then=REAL,
        timeout=3.0,
        fails_anyway="the host without a sandbox sends no calls",
        gap=OWN,
    ),
    Attack(
        "the host's next answers written by a patch",
        """
        import sys
        own = answer(TOKEN)
        for module in list(sys.modules.values()):
            if getattr(module, "HEADER", None) is not None and hasattr(module, "write_message"):
                write = module.write_message
                module.write_message = lambda stream, call, said, limit: write(stream, call, own, limit)
        forge(own)
        """,
        None,
        forged,
        then=REAL,
    ),
    Attack(
        "pipes closed",
        "import os; os.closerange(0, 256)",
        None,
        lambda stage, seen: (
            "no answer" in seen.text or seen.died or forged(stage, seen)
            if stage.protected
            else "no answer" in seen.text or seen.died
        ),
        then=REAL,
    ),
    Attack(
        "pipes exchanged",
        """
        import os
        found = list(pipes())
        for one in found:
            for two in found:
                os.dup2(one, two)
        """,
        None,
        lambda stage, seen: forged(stage, seen) if stage.protected else "the real one" not in seen.text,
        then=REAL,
        fails_anyway="the host without a sandbox has one pipe only",
    ),
    keeps("variables lost by an end", "import os; os._exit(1)"),
    keeps("variables lost by an abort", "import os; os.abort()"),
    keeps("variables lost by a crash", "import ctypes; ctypes.string_at(0)"),
    keeps(
        "variables lost by a signal to the parent",
        "import os\nfor n in (15, 9): os.kill(os.getppid(), n)\nos._exit(1)",
    ),
    keeps("variables lost by closed pipes", "import os; os.closerange(3, 256); os._exit(1)"),
    keeps(
        "variables lost by a pipe that does not wait",
        """
        import fcntl, os
        for fd in pipes():
            fcntl.fcntl(fd, fcntl.F_SETFL, os.O_NONBLOCK)
        os._exit(1)
        """,
    ),
    keeps(
        "variables lost by a half message",
        "forge(b'\\0' * 7 + b'\\x50x', header=False)\nimport os\nos._exit(1)",
    ),
    keeps(
        "variables lost by a full pipe",
        """
        import os
        for fd in pipes():
            os.set_blocking(fd, False)
            try:
                while True: os.write(fd, bytes(65536))
            except OSError:
                os.set_blocking(fd, True)
        os._exit(1)
        """,
    ),
    keeps("variables lost by a forged end", "forge({'died': 9, 'mark': mark()})\nimport os\nos._exit(1)"),
    keeps(
        "variables lost by memory",
        "import os\ntry:\n    kept = [bytearray(1 << 20) for _ in range(2000)]\nfinally:\n    os._exit(1)",
    ),
    keeps("variables lost by time", "import time; time.sleep(5)"),
    Attack(
        "files of the host that are open here",
        """
        import os, stat
        here = os.stat(".").st_ino
        for fd in range(256):
            try:
                status = os.fstat(fd)
            except OSError:
                continue
            foreign = stat.S_ISDIR(status.st_mode) and status.st_ino != here
            if stat.S_ISREG(status.st_mode):
                try:
                    foreign = os.pread(fd, 4, 0) != b"PAR1" and status.st_size > 0
                except OSError:
                    foreign = True
            won(foreign or stat.S_ISSOCK(status.st_mode) or stat.S_ISBLK(status.st_mode))
        """,
    ),
    Attack(
        "open files of the host by their names",
        """
        import os
        for name in os.listdir("/proc/self/fd"):
            try:
                place = os.readlink("/proc/self/fd/" + name)
            except OSError:
                continue
            won(place.startswith("/") and not place.startswith(("/dev/null", "/proc", os.getcwd())))
        """,
    ),
]
