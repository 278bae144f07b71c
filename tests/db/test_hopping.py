"""An old row that hops from ahead of the walk to behind it is never missed.

A walk window by window has many snapshots: beside an application that moves
a row about, a whole pass can see no old row although there always was one.
So a pass proves nothing, and rotate must not take it for a proof.

The application here watches the program's own state and hops on purpose, each
time. The hazard counts where it occurred, in the program: a pass that wrote
nothing while the old row was there. HOPS (20) is how many it has to be.
"""
import contextlib
import os
import random
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

HOPS = int(os.environ.get("HOPS", scaled(20, 3)))
SECONDS = 60  # to get them together, on a machine that is slow and busy
HOPPER = 0    # the old row


def setUpModule():
    Scene.open()


class Base(Scene):
    def fill(self, table, rows, *more):
        current = self.ring.seal(zoo.plain("current"))
        self.sql(f"INSERT INTO {table} SELECT i, %s, 0, repeat('x', 400)"
                 f"{''.join(more)} FROM generate_series(1, %s) AS i",
                 current, rows)

    def old(self):
        return self.ring.seal(zoo.plain("hopper"), "k2023", zoo.THEN)

    def old_rows(self, primary="k2025"):
        """One snapshot: the truth."""
        return self.value("SELECT count(*) FROM t WHERE NOT starts_with("
                          "secret, %s)", f"enc:fernet:{primary}:")

    def wait_for(self, run, question, *parameters):
        """The first answer that is not NULL; None when the run ended."""
        while run.running():
            answer = self.value(f"SELECT ({question})", *parameters)
            if answer is not None:
                return answer
        return None

    @contextlib.contextmanager
    def planning_stopped(self, index):
        """Nobody plans a statement over a table without its indexes, so the
        program waits. A lock on the table itself the fence would notice."""
        self.sql("BEGIN")
        try:
            self.sql(f"ALTER INDEX {index} SET TABLESPACE pg_default")
            yield
        finally:
            self.sql("COMMIT")

    def missed(self):
        """Passes of the last run that saw no old row."""
        return self.value(
            "SELECT sum(pass - passes_wrote) FROM pgrekey.leaf"
            " WHERE run_id = (SELECT max(id) FROM pgrekey.run)")


class FullPages(Base):
    """The row is so wide that it fits into no page but two, the first and the
    last: whatever changes it moves it from one end to the other."""

    WALKING = ("SELECT 1 FROM pgrekey.leaf AS l JOIN pgrekey.run AS r"
               " ON r.id = run_id WHERE r.state = 'open' AND {}")
    # The walk has passed the first page, and is not at the last one yet.
    BETWEEN = WALKING.format(
        "(SELECT state FROM pgrekey.chunk AS c WHERE c.run_id = r.id"
        " ORDER BY no LIMIT 1) = 'done' AND"
        " (SELECT state FROM pgrekey.chunk AS c WHERE c.run_id = r.id"
        " ORDER BY no DESC LIMIT 1) = 'todo'")
    AFTERWARDS = WALKING.format("l.state <> 'walking'")

    def setUp(self):
        super().setUp()
        self.random = random.Random(1)
        self.sql("CREATE EXTENSION pg_freespacemap")
        self.sql("CREATE TABLE t (id int PRIMARY KEY, secret text, n int,"
                 " filler text) WITH (fillfactor = 100)")
        self.sql("ALTER TABLE t ALTER filler SET STORAGE PLAIN")
        self.wide(HOPPER)
        self.fill("t", 10_000)
        self.wide(-1)
        self.sql("INSERT INTO t SELECT -2, secret, 0 FROM t WHERE id = -1")
        self.sql("DELETE FROM t WHERE id = -1")
        self.sql("VACUUM (ANALYZE, INDEX_CLEANUP ON) t")
        self.last = self.value("SELECT pg_relation_size('t') / 8192 - 1")
        self.tool.configure(rotate={"workers": 1, "chunk_bytes": "1MiB",
                                    "window_bytes": "256KiB"},
                            t={"columns": "secret"})
        self.assertExit(0, self.tool.rotate())

    def wide(self, identity):
        self.sql("INSERT INTO t VALUES (%s, %s, 0, repeat('x', 5000))",
                 identity, self.ring.seal(zoo.plain("wide")))

    def block(self):
        return self.value("SELECT (ctid::text::point)[0]::int FROM t"
                          " WHERE id = %s", HOPPER)

    def move(self):
        self.sql("UPDATE t SET n = n + 1 WHERE id = %s", HOPPER)

    def make_room(self, block, run=None):
        """Frees the place that the row came from, as soon as nobody's
        snapshot needs it any more. Did it?"""
        deadline = time.monotonic() + SECONDS
        while time.monotonic() < deadline and not (run and not run.running()):
            self.sql("VACUUM (INDEX_CLEANUP ON) t")
            if self.value("SELECT pg_freespace('t', %s) > 5100", block):
                return True
        return False

    def age(self):
        """Makes the row old again, at the end that the walk comes to last."""
        if self.block() != 0:
            self.make_room(0)
            self.move()
        self.make_room(self.last)
        self.sql("UPDATE t SET secret = %s WHERE id = %s", self.old(), HOPPER)
        self.assertEqual(self.block(), self.last)

    def dodge(self, run):
        """From ahead of the walk to behind it, and back when it is over."""
        if not (self.make_room(0, run) and self.wait_for(run, self.BETWEEN)):
            return
        with self.planning_stopped("t_pkey"):
            if self.value(f"SELECT ({self.BETWEEN})"):
                self.move()
        if (self.block() == 0 and self.make_room(self.last, run)
                and self.wait_for(run, self.AFTERWARDS)):
            self.move()

    def test_rotate_never_says_clean_while_an_old_row_exists(self):
        missed, rounds, deadline = 0, 0, time.monotonic() + SECONDS
        while missed < HOPS and time.monotonic() < deadline:
            rounds += 1
            self.age()
            run = self.start()
            for _ in range(self.random.randint(1, 4)):
                self.dodge(run)
            self.assertExit(0, run.finish())
            self.assertEqual(self.old_rows(), 0, f"a false clean: {rounds}")
            missed += self.missed()
        self.assertGreaterEqual(missed, HOPS, f"the hazard, in {rounds}")

    def test_a_row_that_never_stands_still_is_not_clean(self):
        self.age()
        run = self.start()
        while run.running():
            self.dodge(run)
        result = run.finish()
        self.assertGreater(self.missed(), 0, "the hazard did not occur")
        self.assertExit(1 if self.old_rows() else 0, result)
        self.assertEqual(result.column("secret")["verdicts"].get("old", 0),
                         self.old_rows())


class Partitions(Base):
    """The row changes to the partition that was looked at already, each time,
    while the next one is about to be looked at."""

    def setUp(self):
        super().setUp()
        self.sql("CREATE TABLE t (id int, secret text, n int, filler text,"
                 " part int) PARTITION BY LIST (part)")
        for part in (0, 1):
            self.sql(f"CREATE TABLE t{part} PARTITION OF t"
                     f" FOR VALUES IN ({part})")
            self.sql(f"CREATE INDEX i{part} ON t{part} (id)")
            self.fill("t", 2000, f", {part}")
        self.tool.configure(rotate={"workers": 1}, t={"columns": "secret"})
        self.assertExit(0, self.tool.rotate())

    def age(self):
        """In the middle, where no glance before the proof finds it."""
        self.sql("DELETE FROM t WHERE id = %s", HOPPER)
        self.sql("DELETE FROM t1 WHERE id = 1000")
        self.sql("VACUUM t0, t1")
        self.sql("INSERT INTO t VALUES (%s, %s, 0, '', 1)", HOPPER, self.old())

    def opened(self):
        """The number of the newest run."""
        return self.value("SELECT max(id) FROM pgrekey.run")

    def hop(self, run, last):
        """Did the proof wait for it?"""
        self.wait_for(run, "SELECT max(id) FROM pgrekey.run WHERE id > %s",
                      last)
        with self.planning_stopped("i1"):
            waited = self.wait_for(
                run, "SELECT 1 FROM pg_locks WHERE relation = 'i1'::regclass"
                " AND NOT granted AND EXISTS (SELECT FROM pgrekey.run"
                " WHERE id > %s AND prover IS NOT NULL)", last)
            self.sql("UPDATE t SET part = 0 WHERE id = %s", HOPPER)
        return waited or 0

    def test_a_row_that_hops_while_the_proof_looks_is_seen(self):
        hops, rounds, deadline = 0, 0, time.monotonic() + SECONDS
        while hops < HOPS and time.monotonic() < deadline:
            rounds += 1
            self.age()
            last = self.opened()
            run = self.start()
            hops += self.hop(run, last)
            result = run.finish()
            self.assertEqual(self.old_rows(), 0, f"a false clean: {rounds}")
            self.assertExit(0, result)
        self.assertGreaterEqual(hops, HOPS, f"the hazard, in {rounds}")


class Busy(Base):
    """An application that updates rows all over, vacuums, and knows nothing
    of the program."""

    ROWS = 20_000

    def setUp(self):
        super().setUp()
        self.random = random.Random(1)
        self.sql("CREATE TABLE t (id int PRIMARY KEY, secret text, n int,"
                 " filler text) WITH (fillfactor = 100)")
        self.fill("t", self.ROWS)
        self.sql("VACUUM ANALYZE t")
        self.tool.configure(rotate={"chunk_bytes": "1MiB",
                                    "window_bytes": "256KiB"},
                            t={"columns": "secret"})

    def change(self, stop):
        moves = 0
        with contextlib.closing(
                self.cluster.connect(self.database)) as connection:
            while not stop.is_set():
                connection.cursor().execute(
                    "UPDATE t SET n = n + 1 WHERE id = ANY(%s)",
                    [[self.random.randint(1, self.ROWS) for _ in range(5)]])
                moves += 1
                time.sleep(0.003)
        return moves

    def vacuum(self, stop):
        with contextlib.closing(
                self.cluster.connect(self.database)) as connection:
            while not stop.wait(0.3):
                connection.cursor().execute("VACUUM t")

    @contextlib.contextmanager
    def application(self):
        stop = threading.Event()
        with futures.ThreadPoolExecutor() as pool:
            threads = [pool.submit(work, stop)
                       for work in (self.change, self.vacuum)]
            try:
                yield
            finally:
                stop.set()
            moves = threads[0].result()
            threads[1].result()
        self.assertGreater(moves, 50, "the application did not get to work")

    def test_a_key_change_beside_it_leaves_no_old_row_behind(self):
        with self.application():
            for primary in ("k2026", "k2027", "k2025"):
                self.tool.set_ring(self.ring.with_primary(primary))
                self.ring = self.tool.ring
                self.assertExit(0, self.tool.rotate())
                self.assertEqual(self.old_rows(primary), 0, "a false clean")


if __name__ == "__main__":
    unittest.main()
