"""A run that was left alone is taken up: by whom, when, and for how long."""
import sys
import time
import unittest
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from lib import zoo  # noqa: E402
from lib.pgrekey import scaled  # noqa: E402
from lib.scene import Scene  # noqa: E402


def setUpModule():
    Scene.open()


class Base(Scene):
    def old(self, number):
        return self.ring.seal(zoo.plain(str(number)), "k2023", zoo.THEN)

    def fill(self, rows):
        self.sql("CREATE TABLE t (id int PRIMARY KEY, secret text)")
        zoo.copy_rows(self.admin, "t", ("id", "secret"), (
            (i, self.old(i)) for i in range(rows)))
        self.tool.configure(t={"columns": "secret"})

    def written(self):
        return self.value("SELECT count(*) FROM t"
                          " WHERE secret LIKE 'enc:fernet:k2025:%%'")

    def until_state(self, condition):
        """A row of the state schema is so."""
        self.until(
            lambda: self.value("SELECT to_regclass('pgrekey.leaf') IS NOT"
                               " NULL") and self.sql(condition), condition)


class Strangers(Base):
    def test_the_process_id_of_a_dead_worker_may_be_anybodys_now(self):
        self.fill(50)
        # It cannot see when others began.
        self.role(f"CREATE ON DATABASE {self.database}", "SELECT, UPDATE ON t")
        writer = self.connect(autocommit=False)
        writer.cursor().execute("INSERT INTO t VALUES (-1, %s)",
                                [self.old(-1)])
        run = self.start("--wait", "60s")
        self.until_state("SELECT 1 FROM pgrekey.run WHERE prover IS NOT NULL")
        run.kill()
        writer.rollback()
        self.sql("UPDATE pgrekey.worker SET backend_pid = pg_backend_pid()")
        self.assertExit(0, self.tool.rotate(patience=30))


class Race(Base):
    ROWS = scaled(20_000)

    def test_nobody_takes_what_somebody_else_has_just_claimed(self):
        """Two see a chunk that is free. Who comes second finds it claimed, and
        must not take the owner for dead: he was not there when it looked."""
        self.sql("CREATE TABLE t (id int PRIMARY KEY, secret text)"
                 " WITH (fillfactor = 10)")
        zoo.copy_rows(self.admin, "t", ("id", "secret"), (
            (i, self.old(i)) for i in range(self.ROWS)))
        self.tool.configure(rotate={"workers": 12, "chunk_bytes": "1MiB"},
                            t={"columns": "secret"})
        runs = [self.start(), self.start()]
        for run in runs:
            self.assertExit(0, run.finish())
        self.assertGreater(self.value("SELECT count(*) FROM pgrekey.worker"),
                           12)
        self.assertEqual(self.written(), self.ROWS)
        # He would find out by the fence.
        self.assertNotIn("ERROR:  22012", self.cluster.server_log())


class Waiting(Base):
    def test_locked_rows_are_waited_for_anew_when_a_run_is_taken_up(self):
        self.fill(50)
        holder = self.connect(autocommit=False)
        holder.cursor().execute("SELECT FROM t WHERE id = 1 FOR UPDATE")
        run = self.start()
        self.until_state("SELECT 1 FROM pgrekey.leaf WHERE stuck_since IS NOT"
                         " NULL")
        run.send(15)
        self.assertExit(5, run.finish())
        self.sql("UPDATE pgrekey.leaf SET stuck_since = stuck_since"
                 " - interval '1 hour'")
        run = self.start()
        time.sleep(2)
        self.assertTrue(run.running(), "it gave up at once")
        holder.rollback()
        self.assertExit(0, run.finish())
        self.assertEqual(self.written(), 50)


class Open(Base):
    """A run of which only a part is selected stays open."""

    def setUp(self):
        super().setUp()
        self.fill(10)
        self.sql("CREATE TABLE other (id int PRIMARY KEY, secret text)")
        self.tool.configure(rotate={"max_passes": 2}, t={"columns": "secret"},
                            other={"columns": "secret"})

    def rotates(self):
        self.until_alone()  # else it joins those that are about to end
        result = self.tool.rotate("--only", "t")
        self.assertExit(0, result)
        self.assertEqual(result.findings, [])
        self.assertEqual(self.left(), 0)

    def left(self):
        return self.value("SELECT count(*) FROM t") - self.written()

    def test_each_start_has_all_the_passes(self):
        self.rotates()
        for night in range(4):
            self.sql("INSERT INTO t VALUES (%s, %s)", 100 + night,
                     self.old(night))
            self.rotates()
        self.assertEqual(self.value("SELECT count(*) FROM pgrekey.run"), 1)

    def test_each_start_tries_what_the_server_refused(self):
        self.sql("ALTER TABLE t ADD CONSTRAINT no CHECK"
                 " (id <> 5 OR secret LIKE 'enc:fernet:k2023:%')")
        for _ in range(2):
            self.assertExit(1, self.tool.rotate("--only", "t"))
            self.assertEqual(self.left(), 1)
        self.sql("ALTER TABLE t DROP CONSTRAINT no")
        self.rotates()
        self.assertExit(0, self.tool.rotate())
        self.assertEqual(self.value("SELECT count(*) FROM pgrekey.run"), 1)


class Superseded(Base):
    ROWS = scaled(20_000, 15_000)

    def test_a_superseded_run_writes_its_chunk_to_the_end_and_no_other(self):
        self.fill(self.ROWS)
        self.tool.configure(rotate={"workers": 1, "batch_rows": 50,
                                    "max_rows_per_second": 3000,
                                    "chunk_bytes": "1MiB"},
                            t={"columns": "secret"})
        run = self.start()
        self.until(lambda: self.written() > 0, "something is written")
        self.sql("UPDATE pgrekey.run SET state = 'superseded'")
        result = run.finish()
        self.assertExit(5, result)
        self.assertIn("superseded", result.report["note"])
        self.assertLess(self.written(), 0.75 * self.ROWS)


if __name__ == "__main__":
    unittest.main()
