"""The n-th system call of a kind is the last thing a run does, for every n.

strace delivers SIGKILL when a thread enters its n-th call. What was sent
before has reached the server; the rest has not. Then the same with calls
that fail instead. strace counts per thread.
"""
import subprocess
import sys
import unittest
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent))

from torture import Scene, Torture, pick  # noqa: E402
from lib import pgrekey  # noqa: E402

ROWS = 40
STEP = pick(9, 1, 1)
LAST = 2000  # nothing has as many calls


def setUpModule():
    Scene.open(fsync=True)


class Syscalls(Torture):
    def setUp(self):
        super().setUp()
        self.make_table(ROWS)
        self.tool.configure(rotate={"workers": 1, "batch_rows": 7},
                            t={"columns": "secret"})

    def traced(self, call, what, number):
        """The exit status of a rotation in which that happens; 137 killed."""
        self.until_alone()
        self.start_anew()
        config = self.tool.write_config()
        ended = subprocess.run(
            ["strace", "-f", "-qq", "-o", "/dev/null", "-e",
             f"trace={call}", "-e", f"inject={call}:{what}:when={number}",
             pgrekey.PROGRAM, "rotate", "--output", "json", "--config",
             config], stdin=subprocess.DEVNULL, capture_output=True,
            text=True, timeout=pgrekey.PATIENCE)
        for text in (ended.stdout, ended.stderr):
            self.assertNotRegex(text, "gAAAA[A-Za-z0-9_-]|s3cr3t-canary")
        # strace dies by the signal that its child died by.
        return -9 if ended.returncode == 137 else ended.returncode

    def kill_every(self, call):
        for number in range(1, LAST, STEP):
            status = self.traced(call, "signal=KILL", number)
            if status == 0:
                break
            self.assertEqual(status, -9, f"{call} {number}")
            self.hazard(f"killed in {call}")
            self.assertExit(0, self.tool.rotate())
            self.assertOnce(f"{call} {number}")
        self.assertLess(number, LAST - STEP)

    def test_killed_at_any_send_it_completes_with_no_difference(self):
        self.kill_every("sendto")
        self.assertHazards(**{"killed in sendto": 5})

    def test_killed_at_any_receive_it_completes_with_no_difference(self):
        self.kill_every("recvfrom")
        self.assertHazards(**{"killed in recvfrom": 5})

    def test_killed_at_any_wait_it_completes_with_no_difference(self):
        self.kill_every("poll")
        self.assertHazards(**{"killed in poll": 5})

    def fail_every(self, call, error, allowed):
        for number in range(1, self.most + 1, STEP):
            status = self.traced(call, f"error={error}", number)
            self.assertIn(status, allowed, f"{call} {number} {error}")
            self.hazard("failed calls")
            self.hazard("survived", status == 0)
            self.until_alone()
            self.assertExit(0, self.tool.rotate())
            self.assertOnce(f"{call} {number} {error}")

    def count(self, call):
        """How many calls the busiest thread has."""
        self.start_anew()
        log = self.folder / "calls"
        subprocess.run(
            ["strace", "-ff", "-qq", "-o", log, "-e", f"trace={call}",
             pgrekey.PROGRAM, "rotate", "--config",
             self.tool.write_config()], stdin=subprocess.DEVNULL,
            capture_output=True, check=True, timeout=pgrekey.PATIENCE)
        return max(file.read_text().count(f"{call}(")
                   for file in self.folder.glob("calls.*"))

    def test_a_call_that_fails_costs_time_or_the_run_and_never_a_row(self):
        # Not a send that fails while receiving goes on: no kernel does so,
        # and libpq would wait for the server's last words.
        for call, errors in (("sendto", ["EINTR", "EAGAIN"]),
                             ("recvfrom", ["ECONNRESET", "EINTR"])):
            self.most = self.count(call)
            for error in errors[:pick(1, 2, 2)]:
                self.fail_every(call, error, (0, 4))
        self.assertHazards(**{"failed calls": 10})


if __name__ == "__main__":
    unittest.main()
