"""The ground that everything is measured on: one server, tables of envelopes,
and what a job took of time, memory and log.

Each job starts from a fresh copy of the same table, right after a checkpoint,
so that every page costs its full-page image, as in production.
"""
import os
import re
import resource
import subprocess
import sys
import tempfile
import threading
import time
from dataclasses import dataclass
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from lib import oracle, zoo  # noqa: E402
from lib.cluster import Cluster  # noqa: E402
from lib.pgrekey import PROGRAM, Tool  # noqa: E402

SETTINGS = {"shared_buffers": "1GB", "max_wal_size": "8GB",
            "checkpoint_timeout": "1h"}
DISTINCT_BYTES = 20_000_000  # of values that are sealed one by one
TICKS = os.sysconf("SC_CLK_TCK")
PATIENCE = 3600


@dataclass(frozen=True)
class Shape:
    """A table of envelopes: how many, of how many bytes of plaintext, in a
    column of which type."""
    rows: int
    size: int
    carrier: str = "text"

    def __str__(self):
        return f"{self.rows:,} rows, {self.size:,} bytes, {self.carrier}"


@dataclass
class Cost:
    """What one job took."""
    rows: int
    seconds: float
    server: float   # CPU seconds
    client: float
    rss: int        # KiB
    wal: int        # bytes
    heap: float     # size after / before
    hot: float      # share of the updates

    @property
    def rate(self):
        return self.rows / self.seconds

    def per_row(self, what):
        """Microseconds of CPU, or bytes of log."""
        scale = 1 if what == "wal" else 1e6
        return getattr(self, what) * scale / self.rows


def cpu_seconds(pid):
    """CPU of a process and of the children it has waited for."""
    text = Path(f"/proc/{pid}/stat").read_text()
    # From the third field on; utime, stime, cutime, cstime are 14 to 17.
    return sum(map(int, text.rpartition(")")[2].split()[11:15])) / TICKS


class Peak(threading.Thread):
    """Most memory that a process had. The rusage of a child would count the
    memory of its parent."""

    def __init__(self, pid):
        super().__init__(daemon=True)
        self.status = Path(f"/proc/{pid}/status")
        self.kib = 0
        self.start()

    def run(self):
        while True:
            try:
                found = re.search(r"VmHWM:\s+(\d+)", self.status.read_text())
            except (FileNotFoundError, ProcessLookupError):
                return
            if not found:  # a zombie
                return
            self.kib = int(found[1])
            time.sleep(0.01)


class Ground:
    """Use it with `with`. more are settings of the server."""

    def __init__(self, **more):
        self.more = more

    def __enter__(self):
        self.cluster = Cluster(fsync=True, **SETTINGS, **self.more)
        self.folder = tempfile.TemporaryDirectory(prefix="pgrekey-bench-")
        self.database = self.cluster.database()
        self.admin = self.cluster.connect(self.database)
        self.cursor = self.admin.cursor()
        self.children = None
        self.ring = oracle.Ring.fresh("k2023", "k2024", primary="k2025")
        self.tool = Tool(self.cluster, self.database, self.ring,
                         self.folder.name)
        return self

    def __exit__(self, *_):
        self.folder.cleanup()
        self.cluster.close()

    def sql(self, text, *args):
        self.cursor.execute(text, args)

    def value(self, text, *args):
        self.sql(text, *args)
        return self.cursor.fetchone()[0]

    # -- tables ------------------------------------------------------------

    def envelopes(self, shape):
        """(n, old, new) of some distinct values."""
        count = max(50, min(shape.rows, DISTINCT_BYTES // (shape.size + 200)))
        for n in range(min(count, 20_000)):
            plain = os.urandom(shape.size)
            pair = [self.ring.seal(plain, key, zoo.THEN + n)
                    for key in ("k2023", "k2025")]
            if shape.carrier != "text":
                pair = map(oracle.wrap, pair)
            yield n, *pair

    def seed(self, shape):
        """Makes src, which fresh() copies and the floor takes its bytes
        from."""
        kind = shape.carrier
        self.shape = shape
        self.sql("DROP TABLE IF EXISTS t, src, seed")
        self.sql("CREATE TABLE seed (n int, old text, new text)")
        zoo.copy_rows(self.admin, "seed", ("n", "old", "new"),
                      self.envelopes(shape))
        self.sql(f"CREATE TABLE src (id bigint, old {kind}, new {kind})")
        self.sql(f"INSERT INTO src SELECT i, old::{kind}, new::{kind} FROM"
                 " generate_series(1, %s) AS i JOIN seed ON n = i %%"
                 " (SELECT count(*) FROM seed) ORDER BY i", shape.rows)
        self.sql("ALTER TABLE src ADD PRIMARY KEY (id)")
        self.sql("VACUUM (FREEZE, ANALYZE) src")
        self.tool.configure(rotate=self.options(), t={"columns": "secret"})

    @staticmethod
    def options():
        """[rotate] of the benchmark: OPTIONS="window_bytes=4MiB ..."."""
        words = os.environ.get("OPTIONS", "").split()
        return dict(word.split("=", 1) for word in words)

    def fresh(self):
        self.sql("DROP TABLE IF EXISTS t")
        self.sql("DROP SCHEMA IF EXISTS pgrekey CASCADE")
        self.sql(f"CREATE TABLE t (id bigint, secret {self.shape.carrier},"
                 " note text)")
        self.sql("INSERT INTO t SELECT id, old, 'a note' FROM src"
                 " ORDER BY id")
        self.sql("ALTER TABLE t ADD PRIMARY KEY (id)")
        self.sql("VACUUM (FREEZE, ANALYZE) t")
        self.sql("CHECKPOINT")

    def rotate(self, workers, program=PROGRAM):
        return [[program, "rotate", "--quiet", "--config",
                 self.tool.write_config(), "--workers", str(workers)]]

    # -- measuring ---------------------------------------------------------

    def idle(self):
        """Waits until no backend is left but ours, and returns the CPU that
        those had which the postmaster has seen the end of."""
        task = f"/proc/{self.cluster.process.pid}/task/"
        task = Path(f"{task}{self.cluster.process.pid}/children")
        if self.children is None:
            self.children = len(task.read_text().split())
        for _ in range(1000):
            if len(task.read_text().split()) <= self.children:
                break
            time.sleep(0.01)
        return cpu_seconds(self.cluster.process.pid)

    def counters(self):
        self.sql("SELECT pg_relation_size('t'), n_tup_upd, n_tup_hot_upd,"
                 " pg_current_wal_insert_lsn() - '0/0' FROM"
                 " pg_stat_user_tables WHERE relname = 't'")
        return self.cursor.fetchone()

    def measure(self, rows, *commands):
        """Runs commands at once; each must succeed."""
        before, cpu = self.counters(), self.idle()
        usage = resource.getrusage(resource.RUSAGE_CHILDREN)
        began = time.monotonic()
        runs = [subprocess.Popen(c, stdout=subprocess.DEVNULL)
                for c in commands]
        peaks = [Peak(run.pid) for run in runs]
        for run in runs:
            if run.wait(PATIENCE) != 0:
                sys.exit(f"failed: {run.args}")
        seconds = time.monotonic() - began
        spent = resource.getrusage(resource.RUSAGE_CHILDREN)
        server = self.idle() - cpu
        after = self.settled(before[1] + rows)
        return Cost(
            rows=rows, seconds=seconds, server=server,
            client=spent.ru_utime + spent.ru_stime
            - usage.ru_utime - usage.ru_stime,
            rss=max(peak.kib for peak in peaks),
            wal=int(after[3] - before[3]),
            heap=after[0] / before[0],
            hot=(after[2] - before[2]) / max(1, after[1] - before[1]))

    def settled(self, updates):
        """The statistics of backends that have ended arrive later."""
        for _ in range(100):
            found = self.counters()
            if found[1] >= updates:
                break
            time.sleep(0.02)
        return found

    def check(self, rows):
        """Everything was rewritten; rows is how many."""
        done = self.value("SELECT count(*) FROM t WHERE secret::text LIKE"
                          " '%%enc:fernet:k2025:%%'")
        if done != rows:
            sys.exit(f"{done:,} of {rows:,} rows were rewritten")
