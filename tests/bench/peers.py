#!/usr/bin/python3
"""What people write themselves. As jobs of the benchmark:

    peers.py batch|save DSN KEYS COUNT

KEYS has the primary first. Both rotate the rows of t up to id COUNT.
"""
import base64
import sys

import psycopg2
from cryptography.fernet import Fernet, MultiFernet
from psycopg2.extras import execute_values

MARK = "enc:fernet:k2025:"
BATCH = 1000


def rotated(ring, stored):
    token = base64.b64decode(stored.rpartition(":")[2])
    return MARK + base64.b64encode(ring.rotate(token)).decode()


def batch(connection, ring, count):
    """A competent script: pages by key, one UPDATE and COMMIT per page."""
    last = 0
    while True:
        with connection, connection.cursor() as cursor:
            cursor.execute(
                "SELECT id, secret FROM t WHERE id > %s AND id <= %s"
                " AND secret NOT LIKE %s ORDER BY id LIMIT %s",
                (last, count, MARK + "%", BATCH))
            rows = cursor.fetchall()
            if not rows:
                return
            execute_values(
                cursor,
                "UPDATE t SET secret = v.new FROM (VALUES %s)"
                " AS v (id, old, new) WHERE t.id = v.id AND t.secret = v.old",
                [(n, old, rotated(ring, old)) for n, old in rows],
                page_size=BATCH)
            last = rows[-1][0]


def save(connection, ring, count):
    """`for row in Model.objects.iterator(): row.save()`, without the
    framework's own work: every column, one transaction per row."""
    connection.autocommit = True
    read, write = connection.cursor(), connection.cursor()
    read.execute("SELECT id, secret, note FROM t WHERE id <= %s", (count,))
    for n, old, note in read:
        write.execute("UPDATE t SET secret = %s, note = %s WHERE id = %s",
                      (rotated(ring, old), note, n))


def main():
    how, dsn, keys, count = sys.argv[1:]
    connection = psycopg2.connect(dsn)
    ring = MultiFernet([Fernet(key) for key in keys.split(",")])
    {"batch": batch, "save": save}[how](connection, ring, int(count))
    connection.close()


if __name__ == "__main__":
    main()
