"""kill -9 at random moments of one rotation: nothing is lost, it goes on.

KILLS (50) and ROWS say how long; PGREKEY_TEST_SCALE shrinks both, and SEED
repeats the moments of an earlier run. A run of the test that did not really
hit the rotation in the middle is a failure.

No moment is measured in seconds, since machines differ. Each commit waits a
little, so that a batch takes longer than a look at the progress, and a kill
comes a random number of committed rows after the first one of its process.
"""
import os
import random
import sys
import time
import unittest
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from lib import oracle, zoo  # noqa: E402
from lib.pgrekey import scaled  # noqa: E402
from lib.scene import Scene  # noqa: E402

KILLS = int(os.environ.get("KILLS", scaled(50, 10)))
ROWS = int(os.environ.get("ROWS", KILLS * 600))
SEED = int(os.environ.get("SEED", time.time_ns() % 2**32))
BATCH = 20       # rows
COMMIT = 0.004   # seconds that a commit takes at least
TABLES = {"creds": "secret", "metas": "secret->>'sentry_encrypted_field_value'"}


def setUpModule():
    Scene.open(fsync=True, commit_siblings=0, commit_delay=int(COMMIT * 1e6))


class Kill(Scene):
    def setUp(self):
        super().setUp()
        self.random = random.Random(SEED)
        self.bad = list(zoo.bad(self.ring).values())
        for name, column_type in (("creds", "text"), ("metas", "jsonb")):
            self.sql(f"CREATE TABLE {name} (id int PRIMARY KEY,"
                     f" secret {column_type}, note text)")
            dress = oracle.wrap if column_type == "jsonb" else str
            zoo.copy_rows(self.admin, name, ("id", "secret"),
                          ((i, dress(self.stored(i)))
                           for i in range(ROWS // 2)))
        self.tool.configure(
            rotate={"batch_rows": BATCH, "chunk_bytes": "1MiB"},
            **{name: {"columns": "secret"} for name in TABLES})
        self.before = self.look()
        self.kept = {(str(i), "secret") for i in range(0, ROWS // 2, 500)}
        self.total = ROWS - len(TABLES) * len(self.kept)

    def stored(self, i):
        """Every 500th value is beyond repair."""
        if i % 500 == 0:
            return self.bad[i // 500 % len(self.bad)].stored
        return self.ring.seal(zoo.plain(str(i)), ("k2023", "k2024")[i % 2],
                              zoo.THEN + i)

    def look(self):
        return [self.snapshot(name, "secret") for name in TABLES]

    # -- how far it is ------------------------------------------------------

    COMMITTED = "(SELECT coalesce(sum(n), 0)::int FROM ({}) AS r, " \
        "unnest(r.rewritten) AS n)".format(" UNION ALL ".join(
            f"SELECT rewritten FROM pgrekey.{part}"
            for part in ("leaf", "chunk")))

    def committed(self):
        """What the program's own state says of the rows rewritten."""
        if not self.value("SELECT to_regclass('pgrekey.number') IS NOT NULL"):
            return 0
        return self.value(f"SELECT {self.COMMITTED}")

    def assertExact(self, report):
        """A batch and its record are one transaction: in every snapshot
        there are as many new values as the state says."""
        if self.committed() == 0:
            return
        new = " + ".join(
            f"(SELECT count(*) FROM {name} WHERE"
            f" starts_with({field}, 'enc:fernet:k2025:'))"
            for name, field in TABLES.items())
        recorded, stored = self.sql(f"SELECT {self.COMMITTED}, {new}")[0]
        self.assertEqual(recorded, stored, report)

    # -- the kills ----------------------------------------------------------

    def strike(self, turn):
        """One run and its sudden end. Was it hit in the middle, neither at
        the beginning nor done? Every fifth is hit anywhere, maybe before it
        did anything."""
        before = self.committed()
        run = self.start()
        if turn % 5 == 0:
            time.sleep(self.random.uniform(0, 0.1))
        else:
            # So far that the last kill comes near the end, and never beyond.
            share = (self.total - before) / (KILLS + 3 - turn)
            target = before + self.random.uniform(0, 1.5 * share)
            self.until(lambda: self.committed() > target
                       or not run.running(), "the run gets on", pause=0)
            time.sleep(self.random.uniform(0, 3 * COMMIT))
        alive = run.running()
        run.kill()
        return alive and before < self.committed() < self.total

    def check_readable(self):
        """Whatever moment it is, every value reads as it did."""
        for before, now in zip(self.before, self.look()):
            old = before.readings(self.ring)
            for place, seen in now.readings(self.ring).items():
                self.assertEqual(old[place].value, seen.value, place)

    def test_killed_again_and_again_it_completes_with_no_difference(self):
        hits, moments = 0, []
        for turn in range(1, KILLS + 1):
            hits += self.strike(turn)
            moments.append(self.committed())
            self.assertExact(f"seed {SEED}, kill {turn}")
            if turn == KILLS // 2:
                self.check_readable()
        result = self.tool.rotate()
        report = f"seed {SEED}, {hits} hits, progress {moments}"
        self.assertExit(1, result)
        self.assertEqual(self.value("SELECT count(*) FROM pgrekey.run"), 1,
                         "the rotation was begun anew")
        self.assertEqual(len(result.findings), 2 * len(self.kept), report)
        for before, after in zip(self.before, self.look()):
            self.assertRight(before, after, self.kept)
        self.assertGreaterEqual(hits, KILLS * 3 // 5, report)


if __name__ == "__main__":
    unittest.main()
