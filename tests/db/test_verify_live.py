"""verify beside an application that writes: it never says clean too early."""
import contextlib
import signal
import sys
import threading
import time
import unittest
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from lib import zoo  # noqa: E402
from lib.scene import Scene  # noqa: E402

NOT_LONG = ("--wait", "300ms")
GATE = 4711  # an advisory lock


def setUpModule():
    Scene.open()


class Base(Scene):
    def setUp(self):
        super().setUp()
        self.sql("CREATE TABLE t (id int PRIMARY KEY, secret text)")
        self.sql("INSERT INTO t SELECT i, %s FROM generate_series(1, 50) i",
                 self.ring.seal(zoo.plain("current")))
        self.tool.configure(t={"columns": "secret"})
        self.old = self.ring.seal(zoo.plain("old"), "k2023", zoo.THEN)

    def writer(self, *statements):
        """An open transaction that has run these; its connection."""
        connection = self.connect(autocommit=False,
                                  options="-c lock_timeout=10s")
        cursor = connection.cursor()
        for statement in statements:
            cursor.execute(statement, {"old": self.old})
        return connection

    def verify_until(self, waits, *arguments, **more):
        """Starts verify and waits until waits() is true of the server."""
        run = self.tool.start_verify(*arguments, **more)
        self.addCleanup(lambda: run.running() and run.kill())
        self.until(waits, "verify gets there")
        return run

    def asks_for_locks(self):
        return self.value(
            "SELECT count(*) FROM pg_stat_activity WHERE application_name"
            " = 'pgrekey' AND query LIKE '%%pg_locks%%'"
            " AND query NOT LIKE 'WITH RECURSIVE%%'") > 0


INSERT = "INSERT INTO t VALUES (0, %(old)s)"


class Writers(Base):
    def ask(self, *more):
        return self.tool.verify(*NOT_LONG, *more)

    def test_an_open_old_insert_gives_6_and_its_pid_then_1(self):
        for how in ((), ("--retire", "k2023")):
            with self.subTest(how):
                self.sql("DELETE FROM t WHERE id = 0")
                writer = self.writer(INSERT)
                result = self.ask(*how)
                self.assertExit(6, result)
                self.assertFalse(result.report["complete"])
                pid = writer.info.backend_pid
                self.assertIn(f"pid {pid} ", result.report["writers"])
                self.assertIn(f"pid {pid} ", self.tool.run(
                    "verify", *NOT_LONG, *how).out)
                writer.commit()
                self.assertExit(1, self.ask(*how))

    def test_every_writer_that_remains_is_named(self):
        writers = [self.writer(f"INSERT INTO t VALUES ({-i}, 'x')")
                   for i in range(1, 4)]
        named = self.ask().report["writers"]
        for writer in writers:
            self.assertIn(f"pid {writer.info.backend_pid} ", named)

    def test_a_prepared_transaction_is_waited_for_and_named(self):
        writer = self.writer(INSERT)
        writer.cursor().execute("PREPARE TRANSACTION 'left behind'")
        writer.rollback()
        result = self.ask()
        self.sql("COMMIT PREPARED 'left behind'")
        self.assertExit(6, result)
        self.assertEqual("prepared transaction 'left behind'",
                         result.report["writers"])
        self.assertExit(1, self.ask())

    def test_it_waits_for_a_writer_that_ends_in_time(self):
        for end, status in (("rollback", 0), ("commit", 1)):
            with self.subTest(end):
                writer = self.writer(INSERT)
                run = self.verify_until(self.asks_for_locks, "--wait", "60s")
                getattr(writer, end)()
                self.assertExit(status, run.finish())

    def test_an_old_value_that_is_there_decides_beside_a_writer(self):
        self.sql(INSERT.replace("%(old)s", "%s"), self.old)
        self.writer("UPDATE t SET id = 99 WHERE id = 1")
        self.assertExit(1, self.ask())
        self.assertExit(1, self.ask("--retire", "k2023"))
        self.assertExit(6, self.ask("--retire", "k2024"))

    def test_readers_and_writers_elsewhere_hold_nothing_up(self):
        self.sql("CREATE TABLE other (id int)")
        self.writer("SELECT * FROM t", "INSERT INTO other VALUES (1)")
        self.writer("SELECT * FROM t WHERE id = 1 FOR UPDATE")
        self.assertExit(0, self.ask())

    def test_a_role_without_privileges_sees_the_writers_too(self):
        self.role("SELECT (ctid, id, secret) ON t")
        writer = self.writer(INSERT)
        result = self.ask()
        self.assertExit(6, result)
        self.assertIn(f"pid {writer.info.backend_pid} ",
                      result.report["writers"])
        writer.commit()
        self.assertExit(1, self.ask())

    def test_partitions_of_an_open_transaction_are_waited_for(self):
        self.sql("CREATE TABLE p (id int, secret text) PARTITION BY"
                 " RANGE (id); CREATE TABLE p1 PARTITION OF p"
                 " FOR VALUES FROM (0) TO (10);"
                 " CREATE TABLE loose (id int, secret text)")
        self.sql("INSERT INTO loose VALUES (30, %s)", self.old)
        self.tool.configure(t={"columns": "secret"}, p={"columns": "secret"})
        self.assertExit(0, self.ask())
        attach = ("ALTER TABLE p ATTACH PARTITION loose"
                  " FOR VALUES FROM (30) TO (40)")
        for statements in (
                ("CREATE TABLE p2 PARTITION OF p FOR VALUES FROM (10)"
                 " TO (20)", "INSERT INTO p2 VALUES (15, %(old)s)"),
                ("CREATE TABLE child () INHERITS (t)",
                 "INSERT INTO child VALUES (15, %(old)s)"),
                (attach,)):
            with self.subTest(statements[0]):
                writer = self.writer(*statements)
                # It may wait for the lock as well as for the transaction.
                result = self.ask("--max-runtime", "2s")
                self.assertExit(6, result)
                writer.rollback()
        self.assertExit(0, self.ask())

    def test_so_are_those_below_a_partition_that_has_none_yet(self):
        """No leaf that was listed leads to it."""
        self.sql("CREATE TABLE p (id int, secret text) PARTITION BY LIST (id);"
                 " CREATE TABLE p1 PARTITION OF p FOR VALUES IN (1);"
                 " CREATE TABLE m PARTITION OF p FOR VALUES IN (2, 3)"
                 " PARTITION BY LIST (id);"
                 " CREATE TABLE n PARTITION OF m FOR VALUES IN (3)"
                 " PARTITION BY LIST (id);"
                 " CREATE TABLE loose (id int, secret text)")
        self.sql("INSERT INTO loose VALUES (2, %s)", self.old)
        self.tool.configure(p={"columns": "secret"})
        self.assertExit(0, self.ask())
        create = "CREATE TABLE m2 PARTITION OF m FOR VALUES IN (2)"
        for statements in (
                (create, "INSERT INTO m2 VALUES (2, %(old)s)"),
                (create, "INSERT INTO m VALUES (2, %(old)s)"),
                ("CREATE TABLE n3 PARTITION OF n FOR VALUES IN (3)",
                 "INSERT INTO n3 VALUES (3, %(old)s)"),
                ("ALTER TABLE m ATTACH PARTITION loose FOR VALUES IN (2)",)):
            with self.subTest(statements):
                writer = self.writer(*statements)
                results = (self.ask("--retire", "k2023"),
                           self.tool.rotate(*NOT_LONG))
                writer.rollback()
                for result in results:
                    self.assertExit(6, result)
        self.assertExit(0, self.ask())

    def test_a_partition_that_came_while_it_waited_is_read(self):
        self.sql("CREATE TABLE p (id int, secret text) PARTITION BY"
                 " RANGE (id); CREATE TABLE p1 PARTITION OF p"
                 " FOR VALUES FROM (0) TO (10)")
        self.tool.configure(p={"columns": "secret"})
        writer = self.writer("INSERT INTO p1 VALUES (1, NULL)")
        run = self.verify_until(self.asks_for_locks, "--wait", "60s")
        self.sql("CREATE TABLE q (id int, secret text)")
        self.sql("INSERT INTO q VALUES (15, %s)", self.old)
        self.sql("ALTER TABLE p ATTACH PARTITION q FOR VALUES FROM (10)"
                 " TO (20)")
        writer.commit()
        result = run.finish()
        self.assertExit(1, result)
        self.assertEqual(result.findings[0]["table"], "public.q")


class Snapshot(Base):
    """Two partitions; the first has a gate at which readers wait, and one old
    row in the second changes sides meanwhile."""

    def setUp(self):
        super().setUp()
        self.sql("CREATE TABLE p (id int, secret text, part int)"
                 " PARTITION BY LIST (part);"
                 "CREATE TABLE p0 PARTITION OF p FOR VALUES IN (0);"
                 "CREATE TABLE p1 PARTITION OF p FOR VALUES IN (1)")
        self.sql("INSERT INTO p SELECT i, secret, 0 FROM"
                 " generate_series(1, 9) i, t WHERE t.id = 1")
        self.sql("INSERT INTO p VALUES (100, %s, 1)", self.old)
        self.sql("CREATE FUNCTION gate(part int) RETURNS boolean LANGUAGE"
                 " sql AS $$ SELECT part <> 0 OR"
                 f" pg_advisory_xact_lock_shared({GATE}) IS NOT NULL $$")
        self.tool.configure(p={"columns": "secret",
                               "where": "public.gate(t.part)"})

    @contextlib.contextmanager
    def gate(self):
        """Shut, until the block ends."""
        keeper = self.connect()
        keeper.cursor().execute(f"SELECT pg_advisory_lock({GATE})")
        try:
            yield
        finally:
            keeper.close()

    def waits_at_gate(self):
        return self.value("SELECT count(*) FROM pg_locks WHERE locktype ="
                          " 'advisory' AND NOT granted") > 0

    def second_is_done(self):
        """The reader that is not at the gate; it keeps its locks or not."""
        return self.value(
            "SELECT count(*) FROM pg_stat_activity WHERE application_name"
            " = 'pgrekey' AND state LIKE 'idle%%' AND"
            " (query = 'COMMIT' OR query LIKE '%%pg_relation_filenode%%')")

    def hop(self):
        self.sql("UPDATE p SET part = 0 WHERE id = 100")

    def test_a_row_that_hops_to_where_was_read_is_found(self):
        with self.gate():
            run = self.verify_until(self.waits_at_gate, "--workers", 1)
            self.hop()
        result = run.finish()
        self.assertExit(1, result)
        self.assertEqual(result.findings[0]["table"], "public.p1")
        self.assertEqual(result.column("secret")["scanned"], 10)

    def test_a_snapshot_per_range_misses_it_and_does_not_say_clean(self):
        with self.gate():
            run = self.verify_until(self.waits_at_gate, "--workers", 1,
                                    "--snapshot", "range")
            self.hop()
        result = run.finish()
        self.assertEqual(result.column("secret")["verdicts"], {"current": 9},
                         "the hazard did not occur")
        self.assertExit(6, result)

    def test_all_readers_share_one_snapshot(self):
        """The second connects when the first is at the gate, and the row has
        hopped by then."""
        with self.gate():
            run = self.verify_until(
                self.waits_at_gate, "--workers", 2,
                env={"PGOPTIONS": "-c post_auth_delay=1"})
            self.hop()
            self.assertLessEqual(self.value(
                "SELECT count(*) FROM pg_stat_activity WHERE"
                " query LIKE 'COPY%%' AND pid <> pg_backend_pid()"), 1,
                "the second reader was too quick")
            self.until(self.second_is_done, "the second reader is done")
        result = run.finish()
        self.assertExit(1, result)
        self.assertEqual(result.findings[0]["table"], "public.p1")

    @contextlib.contextmanager
    def rewriting(self):
        """SET UNLOGGED is blind to older snapshots, as is TRUNCATE; does it
        while the block runs, or when it gets the lock."""
        other = self.connect()
        thread = threading.Thread(target=other.cursor().execute, args=[
            "ALTER TABLE p1 SET UNLOGGED"])
        thread.start()
        try:
            yield thread
        finally:
            thread.join()

    SWAP = ("BEGIN; ALTER TABLE p1 RENAME TO p2;"
            " CREATE TABLE p1 (id int, secret text, part int); COMMIT")

    def verify_sees(self, change, undone,
                    said="was rewritten, truncated or replaced"):
        """A change of p1 while verify reads another table is an error."""
        for how in ((), ("--quick",)):
            with self.subTest(how):
                with self.gate():
                    run = self.verify_until(self.waits_at_gate, *how,
                                            "--workers", 1)
                    self.sql(change)
                result = run.finish()
                self.assertExit(4, result)
                self.assertIn(f"public.p1 {said}", result.err)
                self.assertIn("run it again", result.err)
                self.sql(undone)
        self.assertExit(1, self.tool.verify())

    def rotate_ends(self, change):
        """How, with a change of p1 while the proof reads another table."""
        self.assertExit(0, self.tool.rotate())
        writer = self.writer("INSERT INTO p VALUES (200, %(old)s, 1)")
        run = self.start("--wait", "60s", "--workers", 1)
        self.until(self.asks_for_locks, "rotate waits for the writer")
        with self.gate():
            writer.commit()
            self.until(self.waits_at_gate, "the proof is under way")
            self.sql(change)
        return run.finish()

    def rotate_sees(self, change):
        """The proof of rotate lists the tables anew, and misses nothing."""
        self.assertExit(0, self.rotate_ends(change))
        self.assertEqual(set(self.labels("p", "secret")), {"k2025"})

    def test_a_table_that_is_rewritten_behind_the_snapshot_is_not_empty(self):
        self.verify_sees("ALTER TABLE p1 SET UNLOGGED",
                         "ALTER TABLE p1 SET LOGGED")

    def test_neither_is_it_for_the_proof_of_rotate(self):
        self.rotate_sees("ALTER TABLE p1 SET UNLOGGED")

    def test_a_table_that_took_the_name_of_another_is_not_that_one(self):
        """What p1 names then is younger than any snapshot."""
        self.verify_sees(self.SWAP,
                         "DROP TABLE p1; ALTER TABLE p2 RENAME TO p1")

    def test_nothing_else_is_blamed_where_a_partition_was_dropped(self):
        self.sql("CREATE TABLE kept AS TABLE p1")
        self.verify_sees("DROP TABLE p1",
                         "CREATE TABLE p1 PARTITION OF p FOR VALUES IN (1);"
                         " INSERT INTO p1 TABLE kept",
                         "was dropped before it was looked at")

    def test_neither_is_it_for_the_proof_of_rotate_which_lists_anew(self):
        self.rotate_sees(self.SWAP)

    HIDE = ("CREATE POLICY hide ON p1 USING (false);"
            " ALTER TABLE p1 ENABLE ROW LEVEL SECURITY")

    def test_rows_hidden_meanwhile_are_an_error(self):
        """By a policy that was not there when the tables were listed."""
        self.role("SELECT ON p, p0, p1")
        with self.gate():
            run = self.verify_until(self.waits_at_gate, "--workers", 1)
            self.sql(self.HIDE)
        self.assertExit(4, run.finish())

    def test_rows_hidden_meanwhile_do_not_deceive_the_proof_of_rotate(self):
        self.role(f"CREATE ON DATABASE {self.database}",
                  "SELECT, UPDATE ON p, p0, p1")
        self.assertExit(4, self.rotate_ends(self.HIDE))

    def test_a_reader_that_is_done_holds_up_nobody(self):
        with self.gate():
            run = self.verify_until(self.waits_at_gate, "--workers", 2)
            self.until(self.second_is_done, "the second reader is done")
            with self.rewriting() as rewriting:
                rewriting.join(20)
                self.assertFalse(rewriting.is_alive(), "it waits for verify")
        self.assertExit(1, run.finish())

    def test_a_rewrite_while_it_reads_does_not_hang_it(self):
        """One reader is at the gate of p0. A second one, which waits behind
        ALTER TABLE for the same partition, is not waited for for ever."""
        self.sql("INSERT INTO p SELECT i, NULL, 0 FROM generate_series("
                 "1000, 600000) i")
        self.assertGreater(self.value(
            "SELECT pg_relation_size('p0') / 8192"), 2048, "two ranges")
        with self.gate():
            run = self.verify_until(
                self.waits_at_gate, "--workers", 2,
                env={"PGOPTIONS": "-c post_auth_delay=1"})
            other = self.connect()
            thread = threading.Thread(target=other.cursor().execute, args=[
                "ALTER TABLE p0 SET UNLOGGED"])
            thread.start()
            self.until(lambda: self.value(
                "SELECT count(*) FROM pg_locks WHERE NOT granted AND relation"
                " = 'p0'::regclass") == 2, "both wait")
        self.assertExit(4, run.finish())
        thread.join()

    def test_a_table_without_partitions_is_not_clean(self):
        self.sql("DROP TABLE p0, p1")
        self.assertExit(2, self.tool.verify())


class Standby(Base):
    def setUp(self):
        super().setUp()
        self.standby = self.cluster.standby()
        self.addCleanup(self.standby.close)
        self.tool.cluster = self.standby

    def replayed(self):
        """What is written now arrives, also of open transactions."""
        self.sql("CHECKPOINT")
        at = self.value("SELECT pg_current_wal_flush_lsn()")
        with contextlib.closing(self.standby.connect(self.database)) as there:
            cursor = there.cursor()

            def arrived():
                cursor.execute("SELECT pg_last_wal_replay_lsn() >= %s", [at])
                return cursor.fetchone()[0]
            self.until(arrived, "the standby replays")

    def test_it_answers_from_what_it_has_replayed(self):
        self.replayed()
        result = self.tool.verify(*NOT_LONG)
        self.assertExit(0, result)
        self.assertTrue(result.report["standby"])
        self.assertIn("standby", self.tool.run("verify", *NOT_LONG).out)
        self.sql("INSERT INTO t VALUES (0, %s)", self.old)
        self.replayed()
        result = self.tool.verify()
        self.assertExit(1, result)
        self.assertEqual(result.findings[0]["row"], {"id": "0"})
        self.assertExit(1, self.tool.verify("--retire", "k2023"))
        self.assertExit(1, self.tool.verify("--quick"))

    def test_a_writer_on_the_primary_makes_it_inconclusive(self):
        for later in (False, True):
            with self.subTest(later):
                writer = self.writer("UPDATE t SET secret = %(old)s"
                                     f" WHERE id = {1 + later}")
                if later:  # the writer is not the newest transaction
                    self.sql("CREATE TABLE later (id int)")
                self.replayed()
                result = self.tool.verify(*NOT_LONG)
                self.assertExit(6, result)
                self.assertIn("primary", result.report["writers"])
                if later:
                    writer.commit()
                    self.replayed()
                    self.assertExit(1, self.tool.verify(*NOT_LONG))
                else:
                    writer.rollback()
                    self.replayed()
                    self.assertExit(0, self.tool.verify(*NOT_LONG))


class Ends(Base):
    def setUp(self):
        super().setUp()
        self.sql("CREATE FUNCTION gate() RETURNS boolean LANGUAGE sql AS"
                 f" $$ SELECT pg_advisory_xact_lock_shared({GATE})"
                 " IS NOT NULL $$")

    def test_a_signal_ends_it_with_5_and_nothing_proven(self):
        self.writer(INSERT)
        run = self.verify_until(self.asks_for_locks, "--wait", "60s")
        run.send(signal.SIGTERM)
        result = run.finish()
        self.assertExit(5, result)
        self.assertFalse(result.report["complete"])

    def shut(self, *arguments):
        """verify, waiting in the middle of a row; its sessions' keeper."""
        self.tool.configure(t={"columns": "secret",
                               "where": "public.gate()"})
        keeper = self.connect()
        keeper.cursor().execute(f"SELECT pg_advisory_lock({GATE})")
        return self.verify_until(self.is_shut, *arguments), keeper

    def is_shut(self):
        return self.value("SELECT count(*) FROM pg_locks WHERE locktype ="
                          " 'advisory' AND NOT granted") > 0

    def assertStopped(self, run):
        result = run.finish()
        self.assertExit(5, result)
        self.assertFalse(result.report["complete"])
        self.assertLess(result.seconds, 8)
        self.assertNotIn("does not answer", result.err)

    def test_a_second_signal_does_not_wait_for_the_server(self):
        run, _ = self.shut()
        run.send(signal.SIGTERM)
        time.sleep(0.2)
        self.assertTrue(run.running())
        run.send(signal.SIGTERM)
        self.assertExit(5, run.finish())

    def test_a_session_that_the_server_ends_is_exit_4(self):
        run, keeper = self.shut()
        self.sql("SELECT pg_terminate_backend(pid) FROM pg_locks WHERE"
                 " locktype = 'advisory' AND NOT granted")
        keeper.close()
        self.assertExit(4, run.finish())

    def test_who_cancels_its_statement_has_not_stopped_it(self):
        for how in (), ("--quick",):
            run, keeper = self.shut(*how)
            self.sql("SELECT pg_cancel_backend(pid) FROM pg_locks WHERE"
                     " locktype = 'advisory' AND NOT granted")
            keeper.close()
            result = run.finish()
            self.assertExit(4, result)
            self.assertIn("57014", result.err)

    def test_max_runtime_ends_it_with_5(self):
        run, keeper = self.shut("--max-runtime", "300ms")
        time.sleep(1)
        keeper.close()
        result = run.finish()
        self.assertExit(5, result)
        self.assertFalse(result.report["complete"])

    def test_before_there_is_a_reader_it_stops_at_once(self):
        """A count is worth no wait either, nor is a table that is locked."""
        counts, _ = self.shut("--quick")
        counts.send(signal.SIGTERM)
        self.assertStopped(counts)
        self.until(lambda: not self.is_shut(), "it waits no more")
        limited = self.verify_until(self.is_shut, "--quick", "--max-runtime",
                                    "3s")
        self.assertStopped(limited)
        self.sql("CREATE TABLE locked (secret text)")
        holder = self.connect(autocommit=False)
        holder.cursor().execute("LOCK TABLE locked")
        self.tool.configure(locked={"columns": "secret"})
        waits = self.verify_until(
            lambda: self.value("SELECT count(*) FROM pg_locks WHERE relation ="
                               " 'locked'::regclass AND NOT granted") > 0,
            "--max-runtime", "3s", "--wait", "0s")
        self.assertStopped(waits)

    def test_no_longer_than_its_time_is_a_writer_waited_for(self):
        self.writer(INSERT)
        result = self.tool.verify("--wait", "60s", "--max-runtime", "1s")
        self.assertExit(5, result)
        self.assertLess(result.seconds, 5)


if __name__ == "__main__":
    unittest.main()
