"""The oracle judges the program, so here somebody judges the oracle."""
import json
import sys
import unittest
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from lib import oracle, zoo  # noqa: E402
from lib.oracle import Ring, Row, differences, flaw, read  # noqa: E402

# The Fernet specification's own example.
SPEC_KEY = "cw_0x689RpI-jtRR7oE8h_eQsKImvJapLeSbXpwF4e4="
SPEC_TOKEN = (b"gAAAAAAdwJ6wAAECAwQFBgcICQoLDA0ODy021cpGVWKZ_eEwCGM4BLLF_5CV9dO"
              b"PmrhuVUPgJobwOz7JcbmrR64jVmpU4IwqDA==")


def fake(rows, json_columns=()):
    """A Snapshot without a database: {identity: (rest, values...)}."""
    snapshot = oracle.Snapshot.__new__(oracle.Snapshot)
    snapshot.columns = ["c"]
    snapshot.json = {"c": "c" in json_columns}
    snapshot.rows = {name: Row((0, "(0,1)", "1"), rest, tuple(values))
                     for name, (rest, *values) in rows.items()}
    return snapshot


class Reader(unittest.TestCase):
    def setUp(self):
        self.ring = Ring.fresh("k1", "k2", primary="k3")

    def test_it_reads_the_specification(self):
        ring = Ring({"k": SPEC_KEY}, "k")
        seen = read(oracle.envelope("k", SPEC_TOKEN), ring)
        self.assertEqual(
            (seen.kind, seen.value, seen.at, seen.iv, seen.exact),
            ("sealed", b"hello", 499162800, bytes(range(16)), True))

    def test_it_reads_what_it_sealed_under_each_key(self):
        for key in self.ring.keys:
            seen = read(self.ring.seal(b"x", key, 5), self.ring)
            self.assertEqual((seen.value, seen.key, seen.label, seen.at),
                             (b"x", key, key, 5))

    def test_every_specimen_reads_as_its_verdict_says(self):
        kinds = {"null": ["null"], "raw": ["raw"], "foreign": ["raw"],
                 "plaintext": ["marked"], "old": ["sealed"],
                 "current": ["sealed"], "noncanonical": ["sealed"]}
        for is_json, specimens in (
                (False, zoo.whole(self.ring)), (True, zoo.as_json(self.ring))):
            for name, specimen in specimens.items():
                with self.subTest(name, is_json=is_json):
                    seen = read(specimen.stored, self.ring, is_json)
                    self.assertIn(
                        seen.kind, kinds.get(specimen.verdict, ["unread"]))
                    if "lossy" in name or "lossless" in name:
                        self.assertFalse(seen.exact)

    def test_the_application_returns_the_envelope_it_cannot_open(self):
        for stored in (self.ring.seal(b"x", "k1").replace(":k1:", ":k2:"),
                       "enc:fernet:k1:AAAA", "enc:fernet:", "enc:tink:x"):
            self.assertEqual(oracle.application_reads(stored, self.ring),
                             stored.encode())

    def test_the_application_skips_what_is_not_base64(self):
        stored = self.ring.seal(b"x", "k1")
        stored = stored[:40] + "!\n\u00fc" + stored[40:]
        self.assertRaises(ValueError, stored.encode, "ascii")
        self.assertEqual(read(stored, self.ring).kind, "unread")
        stored = stored.replace("\u00fc", "")
        self.assertEqual(oracle.application_reads(stored, self.ring), b"x")

    def test_only_the_exact_one_member_object_is_an_envelope(self):
        inner = self.ring.seal(b"1")
        for value in ({"sentry_encrypted_field_value": inner, "b": 1},
                      {"other": inner}, [inner], inner, None, 1,
                      {"sentry_encrypted_field_value": [inner]}):
            self.assertEqual(
                read(json.dumps(value), self.ring, True).kind, "raw")
        self.assertEqual(read(oracle.wrap(inner), self.ring, True).value, b"1")


class Comparison(unittest.TestCase):
    """Each way of going wrong must be seen."""

    def setUp(self):
        self.ring = Ring.fresh("k1", "k2", primary="k3")
        self.stored = self.ring.seal(b"x", "k1", 7)
        self.right = self.ring.seal(b"x", "k3", 7)
        self.before = fake({"1": ("r", self.stored)})

    def judge(self, *values, rest="r", kept=(), **more):
        after = fake({str(i): (rest, value)
                      for i, value in enumerate(values, 1)})
        return differences(self.before, after, self.ring, kept, **more)

    def test_a_right_rotation_has_no_differences(self):
        self.assertEqual(self.judge(self.right), [])

    def test_it_sees_a_value_left_under_an_old_key(self):
        self.assertTrue(self.judge(self.stored))

    def test_it_sees_another_value(self):
        self.assertTrue(self.judge(self.ring.seal(b"y", "k3", 7)))

    def test_it_sees_a_lost_timestamp(self):
        self.assertTrue(self.judge(self.ring.seal(b"x", "k3", 8)))

    def test_it_sees_a_wrong_label(self):
        self.assertTrue(self.judge(self.right.replace(":k3:", ":k2:")))
        wrong = self.ring.seal(b"x", "k2", 7).replace(":k2:", ":k3:")
        self.assertTrue(self.judge(wrong))

    def test_it_sees_another_spelling(self):
        self.assertTrue(self.judge(self.right + "="))

    def test_it_sees_a_null_and_a_lost_row_and_a_new_row(self):
        self.assertTrue(self.judge(None))
        self.assertTrue(self.judge())
        self.assertTrue(self.judge(self.right, self.right))

    def test_it_sees_another_column_change(self):
        self.assertTrue(self.judge(self.right, rest="s"))

    def test_it_sees_a_kept_value_change(self):
        kept = {("1", "c")}
        self.assertEqual(self.judge(self.stored, kept=kept), [])
        self.assertTrue(self.judge(self.right, kept=kept))

    def test_it_sees_an_unreadable_value_sealed_again(self):
        self.before = fake({"1": ("r", "enc:fernet:k1:AAAA")})
        self.assertTrue(self.judge(self.ring.seal(b"enc:fernet:k1:AAAA")))

    def test_it_sees_an_iv_used_twice(self):
        self.before = fake({"1": ("r", self.stored), "2": ("r", self.stored)})
        self.assertEqual(
            self.judge(self.right, self.ring.seal(b"x", "k3", 7)), [])
        self.assertTrue(self.judge(self.right, self.right))

    def test_it_sees_the_old_iv_kept(self):
        iv = read(self.stored, self.ring).iv
        again = self.ring.fernet["k3"]._encrypt_from_parts(b"x", 7, iv)
        self.assertTrue(self.judge(oracle.envelope("k3", again)))

    def test_raw_json_may_be_spelled_otherwise_but_not_mean_otherwise(self):
        old = read('{"a": 1.50, "b": 2}', self.ring, True)

        def reason(text):
            new = read(oracle.wrap(self.ring.seal(text)), self.ring, True)
            return flaw(old, new, self.ring, is_json=True)
        self.assertIsNone(reason(b'{"b":2,"a":1.50}'))
        self.assertIsNotNone(reason(b'{"b":2,"a":1.51}'))

    def test_the_way_back_must_be_marked(self):
        self.assertEqual(
            self.judge(oracle.marked(b"x"), method="plaintext"), [])
        self.assertTrue(self.judge("x", method="plaintext"))
        self.assertTrue(self.judge(oracle.marked(b"x")))


if __name__ == "__main__":
    unittest.main()
