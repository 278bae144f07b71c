"""rotate beside a live application whose history is checked.

Every value is unique, and every committed change is in a writer's log. At the
end each row must hold what its last committed change put there. Meanwhile an
administrator stores the rows in another order, again and again: what was read
at one place is then another row's.
"""
import contextlib
import json
import re
import subprocess
import sys
import threading
import time
import unittest
from concurrent import futures
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent))

from torture import SEED, Scene, Torture, pick  # noqa: E402
from lib import oracle, zoo  # noqa: E402

SECONDS = pick(15, 120, 1800)
CONFLICTS = pick(10, 100, 1000)
WRITERS = 4
ROWS = 2000
PARTS = 3
APPLICATION = Path(__file__).with_name("application.py")


def setUpModule():
    Scene.open()


class Live(Torture):
    def setUp(self):
        super().setUp()
        self.sql("CREATE TABLE t (id int, part int, secret text, note text,"
                 " seq int) PARTITION BY LIST (part)")
        for part in range(PARTS):
            self.sql(f"CREATE TABLE t{part} PARTITION OF t"
                     f" FOR VALUES IN ({part})")
        self.sql("CREATE INDEX ON t (id)")
        zoo.copy_rows(self.admin, "t", ("id", "part", "secret", "seq"), (
            (i, i % PARTS, self.old(i), 0) for i in range(ROWS)))
        # Only what the program writes, and commits.
        self.audit("t", "current_setting('application_name') = 'pgrekey'")
        self.sql("ANALYZE t")
        self.tool.configure(rotate={"workers": 2, "batch_rows": 50},
                            t={"columns": "secret"})
        self.writers = []
        self.runs = {}  # what was counted, by run

    # -- the application ---------------------------------------------------

    def log(self, number):
        return self.folder / f"log.{number}"

    def start_writers(self):
        keys = self.ring.write(self.folder / "application")
        for number in range(WRITERS):
            self.writers.append(subprocess.Popen(
                [sys.executable, APPLICATION, self.cluster.socket,
                 self.database, keys, self.ring.primary, str(SEED),
                 str(number), str(WRITERS), str(ROWS), self.log(number)],
                stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True))
        self.addCleanup(lambda: [writer.kill() for writer in self.writers])

    def switch_writers(self):
        """They use the primary only, and have nothing old in mind."""
        for writer in self.writers:
            writer.stdin.write("switch\n")
            writer.stdin.flush()
        for writer in self.writers:
            self.assertEqual(writer.stdout.readline(), "switched\n")

    def stop_writers(self):
        """Their own counts, added up."""
        for writer in self.writers:
            out, _ = writer.communicate(timeout=60)
            self.assertEqual(writer.returncode, 0, "a writer died")
            for name, times in json.loads(out).items():
                self.hazard(name, times)

    def maintain(self, stop):
        """Rewrites a random partition, by id or as it lies."""
        with contextlib.closing(
                self.cluster.connect(self.database)) as connection:
            while not stop.wait(self.random.uniform(0.1, 0.5)):
                part = self.random.randrange(PARTS)
                connection.cursor().execute(self.random.choice((
                    f"VACUUM FULL t{part}", f"VACUUM t{part}",
                    f"CLUSTER t{part} USING t{part}_id_idx")))
                self.hazard("maintenance")

    @contextlib.contextmanager
    def administrator(self):
        stop = threading.Event()
        with futures.ThreadPoolExecutor() as pool:
            work = pool.submit(self.maintain, stop)
            try:
                yield
            finally:
                stop.set()
            work.result()

    # -- the history -------------------------------------------------------

    def history(self):
        """{row: (seq, plaintext)} of the last committed changes."""
        last, all_changes = {i: (0, zoo.plain(str(i)).decode())
                             for i in range(ROWS)}, set()
        for number in range(WRITERS):
            for line in self.log(number).read_text().splitlines():
                row, seq, plain = json.loads(line)
                self.assertNotIn((row, seq), all_changes,
                                 "two writers made the same change")
                all_changes.add((row, seq))
                last[row] = max(last[row], (seq, plain))
        self.hazard("changes", len(all_changes))
        return last

    def check_history(self):
        stored = {row: (seq, secret) for row, seq, secret in
                  self.sql("SELECT id, seq, secret FROM t")}
        self.assertEqual(self.value("SELECT count(*) FROM t"), ROWS)
        for row, (seq, plain) in self.history().items():
            now, secret = stored[row]
            seen = oracle.read(secret, self.ring)
            what = f"seed {SEED}, row {row}"
            self.assertEqual(now, seq, f"{what}: a change is lost or new")
            self.assertEqual(seen.value.decode(), plain,
                             f"{what}: a value is lost or resurrected")
            self.assertEqual(seen.key, self.ring.primary, what)

    def deadlocks(self):
        return len(re.findall(r"ERROR:  40P01", self.cluster.server_log()))

    def rotate(self, *allowed):
        result = self.tool.rotate()
        if result.status not in allowed:
            self.fail(f"seed {SEED}: {result}")
        self.hazard("rotations")
        # The next one may go on with the same run, and its counts.
        self.runs[result.report["run"]] = result.column("secret")
        for name in ("conflict", "deferred", "rewritten"):
            self.hazards[name] = sum(
                counts[name] for counts in self.runs.values())
        return result

    def check_counts(self, *results):
        """What was reported is what the oracle counts, and the server."""
        counted = self.counted(self.snapshot("t", "secret"))
        for result in results:
            self.assertCounted(result, "secret", counted)
        rewritten = {run: counts["rewritten"]
                     for run, counts in self.runs.items()}
        self.assertEqual(self.rewritten(), rewritten, f"seed {SEED}")
        self.assertEqual(self.value("SELECT count(*) FROM audit"),
                         sum(rewritten.values()), f"seed {SEED}")

    def goes_on(self, deadline):
        """Slow machines have more time for the hazard to occur."""
        late = time.monotonic() - deadline
        return late < 0 or (late < 3 * SECONDS
                            and self.hazards["conflict"] < CONFLICTS)

    def test_every_committed_change_survives_and_nobody_is_killed(self):
        self.start_writers()
        deadline = time.monotonic() + SECONDS
        with self.administrator():
            while self.goes_on(deadline):
                # 1: a writer still seals with old keys, and it says so.
                self.rotate(0, 1, 5, 6)
        self.switch_writers()
        # Whatever they change, all are under the primary from now on.
        rotated = self.rotate(0)
        verified = self.tool.verify()
        self.assertExit(0, verified)
        self.stop_writers()
        self.check_history()
        self.check_counts(rotated, verified)
        self.assertEqual(self.hazards.get("deadlocks", 0), 0)
        self.assertEqual(self.deadlocks(), 0)
        self.assertHazards(
            changes=pick(500, 1000, 10_000), stale=10, savepoints=10,
            maintenance=10, conflict=CONFLICTS,
            **{"reports compared": 2})


if __name__ == "__main__":
    unittest.main()
