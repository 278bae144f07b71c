"""One specimen of every kind of value that lives in real databases.

Each knows its verdict (design.md, section 5), so that a table made of them
says beforehand what a rotation must report and what it must leave alone.
Every plaintext contains CANARY: whoever prints one gives himself away.
"""
import base64
import collections
import hashlib
import hmac
import io
import json
import os
from dataclasses import dataclass

from cryptography.hazmat.primitives.ciphers import Cipher
from cryptography.hazmat.primitives.ciphers.algorithms import AES
from cryptography.hazmat.primitives.ciphers.modes import CBC

from . import oracle

CANARY = "s3cr3t-canary"
THEN = 1_600_000_000  # when old values were sealed
LOST = "k1999"        # a key nobody has any more


@dataclass(frozen=True)
class Specimen:
    stored: str
    verdict: str            # before a rotation
    kept: bool              # a rotation must leave it byte for byte
    counters: tuple = ()    # nested, mislabelled, late

    @property
    def verdict_after(self):
        return self.verdict if self.kept else "current"


def plain(name):
    return f"{CANARY} {name}".encode()


def forge(key, blocks=b"", odd=b""):
    """A token whose HMAC is right: blocks encrypted as they are, without
    padding, then what no cipher made."""
    sign, secret = (base64.urlsafe_b64decode(key)[i:i + 16] for i in (0, 16))
    iv = os.urandom(16)
    cipher = Cipher(AES(secret), CBC(iv)).encryptor()
    signed = (b"\x80" + THEN.to_bytes(8, "big") + iv
              + cipher.update(blocks) + cipher.finalize() + odd)
    return base64.urlsafe_b64encode(
        signed + hmac.new(sign, signed, hashlib.sha256).digest())


def damage(token):
    """A sound token whose HMAC no longer fits."""
    raw = bytearray(base64.urlsafe_b64decode(token))
    raw[30] ^= 1
    return base64.urlsafe_b64encode(bytes(raw))


def token_with(ring, key, wanted):
    """A token whose text has one of the wanted characters."""
    while True:
        token = ring.token(plain("alphabet"), key, THEN)
        if any(char in token for char in wanted):
            return token


def old_ids(ring):
    return [name for name in ring.keys if name != ring.primary]


def good(ring):
    """Values that a rotation must bring under the primary."""
    first, *_, last = old_ids(ring)
    zoo = {f"old under {key}": ring.seal(plain(key), key, THEN)
           for key in old_ids(ring)}
    zoo["old and empty"] = ring.seal(b"", first, THEN)
    zoo["old and binary"] = ring.seal(bytes(range(256)), first, THEN)
    zoo["old of the year 0"] = ring.seal(plain("epoch"), last, 0)
    zoo["old in one layer"] = (
        f"enc:fernet:{first}:"
        + ring.token(plain("one layer"), first, THEN).decode())
    specimens = {name: Specimen(stored, "old", False)
                 for name, stored in zoo.items()}
    specimens["current"] = Specimen(
        ring.seal(plain("current"), at=THEN), "current", False)
    specimens["mislabelled"] = Specimen(
        oracle.envelope(last, ring.token(plain("mislabelled"), first, THEN)),
        "old", False, ("mislabelled",))
    specimens["label without a key"] = Specimen(
        oracle.envelope(LOST, ring.token(plain("relabelled"), first, THEN)),
        "old", False, ("mislabelled",))
    specimens["from the future"] = Specimen(
        ring.seal(plain("future"), first, 4_000_000_000), "old", False,
        ("late",))
    specimens["marked"] = Specimen(
        oracle.marked(plain("marked")), "plaintext", False)
    specimens["marked and empty"] = Specimen(
        oracle.marked(b""), "plaintext", False)
    return specimens


def lossless(ring):
    """Odd spellings that lose nothing when they are spelled anew."""
    key = old_ids(ring)[0]
    odd = token_with(ring, key, b"-_")
    token = ring.token(plain("spelling"), key, THEN)
    whole = oracle.envelope(key, token)
    zoo = {
        "outer newline": whole[:60] + "\n" + whole[60:],
        "trailing blanks": whole + " \r\n",
        "surplus padding": whole + "==",
        "padding in front": whole.replace(f":{key}:", f":{key}:==="),
        "inner newline": oracle.envelope(key, token[:50] + b"\n" + token[50:]),
        "standard alphabet": oracle.envelope(
            key, odd.translate(bytes.maketrans(b"-_", b"+/"))),
    }
    return {f"lossless: {name}": Specimen(stored, "noncanonical", False)
            for name, stored in zoo.items()}


def lossy(ring):
    """Readable, but spelling them anew would drop something."""
    key = old_ids(ring)[0]
    token = ring.token(CANARY.encode(), key, THEN)  # ends in padding
    second = ring.token(plain("second"), key, THEN)
    whole = oracle.envelope(key, token)
    zoo = {
        "junk inside": whole[:60] + "!" + whole[60:],
        "junk behind the padding": whole + "QUJD",
        "inner junk": oracle.envelope(key, token[:50] + b"~" + token[50:]),
        "two tokens glued": oracle.envelope(key, token + second),
    }
    return {f"lossy: {name}": Specimen(stored, "noncanonical", True)
            for name, stored in zoo.items()}


def bad(ring):
    """Values that nobody can prove, marked as envelopes."""
    key = old_ids(ring)[0]
    token = ring.token(plain("bad"), key, THEN)
    lost = oracle.Ring.fresh(primary=LOST)
    whole = oracle.envelope(key, token)
    zoo = {
        "sealed by a lost key": ("unknown_key", lost.seal(plain("lost"))),
        "sealed by a lost key of a known name": (
            "unknown_key", oracle.envelope(key, lost.token(plain("lost")))),
        "damaged": ("unknown_key", oracle.envelope(key, damage(token))),
        "no body": ("malformed", f"enc:fernet:{key}:"),
        "no second colon": ("malformed", f"enc:fernet:{key}"),
        "cut": ("malformed", whole[:-30]),
        "cut inside": ("malformed", oracle.envelope(key, token[:-7])),
        "not base64": ("malformed", f"enc:fernet:{key}:{CANARY}"),
        "wrong version": ("malformed", oracle.envelope(
            key, base64.urlsafe_b64encode(b"\x81" + bytes(72)))),
        "marked and broken": ("malformed", "enc:plaintext:A"),
        "no ciphertext": (
            "corrupt", oracle.envelope(key, forge(ring.keys[key]))),
        "odd ciphertext": ("corrupt", oracle.envelope(
            key, forge(ring.keys[key], odd=b"x" * 17))),
        "bad padding": ("corrupt", oracle.envelope(
            key, forge(ring.keys[key], blocks=bytes(16)))),
        "reserved": ("unsupported", "enc:tink:" + "QUJD"),
    }
    return {name: Specimen(stored, verdict, True)
            for name, (verdict, stored) in zoo.items()}


def foreign(ring):
    """Envelopes of other systems: sealing them would encrypt twice."""
    laravel = json.dumps({"iv": base64.b64encode(bytes(16)).decode(),
                          "value": base64.b64encode(bytes(32)).decode(),
                          "mac": "0" * 64, "tag": ""})
    zoo = {
        "bare Fernet token": ring.token(plain("bare"), ring.primary,
                                        THEN).decode(),
        "Vault": "vault:v1:" + base64.b64encode(bytes(60)).decode(),
        "Laravel": base64.b64encode(laravel.encode()).decode(),
        "a marker to come": f"enc:other:{CANARY}",
    }
    return {f"foreign: {name}": Specimen(stored, "foreign", True)
            for name, stored in zoo.items()}


def raw(policy="report"):
    """Values from before encryption."""
    kept = policy != "encrypt"
    zoo = {
        "raw": f"{CANARY} raw",
        "raw and empty": "",
        "raw blanks": "  ",
        "raw with a colon": f"encoded:{CANARY}",
        "raw unicode": f"{CANARY} \N{SNOWMAN} \x01\t\n",
    }
    return {name: Specimen(stored, "raw", kept)
            for name, stored in zoo.items()}


def nested(ring, dress=str):
    """A failed decryption that was saved again. The inner one still needs
    its key."""
    first, *_, last = old_ids(ring)
    inner = dress(ring.seal(plain("inner"), first, THEN))
    return {"nested": Specimen(
        dress(ring.seal(inner.encode(), last, THEN)), "old", False,
        ("nested",))}


NULL = {"null": Specimen(None, "null", True)}


def whole(ring, policy="report"):
    """All of them, as text."""
    return {**NULL, **good(ring), **lossless(ring), **lossy(ring),
            **bad(ring), **foreign(ring), **raw(policy), **nested(ring)}


def as_json(ring, policy="report"):
    """The same inside a json value, and what only JSON can do."""
    def inside(specimen):
        if specimen.stored is None:
            return specimen
        return Specimen(oracle.wrap(specimen.stored), specimen.verdict,
                        specimen.kept, specimen.counters)
    first = old_ids(ring)[0]
    text = json.dumps({"canary": CANARY, "n": 1.50, "x": [None, "\u00e9"]})
    sealed = ring.seal(text.encode(), first, THEN)
    kept = policy != "encrypt"
    zoo = {name: inside(specimen) for name, specimen in
           {**NULL, **good(ring), **lossless(ring), **lossy(ring),
            **bad(ring)}.items()}
    zoo.update(nested(ring, oracle.wrap))
    zoo["json"] = Specimen(oracle.wrap(sealed), "old", False)
    zoo["escaped"] = Specimen(
        oracle.wrap(sealed).replace("enc:", "\\u0065nc:"), "old", False)
    for name, stored in {
            "raw object": text,
            "raw array": f'["{CANARY}"]',
            "raw string": f'"{CANARY}"',
            "raw number": "12.50",
            "raw null": "null",
            "raw and a member": json.dumps(
                {oracle.MEMBER: sealed, "more": CANARY}),
            "raw member of another type": json.dumps({oracle.MEMBER: 1}),
    }.items():
        zoo[name] = Specimen(stored, "raw", kept)
    return zoo


class Plan:
    """Which specimen was planted in which row of which column."""

    def __init__(self, **columns):
        """Each column is a list of specimens, one a row; all equally long."""
        self.columns = columns
        self.length = max(map(len, columns.values()))

    def plant(self, connection, table, identity="id"):
        """Fills an existing table, rows numbered from 1."""
        names = ", ".join(self.columns)
        marks = ", ".join(["%s"] * (len(self.columns) + 1))
        cursor = connection.cursor()
        for i, row in enumerate(zip(*self.columns.values()), 1):
            cursor.execute(
                f"INSERT INTO {table} ({identity}, {names}) VALUES ({marks})",
                [i, *(specimen.stored for specimen in row)])

    def kept(self):
        return {(str(i), column)
                for column, specimens in self.columns.items()
                for i, specimen in enumerate(specimens, 1) if specimen.kept}

    def verdicts(self, column, after=False):
        """{verdict: count}, as a report must have them."""
        return dict(collections.Counter(
            specimen.verdict_after if after else specimen.verdict
            for specimen in self.columns[column]))

    def blocking(self, *accepted):
        """(row, verdict) of each finding a finished rotation must list."""
        fine = {"null", "current", *accepted}
        return sorted((i, specimen.verdict)
                      for specimens in self.columns.values()
                      for i, specimen in enumerate(specimens, 1)
                      if specimen.verdict_after not in fine)


def copy_rows(connection, table, columns, rows):
    """Fills a table fast. rows yields tuples of None or text without tabs,
    newlines and backslashes, which no envelope has."""
    feed = io.StringIO()
    for row in rows:
        feed.write("\t".join("\\N" if field is None else str(field)
                             for field in row) + "\n")
    feed.seek(0)
    connection.cursor().copy_expert(
        f"COPY {table} ({', '.join(columns)}) FROM STDIN", feed)
