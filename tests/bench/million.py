#!/usr/bin/python3
"""The main job at its size: is every value there afterwards, and readable?

    make million; ROWS=1000000 WORKERS=2

Two tables, text and jsonb, half of ROWS each, under two old keys. Rotates,
reads every value back as the application does, and rotates once more. Fails
unless all of it is as it should be; the times are not judged.
"""
import json
import os
import sys

from ground import Ground, oracle, zoo

ROWS = int(os.environ.get("ROWS", 1_000_000))
WORKERS = int(os.environ.get("WORKERS", 2))
TABLES = {"a": "text", "b": "jsonb"}


def plain(table, i):
    text = f"{zoo.CANARY} {table}{i}"
    return (text if table == "a" else json.dumps(text)).encode()


def fill(ground, table):
    ground.sql(f"CREATE TABLE {table} (id int PRIMARY KEY,"
               f" secret {TABLES[table]})")
    values = (ground.ring.seal(plain(table, i), ("k2023", "k2024")[i % 2],
                               zoo.THEN + i) for i in range(ROWS // 2))
    zoo.copy_rows(ground.admin, table, ("id", "secret"), (
        (i, value if table == "a" else oracle.wrap(value))
        for i, value in enumerate(values)))
    ground.sql(f"VACUUM ANALYZE {table}")


def look(ground):
    """How many values do not read as before, are not under the primary, or
    have not the timestamp that they had; and how many IVs there are."""
    wrong, ivs = 0, set()
    for table, kind in TABLES.items():
        ground.sql(f"SELECT id, secret::text FROM {table}")
        for i, stored in ground.cursor:
            seen = oracle.read(stored, ground.ring, kind == "jsonb")
            wrong += (seen.value, seen.label, seen.key, seen.at) != (
                plain(table, i), "k2025", "k2025", zoo.THEN + i)
            ivs.add(seen.iv)
    return wrong, len(ivs)


def places(ground):
    """Any update gives a row another one."""
    return [ground.value("SELECT md5(string_agg(ctid::text, ' ' ORDER BY id))"
                         f" FROM {table}") for table in TABLES]


def main():
    with Ground() as ground:
        for table in TABLES:
            fill(ground, table)
        ground.tool.configure(
            rotate={"workers": WORKERS},
            **{table: {"columns": "secret"} for table in TABLES})
        first = ground.tool.rotate()
        wrong, ivs = look(ground)
        before = places(ground)
        again = ground.tool.rotate()
        still = places(ground) == before
    print(f"{ROWS:,} rows, {WORKERS} workers: exit {first.status},"
          f" {first.seconds:.1f} s; {wrong} differences, {ivs:,} distinct IVs;"
          f" second run: exit {again.status}, {again.seconds:.1f} s,"
          f" {'nothing' if still else 'something'} written")
    return 0 if (first.status, wrong, ivs, again.status, still) == (
        0, 0, 2 * (ROWS // 2), 0, True) else 1


if __name__ == "__main__":
    sys.exit(main())
