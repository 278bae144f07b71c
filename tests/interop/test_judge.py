"""The real judge against an independent model of it, over values of every
kind and their mutations.

The tool is tests/judge_tool in the folder that PGREKEY_BUILD names.
"""
import collections
import pathlib
import subprocess
import sys
import tempfile
import unittest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1]))

from lib import oracle  # noqa: E402
from lib.maker import RING, RUN_START, Maker  # noqa: E402
from lib.model import Policy, judge  # noqa: E402
from lib.pgrekey import BUILD, ROOT, scaled  # noqa: E402

TOOL = ROOT / BUILD / "tests" / "judge_tool"
VALUES = 40_000
NOW = 1_900_000_000
VERDICTS = {"current", "old", "plaintext", "raw", "noncanonical",
            "unknown_key", "corrupt", "malformed", "foreign", "unsupported",
            "oversize"}
FLAGS = ("rewrite", "blocks", "nested", "mislabelled", "late", "clear",
         "unread")


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


def stored(carrier, fresh):
    """What is in the column once the server has it: it puts the string into
    the object itself."""
    return oracle.wrap(fresh) if carrier == "jsonb" else fresh


def understand(line):
    verdict, *words = line.split(" ")
    answer = {"verdict": verdict, **dict.fromkeys(FLAGS, False)}
    for word in words:
        name, has_value, value = word.partition("=")
        answer[name] = value if has_value else True
    return answer


def expectation(asked):
    carrier, policy, value = asked
    return judge(value, carrier, RING, policy, RUN_START)


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
            fresh = stored(
                carrier, bytes.fromhex(answer["fresh"]).decode("ascii"))
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
                 if "fresh" in answer]
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
