"""Through PgBouncer: the same result, and nothing left behind in it."""
import signal
import sys
import unittest
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from lib import oracle, zoo  # noqa: E402
from lib.pgrekey import scaled  # noqa: E402
from lib.pooler import Pooler  # noqa: E402
from lib.scene import Scene  # noqa: E402

# PgBouncer itself carries these from client to client, and back.
CARRIED = {"application_name", "client_encoding", "DateStyle", "TimeZone",
           "standard_conforming_strings"}


def setUpModule():
    # A batch's time limit follows the server's patience with deadlocks.
    Scene.open(deadlock_timeout="5s")


class Through:
    """Tests for each mode."""

    MODE = None
    ROWS = scaled(8000, 2000)

    def setUp(self):
        super().setUp()
        self.sql("CREATE TABLE t (id int PRIMARY KEY, secret text, meta jsonb)")
        zoo.copy_rows(self.admin, "t", ("id", "secret", "meta"), (
            (i, self.old(i), oracle.wrap(self.old(i)))
            for i in range(self.ROWS)))
        self.sql("ANALYZE t")
        self.pooler = Pooler(self.cluster, self.MODE)
        self.addCleanup(self.pooler.close)
        self.tool.connection = self.pooler.settings(self.database)
        self.configure()

    def configure(self, **rotate):
        self.tool.configure(rotate={"chunk_bytes": "1MiB", **rotate},
                            t={"columns": "secret, meta"})

    def old(self, i):
        return self.ring.seal(zoo.plain(str(i)), ("k2023", "k2024")[i % 2],
                              zoo.THEN + i)

    def look(self):
        return self.snapshot("t", "secret", "meta")

    def done(self):
        return self.value("SELECT count(*) FROM t WHERE"
                          " starts_with(secret, 'enc:fernet:k2025:')")

    def leaked(self):
        """{(name, value)} that some session of the pooler was left with."""
        return {(name, value) for rows in self.pooler.sessions(
            self.database, "SELECT name, setting FROM pg_settings"
            " WHERE source = 'session'") for name, value in rows
            if name not in CARRIED}

    def sessions(self):
        return {row[0] for row in self.sql(
            "SELECT pid FROM pg_stat_activity WHERE pid <> pg_backend_pid()"
            " AND datname = current_database()")}

    def test_everything_is_rotated_and_the_second_run_writes_nothing(self):
        before = self.look()
        result = self.tool.rotate()
        self.assertExit(0, result)
        self.assertEqual(result.err.count("pooler"), 1, result.err)
        after = self.look()
        self.assertRight(before, after)
        self.assertExit(0, self.tool.rotate())
        self.assertUntouched(after, self.look())

    def test_no_command_leaves_a_setting_behind(self):
        for command in ("check", "discover", "status"):
            self.assertIn(self.tool.run(command).status, (0, 1), command)
        self.assertEqual(self.leaked(), set())
        self.assertExit(0, self.tool.rotate())
        self.assertExit(0, self.tool.run("verify"))
        used = self.sessions()
        # Main's and two readers'. PgBouncer gives up those that somebody left
        # amid a transaction.
        self.assertGreaterEqual(len(used), 3)
        self.assertEqual(self.leaked(), set())
        asked = {row[0][0] for row in self.pooler.sessions(
            self.database, "SELECT pg_backend_pid()")}
        self.assertLessEqual(used, asked, "some session was not asked")

    def test_a_setting_that_is_left_behind_would_be_seen(self):
        client = self.pooler.connect(self.database)
        client.cursor().execute("SET jit = off")
        client.close()
        self.assertEqual(self.leaked(), {("jit", "off")})

    def test_settings_of_the_role_do_not_govern_its_transactions(self):
        before = self.look()
        for setting in ("statement_timeout = 200", "lock_timeout = 1",
                        "idle_in_transaction_session_timeout = 200",
                        "default_transaction_isolation = serializable",
                        "default_transaction_deferrable = on",
                        "bytea_output = escape"):
            self.sql(f"ALTER DATABASE {self.database} SET {setting}")
        # Reading the whole table takes longer than that.
        self.tool.configure(t={
            "columns": "secret, meta", "where":
            "(SELECT count(*) FROM generate_series(id, id + 1000)) > 0"})
        self.assertExit(0, self.tool.rotate("--dry-run"))
        self.assertExit(0, self.tool.rotate())
        self.assertExit(0, self.tool.run("verify"))
        self.admin = self.cluster.connect(
            self.database, options="-c statement_timeout=0")
        self.addCleanup(self.admin.close)
        self.assertRight(before, self.look())

    def test_verify_counts_the_same_and_a_dry_run_writes_nothing(self):
        before = self.look()
        self.assertExit(0, self.tool.rotate("--dry-run"))
        through = self.tool.run("verify", "--output", "json")
        self.tool.connection = {}
        direct = self.tool.run("verify", "--output", "json")
        self.assertExit(1, through)
        self.assertEqual(through.report["tables"], direct.report["tables"])
        self.assertEqual(direct.err.count("pooler"), 0, direct.err)
        self.assertUntouched(before, self.look())

    def begun(self):
        self.configure(workers=2, batch_rows=50)
        run = self.start()
        self.until(lambda: self.done() > 0 or not run.running(),
                   "something is written")
        self.assertTrue(run.running(), "the run was too fast")
        return run

    def test_killed_in_the_middle_the_next_start_goes_on(self):
        before = self.look()
        self.begun().kill()
        self.assertLess(self.done(), self.ROWS, "the run was too fast")
        result = self.tool.rotate()
        self.assertExit(0, result)
        # The lease is all that tells of the end of the first one.
        self.assertLess(result.seconds, 40)
        self.assertRight(before, self.look())

    def test_told_to_stop_it_hands_back_what_it_held_at_once(self):
        before = self.look()
        run = self.begun()
        run.send(signal.SIGTERM)
        self.assertExit(5, run.finish())
        result = self.tool.rotate("--no-join")
        self.assertExit(0, result)
        self.assertLess(result.seconds, 10)
        self.assertRight(before, self.look())

    def test_two_signals_cancel_what_runs_through_the_pooler(self):
        run = self.begun()
        self.sql("BEGIN")
        self.sql("LOCK TABLE t IN ACCESS EXCLUSIVE MODE")
        for _ in range(2):
            run.send(signal.SIGTERM)
            self.until(lambda: "stopping" in run.said(), "it was heard")
        result = run.finish()
        self.sql("ROLLBACK")
        self.assertExit(5, result)
        self.assertLess(result.seconds, 20)

    def test_no_join_sees_who_works_through_the_pooler(self):
        run = self.begun()
        result = self.tool.rotate("--no-join")
        self.assertExit(5, result)
        self.assertIn("active", result.err)
        self.assertExit(0, run.finish())

    def test_sessions_that_end_behind_the_pooler_cost_no_row(self):
        before = self.look()
        run = self.begun()
        for _ in range(3):
            self.sql("SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
                     " WHERE datname = current_database()"
                     " AND pid <> pg_backend_pid()")
            self.until(lambda: self.sessions() or not run.running(), "again")
        self.assertExit(0, run.finish())
        self.assertRight(before, self.look())


class SessionMode(Through, Scene):
    MODE = "session"


class TransactionMode(Through, Scene):
    MODE = "transaction"

    def test_a_proof_longer_than_the_lease_is_left_to_its_prover(self):
        """While it lasts nobody but main can say that the worker lives."""
        self.configure(workers=1)
        writer = self.connect(autocommit=False)
        writer.cursor().execute("INSERT INTO t VALUES (-1, NULL, NULL)")
        run = self.start("--wait", "60s")
        self.until(lambda: self.value("SELECT to_regclass('pgrekey.run')"),
                   "it begins")
        prover = self.until(
            lambda: self.value("SELECT max(prover) FROM pgrekey.run"),
            "the proof begins")
        self.sql("UPDATE pgrekey.worker SET alive_until ="
                 " clock_timestamp() + interval '4s'")
        self.until(
            lambda: self.value("SELECT alive_until > clock_timestamp()"
                               " + interval '5s' FROM pgrekey.worker"
                               " WHERE id = %s", prover),
            "main says that the prover lives", 10)
        writer.rollback()
        self.assertExit(0, run.finish())

    def test_a_frozen_process_loses_its_work_to_the_next_one(self):
        before = self.look()
        frozen = self.begun()
        self.freeze(frozen)
        self.assertLess(self.done(), self.ROWS, "the run was too fast")
        self.sql("UPDATE pgrekey.worker SET alive_until = clock_timestamp()")
        self.assertExit(0, self.tool.rotate())
        after = self.look()
        self.assertRight(before, after)
        frozen.send(signal.SIGCONT)
        self.assertExit(0, frozen.finish())
        self.assertUntouched(after, self.look())

    def test_who_thaws_behind_another_primary_seals_nothing(self):
        """It could: what the other one wrote, it can open."""
        self.ring = oracle.Ring.fresh("k2023", "k2024", "k2026",
                                      primary="k2025")
        self.sql("UPDATE t SET secret = NULL, meta = NULL")
        for i in range(self.ROWS // 2):
            self.sql("UPDATE t SET secret = %s WHERE id = %s", self.old(i), i)
        self.tool.set_ring(self.ring)
        frozen = self.begun()
        self.freeze(frozen)
        self.assertLess(self.done(), self.ROWS // 2, "the run was too fast")
        self.sql("UPDATE pgrekey.worker SET alive_until = clock_timestamp()")
        self.tool.set_ring(self.ring.with_primary("k2026"))
        self.configure()
        self.assertExit(0, self.tool.rotate())
        self.assertEqual(self.done(), 0)
        self.assertExit(0, self.tool.verify("--retire", "k2025"))
        frozen.send(signal.SIGCONT)
        self.assertExit(5, frozen.finish())
        self.assertEqual(self.done(), 0)


if __name__ == "__main__":
    unittest.main()
