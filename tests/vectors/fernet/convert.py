#!/usr/bin/python3
"""Turn the JSON vectors beside this file into lines that C tests can read.

    tests/vectors/fernet/convert.py [--check]

One .txt per .json: comments start with #, fields are separated by tabs, bytes
are in hex, lists are joined by commas. --check changes nothing and fails if a
file is not what it should be.
"""
import json
import pathlib
import sys

FOLDER = pathlib.Path(__file__).resolve().parent


def hexed(text):
    return text.encode().hex()


def large(vector):
    recipe = vector["plaintext_recipe"]
    return [hexed(recipe["repeat_ascii"]), recipe["times"]]


# Per file: the names of the columns, and how one vector fills them.
TABLES = {
    "fernet_valid": (
        "id key seconds iv plain token",
        lambda v: [v["id"], v["key"], v["timestamp"], v["iv_hex"],
                   v["plaintext_hex"], hexed(v["token"])]),
    "fernet_valid_large": (
        "id key seconds iv unit repeat token_length token_sha256",
        lambda v: [v["id"], v["key"], v["timestamp"], v["iv_hex"], *large(v),
                   v["token_len"], v["token_sha256"]]),
    "fernet_corrupt_authentic": (
        "id key class token",
        lambda v: [v["id"], v["key"], v["expect_class"], hexed(v["token"])]),
    "fernet_malformed": (
        "id keys class value",
        lambda v: [v["id"], ",".join(v["keyring"]), v["expect_class"],
                   v["value_hex"]]),
    "fernet_noncanonical": (
        "id key grade lossless plain value",
        lambda v: [v["id"], v["key"], v["grade"],
                   int(v["lossless_to_rotate"]), v["plaintext_hex"],
                   v["value_hex"]]),
    "fernet_rotate": (
        "id keys class seconds iv plain old_token new_token (the first key is "
        "the primary)",
        lambda v: [v["id"], ",".join(v["keyring"]), v["expect_class"],
                   v.get("timestamp", 0), v.get("new_iv_hex") or "",
                   v.get("plaintext_hex") or "", hexed(v["old_token"]),
                   hexed(v.get("expect_new_token") or "")]),
    "fernet_spec_eval": (
        "id key class seconds plain token",
        lambda v: [v["desc"], v["secret"],
                   v["class_if_secret_is_an_old_key"], v.get("timestamp", 0),
                   hexed(v["plaintext_without_ttl"] or ""),
                   hexed(v["token"])]),
    "fernet_keys": (
        "id accept content (accept: yes, no, or weak: not as the primary)",
        lambda v: [v["id"],
                   {True: "yes", False: "no"}.get(v["expect_accept"], "weak"),
                   v["content_hex"]]),
}


def converted(name):
    columns, row = TABLES[name]
    data = json.loads((FOLDER / f"{name}.json").read_text())
    lines = [f"# {columns}"]
    for vector in data["vectors"]:
        lines.append("\t".join(map(str, row(vector))))
    return "\n".join(lines) + "\n"


def main():
    stale = []
    for name in TABLES:
        path, text = FOLDER / f"{name}.txt", converted(name)
        if path.exists() and path.read_text() == text:
            continue
        stale.append(path.name)
        if "--check" not in sys.argv[1:]:
            path.write_text(text)
    if "--check" in sys.argv[1:] and stale:
        sys.exit(f"run tests/vectors/fernet/convert.py: {', '.join(stale)}")


if __name__ == "__main__":
    main()
