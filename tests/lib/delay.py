"""A line to a server that is further away: `tests/tools/delay.c` at work."""
import subprocess

from .pgrekey import BUILD, ROOT

PROGRAM = ROOT / BUILD / "tests/delay"
PATIENCE = 10


class Delay:
    """Delays each way to target, a path or a port of the loopback, by so many
    seconds. Use it with `with`; port says where it listens."""

    def __init__(self, target, seconds):
        self.process = subprocess.Popen(
            [PROGRAM, str(round(seconds * 1e6)), str(target)],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        self.port = int(self.process.stdout.readline())

    def __enter__(self):
        return self

    def __exit__(self, *_):
        for pipe in (self.process.stdin, self.process.stdout):
            pipe.close()
        self.process.wait(PATIENCE)
