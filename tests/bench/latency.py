#!/usr/bin/python3
"""What does an application on the same table notice of rotate?

    make bench-latency; ROWS=800000 ROUNDS=5 SECONDS=6 SHARE=0.25 CLIENTS=4
    BESIDE="default workers=1 workers=1,batch_rows=250"

pgbench is the application. It offers a fixed rate, SHARE of what it can do
undisturbed: at full speed it would leave rotate no core, and its latency would
be that of its own queue. Alone and beside each variant of [rotate] in turns,
each round in the other order, each on a fresh copy of the table behind a
checkpoint. Ratios are medians of those within a round.

Only transactions that were due while rotate was rewriting count. A rotation
that did not get on in each quarter of that time is a failure, and so is a
transaction that failed.
"""
import os
import statistics
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path

from ground import Ground, Shape
from table import head, machine, row, say

ROWS = int(os.environ.get("ROWS", 800_000))
ROUNDS = int(os.environ.get("ROUNDS", 5))
SECONDS = float(os.environ.get("SECONDS", 6))
SHARE = float(os.environ.get("SHARE", 0.25))
CLIENTS = int(os.environ.get("CLIENTS", 4))
BESIDE = os.environ.get(
    "BESIDE", "default workers=1 max_rows_per_second=20000"
    " max_rows_per_second=5000").split()
ALONE = "alone"
SIZE = 64
WARM, CAPACITY = 1, 5  # seconds
START = 3              # seconds that rotate may take to its first batch
QUARTERS = 4
POINTS = (0.5, 0.95, 0.99, 1)

# What applications do, and how often of ten times. Two rows are locked in the
# order of their keys: this application alone never runs into a deadlock.
SCRIPTS = {
    7: r"""\set id random(1, {rows})
BEGIN;
SELECT secret, note FROM t WHERE id = :id;
UPDATE t SET note = 'seen by ' || :client_id WHERE id = :id;
COMMIT;
""",
    2: r"""\set id random(1, {rows})
\set other random(1, {rows})
BEGIN;
SELECT secret FROM t WHERE id = :id;
UPDATE t SET secret = (SELECT new FROM src WHERE id = :other) WHERE id = :id;
COMMIT;
""",
    1: r"""\set one random(1, {rows})
\set two random(1, {rows})
\set first least(:one, :two)
\set second greatest(:one, :two)
BEGIN;
UPDATE t SET note = 'the first' WHERE id = :first;
UPDATE t SET note = 'the second' WHERE id = :second;
COMMIT;
"""}


@dataclass
class Seen:
    """What the application saw in one interval."""
    took: list    # ms of each transaction, sorted
    waited: list  # ms from when it was due to its end, sorted
    failed: int
    rewritten: float = 0  # rows per second, by rotate

    def took_at(self, share):
        return at(self.took, share)

    def waited_at(self, share):
        return at(self.waited, share)


def at(ordered, share):
    return ordered[min(len(ordered) - 1, int(share * len(ordered)))]


def seen(logs, since, until):
    """Of the transactions that were due between since and until. A line of
    pgbench's log: client, number, microseconds since it was due, script, end
    in seconds and microseconds, microseconds that it began late."""
    took, waited, failed = [], [], 0
    for line in (line.split() for log in logs
                 for line in log.read_text().splitlines()):
        if not line[2].isdigit():  # why it failed
            failed += 1
            continue
        waits, late = int(line[2]), int(line[6])
        if since <= int(line[4]) + (int(line[5]) - waits) / 1e6 < until:
            took.append((waits - late) / 1000)
            waited.append(waits / 1000)
    if not took:
        sys.exit("no transaction in the log of pgbench")
    return Seen(sorted(took), sorted(waited), failed)


class Bench(Ground):
    # -- the application ---------------------------------------------------

    def write_scripts(self):
        self.logs = Path(self.folder.name, "logs")
        self.logs.mkdir()
        self.scripts = []
        for weight, text in SCRIPTS.items():
            path = Path(self.folder.name, f"script{weight}.sql")
            path.write_text(text.format(rows=ROWS))
            self.scripts += ["--file", f"{path}@{weight}"]

    def application(self, seconds, *more):
        return subprocess.Popen(
            [self.cluster.bin / "pgbench", "--no-vacuum", "--host",
             self.cluster.socket, "--username", "postgres", "--protocol",
             "prepared", "--client", str(CLIENTS), "--jobs", "2", "--time",
             str(int(seconds + 0.5)), "--max-tries", "1",
             "--failures-detailed", *self.scripts, *more, self.database],
            stdout=subprocess.PIPE, text=True)

    @staticmethod
    def ended(application):
        out = application.communicate()[0]
        if application.returncode != 0:
            sys.exit(f"pgbench failed\n{out}")
        return out

    def capacity(self):
        """Transactions per second, when nothing else runs."""
        self.fresh()
        out = self.ended(self.application(CAPACITY))
        return float(out.partition("tps = ")[2].split()[0])

    # -- beside rotate -----------------------------------------------------

    def progress(self):
        """Rows that the first pass has rewritten so far."""
        if self.value("SELECT to_regclass('pgrekey.chunk') IS NULL"):
            return 0
        return self.value("SELECT coalesce(sum(rewritten[1]), 0)::bigint"
                          " FROM pgrekey.chunk")

    def first_batch(self):
        deadline = time.time() + START
        while not self.progress():
            if time.time() > deadline:
                sys.exit(f"rotate wrote nothing within {START} s")
            time.sleep(0.02)

    def quarters(self):
        """Waits for SECONDS, and returns the rows that were rewritten."""
        first = before = self.progress()
        for n in range(QUARTERS):
            time.sleep(SECONDS / QUARTERS)
            now = self.progress()
            if now <= before:
                sys.exit(f"rotate did not get on in quarter {n + 1}; was it"
                         f" over? More ROWS than {ROWS:,}, or fewer SECONDS")
            before = now
        return now - first

    def beside(self, options):
        """Returns (since, until, rows rewritten)."""
        self.tool.configure(rotate=options, t={"columns": "secret"})
        run = self.tool.start_rotate()
        self.first_batch()
        since = time.time()
        rewritten = self.quarters()
        until = time.time()
        run.send(15)
        result = run.finish()
        if result.status != 5:
            sys.exit(f"rotate was not stopped: {result}")
        return since, until, rewritten

    @staticmethod
    def alone():
        since = time.time()
        time.sleep(SECONDS)
        return since, time.time(), 0

    def round(self, name, options, rate):
        self.fresh()
        for log in self.logs.iterdir():
            log.unlink()
        application = self.application(
            WARM + START + SECONDS + 1, "--rate", f"{rate:.0f}", "--log",
            "--log-prefix", self.logs / "log")
        try:
            time.sleep(WARM)
            since, until, rewritten = (self.alone() if name == ALONE else
                                       self.beside(options))
            if application.poll() is not None:
                sys.exit("pgbench ended too early")
            self.ended(application)
        finally:
            application.kill()  # where something else failed
        found = seen(self.logs.iterdir(), since, until)
        found.rewritten = rewritten / (until - since)
        say(f"{name}: {len(found.took)} transactions, p99 "
            f"{found.took_at(0.99):.2f} ms, {found.rewritten:,.0f} rows/s")
        return found

    def deadlocks(self):
        return self.value("SELECT deadlocks FROM pg_stat_database WHERE"
                          " datname = current_database()")


def parsed(variant):
    """workers=1,batch_rows=250; default has none."""
    return dict(pair.split("=", 1) for pair in variant.split(",")
                if pair != "default")


def rounds(bench, rate):
    """{name: [Seen]}"""
    jobs = {ALONE: {}, **{name: parsed(name) for name in BESIDE}}
    found = {name: [] for name in jobs}
    for n in range(ROUNDS):
        for name in list(jobs)[::-1 if n % 2 else 1]:
            found[name].append(bench.round(name, jobs[name], rate))
    return found


# -- tables -----------------------------------------------------------------

def median(these, get):
    return statistics.median(map(get, these))


def ratio(these, base, get):
    return statistics.median(get(a) / get(b) for a, b in zip(these, base))


def p99(these):
    return these.took_at(0.99)


def table(found):
    head("application", "rewritten rows/s", "p50 ms", "p95", "p99", "longest",
         "p99 x alone", "due to end: p99 ms", "x alone", "failed")
    for name, these in found.items():
        row([name, f"{median(these, lambda s: s.rewritten):,.0f}",
             *(f"{median(these, lambda s: s.took_at(share)):.2f}"
               for share in POINTS),
             f"{ratio(these, found[ALONE], p99):.2f}",
             f"{median(these, lambda s: s.waited_at(0.99)):.2f}",
             f"{ratio(these, found[ALONE], lambda s: s.waited_at(0.99)):.2f}",
             str(sum(s.failed for s in these))])


def main():
    with Bench() as bench:
        bench.seed(Shape(ROWS, SIZE))
        bench.write_scripts()
        capacity = bench.capacity()
        rate = capacity * SHARE
        found = rounds(bench, rate)
        deadlocks = bench.deadlocks()
        version = bench.value("SHOW server_version")
    print(f"\n{bench.shape}; {CLIENTS} clients, {rate:,.0f} transactions/s of "
          f"{capacity:,.0f} possible; {ROUNDS} rounds of {SECONDS:g} s, "
          "medians\n")
    table(found)
    gentle = [name for name in BESIDE
              if ratio(found[name], found[ALONE], p99) <= 2]
    print(f"\np99 within twice of alone: {', '.join(gentle) or 'none'}; "
          f"deadlocks: {deadlocks}\n\nPostgreSQL {version}; {machine()}")
    if deadlocks or any(s.failed for these in found.values() for s in these):
        sys.exit("transactions failed")


if __name__ == "__main__":
    main()
