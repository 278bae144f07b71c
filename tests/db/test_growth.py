"""The table does not double: most new versions take the room of old ones.

On tables that are packed full, about 25 rows a page, where each update would find
no room if nothing were pruned in time. Not for sanitizer builds: with so slow
a client the workers' snapshots lie otherwise.
"""
import os
import signal
import sys
import unittest
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from lib import zoo  # noqa: E402
from lib.scene import Scene  # noqa: E402

ROWS = int(os.environ.get("ROWS", 60_000))
DISTINCT = 2000
KEYS = {
    "a number": "id bigint PRIMARY KEY",
    "random uuids": "id bigint, u uuid PRIMARY KEY DEFAULT gen_random_uuid()",
    "two columns": "id bigint, m int DEFAULT 1, PRIMARY KEY (m, id)",
    "none": "id bigint",
}


def setUpModule():
    Scene.open()


class Growth(Scene):
    def seed(self, key, sizes=(64,), rows=ROWS):
        self.sql("DROP TABLE IF EXISTS t, seed")
        self.sql("CREATE TABLE seed (n int, secret text)")
        zoo.copy_rows(self.admin, "seed", ("n", "secret"),
                      ((n, self.ring.seal(
                          os.urandom(sizes[n % len(sizes)]), "k2023"))
                       for n in range(DISTINCT)))
        self.sql(f"CREATE TABLE t ({key}, secret text)")
        self.sql("INSERT INTO t (id, secret) SELECT i, secret FROM"
                 " generate_series(1, %s) AS i JOIN seed ON n = i %% %s"
                 " ORDER BY i", rows, DISTINCT)
        self.sql("VACUUM ANALYZE t")

    def counters(self):
        return self.sql("SELECT pg_relation_size('t'), n_tup_upd,"
                        " n_tup_hot_upd FROM pg_stat_user_tables"
                        " WHERE relname = 't'")[0]

    def rotate(self, workers):
        """How many times as large the table is now, and the share of updates
        that touched no index."""
        before = self.counters()
        self.tool.configure(rotate={"workers": workers},
                            t={"columns": "secret"})
        self.assertExit(0, self.tool.rotate())
        self.assertEqual(self.labels("t", "secret"), {"k2025": ROWS})
        after = self.until(lambda: self.grown(before), "it is counted")
        return (after[0] / before[0],
                (after[2] - before[2]) / (after[1] - before[1]))

    def grown(self, before):
        after = self.counters()
        return after if after[1] - before[1] >= ROWS else None

    def test_of_25_rows_a_page_few_move(self):
        self.seed(KEYS["a number"])
        growth, hot = self.rotate(1)
        self.assertLess(growth, 1.15)
        self.assertGreater(hot, 0.85)

    def test_what_a_pass_leaves_dead_is_pruned_before_the_proof_looks(self):
        """Or each page would be logged once more where a checkpoint lies in
        between. Looked at in the middle, by what prunes nothing itself."""
        self.sql("CREATE EXTENSION pgstattuple")
        self.seed(KEYS["a number"], rows=4 * ROWS)
        self.tool.configure(rotate={"workers": 2}, t={"columns": "secret"})
        run = self.tool.start_rotate()
        self.until(lambda: self.rewritten() > 2 * ROWS, "it gets on")
        run.send(signal.SIGTERM)
        self.assertExit(5, run.finish())
        dead = self.value("SELECT dead_tuple_count FROM pgstattuple('t')")
        self.assertLess(dead, self.rewritten() / 15)

    def rewritten(self):
        """By the program's own count, since ours would prune."""
        return self.value("SELECT to_regclass('pgrekey.chunk') IS NOT NULL"
                          ) and self.value(
            "SELECT coalesce(sum(n), 0) FROM pgrekey.chunk,"
            " unnest(rewritten) AS n")

    def test_rows_of_many_sizes_reuse_the_room_whatever_the_key_is(self):
        """One row a page may move in addition, as the room that another left
        is too small for it."""
        for key in KEYS:
            with self.subTest(key=key):
                self.assertSmall(key, 1)

    def test_several_workers_hardly_disturb_each_other(self):
        for workers in (2, 4):
            with self.subTest(workers=workers):
                self.assertSmall("random uuids", workers)

    def assertSmall(self, key, workers):
        self.seed(KEYS[key], range(40, 89))
        growth, hot = self.rotate(workers)
        self.assertLess(growth, 1.18)
        self.assertGreater(hot, 0.80)

    def test_beside_an_old_snapshot_it_doubles_and_the_run_still_ends(self):
        self.seed(KEYS["a number"])
        other = self.connect(autocommit=False)
        other.set_session(isolation_level="REPEATABLE READ", readonly=True)
        other.cursor().execute("SELECT 1")
        growth, hot = self.rotate(1)
        self.assertGreater(growth, 1.9)
        self.assertLess(hot, 0.1)


if __name__ == "__main__":
    unittest.main()
