"""A server that fails at what it was asked, once, often or always; limits that
end sessions; a disk that cannot be trusted."""
import contextlib
import re
import signal
import subprocess
import sys
import time
import unittest
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent))

from test_faults import ROUNDS, ROWS, SUDO, Faults  # noqa: E402
from torture import Scene, pick  # noqa: E402

# Calls of a session that still succeed: enough to begin a run, and too few for
# a worker that has half of the chunks.
AFTER = 8
PASSING = ("40001", "40P01", "55P03", "57014")


def setUpModule():
    Scene.open(fsync=True, commit_siblings=0, commit_delay=5000)


class Refusals(Faults):
    def errors(self, state):
        return len(re.findall(rf"(ERROR|FATAL|PANIC):  {state}",
                              self.cluster.server_log()))

    def count_from_now(self, *states):
        before = {state: self.errors(state) for state in states}

        def count():
            for state in states:
                self.hazard(state, self.errors(state) - before[state])
        return count


class Passing(Refusals):
    """Raised by a trigger, once per statement: no row is to blame."""

    def refuse(self, state, when):
        self.sql("CREATE SEQUENCE IF NOT EXISTS storm")
        self.sql("CREATE OR REPLACE FUNCTION storm() RETURNS trigger"
                 " LANGUAGE plpgsql AS $$DECLARE n bigint :="
                 f" nextval('public.storm'); BEGIN IF {when} THEN RAISE 'no'"
                 f" USING ERRCODE = '{state}'; END IF; RETURN NULL; END$$")
        self.sql("CREATE OR REPLACE TRIGGER storm BEFORE UPDATE ON t"
                 " FOR EACH STATEMENT EXECUTE FUNCTION storm()")

    def test_each_is_tried_again_and_costs_no_row(self):
        for state in PASSING:
            self.start_anew()
            self.refuse(state, "n % 5 = 0")
            count = self.count_from_now(state)
            self.assertExit(0, self.tool.rotate())
            count()
            self.assertOnce(state)
        self.assertHazards(**dict.fromkeys(PASSING, 3))

    def test_one_that_never_passes_ends_it_and_nothing_is_claimed(self):
        self.rows = 100
        self.sql("DELETE FROM origin WHERE id >= %s", self.rows)
        waits = tuple(state for state in PASSING if state != "57014")
        for state in pick(("40P01",), waits, waits):
            self.start_anew()
            self.refuse(state, "true")
            count = self.count_from_now(state)
            run = self.start()
            self.until(self.is_stuck, "a pass has written nothing")
            result = run.finish()
            count()
            self.assertIn(result.status, (1, 5), result)
            self.assertFalse(result.report["complete"])
            self.assertEqual(self.done(), 0)
            self.sql("DROP TRIGGER storm ON t")
            self.assertExit(0, self.tool.rotate())
            self.assertOnce(state)
        self.assertHazards(**{"40P01": self.rows})

    def test_what_never_ends_in_time_is_found_row_by_row(self):
        self.rows = 100
        self.sql("DELETE FROM origin WHERE id >= %s", self.rows)
        self.start_anew()
        self.refuse("57014", "true")
        count = self.count_from_now("57014")
        result = self.tool.rotate()
        count()
        self.assertExit(1, result)
        self.assertEqual(result.report["findings"]["total"], self.rows)
        self.assertEqual(self.done(), 0)
        self.sql("DROP TRIGGER storm ON t")
        self.assertExit(0, self.tool.rotate())
        self.assertOnce("57014")
        self.assertHazards(**{"57014": self.rows})

    def is_stuck(self):
        """Then it has been so for long enough."""
        if not self.value("SELECT to_regclass('pgrekey.number') IS NOT NULL"):
            return False
        return self.sql("UPDATE pgrekey.leaf SET stuck_since = stuck_since"
                        " - interval '1 h' WHERE stuck_since IS NOT NULL"
                        " RETURNING 1")


class Limits(Refusals):
    def test_a_limit_for_idle_sessions_ends_none_of_its_own(self):
        """Those of a run idle while it is paused, or waits for its turn."""
        self.sql(f"ALTER ROLE postgres IN DATABASE {self.database}"
                 " SET idle_session_timeout = '700ms'")
        self.start_anew()
        run = self.start()
        self.until(lambda: self.done() > 0 or not run.running(), "it works")
        run.send(signal.SIGSTOP)
        self.hazard("paused", self.done() < ROWS and run.running())
        self.assertExit(0, self.tool.run("pause"))
        run.send(signal.SIGCONT)
        count = self.count_from_now("57P05")
        self.connect()
        time.sleep(pick(3, 3, 60))
        count()
        self.assertEqual(self.hazards["57P05"], 1)  # the one from here
        self.assertExit(0, self.tool.run("resume"))
        self.assertExit(0, run.finish())
        self.assertOnce("idle")
        self.assertHazards(paused=1)

    def made_read_only(self):
        """A run that found its server so in the middle."""
        self.addCleanup(self.read_only, "off")
        self.start_anew()
        run = self.start()
        self.until(lambda: self.done() > ROWS // 50 or not run.running(),
                   "it works")
        self.hazard("middle", self.done() < ROWS and run.running())
        self.read_only("on")
        self.until(lambda: "read-only" in run.said() or not run.running(),
                   "it is noticed")
        return run

    def test_a_server_that_is_read_only_for_a_while_is_waited_for(self):
        for _ in range(ROUNDS):
            run = self.made_read_only()
            self.assertTrue(run.running(), "it gave up at once")
            self.read_only("off")
            self.assertExit(0, run.finish())
            self.assertOnce("read-only")
        self.assertHazards(middle=1)

    def test_a_server_made_read_only_for_good_ends_it_with_4(self):
        for _ in range(pick(1, 2, 10)):
            count = self.count_from_now("25006")
            result = self.made_read_only().finish()
            count()
            self.assertExit(4, result)
            self.assertIn("the server is read-only", result.err)
            self.assertIn("goes on where", result.err)
            self.assertExit(4, self.tool.rotate())
            self.read_only("off")
            self.assertExit(0, self.tool.rotate())
            self.assertOnce("read-only")
        # Each worker tries more than once.
        self.assertHazards(**{"middle": 1, "25006": 4})

    def read_only(self, value):
        self.sql(f"ALTER SYSTEM SET default_transaction_read_only = {value}")
        self.sql("SELECT pg_reload_conf()")
        self.until(lambda: self.value(
            "SHOW default_transaction_read_only") == value, "it is known")


class Disk(Refusals):
    @contextlib.contextmanager
    def failing(self, call, error):
        """Sessions that begin now have that call fail, again and again."""
        tracer = subprocess.Popen(
            [*SUDO, "strace", "-f", "-o", "/dev/null",
             "-e", f"trace={call}", "-e",
             f"inject={call}:error={error}:when={AFTER}+", "-p",
             str(self.cluster.process.pid)],
            stdin=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)
        try:
            self.assertIn("attached", tracer.stderr.readline())
            yield
        finally:
            subprocess.run([*SUDO, "kill", str(tracer.pid)],
                           check=True)
            tracer.communicate()
            # The word that a session has died may go with who traces both.
            subprocess.run([*SUDO, "kill", "-CHLD",
                            str(self.cluster.process.pid)], check=True)

    def test_a_disk_that_does_not_keep_what_it_took_costs_no_row(self):
        """The server believes nothing any more, and recovers by itself. Whose
        own session saw it ends: what such a disk says is not to be built on.
        """
        # Many chunks: each is claimed and handed back on disk.
        self.sql("ALTER TABLE t SET (fillfactor = 10)")
        for n in range(ROUNDS + 20):
            # Some of them have written everything by then.
            if n >= ROUNDS and self.hazards["middle"] > 0:
                break
            self.start_anew()
            panics, starts = self.panics(), self.starts()
            with self.failing("fdatasync", "EIO"):
                run = self.start()
                self.until(lambda: self.panics() > panics
                           or not run.running(), "the server gives up")
                self.assertGreater(self.panics(), panics, "it was not asked")
                self.hazard("panic")
                run.send(signal.SIGSTOP)  # or it is done before we look
            # Before it goes down it may still answer.
            self.until(lambda: self.starts() > starts, "it is there again")
            self.admin = self.connect()
            self.hazard("middle", self.done() < ROWS)
            run.send(signal.SIGCONT)
            result = run.finish()
            self.assertIn(result.status, (0, 4), result)
            self.assertEqual("58030" in result.err, result.status == 4)
            self.assertExit(0, self.tool.rotate())
            self.assertOnce("fdatasync")
        self.assertHazards(panic=1, middle=1)

    def panics(self):
        return self.cluster.server_log().count("PANIC:")

    def starts(self):
        return self.cluster.server_log().count("ready to accept connections")


if __name__ == "__main__":
    unittest.main()
