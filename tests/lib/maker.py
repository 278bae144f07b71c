"""Stored values for a judge: what the application writes, what it could
have written, and what nobody did, from a seed.
"""
import base64
import json
import random

from . import oracle, zoo
from .oracle import MEMBER

RUN_START = 1_800_000_000
TIMES = (0, 1, 499162800, 1_600_000_000, RUN_START - 1, RUN_START,
         RUN_START + 1, 2**32, 2**36, 2**63, 2**64 - 1)
RING = oracle.Ring({
    "k1": "ynzvdTC3MSiFH8PCFO-gYkUuf-DZVE8KM86TOgc6wxc=",
    "k\"2\\": "Q26gMfKal3CIN2MTgrHuHa53UrTZYEFCoXiNiySlQU8=",
    "new": "_g73m_VMMmoL60H8KK5YNv_DBdZl_Uf8O-_-DauoTD8=",
}, "new")
LOST = oracle.Ring({"lost": "Y2pVbVZ3d0ZrSGZ6MTJvS3VhQ0RlUWJ4ZzR0Ym1QNzA="},
                   "lost")


class Maker:
    """Values, from exactly what the application writes to hopeless."""

    def __init__(self, seed):
        self.random = random.Random(seed)
        self.zoo = [s.stored for s in zoo.whole(RING).values() if s.stored]
        self.json_zoo = [s.stored for s in zoo.as_json(RING).values()
                         if s.stored]

    def chance(self, likelihood):
        return self.random.random() < likelihood

    def pick(self, *choices):
        return self.random.choice(choices)

    # -- plaintexts

    def plain(self, is_json, depth=0):
        if depth < 3 and self.chance(0.15):
            inner = self.string(depth + 1)
            if is_json:
                inner = self.pick(oracle.wrap(inner), json.dumps(inner), inner)
            return inner.encode("utf-8", "surrogatepass")
        if is_json:
            return self.json_text().encode("utf-8", "surrogatepass")
        return self.pick(
            b"", b"\0", bytes(16), b"\x10" * 16, bytes(range(256)),
            b"x" * self.random.randrange(70),
            self.random.randbytes(self.random.randrange(100)),
            self.raw().encode())

    def raw(self):
        return self.pick(
            "", " ", "password", "enc", "enc:", "enc:fernet", "enc:Fernet:a",
            "ENC:FERNET:k1:AAAA", " enc:fernet:k1:AAAA", "enc:tink:AAAA",
            "enc:tink", "enc:plaintext", "enc:other:x", "vault:v1:AAAA",
            "vault:v", "vault:very", "eyJpdiI6Ijo", "U2FsdGVkX1+x", "null", "\u00fc\u2603",
            "$2b$12$abcdefghijklmnopqrstuv", "gAAAAABk", "g" * 120,
            self.token(b"bare").decode(), self.token(b"bare").decode()[:99],
            "{}", "[]", '{"iv":"a","mac":"b"}', '{"iv":"a"}', "12.5")

    # -- tokens

    def ring_and_key(self):
        if self.chance(0.12):
            return LOST, "lost"
        return RING, self.pick("k1", "k1", 'k"2\\', "new", "new")

    def token(self, plain):
        ring, key = self.ring_and_key()
        kind = self.random.random()
        if kind < 0.82:
            return ring.token(plain, key, self.pick(*TIMES))
        if kind < 0.9:
            return zoo.forge(ring.keys[key],
                             self.random.randbytes(self.pick(0, 16, 32)),
                             self.random.randbytes(self.pick(0, 0, 1, 15, 17)))
        raw = bytearray(base64.urlsafe_b64decode(ring.token(plain, key)))
        at = self.random.randrange(len(raw))
        raw[at] ^= 1 << self.random.randrange(8)
        raw = self.pick(raw, raw[:at], raw + b"\0", raw[1:])
        return base64.urlsafe_b64encode(bytes(raw))

    # -- spellings

    def misspell(self, text):
        """At one place, mostly harmlessly."""
        at = self.random.randrange(len(text) + 1)
        kind = self.random.randrange(9)
        if kind < 3:
            return text[:at] + self.pick(*"\n \t=\r\v\f") + text[at:]
        if kind == 3:
            return text + self.pick("=", "==", "\n", " ", "QUJD", "=QUJD")
        if kind == 4:
            return text.rstrip("=")
        if kind == 5:
            return text.translate(str.maketrans("-_+/", "+/-_"))
        if kind == 6:
            return text[:at] + self.pick(*"!~-_.\0:\u00fc\u00a0") + text[at:]
        if kind == 7:  # the bits behind the last byte
            bare = text.rstrip("=")
            return bare[:-1] + self.pick(*"AQgwBR") + text[len(bare):]
        return text[:at]

    def body(self, token):
        text = token.decode()
        if self.chance(0.15):
            text = self.misspell(text)
        if self.chance(0.12):
            return text  # one layer
        body = base64.b64encode(text.encode()).decode()
        if self.chance(0.06):
            body = base64.b64encode(body.encode()).decode()
        return body

    def string(self, depth=0, is_json=False):
        """What follows a marker, or does not."""
        kind = self.random.random()
        plain = self.plain(is_json, depth)
        if kind < 0.1:
            return self.raw()
        if kind < 0.25:
            body = base64.b64encode(plain).decode()
            text = oracle.MARKED + body
        else:
            label = self.pick(
                "k1", "new", "new", 'k"2\\', "lost", "", "k1 ", "K1",
                "x" * 300, "\u00fc", "k\n", " ")
            token, body = self.token(plain), None
            if self.chance(0.7):
                for name in RING.keys:
                    try:
                        RING.fernet[name].decrypt(token)
                    except Exception:
                        continue
                    label = name
            body = self.body(token)
            text = f"{oracle.SEALED}{label}:{body}"
        if self.chance(0.25):
            head = len(text) - len(body)
            text = text[:head] + self.misspell(body)
        if self.chance(0.03):
            text = self.misspell(text)
        return text

    # -- JSON

    def json_text(self):
        return self.pick(
            "null", "1.50", '""', "[]", "{}", '{"a": [1, {"b": null}]}',
            '"\u00e9\\u00e9"', '"enc:fernet:k1:AAAA"', "[" * 40 + "]" * 40,
            json.dumps(self.raw()), json.dumps({MEMBER: 1}),
            json.dumps({MEMBER: self.raw()}), json.dumps({"a": self.raw()}))

    def escaped(self, text):
        """A JSON string, not always in the shortest spelling."""
        out = []
        sparse = self.pick(0, 0, 0.02, 0.3)
        for char in text:
            if self.chance(sparse) and ord(char) < 0x10000:
                out.append(self.pick("\\u%04x", "\\u%04X") % ord(char))
            elif char == "/" and self.chance(0.3):
                out.append("\\/")
            else:
                out.append(json.dumps(
                    char, ensure_ascii=self.chance(0.5))[1:-1])
        return '"' + "".join(out) + '"'

    def space(self):
        return self.pick("", "", "", " ", "\n", "\t \r")

    def member(self, value):
        name = self.pick(*[f'"{MEMBER}"'] * 8,
                         f'"{MEMBER}"'.replace("s", "\\u0073"),
                         f'"{MEMBER}_"', '"a"')
        return (self.space() + name + self.space() + ":" + self.space()
                + value + self.space())

    def json_value(self):
        if self.chance(0.1):
            return self.json_text()
        value = self.escaped(self.string(is_json=True))
        if self.chance(0.08):
            at = value.rfind('"')
            value = value[:at] + self.pick("\\ud800", "\\u0000", "\\udc00",
                                           "\\ud83d\\ude00", "\\n") + '"'
        members = [self.member(value)]
        while self.chance(0.08):
            members.insert(
                self.pick(0, len(members)),
                self.member(self.pick(value, "1", '"x"', '{"a": "}]\\""}',
                                      "[[1, {}]]", "-1e3", "true")))
        text = "{" + ",".join(members) + "}"
        return self.space() + text + self.space()

    # -- all

    def stored(self, carrier):
        """As bytes, and valid for a column of this type."""
        is_json = carrier != "text"
        while True:
            if self.chance(0.1):
                text = self.random.choice(
                    self.json_zoo if is_json else self.zoo)
            elif is_json:
                text = self.json_value()
            else:
                text = self.string()
            if self.chance(0.05):
                text = self.misspell(text)
            try:
                value = text.encode()
            except UnicodeEncodeError:
                continue
            if not is_json and self.chance(0.01):
                value += self.pick(b"\xff", b"\xc3", b"\xed\xa0\x80")
            if not is_json or is_valid(text):
                return value


def is_valid(text):
    try:
        json.loads(text)
    except ValueError:
        return False
    return True
