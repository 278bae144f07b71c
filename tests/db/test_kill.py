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
ROWS = int(os.environ.get("ROWS", scaled(30_000, 8000)))
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
            rotate={"batch_rows": 100, "chunk_bytes": "1MiB"},
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

    def strike(self, turn, speed):
        """One run and its sudden end; how much it did and whether it was hit
        in the middle of it. Every fifth is hit anywhere, maybe before it did
        anything; the others some time after their first write, so that the
        last kill comes near the end."""
        before = self.done()
        share = (1 - before) / (KILLS + 3 - turn)
        run = self.start()
        if turn % 5 == 0:
            time.sleep(self.random.uniform(0, 0.1))
        else:
            self.until(lambda: self.done() > before or not run.running(),
                       "the run writes", pause=0)
        began = time.monotonic()
        time.sleep(self.random.uniform(0, 2 * share / speed))
        alive = run.running()
        run.kill()
        seconds = time.monotonic() - began
        after = self.done()
        return alive and before < after < 1, (after - before) / seconds

    def check_readable(self):
        """Whatever moment it is, every value reads as it did."""
        for before, now in zip(self.before, self.look()):
            old = before.readings(self.ring)
            for place, seen in now.readings(self.ring).items():
                self.assertEqual(old[place].value, seen.value, place)

    def test_killed_again_and_again_it_completes_with_no_difference(self):
        hits, speed, moments = 0, 1.0, []
        for turn in range(1, KILLS + 1):
            hit, seen = self.strike(turn, speed)
            speed = max(0.05, 0.7 * speed + 0.3 * seen)
            hits += hit
            moments.append(round(self.done(), 3))
            if turn % 25 == 0:
                self.check_readable()
        result = self.tool.rotate()
        report = f"seed {SEED}, {hits} hits, progress {moments}"
        self.assertExit(1, result)
        self.assertEqual(len(result.findings), 2 * len(self.kept), report)
        for before, after in zip(self.before, self.look()):
            self.assertRight(before, after, self.kept)
        self.assertGreaterEqual(hits, KILLS * 3 // 5, report)


if __name__ == "__main__":
    unittest.main()
