"""Runs the program against a cluster, as an operator would.

PGREKEY_BUILD is the folder that has it (build/release). PGREKEY_TEST_SCALE
shrinks or grows the heavy tests (1): a sanitizer build wants 0.1.
"""
import json
import os
import re
import signal
import subprocess
import tempfile
import time
from pathlib import Path

from .zoo import CANARY

ROOT = Path(__file__).resolve().parents[2]
BUILD = Path(os.environ.get("PGREKEY_BUILD", "build/release"))
PROGRAM = ROOT / BUILD / "pgrekey"
SCALE = float(os.environ.get("PGREKEY_TEST_SCALE", "1"))
PATIENCE = 120  # seconds; no run may take longer, or it hangs

# Nothing of the caller's surroundings may decide a test.
LOUD = ("PG", "PGREKEY", "DATABASE_ENCRYPTION")


def scaled(count, least=1):
    return max(least, int(count * SCALE))


class Leak(AssertionError):
    """The program printed a secret."""


class Result:
    """How a run ended."""

    def __init__(self, status, out, err, seconds):
        self.status = status
        self.out = out
        self.err = err
        self.seconds = seconds

    def __str__(self):
        return f"exit {self.status}\n{self.out}\n{self.err}"

    @property
    def report(self):
        return json.loads(self.out)

    def columns(self):
        """{(label, column): counts}"""
        return {(table["label"], column["name"]): column
                for table in self.report["tables"]
                for column in table["columns"]}

    def column(self, name, label=None):
        found = [counts for place, counts in self.columns().items()
                 if place[1] == name and label in (None, place[0])]
        if len(found) != 1:
            raise AssertionError(f"{len(found)} columns {name} in the report")
        return found[0]

    def sum(self, what):
        return sum(column.get(what, 0) for column in self.columns().values())

    @property
    def findings(self):
        return self.report["findings"]["listed"]


class Run:
    """A run in progress."""

    def __init__(self, tool, arguments, env, patience):
        self.tool = tool
        self.patience = patience
        self.began = time.monotonic()
        self.files = [tempfile.TemporaryFile() for _ in range(2)]
        self.process = subprocess.Popen(
            [PROGRAM, *arguments], stdin=subprocess.DEVNULL,
            stdout=self.files[0], stderr=self.files[1], env=env)

    @property
    def pid(self):
        return self.process.pid

    def running(self):
        return self.process.poll() is None

    def send(self, number):
        self.process.send_signal(number)

    def said(self):
        """What it has printed on standard error so far."""
        file = self.files[1].fileno()
        return os.pread(file, os.fstat(file).st_size, 0).decode(
            errors="replace")

    def kill(self):
        self.process.kill()
        self.process.wait()
        for file in self.files:
            file.close()

    def finish(self):
        """Waits for the end. A run that does not end is a failure."""
        try:
            self.process.wait(self.patience)
        except subprocess.TimeoutExpired:
            said = self.said()
            self.send(signal.SIGABRT)
            self.kill()
            raise AssertionError(f"still running after {self.patience} s; it"
                                 f" said:\n{said}") from None
        seconds = time.monotonic() - self.began
        texts = []
        for file in self.files:
            file.seek(0)
            texts.append(file.read().decode(errors="replace"))
            file.close()
        result = Result(self.process.returncode, *texts, seconds)
        self.tool.check_leaks(result)
        if result.status < 0 or result.status >= 126:
            raise AssertionError(f"died: {result}")
        return result


class Tool:
    """The program, a configuration file and a key directory."""

    def __init__(self, cluster, database, ring, folder, user="postgres"):
        self.cluster = cluster
        self.database = database
        self.user = user
        self.folder = Path(folder)
        self.tables = {}
        self.sections = {}
        # [database], beside the usual: the cluster's socket
        self.connection = {}
        self.usual = True
        self.set_ring(ring)

    # -- what the operator writes ------------------------------------------

    def set_ring(self, ring):
        self.ring = ring
        keys = self.folder / "keys"
        for old in keys.glob("*"):
            old.unlink()
        ring.write(keys)

    def configure(self, rotate=None, keys=None, **tables):
        """Keyword arguments are table sections: label=dict(columns=...)."""
        self.tables = tables
        self.sections = {"rotate": rotate or {}, "keys": keys or {}}

    def write_config(self):
        usual = {"host": self.cluster.socket, "port": self.cluster.port,
                 "user": self.user, "dbname": self.database}
        sections = {
            "database": {**(usual if self.usual else {}), **self.connection},
            "keys": {"directory": self.folder / "keys",
                     "primary": self.ring.primary,
                     **self.sections.get("keys", {})},
            "rotate": self.sections.get("rotate", {}),
        }
        for label, options in self.tables.items():
            sections[f"table {label}"] = options
        lines = []
        for name, options in sections.items():
            lines.append(f"[{name}]")
            lines += [f"{key} = {value}" for key, value in options.items()]
            lines.append("")
        # A run that starts at the same moment reads a whole file.
        file, fresh = (self.folder / name for name in
                       ("pgrekey.ini", "pgrekey.ini.new"))
        fresh.write_text("\n".join(lines))
        fresh.chmod(0o600)
        fresh.rename(file)
        return file

    # -- what he runs --------------------------------------------------------

    def start(self, command, *arguments, env=None, patience=PATIENCE):
        clean = {name: value for name, value in os.environ.items()
                 if not name.startswith(LOUD)}
        return Run(self, [command, "--config", self.write_config(),
                          *map(str, arguments)],
                   {**clean, **(env or {})}, patience)

    def run(self, command, *arguments, **more):
        return self.start(command, *arguments, **more).finish()

    def rotate(self, *arguments, **more):
        return self.run("rotate", "--output", "json", *arguments, **more)

    def start_rotate(self, *arguments, **more):
        return self.start("rotate", "--output", "json", *arguments, **more)

    def verify(self, *arguments, **more):
        return self.run("verify", "--output", "json", *arguments, **more)

    def start_verify(self, *arguments, **more):
        return self.start("verify", "--output", "json", *arguments, **more)

    # -- what nobody may ever see ---------------------------------------------

    def check_leaks(self, result):
        for text in (result.out, result.err):
            for what, pattern in self.secrets().items():
                if re.search(pattern, text):
                    raise Leak(f"{what} in the output of a run")

    def secrets(self):
        keys = [re.escape(key.rstrip("=")) for key in self.ring.keys.values()]
        return {
            "a key": "|".join(keys),
            "a plaintext": re.escape(CANARY),
            "a token": "gAAAA[A-Za-z0-9_-]",
            "an envelope": "enc:(fernet:[^:]*|plaintext):[A-Za-z0-9+/]{4}",
            "encoded twice": "Z0FBQUF",
        }
