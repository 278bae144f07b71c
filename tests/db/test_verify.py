"""verify opens every value, says what each is, and changes nothing."""
import collections
import re
import sys
import unittest
from datetime import datetime, timezone
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from lib import oracle, zoo  # noqa: E402
from lib.pgrekey import scaled  # noqa: E402
from lib.scene import Scene  # noqa: E402

FINE = ("null", "current")
ROWS = scaled(100_000, least=20_000)


LABEL = re.compile("enc:fernet:([^:]*):")


def moment(seconds):
    return datetime.fromtimestamp(seconds, timezone.utc).strftime(
        "%Y-%m-%dT%H:%M:%SZ")


def setUpModule():
    Scene.open()


class Base(Scene):
    def setUp(self):
        super().setUp()
        self.sql("CREATE TABLE t (id int PRIMARY KEY, secret text)")
        self.tool.configure(t={"columns": "secret"})

    def put(self, *stored):
        """Rows 1, 2, ... of the table, and no others."""
        self.sql("TRUNCATE t")
        for i, value in enumerate(stored, 1):
            self.sql("INSERT INTO t VALUES (%s, %s)", i, value)

    def old(self, key="k2023", text="old"):
        return self.ring.seal(zoo.plain(text), key, zoo.THEN)

    def current(self):
        return self.ring.seal(zoo.plain("current"))

    def hidden(self, key="k2023"):
        """Sealed by the primary, and inside by another key."""
        return self.ring.seal(self.old(key).encode())


class Verdicts(Base):
    def plant(self):
        self.sql("CREATE TABLE zoo (id int PRIMARY KEY, secret text,"
                 " j json, b jsonb)")
        text = list(zoo.whole(self.ring).values())
        json = list(zoo.as_json(self.ring).values())
        size = max(len(text), len(json))

        def padded(specimens):
            more = size - len(specimens)
            return specimens + [zoo.NULL["null"]] * more
        plan = zoo.Plan(secret=padded(text), j=padded(json), b=padded(json))
        plan.plant(self.admin, "zoo")
        self.tool.configure(zoo={"columns": "secret, j, b"})
        return plan

    def test_every_value_gets_its_verdict_and_each_finding_its_row(self):
        plan = self.plant()
        before = self.snapshot("zoo", "secret", "j", "b")
        result = self.tool.verify()
        self.assertExit(1, result)
        for name in plan.columns:
            column = result.column(name)
            self.assertEqual(column["verdicts"], plan.verdicts(name))
            self.assertEqual(column["scanned"], plan.length)
            found = sorted(
                (int(f["row"]["id"]), f["verdict"]) for f in result.findings
                if f["column"] == name)
            self.assertEqual(found, sorted(
                (i, specimen.verdict)
                for i, specimen in enumerate(plan.columns[name], 1)
                if specimen.verdict not in FINE))
        self.assertUntouched(before, self.snapshot("zoo", "secret", "j", "b"))

    def test_keys_and_token_times_are_those_the_oracle_reads(self):
        plan = self.plant()
        result = self.tool.verify()
        times = collections.defaultdict(list)
        count = collections.Counter()
        for (row, name), seen in self.snapshot(
                "zoo", *plan.columns).readings(self.ring).items():
            stored = plan.columns[name][int(row) - 1].stored
            if seen.kind == "sealed":
                times[name, seen.key].append(seen.at)
                count[name, seen.key] += 1
            elif seen.kind == "unread":  # by its label, if it has one
                label = LABEL.search(stored)
                count.update([(name, label[1])] if label else [])
        for name in plan.columns:
            self.assertEqual(result.column(name)["keys"], {
                key: n for (column, key), n in count.items()
                if column == name})
            self.assertEqual(result.column(name)["times"], {
                key: {"oldest": moment(min(at)), "newest": moment(max(at))}
                for (column, key), at in times.items() if column == name})

    def test_the_epoch_is_a_time_like_any_other(self):
        self.put(*(self.ring.seal(zoo.plain("epoch"), at=at)
                   for at in (0, zoo.THEN)))
        self.assertEqual(self.tool.verify().column("secret")["times"], {
            "k2025": {"oldest": moment(0), "newest": moment(zoo.THEN)}})
        self.put(self.ring.seal(zoo.plain("epoch"), at=0))
        self.assertEqual(self.tool.verify().column("secret")["times"], {
            "k2025": {"oldest": moment(0), "newest": moment(0)}})

    def test_a_time_outside_of_the_calendar_is_null(self):
        for at in 2 ** 63 - 1, 2 ** 63, 2 ** 64 - 1:
            with self.subTest(at):
                self.put(self.ring.seal(zoo.plain("far"), at=at))
                self.assertEqual(self.tool.verify().column("secret")["times"], {
                    "k2025": {"oldest": None, "newest": None}})
                text = self.tool.run("verify").out
                self.assertIn("(? to ?)", text)

    def test_each_verdict_alone_decides_the_exit_status(self):
        zoos = zoo.whole(self.ring)
        one = {specimen.verdict: specimen for specimen in zoos.values()}
        self.assertEqual(len(one), 11, "a verdict has no specimen")
        for verdict, specimen in one.items():
            with self.subTest(verdict):
                self.put(self.current(), specimen.stored)
                result = self.tool.verify()
                self.assertExit(verdict not in FINE, result)
                self.assertEqual(
                    [f["verdict"] for f in result.findings],
                    [] if verdict in FINE else [verdict])

    def test_a_value_over_the_limit_is_a_finding(self):
        self.put(self.current(), "x" * 5000, None)
        self.tool.configure(t={"columns": "secret", "raw": "allow",
                               "max_value_bytes": 4000})
        result = self.tool.verify()
        self.assertExit(1, result)
        self.assertEqual(result.column("secret")["verdicts"],
                         {"null": 1, "current": 1, "oversize": 1})
        self.assertEqual(result.findings[0]["row"], {"id": "2"})

    def test_an_old_envelope_inside_a_current_one_is_a_finding(self):
        self.put(self.current(), self.hidden())
        result = self.tool.verify()
        self.assertExit(1, result)
        column = result.column("secret")
        self.assertEqual(column["counters"], {"nested": 1})
        self.assertEqual([f["row"] for f in result.findings], [{"id": "2"}])

    def test_a_label_that_lies_is_not_believed(self):
        self.put(oracle.envelope("k2025", self.ring.token(
            zoo.plain("liar"), "k2023", zoo.THEN)))
        result = self.tool.verify()
        self.assertExit(1, result)
        self.assertEqual(result.column("secret")["keys"], {"k2023": 1})

    def test_raw_values_pass_only_where_they_are_allowed(self):
        self.put(self.current(), f"{zoo.CANARY} raw")
        for policy, status in (("report", 1), ("encrypt", 1), ("allow", 0)):
            with self.subTest(policy):
                self.tool.configure(t={"columns": "secret", "raw": policy})
                self.assertExit(status, self.tool.verify())

    def test_after_rotate_it_says_clean(self):
        self.put(*(s.stored for s in zoo.good(self.ring).values()))
        self.assertExit(1, self.tool.verify())
        self.assertExit(0, self.tool.rotate())
        result = self.tool.verify()
        self.assertExit(0, result)
        self.assertTrue(result.report["complete"])


class Selection(Base):
    def test_what_is_missing_is_never_success(self):
        self.put(self.current())
        self.tool.configure(t={"columns": "secret, gone"})
        self.assertExit(2, self.tool.verify())
        self.tool.configure(gone={"columns": "secret"})
        self.assertExit(2, self.tool.verify())
        self.tool.configure(t={"columns": "secret"})
        self.assertExit(2, self.tool.verify("--only", "gone"))
        self.tool.configure()
        self.assertExit(2, self.tool.verify())

    def test_a_key_ring_without_its_primary_is_exit_3(self):
        self.tool.set_ring(self.ring.without("k2025"))
        self.assertExit(3, self.tool.verify())

    def test_a_database_that_does_not_answer_is_exit_4(self):
        self.tool.database = "nobody_made_it"
        self.assertExit(4, self.tool.verify())

    def test_only_reads_the_selected_table_and_says_so(self):
        self.put(self.current())
        self.sql("CREATE TABLE u (id int PRIMARY KEY, secret text)")
        self.sql("INSERT INTO u VALUES (1, %s)", self.old())
        self.tool.configure(t={"columns": "secret"}, u={"columns": "secret"})
        result = self.tool.verify("--only", "t")
        self.assertExit(0, result)
        self.assertEqual([t["label"] for t in result.report["tables"]], ["t"])
        self.assertTrue(result.report["partial"])
        self.assertIn("selected tables", self.tool.run(
            "verify", "--only", "t").out)
        self.assertExit(1, self.tool.verify())

    def test_a_condition_is_reported_with_the_table(self):
        self.put(self.current(), self.old())
        self.tool.configure(t={"columns": "secret", "where": "t.id = 1"})
        result = self.tool.verify()
        self.assertExit(0, result)
        self.assertEqual(result.report["tables"][0]["where"], "t.id = 1")
        self.assertEqual(result.column("secret")["scanned"], 1)
        self.assertIn("where", self.tool.run("verify").out)

    def test_partitions_and_children_belong_to_their_table(self):
        self.sql("CREATE TABLE p (id int, secret text) PARTITION BY"
                 " LIST (id)")
        for i in (1, 2, 3):
            self.sql(f"CREATE TABLE p{i} PARTITION OF p FOR VALUES IN ({i})")
            self.sql("INSERT INTO p VALUES (%s, %s)", i, self.current())
        self.sql("CREATE TABLE child () INHERITS (t)")
        self.sql("INSERT INTO child VALUES (7, %s)", self.current())
        self.tool.configure(t={"columns": "secret"}, p={"columns": "secret"})
        self.assertExit(0, self.tool.verify())
        self.sql("UPDATE p SET secret = %s WHERE id = 3", self.old())
        self.sql("UPDATE child SET secret = %s", self.old())
        result = self.tool.verify()
        self.assertExit(1, result)
        self.assertEqual(sorted((f["table"], str(f["row"]))
                                for f in result.findings),
                         [("public.child", "{'ctid': '(0,2)'}"),
                          ("public.p3", "{'ctid': '(0,2)'}")])
        self.assertEqual(result.column("secret", "p")["scanned"], 3)

    def test_a_dropped_column_and_odd_names_do_not_confuse_it(self):
        self.sql('CREATE TABLE "Odd "" name" (gone int, "a b""c" text,'
                 ' "the id" int PRIMARY KEY)')
        self.sql('ALTER TABLE "Odd "" name" DROP COLUMN gone')
        self.sql('INSERT INTO "Odd "" name" VALUES (%s, 4)', self.old())
        self.tool.configure(odd={"name": 'public."Odd "" name"',
                                 "columns": '"a b""c"'})
        result = self.tool.verify()
        self.assertExit(1, result)
        self.assertEqual(result.findings[0]["row"], {"the id": "4"})


class Large(Base):
    """Several block ranges, several readers."""

    def fill(self, old=()):
        envelopes = [self.current() for _ in range(50)]
        self.sql("DROP TABLE t; CREATE TABLE t (id int PRIMARY KEY,"
                 " secret text, filler text)")
        zoo.copy_rows(
            self.admin, "t", ["id", "secret", "filler"],
            ((i, self.old() if i in old else envelopes[i % 50], "x" * 700)
             for i in range(1, ROWS + 1)))
        ranges = self.value("SELECT pg_relation_size('t') / 8192 / 4096.0")
        if ROWS == 100_000:
            self.assertGreater(ranges, 2, "fewer ranges than asked for")

    def test_one_old_value_is_found_wherever_it_is(self):
        self.fill()
        for workers in (1, 4):
            result = self.tool.verify("--workers", workers)
            self.assertExit(0, result)
            self.assertEqual(result.column("secret")["verdicts"],
                             {"current": ROWS})
        for row in (1, ROWS // 2, ROWS):
            with self.subTest(row):
                self.fill({row})
                result = self.tool.verify()
                self.assertExit(1, result)
                self.assertEqual(result.column("secret")["verdicts"],
                                 {"current": ROWS - 1, "old": 1})
                self.assertEqual(result.report["findings"]["total"], 1)
                found, = result.findings
                self.assertEqual(
                    (found["table"], found["column"], found["row"],
                     found["verdict"]),
                    ("public.t", "secret", {"id": str(row)}, "old"))
                result = self.tool.verify("--retire", "k2023")
                self.assertExit(1, result)
                self.assertEqual(result.report["retire"], {"k2023": 1})

    def test_a_sample_reads_a_part_and_proves_nothing(self):
        self.fill()
        result = self.tool.verify("--sample", 10)
        self.assertExit(6, result)
        self.assertEqual(result.report["scope"], "sample")
        self.assertFalse(result.report["complete"])
        self.assertGreater(result.column("secret")["scanned"], ROWS / 50)
        self.assertLess(result.column("secret")["scanned"], ROWS / 2)


class Retire(Base):
    def retire(self, *keys, **more):
        return self.tool.verify(
            *(word for key in keys for word in ("--retire", key)), **more)

    def test_a_key_that_no_value_needs_may_go(self):
        self.put(self.current(), self.old("k2024"), None)
        result = self.retire("k2023")
        self.assertExit(0, result)
        self.assertEqual(result.report["retire"], {"k2023": 0})
        self.assertEqual(result.report["unread"], 0)

    def test_each_key_asked_about_has_its_own_count(self):
        self.put(*[self.old("k2023")] * 2, *[self.old("k2024")] * 3)
        result = self.retire("k2023", "k2024")
        self.assertExit(1, result)
        self.assertEqual(result.report["retire"], {"k2023": 2, "k2024": 3})

    def test_a_needed_key_is_found_under_whatever_label(self):
        token = self.ring.token(zoo.plain("liar"), "k2023", zoo.THEN)
        for label in ("k2025", "k2024", zoo.LOST):
            with self.subTest(label):
                self.put(self.current(), oracle.envelope(label, token))
                result = self.retire("k2023")
                self.assertExit(1, result)
                self.assertEqual(result.report["retire"], {"k2023": 1})
                self.assertEqual(result.findings[0]["row"], {"id": "2"})

    def test_a_needed_key_is_found_at_any_depth(self):
        deeper = self.ring.seal(self.hidden().encode(), "k2024", zoo.THEN)
        for stored in (self.hidden(), deeper,
                       oracle.marked(self.old().encode())):
            self.put(stored)
            result = self.retire("k2023")
            self.assertExit(1, result)
            self.assertEqual(result.report["retire"], {"k2023": 1})

    def test_an_inner_json_envelope_needs_its_key_too(self):
        self.sql("ALTER TABLE t ADD j jsonb")
        self.sql("INSERT INTO t VALUES (1, NULL, %s)", oracle.wrap(
            self.ring.seal(oracle.wrap(self.old()).encode())))
        self.tool.configure(t={"columns": "j"})
        result = self.retire("k2023")
        self.assertExit(1, result)
        self.assertEqual(result.report["retire"], {"k2023": 1})

    def test_what_cannot_be_read_may_be_under_any_key(self):
        for name, specimen in {**zoo.bad(self.ring),
                               **zoo.foreign(self.ring)}.items():
            with self.subTest(name):
                self.put(self.current(), specimen.stored)
                result = self.retire("k2024")
                self.assertExit(1, result)
                self.assertEqual(result.report["retire"], {"k2024": 0})
                self.assertEqual(result.report["unread"], 1)
                self.assertEqual(result.findings[0]["row"], {"id": "2"})

    def test_plain_values_need_no_key(self):
        self.put(f"{zoo.CANARY} raw", oracle.marked(zoo.plain("marked")))
        self.assertExit(0, self.retire("k2023"))

    def test_it_says_what_it_cannot_see(self):
        self.put(self.current())
        text = self.tool.run("verify", "--retire", "k2023").out
        for word in ("k2023", "backups", "WAL", "replicas", "dead rows",
                     "not configured", "writer"):
            self.assertIn(word, text)

    def test_questions_that_have_no_answer_are_refused(self):
        self.put(self.current())
        self.assertExit(3, self.retire("k1990"))
        self.assertExit(2, self.retire("k2025"))
        result = self.retire("k2023,k2023")
        self.assertExit(2, result)
        self.assertIn("twice", result.err)
        self.tool.configure(t={"columns": "secret", "where": "true"})
        self.assertExit(2, self.retire("k2023"))

    def test_a_table_that_is_left_out_may_need_it(self):
        self.put(self.current())
        self.sql("CREATE TABLE other (id int, secret text)")
        self.sql("INSERT INTO other VALUES (1, %s)", self.old())
        self.tool.configure(t={"columns": "secret"},
                            other={"columns": "secret"})
        result = self.tool.verify("--retire", "k2023", "--only", "t")
        self.assertExit(2, result)
        self.assertIn("all tables", result.err)

    def test_back_in_plaintext_the_primary_can_be_retired_too(self):
        self.put(self.current())
        self.tool.configure(keys={"method": "plaintext"},
                            t={"columns": "secret"})
        self.assertExit(1, self.retire("k2025"))
        self.assertExit(0, self.tool.rotate())
        self.assertExit(0, self.retire("k2025"))


class NoProof(Base):
    """Faster looks find what is wrong, and never say that all is well."""

    HOW = {"labels only": ("--quick",), "sample": ("--sample", "100"),
           "snapshot per range": ("--snapshot", "range")}

    def test_they_end_with_6_at_best_and_with_1_at_an_old_value(self):
        for scope, how in self.HOW.items():
            with self.subTest(scope):
                self.put(self.current(), None)
                result = self.tool.verify(*how)
                self.assertExit(6, result)
                self.assertEqual(result.report["scope"], scope)
                self.assertFalse(result.report["complete"])
                self.assertEqual(result.column("secret")["verdicts"],
                                 {"current": 1, "null": 1})
                self.assertIn("inconclusive",
                              self.tool.run("verify", *how).out)
                self.put(self.current(), self.old())
                result = self.tool.verify(*how)
                self.assertExit(1, result)
                self.assertEqual(result.column("secret")["verdicts"],
                                 {"current": 1, "old": 1})

    def test_neither_do_they_retire_a_key(self):
        self.put(self.current())
        for scope in ("sample", "snapshot per range"):
            self.assertExit(6, self.tool.verify(
                "--retire", "k2023", *self.HOW[scope]))
        self.assertExit(2, self.tool.verify("--retire", "k2023", "--quick"))
        self.assertExit(2, self.tool.verify("--quick", "--sample", "1"))

    def test_quick_counts_labels_without_opening_them(self):
        self.put(oracle.envelope("k2025", self.ring.token(
            zoo.plain("liar"), "k2023")), self.old(), self.old("k2024"),
            oracle.marked(b"x"), "raw", "enc:tink:QUJD")
        result = self.tool.verify("--quick")
        self.assertExit(1, result)
        self.assertEqual(result.column("secret")["keys"],
                         {"k2023": 1, "k2024": 1, "k2025": 1})
        self.assertEqual(result.report["findings"]["total"], 5)
        self.sql("DELETE FROM t WHERE id > 1")
        self.assertExit(6, self.tool.verify("--quick"))


class Role(Base):
    """The least that a role needs, and what the server refuses it."""

    def setUp(self):
        super().setUp()
        self.reader = self.role()
        self.sql("ALTER TABLE t ADD other text")
        self.put(self.current(), self.old())

    def test_select_on_ctid_identity_and_secret_columns_is_enough(self):
        self.sql(f"GRANT SELECT (ctid, id, secret) ON t TO {self.reader}")
        result = self.tool.verify()
        self.assertExit(1, result)
        self.assertEqual(result.findings[0]["row"], {"id": "2"})
        self.assertExit(0, self.tool.verify("--retire", "k2024"))
        self.assertExit(1, self.tool.verify("--quick"))
        self.assertExit(1, self.tool.verify("--sample", "100"))
        self.sql("DELETE FROM t WHERE id = 2")
        self.assertExit(0, self.tool.verify())

    def test_without_one_of_them_it_fails_and_says_the_grant(self):
        every = {"ctid", "id", "secret"}
        for column in every:
            with self.subTest(column):
                self.sql(f"REVOKE ALL ON t FROM {self.reader}")
                self.sql(f"GRANT SELECT ({', '.join(every - {column})}) ON t"
                         f" TO {self.reader}")
                result = self.tool.verify()
                self.assertExit(4, result)
                self.assertIn("GRANT SELECT", result.err)
                self.assertIn(column, result.err)

    def test_row_security_is_an_error_and_hides_nothing(self):
        self.sql(f"GRANT SELECT ON t TO {self.reader}")
        self.sql("ALTER TABLE t ENABLE ROW LEVEL SECURITY")
        self.sql("CREATE POLICY p ON t USING (id = 1)")
        self.assertIn(self.tool.verify().status, (2, 4))

    def test_the_server_refuses_it_any_write(self):
        self.tool.user = "postgres"
        self.sql("CREATE TABLE written (id int)")
        self.sql("CREATE FUNCTION spoil() RETURNS boolean LANGUAGE sql AS"
                 " 'INSERT INTO public.written VALUES (1); SELECT true'")
        self.tool.configure(t={"columns": "secret",
                               "where": "public.spoil()"})
        for how in ((), ("--quick",), ("--sample", "100"),
                    ("--snapshot", "range")):
            result = self.tool.verify(*how)
            self.assertExit(4, result)
            self.assertIn("25006", result.err)
        self.assertEqual(self.value("SELECT count(*) FROM written"), 0)

    def test_every_value_is_read_in_a_read_only_transaction(self):
        self.tool.user = "postgres"
        self.tool.configure(t={"columns": "secret", "where":
            "current_setting('transaction_read_only') = 'on' AND"
            " current_setting('transaction_isolation') = 'repeatable read'"})
        for how in ((), ("--quick",), ("--snapshot", "range")):
            result = self.tool.verify(*how)
            self.assertEqual(result.column("secret")["scanned"], 2, how)


if __name__ == "__main__":
    unittest.main()
