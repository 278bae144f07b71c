"""Clean is said of what was seen: ways in which a proof could see too little."""
import signal
import sys
import time
import unittest
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from lib import oracle, zoo  # noqa: E402
from lib.scene import Scene  # noqa: E402


def setUpModule():
    Scene.open()


class Base(Scene):
    def old(self, number):
        return self.ring.seal(zoo.plain(str(number)), "k2023", zoo.THEN)

    def fill(self, table, rows):
        """All current."""
        self.sql(f"CREATE TABLE {table} (id int PRIMARY KEY, secret text,"
                 " n int)")
        zoo.copy_rows(self.admin, table, ("id", "secret"), (
            (i, self.ring.seal(zoo.plain(str(i)), "k2025", zoo.THEN))
            for i in range(rows)))

    def insert_uncommitted(self, table):
        writer = self.connect(autocommit=False)
        writer.cursor().execute(f"INSERT INTO {table} VALUES (-1, %s)",
                                [self.old(-1)])
        return writer

    def left(self, table):
        return self.value(f"SELECT count(*) FROM {table}"
                          " WHERE secret NOT LIKE 'enc:fernet:k2025:%%'")

    def until_asked(self, words):
        self.until(
            lambda: self.value(
                "SELECT count(*) > 0 FROM pg_stat_activity WHERE pid <>"
                " pg_backend_pid() AND query LIKE %s", words),
            f"the server is asked {words}", pause=0.001)


class Rewritten(Base):
    """The rows of a table that ALTER TABLE wrote anew are in no snapshot that
    is older, so the table looks empty. Here that happens while another table
    is read."""

    def setUp(self):
        super().setUp()
        self.fill("a", 10)
        self.fill("b", 3000)
        # Not where rotate glances, so that it goes straight to the proof.
        self.sql("UPDATE b SET secret = %s WHERE ctid = '(6,1)'",
                 self.old(0))
        self.sql("VACUUM FULL b")
        self.assertEqual(self.left("b"), 1)
        self.tool.configure(
            a={"columns": "secret",
               "where": "(SELECT pg_sleep(0.5)) IS NOT NULL"},
            b={"columns": "secret"})

    def alter(self, run, words):
        self.until_asked(words)
        self.sql("ALTER TABLE b ALTER n TYPE bigint")
        self.assertTrue(run.running(), "it was altered too late")
        return run.finish()

    def test_rotate_proves_once_more(self):
        run = self.start()
        result = self.alter(run, "SELECT pg_catalog.count(*), %pg_sleep%")
        self.assertExit(0, result)
        self.assertEqual(self.left("b"), 0)


class Frozen(Base):
    """A process that proves is stopped; another one comes along."""

    SHIFT = ("UPDATE pgrekey.worker SET seen_at = seen_at + interval %s"
             " WHERE id = (SELECT prover FROM pgrekey.run)")
    NUMBERS = "SELECT * FROM pgrekey.number ORDER BY 1, 2, 3, 4, 5"

    def setUp(self):
        super().setUp()
        self.fill("t", 50)
        self.tool.configure(t={"columns": "secret"})
        writer = self.insert_uncommitted("t")
        self.proving = self.start("--wait", "60s", "--workers", "1")
        self.until_asked("%l.virtualtransaction = ANY%")
        self.release = writer.rollback

    def test_somebody_else_proves_and_the_late_one_changes_nothing(self):
        self.frozen_when("-1 hour")

    def test_a_server_whose_clock_was_set_back_does_not_wait_for_it(self):
        self.frozen_when("1 hour")

    def frozen_when(self, shift):
        """The last sign of life of the frozen one is then so far away."""
        self.proving.send(signal.SIGSTOP)
        self.release()
        heir = self.start()
        self.until(lambda: self.value("SELECT count(*) > 1 FROM"
                                      " pgrekey.worker"), "the heir is there")
        time.sleep(1)
        self.assertTrue(heir.running(), "it did not wait for the lease")
        self.sql(self.SHIFT, shift)
        self.assertExit(0, heir.finish())
        numbers = self.sql(self.NUMBERS)
        self.assertTrue(numbers)
        self.sql("INSERT INTO t VALUES (-2, 'in the clear')")
        self.proving.send(signal.SIGCONT)
        self.assertExit(0, self.proving.finish())
        self.assertEqual(self.sql(self.NUMBERS), numbers)
        self.assertFalse(self.sql("SELECT * FROM pgrekey.finding"))

    def test_a_process_that_lives_proves_as_long_as_it_takes(self):
        for shift in "-1 hour", "1 hour":
            self.sql(self.SHIFT, shift)
            self.until(lambda: self.value(
                "SELECT abs(extract(epoch FROM seen_at - clock_timestamp()))"
                " < 30 FROM pgrekey.worker"), f"it lives, {shift}")
        self.release()
        self.assertExit(0, self.proving.finish())

    def test_who_waits_is_told_for_whom(self):
        self.proving.send(signal.SIGSTOP)
        waiting = self.start()
        self.until(lambda: self.value("SELECT count(*) > 1 FROM"
                                      " pgrekey.worker"), "it waits")
        time.sleep(1)
        waiting.send(signal.SIGUSR1)
        self.until(lambda: f"process {self.proving.pid}" in waiting.said(),
                   "it names the process")
        self.proving.send(signal.SIGCONT)
        self.release()
        for run in self.proving, waiting:
            self.assertExit(0, run.finish())


class Waiting(Base):
    """What happens while a proof waits for a writer."""

    def setUp(self):
        super().setUp()
        self.fill("t", 3)
        self.fill("u", 3)

    def begin(self, *arguments):
        """A run that proves, and the writer that it waits for."""
        writer = self.connect(autocommit=False)
        writer.cursor().execute("INSERT INTO t VALUES (-1, NULL)")
        run = self.start("--wait", "60s", *arguments)
        self.until_asked("%l.virtualtransaction = ANY%")
        return run, writer

    def test_a_plain_proof_does_for_no_thorough_run(self):
        """The label of a value is the primary's, its key is not."""
        self.sql("UPDATE t SET secret = %s WHERE id = 1",
                 self.old(1).replace("k2023", "k2025"))
        self.tool.configure(t={"columns": "secret"})
        run, writer = self.begin()
        thorough = self.start("--thorough", "--wait", "60s")
        self.until(lambda: self.value("SELECT count(DISTINCT os_pid) = 2 FROM"
                                      " pgrekey.worker"), "it has joined")
        writer.commit()
        self.assertExit(0, run.finish())
        result = thorough.finish()
        self.assertExit(5, result)
        self.assertFalse(result.report["complete"])
        self.assertIn("did not open every value", result.report["note"])
        result = self.tool.rotate("--thorough")
        self.assertExit(0, result)
        self.assertEqual(result.column("secret")["rewritten"], 1)

    def test_a_column_that_became_another_type_is_read_as_that(self):
        self.sql("UPDATE u SET secret = NULL")
        self.tool.configure(t={"columns": "secret"},
                            u={"columns": "secret", "raw": "allow"})
        run, writer = self.begin()
        self.sql("ALTER TABLE u ALTER secret TYPE jsonb"
                 " USING to_jsonb(secret)")
        self.sql("UPDATE u SET secret = %s WHERE id = 1",
                 oracle.wrap(self.old(1)))
        writer.commit()
        self.assertExit(0, run.finish())
        self.assertEqual(self.value(
            "SELECT count(*) FROM u WHERE secret::text LIKE '%%k2023%%'"), 0)

    def test_who_had_written_is_named_beside_findings_too(self):
        self.sql("UPDATE u SET secret = 'in the clear' WHERE id = 1")
        self.tool.configure(t={"columns": "secret"}, u={"columns": "secret"})
        writer = self.connect(autocommit=False)
        writer.cursor().execute("INSERT INTO t VALUES (-1, NULL)")
        result = self.tool.rotate("--wait", "0s")
        self.assertExit(1, result)
        self.assertFalse(result.report["complete"])
        self.assertIn(f"pid {writer.info.backend_pid} ", result.report["note"])
        # Nor where something else is to be said.
        self.sql("UPDATE u SET secret = %s WHERE id = 1", self.old(1))
        self.sql("CREATE FUNCTION never() RETURNS trigger LANGUAGE plpgsql AS"
                 " 'BEGIN RETURN NULL; END'")
        self.sql("CREATE TRIGGER never BEFORE UPDATE ON u FOR EACH ROW"
                 " EXECUTE FUNCTION never()")
        result = self.tool.rotate("--wait", "0s")
        self.assertExit(1, result)
        self.assertRegex(result.report["note"], "could not be rewritten.*; pid"
                         f" {writer.info.backend_pid} ")
        self.sql("DROP TRIGGER never ON u")
        self.sql("UPDATE u SET secret = NULL WHERE id = 1")
        result = self.tool.rotate("--wait", "0s")
        self.assertExit(6, result)
        self.assertEqual(result.column("secret", "t")["scanned"], 3)
        writer.rollback()
        result = self.tool.rotate()
        self.assertExit(0, result)
        self.assertTrue(result.report["complete"])


class Locks(Base):
    def test_a_table_that_was_looked_at_is_let_go(self):
        """Else a migration of two tables would be killed in a deadlock with
        the proof."""
        for table in "ab":
            self.fill(table, 1)
        slow = "(SELECT true FROM pg_sleep(1.5 + 0 * t.id))"
        self.tool.configure(a={"columns": "secret", "where": slow},
                            b={"columns": "secret"})
        for command in "rotate", "verify":
            with self.subTest(command):
                run = self.tool.start(command, "--workers", "1")
                self.addCleanup(lambda run=run: run.running() and run.kill())
                self.until(lambda: self.value(
                    "SELECT count(*) > 0 FROM pg_locks AS l JOIN"
                    " pg_stat_activity AS s USING (pid) WHERE l.relation ="
                    " 'a'::regclass AND s.wait_event = 'PgSleep' AND"
                    " s.backend_xmin IS NOT NULL AND (query LIKE"
                    " 'SELECT pg_catalog.count%%' OR query LIKE 'COPY%%')"),
                    "a is looked at")
                migration = self.connect(autocommit=False).cursor()
                migration.execute("ALTER TABLE b ADD COLUMN x int")
                self.until(lambda: self.value(
                    "SELECT count(*) > 0 FROM pg_locks WHERE NOT granted"
                    " AND relation = 'b'::regclass"), "b is waited for")
                # Who waits for b has looked for a deadlock, and found none.
                time.sleep(1.2)
                migration.execute("ALTER TABLE a ADD COLUMN y int")
                migration.connection.rollback()
                self.assertExit(0, run.finish())


class Long(Base):
    """A proof that would take minutes, and stops at once."""

    def setUp(self):
        super().setUp()
        self.fill("t", 1000)
        self.tool.configure(t={"columns": "secret", "where":
                               "(SELECT pg_sleep(0.2 + t.n)) IS NULL"})
        self.sql("UPDATE t SET n = 0")

    def assertStopped(self, run, began, soon=20):
        result = run.finish()
        self.assertExit(5, result)
        self.assertLess(time.monotonic() - began, soon)
        self.until(lambda: not self.value(
            "SELECT count(*) FROM pg_stat_activity WHERE state = 'active'"
            " AND pid <> pg_backend_pid() AND query LIKE '%%pg_sleep%%'"),
            "nobody reads any more")
        return result

    def test_one_signal_is_enough(self):
        run = self.start()
        self.until_asked("SELECT pg_catalog.count(*), %pg_sleep%")
        began = time.monotonic()
        run.send(signal.SIGTERM)
        self.assertStopped(run, began)

    def stopped_while_it_looks(self, query, *options):
        """Nothing was begun that would be worth its end: by one signal, and
        when its time is up."""
        for limit in (), ("--max-runtime", "3s"):
            with self.subTest(limit):
                run = self.start(*options, *limit)
                self.until_asked(query)
                began = time.monotonic()
                if not limit:
                    run.send(signal.SIGTERM)
                result = self.assertStopped(run, began, soon=6)
                self.assertIn("stopped", result.out)
                self.assertNotIn("does not answer", result.err)

    def test_a_dry_run_stops_at_once(self):
        self.stopped_while_it_looks("%pg_sleep%", "--dry-run")

    def test_a_dry_run_that_is_stopped_at_its_last_write_has_learnt_nothing(
            self):
        self.tool.configure(t={"columns": "secret"})
        self.sql("UPDATE t SET secret = %s", self.old(1))
        self.sql("CREATE FUNCTION slow() RETURNS trigger LANGUAGE plpgsql AS"
                 " 'BEGIN PERFORM pg_sleep(30); RETURN NEW; END'")
        self.sql("CREATE TRIGGER slow BEFORE UPDATE ON t FOR EACH ROW"
                 " EXECUTE FUNCTION slow()")
        run = self.start("--dry-run")
        self.until(lambda: self.value(
            "SELECT count(*) FROM pg_stat_activity WHERE wait_event ="
            " 'PgSleep'"), "the trigger works")
        run.send(signal.SIGTERM)
        self.assertExit(5, run.finish())

    def test_before_the_first_write_it_stops_at_once(self):
        self.sql("UPDATE t SET secret = %s", self.old(1))
        self.stopped_while_it_looks("SELECT 1 FROM (%pg_sleep%")

    def test_its_time_is_up_in_the_middle(self):
        began = time.monotonic()
        self.assertStopped(self.start("--max-runtime", "5s"), began)


class Relisted(Base):
    def test_no_join_is_about_the_start_alone(self):
        """The leaves change, and whoever lives by then came later, or is a
        session of its own that is about to end."""
        self.sql("CREATE TABLE p (id int, secret text) PARTITION BY RANGE (id);"
                 " CREATE TABLE p1 PARTITION OF p FOR VALUES FROM (0) TO (9);"
                 " CREATE TABLE p2 (id int, secret text)")
        self.sql("INSERT INTO p2 VALUES (10, %s)", self.old(10))
        self.tool.configure(p={"columns": "secret"})
        writer = self.connect(autocommit=False)
        writer.cursor().execute("INSERT INTO p VALUES (1, %s)", [self.old(1)])
        first = self.start("--no-join", "--wait", "60s")
        self.until_asked("%l.virtualtransaction = ANY%")
        second = self.start()
        self.until(lambda: self.value("SELECT count(DISTINCT os_pid) = 2 FROM"
                                      " pgrekey.worker"), "both are there")
        self.sql("ALTER TABLE p ATTACH PARTITION p2"
                 " FOR VALUES FROM (10) TO (20)")
        writer.commit()
        for run in first, second:
            self.assertExit(0, run.finish())
        self.assertEqual(self.left("p"), 0)


class Dropped(Base):
    """A partition that was listed, and is dropped before anything holds it.
    What the server says of it then is nobody's fault."""

    def setUp(self):
        super().setUp()
        self.sql("CREATE TABLE p (id int, secret text) PARTITION BY RANGE (id);"
                 " CREATE TABLE p1 PARTITION OF p FOR VALUES FROM (0) TO (9);"
                 " CREATE TABLE p2 PARTITION OF p FOR VALUES FROM (9) TO (20)")
        self.sql("INSERT INTO p VALUES (1, %s), (10, %s)", self.old(1),
                 self.old(10))

    def drop_before_the_look(self, where):
        self.tool.configure(p={"columns": "secret", **where})
        with self.connect(autocommit=False) as owner:
            owner.cursor().execute("DROP TABLE p2")
            run = self.start()
            self.until(lambda: self.value(
                "SELECT count(*) FROM pg_locks WHERE NOT granted"),
                "it waits for the partition")
        self.assertExit(0, run.finish())
        self.assertEqual(self.left("p"), 0)

    def test_before_the_first_look_it_is_listed_anew(self):
        self.drop_before_the_look({})

    def test_no_condition_is_blamed_for_it(self):
        self.drop_before_the_look({"where": "id > 0"})

    def drop_in_the_middle_of(self, *arguments):
        self.tool.configure(
            p={"columns": "secret",
               "where": "(SELECT pg_sleep(0.5)) IS NOT NULL"})
        self.assertExit(0, self.tool.rotate())
        run = self.start(*arguments)
        self.until_asked("SELECT pg_catalog.count(*), %p1%pg_sleep%")
        self.sql("DROP TABLE p2")
        self.assertTrue(run.running(), "it was dropped too late")
        self.assertExit(0, run.finish())

    def test_in_the_middle_of_the_proof_it_is_proven_anew(self):
        self.drop_in_the_middle_of()

    def test_in_the_middle_of_a_dry_run_it_is_passed_over(self):
        self.drop_in_the_middle_of("--dry-run")

    def test_a_dry_run_does_not_pass_over_the_table_itself(self):
        self.sql("CREATE TABLE q (id int, secret text)")
        self.sql("INSERT INTO q VALUES (1, %s)", self.old(1))
        self.tool.configure(
            p={"columns": "secret",
               "where": "(SELECT pg_sleep(0.5)) IS NOT NULL"},
            q={"columns": "secret"})
        self.assertExit(0, self.tool.run("init"))
        run = self.start("--dry-run")
        self.until_asked("SELECT pg_catalog.count(*), %p1%pg_sleep%")
        self.sql("DROP TABLE q")
        result = run.finish()
        self.assertExit(2, result)
        self.assertIn("public.q does not exist", result.err)


class Only(Base):
    def finished_elsewhere(self):
        """What --only says of a run that another process closes meanwhile."""
        self.fill("b", 50)
        self.tool.configure(a={"columns": "secret"}, b={"columns": "secret"})
        writer = self.insert_uncommitted("b")
        whole = self.start("--wait", "60s")
        self.until_asked("%l.virtualtransaction = ANY%")
        part = self.start("--only", "a")
        self.until(lambda: self.value("SELECT count(DISTINCT os_pid) = 2 FROM"
                                      " pgrekey.worker"), "both are there")
        # Else it may be the one that proves.
        self.freeze(part, among_others=True)
        writer.commit()
        result = whole.finish()
        part.send(signal.SIGCONT)
        return result, part.finish()

    def test_findings_of_another_process_are_no_success(self):
        self.fill("a", 50)
        self.sql("INSERT INTO a VALUES (-1, 'in the clear')")
        whole, part = self.finished_elsewhere()
        self.assertExit(1, whole)
        self.assertExit(5, part)
        self.assertFalse(part.report["complete"])
        self.assertExit(1, self.tool.rotate("--only", "a"))

    def test_success_of_another_process_is_success(self):
        self.fill("a", 50)
        for result in self.finished_elsewhere():
            self.assertExit(0, result)

    def test_what_an_earlier_proof_found_is_not_reported_again(self):
        self.fill("a", 50)
        self.fill("b", 50)
        self.sql("INSERT INTO a VALUES (-1, 'in the clear')")
        self.tool.configure(a={"columns": "secret"}, b={"columns": "secret"})
        self.assertExit(1, self.tool.rotate("--only", "a"))
        other = self.tool.rotate("--only", "b")
        self.assertExit(0, other)
        self.assertEqual(other.findings, [])
        self.sql("DELETE FROM a WHERE id = -1")
        result = self.tool.rotate()
        self.assertExit(0, result)
        self.assertEqual(result.findings, [])


if __name__ == "__main__":
    unittest.main()
