"""Many starts of the same command at once, as from the cron of many hosts.

The table is small, so runs begin, are joined, proven and closed all the time,
while partitions come and go, somebody pauses and resumes, and old values are
added. Whatever meets whatever: nobody fails, and nobody waits for ever.
"""
import contextlib
import signal
import sys
import threading
import time
import unittest
from concurrent import futures
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent))

from torture import SEED, Scene, Torture, pick  # noqa: E402
from lib import oracle, zoo  # noqa: E402

SECONDS = pick(15, 60, 1800)
PROCESSES = 5
PARTS = 3   # at least
ROWS = 40   # of each


def setUpModule():
    Scene.open(log_lock_waits="on")


class Crowd(Torture):
    def setUp(self):
        super().setUp()
        self.sql("CREATE TABLE t (id int, part int, secret text)"
                 " PARTITION BY LIST (part)")
        self.ids = iter(range(10**9))
        self.parts = []
        self.one = threading.Lock()  # thread at a time
        for _ in range(PARTS):
            self.attach(self.admin.cursor())
        # Old values come all the time: no run may have enough of that.
        self.tool.configure(rotate={"max_passes": 1000},
                            t={"columns": "secret"})
        self.assertExit(0, self.tool.run("init"))

    def count(self, name):
        with self.one:
            self.hazard(name)

    def begin(self, *arguments):
        with self.one:  # they share a configuration file
            return self.tool.start(*arguments)

    # -- who changes what there is -----------------------------------------

    def add(self, cursor, table, part, rows):
        for i in (next(self.ids) for _ in range(rows)):
            cursor.execute(f"INSERT INTO {table} VALUES (%s, %s, %s)",
                           (i, part, self.old(i)))

    def attach(self, cursor):
        part = next(self.ids)
        cursor.execute(f"CREATE TABLE t{part} (LIKE t)")
        self.add(cursor, f"t{part}", part, ROWS)
        cursor.execute(f"ALTER TABLE t ATTACH PARTITION t{part}"
                       f" FOR VALUES IN ({part})")
        self.parts.append(part)
        self.count("attached")

    def detach(self, cursor):
        part = self.parts.pop(0)
        cursor.execute(f"ALTER TABLE t DETACH PARTITION t{part}")
        cursor.execute(f"DROP TABLE t{part}")
        self.count("detached")

    def insert(self, cursor):
        self.add(cursor, "t", self.random.choice(self.parts), 5)
        self.count("inserted")

    def pause(self, _):
        if self.begin("pause").finish().status == 2:
            return  # no run is open
        self.count("paused")
        time.sleep(self.random.uniform(0, 0.3))
        self.assertIn(self.begin("resume").finish().status, (0, 2))

    def administer(self, over):
        with contextlib.closing(
                self.cluster.connect(self.database)) as connection:
            while not over.wait(self.random.uniform(0, 0.3)):
                do = self.random.choice((self.attach, self.detach,
                                         self.insert, self.insert,
                                         self.pause))
                if do != self.detach or len(self.parts) > PARTS:
                    do(connection.cursor())

    # -- who starts it -----------------------------------------------------

    def rotate(self, dice):
        """One start. A fourth may not join, a fourth is killed or asked to
        end in the middle."""
        alone = dice.random() < 1 / 4
        run = self.begin("rotate", "--workers", dice.choice("123"),
                         *(["--no-join"] if alone else []))
        if dice.random() < 1 / 4:
            time.sleep(dice.uniform(0, 0.5))
            if dice.random() < 1 / 2:
                run.kill()
                self.count("killed")
                return
            run.send(signal.SIGTERM)
            self.count("asked to end")
            if run.process.wait(run.patience) == -signal.SIGTERM:
                run.kill()  # it had hardly begun
                return
            allowed = 0, 5
        else:
            allowed = (0, 5) if alone else (0,)
        result = run.finish()
        if result.status not in allowed:
            self.fail(f"seed {SEED}: {result}")
        self.count(f"exit {result.status}")

    def keep_starting(self, over, number):
        dice = type(self.random)(SEED + number)
        while not over.is_set():
            self.rotate(dice)

    def test_whoever_meets_nobody_fails(self):
        over = threading.Event()
        with futures.ThreadPoolExecutor() as pool:
            work = [pool.submit(self.administer, over)]
            work += [pool.submit(self.keep_starting, over, number)
                     for number in range(PROCESSES)]
            futures.wait(work, SECONDS, futures.FIRST_EXCEPTION)
            over.set()
        for each in work:
            each.result()
        self.assertExit(0, self.tool.rotate())
        self.assertNotIn("deadlock detected", self.cluster.server_log())
        after = self.snapshot("t", "secret")
        self.assertEqual(oracle.labels(self.admin, "t", "secret"),
                         {self.ring.primary: len(after.rows)})
        for (name, _), seen in after.readings(self.ring).items():
            self.assertEqual(seen.value, zoo.plain(name))
        self.hazard("runs", self.value("SELECT count(*) FROM pgrekey.run"))
        self.assertHazards(
            runs=10, attached=PARTS + 3, detached=3, paused=3, killed=3,
            **{"exit 0": 10, "exit 5": 1, "asked to end": 3})


if __name__ == "__main__":
    unittest.main()
