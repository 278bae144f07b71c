"""pgrekey's Fernet and base64 against those of the application: Debian's
python3-cryptography and Python's own base64, both ways.

The tool is tests/fernet_tool in the folder that PGREKEY_BUILD names.
"""
import base64
import binascii
import os
import pathlib
import random
import subprocess
import unittest

from cryptography.fernet import Fernet, InvalidToken

BUILD = os.environ.get("PGREKEY_BUILD", "build/release")
TOOL = pathlib.Path(BUILD, "tests", "fernet_tool").resolve()
KEYS = ("ynzvdTC3MSiFH8PCFO-gYkUuf-DZVE8KM86TOgc6wxc=",
        "Q26gMfKal3CIN2MTgrHuHa53UrTZYEFCoXiNiySlQU8=",
        "_g73m_VMMmoL60H8KK5YNv_DBdZl_Uf8O-_-DauoTD8=")
SECONDS = (0, 1, 499162800, 1700000000, 2**32, 2**63, 2**64 - 1)

# Every length up to 300, both sides of each power of two, and far beyond.
LENGTHS = sorted({
    *range(301), *range(301, 5000, 97), *range(5000, 70000, 4999), 70000,
    *(n + d for n in (512, 1024, 4096, 8192, 16384, 32768, 65536)
      for d in (-17, -16, -15, -1, 0, 1, 15, 16, 17))})

SPACE = set(b" \t\n\v\f\r")
STANDARD = set(b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
               b"0123456789+/")
NOTES = {"space": 1, "padding": 2, "alphabet": 4, "trailing": 8, "junk": 16,
         "behind": 32}
DIFFERENTIAL = 120_000


def ask(*lines):
    """What the tool answers to each of the lines."""
    text = "".join(f"{line}\n" for line in lines)
    done = subprocess.run([TOOL], input=text, stdout=subprocess.PIPE,
                          text=True, check=True)
    answers = done.stdout.split("\n")[:-1]
    if len(answers) != len(lines):
        raise AssertionError(f"{len(answers)} answers to {len(lines)} lines")
    return answers


def plaintexts():
    """Of every length, with every byte value at every place of a block."""
    generator = random.Random(20240229)
    for number, length in enumerate(LENGTHS):
        yield (KEYS[number % len(KEYS)], SECONDS[number % len(SECONDS)],
               generator.randbytes(16), generator.randbytes(length))
    for byte in range(256):
        yield KEYS[0], 1700000000, bytes(16), bytes([byte]) * 33
    yield KEYS[0], 1700000000, bytes(16), bytes(range(256)) * 16


class Tokens(unittest.TestCase):
    cases = list(plaintexts())

    def test_python_opens_what_pgrekey_sealed(self):
        answers = ask(*(f"seal {key} {seconds} {iv.hex()} {plain.hex()}"
                        for key, seconds, iv, plain in self.cases))
        for token, (key, seconds, _, plain) in zip(answers, self.cases):
            with self.subTest(length=len(plain), seconds=seconds):
                self.assertEqual(Fernet(key).decrypt(token.encode()), plain)
                self.assertEqual(
                    Fernet(key).extract_timestamp(token.encode()), seconds)

    def test_pgrekey_opens_what_python_sealed(self):
        tokens = [Fernet(key)._encrypt_from_parts(plain, seconds, iv).decode()
                  for key, seconds, iv, plain in self.cases]
        answers = ask(*(f"open {key} {token}" for token, (key, *_)
                        in zip(tokens, self.cases)))
        for answer, (_, seconds, _, plain) in zip(answers, self.cases):
            with self.subTest(length=len(plain), seconds=seconds):
                self.assertEqual(answer, f"ok {seconds} {plain.hex()}")

    def test_both_make_the_same_token_of_the_same_parts(self):
        answers = ask(*(f"seal {key} {seconds} {iv.hex()} {plain.hex()}"
                        for key, seconds, iv, plain in self.cases))
        for token, (key, seconds, iv, plain) in zip(answers, self.cases):
            with self.subTest(length=len(plain), seconds=seconds):
                self.assertEqual(token, Fernet(key)._encrypt_from_parts(
                    plain, seconds, iv).decode())

    def test_both_refuse_the_same_damaged_tokens(self):
        generator = random.Random(7)
        token = Fernet(KEYS[0])._encrypt_from_parts(
            b"x" * 40, 1700000000, bytes(16))
        raw = base64.urlsafe_b64decode(token)
        damaged = [raw[:-1], raw[1:], raw + b"\0", raw[:57], raw[:40], b""]
        for _ in range(500):
            copy = bytearray(raw)
            copy[generator.randrange(len(copy))] ^= 1 << generator.randrange(8)
            damaged.append(bytes(copy))
        texts = [base64.urlsafe_b64encode(value).decode() for value in damaged]
        answers = ask(*(f"open {KEYS[0]} {text}" for text in texts))
        for text, answer in zip(texts, answers):
            with self.assertRaises(InvalidToken):
                Fernet(KEYS[0]).decrypt(text.encode())
            self.assertIn(answer, ("no", "forged"))


def mutated(generator):
    """Texts from canonical to hopeless, about as many readable as not."""
    alphabet = STANDARD | set(b"-_")
    odd = sorted(alphabet) + list(b"=====\n\t !-\xff\0")
    kind = generator.randrange(8)
    if kind == 0:
        return bytes(generator.choices(odd, k=generator.randrange(24)))
    if kind == 1:
        return generator.randbytes(generator.randrange(40))
    encode = generator.choice((base64.b64encode, base64.urlsafe_b64encode))
    text = bytearray(encode(generator.randbytes(generator.randrange(48))))
    if kind == 2:
        return bytes(text)
    for _ in range(generator.randrange(1, 4)):
        at, what = generator.randrange(len(text) + 1), generator.randrange(3)
        if what == 0:
            text.insert(at, generator.choice(odd))
        elif at < len(text) and what == 1:
            text[at] = generator.choice(odd)
        elif at < len(text):
            del text[at]
    if kind == 3:
        text += encode(generator.randbytes(generator.randrange(9)))
    return bytes(text)


class Base64(unittest.TestCase):
    encoders = {"std": base64.b64encode, "url": base64.urlsafe_b64encode}
    decoders = {"std": base64.b64decode, "url": base64.urlsafe_b64decode}

    @classmethod
    def setUpClass(cls):
        generator = random.Random(64)
        cls.cases = [(generator.choice(("std", "url")), mutated(generator))
                     for _ in range(DIFFERENTIAL)]
        cls.expected = [cls.read(*case) for case in cls.cases]

    @classmethod
    def read(cls, alphabet, text):
        """What Python reads, or None where it raises."""
        try:
            return cls.decoders[alphabet](text)
        except binascii.Error:
            return None

    def test_lenient_reads_exactly_what_python_reads(self):
        answers = ask(*(f"lenient {name} {text.hex()}"
                        for name, text in self.cases))
        for case, expected, answer in zip(self.cases, self.expected, answers):
            read = None if answer == "no" else answer.split(" ")[1]
            wanted = None if expected is None else expected.hex()
            self.assertEqual(read, wanted, case)

    def test_strict_reads_exactly_what_python_writes(self):
        answers = ask(*(f"strict {name} {text.hex()}"
                        for name, text in self.cases))
        for case, expected, answer in zip(self.cases, self.expected, answers):
            name, text = case
            canonical = (expected is not None
                         and self.encoders[name](expected) == text)
            self.assertEqual(answer != "no", canonical, case)
            if canonical:
                self.assertEqual(answer, f"ok {expected.hex()}", case)

    def test_the_inputs_are_of_all_kinds(self):
        raised = self.expected.count(None)
        canonical = sum(
            value is not None and self.encoders[name](value) == text
            for (name, text), value in zip(self.cases, self.expected))
        strange = len(self.cases) - raised - canonical
        for count in (raised, canonical, strange):
            self.assertGreater(count, len(self.cases) // 10)

    def test_lossless_is_what_reads_the_same_without_the_spelling(self):
        """An independent definition: take white space and = away, translate
        the alphabet; if nothing but that was odd, the text is canonical now,
        up to its last character."""
        answers = ask(*(f"lenient {name} {text.hex()}"
                        for name, text in self.cases))
        for (name, text), value, answer in zip(self.cases, self.expected,
                                               answers):
            if value is None:
                continue
            if name == "url":
                text = text.translate(bytes.maketrans(b"-_", b"+/"))
            letters = bytes(c for c in text if c not in SPACE and c != 61)
            whole = base64.b64encode(value).rstrip(b"=")
            lossless = (len(letters) == len(whole)
                        and set(letters) <= STANDARD
                        and letters[:-1] == whole[:-1])
            notes = int(answer.split(" ")[2])
            lossy = notes & (NOTES["junk"] | NOTES["behind"])
            self.assertEqual(not lossy, lossless, (name, text, notes))

    def test_encoders_agree_on_every_length(self):
        generator = random.Random(3)
        values = [generator.randbytes(n) for n in range(1000)]
        for name, encode in self.encoders.items():
            answers = ask(*(f"encode {name} {v.hex()}" for v in values))
            self.assertEqual(answers, [encode(v).decode() for v in values])


class KeyFiles(unittest.TestCase):
    def test_a_key_that_is_accepted_is_the_one_python_uses(self):
        generator = random.Random(11)
        texts = []
        for _ in range(2000):
            encode = generator.choice(
                (base64.b64encode, base64.urlsafe_b64encode))
            text = bytearray(encode(generator.randbytes(32)))
            if generator.random() < 0.5:
                at = generator.randrange(len(text))
                text[at] = generator.choice(b"=-_+/A \n.")
            texts.append(bytes(text) + generator.choice((b"", b"\n", b" \r\n")))
        accepted = 0
        for text, answer in zip(texts, ask(*(f"key {t.hex()}"
                                             for t in texts))):
            if not answer.startswith("ok "):
                continue
            accepted += 1
            fernet = Fernet(text.decode())
            self.assertEqual(
                answer,
                f"ok {(fernet._signing_key + fernet._encryption_key).hex()}")
        self.assertGreater(accepted, 1000)


if __name__ == "__main__":
    unittest.main()
