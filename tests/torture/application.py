#!/usr/bin/python3
"""A live application: one of several processes that change rows.

    application.py SOCKET DATABASE KEYS PRIMARY SEED NUMBER WRITERS ROWS LOG

It changes secrets, changes other columns, deletes and inserts again, moves
rows to another partition, and writes whole rows back that it read a while
ago, several of these in a transaction, with savepoints that are rolled back.
What was committed goes to LOG, one JSON list [row, seq, plaintext] a line;
each row counts its changes in seq, so that the lists of all writers have an
order. "switch" on standard input: from now on it knows the primary only, and
forgets what it read before. The end of standard input ends it.

Rows of its own (id % WRITERS == NUMBER) it locks in random order, those of
everybody afterwards by id: the writers cannot deadlock among themselves.
"""
import json
import os
import random
import select
import sys
import time
from pathlib import Path

import psycopg2

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from lib import oracle, zoo  # noqa: E402

PARTS = 3
SHARED = 50  # rows below this belong to everybody, and are hot
COLUMNS = "id, part, secret, note, seq"


class Rolled(Exception):
    """The application changed its mind."""


class Application:
    def __init__(self, socket, database, keys, primary, seed, number,
                 writers, rows, log):
        self.number, self.writers = int(number), int(writers)
        self.rows = int(rows)
        self.random = random.Random(f"{seed} {number}")
        self.ring = oracle.Ring({file.name: file.read_text().strip()
                                 for file in Path(keys).iterdir()}, primary)
        self.switched = False
        self.log = open(log, "a")
        self.connection = psycopg2.connect(host=socket, dbname=database,
                                           user="postgres",
                                           application_name="application")
        self.cursor = self.connection.cursor()
        self.stale = []  # rows as they were read, and when to write them
        self.changes = []
        self.count = 0
        self.counts = {}

    # -- values ------------------------------------------------------------

    def secret(self):
        """A new value: (stored, plaintext)."""
        self.count += 1
        plain = f"{zoo.CANARY} {self.number} {self.count}"
        keys = ([self.ring.primary] if self.switched
                else sorted(self.ring.keys))
        return self.ring.seal(plain.encode(),
                              self.random.choice(keys)), plain

    def plaintext(self, stored):
        return oracle.read(stored, self.ring).value.decode()

    # -- one change of one row; the row is locked and as given -------------

    def change_secret(self, row):
        stored, plain = self.secret()
        self.update("secret = %s", [stored], row, plain)

    def change_note(self, row):
        self.update("note = %s", [f"note {self.count}"], row,
                    self.plaintext(row[2]))

    def move(self, row):
        self.update("part = %s", [(row[1] + 1) % PARTS], row,
                    self.plaintext(row[2]))

    def insert_again(self, row):
        stored, plain = self.secret()
        self.cursor.execute("DELETE FROM t WHERE id = %s", [row[0]])
        self.cursor.execute(
            f"INSERT INTO t ({COLUMNS}) VALUES (%s, %s, %s, %s, %s)",
            [row[0], row[1], stored, row[3], row[4] + 1])
        self.changed(row, plain)

    def read_for_later(self, row):
        # What is old will be rotated meanwhile, and must not come back.
        if self.switched and not row[2].startswith(
                f"{oracle.SEALED}{self.ring.primary}:"):
            return
        self.stale.append((time.monotonic() + self.random.uniform(0.05, 1),
                           row))

    def write_back(self, row):
        """All columns as they were a while ago, as a careless ORM does."""
        due = [old for at, old in self.stale
               if at < time.monotonic() and old[0] == row[0]]
        if not due:
            self.read_for_later(row)
            return
        old = due[0]
        self.stale = [entry for entry in self.stale if entry[1] is not old]
        self.update("part = %s, secret = %s, note = %s", old[1:4], row,
                    self.plaintext(old[2]))
        self.counts["stale"] = self.counts.get("stale", 0) + 1

    def update(self, what, parameters, row, plain):
        self.cursor.execute(
            f"UPDATE t SET {what}, seq = %s WHERE id = %s",
            [*parameters, row[4] + 1, row[0]])
        self.changed(row, plain)

    def changed(self, row, plain):
        if self.cursor.rowcount != 1:
            raise RuntimeError("a locked row is gone")
        self.changes.append((row[0], row[4] + 1, plain))

    # -- transactions ------------------------------------------------------

    def pick_rows(self):
        """Ids, in the order in which to lock them."""
        mine = range(SHARED + (self.number - SHARED) % self.writers,
                     self.rows, self.writers)
        mine = self.random.sample(mine, self.random.randint(0, 5))
        due = [row[0] for at, row in self.stale
               if at < time.monotonic() and row[0] >= SHARED]
        mine = list(dict.fromkeys(due[:2] + mine))
        self.random.shuffle(mine)
        return mine + sorted(self.random.sample(range(SHARED),
                                                self.random.randint(0, 3)))

    def lock(self, name):
        self.cursor.execute(
            f"SELECT {COLUMNS} FROM t WHERE id = %s FOR UPDATE", [name])
        return self.cursor.fetchone()

    def one_row(self, name):
        row = self.lock(name)
        if row is None:  # replaced while we waited
            return
        work = self.random.choices(
            (self.change_secret, self.change_note, self.insert_again,
             self.move, self.write_back), (40, 20, 10, 10, 20))[0]
        work(row)
        # Somebody else has time to meet the lock.
        time.sleep(self.random.choice((0, 0, 0.002, 0.01)))

    def transaction(self):
        self.changes = []
        for name in self.pick_rows():
            kept = list(self.changes)
            self.cursor.execute("SAVEPOINT here")
            self.one_row(name)
            if self.random.random() < 0.2:
                self.cursor.execute("ROLLBACK TO SAVEPOINT here")
                self.changes = kept
                self.counts["savepoints"] = 1 + self.counts.get(
                    "savepoints", 0)
        if self.random.random() < 0.1:
            raise Rolled
        self.connection.commit()
        for change in self.changes:
            self.log.write(json.dumps(change) + "\n")
        self.log.flush()

    def attempt(self):
        try:
            self.transaction()
        except Rolled:
            self.connection.rollback()
        except psycopg2.errors.lookup("40001"):
            self.failed("moved")  # to another partition while we waited
        except psycopg2.errors.lookup("40P01"):
            self.failed("deadlocks")
        except psycopg2.errors.UniqueViolation:
            self.failed("moved")

    def failed(self, name):
        self.connection.rollback()
        self.counts[name] = self.counts.get(name, 0) + 1

    # -- life --------------------------------------------------------------

    def run(self):
        while True:
            self.attempt()
            if select.select([0], [], [], 0)[0]:
                if not os.read(0, 100):
                    break
                self.switched, self.stale = True, []
                print("switched", flush=True)
        print(json.dumps(self.counts))


if __name__ == "__main__":
    Application(*sys.argv[1:]).run()
