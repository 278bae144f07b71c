#!/usr/bin/python3
"""Who may include what, and who may speak SQL.

    tests/lint/layers.py [ROOT]

A header in include/ belongs to the layer whose folder has the .c file of the
same name. A file may include headers of its own layer and of those below;
private headers (src/LAYER/x.h) stay in their folder.
"""

import pathlib
import re
import sys

LAYERS = ("base", "crypto", "format", "db", "engine", "cli")

# Headers that have no .c file of their own.
HOMES = {
    "banned.h": "base",
    "chars.h": "base",
    "slice.h": "base",
    "state.h": "db",
    "target.h": "format",
    "command.h": "cli",
}

# Headers that only some may include: a pattern, and the files that may.
ONLY = (
    (re.compile(r"log\.h"), re.compile(r"src/(engine|cli)/|src/base/log\.c")),
    (re.compile(r"libpq.*\.h|postgres.*\.h"),
     re.compile(r"src/db/pg(_connect|_stream|_conn_int)?\.[ch]")),
    (re.compile(r"openssl/.*"), re.compile(r"src/crypto/")),
    (re.compile(r"ini\.h"), re.compile(r"src/cli/")),
)

SPEAKS_SQL = re.compile(r"src/(db|format)/")
SQL = re.compile(
    r"\b(select\b.+\bfrom|insert\s+into|update\s.+\sset|delete\s+from"
    r"|(create|alter|drop|lock)\s+(table|schema|index|type|role)"
    r"|grant\s.+\son|declare\s.+\scursor|pg_[a-z_]+\s*\()", re.I | re.S)

INCLUDE = re.compile(r'^[ \t]*#[ \t]*include[ \t]*(["<])([^">]+)[">]', re.M)
TOKEN = re.compile(r'/\*.*?\*/|//[^\n]*|"(?:\\.|[^"\\\n])*"'
                   r"|'(?:\\.|[^'\\\n])*'", re.S)
LITERALS = re.compile(r'"(?:\\.|[^"\\\n])*"(?:\s*(?:[A-Z_]\w*\s*)?'
                      r'"(?:\\.|[^"\\\n])*")*')


def blank(text):
    return re.sub(r"[^\n]", " ", text)


def code_of(text):
    """The text without comments, every line where it was."""
    return TOKEN.sub(
        lambda m: blank(m[0]) if m[0].startswith("/") else m[0], text)


def layer_of(path, root):
    """The layer of a file below root, or None if it has no home."""
    parts = path.relative_to(root).parts
    if parts[0] == "src":
        return parts[1]
    if path.name in HOMES:
        return HOMES[path.name]
    homes = [p.parent.name for p in root.glob(f"src/*/{path.stem}.c")]
    return homes[0] if len(homes) == 1 else None


def header_of(name, includer, root):
    for folder in (includer.parent, root / "include"):
        if (folder / name).is_file():
            return folder / name
    return None


def check_include(name, quoted, path, root):
    """What is wrong with this include, or None."""
    where = str(path.relative_to(root))
    for pattern, allowed in ONLY:
        if pattern.fullmatch(name) and not allowed.match(where):
            return f"{name} is not for this file"
    if not quoted:
        return None
    header = header_of(name, path, root)
    if header is None:
        return f"there is no {name}, neither here nor in include/"
    mine, theirs = layer_of(path, root), layer_of(header, root)
    if mine in LAYERS and theirs in LAYERS \
            and LAYERS.index(theirs) > LAYERS.index(mine):
        return f"{name} is of layer {theirs}, above {mine}"
    return None


def check(path, root):
    """Lines of complaint about one file."""
    text = code_of(path.read_text())
    where = path.relative_to(root)
    if layer_of(path, root) not in LAYERS:
        yield f"{where}: belongs to no layer"
        return
    for match in INCLUDE.finditer(text):
        wrong = check_include(match[2], match[1] == '"', path, root)
        if wrong:
            yield f"{where}:{line_at(text, match)}: {wrong}"
    if SPEAKS_SQL.match(str(where)):
        return
    for match in LITERALS.finditer(text):
        joined = re.sub(r'"\s*(?:[A-Z_]\w*\s*)?"', "", match[0])
        if SQL.search(joined):
            yield f"{where}:{line_at(text, match)}: SQL outside db and format"


def line_at(text, match):
    return text.count("\n", 0, match.start()) + 1


def main():
    root = pathlib.Path(sys.argv[1] if len(sys.argv) > 1 else ".").resolve()
    files = sorted([*root.glob("include/*.h"), *root.glob("src/*/*.[ch]")])
    complaints = [c for path in files for c in check(path, root)]
    for complaint in complaints:
        print(complaint)
    if complaints or not files:
        sys.exit("layers: see docs/architecture.md for the order of layers")


if __name__ == "__main__":
    main()
