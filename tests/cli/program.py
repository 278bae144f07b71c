"""Runs the program for the tests of the command line.

No database is needed: every test ends before a connection is made. The
program is $PGREKEY_BUILD/pgrekey (default build/release).
"""

import os
import pathlib
import shutil
import subprocess
import tempfile
import unittest

ROOT = pathlib.Path(__file__).resolve().parents[2]
BUILD = ROOT / os.environ.get("PGREKEY_BUILD", "build/release")
SECRET = "hunter2"


class Case(unittest.TestCase):
    def setUp(self):
        self.dir = pathlib.Path(tempfile.mkdtemp(prefix="test_cli."))
        self.addCleanup(shutil.rmtree, self.dir)
        self.keys = self.dir / "keys"
        self.keys.mkdir(mode=0o700)
        self.env = {"PATH": os.environ["PATH"], "LC_ALL": "C"}
        for name in ("ASAN_OPTIONS", "UBSAN_OPTIONS", "TSAN_OPTIONS"):
            if name in os.environ:
                self.env[name] = os.environ[name]

    def run_it(self, *words, status=0, env=None, **kwargs):
        """Runs the program; nothing secret may ever come back."""
        kwargs.setdefault("stdout", subprocess.PIPE)
        done = subprocess.run(
            [BUILD / "pgrekey", *words],
            stderr=subprocess.PIPE,
            stdin=subprocess.DEVNULL,
            env={**self.env, **(env or {})},
            timeout=60,
            **kwargs,
        )
        done.stdout = (done.stdout or b"").decode()
        done.stderr = done.stderr.decode()
        self.assertEqual(done.returncode, status, done.stderr)
        self.assertNotIn(SECRET, done.stdout + done.stderr)
        return done

    def refuse(self, *words, message, hint=None, status=2, **kwargs):
        """One line on stderr, a hint perhaps, nothing on stdout."""
        done = self.run_it(*words, status=status, **kwargs)
        self.assertEqual(done.stdout, "")
        lines = done.stderr.splitlines()
        self.assertRegex(lines[0], "^pgrekey: " + message)
        self.assertLessEqual(len(lines), 2, done.stderr)
        for line in lines[1:]:
            self.assertTrue(line.startswith("hint: "), line)
        if hint:
            self.assertRegex(lines[1], hint)
        return done

    def config(self, text, mode=0o600):
        path = self.dir / "pgrekey.ini"
        path.write_text(text)
        path.chmod(mode)
        return path

    def keygen(self, name):
        return self.run_it("keygen", name, "--directory", self.keys)
