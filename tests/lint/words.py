#!/usr/bin/python3
"""What no file of ours may contain.

    tests/lint/words.py [ROOT]
"""

import os
import pathlib
import re
import sys

# Patterns are written so that they do not find themselves.
ANYWHERE = (
    (r"[ \t]+$", "white space at the end of the line"),
    (r"\b(TOD[O]|FIXM[E]|XX[X])\b", "unfinished work"),
    (r"/(wor[k]|far[m])/|/tmp/w[-]", "a path of somebody's machine"),
    (r"NOLIN[T]|shellcheck disabl[e]", "an exception for a linter"),
)
# pattern, where it is forbidden, why.
IN_SOURCES = (
    (r"\bERR_print_errors", r"src/", "OpenSSL's errors can hold secrets"),
    (r"\b(v?f?printf|f?puts|f?putc|putchar|perror|fwrite)\(",
     r"src/(base/(?!log|err)|crypto/|format/|db/|engine/)",
     "this layer returns errors and prints nothing"),
    # No test of ours measures it: only the time that it takes betrays it.
    (r"\bmemcmp\(", r"src/crypto/fernet\.c",
     "tags are compared in constant time"),
)

SOURCE = re.compile(r"(src|include)/.*\.[ch]")
LINES_MAX = 400
# Data that has to be as it is.
EXEMPT = re.compile(r"tests/(vectors|fuzz/corpus)/|LICENSE$")
SKIP = {".git", "build", "__pycache__"}


def files(root):
    for folder, folders, names in os.walk(root):
        folders[:] = sorted(f for f in folders if f not in SKIP)
        for name in sorted(names):
            path = pathlib.Path(folder, name)
            if not EXEMPT.match(str(path.relative_to(root))):
                yield path


def check(path, root):
    """Lines of complaint about one file."""
    where = str(path.relative_to(root))
    try:
        text = path.read_text()
    except UnicodeDecodeError:
        yield f"{where}: not UTF-8"
        return
    rules = [*ANYWHERE, *((pattern, wrong) for pattern, place, wrong
                          in IN_SOURCES if re.match(place, where))]
    if SOURCE.fullmatch(where) and text.count("\n") > LINES_MAX:
        yield f"{where}: more than {LINES_MAX} lines; split it by idea"
    for pattern, wrong in rules:
        for match in re.finditer(pattern, text, re.M):
            line = text.count("\n", 0, match.start()) + 1
            yield f"{where}:{line}: {wrong}"
    if text and not text.endswith("\n"):
        yield f"{where}: no newline at the end"


def main():
    root = pathlib.Path(sys.argv[1] if len(sys.argv) > 1 else ".").resolve()
    complaints = [c for path in files(root) for c in check(path, root)]
    for complaint in complaints:
        print(complaint)
    sys.exit(1 if complaints else 0)


if __name__ == "__main__":
    main()
