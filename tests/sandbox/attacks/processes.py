"""Processes: new ones, other programs, and signals and traces to those of others."""

import os
from collections.abc import Mapping

from tests.sandbox.attacks.attack import Attack, Seen, reached
from tests.sandbox.attacks.signals import SIGNALS
from tests.sandbox.attacks.stage import Stage

# A child made with shared memory must not return into Python, so it gets a stack and runs C's _exit.
CLONE = """
import os
def cloned(flags):
    stack = ctypes.create_string_buffer(1 << 16)
    top = (ctypes.addressof(stack) + (1 << 16)) & ~0xf
    leave = ctypes.cast(libc._exit, ctypes.c_void_p)
    child = libc.clone(leave, ctypes.c_void_p(top), flags, ctypes.c_void_p(7))
    if child < 0:
        raise OSError(ctypes.get_errno(), "clone")
    return os.waitstatus_to_exitcode(os.waitpid(child, 0x40000000)[1]) == 7
"""


def program(stage: Stage) -> Mapping[str, object]:
    """A program's own file outside that leaves the token."""
    path = stage.folder / "program.sh"
    path.write_text(f"#!/bin/sh\necho {stage.token} > {stage.outside()}\n")
    path.chmod(0o755)
    return {"path": str(path), "new": stage.outside()}


def wrote(stage: Stage, seen: Seen) -> bool:
    return stage.wrote()


def replaced(stage: Stage, seen: Seen) -> bool:
    """The process became another program: it wrote outside, or (locked in) it never answered."""
    return stage.wrote() or (stage.protected and seen.outcome is None and "time" not in seen.text.lower())


def outside(stage: Stage) -> Mapping[str, object]:
    return {"new": stage.outside(), "pid": os.getpid()}


SHELL = "'echo ' + TOKEN + ' > ' + $new"
PROCESSES = [
    Attack(
        "fork",
        """
        import os
        reading, writing = os.pipe()
        if os.fork() == 0:
            os.write(writing, b"child")
            os._exit(0)
        won(os.read(reading, 5) == b"child")
        """,
    ),
    Attack(
        "forkpty",
        "import os\npid, fd = os.forkpty()\nif pid == 0: os._exit(7)\n"
        "won(os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 7)",
    ),
    Attack(
        "fork by its number",
        "child = syscall('fork')\nif child == 0: os._exit(7)\n"
        "won(child > 0 and os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 7)",
        machine="x86_64",
    ),
    Attack(
        "vfork in machine code",
        """
        import mmap
        code = bytes.fromhex("b83a0000000f054885c07401c3bf07000000b83c0000000f05")
        memory = mmap.mmap(-1, 4096, prot=7)
        memory.write(code)
        start = ctypes.addressof(ctypes.c_char.from_buffer(memory))
        child = ctypes.CFUNCTYPE(ctypes.c_long)(start)()
        won(child > 0 and os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 7)
        libc.getpid()
        """,
        machine="x86_64",
    ),
    Attack(
        "clone as a fork, by its number",
        "child = syscall('clone', 17, 0, 0, 0, 0)\nif child == 0: os._exit(7)\n"
        "won(child > 0 and os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 7)",
    ),
    Attack("clone with shared memory", CLONE + "won(cloned(0x100 | 17))"),
    Attack("clone as vfork does", CLONE + "won(cloned(0x4000 | 0x100 | 17))"),
    Attack("clone with shared files and signals", CLONE + "won(cloned(0x100 | 0x200 | 0x400 | 0x800 | 17))"),
    Attack("clone without a signal", CLONE + "won(cloned(0x100))"),
    Attack(
        "clone as another's child",
        CLONE + "try: won(cloned(0x8000 | 0x100 | 17))\nexcept ChildProcessError: won()",
    ),
    Attack("clone untraced", CLONE + "won(cloned(0x800000 | 0x100 | 17))"),
    Attack(
        "clone with a high bit of the flags",
        CLONE + "won(cloned(0x100 | 17 | -0x80000000))",
        fails_anyway="an I/O context of its own",
    ),
    Attack(
        "clone into a user namespace",
        CLONE + "won(cloned(0x10000000 | 17))",
        fails_anyway="can be switched off",
    ),
    Attack(
        "clone into a network namespace",
        CLONE + "won(cloned(0x10000000 | 0x40000000 | 17))",
        fails_anyway="can be switched off",
    ),
    Attack(
        "clone into a process namespace",
        CLONE + "won(cloned(0x10000000 | 0x20000000 | 17))",
        fails_anyway="can be switched off",
    ),
    Attack(
        "clone3",
        """
        arguments = (ctypes.c_uint64 * 11)(0, 0, 0, 0, 17)
        child = syscall("clone3", arguments, 88)
        if child == 0: os._exit(7)
        won(child > 0 and os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 7)
        """,
    ),
    Attack(
        "clone3 as a thread with a descriptor of itself",
        """
        handle = ctypes.c_int(-1)
        arguments = (ctypes.c_uint64 * 11)(0x1000, ctypes.addressof(handle), 0, 0, 17)
        child = syscall("clone3", arguments, 88)
        if child == 0: os._exit(7)
        won(child > 0 and handle.value >= 0)
        os.waitpid(child, 0)
        """,
    ),
    Attack("os.system", f"import os; os.system({SHELL})", outside, wrote),
    Attack("os.popen", f"import os; os.popen({SHELL}).read()", outside, wrote),
    Attack("subprocess", f"import subprocess; subprocess.run({SHELL}, shell=True)", outside, wrote),
    Attack(
        "subprocess without vfork",
        f"import subprocess as s; s._USE_VFORK = False; s.run({SHELL}, shell=True)",
        outside,
        wrote,
    ),
    Attack("subprocess with a program outside", "import subprocess; subprocess.run([$path])", program, wrote),
    Attack(
        "Python once more",
        "import subprocess, sys; "
        "show(subprocess.check_output([sys.executable, '-S', '-c', f'print({TOKEN!r})']).decode())",
    ),
    Attack(
        "posix_spawn",
        f"import os; p = os.posix_spawn('/bin/sh', ['sh', '-c', {SHELL}], {{}}); os.waitpid(p, 0)",
        outside,
        wrote,
    ),
    Attack("system of C", f"libc.system(({SHELL}).encode())", outside, wrote),
    Attack(
        "popen of C",
        "libc.popen.restype = ctypes.c_void_p\n"
        f"libc.pclose(ctypes.c_void_p(libc.popen(({SHELL}).encode(), b'r')))",
        outside,
        wrote,
    ),
    Attack(
        "asyncio's processes",
        f"""
        import asyncio
        async def run():
            await (await asyncio.create_subprocess_shell({SHELL})).wait()
        asyncio.run(run())
        """,
        outside,
        wrote,
    ),
    Attack(
        "multiprocessing by fork",
        """
        import multiprocessing, os
        context = multiprocessing.get_context("fork")
        queue = context.SimpleQueue()
        child = context.Process(target=lambda: queue.put(TOKEN))
        child.start()
        show(queue.get())
        child.join()
        """,
    ),
    Attack(
        "a pool of processes",
        """
        import concurrent.futures as f, multiprocessing as m, os
        with f.ProcessPoolExecutor(1, m.get_context("fork")) as pool:
            won(pool.submit(os.getpid).result() != os.getpid())
        """,
    ),
    Attack(
        "joblib's processes",
        """
        import joblib, os
        won(joblib.Parallel(n_jobs=2)(joblib.delayed(os.getpid)() for _ in range(2))[0] != os.getpid())
        """,
        timeout=10.0,
    ),
    Attack("pty.spawn", f"import pty; pty.spawn(['/bin/sh', '-c', {SHELL}])", outside, wrote),
    Attack(
        "a browser",
        "import webbrowser; webbrowser.register('x', None, webbrowser.GenericBrowser([$path])); "
        "webbrowser.get('x').open('.')",
        program,
        wrote,
    ),
    Attack("exec of a shell", f"import os; os.execv('/bin/sh', ['sh', '-c', {SHELL}])", outside, replaced),
    Attack(
        "exec of the interpreter",
        "import os, sys; os.execv(sys.executable, [sys.executable, '-S', '-c', "
        "'open(' + repr($new) + ', \"w\").write(' + repr(TOKEN) + ')'])",
        outside,
        replaced,
    ),
    Attack("exec of a script outside", "import os; os.execv($path, ['program'])", program, replaced),
    Attack(
        "exec of a file of its own",
        """
        import os
        with open("mine.sh", "w") as file: file.write(f"#!/bin/sh\\necho {TOKEN} > {$new}\\n")
        os.chmod("mine.sh", 0o755)
        os.execv("./mine.sh", ["mine"])
        """,
        outside,
        replaced,
    ),
    Attack(
        "exec through the loader",
        """
        import glob, os, sys
        loader = glob.glob("/lib*/ld-linux*")[0]
        os.execv(loader, [loader, "/bin/sh", "-c", f"echo {TOKEN} > {$new}"])
        """,
        outside,
        replaced,
    ),
    Attack(
        "exec of a file in memory",
        """
        import os
        descriptor = os.memfd_create("m", 0)
        os.write(descriptor, open("/bin/sh", "rb").read())
        os.execve(descriptor, ["sh", "-c", f"echo {TOKEN} > {$new}"], {})
        """,
        outside,
        replaced,
    ),
    Attack(
        "execveat",
        """
        shell = os.open("/bin/sh", os.O_PATH)
        texts = [b"sh", b"-c", f"echo {TOKEN} > {$new}".encode(), None]
        syscall("execveat", shell, b"", (ctypes.c_char_p * 4)(*texts), (ctypes.c_char_p * 1)(None), 0x1000)
        """,
        outside,
        replaced,
    ),
    Attack(
        "a program that gets another user's rights",
        "import os; os.execv('/usr/bin/su', ['su', '-c', f'echo {TOKEN} > {$new}'])",
        outside,
        replaced,
        fails_anyway="needs root or a password",
    ),
    Attack(
        "more threads than there may be",
        """
        import threading, time
        started = []
        for _ in range($count):
            try:
                threading.Thread(target=time.sleep, args=(0.3,), daemon=True).start()
            except RuntimeError:
                break
            started.append(1)
        won(len(started) == $count)
        """,
        sizes={"count": (1000, 200)},
    ),
    Attack(
        "threads of C without end",
        """
        import time
        thread, count = ctypes.c_ulong(), 0
        sleep = ctypes.cast(libc.usleep, ctypes.c_void_p)
        long = ctypes.c_void_p(300_000)
        while count < $count and libc.pthread_create(ctypes.byref(thread), None, sleep, long) == 0:
            count += 1
        won(count == $count)
        """,
        sizes={"count": (2000, 200)},
    ),
    Attack(
        "processes without end",
        """
        import os
        alive = 0
        for _ in range($count):
            if os.fork() == 0:
                import time
                time.sleep(0.3)
                os._exit(0)
            alive += 1
        won(alive == $count)
        """,
        sizes={"count": (20, 5)},
    ),
]
SETTINGS = [
    Attack(
        "a session of its own",
        """
        won(os.getpid() != os.getsid(0) and os.setsid() is None or syscall("kill", -1, 99) == -22)
        """,
    ),
    Attack("a process group of its own", "import os; os.setpgid(0, os.getpgid(os.getppid())); won()"),
    Attack(
        "real time",
        "import os; os.sched_setscheduler(0, os.SCHED_FIFO, os.sched_param(1)); won()",
        fails_anyway="needs root",
    ),
    Attack(
        "round robin by sched_setattr",
        "import struct\n"
        "attributes = ctypes.create_string_buffer(struct.pack('IIQiIQQQ', 48, 2, 0, 0, 1, 0, 0, 0))\n"
        "won(syscall('sched_setattr', 0, attributes, 0) == 0)",
        fails_anyway="needs root",
    ),
    Attack(
        "another's scheduler",
        "import os; os.sched_setscheduler($pid, os.SCHED_BATCH, os.sched_param(0)); won()",
        lambda stage: {"pid": stage.victim().pid},
    ),
    Attack(
        "a higher priority",
        "import os; os.setpriority(os.PRIO_PROCESS, 0, -5); won()",
        fails_anyway="needs root",
    ),
    Attack(
        "another's priority",
        "import os; os.setpriority(os.PRIO_PROCESS, $pid, 19); won()",
        lambda stage: {"pid": stage.victim().pid},
    ),
    Attack(
        "the priority of all the user's processes",
        "import os; os.setpriority(os.PRIO_USER, 0, os.getpriority(os.PRIO_PROCESS, 0)); won()",
        fails_anyway="a container's rules",
        dangerous=True,
    ),
    Attack(
        "another's processors",
        "import os; os.sched_setaffinity($pid, {0}); won(os.sched_getaffinity($pid) == {0})",
        lambda stage: {"pid": stage.victim().pid},
    ),
    reached("the disk's first place", "syscall('ioprio_set', 1, 0, (2 << 13) | 0)"),
    Attack(
        "another's limits",
        "import resource; resource.prlimit($pid, resource.RLIMIT_NOFILE, (5, 5)); won()",
        lambda stage: {"pid": stage.victim().pid},
        fails_anyway="may need a right",
    ),
    Attack(
        "another's limits read",
        "import resource; won(resource.prlimit($pid, resource.RLIMIT_NOFILE))",
        lambda stage: {"pid": stage.victim().pid},
    ),
    *[
        Attack(
            f"own limit raised: {name}",
            f"""
            import resource
            now, most = resource.getrlimit(resource.RLIMIT_{name})
            resource.setrlimit(resource.RLIMIT_{name}, (most, most))
            if most != resource.RLIM_INFINITY:
                resource.setrlimit(resource.RLIMIT_{name}, (most + 4096, most + 4096))
            won(resource.getrlimit(resource.RLIMIT_{name})[0] in (resource.RLIM_INFINITY, most + 4096))
            """,
            fails_anyway="only root can, where a limit is set",
        )
        for name in ("AS", "FSIZE", "CORE", "NOFILE", "MEMLOCK", "NICE")
    ],
]
ATTACKS = [*PROCESSES, *SIGNALS, *SETTINGS]
