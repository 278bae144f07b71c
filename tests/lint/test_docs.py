#!/usr/bin/python3
"""The check of the documents finds what it promises to find."""

import pathlib
import subprocess
import sys
import tempfile
import unittest

DOCS = pathlib.Path(__file__).with_name("docs.py").resolve()

OPTIONS = [f"option_{c}" for c in "abcdefghij"]
TOOL = """#!/bin/sh
if [ "$1" = --sample ]; then cat built/sample; exit; fi
for o in %s; do echo "rotate $o 1"; done
echo "- --flag -"
""" % " ".join(OPTIONS)
SAMPLE = "".join(f"; what it is\n;{o} = 1\n" for o in OPTIONS)

MANUAL = """.Dd January 1, 2025
.Dt PGREKEY 1
.Os
.Sh NAME
.Nm pgrekey
.Nd test
.Sh DESCRIPTION
The command
.Cm rotate
takes
%s
and
.Fl -flag .
.Sh EXIT STATUS
.Bl -tag -width Ds
.It 0
Done.
.It 70
Bug.
.El
""" % "\n".join(f".Cm {o} ," for o in OPTIONS)

README = """`make demo`, `make check`: `rotate` %s `--flag`

| status | |
|---|---|
| 0 | done |
| 70 | bug |
""" % " ".join(f"`{o}`" for o in OPTIONS)

CLEAN = {
    "README.md": README,
    "docs/pgrekey.1": MANUAL,
    "docs/architecture.md": "see `src/cli/cmd_rotate.c`, `err.h`\n",
    "conf/pgrekey.ini": SAMPLE,
    "CONTRIBUTING.md": "[home](README.md)\n",
    "CHANGELOG.md": "\n",
    "include/err.h": "\tERR_NONE = 0,\n\tERR_BUG = 70, /* */\n",
    "src/cli/cmd_rotate.c": "",
}


class DocsTest(unittest.TestCase):
    def lint(self, **changed):
        files = {**CLEAN, **{name: text for name, text
                             in changed.get("files", {}).items()}}
        with tempfile.TemporaryDirectory() as folder:
            root = pathlib.Path(folder)
            for name, text in files.items():
                path = root / name
                path.parent.mkdir(parents=True, exist_ok=True)
                if text is not None:
                    path.write_text(text)
            tool = root / "built/tests/print_options"
            tool.parent.mkdir(parents=True)
            tool.write_text(TOOL)
            tool.chmod(0o755)
            sample = changed.get("sample", SAMPLE)
            (root / "built/sample").write_text(sample)
            return subprocess.run([sys.executable, DOCS, "built"], cwd=root,
                                  capture_output=True, text=True)

    def refuses(self, name, text, complaint):
        done = self.lint(files={name: text})
        self.assertEqual((done.stdout, done.returncode),
                         (complaint + "\n", 1), done.stderr)

    def test_documents_that_say_all_pass_in_silence(self):
        done = self.lint()
        self.assertEqual((done.stdout, done.returncode), ("", 0), done.stderr)

    def test_a_missing_option_is_found(self):
        self.refuses("README.md", README.replace("option_c", "option_cc"),
                     "README.md: option option_c is missing as code")
        self.refuses("docs/pgrekey.1", MANUAL.replace("option_c", ""),
                     "docs/pgrekey.1: option option_c is missing as code")

    def test_a_word_of_the_prose_names_no_option(self):
        self.refuses("README.md", README.replace("`option_c`", "option_c"),
                     "README.md: option option_c is missing as code")
        self.refuses("docs/pgrekey.1",
                     MANUAL.replace(".Cm option_c", "option_c"),
                     "docs/pgrekey.1: option option_c is missing as code")
        self.refuses("docs/pgrekey.1", MANUAL.replace(".Fl -f", "f"),
                     "docs/pgrekey.1: option --flag is missing as code")

    def test_code_is_a_block_of_it_too(self):
        without = README.replace("`option_c`", "")
        self.assertEqual(self.lint(files={
            "README.md": without + "\n```ini\noption_c = 1\n```\n",
            "docs/pgrekey.1": MANUAL.replace(
                ".Cm option_c ,", ".Bd -literal\noption_c\n.Ed")}).stdout,
            "")

    def test_a_missing_command_is_found(self):
        self.refuses("src/cli/cmd_keys.c", "",
                     "docs/pgrekey.1: command keys is missing as code\n"
                     "README.md: command keys is missing as code")

    def test_a_missing_exit_status_is_found(self):
        self.refuses("README.md", README.replace("| 70 |", "| 7 |"),
                     "README.md: exit status 70 has no table row")
        self.refuses("docs/pgrekey.1", MANUAL.replace(".It 70", ".It 7"),
                     "docs/pgrekey.1: exit status 70 is missing")

    def test_an_option_that_the_sample_leaves_out_is_found(self):
        sample = SAMPLE.replace(";option_c = 1\n", "")
        done = self.lint(files={"conf/pgrekey.ini": sample}, sample=sample)
        self.assertEqual(done.stdout, "conf/pgrekey.ini: option option_c is "
                                      "missing\n")

    def test_a_stale_sample_is_found(self):
        self.refuses("conf/pgrekey.ini", SAMPLE + "; other\n",
                     "conf/pgrekey.ini: not what print_options --sample "
                     "prints")

    def test_a_file_that_is_not_there_is_found(self):
        self.refuses("docs/architecture.md", "see `src/cli/gone.c`\n",
                     "docs/architecture.md: there is no src/cli/gone.c")
        self.refuses("docs/architecture.md", "see `gone.h`\n",
                     "docs/architecture.md: there is no gone.h")
        self.refuses("CONTRIBUTING.md", "[x](docs/gone.md)\n",
                     "CONTRIBUTING.md: the link to docs/gone.md leads "
                     "nowhere")

    def test_a_test_that_is_not_there_is_found(self):
        row = "| `test_that_%s` | `tests/db/test_it.py` |\n"
        there = {"tests/db/test_it.py": "    def test_that_is(self):\n"}
        self.assertEqual(self.lint(files={
            **there, "docs/promises.md": row % "is"}).stdout, "")
        self.assertEqual(self.lint(files={
            **there, "docs/promises.md": row % "i"}).stdout,
            "docs/promises.md: tests/db/test_it.py has no test_that_i\n")

    def test_a_missing_document_is_found(self):
        self.refuses("CHANGELOG.md", None, "CHANGELOG.md: is missing")


if __name__ == "__main__":
    unittest.main()
