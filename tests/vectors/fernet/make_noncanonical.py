#!/usr/bin/python3
"""Make fernet_noncanonical.json: tokens in spellings that no writer uses and
that the application reads all the same.

    tests/vectors/fernet/make_noncanonical.py [--print]

The oracle is python3-cryptography: a spelling that it does not open to the
same bytes is no vector. The grades: whitespace, stray_padding, alphabet and
trailing_bits lose nothing when the value is written anew; foreign_characters
and data_after_padding do.
"""
import json
import pathlib
import sys

import cryptography
from cryptography.fernet import Fernet

FOLDER = pathlib.Path(__file__).resolve().parent
KEY = "ynzvdTC3MSiFH8PCFO-gYkUuf-DZVE8KM86TOgc6wxc="
SECONDS = 1700000000
LOSSLESS = {"whitespace", "stray_padding", "alphabet", "trailing_bits"}
BASE64URL = ("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
             "0123456789-_")


def token(plain, seed):
    iv = bytes((seed * 17 + i * 29) % 256 for i in range(16))
    made = Fernet(KEY)._encrypt_from_parts(plain, SECONDS, iv)
    return made.decode()


def wrap(text, width, end):
    return end.join(text[i:i + width] for i in range(0, len(text), width))


def whitespace(two, one, none):
    yield "line feed behind", two + "\n", two
    yield "CR LF behind", two + "\r\n", two
    yield "blank behind", two + " ", two
    yield "char(n): many blanks behind", two + " " * 28, two
    yield "blank in front", " " + two, two
    yield "line feed in front", "\n" + two, two
    yield "tab on both sides", "\t" + two + "\t", two
    yield "wrapped at 64", wrap(two, 64, "\n"), two
    yield "wrapped at 76", wrap(two, 76, "\r\n"), two
    yield "a blank inside", two[:10] + " " + two[10:], two
    yield "vertical tab and form feed", two + "\v\f", two
    yield "line feed behind one =", one + "\n", one
    yield "line feed behind no =", none + "\n", none
    yield "blank between the two =", two[:-1] + " =", two
    yield "a blank behind each character", " ".join(two), two


def foreign_characters(two, one, none):
    yield "double quotes", f'"{two}"', two
    yield "a quote in front", "'" + two, two
    yield "byte order mark", b"\xef\xbb\xbf" + two.encode(), two
    yield "UTF-16", b"\xff\xfe" + two.encode("utf-16-le"), two
    yield "NUL inside", two[:10] + "\0" + two[10:], two
    yield "NUL in front", "\0" + two, two
    yield "high bytes inside", two[:10].encode() + b"\xe9\xff" \
        + two[10:].encode(), two
    yield "dots inside", two[:20] + "..." + two[20:], two
    yield "a colon in front", ":" + two, two
    yield "a percent sign inside", one[:30] + "%" + one[30:], one
    yield "braces in front", "{{" + one, one
    yield "comma inside", none[:7] + "," + none[7:], none
    yield "backslash inside", none[:7] + "\\" + none[7:], none
    yield "no-break space inside", two[:10].encode() + b"\xc2\xa0" \
        + two[10:].encode(), two
    yield "comma behind no =", none + ",", none
    yield "escape character", "\x1b" + two, two
    yield "junk between the two =", two[:-1] + "!=", two


def stray_padding(two, one, none):
    yield "one = too many", two + "=", two
    yield "two = too many", two + "==", two
    yield "many = behind", two + "=" * 20, two
    yield "= behind one =", one + "=", one
    yield "== behind one =", one + "==", one
    yield "= behind no =", none + "=", none
    yield "== behind no =", none + "==", none
    yield "=== in front", "===" + two, two
    yield "= in front", "=" + two, two
    yield "= at an odd place", two[:6] + "=" + two[6:], two
    yield "== on a boundary of four", two[:8] + "==" + two[8:], two
    yield "= behind each group", "=".join(
        two[i:i + 4] for i in range(0, len(two), 4)), two


def data_after_padding(two, one, none):
    yield "garbage behind", two + "-GARBAGE", two
    yield "one letter behind", two + "A", two
    yield "two tokens glued", two + two, two
    yield "two tokens with a comma", two + "," + one, two
    yield "two tokens, one =", one + two, one
    yield "two tokens on two lines", two + "\n" + none, two


def alphabet(two, one, none):
    yield "standard alphabet", two.translate(str.maketrans("-_", "+/")), two
    at = two.index("-" if "-" in two else "_")
    yield "both alphabets", two[:at] + "+/"[two[at] == "_"] + two[at + 1:], two


def trailing_bits(two, one, none):
    def nudged(text, pads):
        at = len(text) - pads - 1
        return text[:at] + BASE64URL[BASE64URL.index(text[at]) + 1] \
            + text[at + 1:]
    yield "bits in front of ==", nudged(two, 2), two
    yield "bits in front of =", nudged(one, 1), one


def main():
    plain = {"two": b"hello-0001", "one": b"hello-0001-hello-0001",
             "none": b"hello-0001-hello-0001-hello-0001-he"}
    for seed in range(50):
        made = {name: token(text, seed) for name, text in plain.items()}
        if {"-", "_"} <= set(made["two"]) and made["two"][:98].count("-") > 1:
            break
    of = {made[name]: text for name, text in plain.items()}
    assert (made["two"].count("="), made["one"].count("="),
            made["none"].count("=")) == (2, 1, 0)
    vectors = []
    for grade in (whitespace, foreign_characters, stray_padding,
                  data_after_padding, alphabet, trailing_bits):
        for desc, value, canonical in grade(**made):
            raw = value if isinstance(value, bytes) else value.encode()
            assert raw != canonical.encode(), desc
            assert Fernet(KEY).decrypt(raw) == of[canonical], desc
            vectors.append({
                "id": f"n{len(vectors):03}", "desc": desc,
                "grade": grade.__name__, "key": KEY, "value_hex": raw.hex(),
                "pyca": "ok", "plaintext_hex": of[canonical].hex(),
                "lossless_to_rotate": grade.__name__ in LOSSLESS})
    data = {
        "generator": f"python3-cryptography {cryptography.__version__}",
        "about": "Spellings that the application reads and no writer uses.",
        "vectors": vectors, "count": len(vectors)}
    text = json.dumps(data, indent=1) + "\n"
    if "--print" in sys.argv[1:]:
        sys.stdout.write(text)
    else:
        (FOLDER / "fernet_noncanonical.json").write_text(text)


if __name__ == "__main__":
    main()
