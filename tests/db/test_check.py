"""What check remarks upon, that it reads only, and how it says it."""
import contextlib
import re
import sys
import time
import unittest
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from lib import oracle, zoo  # noqa: E402
from lib.scene import Scene  # noqa: E402


def setUpModule():
    Scene.open(autovacuum="on", autovacuum_naptime="1d", wal_level="logical")


class Base(Scene):
    def setUp(self):
        super().setUp()
        self.sql("CREATE TABLE t (id int PRIMARY KEY, secret text, note text,"
                 " updated_at timestamptz)")
        self.fill("t", 100)
        self.sql("ANALYZE t")
        self.tool.configure(t={"columns": "secret"})

    def fill(self, table, rows, key="k2023", first=0):
        for i in range(first, first + rows):
            self.sql(f"INSERT INTO {table} (id, secret) VALUES (%s, %s)", i,
                     self.ring.seal(zoo.plain(str(i)), key, zoo.THEN + i))

    def check(self, *arguments):
        return self.tool.run("check", "--output", "json", *arguments)

    def remarks(self, topic, status=0):
        """[(level, text)]"""
        result = self.check()
        self.assertExit(status, result)
        return [(r["level"], r["text"]) for r in result.report["remarks"]
                if r["topic"] == topic]

    def quiet(self, topic):
        """There is nothing to say about it."""
        found = self.remarks(topic)
        self.assertEqual({level for level, _ in found}, {"ok"}, found)

    def says(self, topic, level, *words):
        found = self.remarks(topic)
        texts = [text for said, text in found if said == level]
        for word in words:
            self.assertTrue(any(re.search(word, text) for text in texts),
                            f"{word} is not in {found}")
        return texts

    def function(self, name, body="BEGIN RETURN NEW; END"):
        self.sql(f"CREATE FUNCTION {name}() RETURNS trigger LANGUAGE plpgsql"
                 f" AS $${body}$$")

    def rotator(self, *grants):
        return self.role(f"CREATE ON DATABASE {self.database}",
                         "SELECT, UPDATE ON t", *grants)


class Triggers(Base):
    def test_none_is_fine(self):
        self.quiet("triggers")

    def test_one_that_keeps_updated_at_is_a_warning_that_names_it(self):
        self.function("touch", "BEGIN IF true THEN NEW.updated_at := now();"
                               " END IF; RETURN NEW; END")
        self.sql("CREATE TRIGGER touch_t BEFORE UPDATE ON t"
                 " FOR EACH ROW EXECUTE FUNCTION touch()")
        [text] = self.says("triggers", "warning", "touch_t", "updated_at")
        self.assertNotIn("note", text)
        before = self.value("SELECT count(updated_at) FROM t")
        self.assertExit(0, self.tool.rotate())
        self.assertNotEqual(
            before, self.value("SELECT count(updated_at) FROM t"))

    def test_the_module_for_it_is_known(self):
        self.sql("CREATE EXTENSION moddatetime")
        self.sql("CREATE TRIGGER moved BEFORE UPDATE ON t FOR EACH ROW"
                 " EXECUTE FUNCTION moddatetime(updated_at)")
        self.says("triggers", "warning", "moved.* set updated_at")

    def test_one_that_only_reads_a_column_does_not_set_it(self):
        self.function("look", "BEGIN IF NEW.updated_at = now() THEN RAISE"
                              " NOTICE 'x'; END IF; RETURN NEW; END")
        self.sql("CREATE TRIGGER look BEFORE UPDATE ON t"
                 " FOR EACH ROW EXECUTE FUNCTION look()")
        [text] = self.says("triggers", "warning", "look", "suppress")
        self.assertNotIn("updated_at", text)

    def test_those_after_the_row_and_per_statement_are_notes(self):
        self.function("log")
        self.sql("CREATE TRIGGER log_row AFTER UPDATE ON t"
                 " FOR EACH ROW EXECUTE FUNCTION log()")
        self.sql("CREATE TRIGGER log_all AFTER UPDATE ON t"
                 " FOR EACH STATEMENT EXECUTE FUNCTION log()")
        self.says("triggers", "note", "log_row.*after each", "log_all.*batch")

    def test_those_that_would_not_fire_are_not_mentioned(self):
        self.function("f")
        self.sql("CREATE TRIGGER a BEFORE INSERT ON t"
                 " FOR EACH ROW EXECUTE FUNCTION f()")
        self.sql("CREATE TRIGGER b BEFORE UPDATE OF note ON t"
                 " FOR EACH ROW EXECUTE FUNCTION f()")
        self.sql("CREATE TRIGGER c BEFORE UPDATE ON t"
                 " FOR EACH ROW EXECUTE FUNCTION f()")
        self.sql("ALTER TABLE t DISABLE TRIGGER c")
        self.sql("CREATE TABLE child (t int REFERENCES t)")
        self.quiet("triggers")
        self.sql("CREATE TRIGGER d BEFORE UPDATE OF note, secret ON t"
                 " FOR EACH ROW EXECUTE FUNCTION f()")
        self.assertEqual(len(self.says("triggers", "warning", "trigger d")), 1)

    def test_one_of_all_partitions_is_said_once(self):
        self.sql("CREATE TABLE p (id int, secret text) PARTITION BY RANGE(id)")
        for i in range(5):
            self.sql(f"CREATE TABLE p{i} PARTITION OF p"
                     f" FOR VALUES FROM ({i}) TO ({i + 1})")
        self.function("f")
        self.sql("CREATE TRIGGER f BEFORE UPDATE ON p"
                 " FOR EACH ROW EXECUTE FUNCTION f()")
        self.tool.configure(p={"columns": "secret"})
        [remark] = [r for r in self.check().report["remarks"]
                    if r["topic"] == "triggers"]
        self.assertEqual(remark["more"], 4)


class Tables(Base):
    def test_a_check_constraint_on_the_column_is_noted(self):
        self.sql("ALTER TABLE t ADD CONSTRAINT other CHECK (note <> 'x')")
        self.quiet("constraints")
        self.sql("ALTER TABLE t ADD CONSTRAINT mine CHECK (secret <> 'x')")
        self.says("constraints", "note", "mine.*secret")

    def test_a_check_constraint_of_a_domain_is_noted(self):
        self.sql("CREATE DOMAIN outer_ AS text CHECK (value <> 'x')")
        self.sql("CREATE DOMAIN inner_ AS outer_")
        self.sql("ALTER TABLE t ALTER note TYPE inner_")
        self.quiet("constraints")
        self.sql("ALTER TABLE t ALTER secret TYPE inner_")
        [text] = self.says("constraints", "note", "outer__check.*secret")
        self.assertIn("of domain public.outer_ looks at", text)

    def test_indexes_over_the_column_are_warnings_and_cost_hot(self):
        self.sql("CREATE INDEX harmless ON t (note)")
        self.quiet("indexes")
        self.quiet("hot_updates")
        for name, index in (
                ("plain", "INDEX plain ON t (secret)"),
                ("uniq", "UNIQUE INDEX uniq ON t (secret)"),
                ("inner_", "INDEX inner_ ON t (note) INCLUDE (secret)"),
                ("expr", "INDEX expr ON t (md5(secret))"),
                ("part", "INDEX part ON t (note) WHERE secret IS NULL")):
            with self.subTest(name):
                self.sql(f"CREATE {index}")
                [text] = self.says("indexes", "warning", name)
                self.assertEqual("unique" in text, name == "uniq")
                self.says("hot_updates", "warning", "none")
                self.sql(f"DROP INDEX {name}")

    def test_how_full_the_pages_are_is_said(self):
        self.sql("ALTER TABLE t SET (fillfactor = 50)")
        self.sql("VACUUM FULL t")
        self.sql("ANALYZE t")
        [text] = self.says("hot_updates", "ok", "fillfactor 50")
        full = int(re.search(r"about (\d+) %", text)[1])
        self.assertAlmostEqual(full, 50, delta=10)

    def test_what_is_not_known_of_the_pages_is_a_note(self):
        self.sql("CREATE TABLE fresh (id int, secret text)")
        self.tool.configure(fresh={"columns": "secret"})
        self.says("hot_updates", "note", "cannot see.*ANALYZE")
        self.says("size", "note", "never analyzed")

    def test_dead_rows_are_noted(self):
        self.sql("UPDATE t SET note = 'x'")
        self.until(lambda: self.value(
            "SELECT n_dead_tup FROM pg_stat_user_tables"
            " WHERE relname = 't'") >= 100, "the statistics are there")
        self.says("hot_updates", "note", "100 dead rows.*VACUUM")

    def test_publications_are_noted_and_full_identity_is_a_warning(self):
        self.quiet("publications")
        self.sql("CREATE PUBLICATION news FOR TABLE t")
        self.addCleanup(self.sql, "DROP PUBLICATION news")
        self.says("publications", "note", "news")
        self.assertEqual(self.says("publications", "warning"), [])
        single = self.estimate()["wal_bytes"]
        self.sql("ALTER TABLE t REPLICA IDENTITY FULL")
        self.says("publications", "warning", "FULL")
        self.assertAlmostEqual(self.estimate()["wal_bytes"], 2 * single,
                               delta=2)

    def estimate(self):
        [estimate] = self.check().report["estimates"]
        return estimate

    def test_the_size_is_what_the_server_says(self):
        estimate = self.estimate()
        self.assertEqual(estimate["rows"], 100)
        self.assertEqual(estimate["heap_bytes"],
                         self.value("SELECT pg_relation_size('t')"))
        self.assertEqual(estimate["index_bytes"],
                         self.value("SELECT pg_indexes_size('t')"))
        self.assertEqual(estimate["share"], 1)
        self.assertGreater(estimate["wal_bytes"], estimate["heap_bytes"])
        self.assertGreaterEqual(estimate["seconds"], 1)
        self.says("time", "note", "rows/s.*rough")

    def test_what_is_done_costs_nothing(self):
        self.assertExit(0, self.tool.rotate())
        estimate = self.estimate()
        self.assertEqual((estimate["share"], estimate["wal_bytes"],
                          estimate["seconds"]), (0, 0, 0))
        self.quiet("time")
        self.quiet("values")

    def test_a_large_table_is_sampled(self):
        value = self.ring.seal(b"x", "k2024")
        self.sql("TRUNCATE t")
        self.sql("INSERT INTO t SELECT n, %s FROM generate_series(1, 40000)"
                 " AS n", value)
        self.sql("ANALYZE t")
        column = self.check().column("secret")
        self.assertGreater(column["scanned"], 2000)
        self.assertLess(column["scanned"], 20000)
        self.assertEqual(column["keys"], {"k2024": column["scanned"]})
        self.assertAlmostEqual(self.estimate()["rows"], 40000, delta=400)


class Values(Base):
    def put(self, value, first=1000, rows=1):
        for i in range(first, first + rows):
            self.sql("INSERT INTO t (id, secret) VALUES (%s, %s)", i, value)

    def test_keys_to_rotate_from_are_counted(self):
        self.fill("t", 50, "k2024", first=100)
        self.fill("t", 7, "k2025", first=200)
        [text] = self.says("values", "note", "150 of 157", "k2023 100",
                           "k2024 50")
        self.assertNotIn("k2025", text)
        self.assertEqual(self.says("values", "warning"), [])

    def test_a_key_that_is_not_in_the_ring_is_a_warning(self):
        self.tool.set_ring(self.ring.without("k2023"))
        self.says("values", "warning", "100 of 100.*'k2023'.*no key")
        self.assertExit(1, self.tool.rotate())

    def test_raw_values_are_a_warning_unless_they_are_wanted(self):
        self.put(zoo.CANARY)
        self.says("values", "warning", "1 of 101 values is raw")
        for raw in ("allow", "encrypt"):
            self.tool.configure(t={"columns": "secret", "raw": raw})
            self.assertEqual(self.says("values", "warning"), [])
        self.says("values", "note", "101 of 101")

    def test_marks_that_are_not_understood_are_a_warning(self):
        self.put("enc:tink:abcdefgh")
        self.says("values", "warning", "1 of 101.*not understood")

    def test_no_token_is_ever_taken_for_a_label(self):
        token = self.ring.token(b"x" * 40, "k2023")
        self.put("enc:fernet:" + token.decode(), 1000)
        self.put("enc:fernet:" + token.decode() + ":x", 1001)
        self.put(oracle.envelope("k2023", token).replace(":k2023", ""), 1002)
        for output in ("text", "json"):  # run() looks for tokens
            result = self.tool.run("check", "--output", output)
            self.assertIn("2 of 103 values have a marker", result.out)
            self.assertIn("'(a token)'", result.out)
        self.assertExit(1, self.tool.run("verify", "--quick"))
        self.assertExit(1, self.tool.run("verify"))
        self.assertExit(1, self.tool.rotate())

    def test_a_condition_is_noted(self):
        self.tool.configure(t={"columns": "secret", "where": "id < 10"})
        self.says("values", "note", "10 of 10 ", "condition")

    def test_json_columns_have_labels_too(self):
        self.sql("CREATE TABLE j (id int, a json, b jsonb)")
        value = oracle.wrap(self.ring.seal(b"1", "k2024"))
        self.sql("INSERT INTO j VALUES (1, %s, %s), (2, '[1]', '{}')",
                 value, value)
        self.tool.configure(j={"columns": "a, b", "raw": "allow"})
        texts = self.says("values", "note", "k2024 1")
        self.assertEqual(len(texts), 2)


class Server(Base):
    @contextlib.contextmanager
    def system(self, setting, value):
        self.sql(f"ALTER SYSTEM SET {setting} = {value}")
        self.sql("SELECT pg_reload_conf()")
        try:
            yield
        finally:
            self.sql(f"ALTER SYSTEM RESET {setting}")
            self.sql("SELECT pg_reload_conf()")

    def eventually(self, topic, level, word):
        """A setting reaches new sessions a little later."""
        self.until(lambda: any(
            said == level and re.search(word, text)
            for said, text in self.remarks(topic)), word, pause=0.1)

    def test_the_version_is_the_servers_own(self):
        version = self.value("SHOW server_version")
        self.says("version", "ok", re.escape(version))

    def test_settings_that_matter_are_said(self):
        self.quiet("settings")
        with self.system("autovacuum", "off"):
            self.eventually("settings", "warning", "autovacuum is off")
        self.sql(f"ALTER DATABASE {self.database}"
                 " SET session_replication_role = replica")
        self.says("settings", "warning", "replica.*triggers")

    def test_a_lock_timeout_that_is_cut_is_noted(self):
        self.tool.configure(rotate={"lock_timeout": "400ms"},
                            t={"columns": "secret"})
        self.says("settings", "note", "lock_timeout becomes 250 ms")

    def test_a_server_that_waits_for_standbys_is_noted(self):
        self.quiet("replication")
        with self.system("synchronous_standby_names", "'nobody'"):
            found = []
            self.until(lambda: found.extend(
                self.remarks("replication")) or any(
                    "synchronous" in text for _, text in found),
                "the setting is seen", pause=0.1)
            self.sql("ALTER SYSTEM RESET synchronous_standby_names")
            self.sql("SELECT pg_reload_conf()")

    def test_too_few_connections_are_a_warning(self):
        self.quiet("connections")
        role = self.rotator()
        self.quiet("connections")
        self.sql(f"ALTER ROLE {role} CONNECTION LIMIT 2")
        self.says("connections", "warning", "2 are free.* 3")

    def test_so_they_are_where_nobody_else_is_connected(self):
        role = self.rotator()
        self.sql(f"ALTER ROLE {role} CONNECTION LIMIT 1")
        self.admin.close()
        result = self.check()
        self.admin = self.cluster.connect(self.database)
        self.assertExit(0, result)
        self.assertRegex(result.out, "1 are free, rotate wants 3")

    def test_a_quiet_report_has_its_warnings(self):
        self.assertEqual(self.tool.run("check", "--quiet").out, "")
        self.sql("CREATE INDEX dear ON t (secret)")
        result = self.tool.run("check", "--quiet")
        self.assertExit(0, result)
        self.assertIn("dear", result.out)
        self.assertNotRegex(result.out, "(?m)^  note")

    def test_a_prepared_transaction_holds_up_pruning(self):
        self.quiet("pruning")
        other = self.connect(autocommit=False)
        other.cursor().execute("UPDATE t SET note = 'x' WHERE id = 1")
        other.cursor().execute("PREPARE TRANSACTION 'forgotten'")
        self.addCleanup(self.sql, "ROLLBACK PREPARED 'forgotten'")
        self.says("pruning", "warning", "forgotten")

    def test_an_old_transaction_holds_up_pruning(self):
        other = self.connect(autocommit=False)
        cursor = other.cursor()
        cursor.execute("UPDATE t SET note = 'x' WHERE id = 1")
        pid = other.get_backend_pid()
        self.quiet("pruning")
        time.sleep(6)
        self.says("pruning", "note", f"pid {pid}.*idle in transaction.*"
                                     "has written")
        self.rotator()
        self.says("pruning", "note",
                  "cannot see since when 1 .*pg_read_all_stats")
        other.rollback()
        self.quiet("pruning")

    def test_a_slot_that_nobody_reads_keeps_wal(self):
        self.sql("SELECT pg_create_physical_replication_slot('lost', true)")
        self.addCleanup(self.sql, "SELECT pg_drop_replication_slot('lost')")
        self.says("replication", "warning", "lost.*inactive")

    def test_a_standby_and_its_feedback_are_noted(self):
        standby = self.cluster.standby()
        self.addCleanup(standby.close)
        there = standby.connect("postgres")
        for statement in ("ALTER SYSTEM SET hot_standby_feedback = on",
                          "ALTER SYSTEM SET wal_receiver_status_interval = 1",
                          "SELECT pg_reload_conf()"):
            there.cursor().execute(statement)
        there.close()
        self.until(lambda: self.sql(
            "SELECT pid FROM pg_stat_replication"
            " WHERE backend_xmin IS NOT NULL"),
            "the feedback arrives")
        self.says("replication", "note", "receives.*async")
        self.says("pruning", "note", "feedback")
        self.rotator()
        self.says("replication", "note", "receives.*cannot see")


class Keys(Base):
    def test_each_key_and_its_fingerprint_are_listed(self):
        self.quiet("keyring")
        listed = self.remarks("keyring")
        self.assertEqual(len(listed), 3)
        self.assertRegex(str(listed), r"k2025 \([0-9a-f]{8}\), primary")

    def test_files_that_others_can_read_are_a_warning(self):
        (self.folder / "keys" / "k2023").chmod(0o644)
        self.says("keyring", "warning", "k2023")

    def test_a_weak_key_is_a_warning(self):
        file = self.folder / "keys" / "weak"
        file.write_text("A" * 43 + "=\n")
        file.chmod(0o600)
        self.says("keyring", "warning", "weak")

    def test_the_memory_is_locked_here(self):
        self.quiet("memory")

    def test_taking_the_encryption_off_is_a_warning(self):
        self.quiet("method")
        self.tool.configure(keys={"method": "plaintext"},
                            t={"columns": "secret"})
        self.says("method", "warning", "plaintext")


class ReadsOnly(Base):
    def test_no_row_is_touched_and_no_transaction_id_is_used(self):
        self.audit("t")
        before = self.snapshot("t", "secret")
        horizon = "SELECT pg_snapshot_xmax(pg_current_snapshot())::text"
        next_id = self.value(horizon)
        schemas = self.value("SELECT count(*) FROM pg_namespace")
        self.assertExit(0, self.check())
        self.assertEqual(self.value(horizon), next_id)
        self.assertEqual(self.value("SELECT count(*) FROM pg_namespace"),
                         schemas)
        self.assertEqual(self.value("SELECT count(*) FROM audit"), 0)
        self.assertUntouched(before, self.snapshot("t", "secret"))

    def test_no_wal_is_written(self):
        self.sql("VACUUM FREEZE")
        self.sql("CHECKPOINT")
        for _ in range(5):  # the server has something to write now and then
            before = self.value("SELECT pg_current_wal_insert_lsn()")
            self.assertExit(0, self.check())
            if before == self.value("SELECT pg_current_wal_insert_lsn()"):
                return
        self.fail("each check wrote WAL")

    def test_it_runs_beside_every_lock_but_an_exclusive_one(self):
        other = self.connect(autocommit=False)
        other.cursor().execute("LOCK TABLE t IN EXCLUSIVE MODE")
        result = self.check()
        self.assertExit(0, result)
        self.assertNotIn("cannot see", result.out)
        self.assertLess(result.seconds, 2)
        other.rollback()

    def test_behind_an_exclusive_lock_it_says_what_it_could_not_see(self):
        other = self.connect(autocommit=False)
        other.cursor().execute("LOCK TABLE t")
        result = self.check()
        other.rollback()
        self.assertExit(0, result)
        self.assertIn("cannot see the values (somebody locks it)", result.out)
        self.assertIn("cannot see the size (somebody locks it)", result.out)
        self.assertNotIn("nothing to rewrite", result.out)
        self.assertLess(result.seconds, 15)


class Output(Base):
    def test_text_is_grouped_and_ends_with_the_sum(self):
        self.fill("t", 1, first=2000)
        result = self.tool.run("check")
        self.assertExit(0, result)
        lines = result.out.splitlines()
        self.assertEqual(
            [line for line in lines if line and not line.startswith(" ")][:4],
            ["configuration", "keys", "server", "table t: public.t"])
        self.assertRegex(lines[-1], r"^\d+ notes?: rotate would start$")
        for line in lines:
            if re.match("  (ok|note|warning|refusal) ", line):
                self.assertRegex(line, "^  (ok|note|warning|refusal) {1,7}"
                                       "[a-z ]{13} [^ ]")

    def test_every_topic_is_mentioned_and_ok_only_where_nothing_else_is(self):
        remarks = self.check().report["remarks"]
        self.assertEqual({r["topic"] for r in remarks}, {
            "file", "method", "keyring", "memory", "version", "access",
            "settings", "connections", "throttling", "state_schema", "runs",
            "pruning", "replication", "application", "relation", "columns", "lengths",
            "privileges", "row_security", "rules", "triggers", "constraints",
            "publications", "indexes", "hot_updates", "values", "size",
            "time"})
        for topic in ("triggers", "indexes", "values"):
            levels = {r["level"] for r in remarks if r["topic"] == topic}
            self.assertEqual(len(levels), 1, topic)

    def test_quiet_says_nothing_when_rotate_would_start(self):
        result = self.tool.run("check", "--quiet")
        self.assertExit(0, result)
        self.assertEqual((result.out, result.err), ("", ""))

    def test_quiet_says_refusals_when_it_would_not(self):
        self.tool.configure(t={"columns": "missing"})
        result = self.tool.run("check", "--quiet")
        self.assertExit(1, result)
        self.assertIn("missing", result.out)
        self.assertNotRegex(result.out, r"(?m)^  (ok|note) ")

    def test_only_looks_at_what_is_selected(self):
        self.sql("CREATE TABLE u (id int, secret text)")
        self.tool.configure(t={"columns": "secret"}, u={"columns": "secret"})
        report = self.check("--only", "u").report
        self.assertEqual([e["label"] for e in report["estimates"]], ["u"])
        topics = {r["topic"] for r in report["remarks"]
                  if r.get("label") == "t"}
        # What would be refused anyway, but nothing that has to be looked at.
        self.assertLessEqual(topics, {
            "relation", "columns", "privileges", "row_security", "rules",
            "publications"})

    def test_counts_are_those_of_the_remarks(self):
        report = self.check().report
        for level, count in report["counts"].items():
            self.assertEqual(count, sum(
                r["level"] == level for r in report["remarks"]), level)

    def test_what_does_not_even_begin_has_the_usual_statuses(self):
        self.tool.database = "nowhere"
        self.assertExit(4, self.check())
        self.tool.configure(keys={"primary": "k2099"}, t={"columns": "secret"})
        self.assertExit(3, self.check())
        self.tool.configure(t={"columns": "secret", "nonsense": "1"})
        self.assertExit(2, self.check())


if __name__ == "__main__":
    unittest.main()
