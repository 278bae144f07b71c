"""What check refuses, rotate refuses, and the other way round."""
import sys
import unittest
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from lib import oracle, zoo  # noqa: E402
from lib.scene import Scene  # noqa: E402

FOREIGN = ("CREATE FOREIGN DATA WRAPPER nothing",
           "CREATE SERVER nowhere FOREIGN DATA WRAPPER nothing")
TABLE = "CREATE TABLE t (id int, secret text)"
KEYED = "CREATE TABLE t (id int PRIMARY KEY, n int, secret text)"
RESET = ("DROP SCHEMA public CASCADE", "CREATE SCHEMA public",
         "GRANT ALL ON SCHEMA public TO PUBLIC",
         "DROP FOREIGN DATA WRAPPER IF EXISTS nothing CASCADE",
         "DROP PUBLICATION IF EXISTS pub")

# name: what is done, rotate's exit status, the topic of the refusal.
TABLES = {
    "a view": (2, "relation", (
        "CREATE TABLE real (id int, secret text)",
        "CREATE VIEW t AS SELECT * FROM real")),
    "a materialized view": (2, "relation", (
        "CREATE MATERIALIZED VIEW t AS SELECT 'x'::text AS secret",)),
    "a foreign table": (2, "relation", (
        *FOREIGN, "CREATE FOREIGN TABLE t (secret text) SERVER nowhere")),
    "a foreign partition": (2, "relation", (
        *FOREIGN, f"{TABLE} PARTITION BY RANGE (id)",
        "CREATE FOREIGN TABLE f PARTITION OF t"
        " FOR VALUES FROM (0) TO (9) SERVER nowhere")),
    "no partition": (2, "relation", (f"{TABLE} PARTITION BY RANGE (id)",)),
    "a sequence": (2, "relation", ("CREATE SEQUENCE t",)),
    "a missing table": (2, "relation", ()),
    "a missing column": (2, "columns", ("CREATE TABLE t (id int)",)),
    "a generated column": (2, "columns", (
        "CREATE TABLE t (id int, secret text"
        " GENERATED ALWAYS AS (id::text) STORED)",)),
    "a column of the partition key": (2, "columns", (
        f"{TABLE} PARTITION BY HASH (secret)",
        "CREATE TABLE t1 PARTITION OF t"
        " FOR VALUES WITH (MODULUS 1, REMAINDER 0)")),
    "an expression of the partition key": (2, "columns", (
        f"{TABLE} PARTITION BY HASH (md5(secret))",
        "CREATE TABLE t1 PARTITION OF t"
        " FOR VALUES WITH (MODULUS 1, REMAINDER 0)")),
    "a column of the partition key two levels up": (2, "columns", (
        f"{TABLE} PARTITION BY HASH (secret)",
        "CREATE TABLE t1 PARTITION OF t FOR VALUES WITH (MODULUS 1,"
        " REMAINDER 0) PARTITION BY RANGE (id)",
        "CREATE TABLE t2 PARTITION OF t1 FOR VALUES FROM (0) TO (1000)")),
    "a column of the primary key": (2, "columns", (
        "CREATE TABLE t (id int, secret text PRIMARY KEY)",)),
    "a column that others refer to": (2, "columns", (
        "CREATE TABLE t (id int, secret text UNIQUE)",
        "CREATE TABLE child (secret text REFERENCES t (secret))")),
    "a column that refers to others": (2, "columns", (
        "CREATE TABLE parent (secret text UNIQUE)",
        "CREATE TABLE t (id int, secret text REFERENCES parent (secret))")),
    "bytea": (2, "columns", ("CREATE TABLE t (id int, secret bytea)",)),
    "an array": (2, "columns", ("CREATE TABLE t (id int, secret text[])",)),
    "a rule on update": (2, "rules", (
        TABLE, "CREATE RULE quiet AS ON UPDATE TO t DO INSTEAD NOTHING")),
    "no replica identity": (2, "publications", (
        TABLE, "CREATE PUBLICATION pub FOR TABLE t")),
    "no replica identity, of a partition": (2, "publications", (
        f"{TABLE} PARTITION BY RANGE (id)",
        "CREATE TABLE t1 PARTITION OF t FOR VALUES FROM (0) TO (1000)",
        "CREATE PUBLICATION pub FOR TABLE t")),
    "no replica identity, of a schema": (2, "publications", (
        TABLE, "CREATE PUBLICATION pub FOR TABLES IN SCHEMA public")),
    "no replica identity, of all tables": (2, "publications", (
        TABLE, "ALTER TABLE t REPLICA IDENTITY NOTHING",
        "CREATE PUBLICATION pub FOR ALL TABLES")),
    "a row filter over more than the identity": (2, "publications", (
        KEYED, "CREATE PUBLICATION pub FOR TABLE t WHERE (n > 5)")),
    "a row filter over the column": (2, "publications", (
        KEYED, "CREATE PUBLICATION pub FOR TABLE t WHERE (id > 5 AND"
        " secret <> '')")),
    "a row filter of the root": (2, "publications", (
        f"{KEYED} PARTITION BY RANGE (id)",
        "CREATE TABLE t1 (n int, secret text, id int PRIMARY KEY)",
        "ALTER TABLE t ATTACH PARTITION t1 FOR VALUES FROM (0) TO (1000)",
        "CREATE PUBLICATION pub FOR TABLE t WHERE (n > 5)"
        " WITH (publish_via_partition_root)")),
    "a column list without the identity": (2, "publications", (
        KEYED, "CREATE PUBLICATION pub FOR TABLE t (secret)")),
    "a column list beside full identity": (2, "publications", (
        KEYED, "ALTER TABLE t REPLICA IDENTITY FULL",
        "CREATE PUBLICATION pub FOR TABLE t (id, n, secret)")),
}

# What looks like it, and is fine.
FINE = {
    "a table": (TABLE,),
    "a rule on insert": (
        TABLE, "CREATE RULE quiet AS ON DELETE TO t DO INSTEAD NOTHING"),
    "a rule that is disabled": (
        TABLE, "CREATE RULE quiet AS ON UPDATE TO t DO INSTEAD NOTHING",
        "ALTER TABLE t DISABLE RULE quiet"),
    "a publication that sends no updates": (
        TABLE, "CREATE PUBLICATION pub FOR TABLE t WITH (publish='insert')"),
    "a publication of a table with a key": (
        "CREATE TABLE t (id int PRIMARY KEY, secret text)",
        "CREATE PUBLICATION pub FOR TABLE t"),
    "a full replica identity": (
        TABLE, "ALTER TABLE t REPLICA IDENTITY FULL",
        "CREATE PUBLICATION pub FOR ALL TABLES"),
    "a row filter over the identity": (
        KEYED, "CREATE PUBLICATION pub FOR TABLE t WHERE (id > 5)"),
    "a row filter and full identity": (
        KEYED, "ALTER TABLE t REPLICA IDENTITY FULL",
        "CREATE PUBLICATION pub FOR TABLE t WHERE (n > 5)"),
    "a row filter where no updates are sent": (
        KEYED, "CREATE PUBLICATION pub FOR TABLE t WHERE (n > 5)"
        " WITH (publish = 'insert')"),
    "a row filter and a column list": (
        KEYED, "CREATE PUBLICATION pub FOR TABLE t (id, n) WHERE (id > 5)"),
    "a row filter of the root by its own numbers": (
        f"{KEYED} PARTITION BY RANGE (id)",
        "CREATE TABLE t1 (n int, secret text, id int PRIMARY KEY)",
        "ALTER TABLE t ATTACH PARTITION t1 FOR VALUES FROM (0) TO (1000)",
        "CREATE PUBLICATION pub FOR TABLE t (id, n) WHERE (id > 5)"
        " WITH (publish_via_partition_root)"),
    "a partition key of an expression over another column": (
        f"{TABLE} PARTITION BY HASH ((id + 1))",
        "CREATE TABLE t1 PARTITION OF t"
        " FOR VALUES WITH (MODULUS 1, REMAINDER 0)"),
    "an index as replica identity": (
        "CREATE TABLE t (id int NOT NULL UNIQUE, secret text)",
        "ALTER TABLE t REPLICA IDENTITY USING INDEX t_id_key",
        "CREATE PUBLICATION pub FOR TABLE t"),
    "an unlogged table among all that are published": (
        "CREATE UNLOGGED TABLE t (id int, secret text)",
        "CREATE PUBLICATION pub FOR ALL TABLES"),
    "a varchar that is long enough": (
        "CREATE TABLE t (id int, secret varchar(900))",),
    "partitions": (
        f"{TABLE} PARTITION BY RANGE (id)",
        "CREATE TABLE t1 PARTITION OF t FOR VALUES FROM (0) TO (1000)"),
}

# throttle_query: the SQLSTATE that is said.
QUERIES = {
    "SELECT 1": "42804",
    "SELECT 'true'::text": "42804",
    "SELECT true, false": "42601",
    "VALUES (true), (false)": "21000",
    "is it busy?": "42601",
    "SELECT yes FROM nowhere": "42P01",
    "SELECT 1 / 0 = 1": "22012",
    "SELECT true; SELECT false": "42601",
    "COMMIT": "42703",
    "UPDATE busy SET yes = true RETURNING yes": "42601",
    "SELECT meddle()": "25006",
}

QUERIES_THAT_ARE_FINE = ("SELECT yes FROM busy", "SELECT yes FROM busy;",
                         "SELECT yes FROM busy -- or so",
                         "SELECT yes FROM busy WHERE false",
                         "SELECT NULL::boolean", "VALUES (false)", "false",
                         "WITH w AS (SELECT 1 AS x) SELECT x > 1 FROM w",
                         "SELECT tired()")


def setUpModule():
    Scene.open()


class Base(Scene):
    def check(self, *arguments):
        return self.tool.run("check", "--output", "json", *arguments)

    def refusals(self, result):
        return [remark for remark in result.report["remarks"]
                if remark["level"] == "refusal"]

    def fill(self, table="t", rows=20):
        for i in range(rows):
            self.sql(f"INSERT INTO {table} (id, secret) VALUES (%s, %s)", i,
                     self.ring.seal(zoo.plain(str(i)), "k2023", zoo.THEN + i))

    def table(self, *more):
        self.sql(TABLE)
        for statement in more:
            self.sql(statement)
        self.fill()
        self.tool.configure(t={"columns": "secret"})

    def bothRefuse(self, status, topic, count=1):
        """check with exit 1 and as many refusals, rotate with that status,
        which check foretold; so does a dry run. Returns the refusals."""
        checked = self.check()
        self.assertExit(1, checked)
        refusals = self.refusals(checked)
        self.assertEqual([r["topic"] for r in refusals], [topic] * count,
                         refusals)
        self.assertEqual({r["exit"] for r in refusals}, {status}, refusals)
        before = self.untouched()
        for arguments in (("--dry-run",), ()):
            rotated = self.tool.rotate(*arguments)
            self.assertExit(status, rotated)
            self.assertEqual(before, self.untouched(), "something was written")
            for refusal in refusals[:1]:
                self.assertIn(refusal["text"], rotated.err)
        return refusals

    def bothStart(self):
        checked = self.check()
        self.assertExit(0, checked)
        self.assertEqual(self.refusals(checked), [])
        self.assertExit(0, self.tool.rotate())

    def untouched(self):
        """Every version of every row of the tables that there are."""
        return [self.sql(f"SELECT ctid, xmin, t FROM ONLY {name} AS t")
                for name, in self.sql(
                    "SELECT oid::regclass::text FROM pg_class WHERE relkind"
                    " IN ('r', 'm') AND relnamespace = 'public'::regnamespace"
                    " ORDER BY oid")]


class Tables(Base):
    def test_check_and_rotate_refuse_the_same_tables(self):
        for name, (status, topic, statements) in TABLES.items():
            with self.subTest(name):
                for statement in (*RESET, *statements):
                    self.sql(statement)
                self.tool.configure(t={"columns": "secret"})
                self.bothRefuse(status, topic)

    def test_check_and_rotate_start_with_the_same_tables(self):
        for name, statements in FINE.items():
            with self.subTest(name):
                for statement in (*RESET, *statements):
                    self.sql(statement)
                self.fill()
                self.tool.configure(t={"columns": "secret"})
                self.bothStart()

    def test_a_system_column_is_refused(self):
        self.table()
        self.tool.configure(t={"columns": "ctid"})
        self.bothRefuse(2, "columns")

    def test_the_same_leaf_in_two_sections_is_refused(self):
        self.sql("CREATE TABLE t (id int, secret text) PARTITION BY RANGE(id)")
        self.sql("CREATE TABLE t1 PARTITION OF t FOR VALUES FROM (0) TO (99)")
        self.tool.configure(t={"columns": "secret"}, t1={"columns": "secret"})
        self.bothRefuse(2, "relation")

    def test_a_varchar_that_is_too_short_is_refused(self):
        length = len(self.ring.seal(zoo.plain("1"), "k2023"))
        self.sql(f"CREATE TABLE t (id int, secret varchar({length}),"
                 f" other varchar({length}))")
        self.sql("INSERT INTO t SELECT 1, %s, %s", *(
            self.ring.seal(zoo.plain("1"), "k2023") for _ in range(2)))
        self.tool.configure(t={"columns": "secret"})
        self.assertExit(0, self.check())
        self.ring = self.ring.with_primary("a-much-longer-key-id")
        self.tool.set_ring(self.ring)
        [refusal] = self.bothRefuse(2, "lengths")
        self.sql(refusal["hint"])
        self.bothStart()
        self.tool.configure(t={"columns": "secret, other"})
        self.bothRefuse(2, "lengths")

    def test_every_column_that_is_too_short_is_listed(self):
        value = self.ring.seal(b"x" * 64, "k2023")
        self.sql(f"CREATE TABLE t (id int, a varchar({len(value)}),"
                 f" b varchar({len(value)}))")
        self.sql("INSERT INTO t VALUES (1, %s, %s)", value, value)
        self.ring = self.ring.with_primary("a-much-longer-key-id")
        self.tool.set_ring(self.ring)
        self.tool.configure(t={"columns": "a, b"})
        self.assertEqual([r["column"] for r in
                          self.bothRefuse(2, "lengths", 2)], ["a", "b"])

    def test_a_condition_that_fails_is_refused(self):
        for condition, what in (("id / 0 = 1", "22012"),
                                ("no_such_column", "42703")):
            with self.subTest(condition):
                self.sql("DROP TABLE IF EXISTS t")
                self.sql(TABLE)
                self.fill()
                self.tool.configure(t={"columns": "secret",
                                       "where": condition})
                [refusal] = self.bothRefuse(2, "values")
                self.assertIn(what, refusal["text"])


class Queries(Base):
    def setUp(self):
        super().setUp()
        self.table()
        self.sql("CREATE TABLE busy AS SELECT false AS yes")
        self.sql("CREATE DOMAIN mood AS boolean")
        self.sql("CREATE FUNCTION tired() RETURNS mood LANGUAGE sql AS"
                 " 'SELECT false'")
        self.sql("CREATE FUNCTION meddle() RETURNS boolean LANGUAGE sql AS"
                 " 'UPDATE public.busy SET yes = true RETURNING yes'")

    def ask(self, query):
        self.tool.configure(rotate={"throttle_query": query},
                            t={"columns": "secret"})

    def test_a_query_that_is_no_boolean_is_refused_before_a_run_begins(self):
        for query, what in QUERIES.items():
            with self.subTest(query):
                self.ask(query)
                [refusal] = self.bothRefuse(2, "throttling")
                self.assertRegex(refusal["text"], "throttle_query.* boolean")
                self.assertIn(what, refusal["text"])
                self.assertEqual(
                    self.value("SELECT count(*) FROM pgrekey.run"), 0)
        self.assertFalse(self.value("SELECT yes FROM busy"))

    def test_a_query_for_one_boolean_is_not(self):
        for query in QUERIES_THAT_ARE_FINE:
            with self.subTest(query):
                self.ask(query)
                self.bothStart()

    def test_one_that_the_role_may_not_ask_is_a_matter_of_privileges(self):
        role = self.role(f"CREATE ON DATABASE {self.database}",
                         "SELECT, UPDATE ON t")
        self.ask("SELECT yes FROM busy")
        self.bothRefuse(4, "throttling")
        self.sql(f"GRANT SELECT ON busy TO {role}")
        self.bothStart()


class Privileges(Base):
    def setUp(self):
        super().setUp()
        self.sql("CREATE TABLE t (id int PRIMARY KEY, secret text,"
                 " other text)")
        self.fill()
        self.tool.configure(t={"columns": "secret"})

    def test_each_missing_privilege_is_listed_and_its_grant_helps(self):
        self.role(f"CREATE ON DATABASE {self.database}")
        refusals = self.bothRefuse(4, "privileges", 4)
        for refusal in refusals:
            self.assertRegex(refusal["hint"], "^GRANT ")
            self.sql(refusal["hint"])
        self.bothStart()

    def test_each_of_the_grants_is_needed(self):
        role = self.role(f"CREATE ON DATABASE {self.database}")
        hints = [r["hint"] for r in self.refusals(self.check())]
        for left_out in hints:
            with self.subTest(left_out):
                self.sql(f"REVOKE ALL ON t FROM {role}")
                for hint in hints:
                    if hint != left_out:
                        self.sql(hint)
                [refusal] = self.bothRefuse(4, "privileges")
                self.assertEqual(refusal["hint"], left_out)

    def test_names_that_need_quotes_are_quoted_in_the_grants(self):
        self.sql('CREATE SCHEMA "My Schema"')
        self.sql('CREATE TABLE "My Schema"."T""x" ("I d" int PRIMARY KEY,'
                 ' "Se cret" text)')
        self.tool.configure(t={"name": '"My Schema"."T""x"',
                               "columns": '"Se cret"'})
        self.role(f"CREATE ON DATABASE {self.database}")
        for refusal in self.bothRefuse(4, "privileges", 5):
            self.sql(refusal["hint"])
        self.bothStart()

    def test_row_level_security_is_refused(self):
        self.role(f"CREATE ON DATABASE {self.database}",
                  "SELECT, UPDATE ON t")
        self.sql("CREATE POLICY half ON t USING (id % 2 = 0)")
        self.bothStart()
        self.sql("ALTER TABLE t ENABLE ROW LEVEL SECURITY")
        [refusal] = self.bothRefuse(4, "row_security")
        remedy = f'ALTER ROLE "{self.tool.user}" BYPASSRLS'
        self.assertIn(remedy, refusal["hint"])
        self.sql(remedy)
        self.bothStart()

    def test_what_was_refused_is_not_said_to_be_looked_at(self):
        self.role(f"CREATE ON DATABASE {self.database}")
        remarks = self.check().report["remarks"]
        for topic in ("values", "lengths"):
            [remark] = [r for r in remarks if r["topic"] == topic]
            self.assertEqual(remark["level"], "note")
            self.assertRegex(remark["text"], "^cannot see ")
        self.assertNotIn("nothing to rewrite", str(remarks))


class State(Base):
    def setUp(self):
        super().setUp()
        self.table()

    def test_a_schema_that_cannot_be_made_is_refused(self):
        self.role("SELECT, UPDATE ON t")
        self.bothRefuse(4, "state_schema")
        self.assertExit(0, self.init())
        self.bothStart()

    def init(self):
        """As an administrator would."""
        printed = self.tool.run("init", "--print")
        self.cluster.psql(self.database, printed.out)
        return printed

    def test_grants_on_it_that_are_missing_are_named(self):
        role = self.role("SELECT, UPDATE ON t")
        self.init()
        self.sql(f"REVOKE INSERT, DELETE ON pgrekey.run FROM {role}")
        self.sql(f"REVOKE SELECT ON pgrekey.version FROM {role}")
        self.sql(f"REVOKE USAGE ON SCHEMA pgrekey FROM {role}")
        checked = self.check()
        self.assertExit(1, checked)
        self.assertExit(4, self.tool.rotate("--dry-run"))
        self.assertExit(4, self.tool.rotate())
        hints = [r["hint"] for r in self.refusals(checked)]
        self.assertEqual(len(hints), 3, hints)
        for hint in hints:
            self.sql(hint)
        self.bothStart()

    def test_a_schema_of_somebody_else_is_refused(self):
        self.tool.configure(rotate={"state_schema": "public"},
                            t={"columns": "secret"})
        self.bothRefuse(2, "state_schema")
        self.assertExit(2, self.tool.run("init"))
        self.assertIsNone(self.value("SELECT to_regclass('public.run')"))
        self.sql("CREATE SCHEMA empty")
        self.tool.configure(rotate={"state_schema": "empty"},
                            t={"columns": "secret"})
        self.bothStart()

    def test_a_name_that_the_server_keeps_is_refused(self):
        self.tool.configure(rotate={"state_schema": "pg_mine"},
                            t={"columns": "secret"})
        for command in "check", "rotate", "init":
            self.assertExit(2, self.tool.run(command))

    def test_triggers_that_may_not_be_suppressed_are_refused(self):
        role = self.role(f"CREATE ON DATABASE {self.database}",
                         "SELECT, UPDATE ON t")
        self.tool.configure(rotate={"triggers": "suppress",
                                    "max_replica_lag": "0s"},
                            t={"columns": "secret"})
        checked = self.check()
        self.assertExit(1, checked)
        self.assertEqual([r["topic"] for r in self.refusals(checked)],
                         ["settings"])
        self.sql(f"GRANT SET ON PARAMETER session_replication_role TO {role}")
        self.bothStart()

    def test_another_version_is_refused(self):
        self.bothStart()
        self.sql("UPDATE pgrekey.version SET version = version + 1")
        self.bothRefuse(4, "state_schema")

    def test_another_key_under_a_known_id_is_refused(self):
        self.bothStart()
        keys = dict(self.ring.keys)
        del keys["k2025"]
        self.ring = oracle.Ring(keys, "k2023").with_primary("k2025")
        self.tool.set_ring(self.ring)
        self.bothRefuse(3, "runs")

    def test_a_live_run_to_another_primary_is_refused(self):
        self.bothStart()
        self.sql("UPDATE pgrekey.run SET state = 'open'")
        # This very session seems to be one of its workers.
        self.sql("UPDATE pgrekey.worker SET (backend_pid, backend_start) ="
                 " (SELECT pid, backend_start FROM pg_stat_activity"
                 " WHERE pid = pg_backend_pid())")
        self.tool.set_ring(self.ring.with_primary("k2026"))
        self.bothRefuse(2, "runs")

    def test_a_paused_run_is_a_warning_that_says_who_paused_it(self):
        self.bothStart()
        self.sql("UPDATE pgrekey.run SET state = 'open'")
        self.assertExit(0, self.tool.run("pause"))
        remark = self.about_runs()
        self.assertEqual(remark["level"], "warning")
        self.assertRegex(
            remark["text"], r"^run 1 to 'k2025' is paused by postgres since"
            r" .* UTC: rotate would wait$")
        self.assertEqual(remark["hint"], "pgrekey resume 1 lets it go on")
        self.assertExit(0, self.tool.run("resume"))
        remark = self.about_runs()
        self.assertEqual(remark["level"], "note")
        self.assertIn("go on with it", remark["text"])

    def about_runs(self):
        checked = self.check()
        self.assertExit(0, checked)
        [remark] = [r for r in checked.report["remarks"]
                    if r["topic"] == "runs"]
        return remark

    def test_a_dead_run_to_another_primary_is_a_warning(self):
        self.bothStart()
        self.sql("UPDATE pgrekey.run SET state = 'open'")
        self.tool.set_ring(self.ring.with_primary("k2026"))
        remark = self.about_runs()
        self.assertEqual(
            (remark["level"], remark["text"]),
            ("warning",
             "run 1 to 'k2025' was left: rotate would supersede it"))
        self.assertExit(0, self.tool.rotate("--dry-run"))
        self.assertEqual(self.value("SELECT state FROM pgrekey.run"), "open")

    def test_a_database_that_is_read_only_is_refused(self):
        self.sql(f"ALTER DATABASE {self.database}"
                 " SET default_transaction_read_only = on")
        self.bothRefuse(4, "access")

    def test_a_standby_is_refused(self):
        standby = self.cluster.standby()
        self.addCleanup(standby.close)
        self.tool.cluster = standby
        self.bothRefuse(4, "access")


class All(Base):
    def test_all_problems_of_all_tables_are_listed(self):
        self.sql("CREATE TABLE one (id int, a int, b text GENERATED ALWAYS"
                 " AS ('x') STORED)")
        self.sql("CREATE RULE quiet AS ON UPDATE TO one DO INSTEAD NOTHING")
        self.sql("CREATE VIEW two AS SELECT 1")
        self.sql("CREATE TABLE four (id int, secret text)")
        self.tool.configure(
            one={"columns": "a, b, c"}, two={"columns": "secret"},
            three={"columns": "secret"}, four={"columns": "secret"})
        checked = self.check()
        self.assertExit(1, checked)
        self.assertEqual(
            [(r["label"], r["topic"], r.get("column"))
             for r in self.refusals(checked)],
            [("one", "columns", "a"), ("one", "columns", "b"),
             ("one", "columns", "c"), ("one", "rules", None),
             ("two", "relation", None), ("three", "relation", None)])
        self.assertEqual(checked.report["counts"]["refusal"], 6)
        text = self.tool.run("check")
        self.assertExit(1, text)
        last = text.out.splitlines()[-1]
        self.assertRegex(last, "^6 refusals, .*: rotate would not start$")
        for refusal in self.refusals(checked):
            self.assertEqual(text.out.count(refusal["text"]), 2, "not at the"
                             " end, too")

    def test_a_refusal_of_one_table_does_not_hide_the_others(self):
        self.table()
        self.tool.configure(gone={"columns": "secret"},
                            t={"columns": "secret"})
        remarks = self.check().report["remarks"]
        self.assertIn(("values", "note"), [
            (r["topic"], r["level"]) for r in remarks
            if r.get("label") == "t"])


if __name__ == "__main__":
    unittest.main()
