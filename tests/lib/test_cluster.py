"""A test that ends in any way leaves no server and no directory behind."""
import os
import shutil
import signal
import stat
import subprocess
import sys
import time
import unittest
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from lib.cluster import Cluster  # noqa: E402

CHILD = """
import sys, time
sys.path.insert(0, sys.argv[1])
from lib.cluster import Cluster
cluster = Cluster()
print(cluster.home, cluster.process.pid, flush=True)
time.sleep(60)
"""


class Ends(unittest.TestCase):
    def after(self, number):
        """Signals a process that has a cluster; what is left of it?"""
        child = subprocess.Popen(
            [sys.executable, "-c", CHILD, Path(__file__).parents[1]],
            stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
        home, server = child.stdout.readline().split()
        child.send_signal(number)
        child.wait()
        child.stdout.close()
        for _ in range(500):
            if not Path(f"/proc/{server}").exists():
                break
            time.sleep(0.02)
        self.addCleanup(shutil.rmtree, home, ignore_errors=True)
        return Path(f"/proc/{server}").exists(), Path(home).exists()

    def test_ctrl_c_leaves_nothing(self):
        self.assertEqual(self.after(signal.SIGINT), (False, False))

    def test_sigterm_leaves_nothing(self):
        self.assertEqual(self.after(signal.SIGTERM), (False, False))

    def test_sigkill_leaves_no_server(self):
        server, home = self.after(signal.SIGKILL)
        self.assertFalse(server)
        self.assertTrue(home)


# What somebody may have exported who works with another server.
HOSTILE = {
    "PGPORT": "1", "PGHOST": "/no/where", "PGDATA": "/no/where",
    "PGUSER": "nobody", "PGDATABASE": "none", "PGSERVICE": "none",
    "PGSSLMODE": "verify-full", "PGCLIENTENCODING": "nonsense",
    "PGOPTIONS": "-c default_transaction_read_only=on",
}

USE = """
import sys
sys.path.insert(0, sys.argv[1])
from lib.cluster import Cluster
with Cluster() as cluster:
    cluster.psql(cluster.database(), "CREATE TABLE t ()")
    cluster.standby().close()
"""


class Surroundings(unittest.TestCase):
    def test_variables_of_the_caller_do_not_reach_it(self):
        done = subprocess.run(
            [sys.executable, "-c", USE, Path(__file__).parents[1]],
            env={**os.environ, **HOSTILE}, stdin=subprocess.DEVNULL,
            capture_output=True, text=True, timeout=100)
        self.assertEqual((done.returncode, done.stderr), (0, ""))


class Life(unittest.TestCase):
    def test_nobody_else_reaches_the_server(self):
        with Cluster() as cluster:
            for folder in (cluster.home, cluster.socket):
                mode = stat.S_IMODE(os.stat(folder).st_mode)
                self.assertEqual(mode & 0o007, 0)
            self.assertEqual(
                cluster.psql("postgres", "SHOW listen_addresses"), "\n")

    def test_databases_are_fresh_and_survive_a_crash(self):
        with Cluster(fsync=True) as cluster:
            names = [cluster.database() for _ in range(2)]
            self.assertEqual(len(set(names)), 2)
            cluster.psql(names[0], "CREATE TABLE t AS SELECT 1 AS a")
            cluster.stop("immediate")
            cluster.start()
            self.assertEqual(cluster.psql(names[0], "SELECT a FROM t"), "1\n")
        self.assertFalse(cluster.home.exists())


if __name__ == "__main__":
    unittest.main()
