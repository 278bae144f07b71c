"""Three processes on one run: SIGKILL for a random one, again and again, and
now and then a crash of the server.

Whenever a rotation is done another one begins, to a new primary, until there
were enough kills. Each row takes a little, so that several fall into one
rotation; two of three wait for their victim to be within a transaction, the
others come at any moment.
"""
import contextlib
import sys
import time
import unittest
from pathlib import Path

import psycopg2

sys.path.insert(0, str(Path(__file__).resolve().parent))

from torture import SEED, Scene, Torture, pick  # noqa: E402
from lib import oracle, zoo  # noqa: E402

KILLS = pick(25, 500, 3000)
STOPS = pick(2, 50, 300)
ROWS = 4000
ROW_SECONDS = pick(0.001, 0.002, 0.002)
PROCESSES = 3
LEASE = 60  # seconds


def setUpModule():
    Scene.open(fsync=True, full_page_writes="on")


class Kills(Torture):
    def setUp(self):
        super().setUp()
        self.make_table(ROWS)
        self.sql("DROP TRIGGER audit ON t; CREATE FUNCTION slow() RETURNS"
                 " trigger LANGUAGE plpgsql AS 'BEGIN PERFORM"
                 f" pg_sleep({ROW_SECONDS}); RETURN NULL; END'; CREATE"
                 " TRIGGER slow AFTER UPDATE ON t FOR EACH ROW"
                 " EXECUTE FUNCTION slow()")
        self.tool.configure(rotate={"batch_rows": 20, "workers": 2,
                                    "chunk_bytes": "1MiB"},
                            t={"columns": "secret"})
        self.runs = []
        self.turn = 0
        self.begin_turn()

    # -- processes ---------------------------------------------------------

    def keep_going(self):
        """As many processes as there should be. True: some are done. Others
        may have ended with 4, after a server that was away for long."""
        for run in [run for run in self.runs if not run.running()]:
            self.runs.remove(run)
            result = run.finish()
            if result.status not in (self.done, 4):
                self.fail(f"seed {SEED}: {result}")
            if result.status == self.done:
                self.reports.append(result)
            self.hazard(f"ended with {result.status}")
        while not self.reports and len(self.runs) < PROCESSES:
            self.runs.append(self.start())
        return bool(self.reports)

    def end_all(self):
        for run in self.runs:
            run.kill()
        self.runs = []

    def busy(self, run):
        """Is a worker of that process in the middle of a transaction?"""
        with contextlib.suppress(psycopg2.errors.UndefinedTable):
            return self.sql(
                "SELECT 1 FROM pgrekey.worker AS w JOIN pg_stat_activity AS a"
                " ON a.pid = w.backend_pid AND a.backend_start ="
                " w.backend_start WHERE w.os_pid = %s"
                " AND a.xact_start IS NOT NULL AND a.state <> 'idle'",
                run.pid)

    def wait_until_busy(self, run):
        """False: it ended before."""
        self.until(lambda: self.busy(run) or not run.running(),
                   f"seed {SEED}: a process goes on, or ends", LEASE, 0)
        return run.running()

    def kill_one(self):
        victim = self.random.choice(self.runs)
        if self.random.random() < 2 / 3 and self.wait_until_busy(victim):
            self.hazard("killed within a transaction")
        if victim.running():
            self.hazard("kills")
        victim.kill()
        self.runs.remove(victim)

    def crash(self):
        self.cluster.stop("immediate")
        self.hazard("crashes")
        time.sleep(self.random.uniform(0, 0.3))
        self.cluster.start()
        self.admin = self.connect()
        self.assertReadable(f"seed {SEED}")

    # -- what must hold ----------------------------------------------------

    def begin_turn(self):
        """In every other rotation there are values that nobody can open."""
        self.reports = []  # of those who saw this rotation done
        self.past = max(self.rewritten(), default=0) if self.turn else 0
        self.sql("DELETE FROM t WHERE id >= %s", ROWS)
        hopeless = [*zoo.NULL.values(), *zoo.bad(self.ring).values()]
        self.done = self.turn % 2  # their exit status
        for i, specimen in enumerate(hopeless[:None if self.done else 1]):
            self.sql("INSERT INTO t VALUES (%s, %s)", ROWS + i,
                     specimen.stored)
        self.before = self.snapshot("t", "secret")

    def kept(self):
        return [(name, "secret") for name in self.before.rows
                if int(name) >= ROWS]

    def next_rotation(self):
        """The one that is done was right; another one begins."""
        self.end_all()
        result = self.tool.rotate()
        self.assertExit(self.done, result)
        self.assertLess(result.seconds, LEASE / 2,
                        "what the dead held was not free at once")
        self.reports.append(result)
        after = self.snapshot("t", "secret")
        self.assertRight(self.before, after, self.kept())
        self.assertEqual(
            oracle.labels(self.admin, "t", "secret")[self.ring.primary], ROWS)
        self.check_counts(after)
        self.hazard("rotations")
        self.turn += 1
        self.tool.set_ring(self.ring.with_primary(f"k{3000 + self.turn}"))
        self.ring = self.tool.ring
        self.begin_turn()

    def check_counts(self, after):
        """Whoever was killed when: of all runs of this rotation together
        each value that changed is counted once, and what they and verify
        report is what the oracle counts."""
        runs = {run: count for run, count in self.rewritten().items()
                if run > self.past}
        changed = sum(row.values != after.rows[name].values
                      for name, row in self.before.rows.items())
        self.assertEqual(sum(runs.values()), changed, f"seed {SEED}: {runs}")
        counted = self.counted(after)
        for result in self.reports:
            self.assertCounted(result, "secret", counted)
            self.assertEqual(result.column("secret")["rewritten"],
                             runs[result.report["run"]], f"seed {SEED}")
        verified = self.tool.verify()
        self.assertExit(self.done, verified)
        self.assertCounted(verified, "secret", counted)

    def test_killed_and_crashed_again_and_again_nothing_is_lost(self):
        self.addCleanup(self.end_all)
        every = max(1, KILLS // STOPS)
        while (self.hazards.get("kills", 0) < KILLS
               or self.hazards.get("rotations", 0) < 2):
            if self.keep_going():
                self.next_rotation()
                continue
            time.sleep(self.random.uniform(0.02, 0.4))
            self.kill_one()
            kills = self.hazards.get("kills", 0)
            if kills and kills // every > self.hazards.get("crashes", 0):
                self.crash()
        self.assertReadable(f"seed {SEED}")
        self.next_rotation()
        self.assertHazards(kills=KILLS, crashes=STOPS, rotations=2,
                           **{"reports compared": 6,
                              "killed within a transaction": KILLS * 3 // 10})


if __name__ == "__main__":
    unittest.main()
