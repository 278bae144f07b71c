"""The application is never the victim of a deadlock with a batch.

A limit of each wait is not enough: a batch that waits a little for one row
after the other holds the first one for the sum, and once that exceeds
deadlock_timeout, the server kills whoever looks first. Several transactions
each hold some rows here, and each lets go while the batch waits for it.
"""
import random
import signal
import sys
import threading
import time
import unittest
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from lib import zoo  # noqa: E402
from lib.scene import Scene  # noqa: E402

PATIENCE = 4  # deadlock_timeout, seconds; batches get 0.7 of it
HOLD = 0.35   # below the limit of one wait
HOLDERS = 16
CANCELLED = "canceling statement due to statement timeout"


def setUpModule():
    Scene.open(deadlock_timeout=f"{PATIENCE}s")


class Victim(Scene):
    ROWS = 1200
    CALM = 700  # rows after which none is locked beforehand any more

    def setUp(self):
        super().setUp()
        self.sql("CREATE TABLE t (id int PRIMARY KEY, secret text, note text)")
        zoo.copy_rows(self.admin, "t", ("id", "secret"), (
            (i, self.ring.seal(zoo.plain(str(i)), "k2023", zoo.THEN + i))
            for i in range(self.ROWS)))
        self.tool.configure(
            rotate={"workers": 1, "batch_rows": 25, "lock_timeout": "1s",
                    "max_rows_per_second": 400},
            t={"columns": "secret"})

    def left(self):
        """The rows still to be written, as they lie in the table."""
        return [i for i, in self.sql(
            "SELECT id FROM t WHERE secret NOT LIKE 'enc:fernet:k2025:%%'"
            " ORDER BY ctid")]

    def hold(self, rows):
        """A transaction that has these rows."""
        holder = self.connect(autocommit=False)
        holder.cursor().execute(
            "SELECT FROM t WHERE id = ANY(%s) FOR UPDATE", (rows,))
        return holder

    def let_go(self, holders, first):
        """Each a moment after the batch has begun to wait for it. Tells by
        first which rows the batch waited for first, and holds by now."""
        by_pid = {holder.get_backend_pid(): (holder, rows)
                  for holder, rows in holders}
        watch = self.connect().cursor()
        while by_pid and not self.over.is_set():
            watch.execute("SELECT unnest(pg_blocking_pids(pid)) FROM"
                          " pg_stat_activity WHERE application_name LIKE"
                          " 'pgrekey%'")
            for pid, in watch.fetchall():
                if pid in by_pid:
                    time.sleep(HOLD)
                    holder, rows = by_pid.pop(pid)
                    holder.rollback()
                    first.setdefault("rows", rows)
            time.sleep(0.01)

    def test_a_batch_that_waits_for_one_after_the_other_gives_up_in_time(self):
        before = self.snapshot("t", "secret")
        start = self.cluster.log.stat().st_size
        run = self.start()
        self.until(lambda: len(self.left()) < self.ROWS - self.CALM,
                   "rows are no longer locked beforehand")
        self.freeze(run)
        rest, dice, parts = self.left(), random.Random(4), {}
        last = rest[-5:]
        for row in rest[:-5]:
            parts.setdefault(dice.randrange(HOLDERS), []).append(row)
        holders = [(self.hold(rows), rows) for rows in parts.values()]
        application = self.hold(last)
        first, self.over = {}, threading.Event()
        letting = threading.Thread(target=self.let_go, args=(holders, first))
        letting.start()
        run.send(signal.SIGCONT)
        self.until(lambda: first, "the batch has waited for one")
        began = time.monotonic()
        application.cursor().execute(
            "UPDATE t SET note = 'seen' WHERE id = ANY(%s)",
            (first["rows"],))
        waited = time.monotonic() - began
        application.commit()
        self.over.set()
        letting.join()
        for holder, _ in holders:
            holder.rollback()
        result = run.finish()
        log = self.cluster.log.read_text()[start:]
        self.assertIn(CANCELLED, log, "no batch waited for long")
        self.assertNotIn("deadlock detected", log)
        self.assertGreater(waited, 1, "it was not in the way")
        self.assertLess(waited, PATIENCE)
        self.assertExit(0, result)
        self.sql("UPDATE t SET note = NULL")
        self.assertRight(before, self.snapshot("t", "secret"))


class Trial(Scene):
    """The trial write is a batch like any other."""

    def setUp(self):
        super().setUp()
        self.sql("CREATE TABLE t (id int PRIMARY KEY, secret text, note text)")
        for i in range(10):
            self.sql("INSERT INTO t VALUES (%s, %s)", i, self.ring.seal(
                zoo.plain(str(i)), "k2023", zoo.THEN))
        self.tool.configure(t={"columns": "secret"})

    def trigger(self, body):
        self.sql("CREATE FUNCTION slow() RETURNS trigger LANGUAGE plpgsql AS"
                 f" $$ BEGIN {body}; RETURN NEW; END $$")
        self.sql("CREATE TRIGGER slow BEFORE UPDATE OF secret ON t"
                 " FOR EACH ROW EXECUTE FUNCTION slow()")

    def tried(self):
        run = self.tool.start_rotate("--dry-run")
        self.until(lambda: self.value(
            "SELECT count(*) FROM pg_stat_activity WHERE wait_event ="
            " 'PgSleep'"), "the trigger works")
        return run

    def test_slow_triggers_do_not_let_the_application_wait_for_all_rows(self):
        self.trigger("PERFORM pg_sleep(2)")
        run = self.tried()
        began = time.monotonic()
        self.sql("UPDATE t SET note = 'seen' WHERE id = 0")
        # The batch is given up; then one row has its time.
        self.assertLess(time.monotonic() - began, PATIENCE + 2)
        self.assertExit(0, run.finish())

    def test_a_single_row_is_tried_for_as_long_as_it_takes(self):
        self.trigger(f"PERFORM pg_sleep({PATIENCE});"
                     " RAISE check_violation")
        result = self.tried().finish()
        self.assertExit(1, result)
        self.assertIn("23514", result.report["note"])


if __name__ == "__main__":
    unittest.main()
