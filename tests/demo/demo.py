#!/usr/bin/python3
"""A key rotation from beginning to end, on a PostgreSQL that is thrown away.

ROWS (20000) is the number of rows; PGREKEY_BUILD the folder of the program.
"""
import json
import multiprocessing
import os
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import psycopg2

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from lib import oracle, zoo  # noqa: E402
from lib.cluster import Cluster  # noqa: E402
from lib.pgrekey import PROGRAM, Tool  # noqa: E402



def whole_number(name, default):
    text = os.environ.get(name, str(default))
    if not re.fullmatch("[0-9]{1,12}", text):
        print(f"demo: {name} is no whole number: '{text}'", file=sys.stderr)
        sys.exit(2)
    return int(text)


ROWS = max(1000, whole_number("ROWS", 20_000))
EACH = ROWS // 2
SLICE = 5000
TABLES = {  # name: (column, type)
    "credentials": ("secret", "text"),
    "settings": ("options", "jsonb"),
}
BOLD, PLAIN = ("\033[1m", "\033[0m") if sys.stdout.isatty() else ("", "")


# -- what the application once stored -----------------------------------------

class Data:
    """Which value stands in which row; the same answer each time."""

    def __init__(self, ring):
        self.ring = ring
        specimens = zoo.bad(ring)
        self.broken = {
            11 * (i + 1): specimens[name].stored for i, name in enumerate((
                "sealed by a lost key", "damaged", "cut", "bad padding"))}

    def plain(self, table, i):
        if table == "credentials":
            return f"token-of-customer-{i}".encode()
        return json.dumps({"customer": i, "token": f"secret-{i}"}).encode()

    def stored(self, table, i):
        dress = oracle.wrap if table == "settings" else str
        if i in self.broken:
            return dress(self.broken[i])
        if i % 20 == 0:
            return None
        plain = self.plain(table, i)
        if i % 89 == 1:
            return plain.decode()
        if i % 97 == 1:
            return dress(oracle.marked(plain))
        return dress(self.ring.seal(plain, ("k2023", "k2024")[i % 2],
                                    zoo.THEN + i))

    def wrong(self, table, i, stored):
        """Is this not what the application has to find afterwards?"""
        is_json = table == "settings"
        if i in self.broken or i % 20 == 0:
            return stored != self.stored(table, i)
        seen = oracle.read(stored, self.ring, is_json)
        if (seen.label, seen.key) != ("k2025", "k2025"):
            return True
        # jsonb kept the meaning of raw values, not their spelling.
        same = oracle.meaning if is_json else bytes
        return same(seen.value) != same(self.plain(table, i))


class Worker:
    """One of several processes that fill and check the tables."""

    @classmethod
    def begin(cls, cluster, database, data):
        signal.signal(signal.SIGINT, signal.SIG_IGN)
        signal.signal(signal.SIGTERM, signal.SIG_DFL)
        cls.connection = cluster.connect(database)
        cls.data = data

    @classmethod
    def fill(cls, table, first):
        zoo.copy_rows(cls.connection, table, ("id", TABLES[table][0]), (
            (i, cls.data.stored(table, i))
            for i in range(first, min(first + SLICE, EACH + 1))))

    @classmethod
    def check(cls, table, first):
        """How many values of a slice are wrong."""
        cursor = cls.connection.cursor()
        cursor.execute(
            f"SELECT id, {TABLES[table][0]}::text FROM {table}"
            " WHERE id >= %s AND id < %s", [first, first + SLICE])
        rows = cursor.fetchall()
        missing = min(SLICE, EACH + 1 - first) - len(rows)
        return missing + sum(cls.data.wrong(table, *row) for row in rows)


def in_slices(work, *shared):
    """Does work for every slice of every table, on all processors. Whatever
    ends it early ends the workers, too."""
    slices = [(table, first)
              for table in TABLES for first in range(1, EACH + 1, SLICE)]
    with multiprocessing.Pool(initializer=Worker.begin,
                              initargs=shared) as pool:
        return pool.starmap(work, slices, chunksize=1)


# -- what one sees --------------------------------------------------------------

def say(*lines):
    for line in lines:
        print("  " + line if line else "")
    sys.stdout.flush()


def step(title):
    step.number = getattr(step, "number", 0) + 1
    print(f"\n{BOLD}{step.number}. {title}{PLAIN}\n")


def show(connection):
    """Counts by plain SQL: what anybody could ask the server."""
    counts = {}
    for table, (column, column_type) in TABLES.items():
        field = (f"{column}->>'{oracle.MEMBER}'" if column_type == "jsonb"
                 else column)
        cursor = connection.cursor()
        cursor.execute(
            f"SELECT CASE WHEN {column} IS NULL THEN 'NULL'"
            f" WHEN {field} LIKE 'enc:fernet:%'"
            f" THEN 'sealed, key ' || split_part({field}, ':', 3)"
            f" WHEN {field} LIKE 'enc:plaintext:%'"
            " THEN 'marked, not encrypted' ELSE 'raw, not encrypted' END,"
            f" count(*) FROM {table} GROUP BY 1")
        for kind, count in cursor:
            counts.setdefault(kind, {})[table] = count
    heads = [f"{table}.{column}" for table, (column, _) in TABLES.items()]
    say(f"{'values':<21}{heads[0]:>19}{heads[1]:>17}")
    for kind in sorted(counts):
        numbers = [counts[kind].get(table, 0) for table in TABLES]
        say(f"{kind:<21}{numbers[0]:>19,}{numbers[1]:>17,}")


def rotate(tool, *arguments):
    """The program itself, with this terminal; its exit status."""
    command = [PROGRAM, "rotate", "--config", tool.write_config(), *arguments]
    process = subprocess.Popen(command)
    try:
        return process.wait()
    except KeyboardInterrupt:
        process.wait()  # the same Ctrl-C told it to finish its batch
        raise


def prepare(connection, *shared):
    step(f"A database of {ROWS:,} rows, as an application left it")
    for table, (column, column_type) in TABLES.items():
        connection.cursor().execute(
            f"CREATE TABLE {table} (id bigint, {column} {column_type})")
    in_slices(Worker.fill, *shared)
    for table in TABLES:
        connection.cursor().execute(f"ALTER TABLE {table} ADD PRIMARY KEY(id)")
    connection.cursor().execute("VACUUM ANALYZE")
    show(connection)


def demo(cluster, folder):
    database = cluster.database()
    connection = cluster.connect(database)
    data = Data(oracle.Ring.fresh("k2023", "k2024", primary="k2025"))
    shared = cluster, database, data
    tool = Tool(cluster, database, data.ring, folder)
    tool.configure(**{table: {"columns": column, "raw": "encrypt"}
                      for table, (column, _) in TABLES.items()})
    prepare(connection, *shared)

    step("The configuration: where the keys are, and what to rotate")
    say(*tool.write_config().read_text().rstrip().split("\n"))

    step("pgrekey rotate: everything under the new key, k2025")
    began = time.monotonic()
    first = rotate(tool)
    seconds = time.monotonic() - began
    broken = len(data.broken) * len(TABLES)
    if first != 1:
        raise RuntimeError(f"pgrekey ended with exit status {first}, not 1")
    say("", f"It took {seconds:.1f} s and ended with exit status {first}.",
        f"1 is right: {broken} values were planted that nobody can open.",
        "They are listed, and left as they were, byte for byte.")

    step("What is there now")
    show(connection)

    step("Does the application read what it read before?")
    wrong = sum(in_slices(Worker.check, *shared))
    say(f"{2 * EACH:,} values read back with the application's own reader,",
        f"python3-cryptography: {wrong} differences.")

    step("Once more: there is nothing left to do")
    again = rotate(tool, "--quiet")
    return (first, again, wrong) == (1, 1, 0)


def interrupt(*_):
    """Ctrl-C stops the demo; another one must not stop the cleaning up."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    raise KeyboardInterrupt


def main():
    signal.signal(signal.SIGINT, interrupt)
    if not PROGRAM.exists():
        sys.exit(f"{PROGRAM} is not there: run make first")
    print(f"{BOLD}pgrekey: a key rotation from beginning to end{PLAIN}")
    with Cluster(fsync=True, autovacuum="on") as cluster, \
            tempfile.TemporaryDirectory(prefix="pgrekey-demo-") as folder:
        good = demo(cluster, folder)
    if not good:
        sys.exit("\nSomething is not as it should be; see above.")
    print(f"\n{BOLD}All is well.{PLAIN} Nothing that can be read needs k2023"
          " or k2024.\nThe server and its data are gone again."
          " Next: README.md")


def explain(problem):
    """What went wrong, for people: usually the disk, or the machine."""
    said = getattr(problem, "stderr", None) or str(problem)
    said = said.decode() if isinstance(said, bytes) else said
    folder = tempfile.gettempdir()
    free = shutil.disk_usage(folder).free >> 20
    return (f"\ndemo: {said.strip()}\nhint: the server lives in {folder},"
            f" which has {free:,} MiB free; TMPDIR names another place")


if __name__ == "__main__":
    try:
        main()
    except KeyboardInterrupt:
        sys.exit("\nstopped; the server and its data are gone again")
    except (psycopg2.Error, subprocess.CalledProcessError, OSError,
            RuntimeError) as problem:
        sys.exit(explain(problem))
