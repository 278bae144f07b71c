"""Triggers, constraints and policies that stand between rotate and a row."""
import sys
import time
import unittest
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from lib import zoo  # noqa: E402
from lib.scene import Scene  # noqa: E402


def setUpModule():
    Scene.open()


class Base(Scene):
    ROWS = 60

    def setUp(self):
        super().setUp()
        self.sql("CREATE TABLE t (id int PRIMARY KEY, secret text,"
                 " updated_at timestamptz)")
        self.fill()
        self.tool.configure(t={"columns": "secret"})

    def fill(self):
        for i in range(self.ROWS):
            key = ("k2023", "k2024")[i % 2]
            self.sql("INSERT INTO t VALUES (%s, %s)", i,
                     self.ring.seal(zoo.plain(str(i)), key, zoo.THEN + i))

    def look(self):
        return self.snapshot("t", "secret")

    def trigger(self, body, when="BEFORE", name="meddler"):
        self.sql(f"CREATE FUNCTION {name}() RETURNS trigger LANGUAGE plpgsql"
                 f" AS $${body}$$")
        self.sql(f"CREATE TRIGGER {name} {when} UPDATE ON t"
                 f" FOR EACH ROW EXECUTE FUNCTION {name}()")

    def kept(self, *rows):
        return {(str(row), "secret") for row in rows}

    def listed(self, result):
        return sorted(int(finding["row"]["id"])
                      for finding in result.findings)

    def detected(self, *rows):
        """The rows are left as they were and reported; all others rotate;
        nothing is claimed that is not so."""
        before = self.look()
        result = self.tool.rotate()
        self.assertExit(1, result)
        self.assertRight(before, self.look(), self.kept(*rows))
        self.assertEqual(self.listed(result), sorted(rows))
        column = result.column("secret")
        self.assertEqual(column["rewritten"], self.ROWS - len(rows))
        self.assertEqual(column["verdicts"].get("old", 0), len(rows))
        return result


class Deferred(Base):
    ROWS = 16

    def test_a_deferred_trigger_holds_locks_no_longer_than_another(self):
        """COMMIT has no time limit."""
        self.sql("CREATE TABLE took (s float)")
        self.sql("CREATE FUNCTION slow() RETURNS trigger LANGUAGE plpgsql AS"
                 " $$BEGIN PERFORM pg_sleep(0.25); INSERT INTO public.took"
                 " VALUES (extract(epoch FROM clock_timestamp() - now()));"
                 " RETURN NULL; END$$")
        self.sql("CREATE CONSTRAINT TRIGGER slow AFTER UPDATE ON t DEFERRABLE"
                 " INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION slow()")
        self.assertExit(0, self.tool.rotate())
        self.assertEqual(self.value("SELECT count(*) FROM took"), self.ROWS)
        self.assertLess(self.value("SELECT max(s) FROM took"), 2)


class Elsewhere(Base):
    """A trigger that needs a lock which somebody keeps for a while."""

    ROWS = 5

    def setUp(self):
        super().setUp()
        self.sql("CREATE TABLE counter AS SELECT 0 AS n")
        self.trigger("BEGIN UPDATE public.counter SET n = n + 1;"
                     " RETURN NEW; END", "AFTER")
        self.holder = self.connect(autocommit=False)
        self.holder.cursor().execute("UPDATE counter SET n = 0")
        self.run_ = self.start("--quiet")

    def until_deferred(self):
        self.until(
            lambda: self.value("SELECT to_regclass('pgrekey.leaf') IS NOT"
                               " NULL")
            and self.value("SELECT coalesce(max(fruitless), 0) > 0"
                           " FROM pgrekey.leaf"), "a pass was in vain")

    def test_it_is_waited_for_and_no_trigger_is_blamed(self):
        self.until_deferred()
        time.sleep(1)
        self.assertTrue(self.run_.running())
        self.holder.rollback()
        result = self.run_.finish()
        self.assertExit(0, result)
        self.assertEqual(result.findings, [])
        self.assertEqual(result.sum("rewritten"), self.ROWS)

    def test_nobody_waits_for_the_rows_meanwhile(self):
        longest = 0
        visitor = self.connect()
        end = time.monotonic() + 3
        while time.monotonic() < end:
            began = time.monotonic()
            visitor.cursor().execute("SELECT 1 FROM t FOR UPDATE")
            longest = max(longest, time.monotonic() - began)
        self.holder.rollback()
        self.assertExit(0, self.run_.finish())
        self.assertLess(longest, 0.7)


class SomeRows(Base):
    BAD = (3, 17, 18, 59)
    CONDITION = "IF NEW.id IN (3, 17, 18, 59) THEN {} END IF; RETURN NEW;"

    def test_a_trigger_that_changes_the_value(self):
        self.trigger("BEGIN " + self.CONDITION.format(
            "NEW.secret := upper(NEW.secret);") + "END")
        self.detected(*self.BAD)

    def test_a_trigger_that_appends_a_blank_to_the_value(self):
        self.trigger("BEGIN " + self.CONDITION.format(
            "NEW.secret := NEW.secret || ' ';") + "END")
        self.detected(*self.BAD)

    def test_a_trigger_that_nulls_the_value(self):
        self.trigger("BEGIN " + self.CONDITION.format(
            "NEW.secret := NULL;") + "END")
        self.detected(*self.BAD)

    def test_a_trigger_that_returns_old(self):
        self.trigger("BEGIN " + self.CONDITION.format("RETURN OLD;") + "END")
        self.detected(*self.BAD)

    def test_a_trigger_that_returns_null(self):
        self.trigger("BEGIN " + self.CONDITION.format("RETURN NULL;") + "END")
        self.detected(*self.BAD)

    def test_a_trigger_that_raises(self):
        self.trigger("BEGIN " + self.CONDITION.format(
            f"RAISE EXCEPTION '{zoo.CANARY}';") + "END")
        self.detected(*self.BAD)

    def test_a_trigger_that_raises_what_only_it_knows(self):
        self.trigger("BEGIN " + self.CONDITION.format(
            "RAISE EXCEPTION 'no' USING ERRCODE = '45000';") + "END")
        self.detected(*self.BAD)

    def test_a_trigger_that_is_not_clear_about_a_row(self):
        self.trigger("BEGIN IF NEW.id = 3 THEN NEW.updated_at = (SELECT now()"
                     " FROM generate_series(1, 2)); END IF; RETURN NEW; END")
        self.detected(3)

    def test_an_after_trigger_that_raises(self):
        self.trigger("BEGIN " + self.CONDITION.format(
            "RAISE EXCEPTION 'no' USING ERRCODE = '22000';") + "END", "AFTER")
        self.detected(*self.BAD)

    def test_a_trigger_that_refuses_rows_as_if_for_all_of_them(self):
        """In the words of what ends a run when nobody has the privilege, the
        function or the object."""
        for code in ("42501", "42883", "0A000", "55000", "XX000"):
            with self.subTest(code=code):
                self.sql("DROP FUNCTION IF EXISTS meddler CASCADE")
                self.sql("TRUNCATE t")
                self.fill()
                self.trigger("BEGIN " + self.CONDITION.format(
                    f"RAISE EXCEPTION 'no' USING ERRCODE = '{code}';")
                    + "END")
                self.detected(*self.BAD)

    def test_a_check_constraint_that_refuses_the_new_value(self):
        self.sql("ALTER TABLE t ADD CHECK (id NOT IN (3, 17, 18, 59)"
                 " OR NOT starts_with(secret, 'enc:fernet:k2025'))")
        self.detected(*self.BAD)

    def test_a_trigger_that_writes_the_same_row_itself(self):
        self.trigger(
            "BEGIN IF pg_trigger_depth() > 1 THEN RETURN NEW; END IF; "
            + self.CONDITION.format("UPDATE t SET updated_at = now()"
                                    " WHERE id = NEW.id;") + "END")
        before = self.look()
        result = self.tool.rotate()
        self.assertExit(1, result)
        self.assertRight(before, self.look(), self.kept(*self.BAD))


class AllRows(Base):
    def test_a_trigger_that_undoes_everything_ends_and_claims_nothing(self):
        self.trigger("BEGIN RETURN OLD; END")
        self.detected(*range(self.ROWS))

    def test_a_trigger_that_refuses_everything_ends_and_claims_nothing(self):
        self.trigger("BEGIN RAISE EXCEPTION 'never'; END")
        self.detected(*range(self.ROWS))

    def test_an_after_trigger_that_puts_the_old_value_back(self):
        self.sql("CREATE TABLE history AS SELECT id, secret FROM t")
        self.trigger(
            "BEGIN IF pg_trigger_depth() = 1 THEN UPDATE t SET secret ="
            " (SELECT secret FROM history WHERE id = NEW.id)"
            " WHERE id = NEW.id; END IF; RETURN NULL; END", "AFTER")
        before = self.look()
        result = self.tool.rotate()
        self.assertExit(1, result)
        self.assertRight(before, self.look(), self.kept(*range(self.ROWS)))
        self.assertEqual(
            result.column("secret")["verdicts"].get("old"), self.ROWS)


class Rights(Base):
    HINT = ("hint: a trigger runs with the rights of this role; the server's "
            "log says which one it lacks")

    def setUp(self):
        super().setUp()
        self.audit("t")
        self.role(f"CREATE ON DATABASE {self.database}",
                  "SELECT, UPDATE ON t")

    def test_a_trigger_that_lacks_a_right_is_told_from_the_table(self):
        before = self.look()
        for arguments in (("--dry-run",), ()):
            result = self.tool.rotate(*arguments)
            self.assertExit(4, result)
            self.assertIn("trial write to public.t", result.err)
            self.assertIn(self.HINT, result.err)
        self.assertIn("permission denied for table audit",
                      self.cluster.server_log())
        self.assertUntouched(before, self.look())
        self.sql(f"GRANT INSERT ON audit TO {self.tool.user}")
        self.assertExit(0, self.tool.rotate())


class Harmless(Base):
    def test_a_trigger_that_keeps_updated_at_works(self):
        self.trigger("BEGIN NEW.updated_at := now(); RETURN NEW; END")
        before = self.look()
        self.assertExit(0, self.tool.rotate())
        after = self.look()
        for name, row in before.rows.items():
            self.assertNotEqual(row.rest, after.rows[name].rest)
        self.sql("DROP TRIGGER meddler ON t")
        self.sql("UPDATE t SET updated_at = NULL")
        self.assertRight(before, self.look())

    def test_triggers_that_find_their_tables_by_search_path_work(self):
        self.sql("CREATE TABLE audit (id int)")
        self.trigger("BEGIN INSERT INTO audit VALUES (NEW.id);"
                     " RETURN NULL; END", "AFTER")
        before = self.look()
        self.assertExit(0, self.tool.rotate())
        self.assertRight(before, self.look())
        self.assertEqual(self.value("SELECT count(*) FROM audit"), self.ROWS)

    def test_a_disabled_trigger_is_no_trouble(self):
        self.trigger("BEGIN RAISE EXCEPTION 'never'; END")
        self.sql("ALTER TABLE t DISABLE TRIGGER meddler")
        before = self.look()
        self.assertExit(0, self.tool.rotate())
        self.assertRight(before, self.look())

    def test_a_trigger_on_one_partition_alone_is_seen(self):
        self.sql("CREATE TABLE p (id int, secret text) PARTITION BY RANGE(id)")
        self.sql("CREATE TABLE p1 PARTITION OF p FOR VALUES FROM (0) TO (30)")
        self.sql("CREATE TABLE p2 PARTITION OF p FOR VALUES FROM (30) TO (60)")
        self.sql("INSERT INTO p SELECT id, secret FROM t")
        self.sql("CREATE FUNCTION undo() RETURNS trigger LANGUAGE plpgsql"
                 " AS 'BEGIN RETURN OLD; END'")
        self.sql("CREATE TRIGGER undo BEFORE UPDATE ON p2"
                 " FOR EACH ROW EXECUTE FUNCTION undo()")
        self.tool.configure(p={"columns": "secret"})
        before = self.snapshot("p", "secret")
        result = self.tool.rotate()
        self.assertExit(1, result)
        self.assertRight(before, self.snapshot("p", "secret"),
                         self.kept(*range(30, 60)))


class Policies(Base):
    def setUp(self):
        super().setUp()
        self.role(f"CREATE ON DATABASE {self.database}", "SELECT, UPDATE ON t")
        self.sql("CREATE POLICY half ON t USING (id % 2 = 0)")

    def test_rows_hidden_by_a_policy_are_an_error_and_never_silence(self):
        self.sql("ALTER TABLE t ENABLE ROW LEVEL SECURITY")
        before = self.look()
        result = self.tool.rotate()
        self.assertExit(4, result)
        self.assertIn("row", result.err.lower())
        self.assertUntouched(before, self.look())

    def test_a_forced_policy_binds_the_owner_and_is_an_error_too(self):
        self.sql(f"ALTER TABLE t OWNER TO {self.tool.user}")
        self.sql("ALTER TABLE t ENABLE ROW LEVEL SECURITY")
        self.sql("ALTER TABLE t FORCE ROW LEVEL SECURITY")
        before = self.look()
        self.assertExit(4, self.tool.rotate())
        self.assertUntouched(before, self.look())
        self.sql("ALTER TABLE t OWNER TO postgres")

    def test_a_policy_that_does_not_bind_the_role_is_no_trouble(self):
        self.sql(f"ALTER TABLE t OWNER TO {self.tool.user}")
        self.sql("ALTER TABLE t ENABLE ROW LEVEL SECURITY")
        before = self.look()
        self.assertExit(0, self.tool.rotate())
        self.assertRight(before, self.look())
        self.sql("ALTER TABLE t OWNER TO postgres")


if __name__ == "__main__":
    unittest.main()
