"""A proxy that knows PostgreSQL's messages, and misbehaves at one of them.

It listens on the loopback and speaks to the cluster's socket. Messages are
numbered through all connections of a proxy, per direction, from 1; a fault
happens when its message is about to be forwarded, or just was.
"""
import array
import contextlib
import ctypes
import fcntl
import os
import socket
import struct
import subprocess
import sys
import termios
import threading
import time
from dataclasses import dataclass

TO_SERVER, TO_CLIENT = "to_server", "to_client"
SO_ATTACH_FILTER = 26
# SSLRequest and GSSENCRequest: refused with a byte, and not counted.
ASKS = (b"\x04\xd2\x16\x2f", b"\x04\xd2\x16\x30")
# A NoticeResponse: the last word of a backend at an immediate shutdown.
FAREWELL = (b"SWARNING\0VWARNING\0C57P01\0Mterminating connection due to"
            b" immediate shutdown command\0\0")
FAREWELL = b"N" + struct.pack("!I", 4 + len(FAREWELL)) + FAREWELL
MOMENT = 0.002  # seconds; about what making a batch takes


@dataclass
class Fault:
    # cut, half_close, black_hole, mute; twice: the message, and once more a
    # moment later, before the next one;
    # hush: of one connection, and at the next message to the server that asks
    # for nothing long; farewell: as a server that is told to stop at once
    kind: str
    direction: str = TO_SERVER
    message: int = 1
    after: bool = False  # the message itself still gets through
    # Seconds the server's side of a half-close lives on; that the end of the
    # stream comes behind a farewell.
    hold: float = 1.0
    echo: float = 0.0  # seconds until it comes again


def until_acknowledged(sock):
    """Or the kernel would send it again and again: signs of life."""
    unsent = array.array("i", [1])
    while unsent[0]:
        fcntl.ioctl(sock, termios.TIOCOUTQ, unsent)
        time.sleep(0.001)


def drop_all_packets(sock):
    """From now on the kernel ignores what arrives for this socket: no ACK,
    no RST, as if the cable were cut."""
    nothing = array.array("B", struct.pack("HBBI", 0x06, 0, 0, 0))
    address, _ = nothing.buffer_info()
    try:
        sock.setsockopt(socket.SOL_SOCKET, SO_ATTACH_FILTER,
                        bytes(Program(1, address)))
    except PermissionError:  # some kernels leave that to an administrator
        if os.geteuid() == 0:
            raise
        subprocess.run(["sudo", "-n", sys.executable, __file__], stdin=sock,
                       check=True)
    return nothing


class Program(ctypes.Structure):
    """struct sock_fprog"""
    _fields_ = [("len", ctypes.c_ushort), ("filter", ctypes.c_void_p)]


def reset(sock):
    """Closes with RST: what is on its way is lost."""
    with contextlib.suppress(OSError):
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER,
                        struct.pack("ii", 1, 0))
    close(sock)


def close(sock):
    with contextlib.suppress(OSError):
        sock.shutdown(socket.SHUT_RDWR)
    with contextlib.suppress(OSError):
        sock.close()


def kind(message):
    """Its type; of what tells the server to commit, and of its answer that
    it has, the word."""
    said = message[5:].replace(b"\0", b"")
    return said if said == b"COMMIT" else message[:1]


# What looks at a whole table: counts, what a proof reads, the first rows.
WHOLE = (b"SELECT pg_catalog.count(*), ", b"SELECT t.ctid",
         b"SELECT * FROM (SELECT t.ctid")


class Stream:
    """One direction of one connection, cut into messages."""

    def __init__(self, sock, startup):
        self.sock = sock
        self.startup = startup  # the first message has no type byte
        self.data = b""

    def message(self):
        """The next whole message; empty at the end of the stream."""
        while True:
            size = self.size()
            if size and len(self.data) >= size:
                message, self.data = self.data[:size], self.data[size:]
                # What asks for encryption is followed by another first one.
                self.startup = self.startup and message[4:8] in ASKS
                return message
            more = self.sock.recv(65536)
            if not more:
                rest, self.data = self.data, b""
                return rest
            self.data += more

    def size(self):
        """Bytes of the message at the front, or None: not known yet."""
        head = 0 if self.startup else 1
        if len(self.data) < head + 4:
            return None
        return head + struct.unpack_from("!I", self.data, head)[0]


class Proxy:
    """Use it with `with`; host and port say where it listens: on the
    loopback, or on a socket in the folder local."""

    def __init__(self, path, fault=None, dribble=False, delay=0.0,
                 local=None):
        self.path, self.fault = path, fault
        self.dribble, self.delay = dribble, delay
        self.count = {TO_SERVER: 0, TO_CLIENT: 0}
        self.kinds = {TO_SERVER: [], TO_CLIENT: []}
        self.struck = 0
        self.doubled = []  # the kinds of what was sent twice
        self.lock = threading.Lock()
        self.sockets, self.filters, self.pairs = [], [], []
        self.closing = False
        self.dark = False  # black hole: nothing passes any more
        self.listen(local)
        threading.Thread(target=self.accept, daemon=True).start()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.closing = True
        close(self.listener)
        with self.lock:
            sockets = list(self.sockets)
        for sock in sockets:
            reset(sock)

    def listen(self, local):
        if local is None:
            self.listener = socket.create_server(("127.0.0.1", 0), backlog=16)
            self.host, self.port = self.listener.getsockname()
            return
        self.host, self.port = local, 5432
        self.listener = socket.socket(socket.AF_UNIX)
        self.listener.bind(socket_file(local))
        self.listener.listen(16)

    def accept(self):
        while not self.closing:
            try:
                client, _ = self.listener.accept()
            except OSError:
                return
            if client.family == socket.AF_INET:
                client.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            server = socket.socket(socket.AF_UNIX)
            try:
                server.connect(self.path)
            except OSError:
                reset(client)
                continue
            with self.lock:
                self.sockets += [client, server]
            self.pairs.append(Pair(self, client, server))
            self.pairs[-1].start()

    def abandon(self):
        """Clients are told that the line is gone, the server is not."""
        for pair in self.pairs:
            pair.leaving = True
            with contextlib.suppress(OSError):
                pair.client.shutdown(socket.SHUT_RDWR)


class Pair:
    """One connection: a client's socket and a server's."""

    def __init__(self, proxy, client, server):
        self.proxy, self.client, self.server = proxy, client, server
        self.long = False    # the statement may rightly take hours
        self.hushed = False  # open, but nothing passes any more
        self.leaving = False  # it is closed by who says farewell

    def start(self):
        for work in (self.to_server, self.to_client):
            threading.Thread(target=self.guarded, args=(work,),
                             daemon=True).start()

    def guarded(self, work):
        try:
            work()
        except OSError:
            pass
        if not self.proxy.dark and not self.leaving:
            close(self.client)
            close(self.server)

    def to_server(self):
        stream = Stream(self.client, startup=True)
        while message := stream.message():
            if message[4:] in ASKS:
                self.client.sendall(b"N")  # no TLS, no GSS here
                continue
            if message[:1] in (b"P", b"Q"):
                self.long = message[5:].lstrip(b"\0").startswith(WHOLE)
            if not self.pass_on(TO_SERVER, message, self.server):
                return

    def to_client(self):
        stream = Stream(self.server, startup=False)
        while message := stream.message():
            if not self.pass_on(TO_CLIENT, message, self.client):
                return

    def pass_on(self, direction, message, sock):
        """False: this connection is over."""
        proxy = self.proxy
        with proxy.lock:
            proxy.count[direction] += 1
            proxy.kinds[direction].append(kind(message))
            fault = proxy.fault
            mine = (fault and fault.direction == direction
                    and self.meets(fault, proxy.count[direction]))
            proxy.struck += bool(mine)
        if self.hushed:
            return True
        if proxy.dark and not (mine and fault.after):
            return self.vanish()
        if mine and fault.kind == "twice":
            return self.send_twice(message, sock)
        if mine and not fault.after:
            return self.strike(fault)
        self.send(message, sock)
        return self.strike(fault) if mine else True

    def meets(self, fault, number):
        if fault.kind != "hush":
            return number == fault.message
        return (number >= fault.message and not self.proxy.struck
                and not self.long)

    def send(self, message, sock):
        if self.proxy.delay:
            time.sleep(self.proxy.delay)
        if not self.proxy.dribble:
            sock.sendall(message)
            return
        for i in range(len(message)):
            sock.sendall(message[i:i + 1])

    def send_twice(self, message, sock):
        self.send(message, sock)
        time.sleep(self.proxy.fault.echo)
        self.send(message, sock)
        self.proxy.doubled.append(kind(message))
        return True

    def strike(self, fault):
        if fault.kind == "cut":
            reset(self.client)
            close(self.server)
        elif fault.kind == "farewell":
            self.say_farewell(fault.hold)
        elif fault.kind == "half_close":
            self.client.shutdown(socket.SHUT_WR)
            time.sleep(fault.hold)
            close(self.server)
        elif fault.kind in ("black_hole", "mute"):
            self.proxy.dark = True
            return self.vanish()
        elif fault.kind == "hush":
            self.hushed = True
            return True
        return False

    def say_farewell(self, hold):
        """Nothing is taken any more from here on. The words come a moment
        later, and the end of the stream after that: there is a time in which
        the client cannot write, and has read something, but no end."""
        self.leaving = True
        self.client.shutdown(socket.SHUT_RD)
        close(self.server)
        time.sleep(MOMENT)
        self.client.sendall(FAREWELL)
        time.sleep(hold)
        close(self.client)

    def vanish(self):
        """Every packet of the client is ignored, and so are new ones; mute,
        the kernel still answers for a server that says nothing."""
        proxy = self.proxy
        if proxy.fault.kind == "mute":
            return False
        for sock in (self.client, proxy.listener):
            with contextlib.suppress(OSError):
                if sock is self.client:
                    until_acknowledged(sock)
                proxy.filters.append(drop_all_packets(sock))
        return False


def socket_file(folder):
    """The cluster's socket."""
    return os.path.join(str(folder), ".s.PGSQL.5432")


if __name__ == "__main__":
    drop_all_packets(socket.socket(fileno=0))
