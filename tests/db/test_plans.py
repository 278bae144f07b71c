"""The server runs the statements by the plan that they were written for.

Each page of a window is read once, by a TID range scan, and so pruned: a TID
scan for each row would let the table grow to twice its size, and a scan of
the whole table for each window would never end. auto_explain tells the plans
that the program's own statements really had.
"""
import collections
import json
import re
import sys
import unittest
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from lib import oracle, zoo  # noqa: E402
from lib.scene import Scene  # noqa: E402

LOGGED = re.compile(r"duration: [\d.]+ ms  plan:\n((?:\t.*\n)+)")
# A window, at once or by a cursor; a look that prunes; a batch, but not the
# trial write, which records nothing.
KINDS = {
    "read": re.compile(r"(BEGIN .*DECLARE pgrekey_window .* FOR )?"
                       r"SELECT x\.ctid, .* WHERE t\.ctid >= '\("),
    "look": re.compile(r"SELECT pg_catalog\.count\(\*\) FROM ONLY .*"
                       r" WHERE t\.ctid >= '\("),
    "write": re.compile(r"WITH u AS \(UPDATE.*, k AS \(UPDATE"),
    "lock and write": re.compile(
        r"WITH l AS MATERIALIZED.*, k AS \(UPDATE")}
HARMLESS = 64  # pages that may as well be read as a whole

Scan = collections.namedtuple("Scan", "node loops join locking")


def setUpModule():
    Scene.open(shared_preload_libraries="auto_explain", **{
        "auto_explain.log_min_duration": 0,
        "auto_explain.log_format": "json",
        "auto_explain.log_analyze": "on",
        "auto_explain.log_timing": "off"})


def nodes(node, above=()):
    yield node, above
    for child in node.get("Plans", ()):
        yield from nodes(child, (*above, node))


def scans(plan, names):
    """How the tables are read."""
    for node, above in nodes(plan):
        if (node.get("Relation Name") in names
                and node["Node Type"] != "ModifyTable"):
            joins = [up["Node Type"] for up in above
                     if up["Node Type"].endswith(("Join", "Loop"))]
            yield Scan(node["Node Type"], node["Actual Loops"],
                       joins[-1] if joins else None,
                       any(up.get("Subplan Name") == "CTE l"
                           for up in (*above, node)))


class Base(Scene):
    def fill(self, rows, column="text", pad=0, size=20, analyze=True,
             create="CREATE TABLE t (id int, secret {}, pad text)"):
        self.sql("DROP TABLE IF EXISTS t")
        self.sql(create.format(column))
        value = self.ring.seal(b"x" * size, "k2023", zoo.THEN)
        if column.startswith("json"):
            value = oracle.wrap(value)
        self.sql("INSERT INTO t SELECT i, %s, repeat('x', %s)"
                 " FROM generate_series(1, %s) AS i", value, pad, rows)
        if analyze:
            self.sql("ANALYZE")
        self.tool.configure(rotate={"workers": 1}, t={"columns": "secret"})

    def settings(self, *settings):
        """What the administrator of the database thought best."""
        self.sql(f"ALTER DATABASE {self.database} RESET ALL")
        for setting in settings:
            self.sql(f"ALTER DATABASE {self.database} SET {setting}")

    def explained(self):
        """The result of rotate, and (query, plan) of each statement."""
        start = self.cluster.log.stat().st_size
        result = self.tool.rotate()
        self.assertExit(0, result)
        log = self.cluster.log.read_bytes()[start:].decode()
        logged = map(json.loads, LOGGED.findall(log))
        return result, [(one["Query Text"], one["Plan"]) for one in logged]

    def rotate(self):
        """The result, and {kind: list of the scans of each statement}."""
        names = {"t"} | {name for name, in self.sql(
            "SELECT inhrelid::regclass::text FROM pg_inherits"
            " WHERE inhparent = 't'::regclass")}
        result, statements = self.explained()
        found = collections.defaultdict(list)
        for query, plan in statements:
            for kind, pattern in KINDS.items():
                if pattern.match(query):
                    found[kind].append(list(scans(plan, names)))
        return result, found

    # -- sentences ----------------------------------------------------------

    def assertReadOnce(self, kind, some, pages):
        """One look at each page, and the batch is joined as a whole."""
        allowed = {"Tid Range Scan"} | (
            {"Seq Scan"} if pages <= HARMLESS else set())
        if kind == "lock and write":  # what follows the locking finds pruned
            some = [scan for scan in some if scan.locking]
        self.assertEqual(len(some), 1, (kind, some))
        self.assertIn(some[0].node, allowed, (kind, some))
        self.assertEqual(some[0].loops, 1, (kind, some))
        if kind not in ("read", "look"):
            self.assertIn(some[0].join, ("Hash Join", "Merge Join"), kind)

    def assertPlanned(self, most="write"):
        """All plans are right; most of the rows were written that way."""
        pages = self.value("SELECT max(pg_relation_size(oid)) / 8192 FROM"
                           " pg_class WHERE relname LIKE 't_' OR"
                           " relname = 't'")
        _, found = self.rotate()
        for kind, statements in found.items():
            for statement in statements:
                self.assertReadOnce(kind, statement, pages)
        self.assertGreater(len(found["read"]), 0)
        self.assertGreater(len(found[most]), 0, {
            kind: len(statements) for kind, statements in found.items()})


class Cursors(Base):
    """A window is read at once where it fits, else by a cursor: whatever is
    read beyond it was read in vain."""

    def by_cursor(self, **rotate):
        """Of each window that was read, in order."""
        self.tool.configure(rotate={"workers": 1, **rotate},
                            t={"columns": "secret"})
        return ["DECLARE" in query for query, _ in self.explained()[1]
                if KINDS["read"].match(query)]

    def test_small_values_are_read_at_once(self):
        self.fill(3000)
        self.assertEqual(set(self.by_cursor()), {False})

    def test_values_outside_of_the_page_are_read_by_a_cursor(self):
        self.fill(100, size=6000)
        self.assertEqual(set(self.by_cursor()), {True})

    def test_once_a_window_did_not_fit_a_cursor_is_used(self):
        self.fill(50_000)
        first, *others = self.by_cursor(window_bytes="256KiB")
        self.assertFalse(first)
        self.assertEqual(set(others), {True})


class Matrix(Base):
    def test_tables_of_all_sizes_whether_analyzed_or_not(self):
        for cost in (4, 1.1):
            self.settings(f"random_page_cost = {cost}")
            for rows, most in ((10, "lock and write"), (3000, "write"),
                               (50_000, "write")):
                for analyze in (True, False):
                    with self.subTest(rows=rows, analyze=analyze, cost=cost):
                        self.fill(rows, analyze=analyze)
                        self.assertPlanned(most)

    def test_statistics_of_an_empty_table_that_was_filled_since(self):
        self.fill(0)
        self.sql("VACUUM ANALYZE t")
        self.sql("INSERT INTO t SELECT i, %s FROM generate_series(1, 20000)"
                 " AS i", self.ring.seal(b"x", "k2023", zoo.THEN))
        self.assertPlanned()

    def test_all_types(self):
        self.sql("CREATE EXTENSION citext")
        self.sql("CREATE DOMAIN sealed AS text CHECK (value <> '')")
        for column in ("jsonb", "json", "varchar(900)", "char(900)",
                       "citext", "sealed"):
            with self.subTest(column):
                self.fill(6000, column)
                self.assertPlanned()

    def test_few_old_rows_among_many(self):
        self.fill(50_000)
        self.sql("UPDATE t SET secret = %s WHERE id %% 100 <> 0",
                 self.ring.seal(b"x"))
        self.sql("VACUUM ANALYZE t")
        self.assertPlanned("lock and write")

    def test_three_rows_a_page(self):
        for cost in (4, 1.1):
            with self.subTest(cost=cost):
                self.settings(f"random_page_cost = {cost}")
                self.fill(9000, pad=2300)
                self.assertPlanned()

    def test_large_values(self):
        self.fill(300, size=65_536)
        self.assertPlanned("lock and write")

    def test_a_primary_key_and_an_index_on_the_values(self):
        self.fill(6000, create="CREATE TABLE t (id int PRIMARY KEY,"
                               " secret {}, pad text)")
        self.sql("CREATE INDEX ON t (md5(secret))")
        self.assertPlanned()

    def test_an_index_that_promises_few_rows_does_not_spoil_their_order(self):
        """Its order is that of random ids, and not that of the pages."""
        filters = ("NOT starts_with(secret COLLATE \"C\","
                   " 'enc:fernet:k2025:')")
        self.settings("random_page_cost = 1.1")
        self.sql("CREATE TABLE t (id uuid PRIMARY KEY DEFAULT"
                 " gen_random_uuid(), secret text)")
        zoo.copy_rows(self.admin, "t", ("secret",), (
            (self.ring.seal(b"x", "k2023" if i < 12 else "k2025"),)
            for i in range(20_000)))
        self.sql(f"CREATE INDEX todo ON t (id) WHERE {filters}")
        self.sql("ANALYZE t")
        self.tool.configure(rotate={"workers": 1}, t={"columns": "secret"})
        self.sql("SET random_page_cost = 1.1")
        plan = str(self.sql("EXPLAIN SELECT ctid FROM t WHERE ctid >="
                            " '(0,0)'::tid AND ctid < '(64,0)'::tid AND "
                            + filters))
        self.assertIn("Index Scan using todo", plan, "no hazard")
        self.assertExit(0, self.tool.rotate())
        self.assertEqual(set(self.labels("t", "secret")), {"k2025"})

    def test_partitions(self):
        self.fill(10)
        self.sql("DROP TABLE t")
        self.sql("CREATE TABLE t (id int, secret text, pad text)"
                 " PARTITION BY HASH (id)")
        for part in (0, 1):
            self.sql(f"CREATE TABLE t{part} PARTITION OF t FOR VALUES"
                     f" WITH (MODULUS 2, REMAINDER {part})")
        self.sql("INSERT INTO t SELECT i, %s FROM generate_series(1, 10000)"
                 " AS i", self.ring.seal(b"x", "k2023", zoo.THEN))
        self.assertPlanned()


class Settings(Base):
    ODD = ("enable_hashjoin = off", "enable_mergejoin = off",
           "enable_nestloop = off", "enable_seqscan = off",
           "enable_tidscan = off", "enable_indexscan = off",
           "enable_material = off", "enable_sort = off",
           "plan_cache_mode = force_generic_plan", "work_mem = '64kB'",
           "cpu_tuple_cost = 1", "seq_page_cost = 10",
           "jit_above_cost = 0", "geqo_threshold = 2",
           "from_collapse_limit = 1", "join_collapse_limit = 1",
           "default_statistics_target = 1")
    # With these an ordinary join looks up each row by itself.
    POOR = ("seq_page_cost = 100", "random_page_cost = 1")

    def test_no_single_setting_of_a_database_spoils_a_plan(self):
        for setting in self.ODD:
            with self.subTest(setting):
                self.settings(setting)
                self.fill(6000)
                self.assertPlanned()

    def test_no_costs_make_it_look_up_each_row_by_itself(self):
        self.settings(*self.POOR)
        self.fill(50_000)  # in a small one the window is cheap, too
        cursor = self.connect().cursor()
        cursor.execute(
            "EXPLAIN UPDATE t SET secret = s.secret FROM unnest("
            "'{\"(0,1)\"}'::tid[], '{x}'::text[]) AS s(tid, secret)"
            " WHERE t.ctid = s.tid")
        self.assertIn("Tid Scan", str(cursor.fetchall()), "no hazard")
        self.assertPlanned()

    def test_no_setting_is_touched_that_triggers_would_see(self):
        self.settings(*self.POOR)
        self.fill(6000)
        self.sql("CREATE TABLE seen (setting text)")
        self.sql("CREATE FUNCTION look() RETURNS trigger LANGUAGE plpgsql AS"
                 " $$BEGIN INSERT INTO public.seen SELECT name || setting"
                 " FROM pg_settings WHERE name ~ '^enable_|^plan_cache' AND"
                 " setting <> boot_val; RETURN NEW; END$$")
        self.sql("CREATE TRIGGER look BEFORE UPDATE ON t"
                 " FOR EACH ROW EXECUTE FUNCTION look()")
        self.assertExit(0, self.tool.rotate())
        self.assertEqual(self.sql("SELECT DISTINCT setting FROM seen"), [])


class Kept(Base):
    """The server parses the write of a leaf once, and plans it a few times."""

    def watch(self, *tables):
        """What a session has prepared, as its own triggers see it."""
        self.sql("CREATE TABLE kept (statements bigint, own bigint,"
                 " shared bigint)")
        self.sql("CREATE FUNCTION look() RETURNS trigger LANGUAGE plpgsql AS"
                 " $$BEGIN INSERT INTO public.kept SELECT count(*),"
                 " sum(custom_plans), sum(generic_plans)"
                 " FROM pg_prepared_statements; RETURN NULL; END$$")
        for table in tables:
            self.sql(f"CREATE TRIGGER look AFTER UPDATE ON {table}"
                     " FOR EACH STATEMENT EXECUTE FUNCTION look()")

    def test_one_plan_serves_all_windows(self):
        self.fill(50_000)
        self.watch("t")
        self.assertExit(0, self.tool.rotate())
        [(batches, own, shared)] = self.sql(
            "SELECT count(*), max(own), max(shared) FROM kept")
        self.assertGreater(batches, 60)
        self.assertLessEqual(own, 5)
        self.assertGreater(shared, batches / 2)

    def test_a_session_keeps_one_statement_whatever_it_writes(self):
        self.fill(10)
        self.sql("DROP TABLE t")
        self.sql("CREATE TABLE t (id int, secret text)"
                 " PARTITION BY HASH (id)")
        parts = [f"t{part}" for part in range(5)]
        for part in range(5):
            self.sql(f"CREATE TABLE t{part} PARTITION OF t FOR VALUES"
                     f" WITH (MODULUS 5, REMAINDER {part})")
        self.watch(*parts)
        self.sql("INSERT INTO t SELECT i, %s FROM generate_series(1, 5000)"
                 " AS i", self.ring.seal(b"x", "k2023", zoo.THEN))
        self.assertExit(0, self.tool.rotate())
        self.assertEqual(set(self.labels("t", "secret")), {"k2025"})
        self.assertEqual(self.value("SELECT max(statements) FROM kept"), 1)

    def test_a_trigger_that_drops_what_is_kept_costs_time_only(self):
        self.fill(1000)
        self.sql("CREATE FUNCTION drop() RETURNS trigger LANGUAGE plpgsql AS"
                 " $$BEGIN EXECUTE 'DEALLOCATE ALL'; RETURN NULL; END$$")
        self.sql("CREATE TRIGGER drop AFTER UPDATE ON t"
                 " FOR EACH STATEMENT EXECUTE FUNCTION drop()")
        result = self.tool.rotate()
        self.assertExit(0, result)
        self.assertIn("26000", result.err, "no hazard")
        self.assertEqual(set(self.labels("t", "secret")), {"k2025"})


class Claims(Base):
    """How many chunks a worker looks at to find the next."""
    DONE = 20_000
    CLAIM = "free AS (SELECT c.leaf, c.no"

    def among_done_ones(self, analyze):
        """Each pass has that many more chunks, in front, which are done."""
        self.assertExit(0, self.tool.run("init"))
        self.sql("CREATE TABLE seen (done bigint)")
        self.sql("CREATE FUNCTION crowd() RETURNS trigger LANGUAGE plpgsql AS"
                 " $$BEGIN IF pg_trigger_depth() = 1 AND"
                 " EXISTS (SELECT FROM new) THEN"
                 " INSERT INTO pgrekey.chunk (run_id, leaf, no, lo, hi, pos,"
                 " state, rewritten, nested, mislabelled, late, moved,"
                 " conflict, deferred) SELECT c.run_id, c.leaf, -i, 0, 0, 0, 'done',"
                 " z, z, z, z, z, z, z FROM (SELECT DISTINCT run_id, leaf FROM"
                 " new) AS c CROSS JOIN generate_series(1, %s) AS i CROSS JOIN"
                 " array_fill(0::bigint, ARRAY[1]) AS z;"
                 f" {'ANALYZE pgrekey.chunk;' if analyze else ''}"
                 " INSERT INTO public.seen SELECT count(*) FROM pgrekey.chunk"
                 " WHERE state = 'done';"
                 " END IF; RETURN NULL; END$$" % self.DONE)
        self.sql("CREATE TRIGGER crowd AFTER INSERT ON pgrekey.chunk"
                 " REFERENCING NEW TABLE AS new"
                 " FOR EACH STATEMENT EXECUTE FUNCTION crowd()")

    def looked_at(self, plan):
        """Chunks, by all scans of a claim."""
        return sum(
            node["Actual Loops"] * (
                node["Actual Rows"] + node.get("Rows Removed by Filter", 0)
                + node.get("Rows Removed by Index Recheck", 0))
            for node, _ in nodes(plan)
            if node.get("Relation Name") == "chunk"
            and node["Node Type"] != "ModifyTable")

    def test_a_claim_does_not_walk_over_what_is_done(self):
        for analyze in (False, True):
            with self.subTest(analyze=analyze):
                self.sql("DROP SCHEMA IF EXISTS pgrekey CASCADE;"
                         " DROP FUNCTION IF EXISTS crowd;"
                         " DROP TABLE IF EXISTS seen")
                self.fill(6000, pad=500)
                self.tool.configure(
                    rotate={"workers": 1, "chunk_bytes": "1MiB"},
                    t={"columns": "secret"})
                self.among_done_ones(analyze)
                claims = [plan for query, plan in self.explained()[1]
                          if self.CLAIM in query]
                self.assertGreaterEqual(
                    self.value("SELECT min(done) FROM seen"), self.DONE)
                found = [plan for plan in claims if plan["Actual Rows"]]
                self.assertGreater(len(found), 3)
                for plan in claims:
                    self.assertLess(self.looked_at(plan), 100, plan)


if __name__ == "__main__":
    unittest.main()
