#!/usr/bin/python3
"""How fast is rotate, compared with the server alone and with what people
write themselves?

    make bench; ROWS=1000000 ROUNDS=5 WORKERS=1,2 SIZES=64,64:jsonb,4096,65536

The floor is the server's own batched UPDATE of the same rows to envelopes that
are ready in another table: no client, no crypto, as many connections, 1,000
rows a transaction. Jobs alternate, each round in the other order, each on a
fresh copy of the table behind a checkpoint; ratios are the medians of those
within a round. Prints the tables of docs/performance.md.

OPTIONS="window_bytes=4MiB" go to [rotate], AGAINST=/path/to/pgrekey is
measured as well: another build. CRYPTO=0 and PEERS=0 leave parts out.
"""
import os
import statistics
from pathlib import Path

from crypto import crypto_table
from ground import Ground, Shape
from table import head, machine, row, say

ROWS = int(os.environ.get("ROWS", 1_000_000))
ROUNDS = int(os.environ.get("ROUNDS", 5))
WORKERS = [int(n) for n in os.environ.get("WORKERS", "1,2").split(",")]
SIZES = os.environ.get("SIZES", "64,64:jsonb,4096,65536").split(",")
AGAINST = os.environ.get("AGAINST")
PEERS = Path(__file__).with_name("peers.py")
FLOOR_ROWS = 1000
BATCH_COUNT, SAVE_COUNT = 50_000, 4000

# Each connection has its own part of the keys.
FLOOR = """CREATE PROCEDURE floor(lo bigint, hi bigint) LANGUAGE plpgsql AS $$
BEGIN
    WHILE lo < hi LOOP
        UPDATE t SET secret = src.new FROM src WHERE src.id = t.id
            AND src.id >= lo AND src.id < least(hi, lo + {rows})
            AND t.id >= lo AND t.id < least(hi, lo + {rows});
        COMMIT;
        lo := lo + {rows};
    END LOOP;
END $$""".format(rows=FLOOR_ROWS)


def shape_of(size):
    """64:jsonb. Fewer rows where there is more to each."""
    size, _, carrier = size.partition(":")
    rows = ROWS // 4 if carrier else min(ROWS, ROWS * 256 // int(size))
    return Shape(max(1000, rows), int(size), carrier or "text")


class Bench(Ground):
    def psql(self, sql):
        return [self.cluster.bin / "psql", "-Xqh", self.cluster.socket, "-U",
                "postgres", self.database, "-c", sql]

    def floor(self, rows, connections):
        edges = [1 + rows * n // connections for n in range(connections + 1)]
        return [self.psql(f"CALL floor({lo}, {hi})")
                for lo, hi in zip(edges, edges[1:])]

    def peer(self, how, count):
        dsn = f"host={self.cluster.socket} user=postgres " \
              f"dbname={self.database}"
        keys = [self.ring.keys[name] for name in ("k2025", "k2023")]
        return [["/usr/bin/python3", PEERS, how, dsn, ",".join(keys),
                 str(count)]]

    def jobs(self, workers):
        """name: (commands, rows). The first is what the others are compared
        with."""
        rows = self.shape.rows
        jobs = {"floor": (self.floor(rows, workers), rows),
                "pgrekey": (self.rotate(workers), rows)}
        if AGAINST:
            jobs[AGAINST] = (self.rotate(workers, AGAINST), rows)
        return jobs

    def peers(self):
        rows = self.shape.rows
        return {"pgrekey": (self.rotate(1), rows),
                "psycopg2, batches": (
                    self.peer("batch", min(rows, BATCH_COUNT)),
                    min(rows, BATCH_COUNT)),
                "save loop": (self.peer("save", min(rows, SAVE_COUNT)),
                              min(rows, SAVE_COUNT))}

    def rounds(self, jobs):
        """{name: [Cost]}"""
        costs = {name: [] for name in jobs}
        for n in range(ROUNDS):
            for name in list(jobs)[::-1 if n % 2 else 1]:
                commands, rows = jobs[name]
                self.fresh()
                costs[name].append(self.measure(rows, *commands))
                self.check(rows)
                say(f"{self.shape}: {name} {costs[name][-1].seconds:.2f} s")
        return costs

    def again(self):
        """Seconds of a second run, and of counting what is not current
        without parallel workers; the table has been rotated."""
        count = self.psql(
            "SET max_parallel_workers_per_gather = 0; SELECT count(*) FROM t"
            " WHERE NOT starts_with(secret, 'enc:fernet:k2025:')")
        took = [(self.measure(0, *self.rotate(1)).seconds,
                 self.measure(0, count).seconds) for _ in range(ROUNDS)]
        return [statistics.median(column) for column in zip(*took)]


# -- tables -----------------------------------------------------------------

def median(costs, get):
    return statistics.median(get(cost) for cost in costs)


def ratio(costs, base, get):
    return statistics.median(get(cost) / get(other)
                             for cost, other in zip(costs, base))


def small(number):
    return f"{number:.3f}" if number < 0.1 else f"{number:.2f}"


def lines(what, costs):
    """The lines of one comparison."""
    base = next(iter(costs.values()))
    for name, found in costs.items():
        row([f"{what}{name}",
             f"{median(found, lambda c: c.rate):,.0f}",
             small(ratio(found, base, lambda c: c.rate)),
             f"{median(found, lambda c: c.per_row('server')):.1f}",
             f"{median(found, lambda c: c.per_row('client')):.1f}",
             f"{median(found, lambda c: c.per_row('wal')):,.0f}",
             f"{ratio(found, base, lambda c: c.per_row('wal')):.2f}",
             f"{100 * median(found, lambda c: c.hot):.0f} %",
             f"{median(found, lambda c: c.heap):.2f}",
             f"{median(found, lambda c: c.rss) / 1024:.0f}"])


def compare(bench):
    """Also leaves the first table rotated, for what follows."""
    head("what", "rows/s", "x first", "server us/row", "client us/row",
         "WAL B/row", "x first", "HOT", "heap x", "RSS MiB")
    for size in SIZES:
        bench.seed(shape_of(size))
        for workers in WORKERS:
            costs = bench.rounds(bench.jobs(workers))
            lines(f"{bench.shape}, {workers} conn.: ", costs)


def small_tables(bench):
    bench.seed(shape_of(SIZES[0]))
    costs = bench.rounds(bench.peers())
    lines("", costs)
    bench.fresh()
    bench.measure(bench.shape.rows, *bench.rotate(1))
    return bench.again()


def main():
    print(f"\n{ROUNDS} rounds, medians; {os.cpu_count()} cores\n")
    with Bench() as bench:
        version = bench.value("SHOW server_version")
        bench.sql(FLOOR)
        compare(bench)
        if os.environ.get("PEERS") != "0":
            second, count = small_tables(bench)
            print(f"\nA second run: {second:.2f} s; counting alone: "
                  f"{count:.2f} s; beyond 1.2 times that: "
                  f"{1000 * (second - 1.2 * count):.0f} ms (goal: 100)")
    if os.environ.get("CRYPTO") != "0":
        crypto_table(ROUNDS, row, head)
    print(f"\nPostgreSQL {version}; {machine()}")


if __name__ == "__main__":
    main()
