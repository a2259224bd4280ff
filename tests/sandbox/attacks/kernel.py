"""The kernel's surface: calls that no analysis needs, tried with values that change nothing."""

from collections.abc import Mapping

from tests.sandbox.attacks.attack import Attack, reached
from tests.sandbox.attacks.loosening import LOOSENING
from tests.sandbox.attacks.stage import Stage

ROOT = "needs root"
OFF = "can be switched off"
EPERM, ENOENT, EINTR, EBADF, ENOMEM, EFAULT, EEXIST, ENODEV, EINVAL, ENOSYS = (
    1,
    2,
    4,
    9,
    12,
    14,
    17,
    19,
    22,
    38,
)
ENOTBLK, ENOTDIR, ESRCH, ENOTTY, ENOEXEC, ENOKEY, ENXIO = 15, 20, 3, 25, 8, 126, 6
PATH = "b'/nonexistent/planted'"


def mounted(stage: Stage) -> Mapping[str, object]:
    return {"path": stage.secret()}


NAMESPACES = [
    reached("a user namespace", "syscall('unshare', 0x10000000)", fails_anyway=OFF),
    *[
        reached(f"a namespace of {name}", f"syscall('unshare', 0x10000000 | {flag})", fails_anyway=OFF)
        for name, flag in {
            "mounts": 0x20000,
            "processes": 0x20000000,
            "networks": 0x40000000,
            "System V": 0x8000000,
            "host names": 0x4000000,
            "control groups": 0x2000000,
            "times": 0x80,
        }.items()
    ],
    reached("files no longer shared", "syscall('unshare', 0x400 | 0x200)"),
    reached("another namespace entered", "syscall('setns', -1, 0)", EBADF),
    Attack(
        "the parent's namespace entered",
        "handle = syscall('pidfd_open', os.getppid(), 0)\nwon(syscall('setns', handle, 0x4000000) == 0)",
        fails_anyway=ROOT,
    ),
    Attack(
        "root in a namespace of its own",
        """
        user, group = os.getuid(), os.getgid()
        if syscall("unshare", 0x10000000) == 0:
            open("/proc/self/setgroups", "w").write("deny")
            open("/proc/self/uid_map", "w").write(f"0 {user} 1")
            won(os.getuid() == 0)
        """,
        fails_anyway=OFF,
    ),
    Attack(
        "another root folder in a namespace of its own",
        """
        if syscall("unshare", 0x10020000) == 0:
            won(syscall("chroot", b"/") == 0)
        """,
        fails_anyway=OFF,
    ),
    Attack(
        "a mount in a namespace of its own",
        """
        user = os.getuid()
        if syscall("unshare", 0x10020000) == 0:
            open("/proc/self/uid_map", "w").write(f"0 {user} 1")
            os.mkdir("m")
            won(syscall("mount", b"tmpfs", b"m", b"tmpfs", 0, 0) == 0)
            libc.umount2(b"m", 2)
        """,
        fails_anyway=OFF,
    ),
    Attack(
        "a bind of a folder outside",
        """
        user = os.getuid()
        folder = os.path.dirname($path)
        if syscall("unshare", 0x10020000) == 0:
            open("/proc/self/uid_map", "w").write(f"0 {user} 1")
            os.mkdir("m")
            if syscall("mount", folder.encode(), b"m", b"", 0x1000, 0) == 0:
                show(open("m/secret.txt").read())
                libc.umount2(b"m", 2)
        """,
        mounted,
        fails_anyway=OFF,
    ),
    reached("a mount", f"syscall('mount', 0, {PATH}, 0, 0, 0)", ENOENT),
    reached("an unmount", f"syscall('umount2', {PATH}, 0)", ENOENT, EINVAL),
    reached("another root", f"syscall('pivot_root', {PATH}, {PATH})", ENOENT, fails_anyway=ROOT),
    reached("chroot", "syscall('chroot', b'.')", fails_anyway=ROOT),
    reached(
        "a mount moved",
        f"syscall('move_mount', -100, {PATH}, -100, {PATH}, 0)",
        ENOENT,
        fails_anyway=ROOT,
    ),
    reached("a file system opened", "syscall('fsopen', b'tmpfs', 0)", fails_anyway=ROOT),
    reached("a file system's settings", "syscall('fsconfig', -1, 0, 0, 0, 0)", EINVAL, EBADF),
    reached("a file system's mount", "syscall('fsmount', -1, 0, 0)", EBADF, fails_anyway=ROOT),
    reached("a file system picked", f"syscall('fspick', -100, {PATH}, 0)", ENOENT, fails_anyway=ROOT),
    reached("a tree opened", "syscall('open_tree', -100, b'/', 0)"),
    reached("a tree copied", "syscall('open_tree', -100, b'/', 1)", fails_anyway=ROOT),
    reached("a mount's attributes", f"syscall('mount_setattr', -100, {PATH}, 0, 0, 0)", EINVAL, ENOENT),
    reached(
        "all mounts listed",
        "syscall('listmount', 0, 0, 0, 0)",
        EFAULT,
        EINVAL,
        fails_anyway="new kernels only",
    ),
]
MEMORY = [
    reached(
        "a key kept by the kernel",
        "syscall('add_key', b'user', b'planted', b'x', 1, -2)",
        fails_anyway="a container's rules",
    ),
    reached("a key asked for", "syscall('request_key', b'user', b'planted-not-there', 0, 0)", ENOKEY, ENOENT),
    reached("the session's keyring", "syscall('keyctl', 0, -3, 0)"),
    reached("a keyring joined", "syscall('keyctl', 1, 0)"),
    reached("a map of bpf", "syscall('bpf', 0, (ctypes.c_uint32 * 32)(2, 4, 8, 1), 128)", fails_anyway=ROOT),
    reached(
        "a program of bpf", "syscall('bpf', 5, (ctypes.c_uint32 * 32)(), 128)", EINVAL, fails_anyway=ROOT
    ),
    reached(
        "counters of the processor",
        "syscall('perf_event_open', (ctypes.c_uint32 * 32)(1, 128), 0, -1, -1, 0)",
        ENOENT,
        fails_anyway=ROOT,
    ),
    reached("faults handled by the process", "syscall('userfaultfd', 1)", fails_anyway=OFF),
    reached(
        "a ring of io_uring",
        "syscall('io_uring_setup', 4, ctypes.create_string_buffer(120))",
        fails_anyway=OFF,
    ),
    reached("io_uring entered", "syscall('io_uring_enter', -1, 0, 0, 0, 0, 0)", EBADF, fails_anyway=OFF),
    reached(
        "io_uring's registrations",
        "syscall('io_uring_register', -1, 0, 0, 0)",
        EBADF,
        EINVAL,
        fails_anyway=OFF,
    ),
    reached("memfd_create", "syscall('memfd_create', b'm', 0)"),
    reached("memfd_secret", "syscall('memfd_secret', 0)", fails_anyway=OFF),
    Attack(
        "shared memory of System V",
        "key = syscall('shmget', 0, 4096, 0o1600)\nwon(key >= 0)\nsyscall('shmctl', key, 0, 0)",
    ),
    Attack(
        "semaphores of System V",
        "key = syscall('semget', 0, 1, 0o1600)\nwon(key >= 0)\nsyscall('semctl', key, 0, 0, 0)",
    ),
    Attack(
        "messages of System V",
        "key = syscall('msgget', 0, 0o1600)\nwon(key >= 0)\nsyscall('msgctl', key, 0, 0)",
    ),
    Attack(
        "a queue of POSIX",
        """
        name = b"planted" + str(os.getpid()).encode()
        won(syscall("mq_open", name, 0o102, 0o600, 0) >= 0)
        syscall("mq_unlink", name)
        """,
    ),
    reached("pages moved to other nodes", "syscall('migrate_pages', 0, 0, 0, 0)", EINVAL),
    reached("pages given to a pipe", "syscall('vmsplice', -1, 0, 0, 0)", EBADF),
    reached("memory's place", "syscall('mbind', 0, 0, 0, 0, 0, 0)", fails_anyway="not in every kernel"),
    reached("another's memory advised", "syscall('process_madvise', -1, 0, 0, 0, 0)", EBADF, EINVAL),
    reached("another's memory taken", "syscall('process_mrelease', -1, 0)", EBADF),
]
FOR_ROOT: list[tuple[str, str, *tuple[int, ...]]] = [
    ("another kernel", "syscall('kexec_load', 0, 0, 0, 0xffff)", EINVAL),
    ("a module", "syscall('init_module', 0, 0, b'')", EFAULT, ENOEXEC),
    ("a module's file", "syscall('finit_module', -1, b'', 0)", EBADF),
    ("a module's end", "syscall('delete_module', b'planted_not_there', 0x800)", ENOENT),
    ("a new start", "syscall('reboot', 1, 2, 3, 0)", EINVAL),
    ("swap", f"syscall('swapon', {PATH}, 0)", ENOENT),
    ("swap's end", f"syscall('swapoff', {PATH})", ENOENT),
    ("accounting", f"syscall('acct', {PATH})", ENOENT),
    ("the time of day", "syscall('settimeofday', ctypes.c_void_p(1), 0)", EFAULT),
    ("a clock", "syscall('clock_settime', 0, ctypes.c_void_p(1))", EFAULT),
    ("the clock's speed", "syscall('adjtimex', (ctypes.c_uint32 * 64)(0x2))"),
    (
        "the host's name",
        "syscall('sethostname', os.uname().nodename.encode(), len(os.uname().nodename))",
    ),
    ("the domain's name", "syscall('setdomainname', 0, 1000)", EINVAL),
    ("watches on all files", "syscall('fanotify_init', 0, 0)"),
    (
        "a file by its handle",
        "syscall('open_by_handle_at', -1, (ctypes.c_uint32 * 4)(), 0)",
        EBADF,
        EINVAL,
    ),
]
MACHINE = [
    *[reached(name, call, *proofs, fails_anyway=ROOT) for name, call, *proofs in FOR_ROOT],
    reached("the clock's state", "syscall('adjtimex', (ctypes.c_uint32 * 64)(0))"),
    reached("a clock's state", "syscall('clock_adjtime', 0, (ctypes.c_uint32 * 64)(0))"),
    reached("the kernel's log", "syscall('syslog', 10, 0, 0)", fails_anyway="can be for root only"),
    reached(
        "quotas",
        f"syscall('quotactl', 0x80000700, {PATH}, 0, 0)",
        ENOENT,
        ENODEV,
        EINVAL,
        ENOTBLK,
        fails_anyway="not in every kernel",
    ),
    reached("watches on files", "syscall('fanotify_init', 0x200, 0)", fails_anyway="new kernels only"),
    reached("ports of the machine", "syscall('ioperm', 0x80, 1, 0)", fails_anyway=OFF, machine="x86_64"),
    reached("all ports of the machine", "syscall('iopl', 0)", fails_anyway=OFF, machine="x86_64"),
    reached(
        "a table of segments",
        "syscall('modify_ldt', 0, ctypes.create_string_buffer(64), 64)",
        machine="x86_64",
    ),
    reached("a personality", "syscall('personality', 0x0040000)"),
    reached("memory that may be run when it is read", "syscall('personality', 0x0400000)"),
    Attack(
        "a node of a disk",
        "import os, stat; os.mknod('d', stat.S_IFBLK | 0o600, os.makedev(253, 0)); won()",
        fails_anyway=ROOT,
    ),
    Attack(
        "a node of the memory",
        "import os, stat; os.mknod('d', stat.S_IFCHR | 0o600, os.makedev(1, 1)); won()",
        fails_anyway=ROOT,
    ),
    *[
        Attack(f"the device {path}", f"import os; won(os.open({path!r}, {mode}) >= 0)", fails_anyway=why)
        for path, mode, why in [
            ("/dev/mem", "os.O_RDONLY", ROOT),
            ("/dev/kmsg", "os.O_RDONLY", ROOT),
            ("/dev/fuse", "os.O_RDWR", "seldom there"),
            ("/dev/kvm", "os.O_RDWR", "seldom there"),
            ("/dev/net/tun", "os.O_RDWR", "seldom there"),
            ("/dev/ptmx", "os.O_RDWR", ""),
            ("/dev/full", "os.O_RDWR", ""),
            ("/dev/zero", "os.O_RDWR", ""),
            ("/dev/tty", "os.O_RDWR", "needs a terminal"),
            ("/proc/kallsyms", "os.O_RDONLY", ""),
            ("/proc/sys/kernel/hostname", "os.O_RDONLY", ""),
            ("/sys/kernel", "os.O_RDONLY | os.O_DIRECTORY", ""),
        ]
    ],
    Attack(
        "a key pressed for somebody",
        "import fcntl, os\none, two = os.openpty()\ntry: fcntl.ioctl(two, 0x5412, b'x')\n"
        "except OSError as error: won(error.errno == 5)\nelse: won()",
        fails_anyway="can be switched off",
    ),
    Attack(
        "a key pressed on what is inherited",
        """
        import fcntl
        def pressed(fd):
            try:
                fcntl.ioctl(fd, 0x5412, b"x")
            except OSError as error:
                return error.errno
            return 0
        won(any(pressed(fd) in (0, 5, 25) for fd in range(20)))
        """,
    ),
    Attack(
        "descriptors asked by odd requests",
        """
        import fcntl
        def asked(request):
            try:
                fcntl.ioctl(0, request, bytes(64))
            except OSError as error:
                return error.errno
            return 0
        won(any(asked(request) == 25 for request in (0x5410, 0x540E, 0x4B61, 0x8933, 0xC0045877)))
        """,
    ),
    Attack("another user", "import os; os.setresuid(65534, 65534, 65534); won()", fails_anyway=ROOT),
    Attack("other groups", "import os; os.setgroups([]); won()", fails_anyway=ROOT),
]
CODE32 = """
import mmap
memory = mmap.mmap(-1, 4096, mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS | 0x40, 7)
def machine(code):
    memory.seek(0)
    memory.write(bytes.fromhex(code))
    return ctypes.CFUNCTYPE(ctypes.c_long)(ctypes.addressof(ctypes.c_char.from_buffer(memory)))()
"""
OLD = "kernels can be built without it"
OLD_CALLS = [
    Attack(
        "a call of 32 bits",
        CODE32 + "won(machine('b814000000cd80c3') == os.getpid())\nlibc.getpid()",
        fails_anyway=OLD,
        machine="x86_64",
    ),
    Attack(
        "a file opened by a call of 32 bits",
        CODE32
        + """
memory.seek(1024)
memory.write($path.encode() + b"\\0")
low = ctypes.addressof(ctypes.c_char.from_buffer(memory)) + 1024
start = ctypes.addressof(ctypes.c_char.from_buffer(memory))
import struct
code = b"\\x53\\xbb" + struct.pack("I", low & 0xffffffff) + bytes.fromhex("31c931d2b805000000cd805bc3")
memory.seek(0)
memory.write(code)
fd = ctypes.CFUNCTYPE(ctypes.c_int)(start)()
libc.getpid()
show(os.read(fd, 100))
""",
        mounted,
        fails_anyway=OLD,
        machine="x86_64",
    ),
    Attack(
        "a call of x32",
        "won(libc.syscall(ctypes.c_long(0x40000000 + 39)) == os.getpid())",
        fails_anyway=OLD,
        machine="x86_64",
    ),
    Attack(
        "a socket of x32",
        "won(libc.syscall(ctypes.c_long(0x40000000 + 41), 2, 1, 0) >= 0)",
        fails_anyway=OLD,
        machine="x86_64",
    ),
    Attack(
        "a number with high bits",
        "won(libc.syscall(ctypes.c_ulong((1 << 32) + 41), 2, 1, 0) >= 0)",
        fails_anyway="new kernels look at all bits",
        machine="x86_64",
    ),
    Attack(
        "a socket in machine code",
        CODE32
        + """
won(machine("b829000000bf02000000be0100000031d20f05c3") >= 0)
libc.getpid()
""",
        machine="x86_64",
    ),
    Attack(
        "code that another thread writes",
        """
import mmap
memory = mmap.mmap(-1, 4096, prot=3)
memory.write(bytes.fromhex("b829000000bf02000000be0100000031d20f05c3"))
start = ctypes.addressof(ctypes.c_char.from_buffer(memory))
libc.mprotect(ctypes.c_void_p(start), 4096, 5)
won(ctypes.CFUNCTYPE(ctypes.c_long)(start)() >= 0)
""",
        machine="x86_64",
    ),
]


ATTACKS = [*NAMESPACES, *MEMORY, *MACHINE, *OLD_CALLS, *LOOSENING]
