"""What the torture tests share: how much, which dice, and whether the hazard
that a test is about did occur.

TORTURE is check (a slice of seconds), full or long: the numbers differ,
nothing else. SEED repeats the dice of an earlier run.
"""
import collections
import os
import random
import sys
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from lib import model, zoo  # noqa: E402
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

    # -- counts ------------------------------------------------------------

    def counted(self, snapshot):
        """What a report has to say of the column of text in it, as the
        oracle's judge reads it: values, verdicts, keys, findings."""
        verdicts, keys = collections.Counter(), collections.Counter()
        findings = 0
        for row in snapshot.rows.values():
            stored, = row.values
            seen = model.Verdict("null") if stored is None else model.judge(
                stored.encode(), "text", self.ring, model.Policy(),
                time.time())
            verdicts[seen.verdict] += 1
            findings += seen.blocks
            # By the key that made it; where nobody knows that, by its label.
            keys.update(filter(None, [seen.key or seen.label]))
        return len(snapshot.rows), dict(verdicts), dict(keys), findings

    def assertCounted(self, result, column, counted):
        """The report on a table of one column says what counted() did."""
        said = result.column(column)
        self.assertEqual(
            (said["scanned"], said["verdicts"], said["keys"],
             result.report["findings"]["total"]),
            counted, f"seed {SEED}: {result}")
        self.hazard("reports compared")

    def rewritten(self):
        """{run: values that it rewrote}, by its own counters."""
        return dict(self.sql(
            "SELECT run_id, sum(n)::int FROM (SELECT run_id, rewritten"
            " FROM pgrekey.leaf UNION ALL SELECT run_id, rewritten"
            " FROM pgrekey.chunk) AS r, unnest(rewritten) AS n GROUP BY 1"))

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
            self.assertEqual(sum(self.rewritten().values()), rows,
                             "the program counted something else")

    def assertReadable(self, moment):
        """Whatever moment it is, every value reads as it did."""
        old = self.before.readings(self.ring)
        now = self.snapshot("t", "secret").readings(self.ring)
        self.assertEqual(old.keys(), now.keys(), moment)
        for place, seen in now.items():
            self.assertEqual(old[place].value, seen.value,
                             f"{moment}, {place}")
