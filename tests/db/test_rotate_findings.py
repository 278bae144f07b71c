"""Values that rotate must keep its hands off, and how it speaks of them."""
import base64
import json
import os
import sys
import unittest
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from lib import oracle, zoo  # noqa: E402
from lib.scene import Scene  # noqa: E402

VECTORS = Path(__file__).resolve().parents[1] / "vectors" / "fernet"


def setUpModule():
    Scene.open()


class Base(Scene):
    def setUp(self):
        super().setUp()
        self.table("text")

    def table(self, column_type):
        self.sql("DROP TABLE IF EXISTS zoo")
        self.sql("CREATE TABLE zoo (id int PRIMARY KEY,"
                 f" secret {column_type}, note text DEFAULT 'x')")

    def plant(self, specimens, **options):
        self.plan = zoo.Plan(secret=list(specimens.values()))
        self.plan.plant(self.admin, "zoo")
        self.tool.configure(zoo={"columns": "secret", **options})
        return self.look()

    def look(self):
        return self.snapshot("zoo", "secret")

    def put(self, stored, i=1):
        self.sql("INSERT INTO zoo (id, secret) VALUES (%s, %s)", i, stored)

    def listed(self, result):
        return sorted((int(finding["row"]["id"]), finding["verdict"])
                      for finding in result.findings)


class Whole(Base):
    """Every kind of value in one table."""

    def check(self, specimens, policy):
        before = self.plant(specimens, raw=policy)
        result = self.tool.rotate()
        self.assertExit(1, result)
        self.assertRight(before, self.look(), self.plan.kept())
        column = result.column("secret")
        self.assertEqual(column["verdicts"],
                         self.plan.verdicts("secret", after=True))
        self.assertEqual(column["scanned"], self.plan.length)
        accepted = () if policy == "report" else ("raw",)
        missing = (set(self.plan.blocking(*accepted))
                   - set(self.listed(result)))
        self.assertEqual(missing, set())

    def test_text_good_ones_rotate_and_bad_ones_stay_byte_identical(self):
        for policy in ("report", "encrypt", "allow"):
            with self.subTest(policy):
                self.table("text")
                self.check(zoo.whole(self.ring, policy), policy)

    def test_json_good_ones_rotate_and_bad_ones_stay_byte_identical(self):
        for column_type in ("jsonb", "json"):
            for policy in ("report", "encrypt", "allow"):
                with self.subTest(column_type, policy=policy):
                    self.table(column_type)
                    self.check(zoo.as_json(self.ring, policy), policy)

    def test_a_dry_run_counts_them_as_they_are(self):
        before = self.plant(zoo.whole(self.ring))
        result = self.tool.rotate("--dry-run")
        self.assertExit(1, result)
        self.assertUntouched(before, self.look())
        self.assertEqual(result.column("secret")["verdicts"],
                         self.plan.verdicts("secret"))

    def test_the_second_run_finds_the_same_and_writes_nothing(self):
        self.plant({**zoo.good(self.ring), **zoo.bad(self.ring)})
        first = self.tool.rotate()
        before = self.look()
        second = self.tool.rotate()
        self.assertExit(1, second)
        self.assertUntouched(before, self.look())
        self.assertEqual(self.listed(first), self.listed(second))

    def test_a_table_of_nothing_but_bad_values_ends(self):
        specimens = zoo.bad(self.ring)
        before = self.plant({f"{name} {i}": specimen for i in range(50)
                             for name, specimen in specimens.items()})
        result = self.tool.rotate()
        self.assertExit(1, result)
        self.assertUntouched(before, self.look())


class Kinds(Base):
    """One promise, one kind."""

    def kept(self, specimens, verdict):
        for specimen in specimens:
            self.assertEqual(specimen.verdict, verdict)
        before = self.plant(dict(enumerate(specimens)), raw="encrypt")
        result = self.tool.rotate()
        self.assertExit(1, result)
        self.assertUntouched(before, self.look())
        self.assertEqual(
            self.listed(result),
            [(i, verdict) for i in range(1, len(specimens) + 1)])

    def bad(self, verdict):
        return [specimen for specimen in zoo.bad(self.ring).values()
                if specimen.verdict == verdict]

    def test_unknown_keys_stay_and_are_listed(self):
        self.kept(self.bad("unknown_key"), "unknown_key")

    def test_malformed_values_stay_and_are_listed(self):
        self.kept(self.bad("malformed"), "malformed")

    def test_corrupt_values_stay_and_are_listed(self):
        self.kept(self.bad("corrupt"), "corrupt")

    def test_the_reserved_marker_is_never_touched(self):
        self.kept(self.bad("unsupported"), "unsupported")

    def test_envelopes_of_other_systems_are_not_encrypted_twice(self):
        self.kept(list(zoo.foreign(self.ring).values()), "foreign")

    def test_spellings_that_would_lose_something_stay_and_are_listed(self):
        self.kept(list(zoo.lossy(self.ring).values()), "noncanonical")

    def test_odd_spellings_that_lose_nothing_are_spelled_anew(self):
        before = self.plant(zoo.lossless(self.ring))
        self.assertExit(0, self.tool.rotate())
        self.assertRight(before, self.look())

    def test_a_value_above_max_value_bytes_stays_and_is_listed(self):
        self.put(self.ring.seal(bytes(3000), "k2023"))
        self.put(self.ring.seal(b"small", "k2023"), 2)
        self.tool.configure(zoo={"columns": "secret",
                                 "max_value_bytes": "4096B"})
        before = self.look()
        result = self.tool.rotate()
        self.assertExit(1, result)
        self.assertRight(before, self.look(), kept={("1", "secret")})
        self.assertEqual(self.listed(result), [(1, "oversize")])

    def test_what_would_grow_above_max_value_bytes_stays_and_is_listed(self):
        """The next rotation could not read it."""
        self.put(oracle.marked(bytes(150)))
        self.put(oracle.marked(b"small"), 2)
        self.tool.configure(zoo={"columns": "secret",
                                 "max_value_bytes": "300B"})
        before = self.look()
        for how in (("--dry-run",), ()):
            result = self.tool.rotate(*how)
            self.assertExit(1, result)
            self.assertEqual(self.listed(result), [(1, "plaintext")])
            self.assertIn("max_value_bytes", result.findings[0]["reason"])
        self.assertRight(before, self.look(), kept={("1", "secret")})

    def test_the_last_of_32_columns_may_be_oversize_too(self):
        names = [f"c{i}" for i in range(32)]
        self.sql("CREATE TABLE wide (id int, " + ", ".join(
            f"{name} text" for name in names) + ")")
        for row, last in ((1, b"small"), (2, bytes(3000))):
            self.sql("INSERT INTO wide VALUES (%s" + 32 * ", %s" + ")", row,
                     *[self.ring.seal(b"x", "k2023")] * 31,
                     self.ring.seal(last, "k2023"))
        self.tool.configure(zoo={"name": "wide", "columns": ", ".join(names),
                                 "max_value_bytes": "4096B"})
        for command in ("rotate", "verify"):
            result = self.tool.run(command, "--output", "json")
            self.assertExit(1, result)
            self.assertEqual(
                result.column("c31")["verdicts"].get("oversize"), 1)

    def test_an_oversize_value_that_is_current_is_counted_once(self):
        self.sql("CREATE TABLE two (id int PRIMARY KEY, a text, b text)")
        self.sql("INSERT INTO two VALUES (1, %s, 'in the clear')",
                 self.ring.seal(bytes(3000), "k2025"))
        self.tool.configure(zoo={"name": "two", "columns": "a, b",
                                 "max_value_bytes": "4096B"})
        result = self.tool.rotate()
        self.assertExit(1, result)
        self.assertEqual(result.column("a")["verdicts"], {"current": 1})
        self.assertEqual(self.listed(result), [(1, "raw")])

    def test_a_row_whose_key_is_very_long_is_named_by_its_place(self):
        self.sql("CREATE TABLE wide (id text PRIMARY KEY, secret text)")
        name = base64.b64encode(os.urandom(1700)).decode() + '"' * 300
        self.sql("INSERT INTO wide VALUES (%s, 'in the clear')", name)
        self.tool.configure(wide={"columns": "secret"})
        for command in self.tool.rotate, self.tool.verify:
            result = command()
            self.assertExit(1, result)
            self.assertEqual([f["row"] for f in result.findings],
                             [{"ctid": "(0,1)"}])

    def test_mislabelled_values_are_relabelled_and_counted(self):
        before = self.plant({
            name: specimen for name, specimen in zoo.good(self.ring).items()
            if "mislabelled" in specimen.counters})
        dry = self.tool.rotate("--dry-run")
        result = self.tool.rotate()
        self.assertExit(0, result)
        self.assertRight(before, self.look())
        for counted in (dry, result):
            self.assertEqual(
                counted.column("secret")["counters"]["mislabelled"],
                self.plan.length)

    def test_old_tokens_younger_than_the_run_are_counted_as_late(self):
        self.put(self.ring.seal(b"1", "k2023", 4_000_000_000))
        self.put(self.ring.seal(b"1", "k2023", zoo.THEN), 2)
        self.tool.configure(zoo={"columns": "secret"})
        dry = self.tool.rotate("--dry-run")
        result = self.tool.rotate()
        self.assertExit(0, result)
        for counted in (dry, result):
            self.assertEqual(counted.column("secret")["counters"]["late"], 1)

    def test_values_under_a_removed_key_become_unknown_and_come_back(self):
        for i, key in enumerate(("k2023", "k2024")):
            self.put(self.ring.seal(zoo.plain(key), key, zoo.THEN), i)
        self.tool.configure(zoo={"columns": "secret"})
        before = self.look()
        self.tool.set_ring(self.ring.without("k2023"))
        result = self.tool.rotate()
        self.assertExit(1, result)
        self.assertEqual(self.listed(result), [(0, "unknown_key")])
        self.assertRight(before, self.look(), kept={("0", "secret")})
        self.tool.set_ring(self.ring)
        self.assertExit(0, self.tool.rotate())
        self.assertRight(before, self.look())

    def test_thorough_opens_what_the_label_calls_current(self):
        token = self.ring.token(zoo.plain("wrong label"), "k2023", zoo.THEN)
        self.put(oracle.envelope("k2025", token))
        self.put(oracle.envelope("k2025", zoo.damage(token)), 2)
        self.tool.configure(zoo={"columns": "secret"})
        before = self.look()
        result = self.tool.rotate("--thorough")
        self.assertExit(1, result)
        self.assertEqual(self.listed(result), [(2, "unknown_key")])
        self.assertRight(before, self.look(), kept={("2", "secret")})


class Nested(Base):
    def test_keep_rotates_the_outer_envelope_only_and_is_not_clean(self):
        before = self.plant(zoo.nested(self.ring))
        dry = self.tool.rotate("--dry-run")
        result = self.tool.rotate()
        self.assertExit(1, result)
        self.assertRight(before, self.look())
        for counted in (dry, result):
            self.assertEqual(counted.column("secret")["counters"]["nested"], 1)

    def test_keep_is_clean_when_the_inner_one_is_under_the_primary(self):
        inner = self.ring.seal(zoo.plain("inner"))
        self.put(self.ring.seal(inner.encode(), "k2023", zoo.THEN))
        self.tool.configure(zoo={"columns": "secret"})
        before = self.look()
        self.assertExit(0, self.tool.rotate())
        self.assertRight(before, self.look())

    def test_a_column_beside_a_nested_one_is_not_listed(self):
        inner = self.ring.seal(zoo.plain("inner"), "k2023", zoo.THEN)
        self.sql("INSERT INTO zoo VALUES (1, %s, %s)",
                 self.ring.seal(inner.encode(), "k2024", zoo.THEN),
                 self.ring.seal(zoo.plain("note"), "k2023", zoo.THEN))
        self.tool.configure(zoo={"columns": "secret, note"})
        result = self.tool.rotate()
        self.assertExit(1, result)
        self.assertEqual([f["column"] for f in result.findings], ["secret"])
        self.assertEqual(self.labels("zoo", "note"), {"k2025": 1})

    def deep(self, layers):
        value = zoo.plain("inner")
        for _ in range(layers + 1):
            value = self.ring.seal(value, "k2023", zoo.THEN).encode()
        return value.decode()

    def test_a_nested_value_is_counted_once(self):
        """Unwrapped, or too deep for that, so that the proof meets it."""
        for nested in "keep", "unwrap":
            for how in (), ("--thorough",):
                with self.subTest(nested=nested, how=how):
                    self.table("text")
                    for i, layers in enumerate((0, 1, 10)):
                        self.put(self.deep(layers), i)
                    self.tool.configure(zoo={"columns": "secret",
                                             "nested": nested})
                    for dry in ("--dry-run",), ():
                        result = self.tool.rotate(*how, *dry)
                        self.assertExit(1, result)
                        self.assertEqual(
                            result.column("secret")["counters"],
                            {"nested": 2})

    def test_unwrap_seals_what_is_innermost(self):
        inner = self.ring.seal(zoo.plain("inner"), "k2023", zoo.THEN)
        middle = self.ring.seal(inner.encode(), "k2024", zoo.THEN)
        self.put(self.ring.seal(middle.encode(), "k2023", zoo.THEN))
        self.tool.configure(zoo={"columns": "secret", "nested": "unwrap"})
        self.assertExit(0, self.tool.rotate())
        seen, = self.look().readings(self.ring).values()
        self.assertEqual((seen.value, seen.key), (zoo.plain("inner"), "k2025"))

    def test_unwrap_of_json_seals_what_is_innermost(self):
        self.table("jsonb")
        inner = oracle.wrap(self.ring.seal(b'{"a":1}', "k2023", zoo.THEN))
        self.put(oracle.wrap(self.ring.seal(inner.encode(), "k2024")))
        self.tool.configure(zoo={"columns": "secret", "nested": "unwrap"})
        self.assertExit(0, self.tool.rotate())
        seen, = self.look().readings(self.ring).values()
        self.assertEqual((seen.value, seen.key), (b'{"a":1}', "k2025"))


class Stored(Base):
    def test_a_finding_that_is_refused_at_commit_is_stored_once_more(self):
        self.put("in the clear")
        self.tool.configure(zoo={"columns": "secret"})
        self.assertExit(0, self.tool.run("init"))
        self.sql("CREATE SEQUENCE tries")
        self.sql("CREATE FUNCTION no() RETURNS trigger LANGUAGE plpgsql AS"
                 " $$ BEGIN IF nextval('public.tries') = 1 THEN"
                 " RAISE serialization_failure; END IF; RETURN NULL; END $$")
        self.sql("CREATE CONSTRAINT TRIGGER no AFTER INSERT ON pgrekey.finding"
                 " DEFERRABLE INITIALLY DEFERRED"
                 " FOR EACH ROW EXECUTE FUNCTION no()")
        result = self.tool.rotate()
        self.assertExit(1, result)
        self.assertEqual(self.listed(result), [(1, "raw")])
        self.assertEqual(self.value("SELECT last_value FROM tries"), 2)


class Vectors(Base):
    """The token vectors, each in an envelope of its own in the database."""

    def load(self, name):
        return json.loads((VECTORS / f"{name}.json").read_text())["vectors"]

    def rotate(self, vectors):
        """Plants each token, or whatever it is, under the label of its key."""
        keys = {}
        for vector in vectors:
            keys.setdefault(vector.get("key") or vector["keyring"][0],
                            f"old{len(keys)}")
        self.ring = oracle.Ring(
            {**{name: key for key, name in keys.items()},
             "new": self.ring.keys["k2025"]}, "new")
        self.tool.set_ring(self.ring)
        for i, vector in enumerate(vectors):
            name = keys[vector.get("key") or vector["keyring"][0]]
            token = (bytes.fromhex(vector["value_hex"])
                     if "value_hex" in vector else vector["token"].encode())
            self.put(oracle.envelope(name, token), i)
        self.tool.configure(zoo={"columns": "secret"})
        return self.look(), self.tool.rotate()

    def places(self, vectors, chosen):
        return {(str(i), "secret") for i, vector in enumerate(vectors)
                if chosen(vector)}

    def test_each_valid_token_is_rotated(self):
        before, result = self.rotate(self.load("fernet_valid"))
        self.assertRight(before, self.look())
        self.assertIn(result.status, (0, 1))  # one is nested

    def test_each_corrupt_token_stays(self):
        vectors = self.load("fernet_corrupt_authentic")
        before, result = self.rotate(vectors)
        self.assertExit(1, result)
        self.assertUntouched(before, self.look())
        self.assertEqual(len(self.listed(result)), len(vectors))

    def test_each_malformed_token_stays(self):
        """But for a token without its own base64: in an envelope it is the
        one layer that the documentation shows."""
        vectors = self.load("fernet_malformed")
        before, result = self.rotate(vectors)
        kept = self.places(vectors, lambda vector:
                           "raw binary token" not in vector["desc"])
        self.assertExit(1, result)
        self.assertRight(before, self.look(), kept)
        self.assertEqual(len(self.listed(result)), len(kept))

    def test_each_odd_spelling_is_spelled_anew_or_stays(self):
        vectors = self.load("fernet_noncanonical")
        before, result = self.rotate(vectors)
        kept = self.places(vectors, lambda vector:
                           not vector["lossless_to_rotate"])
        self.assertRight(before, self.look(), kept)
        self.assertEqual({(str(i), "secret")
                          for i, _ in self.listed(result)}, kept)


if __name__ == "__main__":
    unittest.main()
