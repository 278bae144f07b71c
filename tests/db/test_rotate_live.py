"""rotate beside a live application, and rotate told to stop."""
import contextlib
import itertools
import signal
import sys
import threading
import time
import unittest
from concurrent import futures
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from lib import zoo  # noqa: E402
from lib.pgrekey import scaled  # noqa: E402
from lib.scene import Scene  # noqa: E402


def setUpModule():
    # A batch's time limit follows the server's patience with deadlocks.
    Scene.open(deadlock_timeout="5s")


class Base(Scene):
    ROWS = 400

    def setUp(self):
        super().setUp()
        self.sql("CREATE TABLE t (id int PRIMARY KEY, secret text, n int)")
        zoo.copy_rows(self.admin, "t", ("id", "secret", "n"), (
            (i, self.old(i), 0) for i in range(self.ROWS)))
        self.sql("ANALYZE t")
        self.tool.configure(t={"columns": "secret"})

    def old(self, i):
        return self.ring.seal(zoo.plain(str(i)), ("k2023", "k2024")[i % 2],
                              zoo.THEN + i)

    def look(self):
        return self.snapshot("t", "secret")

    DONE = "starts_with(secret COLLATE \"C\", 'enc:fernet:k2025:')"

    def done(self):
        return self.value(f"SELECT count(*) FROM t WHERE {self.DONE}")


class LiveValues(Base):
    """Between the program's read and its write, the application acts."""

    def hold_first_write(self, table="t", gate="gate"):
        """The first row that the program writes waits for the gate."""
        self.sql(f"CREATE TABLE {gate} AS SELECT 1")
        self.sql(
            f"CREATE FUNCTION hold_{gate}() RETURNS trigger LANGUAGE plpgsql AS"
            " $$BEGIN WHILE current_setting('test.application', true) IS NULL"
            # Not the trial write, which comes before anything is read.
            " AND EXISTS (SELECT FROM pgrekey.chunk WHERE state = 'running')"
            f" AND EXISTS (SELECT FROM public.{gate})"
            " LOOP PERFORM pg_sleep(0.002); END LOOP; RETURN NEW; END$$")
        self.sql(f"CREATE TRIGGER hold BEFORE UPDATE ON {table} FOR EACH ROW"
                 f" EXECUTE FUNCTION hold_{gate}()")

    def held(self):
        return self.value("SELECT count(*) FROM pg_stat_activity"
                          " WHERE datname = current_database()"
                          " AND wait_event = 'PgSleep'")

    def change(self, statement, *parameters):
        """What the application can do at once; returns the rows it got."""
        cursor = self.connect().cursor()
        cursor.execute("SET test.application = 'yes'")
        cursor.execute(
            "WITH free AS (SELECT id FROM t FOR UPDATE SKIP LOCKED)"
            + statement + " RETURNING t.id", parameters)
        return {row[0] for row in cursor}

    def race(self, statement, *parameters):
        self.hold_first_write()
        run = self.start()
        self.until(self.held, "the first row is about to be written")
        changed = self.change(statement, *parameters)
        self.sql("DELETE FROM gate")
        self.assertGreater(len(changed), 10, "the hazard did not occur")
        return changed, run.finish()

    def assertMissed(self, result, **reasons):
        column = result.column("secret")
        self.assertEqual({name: column[name] for name in reasons}, reasons)

    def test_a_value_changed_between_read_and_write_stays_as_changed(self):
        before = self.look()
        live = self.ring.seal(zoo.plain("live"))
        changed, result = self.race(
            " UPDATE t SET secret = %s FROM free WHERE t.id = free.id", live)
        self.assertExit(0, result)
        after = self.look()
        for name in map(str, changed):
            self.assertEqual(after.rows[name].values, (live,))
            before.rows[name] = after.rows[name]
        self.assertRight(before, after,
                         {(str(name), "secret") for name in changed})
        self.assertMissed(result, conflict=len(changed), moved=0,
                          rewritten=self.ROWS - len(changed))

    def test_a_value_changed_under_the_old_key_stays_and_is_rotated(self):
        live = self.ring.seal(zoo.plain("live"), "k2023", zoo.THEN)
        changed, result = self.race(
            " UPDATE t SET secret = %s FROM free WHERE t.id = free.id", live)
        self.assertExit(0, result)
        readings = self.look().readings(self.ring)
        for name in changed:
            seen = readings[str(name), "secret"]
            self.assertEqual((seen.value, seen.key),
                             (zoo.plain("live"), "k2025"))

    def another_column(self):
        before = self.look()
        changed, result = self.race(
            " UPDATE t SET n = 7 FROM free WHERE t.id = free.id")
        self.assertExit(0, result)
        self.assertEqual(
            self.value("SELECT count(*) FROM t WHERE n = 7"), len(changed))
        self.sql("DROP TRIGGER hold ON t")
        self.sql("UPDATE t SET n = 0")
        self.assertRight(before, self.look())
        return changed, result

    def test_another_column_changed_between_read_and_write_stays(self):
        """The pages are full: the rows are elsewhere then, and found there by
        a later pass."""
        changed, result = self.another_column()
        self.assertMissed(result, conflict=0, moved=len(changed))

    def test_another_column_changed_is_no_conflict_of_the_value(self):
        self.sql("ALTER TABLE t SET (fillfactor = 40)")
        self.sql("VACUUM FULL t")
        changed, result = self.another_column()
        self.assertMissed(result, conflict=0, moved=len(changed))

    def test_a_row_that_went_to_another_partition_is_no_conflict(self):
        self.sql("ALTER TABLE t RENAME TO low")
        self.sql("CREATE TABLE t (id int, secret text, n int)"
                 " PARTITION BY RANGE (n)")
        self.sql("CREATE TABLE high PARTITION OF t FOR VALUES FROM (5) TO (9)")
        self.sql("ALTER TABLE t ATTACH PARTITION low"
                 " FOR VALUES FROM (0) TO (5)")
        before = self.look()
        changed, result = self.race(
            " UPDATE t SET n = 7 FROM free WHERE t.id = free.id")
        self.assertExit(0, result)
        self.assertEqual(self.value("SELECT count(*) FROM high"), len(changed))
        self.assertMissed(result, conflict=0, moved=len(changed))
        self.sql("DROP TRIGGER hold ON t")
        self.sql("UPDATE t SET n = 0")
        self.assertRight(before, self.look())
        tables = self.tool.run(
            "status", "--output", "json").report["runs"][0]["tables"]
        self.assertEqual(
            {t["name"]: (t["conflict"], t["moved"]) for t in tables},
            {"public.low": (0, len(changed)), "public.high": (0, 0)})

    def test_of_two_values_the_one_that_changed_is_a_conflict(self):
        self.sql("ALTER TABLE t ADD other text")
        self.sql("UPDATE t SET other = secret")
        self.tool.configure(t={"columns": "secret, other"})
        changed, result = self.race(
            " UPDATE t SET other = 'enc:' || %s FROM free"
            " WHERE t.id = free.id", self.ring.seal(zoo.plain("live")))
        self.assertEqual(result.column("other")["conflict"], len(changed))
        self.assertMissed(result, conflict=0, moved=len(changed))

    def test_of_plaintext_alike_no_row_is_taken_for_another(self):
        self.sql("TRUNCATE t")
        self.sql("INSERT INTO t SELECT i, 'yes', 0"
                 " FROM generate_series(1, 60000) AS i")
        self.tool.configure(t={"columns": "secret", "raw": "encrypt"})
        changed, result = self.race(
            " UPDATE t SET secret = 'no' FROM free WHERE t.id = free.id"
            " AND t.id < 300")
        self.assertExit(0, result)
        self.assertMissed(result, conflict=len(changed), moved=0)

    def test_a_count_that_a_crash_took_back_is_not_taken_back_once_more(self):
        self.sql("CREATE TABLE u (id int PRIMARY KEY, secret text)")
        zoo.copy_rows(self.admin, "u", ("id", "secret"), (
            (i, self.old(i)) for i in range(5)))
        self.tool.configure(rotate={"workers": 1}, t={"columns": "secret"},
                            u={"columns": "secret"})
        self.hold_first_write()
        self.hold_first_write("u", "gate_of_u")
        run = self.start()
        self.until(self.held, "t is about to be written")
        self.change(" UPDATE t SET n = 7 FROM free WHERE t.id = free.id")
        self.sql("DELETE FROM gate")
        self.until(lambda: self.value(
            "SELECT sum(conflict[1]) FROM pgrekey.chunk") and self.held(),
            "u is about to be written")
        self.sql("UPDATE pgrekey.chunk SET conflict = '{0}', moved = '{0}'")
        self.sql("DELETE FROM gate_of_u")
        result = run.finish()
        self.assertExit(0, result)
        self.assertEqual((result.sum("conflict"), result.sum("moved")), (0, 0))

    def test_a_value_set_to_null_between_read_and_write_stays_null(self):
        changed, result = self.race(
            " UPDATE t SET secret = NULL FROM free WHERE t.id = free.id")
        self.assertExit(0, result)
        self.assertEqual(self.value(
            "SELECT count(*) FROM t WHERE secret IS NULL"), len(changed))

    def test_a_row_deleted_between_read_and_write_stays_deleted(self):
        changed, result = self.race(
            " DELETE FROM t USING free WHERE t.id = free.id")
        self.assertExit(0, result)
        self.assertEqual(self.value("SELECT count(*) FROM t"),
                         self.ROWS - len(changed))
        self.assertMissed(result, conflict=len(changed), moved=0)


class SamePlace(Base):
    """A row that changed meanwhile, and stands where it stood when it was
    read: only the comparison tells, and the column's operator would not."""
    ROWS = 5000

    def change_case(self, run):
        """Of what is not rewritten yet; returns the rows that moved back."""
        self.freeze(run)
        self.sql(f"UPDATE t SET secret = upper(secret) WHERE NOT {self.DONE}")
        self.sql("CLUSTER t USING t_pkey")
        changed = {name for name, in self.sql(
            "SELECT id::text FROM t JOIN origin AS o USING (id)"
            " WHERE t.ctid::text = o.place AND t.secret = o.secret"
            f" AND NOT {self.DONE.replace('secret', 't.secret')}")}
        run.send(signal.SIGCONT)
        return changed

    def stays(self, column_type):
        self.sql(f"ALTER TABLE t ALTER secret TYPE {column_type}")
        self.sql("CREATE TABLE origin AS"
                 " SELECT id, secret, ctid::text AS place FROM t")
        self.tool.configure(rotate={"batch_rows": 10, "workers": 1},
                            t={"columns": "secret"})
        before = self.look()
        run = self.start()
        self.until(self.done, "something is written")
        changed = self.change_case(run)
        self.assertGreater(len(changed), 10, "the hazard did not occur")
        self.assertExit(1, run.finish())  # no envelopes any more
        after = self.look()
        for name in changed:
            self.assertEqual(after.rows[name].values,
                             (before.rows[name].values[0].upper(),))
            before.rows[name] = after.rows[name]
        self.assertRight(before, after, {(name, "secret") for name in changed})

    def test_a_citext_that_changed_its_case_stays_as_changed(self):
        self.sql("CREATE EXTENSION citext")
        self.stays("citext")

    def test_so_does_a_text_whose_collation_is_blind_for_it(self):
        self.sql("CREATE COLLATION blind (provider = icu,"
                 " locale = 'und-u-ks-level2', deterministic = false)")
        self.stays("text COLLATE blind")


class BusyWriter(Base):
    ROWS = 20_000  # of fewer the writers have changed all before it reads

    def write(self, journal, stop, first):
        """Changes rows of its own all the time; remembers the last value
        that was acknowledged."""
        with contextlib.closing(
                self.cluster.connect(self.database)) as connection:
            for turn in itertools.count():
                if stop.is_set():
                    return
                values = {i: zoo.plain(f"{i} live {turn}") for i in
                          ((first + 4 * (turn * 31 + k)) % self.ROWS
                           for k in range(20))}
                connection.cursor().execute(
                    "UPDATE t SET secret = new, n = n + 1"
                    " FROM unnest(%s, %s) AS v(i, new) WHERE id = i",
                    [list(values), [self.ring.seal(plain)
                                    for plain in values.values()]])
                journal.update(values)

    def rotate_beside_writers(self):
        """How many values the writers changed between read and write."""
        stop, journals = threading.Event(), [{}, {}]
        with futures.ThreadPoolExecutor() as pool:
            writers = [pool.submit(self.write, journal, stop, first)
                       for first, journal in enumerate(journals)]
            try:
                result = self.tool.rotate()
            finally:
                stop.set()
            for writer in writers:
                writer.result()
        self.assertExit(0, result)
        journal = {**journals[0], **journals[1]}
        for (name, _), seen in self.look().readings(self.ring).items():
            self.assertEqual(seen.value,
                             journal.get(int(name), zoo.plain(name)))
        self.assertEqual(self.done(), self.ROWS)
        return result.column("secret").get("conflict", 0)

    def test_beside_a_busy_writer_every_acknowledged_value_survives(self):
        self.tool.configure(rotate={"batch_rows": 200},
                            t={"columns": "secret"})
        self.sql("CREATE TABLE first AS TABLE t")
        for _ in range(10):
            if self.rotate_beside_writers():
                return
            self.sql("UPDATE t SET secret = first.secret FROM first"
                     " WHERE t.id = first.id")
        self.fail("the hazard did not occur")


class Locks(Base):
    def lock(self, condition="id < 10"):
        """Another session that holds row locks."""
        holder = self.connect(autocommit=False)
        holder.cursor().execute(
            f"SELECT 1 FROM t WHERE {condition} FOR UPDATE")
        return holder

    def test_rows_locked_for_a_while_are_waited_for(self):
        before = self.look()
        holder = self.lock()
        run = self.start()
        self.until(lambda: self.done() == self.ROWS - 10,
                   "all but the locked rows are rotated")
        time.sleep(0.5)
        self.assertTrue(run.running())
        holder.rollback()
        self.assertExit(0, run.finish())
        self.assertRight(before, self.look())

    def test_rows_locked_for_long_end_it_with_5_and_are_not_lost(self):
        before = self.look()
        holder = self.lock()
        result = self.tool.rotate("--max-runtime", "3s")
        self.assertExit(5, result)
        self.assertIn(str(holder.info.backend_pid), result.err + result.out)
        holder.rollback()
        self.assertExit(0, self.tool.rotate())
        self.assertRight(before, self.look())

    def touch(self, stop):
        """How long the application's own updates take, at most."""
        longest = 0
        with contextlib.closing(
                self.cluster.connect(self.database)) as connection:
            while not stop.is_set():
                for i in range(0, self.ROWS, 7):
                    began = time.monotonic()
                    connection.cursor().execute(
                        "UPDATE t SET n = n + 1 WHERE id = %s", [i])
                    longest = max(longest, time.monotonic() - began)
        return longest

    def test_the_application_never_waits_longer_than_a_batch(self):
        stop = threading.Event()
        with futures.ThreadPoolExecutor() as pool:
            toucher = pool.submit(self.touch, stop)
            try:
                result = self.tool.rotate()
            finally:
                stop.set()
            self.assertExit(0, result)
            self.assertLess(toucher.result(), 2)


class Proof(Base):
    def insert_uncommitted(self):
        writer = self.connect(autocommit=False)
        writer.cursor().execute("INSERT INTO t VALUES (%s, %s)",
                                [self.ROWS, self.old(self.ROWS)])
        return writer

    def test_an_open_transaction_that_wrote_makes_it_inconclusive(self):
        writer = self.insert_uncommitted()
        result = self.tool.rotate("--wait", "1s")
        self.assertExit(6, result)
        self.assertIn(str(writer.info.backend_pid), result.err + result.out)
        writer.commit()
        before = self.look()
        self.assertExit(0, self.tool.rotate())
        self.assertRight(before, self.look())

    def test_it_is_waited_for_and_what_it_wrote_is_rotated(self):
        writer = self.insert_uncommitted()
        run = self.start("--wait", "60s")
        self.until(lambda: self.done() == self.ROWS, "the rest is rotated")
        time.sleep(0.5)
        self.assertTrue(run.running())
        writer.commit()
        self.assertExit(0, run.finish())
        self.assertEqual(self.done(), self.ROWS + 1)

    def forget_prepared(self):
        """The database could not be dropped otherwise."""
        if self.sql("SELECT FROM pg_prepared_xacts"):
            self.sql("ROLLBACK PREPARED 'left'")

    def test_a_prepared_transaction_makes_it_inconclusive(self):
        writer = self.insert_uncommitted()
        writer.cursor().execute("PREPARE TRANSACTION 'left'")
        self.addCleanup(self.forget_prepared)
        result = self.tool.rotate("--wait", "1s")
        self.assertExit(6, result)
        self.assertIn("prepared", (result.err + result.out).lower())
        self.sql("COMMIT PREPARED 'left'")
        self.assertExit(0, self.tool.rotate())
        self.assertEqual(self.done(), self.ROWS + 1)

    def test_transactions_that_cannot_write_here_are_not_waited_for(self):
        self.sql("CREATE TABLE other (id int)")
        reader = self.connect(autocommit=False)
        reader.cursor().execute("SELECT count(*) FROM t")
        writer = self.connect(autocommit=False)
        writer.cursor().execute("INSERT INTO other VALUES (1)")
        self.assertExit(0, self.tool.rotate("--wait", "1s"))

    def test_bad_values_are_found_even_when_it_is_inconclusive(self):
        self.sql("INSERT INTO t VALUES (-1, 'enc:fernet:k2023:AAAA')")
        writer = self.insert_uncommitted()
        result = self.tool.rotate("--wait", "1s")
        self.assertIn(result.status, (1, 6))
        self.assertEqual(len(result.findings), 1)
        writer.rollback()


class Straggler(Base):
    """An instance of the application that was not told of the new key."""
    ROWS = 200

    def write(self, over):
        cursor = self.connect().cursor()
        for i in itertools.cycle(range(self.ROWS)):
            if over.is_set():
                return
            cursor.execute("UPDATE t SET secret = %s WHERE id = %s", (
                # Its clock is ahead, or a short run would not be older.
                self.ring.seal(zoo.plain(str(i)), "k2024",
                               int(time.time()) + 60), i))

    def write_before_each_proof(self):
        """On a busy machine the other writer may not have its turn just
        then, and all would be clean, and rightly."""
        self.assertExit(0, self.tool.run("init"))
        late = self.ring.seal(b"late", "k2024", int(time.time()) + 60)
        self.sql("CREATE FUNCTION write() RETURNS trigger LANGUAGE plpgsql AS"
                 f" $$BEGIN UPDATE public.t SET secret = '{late}'"
                 " WHERE id = 0; RETURN NULL; END$$")
        self.sql("CREATE TRIGGER write AFTER UPDATE OF prover ON pgrekey.run"
                 " EXECUTE FUNCTION write()")

    def test_a_writer_that_keeps_sealing_with_an_old_key_is_named(self):
        """And the run ends, instead of following it for ever."""
        self.write_before_each_proof()
        over = threading.Event()
        writer = threading.Thread(target=self.write, args=(over,))
        writer.start()
        try:
            self.tool.configure(rotate={"max_passes": 4},
                                t={"columns": "secret"})
            result = self.start().finish()
        finally:
            over.set()
            writer.join()
        self.assertExit(1, result)
        self.assertIn("a writer still uses it", result.report["note"])
        column = result.column("secret")
        self.assertGreater(column["counters"]["late"], 0)
        self.assertGreater(column["keys"]["k2024"], 0)


class Stop(Base):
    ROWS = scaled(20_000, 2000)

    def begin(self, *arguments):
        self.tool.configure(rotate={"batch_rows": 20, "workers": 1,
                                    "chunk_bytes": "1MiB"},
                            t={"columns": "secret"})
        run = self.start(*arguments)
        self.until(lambda: self.done() > 0 or not run.running(),
                   "something is written")
        self.assertTrue(run.running())
        return run

    def test_a_configuration_that_changes_meanwhile_is_told_once(self):
        run = self.begin()
        self.tool.configure(t={"columns": "nothing"})
        self.tool.write_config()
        result = run.finish()
        self.assertExit(0, result)
        self.assertEqual(result.err.count("was changed meanwhile"), 1)
        self.tool.configure(t={"columns": "secret"})
        self.assertNotIn("changed", self.tool.rotate().err)

    def resumes(self, before):
        """And had passed over nothing: the proof orders no second pass."""
        self.assertLess(self.done(), self.ROWS)
        self.assertExit(0, self.tool.rotate())
        self.assertRight(before, self.look())
        self.assertEqual(self.value("SELECT pass FROM pgrekey.leaf"), 1)

    def stops_and_resumes(self, number):
        before = self.look()
        run = self.begin()
        run.send(number)
        result = run.finish()
        self.assertExit(5, result)
        self.assertRegex(result.err.lower(), "again|resume|continue")
        self.assertEqual(result.report["exit"], 5)
        self.resumes(before)

    def test_one_sigterm_ends_it_with_5_says_how_and_resumes(self):
        self.stops_and_resumes(signal.SIGTERM)

    def test_one_sigint_ends_it_with_5_says_how_and_resumes(self):
        self.stops_and_resumes(signal.SIGINT)

    def with_sighup(self, disposition):
        was = signal.signal(signal.SIGHUP, disposition)
        self.addCleanup(signal.signal, signal.SIGHUP, was)

    def test_a_terminal_that_is_gone_ends_it_with_5_and_it_resumes(self):
        self.with_sighup(signal.SIG_DFL)
        self.stops_and_resumes(signal.SIGHUP)

    def test_under_nohup_it_goes_on_without_its_terminal(self):
        self.with_sighup(signal.SIG_IGN)
        run = self.begin()
        run.send(signal.SIGHUP)
        self.assertExit(0, run.finish())

    def test_two_signals_end_it_at_once(self):
        before = self.look()
        run = self.begin()
        self.sql("BEGIN")
        self.sql("LOCK TABLE t IN ACCESS EXCLUSIVE MODE")
        began = time.monotonic()
        run.send(signal.SIGTERM)
        time.sleep(0.1)
        run.send(signal.SIGTERM)
        result = run.finish()
        self.assertLess(time.monotonic() - began, 5)
        self.sql("ROLLBACK")
        self.assertExit(5, result)
        self.resumes(before)

    def test_max_runtime_ends_it_with_5_and_it_resumes(self):
        before = self.look()
        self.sql("CREATE FUNCTION slow() RETURNS trigger LANGUAGE plpgsql AS"
                 " 'BEGIN PERFORM pg_sleep(0.002); RETURN NEW; END'")
        self.sql("CREATE TRIGGER slow BEFORE UPDATE ON t FOR EACH ROW"
                 " EXECUTE FUNCTION slow()")
        run = self.begin("--max-runtime", "2s")
        result = run.finish()
        self.assertExit(5, result)
        self.assertLess(result.seconds, 10)
        self.sql("DROP TRIGGER slow ON t")
        self.resumes(before)

    def test_a_server_that_crashes_costs_no_row(self):
        before = self.look()
        run = self.begin()
        self.cluster.stop("immediate")
        self.cluster.start()
        self.admin = self.connect()
        result = run.finish()
        self.assertIn(result.status, (0, 4, 5), str(result))
        self.assertExit(0, self.tool.rotate())
        self.assertRight(before, self.look())

    def test_a_session_that_is_terminated_costs_no_row(self):
        before = self.look()
        run = self.begin()
        self.sql("SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
                 " WHERE datname = current_database()"
                 " AND pid <> pg_backend_pid()")
        result = run.finish()
        self.assertIn(result.status, (0, 4, 5), str(result))
        self.assertExit(0, self.tool.rotate())
        self.assertRight(before, self.look())


class Locked(Base):
    """Somebody has locked one of two tables, as VACUUM FULL does."""

    def setUp(self):
        super().setUp()
        for table in "ab":
            self.sql(f"CREATE TABLE {table} (id int PRIMARY KEY, secret text)")
            zoo.copy_rows(self.admin, table, ("id", "secret"), (
                (i, self.ring.seal(zoo.plain(str(i)), "k2023", zoo.THEN))
                for i in range(3000)))

    def begin(self, **rotate):
        self.tool.configure(
            rotate={"workers": 2, "max_rows_per_second": 1500, **rotate},
            a={"columns": "secret"}, b={"columns": "secret"})
        return self.start()

    def lock(self):
        """All of it, b being worked on or not."""
        locker = self.connect(autocommit=False)
        locker.cursor().execute("LOCK TABLE b")
        return locker

    def test_whoever_pauses_does_not_wait_for_its_lock(self):
        holder = self.connect(autocommit=False)
        holder.cursor().execute("SELECT FROM b WHERE id = 5 FOR UPDATE")
        run = self.begin()
        self.until(lambda: self.value(
            "SELECT to_regclass('pgrekey.leaf') IS NOT NULL")
            and self.value("SELECT count(*) > 0 FROM pgrekey.leaf"
                           " WHERE stuck_since IS NOT NULL"),
            "another pass waits for the row")
        # It has the row; it gets the table.
        holder.cursor().execute("LOCK TABLE b")
        pid = holder.info.backend_pid
        self.until(lambda: f"a table stays locked by pid {pid} " in run.said(),
                   "it says so")
        self.assertEqual(self.done("a"), 3000)
        began = time.monotonic()
        self.assertExit(0, self.tool.run("pause"))
        self.assertLess(time.monotonic() - began, 3)
        self.assertExit(0, self.tool.run("resume"))
        holder.rollback()
        self.assertExit(0, run.finish())

    def test_a_partition_waits_for_a_lock_on_what_is_above_it(self):
        """Its constraint is there: no row can be written meanwhile."""
        self.sql("CREATE TABLE p (id int, secret text) PARTITION BY LIST (id);"
                 " CREATE TABLE m PARTITION OF p DEFAULT"
                 " PARTITION BY LIST (id);"
                 " CREATE TABLE p1 PARTITION OF m DEFAULT")
        self.sql("INSERT INTO p SELECT * FROM b")
        self.tool.configure(a={"columns": "secret"}, p={"columns": "secret"})
        locker = self.connect(autocommit=False)
        locker.cursor().execute("LOCK TABLE ONLY p")
        run = self.start()
        words = f"a table stays locked by pid {locker.info.backend_pid} "
        self.until(lambda: words in run.said(), "it says so")
        self.assertEqual(self.done("a"), 3000)
        locker.rollback()
        result = run.finish()
        self.assertExit(0, result)
        self.assertEqual(self.done("p1"), 3000)
        self.assertEqual(result.column("secret", "p")["deferred"], 0)

    def done(self, table):
        return self.value(f"SELECT count(*) FROM {table} WHERE secret LIKE"
                          " 'enc:fernet:k2025:%%'")

    def test_the_other_tables_are_rotated_meanwhile(self):
        self.sql("CREATE TABLE c AS TABLE a")
        self.tool.configure(rotate={"workers": 2, "max_rows_per_second": 1500},
                            a={"columns": "secret"}, b={"columns": "secret"},
                            c={"columns": "secret"})
        run = self.start()
        self.until(lambda: self.value(
            "SELECT to_regclass('pgrekey.chunk') IS NOT NULL")
            and self.done("a") > 0, "it writes")
        locker = self.lock()
        self.until(lambda: self.done("a") == self.done("c") == 3000,
                   "all but the locked one", 60)
        locker.rollback()
        self.assertExit(0, run.finish())

    def test_whoever_waits_for_it_from_the_start_says_so(self):
        self.tool.configure(a={"columns": "secret"}, b={"columns": "secret"})
        locker = self.lock()
        pid = locker.info.backend_pid
        for run in (self.start(), self.start("--dry-run"),
                    self.tool.start_verify()):
            self.until(lambda run=run: "waiting for table public.b, locked by"
                       f" pid {pid} " in run.said(), "it says so")
            self.assertNotIn("public.a", run.said())
            run.send(signal.SIGTERM)
            self.assertExit(5, run.finish())
        locker.rollback()
        self.assertNotIn("waiting", self.tool.rotate().err)

    def test_each_time_it_is_a_new_wait(self):
        """Who waited for a table once, and then for others, does not count
        both together."""
        for table, rows in ("a", 10), ("b", 100):
            self.sql(f"DELETE FROM {table} WHERE id >= {rows}")
            self.sql(f"VACUUM FULL {table}")
        run = self.begin(max_rows_per_second=10, batch_rows=1)
        self.until(lambda: self.value(
            "SELECT to_regclass('pgrekey.chunk') IS NOT NULL")
            and self.done("a") > 0, "it writes")
        for least in 0, 5:
            self.until(lambda least=least: self.done("b") >= least,
                       "one of two has b")
            locker = self.lock()
            # Who is in the middle of it says so ten seconds later.
            pid = locker.info.backend_pid
            self.until(lambda pid=pid: f"locked by pid {pid} " in run.said(),
                       "it says so", 8)
            locker.rollback()
        run.send(signal.SIGTERM)
        self.assertExit(5, run.finish())

    def test_the_server_is_not_taken_for_dead(self):
        run = self.begin(answer_timeout="4s")
        self.until(lambda: self.value(
            "SELECT to_regclass('pgrekey.chunk') IS NOT NULL")
            and self.done("a") > 0, "it writes")
        locker = self.lock()
        sessions = []
        for _ in range(120):
            sessions.append(self.value(
                "SELECT count(*) FROM pg_stat_activity WHERE"
                " application_name = 'pgrekey'"))
            time.sleep(0.1)
        locker.rollback()
        result = run.finish()
        self.assertExit(0, result)
        self.assertLessEqual(max(sessions), 3)
        self.assertNotIn("lost", result.err)


if __name__ == "__main__":
    unittest.main()
