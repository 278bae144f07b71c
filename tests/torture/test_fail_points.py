"""Killed or frozen at each moment that has a name.

A test build does so itself where FAIL_POINT() says (include/fail_point.h): at
moments that no system call tells. One row is suppressed by a trigger, so that
what is missed and refused has moments, too.
"""
import re
import signal
import sys
import unittest
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent))

from torture import Scene, Torture, pick  # noqa: E402
from lib import pgrekey  # noqa: E402

POINTS = sorted({name for source in pgrekey.ROOT.glob("src/*/*.c")
                 for name in re.findall(r"FAIL_POINT\((\w+)\)",
                                        source.read_text())})
WORKERS = pick((2,), (1, 4), (1, 2, 4))
KILLS = pick((1, 3), (1, 2, 3, 4, 6, 9, 13), range(1, 40))
FREEZES = pick((1,), (1, 2, 3, 4, 6), range(1, 40))
ROWS = 300
SUPPRESSED = 77


def setUpModule():
    Scene.open(fsync=True)


class FailPoints(Torture):
    def setUp(self):
        super().setUp()
        self.make_table(ROWS)
        self.sql("CREATE FUNCTION suppress() RETURNS trigger LANGUAGE plpgsql"
                 " AS 'BEGIN RETURN NULL; END'")
        self.sql("CREATE TRIGGER suppress BEFORE UPDATE ON t FOR EACH ROW"
                 f" WHEN (NEW.id = {SUPPRESSED}) EXECUTE FUNCTION suppress()")

    def start_at(self, point, times, what, workers):
        """A run to which that happens when it passes there so often."""
        self.until_alone()
        self.start_anew()
        self.tool.configure(rotate={"workers": workers, "batch_rows": 20},
                            t={"columns": "secret"})
        return self.tool.start_rotate(
            env={"PGREKEY_FAIL": f"{point}:{times}:{what}"})

    def assertDone(self, result, moment):
        """As good as a run that nobody disturbed."""
        with self.subTest(moment):
            self.assertExit(1, result)
            self.assertEqual([found["row"] for found in result.findings],
                             [{"id": str(SUPPRESSED)}])
            self.assertEqual(result.column("secret")["keys"]["k2025"],
                             ROWS - 1)
        self.assertOnce(moment, but=[SUPPRESSED])

    def each(self, act, all_times):
        for point in POINTS:
            for workers in WORKERS:
                for times in all_times:
                    if not act(point, times, workers):
                        break
        self.assertHazards(**dict.fromkeys(POINTS, 1))

    def frozen(self, run):
        """False: it has ended without."""
        state = Path(f"/proc/{run.pid}/stat")
        return self.until(
            lambda: "T" if state.read_text().rpartition(") ")[2][0] == "T"
            else not run.running() and "ended", "it stops or ends") == "T"

    def is_all_done(self):
        """Whatever was sent to the server. Some of it may wait for a lock of
        a transaction that waits for its client, between two statements or in
        the middle of a flush; the server ends the first kind in time, and the
        network the other."""
        self.sql("SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
                 " WHERE datname = current_database()"
                 " AND (state LIKE 'idle in transaction%'"
                 " OR state = 'active' AND wait_event = 'ClientRead')")
        return self.value(
            "SELECT count(*) = 1 FROM pg_stat_activity WHERE datname ="
            " current_database() AND state <> 'idle'")

    def let_it_be_long(self):
        """Leases end and nothing is heard of the workers. Not before all is
        done: that may renew a lease."""
        self.until(self.is_all_done, "all is done")
        self.sql("UPDATE pgrekey.chunk SET lease_until = now()"
                 " - interval '1 s' WHERE lease_until IS NOT NULL")
        self.sql("UPDATE pgrekey.worker SET seen_at = seen_at"
                 " - interval '1 h'")

    def wake_late(self, point, times, workers):
        """When it wakes up, another process has done everything."""
        run = self.start_at(point, times, "stop", workers)
        frozen = self.frozen(run)
        self.hazard(point, frozen)
        if frozen:
            self.let_it_be_long()
            self.assertDone(self.tool.rotate(), f"frozen at {point}, {times}")
            run.send(signal.SIGCONT)
        self.assertDone(run.finish(), f"{workers} workers, {point}, {times}")
        return frozen

    def test_frozen_at_any_point_it_wakes_up_to_change_nothing(self):
        self.each(self.wake_late, FREEZES)

    def die(self, point, times, workers):
        """False: it does not pass there so often."""
        run = self.start_at(point, times, "kill", workers)
        killed = run.process.wait(pgrekey.PATIENCE) == -signal.SIGKILL
        self.hazard(point, killed)
        result = run.finish() if not killed else self.tool.rotate()
        run.kill()
        self.assertDone(result, f"{workers} workers, {point}, {times}")
        return killed

    def test_killed_at_any_point_the_next_run_completes_what_it_began(self):
        self.each(self.die, KILLS)


class Release(unittest.TestCase):
    def test_a_release_has_no_fail_points(self):
        for flavour, there in ("asan", True), ("release", False):
            program = (pgrekey.PROGRAM.parents[1] / flavour / "pgrekey")
            self.assertEqual(b"PGREKEY_FAIL" in program.read_bytes(), there)


if __name__ == "__main__":
    unittest.main()
