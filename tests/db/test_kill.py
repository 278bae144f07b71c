"""kill -9 at random moments: nothing is lost, the same command goes on.

KILLS (50) and ROWS say how long; PGREKEY_TEST_SCALE shrinks both. A run of
the test that did not really hit a rotation in the middle is a failure.
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
ROWS = int(os.environ.get("ROWS", scaled(40_000, 8000)))
SEED = int(os.environ.get("SEED", time.time_ns() % 2**32))


def setUpModule():
    Scene.open(fsync=True)


class Kill(Scene):
    def setUp(self):
        super().setUp()
        self.random = random.Random(SEED)
        self.bad = zoo.bad(self.ring)
        for name, column_type in (("creds", "text"), ("metas", "jsonb")):
            self.sql(f"CREATE TABLE {name} (id int PRIMARY KEY,"
                     f" secret {column_type}, note text)")
            dress = oracle.wrap if column_type == "jsonb" else str
            zoo.copy_rows(self.admin, name, ("id", "secret"),
                          ((i, dress(self.stored(i)))
                           for i in range(ROWS // 2)))
        self.tool.configure(
            rotate={"batch_rows": 200, "chunk_bytes": "1MiB"},
            creds={"columns": "secret"}, metas={"columns": "secret"})
        self.before = self.look()
        self.kept = {(str(i), "secret") for i in range(0, ROWS // 2, 500)}

    def stored(self, i):
        """Every 500th value is beyond repair."""
        if i % 500 == 0:
            return list(self.bad.values())[i // 500 % len(self.bad)].stored
        return self.ring.seal(zoo.plain(str(i)), ("k2023", "k2024")[i % 2],
                              zoo.THEN + i)

    def look(self):
        return [self.snapshot(name, "secret") for name in ("creds", "metas")]

    def done(self):
        """The part of all values that is under the primary."""
        return sum(
            self.value(f"SELECT count(*) FROM {name} WHERE starts_with"
                       f"({field}, 'enc:fernet:k2025:')")
            for name, field in (
                ("creds", "secret"),
                ("metas", "secret->>'sentry_encrypted_field_value'"))
        ) / (ROWS - 2 * len(self.kept))

    def strike(self, limit):
        """One run and its sudden end. True if it was still running."""
        run = self.start()
        time.sleep(self.random.uniform(0, limit))
        alive = run.running()
        run.kill()
        return alive

    def check_readable(self):
        """Whatever moment it is, every value reads as it did."""
        for before, now in zip(self.before, self.look()):
            old = before.readings(self.ring)
            for place, seen in now.readings(self.ring).items():
                self.assertEqual(old[place].value, seen.value, place)

    def test_killed_again_and_again_it_completes_with_no_difference(self):
        hits, limit, moments = 0, 0.2, []
        for turn in range(1, KILLS + 1):
            alive = self.strike(limit)
            done = self.done()
            moments.append(round(done, 3))
            hits += alive and 0 < done < 1
            # Keep pace: the last kill should come near the end.
            limit *= 0.8 if done > 0.9 * turn / KILLS else 1.25
            if turn % 10 == 0:
                self.check_readable()
        result = self.tool.rotate()
        report = f"seed {SEED}, {hits} hits, progress {moments}"
        self.assertExit(1, result)
        self.assertEqual(len(result.findings), 2 * len(self.kept), report)
        for before, after in zip(self.before, self.look()):
            self.assertRight(before, after, self.kept)
        self.assertGreaterEqual(hits, KILLS * 3 // 5, report)
        # A start that is killed before its first commit repeats a moment.
        self.assertGreaterEqual(len(set(moments)), KILLS // 10, report)


if __name__ == "__main__":
    unittest.main()
