"""What every database test has: a fresh database, a key ring, the program."""
import signal
import tempfile
import time
import unittest
from pathlib import Path

from . import oracle
from .cluster import Cluster
from .pgrekey import Tool


class Scene(unittest.TestCase):
    """Two old keys and a new primary; one connection that sees everything.

    The module opens the cluster: def setUpModule(): Scene.open()."""

    cluster = None
    ENCODING = "UTF8"

    @classmethod
    def open(cls, cluster=Cluster, **settings):
        cls.cluster = cluster(**settings)
        unittest.addModuleCleanup(cls.cluster.close)

    def setUp(self):
        folder = tempfile.TemporaryDirectory(prefix="pgrekey-test-")
        self.addCleanup(folder.cleanup)
        self.folder = Path(folder.name)
        self.database = self.cluster.database(self.ENCODING)
        self.addCleanup(self.cluster.drop, self.database)
        self.admin = self.connect()
        self.ring = oracle.Ring.fresh("k2023", "k2024", primary="k2025")
        self.tool = Tool(self.cluster, self.database, self.ring, folder.name)

    def connect(self, **more):
        connection = self.cluster.connect(self.database, **more)
        self.addCleanup(connection.close)
        return connection

    def sql(self, statement, *parameters):
        """Runs it; returns the rows, if it has any."""
        cursor = self.admin.cursor()
        cursor.execute(statement, parameters or None)
        return cursor.fetchall() if cursor.description else None

    def value(self, statement, *parameters):
        return self.sql(statement, *parameters)[0][0]

    def role(self, *grants):
        """From now on the program connects as a role that may do just this.
        Returns its name, which no other database has."""
        name = f"role_{self.database}"
        self.sql(f"CREATE ROLE {name} LOGIN")
        self.addCleanup(self.sql, f"DROP ROLE {name}")
        self.addCleanup(self.sql, f"DROP OWNED BY {name}")
        for grant in grants:
            self.sql(f"GRANT {grant} TO {name}")
        self.tool.user = name
        return name

    def snapshot(self, table, *columns, identity="id"):
        return oracle.Snapshot(self.admin, table, list(columns), identity)

    def labels(self, table, column):
        return oracle.labels(self.admin, table, column)

    def audit(self, table, when="true"):
        """From now on the table audit has a row for each row written. The
        server's own counters would have the trial writes that were rolled
        back, too."""
        self.sql("CREATE TABLE audit (id int)")
        self.sql("CREATE FUNCTION audit() RETURNS trigger LANGUAGE plpgsql AS"
                 " 'BEGIN INSERT INTO public.audit VALUES (NEW.id);"
                 " RETURN NULL; END'")
        self.sql(f"CREATE TRIGGER audit AFTER UPDATE ON {table}"
                 f" FOR EACH ROW WHEN ({when}) EXECUTE FUNCTION audit()")

    def until_alone(self):
        """A session counts what it wrote when it ends, which is a little
        after its program ended."""
        self.until(
            lambda: self.value(
                "SELECT count(*) = 1 FROM pg_stat_activity"
                " WHERE datname = current_database()"), "sessions end")

    def sessions_are(self, state, run=None):
        """Those of this database, but for our own; or of a run's workers."""
        some = ("" if run is None else " AND pid IN (SELECT backend_pid FROM"
                f" pgrekey.worker WHERE os_pid = {run.pid})")
        return self.value(
            "SELECT coalesce(bool_and(state = %s), true) FROM pg_stat_activity"
            " WHERE datname = current_database() AND pid <> pg_backend_pid()"
            + some, state)

    def freeze(self, run, among_others=False):
        """Stops it between two transactions: one that it left open would be
        waited for, and rightly. What it has sent already is still done, also
        by a session that is idle for a moment between two batches."""
        for _ in range(100):
            run.send(signal.SIGSTOP)
            quiet = 0
            for _ in range(100):
                idle = self.sessions_are("idle", run if among_others else None)
                quiet = quiet + 1 if idle else 0
                if quiet == 5:
                    return
                time.sleep(0.01)
            run.send(signal.SIGCONT)
            time.sleep(0.005)
        self.fail("it was never found between two transactions")

    def start(self, *arguments, **more):
        run = self.tool.start_rotate(*arguments, **more)
        self.addCleanup(lambda: run.running() and run.kill())
        return run

    # -- sentences -------------------------------------------------------------

    def assertExit(self, status, result):
        if result.status != status:
            self.fail(f"exit {status} was expected\n{result}")

    def assertRight(self, before, after, kept=(), ring=None, **more):
        """Everything is under the primary and reads as it did; what is kept
        is byte-identical."""
        wrong = oracle.differences(before, after, ring or self.ring, kept,
                                   **more)
        if wrong:
            self.fail("\n".join([f"{len(wrong)} differences", *wrong[:20]]))

    def assertUntouched(self, before, after):
        """Not even a new version of a row was written."""
        if not after.untouched_since(before):
            moved = [name for name in before.rows
                     if before.rows[name] != after.rows.get(name)]
            self.fail(f"rows were written: {moved[:20]}")

    def until(self, happened, what, seconds=30, pause=0.005):
        """Waits until happened() is true, and returns what it said."""
        deadline = time.monotonic() + seconds
        while True:
            answer = happened()
            if answer:
                return answer
            if time.monotonic() > deadline:
                self.fail(f"did not happen in {seconds} s: {what}")
            time.sleep(pause)
