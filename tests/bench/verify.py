#!/usr/bin/python3
"""How fast is verify, compared with a COPY that throws everything away?

    make bench-verify; ROWS=1000000 ROUNDS=5

Pairs, one after the other in alternating order, over the same column in the
cache: psql's COPY to /dev/null, and verify, which checks every HMAC. Prints
the medians and their ratio; fails below TARGET (0.7).
"""
import os
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from lib import oracle, zoo  # noqa: E402
from lib.cluster import Cluster  # noqa: E402
from lib.pgrekey import Tool  # noqa: E402

ROWS = int(os.environ.get("ROWS", 1_000_000))
ROUNDS = int(os.environ.get("ROUNDS", 5))
TARGET = float(os.environ.get("TARGET", 0.7))
WORKERS = (1, 2)


def fill(cluster, database, ring):
    connection = cluster.connect(database)
    connection.cursor().execute(
        "CREATE TABLE t (id bigint PRIMARY KEY, secret text)")
    envelopes = [ring.seal(f"{zoo.CANARY} {i:06}".encode())
                 for i in range(10_000)]
    zoo.copy_rows(connection, "t", ["id", "secret"],
                  ((i, envelopes[i % len(envelopes)]) for i in range(ROWS)))
    connection.cursor().execute("VACUUM (FREEZE, ANALYZE) t")
    connection.close()
    return len(envelopes[0])


def copy_seconds(cluster, database, form):
    began = time.monotonic()
    subprocess.run(
        [cluster.bin / "psql", "-X", "-q", "-h", cluster.socket, "-U",
         "postgres", database, "-c",
         f"COPY t (secret) TO STDOUT{form}"],
        check=True, stdout=subprocess.DEVNULL)
    return time.monotonic() - began


def verify_seconds(tool, workers):
    result = tool.verify("--workers", workers, "--quiet")
    counted = result.column("secret")["verdicts"]
    if result.status != 0 or counted != {"current": ROWS}:
        sys.exit(f"not every value was read: {result}")
    return result.seconds


def measure(cluster, database, tool):
    """{what: seconds of each round}"""
    jobs = {"psql COPY, text": lambda: copy_seconds(cluster, database, ""),
            "psql COPY, binary": lambda: copy_seconds(
                cluster, database, " (FORMAT binary)")}
    for n in WORKERS:
        jobs[f"verify, {n} readers"] = lambda n=n: verify_seconds(tool, n)
    took = {what: [] for what in jobs}
    for i in range(ROUNDS + 1):
        for what in list(jobs)[::1 if i % 2 else -1]:
            seconds = jobs[what]()
            if i > 0:  # the first round warms the cache
                took[what].append(seconds)
    return took


def main():
    ring = oracle.Ring.fresh("k2023", "k2024", primary="k2025")
    with tempfile.TemporaryDirectory(prefix="pgrekey-bench-") as folder, \
            Cluster(shared_buffers="1GB") as cluster:
        database = cluster.database()
        tool = Tool(cluster, database, ring, folder)
        tool.configure(t={"columns": "secret"})
        width = fill(cluster, database, ring)
        took = measure(cluster, database, tool)
    base = statistics.median(took["psql COPY, text"])
    print(f"{ROWS:,} values of {width} bytes, {ROUNDS} rounds, "
          f"{os.cpu_count()} cores; rate relative to psql's COPY as text")
    for what, seconds in took.items():
        median = statistics.median(seconds)
        ratio = base / median
        print(f"{what:20} {median:7.2f} s  {ROWS / median:11,.0f}/s"
              f"  {ratio:5.2f}  ({min(seconds):.2f} to {max(seconds):.2f} s)")
    if ratio < TARGET:  # of the last, with the default number of readers
        sys.exit(f"below {TARGET}")


if __name__ == "__main__":
    main()
