"""The server and its administrator at their worst, in the middle of a run.

Each commit waits a little, so that the middle is long enough to be hit; the
moment is a random share of the rows.
"""
import contextlib
import os
import signal
import subprocess
import sys
import threading
import time
import unittest
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent))

from torture import SEED, Scene, Torture, pick  # noqa: E402
from lib import zoo  # noqa: E402

ROUNDS = pick(1, 5, 40)
ROWS = 3000
SUDO = [] if os.geteuid() == 0 else ["sudo", "-n"]
BATCH = {"batch_rows": 20, "workers": 2, "chunk_bytes": "1MiB"}


def setUpModule():
    Scene.open(fsync=True, commit_siblings=0, commit_delay=5000)


class Faults(Torture):
    def setUp(self):
        super().setUp()
        self.make_table(ROWS)
        self.tool.configure(rotate=BATCH, t={"columns": "secret"})

    def done(self, table="t"):
        return self.value(f"SELECT count(*) FROM {table} WHERE"
                          " starts_with(secret, 'enc:fernet:k2025:')")

    def start_anew(self):
        self.until_alone()
        super().start_anew()
        self.before = self.snapshot("t", "secret")

    def interrupt(self, name, action):
        """Runs action when part of the rows is done; how the run ended."""
        target = self.random.uniform(0.02, 0.6) * ROWS
        run = self.start()
        self.until(lambda: self.done() > target or not run.running(),
                   "the run gets on")
        middle = self.done() < ROWS and run.running()
        action()
        self.hazard(name, middle)
        return run.finish()


class Schema(Faults):
    def each_round(self, name, action):
        """The table is as it was, but elsewhere or of another kind."""
        for _ in range(ROUNDS):
            self.start_anew()
            result = self.interrupt(name, action)
            self.assertExit(0, result)
            self.assertRight(self.before, self.snapshot("t", "secret"))
            self.hazard("missed", result.sum("moved")
                        + result.sum("conflict"))
        self.assertHazards(**{name: 1})

    def test_a_table_rewritten_in_the_middle_is_completed(self):
        """In another order, too: what was read at one place is then another
        row's, and must not be taken for the one that was there."""
        self.sql("CREATE INDEX shuffled ON t (md5(id::text))")
        self.each_round("VACUUM FULL", lambda: self.sql("VACUUM FULL t"))
        self.each_round("CLUSTER",
                        lambda: self.sql("CLUSTER t USING shuffled"))
        self.assertHazards(missed=1)

    def test_a_column_that_changes_its_type_in_the_middle_is_completed(self):
        types = ["varchar(4000)", "text"] * ROUNDS
        self.each_round("ALTER TYPE", lambda: self.sql(
            f"ALTER TABLE t ALTER secret TYPE {types.pop(0)}"))

    def test_a_table_emptied_in_the_middle_is_clean(self):
        for _ in range(ROUNDS):
            self.start_anew()
            self.assertExit(0, self.interrupt(
                "TRUNCATE", lambda: self.sql("TRUNCATE t")))
            self.assertEqual(self.value("SELECT count(*) FROM t"), 0)
        self.assertHazards(TRUNCATE=1)

    def test_a_column_that_comes_or_goes_in_the_middle_keeps_the_others(self):
        for turn in range(ROUNDS):
            self.start_anew()
            result = self.interrupt("ADD COLUMN", lambda: self.sql(
                f"ALTER TABLE t ADD extra{turn} int DEFAULT {turn}"))
            self.assertExit(0, result)
            result = self.snapshot("t", "secret")
            self.sql(f"ALTER TABLE t DROP extra{turn}")
            self.assertRight(self.before, self.snapshot("t", "secret"))
        self.assertHazards(**{"ADD COLUMN": 1})

    def gone(self, name, drop, restore):
        """What is configured disappears: it says so, and goes on with the
        rest of the table when it is back."""
        self.start_anew()
        result = self.interrupt(name, lambda: self.sql(drop))
        self.assertIn(result.status, (2, 4), result)
        self.assertExit(2, self.tool.rotate())
        self.sql(restore)
        self.assertExit(0, self.tool.rotate())
        self.assertEqual(self.done(), ROWS)
        self.assertHazards(**{name: 1})

    def test_a_column_dropped_in_the_middle_is_missed(self):
        """Not even its values are there any more."""
        self.gone("DROP COLUMN", "ALTER TABLE t DROP secret",
                  "ALTER TABLE t ADD secret text;"
                  " UPDATE t SET secret = o.secret FROM origin AS o"
                  " WHERE o.id = t.id")

    def test_a_table_dropped_in_the_middle_is_missed(self):
        self.gone("DROP TABLE", "DROP TABLE t",
                  "CREATE TABLE t AS TABLE origin")

    def test_a_column_renamed_in_the_middle_is_missed(self):
        self.gone("RENAME COLUMN", "ALTER TABLE t RENAME secret TO gone",
                  "ALTER TABLE t RENAME gone TO secret")

    def test_a_table_renamed_in_the_middle_is_missed(self):
        self.gone("RENAME TABLE", "ALTER TABLE t RENAME TO gone",
                  "ALTER TABLE gone RENAME TO t")


class OneTableFails(Faults):
    """The others go on, and the run says at its end what it missed."""

    def setUp(self):
        super().setUp()
        self.sql("CREATE TABLE u AS TABLE origin")
        self.tool.configure(rotate=BATCH, t={"columns": "secret"},
                            u={"columns": "secret"})

    def fails(self, name, harm, repair):
        for _ in range(ROUNDS):
            self.start_anew()
            self.sql("TRUNCATE u; INSERT INTO u TABLE origin; ANALYZE t, u")
            unfinished = []

            def strike():
                self.sql(harm)
                unfinished.append(self.done("u") < ROWS)
            result = self.interrupt(name, strike)
            self.hazard("others unfinished", unfinished[0])
            self.assertExit(4, result)
            self.assertRegex(result.err, r"warning: public\.t: .*go on")
            self.assertIn("pgrekey: public.t: ", result.err)
            self.assertEqual(self.done("u"), ROWS)
            self.sql(repair)
            self.assertExit(0, self.tool.rotate())
            self.assertEqual(self.done(), ROWS)
        self.assertHazards(**{name: 1, "others unfinished": 1})

    def test_of_a_table_that_is_dropped(self):
        self.fails("DROP TABLE", "DROP TABLE t",
                   "CREATE TABLE t AS TABLE origin")

    def test_of_a_table_that_loses_a_column(self):
        self.fails("RENAME COLUMN", "ALTER TABLE t RENAME secret TO gone",
                   "ALTER TABLE t RENAME gone TO secret")

    def test_of_a_table_whose_trigger_lacks_a_privilege(self):
        self.sql("CREATE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql"
                 " AS $$BEGIN RAISE insufficient_privilege; END$$")
        self.fails("CREATE TRIGGER",
                   "CREATE TRIGGER refuse BEFORE UPDATE ON t FOR EACH ROW"
                   " EXECUTE FUNCTION refuse()",
                   "DROP TRIGGER refuse ON t")


class Partitions(Faults):
    def setUp(self):
        super().setUp()
        self.sql("CREATE TABLE p (id int, secret text, part int)"
                 " PARTITION BY LIST (part)")
        for part in range(4):
            self.sql(f"CREATE TABLE p{part} (id int, secret text, part int)")
            zoo.copy_rows(self.admin, f"p{part}", ("id", "secret", "part"), (
                (i, self.old(i), part) for i in range(ROWS // 4)))
            if part < 3:
                self.attach(part)
        self.tool.configure(rotate=BATCH, p={"columns": "secret"})

    def attach(self, part):
        self.sql(f"ALTER TABLE p ATTACH PARTITION p{part}"
                 f" FOR VALUES IN ({part})")

    def middle(self, action):
        run = self.start()
        target = self.random.uniform(0.02, 0.5) * ROWS
        self.until(lambda: self.done("p") > target or not run.running(),
                   "the run gets on")
        self.hazard("in the middle", run.running())
        action()
        return run.finish()

    def test_a_partition_attached_in_the_middle_joins(self):
        self.assertExit(0, self.middle(lambda: self.attach(3)))
        self.assertEqual(self.done("p"), ROWS)
        self.assertHazards(**{"in the middle": 1})

    def test_a_partition_dropped_in_the_middle_is_missed_by_nobody(self):
        result = self.middle(lambda: self.sql("DROP TABLE p2"))
        self.assertExit(0, result)
        self.assertEqual(self.done("p"), self.value("SELECT count(*) FROM p"))
        self.assertHazards(**{"in the middle": 1})

    def test_a_partition_detached_in_the_middle_is_nobodys_business(self):
        result = self.middle(
            lambda: self.sql("ALTER TABLE p DETACH PARTITION p2"))
        self.assertExit(0, result)
        self.assertEqual(self.done("p"), self.value("SELECT count(*) FROM p"))
        self.attach(2)
        self.assertExit(0, self.tool.rotate())
        self.assertEqual(self.done("p"), self.value("SELECT count(*) FROM p"))
        self.assertHazards(**{"in the middle": 1})


class Locks(Faults):
    def test_a_table_locked_for_long_is_waited_for(self):
        seconds = pick(3, 15, 60)

        def lock():
            holder = self.connect(autocommit=False)
            holder.cursor().execute("LOCK TABLE t")
            threading.Timer(seconds, holder.rollback).start()
        self.start_anew()
        self.assertExit(0, self.interrupt("locked", lock))
        self.assertRight(self.before, self.snapshot("t", "secret"))
        self.assertHazards(locked=1)

    def test_limits_that_the_role_has_do_not_stop_it(self):
        for name, value in (("statement_timeout", "'20ms'"),
                            ("lock_timeout", "'1ms'"),
                            ("idle_in_transaction_session_timeout", "'1ms'"),
                            ("default_transaction_isolation",
                             "'serializable'")):
            self.sql(f"ALTER ROLE postgres IN DATABASE {self.database}"
                     f" SET {name} = {value}")
            self.hazard("limits")
        # This session is older; the others must not be hurt by them.
        self.start_anew()
        self.assertExit(0, self.tool.rotate())
        self.assertRight(self.before, self.snapshot("t", "secret"))
        self.assertHazards(limits=4)


class Turmoil(Faults):
    """What happens to the workers' sessions, once they work."""

    def workers(self):
        """Backends, as the program itself registered them."""
        if not self.value("SELECT to_regclass('pgrekey.number') IS NOT NULL"):
            return []
        return [pid for pid, in self.sql(
            "SELECT w.backend_pid FROM pgrekey.worker AS w"
            " JOIN pg_stat_activity AS a ON a.pid = w.backend_pid"
            " AND a.backend_start = w.backend_start")]

    def terminate(self):
        for pid in self.workers():
            self.hazard("terminated", self.value(
                "SELECT pg_terminate_backend(%s)", pid))

    def test_sessions_ended_by_an_administrator_are_replaced(self):
        """Some find nothing but a closed line, some the server's last
        words."""
        rounds = 0
        while rounds < ROUNDS * 2 or (
                rounds < 20 and not self.hazards.get("told")):
            self.start_anew()
            result = self.interrupt("interrupted", self.terminate)
            self.assertExit(0, result)
            self.hazard("told", result.err.count("57P01"))
            self.assertRight(self.before, self.snapshot("t", "secret"))
            rounds += 1
        self.assertHazards(terminated=1, told=1)

    def cancel_for(self, seconds, run):
        deadline = time.monotonic() + seconds
        while run.running() and time.monotonic() < deadline:
            for pid in self.workers():
                self.hazard("cancelled", self.value(
                    "SELECT pg_cancel_backend(%s)", pid))
            time.sleep(self.random.uniform(0, 0.02))

    def test_statements_cancelled_all_the_time_cost_time_and_no_row(self):
        for _ in range(ROUNDS):
            self.start_anew()
            run = self.start()
            self.cancel_for(pick(3, 5, 5), run)
            result = run.finish()
            self.assertExit(0, result)
            self.assertOnce("cancelled")
            self.assertEqual(result.column("secret")["scanned"], ROWS)
        self.assertHazards(cancelled=3)

    def sleep_through_the_lease(self):
        """The process is stopped, and its chunks are somebody else's when it
        goes on."""
        run = self.start()
        target = self.random.uniform(0.02, 0.6) * ROWS
        self.until(lambda: self.done() > target or not run.running(),
                   "the run gets on")
        run.send(signal.SIGSTOP)
        self.sql("UPDATE pgrekey.chunk SET epoch = epoch + 1,"
                 " state = 'todo', worker_id = NULL WHERE state = 'running'")
        run.send(signal.SIGCONT)
        return run.finish()

    def fenced(self):
        return self.cluster.server_log().count("ERROR:  22012")

    def test_who_slept_through_his_lease_writes_nothing_uncounted(self):
        fenced = self.fenced()
        for _ in range(ROUNDS * 3):
            self.start_anew()
            self.assertExit(0, self.sleep_through_the_lease())
            self.assertOnce("slept")
            self.hazard("slept")
        self.hazard("fenced", self.fenced() - fenced)
        self.assertHazards(slept=1, fenced=1)


class Poison(Faults):
    def test_poison_rows_are_found_and_block_nobody(self):
        self.sql("ALTER TABLE t ADD CONSTRAINT poison"
                 " CHECK (id % 100 <> 7) NOT VALID")
        self.sql("CREATE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql"
                 " AS $$BEGIN IF NEW.id % 100 = 31 THEN RAISE 'no';"
                 " ELSIF NEW.id % 100 = 57 THEN RETURN NULL;"
                 " ELSIF NEW.id % 100 = 83 THEN NEW.secret := 'changed';"
                 " END IF; RETURN NEW; END$$")
        self.sql("CREATE TRIGGER refuse BEFORE UPDATE ON t FOR EACH ROW"
                 " EXECUTE FUNCTION refuse()")
        result = self.tool.rotate()
        self.assertExit(1, result)
        poison = {str(i) for i in range(ROWS) if i % 100 in (7, 31, 57, 83)}
        self.hazard("poison", len(poison))
        self.assertEqual({f["row"]["id"] for f in result.findings}, poison)
        self.assertRight(self.before, self.snapshot("t", "secret"),
                         {(name, "secret") for name in poison})
        self.assertHazards(poison=3)

    def test_poison_that_comes_in_the_middle_is_found_row_by_row(self):
        """Before the first write all was well. Now the new envelopes are too
        long for a table that nobody has come to, and a constraint forbids
        others; what was written is right, and the rest stays as it was."""
        first = ROWS - 40  # from here on all are equally long
        self.sql("CREATE TABLE u AS SELECT id, secret FROM t WHERE id >= %s",
                 first)
        others = self.snapshot("u", "secret")
        ring = self.ring.with_primary("k2025-of-a-longer-name")
        self.tool.set_ring(ring)
        self.tool.configure(rotate={**BATCH, "workers": 1},
                            t={"columns": "secret"}, u={"columns": "secret"})
        most = self.value("SELECT max(length(secret)) FROM u")
        run = self.start()
        self.until(lambda: self.value(
            "SELECT count(*) FROM t WHERE starts_with(secret, %s)",
            "enc:fernet:k2025-") > ROWS // 10 or not run.running(), "the run gets on")
        self.sql(f"ALTER TABLE u ALTER secret TYPE varchar({most})")
        self.sql("ALTER TABLE t ADD CONSTRAINT poison CHECK"
                 f" (id < {first} OR length(secret) <= {most}) NOT VALID")
        self.hazard("too long", run.running())
        result = run.finish()
        self.assertExit(1, result)
        kept = {(str(row), "secret") for row, in self.sql(
            "SELECT id FROM t WHERE NOT starts_with(secret, %s)",
            "enc:fernet:k2025-")}
        self.hazard("poison", len(kept))
        self.assertRight(self.before, self.snapshot("t", "secret"), kept, ring)
        self.assertRight(others, self.snapshot("u", "secret"),
                         {(row, "secret") for row in others.rows}, ring)
        self.assertEqual(result.report["findings"]["total"],
                         len(kept) + len(others.rows))
        self.assertHazards(poison=1, **{"too long": 1})


class Damage(Faults):
    def lose_the_end(self, name):
        """The last piece of a long value is gone; its beginning is not."""
        self.sql("ALTER TABLE t ALTER secret SET STORAGE EXTERNAL")
        self.sql("UPDATE t SET secret = %s WHERE id = %s",
                 self.ring.seal(zoo.plain("long" * 9000), "k2023"), name)
        toast = self.value("SELECT reltoastrelid::regclass FROM pg_class"
                           " WHERE oid = 't'::regclass")
        # Nobody may write to it, as long as it is called what it is.
        rename = "UPDATE pg_class SET relkind = %s WHERE oid = %s::regclass"
        self.sql(rename, "r", toast)
        self.sql(f"DELETE FROM {toast} WHERE chunk_seq = (SELECT"
                 f" max(chunk_seq) FROM {toast})")
        self.sql(rename, "t", toast)
        self.sql("VACUUM t")  # until then it is found all the same
        self.hazard("damaged")

    def test_a_damaged_value_is_an_error_and_never_the_end_of_the_table(
            self):
        self.lose_the_end(ROWS // 2)
        result = self.tool.rotate()
        self.assertExit(4, result)
        self.assertIn("XX001", result.err)
        self.assertIn("missing chunk", self.cluster.server_log())
        # From a backup.
        self.sql("TRUNCATE t; INSERT INTO t TABLE origin")
        self.assertExit(0, self.tool.rotate())
        self.assertRight(self.before, self.snapshot("t", "secret"))
        self.assertHazards(damaged=1)


class Disk(Faults):
    MEGABYTES = 16

    def as_root(self, *command):
        """A file system needs an administrator."""
        subprocess.run([*SUDO, *map(str, command)], check=True,
                       capture_output=True)

    def small_disk(self):
        disk = self.cluster.home / f"disk-{self.database}"
        disk.mkdir()
        who = self.cluster.account
        owner = (f",uid={who.pw_uid},gid={who.pw_gid}" if who
                 else f",uid={os.getuid()},gid={os.getgid()}")
        self.as_root("mount", "-t", "tmpfs", "-o",
                     f"size={self.MEGABYTES}m,mode=700{owner}", "none", disk)
        self.addCleanup(self.as_root, "umount", "-l", disk)
        return disk

    def fill(self, disk):
        """Not a page is left. Only its owner may."""
        command = ["dd", "if=/dev/zero", f"of={disk}/filler", "bs=8k"]
        subprocess.run(command, capture_output=True,
                       **self.cluster._as_account())

    def on_a_small_disk(self):
        """The table; and where to make room."""
        disk = self.small_disk()
        self.sql(f"CREATE TABLESPACE {self.database} LOCATION '{disk}'")
        self.addCleanup(self.sql, f"DROP TABLESPACE {self.database}")
        self.addCleanup(self.sql, "DROP TABLE t")
        self.sql(f"ALTER TABLE t SET TABLESPACE {self.database}")
        return disk

    @contextlib.contextmanager
    def waiting_for_room(self, disk):
        """A run, in the middle, that was told that there is none."""
        self.sql("VACUUM FULL t")
        self.start_anew()
        # Nothing is pruned, so that the table must grow.
        old = self.connect(autocommit=False)
        old.cursor().execute("SET TRANSACTION ISOLATION LEVEL"
                             " REPEATABLE READ; SELECT 1 FROM t")
        run = self.start()
        self.until(lambda: self.done() > ROWS // 50 or not run.running(),
                   "it works")
        # Filling takes longer than some workers have work.
        run.send(signal.SIGSTOP)
        self.hazard("middle", self.done() < ROWS and run.running())
        self.fill(disk)
        run.send(signal.SIGCONT)
        self.until(lambda: run.said().count("53100") == 2
                   or not run.running(), "each worker says so")
        time.sleep(pick(2, 2, 60))
        self.assertTrue(run.running(), "it gave up at once")
        self.assertEqual(run.said().count("53100"), 2, "it says so for ever")
        self.assertEqual(self.value(
            "SELECT count(*) FROM pg_stat_activity WHERE datname ="
            " current_database() AND xact_start < clock_timestamp()"
            " - interval '1s' AND pid IN"
            " (SELECT backend_pid FROM pgrekey.worker)"), 0)
        self.hazard("full")
        self.check_readable()
        try:
            yield run
        finally:
            old.close()

    def make_room(self, disk):
        with contextlib.suppress(OSError):
            (disk / "filler").unlink()

    def test_room_on_a_full_disk_is_waited_for_and_costs_no_row(self):
        disk = self.on_a_small_disk()
        for _ in range(ROUNDS):
            with self.waiting_for_room(disk) as run:
                self.make_room(disk)
                self.assertExit(0, run.finish())
            self.assertOnce(f"disk full, seed {SEED}")
        self.assertHazards(middle=1, full=1)

    def test_who_waits_for_room_can_be_stopped_and_started_again(self):
        disk = self.on_a_small_disk()
        for _ in range(ROUNDS):
            with self.waiting_for_room(disk) as run:
                run.send(signal.SIGTERM)
                self.assertExit(5, run.finish())
            self.make_room(disk)
            self.assertExit(0, self.tool.rotate())
            self.assertOnce(f"disk full, seed {SEED}")
        self.assertHazards(middle=1, full=1)

    def check_readable(self):
        old = self.before.readings(self.ring)
        for place, seen in self.snapshot("t", "secret").readings(
                self.ring).items():
            self.assertEqual(old[place].value, seen.value, place)


if __name__ == "__main__":
    unittest.main()
