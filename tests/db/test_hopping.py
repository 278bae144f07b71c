"""An old row that hops from ahead of the walk to behind it is never missed.

A walk window by window has many snapshots: beside an application that moves
a row about, a whole sweep can see no old row although there always was one.
So a sweep proves nothing, and rotate must not take it for a proof. First the
hazard is shown to exist, then rotate is put beside it. HOPPING_SECONDS (15)
bounds each of the two halves.
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

SECONDS = float(os.environ.get("HOPPING_SECONDS", 15))
ROWS = 40_000
WINDOW = 64  # blocks
NOT_CURRENT = "NOT starts_with(secret, 'enc:fernet:k2025:')"


def setUpModule():
    Scene.open()


class Base(Scene):
    HOPPER = 7

    def fill(self, table, *more):
        """Full pages: a row that changes has to leave its page."""
        current = self.ring.seal(zoo.plain("current"))
        self.sql(f"INSERT INTO {table} SELECT i, %s, 0, repeat('x', 400)"
                 f"{''.join(more)} FROM generate_series(1, %s) AS i",
                 current, ROWS)

    def age(self):
        """Makes one row old again."""
        self.sql("UPDATE t SET secret = %s WHERE id = %s",
                 self.ring.seal(zoo.plain("hopper"), "k2023", zoo.THEN),
                 self.HOPPER)

    def old_rows(self):
        """One snapshot: the truth."""
        return self.value(f"SELECT count(*) FROM t WHERE {NOT_CURRENT}")


class Hopping(Base):
    def setUp(self):
        super().setUp()
        self.random = random.Random(1)
        self.sql("CREATE TABLE t (id int PRIMARY KEY, secret text, n int,"
                 " filler text) WITH (fillfactor = 100)")
        self.fill("t")
        self.sql("VACUUM ANALYZE t")
        self.tool.configure(rotate={"chunk_bytes": "1MiB",
                                    "window_bytes": "256KiB"},
                            t={"columns": "secret"})
        self.assertExit(0, self.tool.rotate())

    # -- the application: touches other columns, vacuums now and then ------

    def hop(self, stop, pause):
        with contextlib.closing(
                self.cluster.connect(self.database)) as connection:
            cursor = connection.cursor()
            moves = 0
            while not stop.is_set():
                others = [self.random.randint(1, ROWS) for _ in range(4)]
                cursor.execute("UPDATE t SET n = n + 1 WHERE id = ANY(%s)",
                               [[self.HOPPER, *others]])
                moves += 1
                time.sleep(pause)
        return moves

    def vacuum(self, stop):
        with contextlib.closing(
                self.cluster.connect(self.database)) as connection:
            while not stop.wait(0.3):
                connection.cursor().execute("VACUUM t")

    @contextlib.contextmanager
    def application(self, pause=0.003):
        stop = threading.Event()
        with futures.ThreadPoolExecutor() as pool:
            threads = [pool.submit(self.hop, stop, pause),
                       pool.submit(self.vacuum, stop)]
            try:
                yield
            finally:
                stop.set()
            moves = threads[0].result()
            threads[1].result()
        self.assertGreater(moves, 100, "the application did not get to work")

    # -- the hazard, and rotate beside it -----------------------------------

    def sweep(self):
        """Windows of their own snapshots, 5 ms apart: how many old rows?"""
        blocks = self.value("SELECT pg_relation_size('t') / 8192")
        found = 0
        for first in range(0, blocks, WINDOW):
            found += self.value(
                "SELECT count(*) FROM t WHERE ctid >= %s::tid"
                f" AND ctid < %s::tid AND {NOT_CURRENT}",
                f"({first},0)", f"({first + WINDOW},0)")
            time.sleep(0.005)
        return found

    def test_a_sweep_in_windows_can_miss_a_row_that_was_always_there(self):
        self.age()
        missed, deadline = 0, time.monotonic() + SECONDS
        with self.application(pause=0):
            for _ in range(40):
                self.assertEqual(self.old_rows(), 1)
                missed += self.sweep() == 0
                if missed == 3 or time.monotonic() > deadline:
                    break
        self.assertGreater(missed, 0, "the hazard did not occur")

    def test_rotate_never_says_clean_while_an_old_row_exists(self):
        deadline, rounds, clean = time.monotonic() + SECONDS, 0, 0
        with self.application():
            while time.monotonic() < deadline:
                rounds += 1
                self.age()
                result = self.tool.rotate("--max-runtime", "8s")
                left = self.old_rows()
                self.assertIn(result.status, (0, 1, 5, 6), str(result))
                if result.status == 0:
                    clean += 1
                    self.assertEqual(left, 0, f"round {rounds}: a false clean")
        self.assertGreaterEqual(clean, scaled(5), f"of {rounds} rounds")

    def test_a_key_change_beside_it_leaves_no_old_row_behind(self):
        with self.application():
            for primary in ("k2026", "k2027", "k2025"):
                self.tool.set_ring(self.ring.with_primary(primary))
                self.ring = self.tool.ring
                result = self.tool.rotate("--max-runtime", "15s")
                left = self.value(
                    "SELECT count(*) FROM t WHERE NOT starts_with(secret, %s)",
                    f"enc:fernet:{primary}:")
                self.assertIn(result.status, (0, 1, 5, 6), str(result))
                if result.status == 0:
                    self.assertEqual(left, 0)


class Dodging(Base):
    """The same on purpose: the row changes to the partition that the walk
    has left behind, each time, while the walk waits at the next one."""

    DODGES = 3

    def setUp(self):
        super().setUp()
        self.sql("CREATE TABLE t (id int, secret text, n int, filler text,"
                 " part int) PARTITION BY LIST (part)")
        for part in (0, 1):
            self.sql(f"CREATE TABLE t{part} PARTITION OF t"
                     f" FOR VALUES IN ({part})")
            self.fill("t", f", {part}")
        self.sql("DELETE FROM t WHERE id = %s AND part = 1", self.HOPPER)
        self.tool.configure(rotate={"workers": 1, "chunk_bytes": "1MiB",
                                    "window_bytes": "256KiB"},
                            t={"columns": "secret"})
        self.assertExit(0, self.tool.rotate())

    def seen_at(self, granted=True):
        """The partitions that the program's session has a lock on."""
        return {int(name[1:]) for name, in self.sql(
            "SELECT DISTINCT relation::regclass::text FROM pg_locks"
            " WHERE relation IN ('t0'::regclass, 't1'::regclass)"
            " AND pid <> pg_backend_pid() AND granted = %s", granted)}

    def walked(self, run):
        """The partition that the walk is in; None when the run ended."""
        last, times = None, 0
        while run.running():
            at = self.seen_at()
            if len(at) == 1:
                times = times + 1 if at == last else 1
                last = at
                if times == 3:
                    return at.pop()
            time.sleep(0.001)
        return None

    def dodge(self, run):
        """Moves the row from ahead of the walk to behind it."""
        behind = self.walked(run)
        if behind is None:
            return False
        ahead = 1 - behind
        move = "UPDATE t SET part = %s WHERE id = %s AND part <> %s"
        self.sql(move, ahead, self.HOPPER, ahead)
        self.sql("BEGIN")
        try:
            self.sql(f"LOCK TABLE t{ahead} IN ACCESS EXCLUSIVE MODE")
            waited = False
            while run.running() and not waited:
                waited = ahead in self.seen_at(granted=False)
                time.sleep(0.001)
            self.sql(move, behind, self.HOPPER, behind)
        finally:
            self.sql("COMMIT")
        return waited

    def test_a_row_that_dodges_the_walk_is_found_before_it_says_clean(self):
        self.age()
        run = self.start("--wait", "1s")
        dodges = sum(self.dodge(run) for _ in range(self.DODGES))
        result = run.finish()
        self.assertGreater(dodges, 0, "the hazard did not occur")
        if result.status == 0:
            self.assertEqual(self.old_rows(), 0, "a false clean")
        self.assertExit(0, self.tool.rotate())
        self.assertEqual(self.old_rows(), 0)


if __name__ == "__main__":
    unittest.main()
