"""What the torture tests share: how much, which dice, and whether the hazard
that a test is about did occur.

TORTURE is check (a slice of seconds), full or long: the numbers differ,
nothing else. SEED repeats the dice of an earlier run.
"""
import os
import random
import sys
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from lib import zoo  # noqa: E402
from lib.scene import Scene  # noqa: E402

SIZES = ("check", "full", "long")
SIZE = os.environ.get("TORTURE", "check")
if SIZE not in SIZES:
    raise SystemExit(f"TORTURE is one of {', '.join(SIZES)}")
SEED = int(os.environ.get("SEED", time.time_ns() % 2**32))


def pick(check, full, long):
    """The number for this size."""
    return {"check": check, "full": full, "long": long}[SIZE]


def spread(last, count):
    """At most count of the numbers 1..last, evenly, both ends included."""
    if last <= count:
        return list(range(1, last + 1))
    return sorted({1 + i * (last - 1) // max(count - 1, 1)
                   for i in range(count)})


class Torture(Scene):
    """A scene that counts its hazards, and fails where one did not occur."""

    def setUp(self):
        super().setUp()
        self.random = random.Random(SEED)
        self.hazards = {}

    def hazard(self, name, times=1):
        self.hazards[name] = self.hazards.get(name, 0) + times

    def assertHazards(self, **least):
        """Each at least so often; prints how often each was."""
        seen = ", ".join(f"{name} {times}"
                         for name, times in sorted(self.hazards.items()))
        print(f"{self.id()}: seed {SEED}, {seen}", file=sys.stderr)
        for name, wanted in least.items():
            self.assertGreaterEqual(self.hazards.get(name, 0), wanted,
                                    f"the hazard did not occur: {name}")

    # -- a small table whose rows are written once -------------------------

    def make_table(self, rows):
        """Old values, and a trigger that remembers who was rewritten."""
        self.rows = rows
        self.sql("CREATE TABLE t (id int PRIMARY KEY, secret text, note text)")
        zoo.copy_rows(self.admin, "t", ("id", "secret", "note"), (
            (i, self.old(i), f"note {i}") for i in range(rows)))
        self.audit("t")
        self.sql("CREATE TABLE origin AS TABLE t")
        self.sql("ANALYZE")
        self.before = self.snapshot("t", "secret")

    def old(self, i):
        return self.ring.seal(zoo.plain(str(i)), ("k2023", "k2024")[i % 2],
                              zoo.THEN + i)

    def start_anew(self):
        """Everything as if there had never been a run."""
        self.sql("DROP SCHEMA IF EXISTS pgrekey CASCADE")
        self.sql("TRUNCATE t; INSERT INTO t TABLE origin; TRUNCATE audit")

    def assertOnce(self, moment, but=()):
        """Whatever happened: complete, nothing differs, no row was written
        twice, and the program counted what it did. All but those ids, which
        cannot be written."""
        rows = self.rows - len(but)
        with self.subTest(moment):
            self.assertRight(self.before, self.snapshot("t", "secret"),
                             {(str(name), "secret") for name in but})
            self.assertEqual(self.sql(
                "SELECT count(*), count(DISTINCT id) FROM audit")[0],
                (rows, rows), "rows were written again")
            self.assertEqual(self.sql(
                "SELECT sum(n) FROM (SELECT rewritten FROM pgrekey.leaf"
                " UNION ALL SELECT rewritten FROM pgrekey.chunk) AS r,"
                " unnest(r.rewritten) AS n")[0][0], rows,
                "the program counted something else")
