"""Gentle: rotate waits where it is asked to, says why, and goes on."""
import contextlib
import os
import signal
import subprocess
import sys
import tempfile
import threading
import time
import unittest
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from lib import zoo  # noqa: E402
from lib.pgrekey import scaled  # noqa: E402
from lib.scene import Scene  # noqa: E402


RATE = "max_rows_per_second is reached"


def setUpModule():
    Scene.open()


class Base(Scene):
    ROWS = scaled(3000, 1000)

    def setUp(self):
        super().setUp()
        self.sql("CREATE TABLE t (id int PRIMARY KEY, secret text)")
        zoo.copy_rows(self.admin, "t", ("id", "secret"), (
            (i, self.ring.seal(zoo.plain(str(i)), "k2023", zoo.THEN))
            for i in range(self.ROWS)))
        self.before = self.look()

    def configure(self, **rotate):
        self.tool.configure(rotate={"batch_rows": 50, **rotate},
                            t={"columns": "secret"})

    def look(self):
        return self.snapshot("t", "secret")

    def written(self):
        return self.value("SELECT count(*) FROM t"
                          " WHERE secret LIKE 'enc:fernet:k2025:%%'")

    def status(self):
        """What it says of the run, if there is one."""
        result = self.tool.run("status", "--output", "json")
        return (result.report["runs"] or [None])[0]

    def waiting(self):
        run = self.status()
        return run and run["waiting"]

    def progress(self, run, words):
        """The progress line says so."""
        def asked():
            run.send(signal.SIGUSR1)
            return words in run.said()
        self.until(asked, words, pause=0.3)

    def holds(self, words):
        """The run comes to a stop, for a reason that is said, and writes
        nothing while it lasts."""
        self.until(lambda: words in (self.waiting() or ""), words)
        time.sleep(0.3)
        seen = self.written()
        self.assertLess(seen, self.ROWS)
        time.sleep(1)
        self.assertEqual(self.written(), seen)

    def goes_on(self, run):
        result = run.finish()
        self.assertExit(0, result)
        self.assertRight(self.before, self.look())
        return result


class Rate(Base):
    def test_no_more_rows_per_second_than_asked_are_written(self):
        self.configure(max_rows_per_second=self.ROWS // 3)
        result = self.tool.rotate()
        self.assertExit(0, result)
        self.assertRight(self.before, self.look())
        self.assertGreater(result.seconds, 2)

    def test_two_processes_share_the_rate(self):
        self.configure(max_rows_per_second=self.ROWS // 4, chunk_bytes="1MiB")
        began = time.monotonic()
        runs = [self.start(), self.start()]
        for run in runs:
            self.assertExit(0, run.finish())
        self.assertGreater(time.monotonic() - began, 2.5)
        self.assertRight(self.before, self.look())

    def test_it_is_a_reason_that_status_progress_and_log_give(self):
        self.configure(max_rows_per_second=self.ROWS // 6)
        run = self.start()
        self.until(lambda: self.waiting() == RATE, RATE)
        seen = self.status()
        self.assertEqual((seen["state"], seen["paused"]), ("running", None))
        self.assertIn(f"waiting: {RATE}\n", self.tool.run("status").out)
        self.progress(run, "rate limited")
        self.assertRegex(run.said(), r"public\.t  \d+ %.*  rate limited")
        result = self.goes_on(run)
        self.assertEqual(result.err.count(RATE), 1)
        self.assertIsNone(self.waiting())
        self.until_alone()
        self.assertLess(self.value(
            "SELECT n_tup_upd FROM pg_stat_user_tables WHERE"
            " schemaname = 'pgrekey' AND relname = 'worker'"), 20)

    def test_workers_that_came_back_say_it_as_well(self):
        self.configure(max_rows_per_second=self.ROWS // 6)
        run = self.start(patience=60)
        self.until(lambda: self.waiting() == RATE, RATE)
        first = self.value("SELECT max(id) FROM pgrekey.worker")
        self.sql("SELECT pg_terminate_backend(backend_pid)"
                 " FROM pgrekey.worker")
        self.until(lambda: self.waiting() == RATE and self.value(
            "SELECT max(id) FROM pgrekey.worker WHERE waiting IS NOT NULL")
            > first, "the new ones say so")
        self.goes_on(run)

    def test_another_process_that_waits_for_more_is_heard(self):
        self.configure(max_rows_per_second=self.ROWS // 6)
        run = self.start()
        self.until(lambda: self.waiting() == RATE, RATE)
        self.sql("INSERT INTO pgrekey.worker (run_id, os_user, host, os_pid,"
                 " backend_pid, backend_start, waiting) SELECT max(id), 'x',"
                 " 'x', 1, pid, backend_start, 'the other one knows'"
                 " FROM pgrekey.run, pg_stat_activity WHERE"
                 " pid = pg_backend_pid() GROUP BY pid, backend_start")
        self.assertEqual(self.waiting(), "the other one knows")
        self.sql("DELETE FROM pgrekey.worker WHERE host = 'x'")
        self.goes_on(run)

    def test_a_stop_ends_the_wait(self):
        self.configure(max_rows_per_second=1)
        run = self.start()
        self.until(lambda: self.written() > 0, "the first batch")
        run.send(15)
        result = run.finish()
        self.assertExit(5, result)
        self.assertLess(self.written(), self.ROWS)


class Query(Base):
    def setUp(self):
        super().setUp()
        self.sql("CREATE TABLE busy AS SELECT true AS yes")

    def slow(self, **more):
        """Slow enough that the run is seen."""
        self.configure(max_rows_per_second=self.ROWS // 4, **more)

    def test_a_query_that_says_true_holds_the_run(self):
        self.slow(throttle_query="SELECT yes FROM busy")
        run = self.start()
        self.holds("throttle_query")
        self.assertEqual(self.written(), 0)
        self.sql("UPDATE busy SET yes = false")
        result = self.goes_on(run)
        self.assertIn("waiting: throttle_query", result.err)
        self.assertIn("going on", result.err)

    def test_it_says_more_than_the_rate_and_is_no_pause(self):
        self.sql("UPDATE busy SET yes = false")
        self.slow(throttle_query="SELECT yes FROM busy")
        run = self.start()
        self.until(lambda: self.waiting() == RATE, RATE)
        self.sql("UPDATE busy SET yes = true")
        self.holds("throttle_query says so")
        seen = self.status()
        self.assertEqual((seen["state"], seen["paused"]), ("running", None))
        text = self.tool.run("status").out
        self.assertIn("waiting: throttle_query says so\n", text)
        self.assertNotIn("resume", text)
        self.progress(run, "waiting: throttle_query says so")
        self.sql("UPDATE busy SET yes = false")
        self.until(lambda: self.waiting() == RATE, RATE)
        self.goes_on(run)

    def test_who_waits_keeps_its_chunk(self):
        lease = "SELECT max(lease_until) FROM pgrekey.chunk"
        self.slow(throttle_query="SELECT yes FROM busy", chunk_bytes="1MiB")
        run = self.start()
        self.holds("throttle_query")
        before = self.value(lease)
        self.until(lambda: self.value(lease) > before, "a lease is renewed")
        self.sql("UPDATE busy SET yes = false")
        self.goes_on(run)

    def test_a_query_that_fails_later_holds_the_run(self):
        self.sql("UPDATE busy SET yes = false")
        self.slow(throttle_query="SELECT 1 / (1 - yes::int) > 1 FROM busy")
        run = self.start()
        self.until(lambda: self.written() > 0, "the first batch")
        self.sql("UPDATE busy SET yes = true")
        self.holds("throttle_query failed: SQLSTATE 22012")
        self.sql("UPDATE busy SET yes = false")
        self.goes_on(run)

    def test_it_is_looked_at_again_after_the_connection_was_lost(self):
        self.slow(throttle_query="SELECT yes FROM busy")
        run = self.start(patience=60)
        self.holds("throttle_query")
        self.assertTrue(self.end_main())
        self.sql("UPDATE busy SET yes = false")
        self.goes_on(run)

    @contextlib.contextmanager
    def without_main(self):
        """The session that looks has ended, and no other one may begin; those
        of the workers are left alone."""
        elsewhere = self.cluster.connect("postgres")
        self.addCleanup(elsewhere.close)

        def allow(yes):
            elsewhere.cursor().execute(
                f'ALTER DATABASE "{self.database}" ALLOW_CONNECTIONS {yes}')
        allow("false")
        try:
            self.assertTrue(self.end_main())
            yield
        finally:
            allow("true")

    def end_main(self):
        return self.sql(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE"
            " datname = current_database() AND application_name LIKE 'pgrekey%'"
            " AND pid NOT IN (SELECT backend_pid FROM pgrekey.worker)")

    def test_a_signal_that_cannot_be_read_any_more_holds_the_run(self):
        self.slow(throttle_query="SELECT yes FROM busy")
        run = self.start(patience=60)
        self.holds("throttle_query")
        seen = self.written()
        with self.without_main():
            time.sleep(3)
            self.assertEqual(self.written(), seen)
        self.sql("UPDATE busy SET yes = false")
        self.goes_on(run)

    def test_without_signals_nobody_waits_for_one_who_looks(self):
        self.slow(max_replica_lag="0s")
        run = self.start()
        self.until(lambda: self.written() > 0, "the first batch")
        with self.without_main():
            self.until(lambda: self.written() == self.ROWS, "it goes on")
        self.goes_on(run)

    def test_a_query_cannot_write(self):
        self.sql("UPDATE busy SET yes = false")
        self.sql("CREATE FUNCTION meddle() RETURNS boolean LANGUAGE plpgsql AS"
                 " 'BEGIN IF (SELECT yes FROM public.busy) THEN"
                 " UPDATE public.busy SET yes = false; END IF;"
                 " RETURN false; END'")
        self.slow(throttle_query="SELECT meddle()")
        run = self.start()
        self.until(lambda: self.written() > 0, "the first batch")
        self.sql("UPDATE busy SET yes = true")
        self.holds("throttle_query failed: SQLSTATE 25006")
        run.send(15)
        self.assertExit(5, run.finish())
        self.assertTrue(self.value("SELECT yes FROM busy"))


class Signals(Base):
    def test_a_standby_that_lags_holds_the_run(self):
        standby = self.cluster.standby()
        self.addCleanup(standby.close)
        with standby.connect(self.database) as replica:
            replica.cursor().execute("SELECT pg_wal_replay_pause()")
            self.configure(max_rows_per_second=self.ROWS // 6,
                           max_replica_lag="1s")
            run = self.start()
            self.holds("a standby lags")
            replica.cursor().execute("SELECT pg_wal_replay_resume()")
            # The lag of what was replayed late is over with the next record.
            self.until(lambda: self.sql("SELECT pg_logical_emit_message("
                                        "true, 'x', 'x')")
                       and not run.running(), "it goes on", 60, 0.5)
        self.goes_on(run)

    def test_a_standby_that_catches_up_holds_the_run(self):
        """What its lag says then is no measure: the clock starts with what is
        sent."""
        standby = self.cluster.standby()
        self.addCleanup(standby.close)
        standby.stop()
        for _ in range(20):
            self.sql("SELECT pg_logical_emit_message(true, 'x', 'x')")
            self.sql("SELECT pg_switch_wal()")
        stopped = []

        def stop_sender():
            stopped.extend(self.until(lambda: self.sql(
                "SELECT pid FROM pg_stat_replication WHERE state = 'catchup'"
                " AND replay_lsn IS NOT NULL"), "it catches up", pause=0)[0])
            os.kill(stopped[0], signal.SIGSTOP)
        # The server has to be a child of this thread, which outlives it.
        catcher = threading.Thread(target=stop_sender)
        catcher.start()
        standby.start()
        catcher.join()
        try:
            self.assertEqual(self.sql(
                "SELECT state, pg_current_wal_lsn() - replay_lsn > 256 << 20"
                " FROM pg_stat_replication"), [("catchup", True)])
            self.configure(max_rows_per_second=self.ROWS // 6)
            run = self.start()
            self.holds("a standby that catches up is ")
        finally:
            for pid in stopped:
                os.kill(pid, signal.SIGCONT)
        self.goes_on(run)

    def test_a_standby_that_goes_away_holds_the_run_until_it_is_back(self):
        standby = self.cluster.standby()
        self.addCleanup(standby.close)
        self.configure(max_rows_per_second=self.ROWS // 6)
        run = self.start()
        self.until(lambda: self.written() > 0, "the first batch")
        standby.stop()
        self.holds("1 of 1 standbys gone since the start (max_replica_lag)")
        standby.start()
        self.assertIn("waiting: 1 of 1 standbys gone", self.goes_on(run).err)

    def test_who_only_keeps_wal_is_no_standby(self):
        with tempfile.TemporaryDirectory(prefix="pgrekey-") as folder:
            keeper = subprocess.Popen(
                [self.cluster.bin / "pg_receivewal", "-D", folder, "-U",
                 "postgres", "-h", self.cluster.socket])
            try:
                self.until(lambda: self.sql(
                    "SELECT 1 FROM pg_stat_replication WHERE state ="
                    " 'streaming'"), "it streams")
                self.configure(max_rows_per_second=self.ROWS // 6)
                run = self.start()
                self.until(lambda: self.written() > 0, "the first batch")
            finally:
                keeper.terminate()
                keeper.wait()
        self.assertNotIn("gone", self.goes_on(run).err)

    def test_a_standby_that_is_idle_does_not(self):
        standby = self.cluster.standby()
        self.addCleanup(standby.close)
        self.until(lambda: self.value("SELECT bool_and(replay_lag IS NULL)"
                                      " FROM pg_stat_replication"), "idle", 60)
        self.configure(max_replica_lag="1s")
        result = self.tool.rotate()
        self.assertExit(0, result)
        self.assertNotIn("max_replica_lag", result.err)


class Unseen(Base):
    """Signals that the role may not read."""

    def setUp(self):
        super().setUp()
        self.name = self.role(f"CREATE ON DATABASE {self.database}",
                              "SELECT, UPDATE ON t")

    def standby(self):
        standby = self.cluster.standby()
        self.addCleanup(standby.close)

    def test_a_role_that_cannot_see_the_lag_is_told_so(self):
        self.standby()
        self.configure()
        result = self.tool.rotate()
        self.assertExit(0, result)
        self.assertEqual(result.err.count("max_replica_lag is off"), 1)
        self.assertIn("GRANT pg_monitor", result.err)

    def test_it_is_told_so_when_there_is_a_standby(self):
        self.configure(max_rows_per_second=self.ROWS // 6)
        run = self.start()
        self.until(lambda: self.written() > 0, "the first batch")
        self.assertNotIn("max_replica_lag", run.said())
        self.standby()
        self.until(lambda: "max_replica_lag is off" in run.said(), "it says so")
        result = self.goes_on(run)
        self.assertEqual(result.err.count("max_replica_lag"), 1)

    def test_a_lag_that_cannot_be_seen_any_more_holds_the_run(self):
        self.standby()
        self.sql(f"GRANT pg_monitor TO {self.name}")
        self.configure(max_rows_per_second=self.ROWS // 6)
        run = self.start()
        self.until(lambda: self.written() > 0, "the first batch")
        self.sql(f"REVOKE pg_monitor FROM {self.name}")
        self.holds("the role cannot see the standbys' lag (GRANT pg_monitor)")
        self.sql(f"GRANT pg_monitor TO {self.name}")
        self.assertNotIn("is off", self.goes_on(run).err)

    def test_views_and_functions_that_are_closed_to_it_are_named(self):
        for what in ("SELECT ON pg_replication_slots",
                     "SELECT ON pg_stat_replication",
                     "SELECT ON pg_stat_all_tables",
                     "EXECUTE ON FUNCTION pg_blocking_pids"):
            self.sql(f"REVOKE {what} FROM PUBLIC")
        self.configure(max_slot_wal="1MiB", max_dead_rows=1)
        result = self.tool.rotate()
        self.assertExit(0, result)
        for signal_, thing in (
                ("max_replica_lag", "pg_stat_replication"),
                ("max_slot_wal", "pg_replication_slots"),
                ("max_dead_rows", "pg_stat_all_tables"),
                ("the look for sessions that wait for us",
                 "pg_blocking_pids")):
            self.assertRegex(result.err, f"{signal_} is off: .*{thing}")

    def test_one_that_is_closed_later_holds_the_run(self):
        self.configure(max_rows_per_second=self.ROWS // 6)
        run = self.start()
        self.until(lambda: self.written() > 0, "the first batch")
        self.sql("REVOKE SELECT ON pg_stat_replication FROM PUBLIC")
        self.holds("what the server is doing cannot be read: SQLSTATE 42501")
        self.sql("GRANT SELECT ON pg_stat_replication TO PUBLIC")
        self.goes_on(run)


class Slots(Base):

    def test_a_slot_that_keeps_wal_holds_the_run(self):
        self.sql("SELECT pg_create_physical_replication_slot('lazy', true)")
        self.configure(max_rows_per_second=self.ROWS // 6,
                       max_slot_wal="1MiB")
        run = self.start()
        self.until(lambda: self.written() > 0, "the first batch")
        self.sql("CREATE TABLE noise AS SELECT repeat(md5(i::text), 50)"
                 " FROM generate_series(1, 2000) AS i")
        self.holds("a replication slot keeps")
        self.sql("SELECT pg_drop_replication_slot('lazy')")
        self.goes_on(run)

    def test_dead_rows_hold_the_run(self):
        self.configure(max_rows_per_second=self.ROWS // 6, max_dead_rows=500)
        self.sql("UPDATE t SET id = id + 1000000")
        self.sql("UPDATE t SET id = id - 1000000")
        self.before = self.look()
        run = self.start()
        self.holds("dead rows wait for vacuum")
        self.until(lambda: self.sql("VACUUM t") is None
                   and not run.running(), "it goes on", 60, 0.5)
        self.goes_on(run)


class Waiters(Base):
    def setUp(self):
        super().setUp()
        self.sql("CREATE TABLE other AS SELECT 1 AS x")
        self.configure(max_rows_per_second=self.ROWS // 6)
        self.run_ = self.start()
        self.until(lambda: self.written() > 0, "the first batch")
        self.worker = self.session()
        self.worker.execute(
            "INSERT INTO pgrekey.worker (run_id, os_user, host, os_pid,"
            " backend_pid, backend_start) SELECT max(id), 'x', 'x', 1,"
            " pg_backend_pid(), (SELECT backend_start FROM pg_stat_activity"
            " WHERE pid = pg_backend_pid()) FROM pgrekey.run")

    def session(self):
        connection = self.cluster.connect(self.database)
        connection.autocommit = True
        self.addCleanup(connection.close)
        return connection.cursor()

    @contextlib.contextmanager
    def waiter(self, sql):
        """A session that waits for what the worker holds."""
        self.worker.execute("BEGIN")
        self.worker.execute(sql)
        waiter = self.session()
        thread = threading.Thread(target=waiter.execute, args=(sql,))
        thread.start()
        try:
            pid = waiter.connection.get_backend_pid()
            self.until(lambda: self.value(
                "SELECT count(*) FROM pg_locks WHERE NOT granted AND pid = "
                + str(pid)), "the wait")
            yield
        finally:
            self.worker.execute("ROLLBACK")
            thread.join()

    def test_a_stranger_that_waits_for_a_worker_holds_the_run(self):
        with self.waiter("UPDATE other SET x = 2"):
            self.holds("1 session waits for a lock of ours")
        self.goes_on(self.run_)

    def test_workers_that_wait_for_each_other_do_not(self):
        with self.waiter("UPDATE pgrekey.version SET version = version"):
            self.assertTrue(self.run_.running())
            result = self.goes_on(self.run_)
        self.assertGreater(result.seconds, 3)
        self.assertNotIn("wait for a lock of ours", result.err)


class Triggers(Base):
    def setUp(self):
        super().setUp()
        self.audit("t")

    def test_triggers_fire_unless_told_otherwise(self):
        self.configure()
        self.assertExit(0, self.tool.rotate())
        self.assertEqual(self.value("SELECT count(*) FROM audit"), self.ROWS)

    def test_triggers_are_suppressed_where_the_role_may(self):
        self.configure(triggers="suppress")
        self.assertExit(0, self.tool.rotate())
        self.assertEqual(self.value("SELECT count(*) FROM audit"), 0)
        self.assertRight(self.before, self.look())

    def test_a_role_that_may_not_is_told_so_before_the_first_write(self):
        self.role(f"CREATE ON DATABASE {self.database}", "SELECT, UPDATE ON t")
        self.configure(triggers="suppress", max_replica_lag="0s")
        result = self.tool.rotate()
        self.assertExit(4, result)
        self.assertIn("session_replication_role", result.err)
        self.assertUntouched(self.before, self.look())


if __name__ == "__main__":
    unittest.main()
