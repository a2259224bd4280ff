"""The system calls that locked code may make, by name with their numbers; everything else is refused.

Numbers: Linux's arch/x86/entry/syscalls/syscall_64.tbl and include/uapi/asm-generic/unistd.h (for aarch64).
What is let through reads and writes what is open, opens by path (Landlock judges the path), maps memory,
waits, sleeps, and asks about itself. No sockets, no programs, no signals to anybody, no namespaces, no modes
or owners of files, no kernel facilities that a calculation has no use for.
"""

# name: (x86-64, aarch64)
SYSCALLS: dict[str, tuple[int | None, int | None]] = {
    "read": (0, 63), "write": (1, 64), "readv": (19, 65), "writev": (20, 66), "pread64": (17, 67),
    "pwrite64": (18, 68), "preadv": (295, 69), "pwritev": (296, 70), "preadv2": (327, 286),
    "pwritev2": (328, 287), "lseek": (8, 62), "close": (3, 57), "close_range": (436, 436), "fstat": (5, 80),
    "stat": (4, None), "lstat": (6, None), "newfstatat": (262, 79), "statx": (332, 291),
    "access": (21, None), "faccessat": (269, 48), "faccessat2": (439, 439), "open": (2, None),
    "openat": (257, 56), "readlink": (89, None), "readlinkat": (267, 78), "getcwd": (79, 17),
    "getdents": (78, None), "getdents64": (217, 61), "chdir": (80, 49), "fchdir": (81, 50),
    "unlink": (87, None), "unlinkat": (263, 35), "rename": (82, None), "renameat": (264, 38),
    "renameat2": (316, 276), "ftruncate": (77, 46), "fsync": (74, 82),
    "fdatasync": (75, 83), "fadvise64": (221, 223), "flock": (73, 32), "umask": (95, 166),
    "statfs": (137, 43), "fstatfs": (138, 44), "sendfile": (40, 71), "copy_file_range": (326, 285),
    "mmap": (9, 222), "munmap": (11, 215), "mprotect": (10, 226), "mremap": (25, 216), "madvise": (28, 233),
    "brk": (12, 214), "msync": (26, 227), "rt_sigaction": (13, 134), "rt_sigprocmask": (14, 135),
    "rt_sigreturn": (15, 139), "sigaltstack": (131, 132), "rt_sigsuspend": (130, 133),
    "rt_sigtimedwait": (128, 137), "rt_sigpending": (127, 136), "pause": (34, None), "alarm": (37, None),
    "setitimer": (38, 103), "getitimer": (36, 102), "restart_syscall": (219, 128), "futex": (202, 98),
    "futex_waitv": (449, 449), "set_robust_list": (273, 99), "get_robust_list": (274, 100),
    "set_tid_address": (218, 96), "rseq": (334, 293), "membarrier": (324, 283), "clock_gettime": (228, 113),
    "clock_getres": (229, 114), "clock_nanosleep": (230, 115), "nanosleep": (35, 101),
    "gettimeofday": (96, 169), "time": (201, None), "times": (100, 153), "getpid": (39, 172),
    "getppid": (110, 173), "gettid": (186, 178), "getuid": (102, 174), "geteuid": (107, 175),
    "getgid": (104, 176), "getegid": (108, 177), "getresuid": (118, 148), "getresgid": (120, 150),
    "getgroups": (115, 158), "getpgrp": (111, None), "getpgid": (121, 155), "getsid": (124, 156),
    "capget": (125, 90), "uname": (63, 160), "sysinfo": (99, 179), "getcpu": (309, 168),
    "sched_yield": (24, 124), "sched_getaffinity": (204, 123), "sched_getparam": (143, 121),
    "sched_getscheduler": (145, 120), "sched_get_priority_max": (146, 125),
    "sched_get_priority_min": (147, 126), "getrusage": (98, 165), "getrlimit": (97, 163),
    "setrlimit": (160, 164), "getpriority": (140, 141), "getrandom": (318, 278), "exit": (60, 93),
    "exit_group": (231, 94), "wait4": (61, 260), "waitid": (247, 95), "pipe": (22, None),
    "pipe2": (293, 59), "eventfd2": (290, 19), "epoll_create1": (291, 20), "epoll_ctl": (233, 21),
    "epoll_wait": (232, None), "epoll_pwait": (281, 22), "epoll_pwait2": (441, 441), "poll": (7, None),
    "ppoll": (271, 73), "select": (23, None), "pselect6": (270, 72), "dup": (32, 23), "dup2": (33, None),
    "dup3": (292, 24), "clone": (56, 220), "fcntl": (72, 25), "ioctl": (16, 29), "prctl": (157, 167),
    "prlimit64": (302, 261), "clone3": (435, 435),
}  # fmt: skip

JUDGED = ("clone", "clone3", "fcntl", "ioctl", "open", "openat", "prctl", "prlimit64")
"""Those of SYSCALLS that are let through by their arguments only."""
