"""jsonb: a sealed envelope crosses the line as the string inside its object,
everything else as its text, and what is compared is what crossed."""
import hashlib
import json
import signal
import sys
import unittest
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from lib import oracle, zoo  # noqa: E402
from lib.oracle import MEMBER  # noqa: E402
from lib.scene import Scene  # noqa: E402

ODD = ('"', "\\", 'a "quoted" \\ path', "\u00e9\u20ac\U0001f600", "\n\t\x7f",
       "\\u0041", "{}", "'; DROP TABLE t; --", '", "x": "')


def setUpModule():
    # A batch's time limit follows the server's patience with deadlocks.
    Scene.open(deadlock_timeout="5s")


class Base(Scene):
    def setUp(self):
        super().setUp()
        self.sql("CREATE TABLE t (id int PRIMARY KEY, secret jsonb)")

    def fill(self, values, **options):
        self.admin.cursor().executemany(
            "INSERT INTO t VALUES (%s, %s)", list(enumerate(values)))
        self.sql("ANALYZE t")
        self.tool.configure(t={"columns": "secret", **options})
        return self.look()

    def sealed(self, i, key="k2023"):
        return self.ring.seal(zoo.plain(str(i)), key, zoo.THEN + i)

    def look(self):
        return self.snapshot("t", "secret")


class LiveValues(Base):
    """Between the program's read and its write, the application acts; and
    what it leaves is in the very place of what was read."""
    ROWS = 24  # one page, and a batch is two of them

    def race(self, change):
        """While the program is frozen, each row that it has read and not yet
        written becomes change(n, id), n counting from 0. Returns the stored
        text of those by id."""
        self.sql("CREATE FUNCTION slow() RETURNS trigger LANGUAGE plpgsql AS"
                 " $$BEGIN PERFORM pg_sleep(0.05); RETURN NEW; END$$")
        self.sql("CREATE TRIGGER slow BEFORE UPDATE ON t FOR EACH ROW"
                 " EXECUTE FUNCTION slow()")
        read = dict(self.sql("SELECT id, ctid::text FROM t"))
        self.tool.sections["rotate"] = {"workers": 1, "batch_rows": 2}
        run = self.start()
        self.until(lambda: self.written(read) or not run.running(),
                   "the first batch is written")
        self.freeze(run)
        left = [i for i in read if i not in self.written(read)]
        with self.connect(autocommit=False) as application:
            self.replace(application.cursor(), {
                i: change(n, i) for n, i in enumerate(left)})
        self.assertEqual(self.written(read) & set(left), set(), "no hazard")
        live = dict(self.sql("SELECT id::text, secret::text FROM t"
                             " WHERE id = ANY(%s)", left))
        run.send(signal.SIGCONT)
        return live, run.finish()

    def written(self, read):
        """The rows that are no longer where they were."""
        now = dict(self.sql("SELECT id, ctid::text FROM t"))
        return {i for i, place in read.items() if now[i] != place}

    def replace(self, cursor, fresh):
        """Stores the rows of the first page anew, each in its place."""
        cursor.execute("SELECT ctid::text, id, secret::text FROM t")
        rows = {place: (i, fresh.get(i, secret))
                for place, i, secret in cursor}
        last = max(int(place[3:-1]) for place in rows
                   if place.startswith("(0,"))
        cursor.execute("TRUNCATE t")
        for n in range(1, last + 1):
            cursor.execute("INSERT INTO t VALUES (%s, %s)",
                           rows.pop(f"(0,{n})", (-n, None)))
        for row in rows.values():
            cursor.execute("INSERT INTO t VALUES (%s, %s)", row)
        cursor.execute("DELETE FROM t WHERE id < 0")

    def changes(self, old):
        """What is almost this envelope, and not to be rewritten."""
        return (
            json.dumps({MEMBER: old, "x": 1}),
            json.dumps({MEMBER: old, "": None}),
            json.dumps({MEMBER: old, MEMBER + "2": old}),
            json.dumps({MEMBER + "2": old}),
            json.dumps({MEMBER: [old]}),
            json.dumps({MEMBER: {MEMBER: old}}),
            json.dumps({MEMBER: 1}),
            json.dumps({}),
            json.dumps([{MEMBER: old}]),
            json.dumps([MEMBER]),
            json.dumps([MEMBER, old]),
            json.dumps(old),
            json.dumps(oracle.wrap(old)),
            "1", "null", None,
            oracle.wrap(self.ring.seal(b'"live"')),
        )

    def test_whatever_became_of_an_envelope_meanwhile_is_kept(self):
        old = [self.sealed(i) for i in range(self.ROWS)]
        kinds = len(self.changes(old[0]))
        before = self.fill(map(oracle.wrap, old))
        live, result = self.race(
            lambda n, i: self.changes(old[i])[n % kinds])
        self.assertGreaterEqual(len(live), kinds, "some did not occur")
        self.assertExit(1, result)  # most of them are raw now
        after = self.look()
        for i, text in live.items():
            self.assertEqual(after.rows[i].values, (text,), i)
            before.rows[i] = after.rows[i]
        self.assertRight(before, after, {(i, "secret") for i in live})

    RAW = ('{"n": 1.0}', "[1, 2.50]", '"a"', "1.0", '{"a": {"b": 1}}')

    def look_alikes(self, i):
        """Equal to the raw value of row i for somebody who is careless."""
        text = self.RAW[i % len(self.RAW)]
        digest = "sha256:" + hashlib.sha256(text.encode()).hexdigest()
        return {
            0: ('{"n": 1}', '{"n": 1.00}', '{"n": 10e-1}'),
            1: ("[1.0, 2.5]", "[1, 2.5]", "[[1, 2.50]]"),
            2: ('"A"', '["a"]', '"a "'),
            3: ("1", "1.00", '"1.0"'),
            4: ('{"a": {"b": 1.0}}', '{"a": {"b": 1, "c": 2}}', '{"a": {}}'),
        }[i % len(self.RAW)] + (
            oracle.wrap(text), oracle.wrap(digest), json.dumps(digest))

    def test_a_raw_value_spelled_otherwise_meanwhile_is_what_is_sealed(self):
        before = self.fill((self.RAW[i % len(self.RAW)]
                            for i in range(self.ROWS)), raw="encrypt")
        live, result = self.race(
            lambda n, i: self.look_alikes(i)[i // len(self.RAW) % 6])
        self.assertGreater(len(live), self.ROWS // 2)
        self.assertExit(0, result)
        readings = self.look().readings(self.ring)
        for (i, _), seen in readings.items():
            text = live.get(i, before.rows[i].values[0])
            self.assertEqual((seen.kind, seen.label), ("sealed", "k2025"))
            self.assertEqual(seen.value, text.encode(), i)


class Values(Base):
    def test_strings_that_look_like_escapes_rotate_to_the_same(self):
        before = self.fill(
            [oracle.wrap(self.ring.seal(json.dumps(odd, ensure_ascii=ascii)
                                        .encode(), "k2023", zoo.THEN))
             for odd in ODD for ascii in (True, False)])
        self.assertExit(0, self.tool.rotate())
        self.assertRight(before, self.look())

    def test_raw_values_with_escapes_are_sealed_as_they_are_printed(self):
        values = [json.dumps(shape(odd)) for odd in ODD for shape in (
            str, lambda s: [s], lambda s: {s: s}, lambda s: {MEMBER: s},
            lambda s: {MEMBER: s, s: 1})]
        before = self.fill([*values, "null", "0", "[]", "{}", "-1.50", None],
                           raw="encrypt")
        self.assertExit(0, self.tool.rotate())
        after = self.look()
        self.assertRight(before, after)
        for place, seen in after.readings(self.ring).items():
            text = before.rows[place[0]].values[0]
            self.assertEqual(seen.value, text and text.encode())

    def test_envelopes_that_nobody_can_read_are_kept_escapes_and_all(self):
        strings = ["enc:fernet:", "enc:fernet:k2023:", "enc:tink:x", *(
            "enc:fernet:k2023:" + odd for odd in ODD)]
        before = self.fill(map(oracle.wrap, strings))
        result = self.tool.rotate()
        self.assertExit(1, result)
        self.assertUntouched(before, self.look())
        verdicts = result.column("secret")["verdicts"]
        self.assertEqual({name: n for name, n in verdicts.items() if n},
                         {"malformed": len(strings) - 1, "unsupported": 1})

    def test_key_ids_with_quotes_and_backslashes_are_put_into_json(self):
        ring = oracle.Ring.fresh('old "1"', "old\\u0041", 'new\\"',
                                 primary='new\\"')
        self.ring = ring
        self.tool.set_ring(ring)
        before = self.fill(
            [oracle.wrap(ring.seal(b"[1]", key, zoo.THEN))
             for key in ring.keys for _ in range(20)])
        self.assertExit(0, self.tool.rotate())
        self.assertRight(before, self.look())
        self.assertEqual(self.tool.verify().status, 0)

    def test_an_object_with_another_member_is_no_envelope_under_any_key(self):
        before = self.fill(
            [json.dumps({MEMBER: self.sealed(1, key), name: 1})
             for key in ("k2023", "k2025") for name in ("a", "x" * 40)])
        result = self.tool.rotate()
        self.assertExit(1, result)
        self.assertUntouched(before, self.look())
        self.assertEqual(result.column("secret")["verdicts"]["raw"], 4)

    def test_values_that_live_out_of_line_rotate_too(self):
        self.sql("ALTER TABLE t ALTER secret SET STORAGE EXTERNAL")
        before = self.fill(
            [oracle.wrap(self.ring.seal(b"x" * 9000, "k2023", zoo.THEN))
             for _ in range(30)])
        self.assertExit(0, self.tool.rotate())
        self.assertRight(before, self.look())


class Triggers(Base):
    MEDDLERS = {
        "adds a member": "NEW.secret || '{\"x\": 1}'",
        "changes the string": f"jsonb_build_object('{MEMBER}',"
                              f" NEW.secret ->> '{MEMBER}' || '=')",
        "changes the case": f"jsonb_build_object('{MEMBER}',"
                            f" upper(NEW.secret ->> '{MEMBER}'))",
        "makes an array": "jsonb_build_array(NEW.secret)",
        "takes the object away": f"NEW.secret -> '{MEMBER}'",
        "empties it": "'{}'",
        "stores NULL": "NULL",
    }

    def test_a_trigger_that_changes_the_value_is_detected(self):
        values = [oracle.wrap(self.sealed(i)) for i in range(30)]
        for name, value in self.MEDDLERS.items():
            with self.subTest(name):
                self.sql("TRUNCATE t")
                before = self.fill(values)
                self.sql(
                    "CREATE OR REPLACE FUNCTION meddle() RETURNS trigger"
                    " LANGUAGE plpgsql AS $$BEGIN IF NEW.id = 25 THEN"
                    f" NEW.secret := {value}; END IF; RETURN NEW; END$$")
                self.sql("CREATE OR REPLACE TRIGGER meddle BEFORE UPDATE ON t"
                         " FOR EACH ROW EXECUTE FUNCTION meddle()")
                result = self.tool.rotate()
                self.assertExit(1, result)
                self.assertRight(before, self.look(), {("25", "secret")})
                [finding] = result.findings
                self.assertEqual(finding["row"], {"id": "25"})
                self.assertIn("a trigger changes it", finding["reason"])

    def test_a_trigger_that_stores_the_same_in_other_words_is_none(self):
        before = self.fill(oracle.wrap(self.sealed(i)) for i in range(30))
        self.sql("CREATE FUNCTION same() RETURNS trigger LANGUAGE plpgsql AS"
                 " $$BEGIN NEW.secret := (NEW.secret::text)::jsonb;"
                 " RETURN NEW; END$$")
        self.sql("CREATE TRIGGER same BEFORE UPDATE ON t FOR EACH ROW"
                 " EXECUTE FUNCTION same()")
        self.assertExit(0, self.tool.rotate())
        self.assertRight(before, self.look())


if __name__ == "__main__":
    unittest.main()
