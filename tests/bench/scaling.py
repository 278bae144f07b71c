#!/usr/bin/python3
"""How does rotate scale with workers, and with the way to the server?

    make bench-scaling; ROWS=500000 ROUNDS=3 WORKERS=1,2,4,8 DELAYS=0,1

The ways are the Unix socket, the loopback, and a proxy that holds everything
back for so many milliseconds each way (tests/tools/delay.c): 1 ms is a round
trip of 2. Each line is proven by round trips of SELECT 1 beforehand. Then the
price of the flush: synchronous_commit on and off. Jobs alternate as they do
in rotate.py. Prints the tables of docs/performance.md; fails when a line does
not delay what it should, or a run has 64 MiB or more with up to 4 workers.
"""
import contextlib
import os
import socket
import statistics
import sys
import time

from ground import Ground, Shape
from lib.delay import Delay
from rotate import median, ratio
from table import head, machine, row, say

import psycopg2

ROWS = int(os.environ.get("ROWS", 500_000))
ROUNDS = int(os.environ.get("ROUNDS", 3))
WORKERS = [int(n) for n in os.environ.get("WORKERS", "1,2,4,8").split(",")]
DELAYS = [float(ms) for ms in os.environ.get("DELAYS", "0,1").split(",")]
SIZE = 64
TRIPS = 200
SLACK_MS = 1.5  # two wakeups of the proxy on a busy machine
LIMIT_WORKERS, LIMIT_MIB = 4, 64
SOCKET, LOOPBACK = "Unix socket", "loopback"


def line(ms):
    return f"proxy, {ms:g} ms"


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


class Scaling(Ground):
    def __init__(self):
        self.port = free_port()
        super().__init__(listen_addresses="'127.0.0.1'", port=self.port)

    def ways(self, stack):
        """{name: [database] of the configuration}"""
        target = self.cluster.socket / f".s.PGSQL.{self.port}"
        ways = {SOCKET: {},
                LOOPBACK: {"host": "127.0.0.1", "port": self.port}}
        for ms in DELAYS:
            proxy = stack.enter_context(Delay(target, ms / 1000))
            ways[line(ms)] = {"host": "127.0.0.1", "port": proxy.port}
        return ways

    def trip_ms(self, way):
        """Median time of SELECT 1."""
        usual = {"host": self.cluster.socket, "port": self.port}
        with contextlib.closing(psycopg2.connect(
                user="postgres", dbname=self.database,
                **{**usual, **way})) as connection:
            connection.autocommit = True
            cursor, took = connection.cursor(), []
            for _ in range(TRIPS):
                began = time.monotonic()
                cursor.execute("SELECT 1")
                took.append(1000 * (time.monotonic() - began))
        return statistics.median(took)

    def trips(self, ways):
        """Of each way; ends the benchmark if a line is not what it says."""
        took = {name: self.trip_ms(way) for name, way in ways.items()}
        for ms in DELAYS:
            if not 2 * ms <= took[line(ms)] <= 2 * ms + SLACK_MS:
                sys.exit(f"{line(ms)}: a round trip of "
                         f"{took[line(ms)]:.2f} ms")
        return took

    def run(self, workers, way, options):
        self.tool.connection = way
        self.tool.configure(rotate={**self.options(), **options},
                            t={"columns": "secret"})
        self.fresh()
        cost = self.measure(self.shape.rows, *self.rotate(workers))
        self.check(self.shape.rows)
        return cost

    def rounds(self, workers, jobs):
        """{name: [Cost]} of {name: (way, options)}."""
        costs = {name: [] for name in jobs}
        for n in range(ROUNDS):
            for name in list(jobs)[::-1 if n % 2 else 1]:
                cost = self.run(workers, *jobs[name])
                costs[name].append(cost)
                say(f"{workers} workers, {name}: {cost.seconds:.2f} s")
        return costs


def rate(cost):
    return cost.rate


def rss_mib(costs):
    """The highest of all rounds: it is a limit."""
    return max(cost.rss for cost in costs) / 1024


def cpu(costs):
    return [f"{median(costs, lambda c: c.per_row('server')):.1f}",
            f"{median(costs, lambda c: c.per_row('client')):.1f}"]


def by_way(bench, ways, trips):
    """Prints the table; returns the complaints."""
    jobs = {name: (way, {}) for name, way in ways.items()}
    near = line(DELAYS[0])
    head("way", "workers", "round trip ms", "rows/s", f"x {SOCKET}",
         f"x {near}", "server us/row", "client us/row", "RSS MiB")
    for workers in WORKERS:
        costs = bench.rounds(workers, jobs)
        for name, found in costs.items():
            row([name, str(workers), f"{trips[name]:.2f}",
                 f"{median(found, rate):,.0f}",
                 f"{ratio(found, costs[SOCKET], rate):.2f}",
                 f"{ratio(found, costs[near], rate):.2f}",
                 *cpu(found), f"{rss_mib(found):.0f}"])
            if workers <= LIMIT_WORKERS and rss_mib(found) >= LIMIT_MIB:
                yield f"{name}, {workers} workers: {rss_mib(found):.0f} MiB"


def by_flush(bench):
    jobs = {f"synchronous_commit = {how}": ({}, {"synchronous_commit": how})
            for how in ("on", "off")}
    print()
    head("commits", "workers", "rows/s", "x on", "server us/row",
         "client us/row")
    for workers in (1, 2):
        costs = bench.rounds(workers, jobs)
        base = next(iter(costs.values()))
        for name, found in costs.items():
            row([f"`{name}`", str(workers), f"{median(found, rate):,.0f}",
                 f"{ratio(found, base, rate):.2f}", *cpu(found)])


def main():
    with Scaling() as bench, contextlib.ExitStack() as stack:
        version = bench.value("SHOW server_version")
        ways = bench.ways(stack)
        trips = bench.trips(ways)
        bench.seed(Shape(ROWS, SIZE))
        print(f"\n{bench.shape}; {ROUNDS} rounds, medians; the delay of a "
              "proxy is that of each way\n")
        complaints = list(by_way(bench, ways, trips))
        by_flush(bench)
    print(f"\nPostgreSQL {version}; {machine()}")
    sys.exit("\n".join(complaints) or 0)


if __name__ == "__main__":
    main()
