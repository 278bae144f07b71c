"""The server fails, sessions end, processes freeze: no row is lost, and the
run ends complete by itself. Each test fails when its hazard did not occur."""
import contextlib
import signal
import sys
import time
import unittest
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

import psycopg2  # noqa: E402

from lib import zoo  # noqa: E402
from lib.pgrekey import scaled  # noqa: E402
from lib.scene import Scene  # noqa: E402


def setUpModule():
    # A crash is to be survived with what a server promises. A batch's time
    # limit follows the server's patience with deadlocks.
    Scene.open(fsync=True, deadlock_timeout="5s", max_connections="12")


class Faults(Scene):
    ROWS = scaled(20_000, 3000)

    def setUp(self):
        super().setUp()
        self.sql("CREATE TABLE t (id int PRIMARY KEY, secret text, note text)")
        zoo.copy_rows(self.admin, "t", ("id", "secret"), (
            (i, self.ring.seal(zoo.plain(str(i)), ("k2023", "k2024")[i % 2],
                               zoo.THEN + i)) for i in range(self.ROWS)))
        self.sql("ANALYZE t")
        self.tool.configure(
            rotate={"batch_rows": 50, "chunk_bytes": "1MiB", "workers": 2},
            t={"columns": "secret"})
        self.before = self.look()

    def look(self):
        return self.snapshot("t", "secret")

    def done(self):
        return self.value("SELECT count(*) FROM t WHERE"
                          " starts_with(secret, 'enc:fernet:k2025:')")

    def slow(self):
        """Every batch takes a while, so that there is a middle to hit."""
        self.sql("CREATE FUNCTION slow() RETURNS trigger LANGUAGE plpgsql AS"
                 " 'BEGIN PERFORM pg_sleep(0.02); RETURN NULL; END'")
        self.sql("CREATE TRIGGER slow AFTER UPDATE ON t FOR EACH STATEMENT"
                 " EXECUTE FUNCTION slow()")

    def begun(self, *arguments, beyond=0, **more):
        run = self.start(*arguments, **more)
        self.until_beyond(run, beyond)
        return run

    def until_beyond(self, run, done):
        self.until(lambda: self.done() > done or not run.running(),
                   f"more than {done} rows are rotated")
        self.assertMiddle(run)

    def assertMiddle(self, run):
        self.assertTrue(run.running() and self.done() < self.ROWS,
                        "the hazard did not occur: the run was too fast")

    def assertComplete(self, *runs):
        for run in runs:
            result = run.finish()
            self.assertExit(0, result)
        self.assertRight(self.before, self.look())

    # -- the server ------------------------------------------------------------

    def restart(self, mode):
        self.cluster.stop(mode)
        time.sleep(0.3)  # so that somebody finds it closed
        self.cluster.start()
        self.admin = self.connect()

    def restarted(self, mode, times):
        self.slow()
        run = self.begun("--quiet")
        for _ in range(times):
            self.restart(mode)
            self.until_beyond(run, self.done())
        self.assertComplete(run)

    def test_crashes_of_the_server_again_and_again_cost_no_row(self):
        self.restarted("immediate", 4)

    def test_fast_restarts_again_and_again_cost_no_row(self):
        self.restarted("fast", 3)

    def test_a_restart_that_only_main_notices_is_no_failure(self):
        """Its own connection idles from the beginning to the end."""
        self.slow()
        run = self.begun("--quiet")
        self.assertEqual(self.value(
            "SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity"
            " WHERE datname = current_database() AND pid NOT IN"
            " (SELECT backend_pid FROM pgrekey.worker UNION"
            " SELECT pg_backend_pid())"), 1)
        self.assertMiddle(run)
        self.assertComplete(run)

    def test_a_server_that_says_later_is_waited_for(self):
        """It is shutting down: whoever is there may stay, nobody may come."""
        self.cluster.process.send_signal(signal.SIGTERM)
        self.until(lambda: not self.cluster.answers(), "it refuses")
        run = self.start()
        self.until(lambda: "again" in run.said() or not run.running(),
                   "the run waits")
        self.assertTrue(run.running(), "it gave up at once")
        self.assertEqual(self.value("SELECT to_regclass('pgrekey.run')"), None)
        self.admin.close()
        self.restart("fast")
        self.assertComplete(run)

    @contextlib.contextmanager
    def beside_a_standby(self):
        """A run that began and knows both servers."""
        self.slow()
        with self.cluster.standby() as standby:
            self.tool.connection = {
                "host": f"{self.cluster.socket},{standby.socket}",
                "target_session_attrs": "read-write"}
            yield standby, self.begun()

    def test_a_run_goes_on_at_the_promoted_standby(self):
        with self.beside_a_standby() as (standby, run):
            self.cluster.stop("immediate")
            self.addCleanup(self.cluster.start)
            self.admin = standby.connect(self.database)
            self.addCleanup(self.admin.close)
            self.assertTrue(self.value("SELECT pg_is_in_recovery()"))
            self.assertMiddle(run)
            self.assertTrue(self.value("SELECT pg_promote()"))
            self.assertComplete(run)
            self.assertEqual(
                self.sql("SELECT state FROM pgrekey.run"), [("complete",)])

    def test_a_run_leaves_a_primary_that_was_set_read_only_for_the_new_one(
            self):
        """It answers as before, main too, and takes nothing more."""
        with self.beside_a_standby() as (standby, run):
            self.addCleanup(self.read_only, self.admin, "off")
            self.read_only(self.admin, "on")
            self.assertMiddle(run)
            old, self.admin = self.admin, standby.connect(self.database)
            self.addCleanup(self.admin.close)
            self.until(lambda: "read-only" in run.said()
                       or not run.running(), "the run notices")
            self.assertTrue(self.value("SELECT pg_promote()"))
            self.assertComplete(run)
            self.assertEqual(
                self.sql("SELECT state FROM pgrekey.run"), [("complete",)])
            self.admin = old
            self.assertEqual(
                self.sql("SELECT state FROM pgrekey.run"), [("open",)])

    def read_only(self, admin, value):
        with admin.cursor() as cursor:
            cursor.execute("ALTER SYSTEM SET default_transaction_read_only ="
                           f" {value}")
            cursor.execute("SELECT pg_reload_conf()")

    # -- sessions --------------------------------------------------------------

    def terminate_workers(self):
        return self.value(
            "SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity"
            " WHERE pid IN (SELECT backend_pid FROM pgrekey.worker)"
            " AND datname = current_database()")

    def test_workers_terminated_again_and_again_get_on(self):
        self.slow()
        run = self.begun()
        ended = 0
        while ended < 30:
            ended += self.terminate_workers()
            self.until_beyond(run, self.done())
        self.assertComplete(run)
        # One connection each would not have been enough for that.
        self.assertGreater(
            self.value("SELECT count(*) FROM pgrekey.worker"), 20)

    # -- privileges ------------------------------------------------------------

    def test_a_privilege_taken_away_is_said_with_its_table_and_a_remedy(self):
        self.slow()
        role = self.role(f"CREATE ON DATABASE {self.database}")
        for privilege in ("UPDATE", "SELECT"):
            with self.subTest(privilege):
                self.sql(f"GRANT SELECT, UPDATE ON t TO {role}")
                run = self.begun(beyond=self.done())
                self.sql(f"REVOKE {privilege} ON t FROM {role}")
                self.assertMiddle(run)
                result = run.finish()
                self.assertExit(4, result)
                self.assertIn("pgrekey: public.t: the server refused: "
                              "SQLSTATE 42501", result.err)
                self.assertIn("`pgrekey check` names", result.err)
                self.assertIn(f"GRANT {privilege}",
                              self.tool.run("check").out)

    # -- connections -----------------------------------------------------------

    def occupy(self, free=0):
        """Takes all connections that the server has, but so many."""
        taken = []
        with contextlib.suppress(psycopg2.OperationalError):
            while True:
                taken.append(self.connect())
        clients = ("SELECT count(*) FROM pg_stat_activity"
                   " WHERE backend_type = 'client backend'")
        left = self.value(clients) - free
        for _ in range(free):
            taken.pop().close()
        self.until(lambda: self.value(clients) == left, "they are free")
        return taken

    def test_a_server_without_a_free_connection_is_waited_for(self):
        taken = self.occupy()
        run = self.start()
        self.until(lambda: "again" in run.said() or not run.running(),
                   "the run waits")
        self.assertTrue(run.running(), "it gave up at once")
        for connection in taken:
            connection.close()
        self.assertComplete(run)

    def test_workers_without_a_connection_leave_it_to_the_others(self):
        self.tool.configure(rotate={"workers": 3}, t={"columns": "secret"})
        writer = self.connect(autocommit=False)
        writer.cursor().execute("INSERT INTO t VALUES (-1)")
        self.occupy(free=2)  # for main and one worker
        run = self.start("--wait", "100s")
        self.until(lambda: run.said().count("gives up") == 2
                   or not run.running(), "two give up", 90, 0.1)
        self.assertTrue(run.running(), "they took the run with them")
        writer.rollback()
        self.assertComplete(run)
        self.assertEqual(
            self.value("SELECT count(*) FROM pgrekey.worker"), 1)

    # -- processes -------------------------------------------------------------

    def frozen(self):
        """A process that was frozen in the middle of a chunk, until its lease
        was over; and which chunk that is."""
        self.tool.configure(rotate={"batch_rows": 50, "workers": 1},
                            t={"columns": "secret"})
        self.slow()
        run = self.begun()
        self.freeze(run)
        self.assertMiddle(run)
        held = self.sql(
            "UPDATE pgrekey.chunk SET lease_until = clock_timestamp()"
            " - interval '1s' WHERE state = 'running' RETURNING no, epoch")
        self.assertEqual(len(held), 1)
        return run, held[0]

    def fenced(self):
        """Statements that ended at the fence: by a division by zero."""
        return self.cluster.server_log().count("ERROR:  22012")

    def test_a_process_frozen_beyond_its_lease_writes_nothing_stale(self):
        before = self.fenced()
        frozen, _ = self.frozen()
        self.assertExit(0, self.tool.rotate())
        after = self.look()
        self.assertRight(self.before, after)
        self.assertEqual(self.fenced(), before)
        frozen.send(signal.SIGCONT)
        self.assertExit(0, frozen.finish())
        self.assertUntouched(after, self.look())
        self.assertGreater(self.fenced(), before,
                           "the hazard did not occur: nothing was sent")

    def test_a_process_frozen_beyond_its_lease_does_not_meet_its_heir(self):
        """The chunk is still there, in the hands of the next one."""
        before = self.fenced()
        frozen, (number, epoch) = self.frozen()
        done = self.done()
        heir = self.start()
        self.until_beyond(heir, done)
        self.freeze(heir)
        self.assertMiddle(heir)
        self.assertGreater(self.value(
            "SELECT epoch FROM pgrekey.chunk WHERE no = %s"
            " AND state = 'running'", number), epoch)
        frozen.send(signal.SIGCONT)
        self.until(lambda: self.fenced() > before or not frozen.running(),
                   "what it sends ends at the fence")
        self.assertGreater(self.fenced(), before)
        heir.send(signal.SIGCONT)
        self.assertComplete(frozen, heir)


if __name__ == "__main__":
    unittest.main()
