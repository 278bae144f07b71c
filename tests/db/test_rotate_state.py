"""The state schema, who may make it, and runs that meet each other."""
import re
import signal
import sys
import tempfile
import time
import unittest
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from lib import zoo  # noqa: E402
from lib.pgrekey import Tool, scaled  # noqa: E402
from lib.scene import Scene  # noqa: E402

GATE = 4711  # an advisory lock


def setUpModule():
    Scene.open()


class Base(Scene):
    ROWS = 200

    def setUp(self):
        super().setUp()
        self.sql("CREATE TABLE t (id int PRIMARY KEY, secret text, note text)")
        zoo.copy_rows(self.admin, "t", ("id", "secret"), (
            (i, self.ring.seal(zoo.plain(str(i)), ("k2023", "k2024")[i % 2],
                               zoo.THEN + i)) for i in range(self.ROWS)))
        self.tool.configure(t={"columns": "secret"})

    def look(self):
        return self.snapshot("t", "secret")

    def schema(self, name="pgrekey"):
        return self.value("SELECT count(*) FROM pg_namespace"
                          " WHERE nspname = %s", name)


class Schema(Base):
    def test_it_is_created_when_that_is_allowed(self):
        self.role(f"CREATE ON DATABASE {self.database}",
                  "SELECT, UPDATE ON t")
        self.assertExit(0, self.tool.rotate())
        self.assertEqual(self.schema(), 1)

    def test_it_has_the_name_that_was_asked_for(self):
        self.tool.configure(rotate={"state_schema": "re_key"},
                            t={"columns": "secret"})
        self.assertExit(0, self.tool.rotate())
        self.assertEqual((self.schema(), self.schema("re_key")), (0, 1))

    def heeds(self, first):
        """Exit 4 with SQL on standard error that begins so; with it, the
        rotation works."""
        before = self.look()
        result = self.tool.rotate()
        self.assertExit(4, result)
        self.assertUntouched(before, self.look())
        self.assertIn(first, result.err)
        script = result.err[result.err.index(first):]
        script = script[:script.rindex(";") + 1]
        self.cluster.psql(self.database, script)
        self.assertExit(0, self.tool.rotate())
        self.assertRight(before, self.look())

    def test_exit_4_says_the_sql_that_makes_it_and_the_sql_works(self):
        self.role("SELECT, UPDATE ON t")
        self.heeds("CREATE SCHEMA")

    def test_exit_4_says_the_grants_on_it_that_are_missing(self):
        self.assertExit(0, self.tool.run("init"))
        self.role("SELECT, UPDATE ON t")
        self.heeds('GRANT USAGE ON SCHEMA "pgrekey"')

    def test_quiet_leaves_the_sql_to_init(self):
        self.role("SELECT, UPDATE ON t")
        result = self.tool.run("rotate", "--quiet")
        self.assertExit(4, result)
        self.assertEqual(result.out, "")
        self.assertRegex(
            result.err, r"\Apgrekey: [^\n]*state schema[^\n]*\n"
            r"hint: [^\n]*`pgrekey init --print`[^\n]*\n\Z")

    def test_a_table_of_such_a_name_is_not_taken_for_it(self):
        self.role(f"CREATE ON DATABASE {self.database}")
        self.sql('CREATE TABLE "state schema" (id int, secret text)')
        self.tool.configure(t={"name": '"state schema"', "columns": "secret"})
        result = self.tool.rotate()
        self.assertExit(4, result)
        self.assertIn("state schema", result.err)
        self.assertNotIn("CREATE SCHEMA", result.err)

    def test_init_makes_it_and_may_be_repeated(self):
        for _ in range(2):
            self.assertExit(0, self.tool.run("init"))
            self.assertEqual(self.schema(), 1)
        self.assertExit(0, self.tool.rotate())

    def test_init_print_pipes_into_psql_for_a_least_privilege_role(self):
        self.role()
        before = self.look()
        printed = self.tool.run("init", "--print")
        self.assertExit(0, printed)
        self.assertEqual(self.schema(), 0)
        self.cluster.psql(self.database, printed.out)
        result = self.tool.rotate()
        self.assertExit(0, result)
        self.assertRight(before, self.look())

    def test_the_least_privilege_role_may_update_nothing_else(self):
        role = self.role()
        self.cluster.psql(self.database, self.tool.run("init", "--print").out)
        for privilege, column, wanted in (
                ("UPDATE", "secret", True), ("SELECT", "secret", True),
                ("UPDATE", "note", False), ("UPDATE", "id", False)):
            self.assertEqual(
                self.value("SELECT has_column_privilege(%s, 't', %s, %s)",
                           role, column, privilege), wanted, column)
        self.assertFalse(self.value(
            "SELECT has_database_privilege(%s, current_database(), 'CREATE')",
            role))

    def test_a_newer_schema_is_refused(self):
        self.assertExit(0, self.tool.rotate())
        tables = [name for name, in self.sql(
            "SELECT attrelid::regclass::text FROM pg_attribute"
            " JOIN pg_class c ON c.oid = attrelid"
            " WHERE relnamespace = 'pgrekey'::regnamespace"
            " AND relkind = 'r' AND attname = 'version'")]
        self.assertEqual(len(tables), 1, "where is the version?")
        self.sql(f"UPDATE {tables[0]} SET version = version + 1")
        self.assertExit(4, self.tool.rotate())


class Privileges(Base):
    def test_missing_select_is_exit_4_and_names_the_grant(self):
        self.role(f"CREATE ON DATABASE {self.database}")
        result = self.tool.rotate()
        self.assertExit(4, result)
        self.assertRegex(result.err, r"(?i)grant .*select")

    def test_missing_update_is_exit_4_and_names_the_grant(self):
        role = self.role(f"CREATE ON DATABASE {self.database}",
                         "SELECT ON t")
        result = self.tool.rotate()
        self.assertExit(4, result)
        grant = re.search(r"(?i)grant [^;\n]*", result.err)
        self.assertIsNotNone(grant, result.err)
        self.assertIn("UPDATE", grant[0].upper())
        self.assertIn(role, grant[0])
        self.sql(grant[0])
        self.assertExit(0, self.tool.rotate())

    def test_update_of_one_column_is_enough(self):
        self.role(f"CREATE ON DATABASE {self.database}",
                  "SELECT ON t", "UPDATE (secret) ON t")
        before = self.look()
        self.assertExit(0, self.tool.rotate())
        self.assertRight(before, self.look())

    def test_missing_usage_of_the_schema_is_exit_4(self):
        self.sql("CREATE SCHEMA closed")
        self.sql("ALTER TABLE t SET SCHEMA closed")
        self.role(f"CREATE ON DATABASE {self.database}",
                  "SELECT, UPDATE ON closed.t")
        self.tool.configure(t={"name": "closed.t", "columns": "secret"})
        result = self.tool.rotate()
        self.assertExit(4, result)
        self.assertRegex(result.err, r"(?i)grant usage")

    def test_a_database_that_is_read_only_is_exit_4(self):
        self.sql(f"ALTER DATABASE {self.database}"
                 " SET default_transaction_read_only = on")
        before = self.look()
        result = self.tool.rotate()
        self.assertExit(4, result)
        self.assertIn("read-only", result.err.lower())
        self.assertUntouched(before, self.look())

    def test_a_standby_is_exit_4(self):
        standby = self.cluster.standby()
        self.addCleanup(standby.close)
        self.tool.cluster = standby
        result = self.tool.rotate()
        self.assertExit(4, result)
        self.assertRegex(result.err.lower(), "read-only|standby|recovery")

    def test_no_server_and_no_database_are_exit_4(self):
        self.tool.database = "nowhere"
        self.assertExit(4, self.tool.rotate())
        self.tool.database = self.database
        self.tool.user = "nobody_at_all"
        self.assertExit(4, self.tool.rotate())

    def test_settings_of_the_role_have_no_effect(self):
        role = self.role(f"CREATE ON DATABASE {self.database}",
                         "SELECT, UPDATE ON t")
        for setting in ("default_transaction_isolation = 'serializable'",
                        "search_path = nowhere", "bytea_output = 'escape'",
                        "datestyle = 'German'", "client_encoding = 'LATIN1'",
                        "standard_conforming_strings = off",
                        "intervalstyle = 'sql_standard'",
                        "extra_float_digits = -5", "timezone = 'Asia/Tokyo'",
                        "default_transaction_deferrable = on"):
            self.sql(f"ALTER ROLE {role} SET {setting}")
        before = self.look()
        self.assertExit(0, self.tool.rotate())
        self.assertRight(before, self.look())


class Keys(Base):
    def test_a_missing_primary_is_exit_3(self):
        self.tool.configure(keys={"primary": "k2099"}, t={"columns": "secret"})
        result = self.tool.rotate()
        self.assertExit(3, result)
        self.assertIn("k2099", result.err)

    def test_the_same_id_with_another_key_is_refused(self):
        """Half of the values are sealed under the first one by then."""
        self.assertExit(0, self.tool.rotate())
        self.sql("INSERT INTO t VALUES (%s, %s)", self.ROWS,
                 self.ring.seal(zoo.plain("more"), "k2023", zoo.THEN))
        before = self.look()
        others = dict(self.ring.keys)
        del others["k2025"]
        ring = type(self.ring)(others, "k2023").with_primary("k2025")
        self.assertNotEqual(ring.keys["k2025"], self.ring.keys["k2025"])
        self.tool.set_ring(ring)
        self.assertExit(3, self.tool.rotate())
        self.assertUntouched(before, self.look())


class Meetings(Base):
    ROWS = scaled(20_000, 2000)

    def setUp(self):
        super().setUp()
        self.slow = {"batch_rows": 50, "chunk_bytes": "1MiB", "workers": 1}
        self.tool.configure(rotate=self.slow, t={"columns": "secret"})

    def done(self):
        return self.value("SELECT count(*) FROM t WHERE"
                          " starts_with(secret, 'enc:fernet:k2025:')")

    def begun(self, least=1):
        """A run that has written something, and is not at the end."""
        run = self.start()
        self.until(lambda: self.done() >= least or not run.running(),
                   "the run begins to write")
        return run

    def test_two_processes_share_one_run_and_both_end_0(self):
        before = self.look()
        runs = [self.begun()]
        runs[0].send(signal.SIGSTOP)  # or it may be over by itself
        runs.append(self.start())
        self.until(lambda: self.value("SELECT count(DISTINCT os_pid)"
                                      " FROM pgrekey.worker") == 2,
                   "the second one joins")
        runs[0].send(signal.SIGCONT)
        results = [run.finish() for run in runs]
        for result in results:
            self.assertExit(0, result)
        self.assertRight(before, self.look())
        self.assertEqual(results[0].report["run"], results[1].report["run"])

    def test_no_join_is_exit_5_while_another_works(self):
        run = self.begun()
        run.send(signal.SIGSTOP)
        result = self.tool.rotate("--no-join")
        run.send(signal.SIGCONT)
        self.assertExit(5, result)
        self.assertExit(0, run.finish())

    def test_another_primary_is_exit_2_while_a_run_is_alive(self):
        before = self.look()
        run = self.begun()
        run.send(signal.SIGSTOP)
        self.assertLess(self.done(), self.ROWS, "the run was too fast")
        self.tool.set_ring(self.ring.with_primary("k2026"))
        result = self.tool.rotate()
        run.send(signal.SIGCONT)
        self.assertExit(2, result)
        self.assertIn("k2025", result.err)
        self.assertExit(0, run.finish())
        self.assertRight(before, self.look())

    def at_once(self, tools, *arguments):
        """The exit statuses of runs that start in the same moment, none of
        which can be over before all have begun."""
        with self.connect(autocommit=False) as other:
            other.cursor().execute("SELECT FROM t WHERE id = 7 FOR UPDATE")
            runs = [tool.start_rotate(*arguments) for tool in tools]
            for run in runs:
                self.addCleanup(lambda run=run: run.running() and run.kill())
            self.until(lambda: sum(run.running() for run in runs) <= 1,
                       "one is left")
            other.rollback()
        return sorted(run.finish().status for run in runs)

    def test_of_those_that_start_at_once_one_works_and_no_other_joins(self):
        before = self.look()
        self.assertEqual(self.at_once([self.tool] * 4, "--no-join"),
                         [0, 5, 5, 5])
        self.assertRight(before, self.look())

    def test_of_two_primaries_that_start_at_once_one_is_refused(self):
        """Whoever comes first: the other one does not take its run away."""
        ring = self.ring.with_primary("k2026").with_primary("k2027")
        tools = []
        for primary in ("k2026", "k2027"):
            folder = tempfile.TemporaryDirectory()
            self.addCleanup(folder.cleanup)
            tools.append(Tool(self.cluster, self.database,
                              ring.with_primary(primary), folder.name))
            tools[-1].configure(t={"columns": "secret"})
        self.assertEqual(self.at_once(tools), [0, 2])
        self.assertEqual(self.value("SELECT count(*) FROM pgrekey.run"), 1)

    def test_who_joins_and_who_ends_a_pass_wait_for_one_another(self):
        """And never both: here the one that ends a pass stands still in the
        middle of that until the other one waits."""
        self.assertExit(0, self.tool.run("init"))
        self.sql("CREATE FUNCTION gate() RETURNS trigger LANGUAGE plpgsql AS"
                 f" 'BEGIN PERFORM pg_advisory_xact_lock_shared({GATE});"
                 " RETURN NULL; END'; CREATE TRIGGER gate AFTER UPDATE ON"
                 " pgrekey.leaf FOR EACH ROW WHEN (OLD.state = 'walking')"
                 " EXECUTE FUNCTION gate()")
        keeper = self.connect()
        keeper.cursor().execute(f"SELECT pg_advisory_lock({GATE})")
        start = self.cluster.log.stat().st_size
        runs = []
        for lock in "= 'advisory'", "<> 'advisory'":
            runs.append(self.start())
            self.until(lambda: self.value(
                "SELECT count(*) > 0 FROM pg_locks WHERE NOT granted AND"
                f" locktype {lock}"), f"one waits, {lock}")
        keeper.close()
        for run in runs:
            self.assertExit(0, run.finish())
        self.assertNotIn("deadlock detected",
                         self.cluster.log.read_text()[start:])

    def test_a_connection_lost_while_it_opens_the_run_is_made_anew(self):
        self.assertExit(0, self.tool.run("init"))
        with self.connect(autocommit=False) as other:
            other.cursor().execute("LOCK TABLE pgrekey.run IN SHARE MODE")
            run = self.start()
            waiting, = self.until(lambda: self.sql(
                "SELECT pid FROM pg_locks WHERE NOT granted"), "it waits")[0]
            self.assertTrue(
                self.value("SELECT pg_terminate_backend(%s)", waiting))
            other.rollback()
        self.assertExit(0, run.finish())

    def test_another_primary_supersedes_a_dead_run(self):
        before = self.look()
        run = self.begun()
        run.kill()
        self.assertLess(self.done(), self.ROWS, "the run was too fast")
        self.ring = self.ring.with_primary("k2026")
        self.tool.set_ring(self.ring)
        result = self.tool.rotate()
        self.assertExit(0, result)
        self.assertRegex(result.err, "warning: run 1 to 'k2025' .*superseded")
        self.assertRight(before, self.look())

    def test_after_kill_9_the_same_command_resumes_at_once(self):
        before = self.look()
        run = self.begun()
        run.kill()
        done = self.done()
        self.assertLess(done, self.ROWS, "the run was too fast")
        began = time.monotonic()
        result = self.tool.rotate()
        self.assertExit(0, result)
        self.assertLess(time.monotonic() - began, 30, "it waited for a lease")
        self.assertRight(before, self.look())

    def test_no_two_passes_hold_a_chunk_under_the_same_epoch(self):
        """Or a worker that slept over the end of a pass would hold what is
        somebody else's by now."""
        self.assertExit(0, self.tool.run("init"))
        self.sql("CREATE TABLE held (no bigint, epoch bigint)")
        self.sql("CREATE FUNCTION held() RETURNS trigger LANGUAGE plpgsql AS"
                 " 'BEGIN INSERT INTO public.held VALUES (NEW.no, NEW.epoch);"
                 " RETURN NULL; END'")
        self.sql("CREATE TRIGGER held AFTER UPDATE ON pgrekey.chunk FOR EACH"
                 " ROW WHEN (OLD.epoch <> NEW.epoch) EXECUTE FUNCTION held()")
        other = self.connect(autocommit=False)
        other.cursor().execute("SELECT FROM t WHERE id = 7 FOR UPDATE")
        run = self.start()
        self.until(lambda: self.value(
            "SELECT coalesce(max(pass), 0) > 2 FROM pgrekey.leaf"),
            "a few passes")
        other.rollback()
        self.assertExit(0, run.finish())
        self.assertGreater(self.value("SELECT count(*) FROM held"), 2)
        self.assertEqual(self.value(
            "SELECT count(*) - count(DISTINCT (no, epoch)) FROM held"), 0)

    def test_deleted_state_costs_time_and_no_row(self):
        before = self.look()
        run = self.begun()
        run.kill()
        self.sql("DROP SCHEMA pgrekey CASCADE")
        self.assertExit(0, self.tool.rotate())
        self.assertRight(before, self.look())

    def test_a_table_vacuumed_full_in_between_costs_time_and_no_row(self):
        before = self.look()
        run = self.begun()
        run.kill()
        self.sql("DELETE FROM t WHERE id % 3 = 0")
        self.sql("VACUUM FULL t")
        self.assertExit(0, self.tool.rotate())
        kept = {name: row for name, row in before.rows.items()
                if int(name) % 3}
        before.rows = kept
        self.assertRight(before, self.look())


if __name__ == "__main__":
    unittest.main()
