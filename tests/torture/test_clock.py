"""Clocks that are wrong, by minutes and by years, or that jump.

What is kept in the database is by the server's clock, and how long something
takes by one that only goes forward. So a host whose time of the day is wrong
is as good as any other; and where the server's clock jumps leases end too
early or too late, which costs time and no row.
"""
import contextlib
import datetime
import signal
import sys
import time
import unittest
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent))

from torture import Torture, pick  # noqa: E402
from lib import oracle, skew  # noqa: E402
from lib.cluster import Cluster  # noqa: E402
from lib.pooler import Pooler  # noqa: E402

MINUTES, HOUR, DAY = 300, 3600, 86400
YEARS = 12 * 365 * DAY  # before any of the old values was sealed
# Each commit waits a little, so that there is a middle.
SLOW = {"fsync": True, "commit_siblings": 0, "commit_delay": 5000}
BATCH = {"batch_rows": 50, "workers": 2, "chunk_bytes": "1MiB"}


class OddServer(Cluster):
    """Its clock can be set."""

    def start(self):
        self.clock = skew.Clock(self.home / "clock")
        self.environment = self.clock.environment()
        super().start()


def setUpModule():
    Hosts.open(**SLOW)
    Server.open(OddServer, **SLOW)


class Clocks(Torture):
    ROWS = 3000

    def setUp(self):
        super().setUp()
        self.make_table(self.ROWS)
        self.tool.configure(rotate=BATCH, t={"columns": "secret"})

    def done(self):
        return self.value("SELECT count(*) FROM t WHERE"
                          " starts_with(secret, 'enc:fernet:k2025:')")

    def until_beyond(self, run, rows):
        self.until(lambda: self.done() > rows or not run.running(),
                   "the run gets on")

    def fenced(self):
        """How often somebody wrote to a chunk that was no longer his."""
        return self.cluster.server_log().count("ERROR:  22012")


class Hosts(Clocks):
    ROWS = 12_000  # several chunks

    def late(self, result):
        return result.column("secret")["counters"].get("late", 0)

    def assertOff(self, result, seconds):
        """The hazard: by its own account it began at another time."""
        began = datetime.datetime.fromisoformat(
            result.report["started"].replace("Z", "+00:00")).timestamp()
        self.assertLess(abs(began - time.time() - seconds), MINUTES / 2)
        self.hazard("wrong clocks")

    def test_a_host_whose_clock_is_off_rotates_as_any_other(self):
        for seconds in (-YEARS, YEARS, *pick(
                (), (-MINUTES, MINUTES, -DAY, DAY),
                (-MINUTES, MINUTES, -DAY, DAY))):
            self.start_anew()
            env = skew.off(seconds)
            dry = self.tool.rotate("--dry-run", env=env)
            result = self.tool.rotate("--max-runtime", "10m", env=env)
            verified = self.tool.verify(env=env)
            for one in (dry, result, verified):
                self.assertExit(0, one)
                self.assertOff(one, seconds)
                self.assertLess(one.report["seconds"], one.seconds)
            for one in (dry, result):
                self.assertEqual(self.late(one), 0)
            self.assertOnce(f"{seconds} s off")
        self.assertHazards(**{"wrong clocks": 6})

    def own_chunks(self):
        """How many processes have work of their own just now."""
        return self.value(
            "SELECT count(DISTINCT w.os_pid) FROM pgrekey.chunk AS c JOIN"
            " pgrekey.worker AS w ON w.id = c.worker_id"
            " WHERE c.state = 'running'") if self.value(
            "SELECT to_regclass('pgrekey.number') IS NOT NULL") else 0

    def test_hosts_whose_clocks_differ_share_a_run(self):
        before = self.fenced()
        self.tool.configure(rotate={**BATCH, "workers": 1},
                            t={"columns": "secret"})
        for _ in range(pick(1, 5, 20)):
            self.start_anew()
            runs = [self.start(env=env) for env in
                    (skew.off(-YEARS), {}, skew.off(YEARS))]
            self.until(lambda: self.own_chunks() == 3
                       or not all(run.running() for run in runs),
                       "each has a chunk")
            self.hazard("shared", all(run.running() for run in runs))
            for run in runs:
                self.assertExit(0, run.finish())
            self.assertOnce("clocks differ")
        # Nobody took another's lease for over.
        self.assertEqual(self.fenced(), before)
        self.assertHazards(shared=1)

    def test_what_a_host_ahead_has_sealed_is_not_late_in_the_next_run(self):
        """What was in the clear gets the time of a clock that all share."""
        self.sql("TRUNCATE t")
        self.sql("INSERT INTO t SELECT i, 's3cr3t-canary ' || i"
                 " FROM generate_series(1, 50) AS i")
        self.tool.configure(rotate=BATCH,
                            t={"columns": "secret", "raw": "encrypt"})
        for turn, seconds in enumerate((YEARS, -YEARS)):
            self.assertExit(0, self.tool.rotate(env=skew.off(seconds)))
            for stored, in self.sql("SELECT secret FROM t"):
                sealed = oracle.read(stored, self.ring).at
                self.assertLess(abs(sealed - time.time()), MINUTES)
            self.hazard("sealed", self.value("SELECT count(*) FROM t"))
            self.tool.set_ring(self.ring.with_primary(f"k{3000 + turn}"))
            self.ring = self.tool.ring
            result = self.tool.rotate()
            self.assertExit(0, result)
            self.assertEqual(self.late(result), 0)
            self.sql("UPDATE t SET secret = 's3cr3t-canary ' || id")
        self.assertHazards(sealed=100)

    def test_a_clock_that_jumps_ends_nothing(self):
        clock = skew.Clock(self.folder / "clock")
        run = self.start("--max-runtime", "10m", env=clock.environment())
        while run.running():
            clock.set(self.random.choice((-DAY, -MINUTES, 0, MINUTES, DAY)))
            self.hazard("jumps")
            time.sleep(0.02)
        result = run.finish()
        self.assertExit(0, result)
        self.assertLess(result.report["seconds"], result.seconds)
        self.assertOnce("jumps")
        self.assertHazards(jumps=10)


class Server(Clocks):
    def jump(self, seconds):
        self.cluster.clock.set(seconds)
        self.assertLess(abs(self.value(
            "SELECT extract(epoch FROM clock_timestamp())::bigint")
            - time.time() - seconds), MINUTES / 2)
        self.hazard("jumps")

    def setUp(self):
        super().setUp()
        self.addCleanup(self.cluster.clock.set, 0)

    def test_a_clock_that_jumps_costs_no_row(self):
        """Ahead of all leases, and back again: whoever works is robbed of his
        chunk, and notices."""
        before, rounds = self.fenced(), pick(2, 10, 50)
        # Time for others to come by.
        self.tool.configure(rotate={**BATCH, "max_rows_per_second": 3000},
                            t={"columns": "secret"})
        while self.hazards.get("rounds", 0) < rounds or (
                self.fenced() == before and self.hazards["rounds"] < 20):
            self.hazard("rounds")
            self.start_anew()
            runs = [self.start(), self.start()]
            while any(run.running() for run in runs):
                self.jump(self.random.choice((0, HOUR, 2 * HOUR)))
                time.sleep(self.random.uniform(0.05, 0.2))
            self.jump(0)
            for run in runs:
                self.assertExit(0, run.finish())
            self.assertOnce("jumps")
        self.hazard("fenced", self.fenced() - before)
        self.assertHazards(jumps=4, fenced=1)

    def die_in_the_middle(self):
        self.start_anew()
        dead = self.start()
        self.until_beyond(dead, self.ROWS // 5)
        dead.send(signal.SIGKILL)
        with contextlib.suppress(AssertionError):
            dead.finish()

    def test_set_back_it_does_not_keep_what_the_dead_have_held(self):
        for _ in range(pick(1, 5, 20)):
            self.die_in_the_middle()
            self.hazard("died in the middle", self.value(
                "SELECT count(*) FROM pgrekey.chunk WHERE state = 'running'"))
            self.jump(-HOUR)
            result = self.tool.rotate()
            self.assertExit(0, result)
            self.assertLess(result.seconds, MINUTES)
            self.assertOnce("set back")
            self.jump(0)
        self.assertHazards(**{"died in the middle": 1})

    def finishes_without_it(self):
        """A second process does, after the clock went back, though the first
        had a chunk in its hands."""
        self.hazard("held", self.value(
            "SELECT count(*) FROM pgrekey.chunk WHERE state = 'running'"))
        self.assertLess(self.done(), self.ROWS)
        self.jump(-HOUR)
        result = self.tool.rotate("--max-runtime", f"{MINUTES // 5}s")
        self.assertExit(0, result)
        self.assertOnce("set back")

    def test_set_back_it_does_not_keep_what_a_frozen_process_holds(self):
        """Its backend is there, so that the lease alone tells."""
        for _ in range(pick(1, 5, 20)):
            self.start_anew()
            frozen = self.start()
            self.until_beyond(frozen, self.ROWS // 5)
            self.freeze(frozen)
            self.finishes_without_it()
            frozen.send(signal.SIGCONT)
            self.assertExit(0, frozen.finish())
            self.jump(0)
        self.assertHazards(held=1)

    def test_set_back_it_does_not_keep_what_the_dead_behind_a_pooler_held(self):
        """There it is only their last sign of life that tells."""
        pooler = Pooler(self.cluster, "transaction")
        self.addCleanup(pooler.close)
        self.tool.connection = pooler.settings(self.database)
        for _ in range(pick(1, 5, 20)):
            self.die_in_the_middle()
            self.finishes_without_it()
            self.jump(0)
        self.assertHazards(held=1)


if __name__ == "__main__":
    unittest.main()
