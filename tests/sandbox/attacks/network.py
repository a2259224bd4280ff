"""The network: every kind of socket and every library that opens one, towards listeners on this machine."""

from collections.abc import Mapping

from tests.sandbox.attacks.attack import Attack, Seen, reached
from tests.sandbox.attacks.stage import Stage


def tcp(stage: Stage) -> Mapping[str, object]:
    return {"port": stage.tcp()}


def udp(stage: Stage) -> Mapping[str, object]:
    return {"port": stage.udp()}


def unix(stage: Stage) -> Mapping[str, object]:
    return {"path": stage.unix()}


def abstract(stage: Stage) -> Mapping[str, object]:
    return {"path": stage.abstract()}


def website(stage: Stage) -> Mapping[str, object]:
    address = stage.website()
    return {"url": address, "port": int(address.split(":")[2].split("/")[0])}


def received(stage: Stage, seen: Seen) -> bool:
    return stage.received()


ADDRESS = """
import struct, socket
address = ctypes.create_string_buffer(
    struct.pack("H", socket.AF_INET) + struct.pack(">H", $port) + bytes([127, 0, 0, 1]) + bytes(8)
)
"""
RING = """
import mmap, struct, socket, time
class Ring:
    def __init__(self):
        parameters = ctypes.create_string_buffer(120)
        self.fd = syscall("io_uring_setup", 4, parameters)
        if self.fd < 0:
            raise OSError(-self.fd, "no ring")
        numbers = struct.unpack("30I", parameters.raw)
        self.sq, self.cq = numbers[10:20], numbers[20:30]
        self.ring = mmap.mmap(self.fd, 4096, offset=0)
        self.entries = mmap.mmap(self.fd, 4096, offset=0x10000000)
    def ask(self, code, fd, address=0, length=0, offset=0, flags=0):
        entry = struct.pack("BBHiQQII", code, 0, 0, fd, offset, address, length, flags)
        self.entries[:64] = entry.ljust(64, b"\\0")
        array, tail = self.sq[6], self.sq[1]
        self.ring[array:array + 4] = struct.pack("I", 0)
        (now,) = struct.unpack("I", self.ring[tail:tail + 4])
        mask = 3
        self.ring[array + 4 * (now & mask):array + 4 * (now & mask) + 4] = struct.pack("I", 0)
        self.ring[tail:tail + 4] = struct.pack("I", now + 1)
        syscall("io_uring_enter", self.fd, 1, 1, 1, 0, 0)
        head = self.cq[0]
        (seen,) = struct.unpack("I", self.ring[head:head + 4])
        at = self.cq[5] + 16 * (seen & 7)
        self.ring[head:head + 4] = struct.pack("I", seen + 1)
        return struct.unpack("i", self.ring[at + 8:at + 12])[0]
ring = Ring()
"""

SOCKETS = [
    Attack(
        "TCP",
        "import socket; socket.create_connection(('127.0.0.1', $port)).sendall(TOKEN.encode())",
        tcp,
        received,
    ),
    Attack(
        "TCP over IPv6's form of the address",
        """
        import socket
        there = socket.socket(socket.AF_INET6)
        there.connect(("::ffff:127.0.0.1", $port))
        there.sendall(TOKEN.encode())
        """,
        tcp,
        received,
        fails_anyway="not everywhere is there IPv6",
    ),
    Attack(
        "TCP without waiting",
        """
        import socket, time
        there = socket.socket()
        there.setblocking(False)
        there.connect_ex(("127.0.0.1", $port))
        time.sleep(0.1)
        there.send(TOKEN.encode())
        """,
        tcp,
        received,
    ),
    Attack(
        "TCP sent with the connection",
        """
        import socket
        socket.socket().sendto(TOKEN.encode(), socket.MSG_FASTOPEN, ("127.0.0.1", $port))
        """,
        tcp,
        received,
        fails_anyway="not on every kernel",
    ),
    Attack(
        "TCP by numbers",
        ADDRESS
        + """
there = syscall("socket", 2, 1, 0)
syscall("connect", there, address, 16)
os.write(there, TOKEN.encode())
""",
        tcp,
        received,
    ),
    Attack(
        "multipath TCP",
        """
        import socket
        there = socket.socket(socket.AF_INET, socket.SOCK_STREAM, 262)
        there.connect(("127.0.0.1", $port))
        there.sendall(TOKEN.encode())
        """,
        tcp,
        received,
        fails_anyway="not in every kernel",
    ),
    Attack(
        "UDP",
        """
        import socket
        socket.socket(socket.AF_INET, socket.SOCK_DGRAM).sendto(TOKEN.encode(), ("127.0.0.1", $port))
        """,
        udp,
        received,
    ),
    Attack(
        "a question to a name server",
        """
        import socket
        name = bytes([len(TOKEN)]) + TOKEN.encode()
        question = b"\\x12\\x34\\x01\\x00\\x00\\x01" + bytes(6) + name + b"\\0\\0\\1\\0\\1"
        there = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        there.connect(("127.0.0.1", $port))
        there.send(question)
        """,
        udp,
        received,
    ),
    Attack("localhost by name", "import socket; won(socket.getaddrinfo('localhost', 80))"),
    Attack(
        "a listener of its own",
        "import socket; s = socket.create_server(('127.0.0.1', 0)); won(s.getsockname()[1])",
    ),
    Attack(
        "a Unix socket",
        "import socket; s = socket.socket(1); s.connect($path); s.send(TOKEN.encode())",
        unix,
        received,
    ),
    Attack(
        "an abstract Unix socket",
        "import socket; s = socket.socket(1); s.connect($path); s.send(TOKEN.encode())",
        abstract,
        received,
    ),
    Attack(
        "datagrams over a Unix socket",
        "import socket; s = socket.socket(1, socket.SOCK_DGRAM); s.bind('\\0' + TOKEN[:12]); won()",
    ),
    Attack(
        "a folder's descriptor sent over a Unix socket",
        """
        import socket, os
        one, two = socket.socketpair()
        socket.send_fds(one, [b"x"], [os.open("/", os.O_RDONLY)])
        _, (root,), _, _ = socket.recv_fds(two, 1, 1)
        won("etc" in os.listdir(root))
        """,
    ),
    Attack(
        "netlink: the machine's addresses",
        """
        import socket, struct
        there = socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, 0)
        there.send(struct.pack("IHHII", 20, 18, 0x301, 1, 0) + bytes(4))
        won(len(there.recv(4096)) > 16)
        """,
    ),
    Attack(
        "netlink: the kernel's events",
        "import socket; s = socket.socket(socket.AF_NETLINK, socket.SOCK_DGRAM, 15); s.bind((0, 1)); won()",
        fails_anyway="needs root",
    ),
    Attack(
        "raw packets",
        "import socket; won(socket.socket(socket.AF_INET, socket.SOCK_RAW, 1).fileno() >= 0)",
        fails_anyway="needs root",
    ),
    Attack(
        "ping",
        "import socket; won(socket.socket(socket.AF_INET, socket.SOCK_DGRAM, 1).fileno() >= 0)",
        fails_anyway="needs root or a group",
    ),
    Attack(
        "packets of the network card",
        "import socket; won(socket.socket(socket.AF_PACKET, socket.SOCK_RAW, 3).fileno() >= 0)",
        fails_anyway="needs root",
    ),
    Attack(
        "vsock, to the host of a virtual machine",
        "import socket; won(socket.socket(socket.AF_VSOCK, socket.SOCK_STREAM).fileno() >= 0)",
        fails_anyway="not in every kernel",
    ),
    Attack(
        "the kernel's ciphers",
        "import socket; s = socket.socket(38, socket.SOCK_SEQPACKET); s.bind(('hash', 'sha256')); won()",
        fails_anyway="not in every kernel",
    ),
    Attack(
        "Bluetooth",
        "import socket; won(socket.socket(31, socket.SOCK_RAW, 1).fileno() >= 0)",
        fails_anyway="seldom there",
    ),
    Attack(
        "CAN bus",
        "import socket; won(socket.socket(29, socket.SOCK_RAW, 1).fileno() >= 0)",
        fails_anyway="seldom there",
    ),
    Attack(
        "TIPC and other odd families",
        """
        import socket
        def opened(family):
            try:
                return socket.socket(family, socket.SOCK_DGRAM).fileno()
            except OSError as error:
                return -error.errno
        answers = [opened(family) for family in range(3, 46) if family not in (10, 16)]
        won(any(answer != -1 for answer in answers))
        """,
    ),
    Attack(
        "accept and connect on inherited descriptors",
        ADDRESS
        + """
answers = [syscall(name, fd, address, 16) for fd in range(64) for name in ("connect", "accept")]
won(any(answer >= 0 or -answer not in (1, 9, 13, 38) for answer in answers))
""",
        tcp,
    ),
    Attack(
        "inherited sockets",
        """
        import os, stat
        for fd in range(256):
            try:
                if stat.S_ISSOCK(os.fstat(fd).st_mode):
                    won(os.readlink(f"/proc/self/fd/{fd}") is None)
            except OSError:
                continue
        import socket
        won(socket.socketpair()[0].getpeername() is not None)
        """,
    ),
    reached("a pair of sockets", "syscall('socketpair', 1, 1, 0, (ctypes.c_int * 2)())"),
    Attack(
        "io_uring: connect",
        RING
        + ADDRESS
        + """
there = ring.ask(45, 2, 0, 0, 1)
ring.ask(16, there, ctypes.addressof(address), 0, 16)
token = ctypes.create_string_buffer(TOKEN.encode())
ring.ask(26, there, ctypes.addressof(token), len(TOKEN))
""",
        tcp,
        received,
        fails_anyway="io_uring can be switched off",
    ),
    Attack(
        "io_uring: reading a file",
        RING
        + """
path = ctypes.create_string_buffer($path.encode())
found = ring.ask(18, -100, ctypes.addressof(path))
data = ctypes.create_string_buffer(100)
ring.ask(22, found, ctypes.addressof(data), 100)
show(data.value.decode())
""",
        lambda stage: {"path": stage.secret()},
        fails_anyway="io_uring can be switched off",
    ),
]
LIBRARIES = [
    Attack("urllib", "import urllib.request as u; show(u.urlopen($url).read().decode())", website),
    Attack(
        "http.client",
        "import http.client as h; c = h.HTTPConnection('127.0.0.1', $port); c.request('GET', '/'); "
        "show(c.getresponse().read().decode())",
        website,
    ),
    Attack("requests", "import requests; show(requests.get($url).text)", website),
    Attack("httpx", "import httpx; show(httpx.get($url).text)", website),
    Attack(
        "urllib3", "import urllib3; show(urllib3.PoolManager().request('GET', $url).data.decode())", website
    ),
    Attack(
        "asyncio",
        """
        import asyncio
        async def ask():
            reader, writer = await asyncio.open_connection("127.0.0.1", $port)
            writer.write(b"GET / HTTP/1.0\\r\\n\\r\\n")
            return (await reader.read()).decode()
        show(asyncio.run(ask()))
        """,
        website,
    ),
    Attack("pandas' read_csv of a URL", "import pandas; pandas.read_csv($url)", website),
    Attack(
        "pandas' read_json of a URL",
        "import pandas; pandas.read_json($url, lines=True)",
        website,
        lambda stage, seen: (
            stage.token in seen.text or "Unexpected character" in seen.text or "Expected object" in seen.text
        ),
    ),
    Attack("numpy's loadtxt of a URL", "import numpy; str(numpy.loadtxt($url, dtype=str))", website),
    Attack(
        "the metadata of a cloud",
        "import urllib.request as u\n"
        "show(u.urlopen(u.Request($url, headers={'Metadata-Flavor': 'Google'})).read().decode())",
        website,
    ),
    Attack(
        "DuckDB's httpfs",
        "con.execute('LOAD httpfs'); con.sql(f\"FROM read_text('{$url}')\").fetchall()",
        website,
        fails_anyway="the extension has to be installed",
    ),
    Attack(
        "mail",
        "import smtplib; smtplib.SMTP(timeout=1)._get_socket('127.0.0.1', $port, 1).send(TOKEN.encode())",
        tcp,
        received,
    ),
    Attack(
        "FTP",
        "import ftplib; f = ftplib.FTP(timeout=0.3)\n"
        "try: f.connect('127.0.0.1', $port)\nexcept TimeoutError: won()",
        tcp,
    ),
    Attack(
        "XML-RPC",
        "import xmlrpc.client as x; x.ServerProxy(f'http://127.0.0.1:{$port}/').system.listMethods()",
        website,
        lambda stage, seen: "Unsupported method" in seen.text,
    ),
    Attack(
        "a log sent by UDP",
        "import logging.handlers as h, logging; "
        "h.SysLogHandler(('127.0.0.1', $port)).emit(logging.makeLogRecord({'msg': TOKEN}))",
        udp,
        received,
    ),
    Attack(
        "a queue of multiprocessing",
        "from multiprocessing.connection import Client; Client($path, family='AF_UNIX').send(TOKEN)",
        unix,
        received,
    ),
]
ATTACKS = [*SOCKETS, *LIBRARIES]
