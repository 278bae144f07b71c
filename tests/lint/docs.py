#!/usr/bin/python3
"""The documents say what the program does.

    tests/lint/docs.py FOLDER-OF-THE-BUILT-PROGRAM

Every option, command and exit status is in the manual page and in README.md,
options and commands as code, since many are ordinary words, too; the sample
configuration is the option table's own, and every file and test that a document
names exists.
"""

import html
import pathlib
import re
import subprocess
import sys

MANUAL = pathlib.Path("docs/pgrekey.1")
README = pathlib.Path("README.md")
SAMPLE = pathlib.Path("conf/pgrekey.ini")
REQUIRED = (README, MANUAL, SAMPLE, pathlib.Path("docs/architecture.md"),
            pathlib.Path("CONTRIBUTING.md"), pathlib.Path("CHANGELOG.md"))

# The two commands of a newcomer, and what CI runs.
README_COMMANDS = ("make demo", "make check")

PATH = re.compile(r"`((?:src|include|tests|scripts|docs|conf|docker)/[\w./*-]+"
                  r"|[\w-]+\.(?:c|h|py|sh|md))`")
# A row of a table: a test, and the file that has it.
TEST = re.compile(r"^\| `(\w+)` \| `(tests/[\w./]+)` \|$", re.M)
LINK = re.compile(r"\]\(([^)#:\s]+)(?:#[^)]*)?\)")


def output(*argv):
    return subprocess.run(argv, check=True, stdout=subprocess.PIPE,
                          text=True).stdout


def manual_text():
    """The page as it is read: no bold, no underline."""
    return re.sub(".\b", "", output("mandoc", "-T", "utf8", MANUAL))


def manual_code():
    """What it sets off by .Cm, .Fl and their like, and its examples."""
    page = output("mandoc", "-T", "html", MANUAL)
    code = re.findall(r"<(code|pre)\b[^>]*>(.*?)</\1>", page, re.S)
    return "\n".join(html.unescape(re.sub("<[^>]*>", "", text))
                     for _, text in code)


def markdown_code(text):
    return "\n".join(re.findall(r"^ *```.*?^ *```|`[^`]+`", text, re.M | re.S))


def mentions(text, word):
    return re.search(rf"(?<![\w.-]){re.escape(word)}(?![\w-])", text)


def option_names(build):
    """The names in the table: `section option default` a line. A name in
    capitals stands for any."""
    lines = output(build / "tests/print_options").splitlines()
    names = {line.split()[1] for line in lines if line.strip()}
    return sorted(name for name in names if not name.isupper())


def file_option_names(build):
    lines = output(build / "tests/print_options").splitlines()
    rows = [line.split() for line in lines if line.strip()]
    return {row[1] for row in rows if row[0] != "-" and not row[1].isupper()}


def command_names():
    return sorted(path.stem[len("cmd_"):].replace("_", "-")
                  for path in pathlib.Path("src/cli").glob("cmd_*.c"))


def exit_statuses():
    enum = pathlib.Path("include/err.h").read_text()
    return re.findall(r"^\tERR_\w+ = (\d+),", enum, re.M)


def check_words(build):
    manual, readme = manual_text(), README.read_text()
    words = [("option", w) for w in option_names(build)]
    words += [("command", w) for w in command_names()]
    for name, code in ((MANUAL, manual_code()),
                       (README, markdown_code(readme))):
        for kind, word in words:
            if not mentions(code, word):
                yield f"{name}: {kind} {word} is missing as code"
    if len(words) < 10:
        yield "the option table is nearly empty: is print_options broken?"
    for status in exit_statuses():
        if not re.search(rf"^ +{status} +\w", manual, re.M):
            yield f"{MANUAL}: exit status {status} is missing"
        if not re.search(rf"^\| *`?{status}`? *\|", readme, re.M):
            yield f"{README}: exit status {status} has no table row"
    for command in README_COMMANDS:
        if command not in readme:
            yield f"{README}: does not say `{command}`"


def check_sample(build):
    text = SAMPLE.read_text()
    for name in sorted(file_option_names(build)):
        if not re.search(rf"^;?{re.escape(name)} = ", text, re.M):
            yield f"{SAMPLE}: option {name} is missing"
    if text != output(build / "tests/print_options", "--sample"):
        yield f"{SAMPLE}: not what print_options --sample prints"


def exists(name):
    """`src/cli/cmd_NAME.c` stands for any of its kind."""
    name = re.sub(r"NAME|(?<=_)X(?=\.)", "*", name)
    return bool(list(pathlib.Path().glob(name)) if "/" in name or
                pathlib.Path(name).exists() else
                [p for top in ("src", "include", "tests", "scripts", "docs")
                 for p in pathlib.Path(top).rglob(name)])


def check_names():
    for document in sorted([*pathlib.Path().glob("*.md"),
                            *pathlib.Path("docs").glob("*.md")]):
        text = document.read_text()
        for name in PATH.findall(text):
            if not exists(name):
                yield f"{document}: there is no {name}"
        for test, name in TEST.findall(text):
            if exists(name) and not mentions(
                    pathlib.Path(name).read_text(), test):
                yield f"{document}: {name} has no {test}"
        for name in LINK.findall(text):
            if not (document.parent / name).exists():
                yield f"{document}: the link to {name} leads nowhere"


def check(build):
    missing = [path for path in REQUIRED if not path.is_file()]
    yield from (f"{path}: is missing" for path in missing)
    yield from check_names()
    if not missing:
        yield from check_words(build)
        yield from check_sample(build)


def main():
    complaints = list(check(pathlib.Path(sys.argv[1])))
    for complaint in complaints:
        print(complaint)
    sys.exit(1 if complaints else 0)


if __name__ == "__main__":
    main()
