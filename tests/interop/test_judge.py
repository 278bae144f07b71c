"""The real judge against an independent model of it, over values of every
kind and their mutations.

The tool is tests/judge_tool in the folder that PGREKEY_BUILD names.
"""
import base64
import collections
import json
import pathlib
import random
import subprocess
import sys
import tempfile
import unittest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1]))

from lib import oracle, zoo  # noqa: E402
from lib.model import MEMBER, Policy, judge  # noqa: E402
from lib.pgrekey import BUILD, ROOT, scaled  # noqa: E402

TOOL = ROOT / BUILD / "tests" / "judge_tool"
VALUES = 40_000
NOW = 1_900_000_000
RUN_START = 1_800_000_000
TIMES = (0, 1, 499162800, 1_600_000_000, RUN_START - 1, RUN_START,
         RUN_START + 1, 2**32, 2**36, 2**63, 2**64 - 1)
VERDICTS = {"current", "old", "plaintext", "raw", "noncanonical",
            "unknown_key", "corrupt", "malformed", "foreign", "unsupported",
            "oversize"}
FLAGS = ("rewrite", "blocks", "nested", "mislabelled", "late", "clear",
         "unread")
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


def deep(levels, key="new"):
    """An envelope with so many others inside."""
    value = b"core"
    for _ in range(levels + 1):
        value = RING.seal(value, key, 5).encode()
    return value


def cases(count):
    maker = Maker(20240301)
    for levels in (1, 7, 8, 9, 10):
        for nested in ("keep", "unwrap"):
            for key in ("new", "k1"):
                yield "text", Policy(nested=nested), deep(levels, key)
    for length in (99, 100, 101):
        yield "text", Policy("fernet", "encrypt", max=100), b"x" * length
    for size in (65_536, 300_000):
        yield "text", Policy(), RING.seal(bytes(size), "k1").encode()
    for _ in range(count):
        carrier = maker.pick("text", "text", "json", "jsonb")
        policy = Policy(maker.pick("fernet", "fernet", "plaintext"),
                        maker.pick("report", "encrypt", "allow"),
                        maker.pick("keep", "unwrap"),
                        maker.pick(*[1 << 20] * 9, 150))
        yield carrier, policy, maker.stored(carrier)


def ask(asked):
    """The tool's answers, as dictionaries."""
    lines = [f"{carrier} {p.method} {p.raw} {p.nested} {p.max} {value.hex()}\n"
             for carrier, p, value in asked]
    with tempfile.TemporaryDirectory(prefix="pgrekey-test-") as folder:
        keys = RING.write(pathlib.Path(folder, "keys"))
        done = subprocess.run(
            [TOOL, keys, RING.primary, str(NOW), str(RUN_START)],
            input="".join(lines), stdout=subprocess.PIPE, text=True,
            check=True)
    answers = done.stdout.split("\n")[:-1]
    if len(answers) != len(lines):
        raise AssertionError(f"{len(answers)} answers to {len(lines)} lines")
    return [understand(answer) for answer in answers]


def understand(line):
    verdict, *words = line.split(" ")
    answer = {"verdict": verdict, **dict.fromkeys(FLAGS, False)}
    for word in words:
        name, has_value, value = word.partition("=")
        answer[name] = value if has_value else True
    return answer


def expectation(asked):
    carrier, policy, value = asked
    return judge(value, carrier != "text", RING, policy, RUN_START)


class Judge(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.asked = list(cases(scaled(VALUES, 3000)))
        cls.answers = ask(cls.asked)
        cls.expected = [expectation(asked) for asked in cls.asked]

    def together(self):
        return zip(self.asked, self.answers, self.expected)

    def assertNone(self, wrong):
        if wrong:
            self.fail(f"{len(wrong)} of {len(self.asked)} differ, such as\n"
                      + "\n".join(map(str, wrong[:5])))

    def test_verdicts_counters_and_keys_are_those_of_the_model(self):
        wrong = []
        for asked, answer, model in self.together():
            wanted = {"verdict": model.verdict}
            wanted.update({name: getattr(model, name) for name in FLAGS})
            for name in ("key", "inner"):
                if getattr(model, name) is not None:
                    wanted[name] = getattr(model, name)
            wanted.update({f"has-{name}": "" for name in model.within})
            if model.time is not None:
                wanted["time"] = str(model.time)
            if model.label is not None:
                code = "escape" if asked[0] == "text" else "pass"
                wanted["label"] = model.label.encode(
                    "utf-8", "surrogate" + code).hex()
            got = {name: value for name, value in answer.items()
                   if name != "fresh"}
            if got != wanted:
                wrong.append((asked, "wanted", wanted, "got", got))
        self.assertNone(wrong)

    def test_a_new_envelope_comes_exactly_with_rewrite(self):
        self.assertNone([
            (asked, answer) for asked, answer, _ in self.together()
            if ("fresh" in answer) != answer["rewrite"]
            or answer["rewrite"] and answer["verdict"] == "current"])

    def test_python_opens_every_new_envelope_to_the_same_plaintext(self):
        wrong, ivs = [], set()
        for asked, answer, model in self.together():
            if "fresh" not in answer:
                continue
            carrier, policy, _ = asked
            fresh = bytes.fromhex(answer["fresh"]).decode("ascii")
            seen = oracle.read(fresh, RING, carrier != "text")
            fine = seen.exact and seen.value == model.plain
            if carrier != "text":
                fine &= fresh == oracle.wrap(oracle.unwrap(fresh))
            if policy.method == "plaintext":
                fine &= seen.kind == "marked"
            else:
                at = NOW if model.time is None else model.time
                fine &= (seen.kind == "sealed" and seen.at == at
                         and seen.key == seen.label == RING.primary
                         and seen.iv not in ivs)
                ivs.add(seen.iv)
            if not fine:
                wrong.append((asked, answer, seen))
        self.assertNone(wrong)
        self.assertGreater(len(ivs), len(self.asked) // 10)

    def test_a_new_envelope_is_current_from_then_on(self):
        again = [(carrier, policy, bytes.fromhex(answer["fresh"]))
                 for (carrier, policy, _), answer in zip(self.asked,
                                                         self.answers)
                 if "fresh" in answer and policy.max > 150]
        wrong = [(asked, answer) for asked, answer in zip(again, ask(again))
                 if answer["verdict"] != "current"
                 and not (answer["nested"] and answer["rewrite"])]
        self.assertNone(wrong)

    def test_every_verdict_and_every_counter_occurred(self):
        verdicts = collections.Counter(a["verdict"] for a in self.answers)
        for verdict, count in sorted(verdicts.items()):
            print(f"{verdict} {count}", file=sys.stderr)
        self.assertEqual(set(verdicts), VERDICTS)
        seen = collections.Counter()
        for (carrier, policy, _), answer in zip(self.asked, self.answers):
            verdict = answer["verdict"]
            seen.update({(carrier, verdict), (policy.method, verdict),
                         (policy.raw, policy.nested)})
            seen.update((name, value) for name in FLAGS
                        for value in (answer[name],))
            seen.update(name for name in ("inner",) if name in answer)
        for carrier in ("text", "json", "jsonb"):
            for verdict in VERDICTS:
                self.assertIn((carrier, verdict), seen)
        for name in FLAGS:
            self.assertIn((name, True), seen)
            self.assertIn((name, False), seen)
        self.assertIn("inner", seen)


if __name__ == "__main__":
    unittest.main()
