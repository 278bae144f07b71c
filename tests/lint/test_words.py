#!/usr/bin/python3
"""The check of words finds what it promises to find."""

import pathlib
import subprocess
import sys
import tempfile
import unittest

WORDS = pathlib.Path(__file__).with_name("words.py").resolve()


class WordsTest(unittest.TestCase):
    def lint(self, name, text):
        with tempfile.TemporaryDirectory() as folder:
            path = pathlib.Path(folder, name)
            path.parent.mkdir(parents=True)
            path.write_bytes(text)
            done = subprocess.run([sys.executable, WORDS, folder],
                                  capture_output=True, text=True)
        self.assertEqual(done.returncode, 1 if done.stdout else 0)
        return done.stdout

    def test_each_forbidden_thing_is_found_where_it_is(self):
        for name, text, complaint in (
                ("src/db/x.c", b"a\nb \n", ":2: white space"),
                ("docs/x.md", b"TOD" b"O: more\n", ":1: unfinished"),
                ("docs/x.md", b"see /wor" b"k/main\n", ":1: a path"),
                ("src/db/x.c", b"// NOLIN" b"T\n", ":1: an exception"),
                ("src/db/x.c", b'\tprintf("x");\n', ":1: this layer"),
                ("src/engine/x.c", b"fputs(s, stderr);\n", ":1: this layer"),
                ("src/cli/x.c", b"ERR_print_errors_fp(f);\n", ":1: OpenSSL"),
                ("src/crypto/fernet.c", b"if (memcmp(a, b, 2))\n", ":1: tags"),
                ("src/cli/x.c", b"\n" * 401, ": more than 400 lines"),
                ("src/cli/x.c", b"int x;", ": no newline"),
                ("src/cli/x.c", b"\xff\n", ": not UTF-8")):
            with self.subTest(complaint):
                out = self.lint(name, text)
                self.assertTrue(out.startswith(name + complaint), out)
                self.assertEqual(out.count("\n"), 1)

    def test_what_is_allowed_passes_in_silence(self):
        for name, text in (
                ("src/cli/x.c", b'\tprintf("x");\n'),
                ("src/crypto/fernet.c", b"if (CRYPTO_memcmp(a, b, 2))\n"),
                ("src/base/log.c", b"fputs(s, stderr);\n"),
                ("src/db/x.c", b'snprintf(s, n, "/tmp/XXXXXX");\n'),
                ("tests/vectors/x", b"spaces \xff")):
            with self.subTest(name):
                self.assertEqual(self.lint(name, text), "")

    def test_this_tree_has_none_of_it(self):
        done = subprocess.run([sys.executable, WORDS, WORDS.parents[2]],
                              capture_output=True, text=True)
        self.assertEqual(done.stdout, "")


if __name__ == "__main__":
    unittest.main()
