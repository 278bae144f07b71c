"""What comes through the delaying line is late, and nothing else."""
import contextlib
import os
import socket
import sys
import tempfile
import threading
import time
import unittest
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from lib.delay import Delay  # noqa: E402

MUCH = 32 << 20
PIECE = 65536
PATIENCE = 60


def echo(peer):
    """Sends back what it gets, until the end of it."""
    with peer:
        while data := peer.recv(PIECE):
            peer.sendall(data)


class Line(unittest.TestCase):
    def setUp(self):
        self.stack = contextlib.ExitStack()
        self.addCleanup(self.stack.close)

    def serve(self, listener):
        self.stack.enter_context(listener)

        def accept():
            with contextlib.suppress(OSError):
                while True:
                    peer, _ = listener.accept()
                    threading.Thread(target=echo, args=(peer,),
                                     daemon=True).start()
        threading.Thread(target=accept, daemon=True).start()
        # Or the thread would accept for ever.
        self.stack.callback(listener.shutdown, socket.SHUT_RDWR)

    def on_port(self):
        listener = socket.create_server(("127.0.0.1", 0))
        self.serve(listener)
        return listener.getsockname()[1]

    def on_path(self):
        folder = self.stack.enter_context(tempfile.TemporaryDirectory())
        listener = socket.socket(socket.AF_UNIX)
        listener.bind(os.path.join(folder, "echo"))
        listener.listen()
        self.serve(listener)
        return os.path.join(folder, "echo")

    def through(self, target, seconds):
        line = self.stack.enter_context(Delay(target, seconds))
        return self.stack.enter_context(socket.create_connection(
            ("127.0.0.1", line.port), timeout=PATIENCE))

    def all_of(self, client):
        data = bytearray()
        while more := client.recv(PIECE):
            data += more
        return data

    def test_each_way_takes_the_delay_and_a_round_trip_twice_as_long(self):
        for target in (self.on_port(), self.on_path()):
            for delay in (0.0, 0.001, 0.05):
                client = self.through(target, delay)
                took = []
                for n in range(20):
                    began = time.monotonic()
                    client.sendall(b"%d" % (n % 10))
                    self.assertEqual(client.recv(1), b"%d" % (n % 10))
                    took.append(time.monotonic() - began)
                self.assertGreaterEqual(min(took), 2 * delay)
                # Of 20, one at least was not kept waiting by the machine.
                self.assertLess(min(took), 2 * delay + 0.02)

    def test_what_follows_does_not_wait_for_what_came_before(self):
        """Or this would take 500 times as long."""
        delay, count = 0.05, 500
        client = self.through(self.on_port(), delay)
        client.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        began = time.monotonic()
        for _ in range(count):
            client.sendall(b"x")
            time.sleep(0.0001)  # chunks of their own
        client.shutdown(socket.SHUT_WR)
        self.assertEqual(self.all_of(client), b"x" * count)
        self.assertLess(time.monotonic() - began, count * delay / 5)

    def test_every_byte_arrives_in_order_both_ways(self):
        sent = os.urandom(1 << 20) * (MUCH >> 20)
        for delay in (0.0, 0.001):
            client = self.through(self.on_path(), delay)

            def send(client=client):
                client.sendall(sent)
                client.shutdown(socket.SHUT_WR)
            sender = threading.Thread(target=send)
            sender.start()
            received = self.all_of(client)
            sender.join()
            self.assertEqual(len(received), len(sent))
            self.assertTrue(received == sent, "other bytes")

    def test_a_line_to_nowhere_ends(self):
        client = self.through("/nowhere", 0)
        self.assertEqual(client.recv(1), b"")

    def test_connections_that_ended_leave_their_place_to_others(self):
        line = self.stack.enter_context(Delay(self.on_port(), 0))
        for _ in range(200):
            with socket.create_connection(("127.0.0.1", line.port),
                                          timeout=PATIENCE) as client:
                client.sendall(b"x")
                self.assertEqual(client.recv(1), b"x")


if __name__ == "__main__":
    unittest.main()
