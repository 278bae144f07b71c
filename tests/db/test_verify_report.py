"""verify's answer for people, for programs and for CI systems."""
import json
import sys
import unittest
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from lib import junit, zoo  # noqa: E402
from lib.pgrekey import ROOT  # noqa: E402
from lib.scene import Scene  # noqa: E402
from lib.schema import Schema  # noqa: E402

SCHEMA = Schema(json.loads((ROOT / "docs/report.schema.json").read_text()))
OPENS = "every value opens"
SEALED = "every value is sealed by the primary"
PROOF = ("verify", "one snapshot shows all of it")


def setUpModule():
    Scene.open()


class Base(Scene):
    def setUp(self):
        super().setUp()
        self.sql("CREATE TABLE t (id text PRIMARY KEY, secret text)")
        self.tool.configure(t={"columns": "secret"})

    def put(self, *stored):
        self.sql("TRUNCATE t")
        for i, value in enumerate(stored, 1):
            self.sql("INSERT INTO t VALUES (%s, %s)", str(i), value)

    def old(self):
        return self.ring.seal(zoo.plain("old"), "k2023", zoo.THEN)

    def current(self):
        return self.ring.seal(zoo.plain("current"))

    def hidden(self):
        return self.ring.seal(self.old().encode())

    def junit(self, *arguments):
        result = self.tool.run("verify", "--output", "junit", *arguments)
        root = junit.parse(result.out)
        self.assertEqual(list(junit.errors(root)), [])
        return result.status, junit.failures(root), root


class Json(Base):
    def assertConforms(self, result):
        errors = SCHEMA.errors(result.report)
        self.assertEqual(errors, [], "\n".join(errors))
        self.assertEqual(result.report["exit"], result.status)
        for column in result.columns().values():
            self.assertEqual(sum(column["verdicts"].values()),
                             column["scanned"])

    def test_every_report_is_as_the_schema_says(self):
        self.put(*(s.stored for s in zoo.whole(self.ring).values()))
        for how in ((), ("--retire", "k2023"), ("--quick",),
                    ("--sample", "12.5"), ("--snapshot", "range"),
                    ("--only", "t"), ("--max-findings", "0"), ("--discover",),
                    ("--max-runtime", "1ms")):
            with self.subTest(how):
                self.assertConforms(self.tool.verify(*how))
        self.tool.configure(t={"columns": "secret", "where": "true"})
        self.assertConforms(self.tool.verify())

    def test_so_is_one_beside_a_writer(self):
        writer = self.connect(autocommit=False)
        writer.cursor().execute("INSERT INTO t VALUES (0, NULL)")
        result = self.tool.verify("--wait", "0ms")
        self.assertConforms(result)
        self.assertIn("writers", result.report)

    def test_rotate_reports_are_as_the_schema_says(self):
        self.put(*(s.stored for s in zoo.whole(self.ring).values()))
        for how in (("--dry-run",), ("--max-runtime", "1ms"), ("--only", "t"),
                    (), ()):
            with self.subTest(how):
                self.assertConforms(self.tool.rotate(*how))

    def test_findings_are_capped_and_the_total_is_true(self):
        self.put(*[self.old()] * 30)
        result = self.tool.verify("--max-findings", 7)
        self.assertExit(1, result)
        self.assertEqual(result.report["findings"]["total"], 30)
        self.assertEqual(len(result.findings), 7)
        self.assertIn("30 values", self.tool.run(
            "verify", "--max-findings", 7).out)

    def test_json_is_all_there_is_on_stdout(self):
        self.put(self.old())
        json.loads(self.tool.verify("--verbose").out)


class Key(Base):
    """Rows are named by their key, unless that would show a value."""

    HOW = ((), ("--output", "json"), ("--output", "junit"))

    def plain(self, kind=""):
        text = zoo.plain("in the key").decode()
        self.sql("DROP TABLE t")
        self.sql("CREATE TABLE t (id int, secret text, copy text " + kind
                 + ", PRIMARY KEY (id, "
                 + ("copy" if kind else "secret") + "))")
        self.sql("INSERT INTO t VALUES (1, %s)", text)

    def assertByPlace(self):
        for how in self.HOW:
            result = self.tool.run("verify", *how)
            self.assertExit(1, result)
            self.assertIn("(0,1)", result.out)

    def test_a_configured_column_in_the_key_is_shown_nowhere(self):
        self.plain()
        self.assertByPlace()

    def test_nor_is_one_that_is_generated(self):
        self.plain("GENERATED ALWAYS AS (lower(secret)) STORED")
        self.assertByPlace()

    def test_the_rest_of_such_a_key_is_not_asked_for(self):
        self.plain()
        self.sql(f"GRANT SELECT (ctid, secret) ON t TO {self.role()}")
        self.assertByPlace()


class JUnit(Base):
    """Green if and only if the exit status is 0."""

    def test_all_is_well(self):
        self.put(self.current(), None)
        status, failures, root = self.junit()
        self.assertEqual((status, failures), (0, {}))
        self.assertEqual(
            {(case.get("classname"), case.get("name"))
             for case in root.iter("testcase")},
            {("public.t", f"secret: {OPENS}"),
             ("public.t", f"secret: {SEALED}"), PROOF})

    def test_the_check_that_fails_names_the_rows(self):
        for stored, check, word in (
                (self.old(), SEALED, "old"),
                (self.hidden(), SEALED, "another key"),
                ("raw", SEALED, "raw"),
                ("enc:fernet:k2023:AAAA", OPENS, "malformed"),
                ("enc:tink:QUJD", OPENS, "unsupported")):
            with self.subTest(word):
                self.put(self.current(), stored)
                status, failures, _ = self.junit()
                self.assertEqual(status, 1)
                (place, (message, text)), = failures.items()
                self.assertEqual(place, ("public.t", f"secret: {check}"))
                self.assertIn("1 ", message)
                self.assertIn('"2"', text)
                self.assertIn(word, text)

    def test_it_is_green_exactly_when_the_exit_status_is_0(self):
        for specimen in [*zoo.whole(self.ring).values(),
                         zoo.Specimen(self.hidden(), "current", True)]:
            self.put(specimen.stored)
            for how in ((), ("--quick",), ("--retire", "k2023"),
                        ("--retire", "k2024", "--sample", "100")):
                status, failures, _ = self.junit(*how)
                self.assertEqual(not failures, status == 0,
                                 (specimen.verdict, how, failures))

    def test_a_column_shows_its_own_rows_only(self):
        self.sql("CREATE TABLE u (id text PRIMARY KEY, secret text)")
        self.sql("INSERT INTO u VALUES ('of u', %s)", self.old())
        self.put(self.old())
        self.tool.configure(t={"columns": "secret"}, u={"columns": "secret"})
        _, failures, _ = self.junit()
        self.assertIn("of u", failures["public.u", f"secret: {SEALED}"][1])
        self.assertNotIn("of u", failures["public.t", f"secret: {SEALED}"][1])

    def test_a_key_has_a_case_of_its_own(self):
        self.put(self.old())
        for key, needed in (("k2023", True), ("k2024", False)):
            status, failures, _ = self.junit("--retire", key)
            self.assertEqual(status, int(needed))
            self.assertEqual(list(failures), [
                ("keys", f"key {key} is unused")] if needed else [])

    def test_the_case_of_a_key_names_the_rows_that_need_it(self):
        lost = self.ring.with_primary("k1999").seal(zoo.plain("lost"))
        other = self.ring.seal(zoo.plain("other"), "k2024", zoo.THEN)
        self.put(self.current(), self.old(), other, self.hidden(), lost)
        status, failures, root = self.junit(
            "--retire", "k2023", "--retire", "k2024")
        self.assertEqual(status, 1)
        rows = {place[1]: sorted(text.splitlines())
                for place, (_, text) in failures.items()}
        unread = "unknown_key, its key is not in the keyring"
        self.assertEqual(rows, {
            f"secret: {OPENS}": [f'public.t {{"id" : "5"}}: {unread}'],
            "key k2023 is unused": [
                'public.t secret {"id" : "2"}: old',
                'public.t secret {"id" : "4"}: current, holds an'
                ' envelope of another key',
                f'public.t secret {{"id" : "5"}}: {unread}'],
            "key k2024 is unused": [
                'public.t secret {"id" : "3"}: old',
                f'public.t secret {{"id" : "5"}}: {unread}']})
        text = "".join(root.itertext())
        for what, pattern in self.tool.secrets().items():
            self.assertNotRegex(text, pattern, what)

    def test_whether_a_key_may_go_does_not_ask_for_the_primary(self):
        """Not asked is not well: that case is skipped, and it is there."""
        self.put("raw")
        status, failures, root = self.junit("--retire", "k2023")
        self.assertEqual((status, failures), (0, {}))
        skipped = {case.get("name"): case.find("skipped").get("message")
                   for case in root.iter("testcase")
                   if case.find("skipped") is not None}
        self.assertEqual(skipped, {
            f"secret: {SEALED}": "verify --retire does not ask for it"})
        self.assertEqual(
            [case.get("name") for case in root.iter("testcase")],
            [f"secret: {OPENS}", f"secret: {SEALED}",
             "key k2023 is unused", PROOF[1]])

    def test_what_is_no_proof_is_not_green(self):
        self.put(self.current())
        for how in (("--quick",), ("--sample", "100"),
                    ("--snapshot", "range")):
            status, failures, _ = self.junit(*how)
            self.assertEqual(status, 6)
            self.assertIn(PROOF, failures)

    def test_names_that_xml_cannot_hold_are_harmless(self):
        name = '<&">\'\x01\ufffe\uffff]]>\u0085'
        quoted = '"' + name.replace('"', '""') + '"'
        self.sql(f"CREATE TABLE {quoted} () INHERITS (t)")
        self.sql(f"INSERT INTO {quoted} VALUES (%s, %s)", name, self.old())
        status, failures, _ = self.junit()
        self.assertEqual(status, 1)
        _, text = failures["public.t", f"secret: {SEALED}"]
        self.assertEqual(len(text.strip().split("\n")), 1)
        self.sql(f"ALTER TABLE {quoted} NO INHERIT t")
        status, failures, _ = self.junit("--discover")
        self.assertEqual(status, 1)
        self.assertEqual([place[0] for place in failures], ["discover"])


class Text(Base):
    def test_it_has_verdicts_keys_and_the_span_of_their_tokens(self):
        self.put(self.old(), self.current(), "raw")
        text = self.tool.run("verify").out
        for word in ("public.t", "secret", "3 values", "current 1", "old 1",
                     "raw 1", "k2023 1 (2020-09-13", "not clean",
                     "one snapshot", '"1"'):
            self.assertIn(word, text)

    def test_it_says_yes_or_no_about_a_key(self):
        self.put(self.old())
        self.assertIn("key k2023: 1 value needs it",
                      self.tool.run("verify", "--retire", "k2023").out)
        self.assertIn("key k2024: no value that was read needs it",
                      self.tool.run("verify", "--retire", "k2024").out)

    def test_quiet_says_nothing_when_all_is_well(self):
        self.put(self.current())
        result = self.tool.run("verify", "--quiet")
        self.assertEqual((result.status, result.out, result.err), (0, "", ""))


if __name__ == "__main__":
    unittest.main()
