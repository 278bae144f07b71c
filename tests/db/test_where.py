"""A condition of the configuration that the server cannot evaluate."""
import re
import sys
import unittest
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from lib import zoo  # noqa: E402
from lib.scene import Scene  # noqa: E402


def setUpModule():
    Scene.open()


class Condition(Scene):
    ROWS = 3000

    def setUp(self):
        super().setUp()
        self.sql("CREATE TABLE t (id int PRIMARY KEY, secret text)")
        zoo.copy_rows(self.admin, "t", ("id", "secret"), (
            (i, self.ring.seal(zoo.plain(str(i)), "k2024", zoo.THEN))
            for i in range(self.ROWS)))

    def refuses(self, condition, *arguments, command="rotate", says="",
                status=2):
        self.tool.configure(t={"columns": "secret", "where": condition})
        before = self.snapshot("t", "secret")
        result = self.tool.run(command, *arguments, patience=60)
        self.assertExit(status, result)
        self.assertIn("public.t", result.err)
        self.assertIn(says, result.err)
        self.assertIn("`where` of [table t]", result.err)
        self.assertUntouched(before, self.snapshot("t", "secret"))

    def test_a_column_that_is_not_there_is_exit_2(self):
        self.refuses("nowhere = 7")

    def test_what_is_no_sql_is_exit_2(self):
        self.refuses("id = = 7")
        self.refuses("id = 7; SELECT 1")

    def test_what_fails_for_some_row_is_exit_2(self):
        self.refuses("secret::int = 7")
        self.refuses("secret::int = 7", "--dry-run")

    def test_what_writes_is_exit_4_and_has_written_nothing(self):
        self.sql("CREATE TABLE log (n int)")
        self.sql("CREATE FUNCTION writes() RETURNS boolean LANGUAGE plpgsql AS"
                 " 'BEGIN INSERT INTO public.log VALUES (1); RETURN true;"
                 " END'")
        for arguments in ["--dry-run"], []:
            self.refuses("writes()", *arguments, status=4)
            self.assertEqual(self.value("SELECT count(*) FROM log"), 0)

    def test_verify_says_the_same(self):
        self.refuses("secret::int = 7", command="verify")
        self.refuses("secret::int = 7", "--quick", command="verify")
        self.refuses(f"1 / (id - {self.ROWS // 2}) > -2", command="verify")

    def test_a_word_of_the_server_about_the_condition_itself_is_repeated(self):
        self.refuses("nowhere = 7", says='column "nowhere" does not exist')
        self.refuses("secret = 7", command="verify",
                     says="operator does not exist: text = integer")

    def test_no_other_word_is_since_it_may_quote_a_value(self):
        self.sql("CREATE FUNCTION tell(x text) RETURNS boolean LANGUAGE"
                 " plpgsql AS $$BEGIN RAISE EXCEPTION '%', x USING ERRCODE ="
                 " 'XX000', COLUMN = x, CONSTRAINT = x; END$$")
        self.sql("TRUNCATE t")
        self.sql("INSERT INTO t VALUES (1, %s)",
                 zoo.plain("in the clear (").decode())
        for state, condition in (
                ("42601", "to_tsquery(secret) IS NOT NULL"),
                ("42704", "current_setting(secret) = ''"),
                ("58P01", "pg_read_file(secret) = ''"),
                ("XX000", "public.tell(secret)")):
            self.tool.configure(t={"columns": "secret", "where": condition})
            for command in (("check",), ("rotate",), ("rotate", "--dry-run"),
                            ("verify",), ("verify", "--quick"),
                            ("verify", "--snapshot", "range")):
                with self.subTest(condition=condition, command=command):
                    result = self.tool.run(*command, patience=60)
                    self.assertIn(result.status, (1, 2, 4))
                    self.assertIn(state, result.out + result.err)

    def test_division_by_zero_is_not_tried_for_ever(self):
        """Its SQLSTATE is the one by which a chunk's fence speaks. The row is
        in the middle: the look at the beginning does not come by."""
        self.tool.configure(t={"columns": "secret", "where":
                               f"1 / (id - {self.ROWS // 2 + 150}) > -2"})
        result = self.tool.rotate(patience=60)
        self.assertExit(2, result)
        self.assertIn("22012", result.err)

    def failed(self):
        return self.cluster.server_log().count("ERROR:  40001")

    def test_a_read_that_fails_for_a_while_is_tried_again(self):
        """And has left no transaction behind for the statement after it."""
        self.sql("CREATE TABLE gate AS SELECT 1")
        self.sql(
            "CREATE FUNCTION moody() RETURNS boolean LANGUAGE plpgsql AS"
            " $$BEGIN IF EXISTS (SELECT FROM public.gate) AND EXISTS"
            " (SELECT FROM pgrekey.chunk WHERE state = 'running')"
            " THEN RAISE serialization_failure; END IF; RETURN true; END$$")
        self.tool.configure(t={"columns": "secret"})
        self.cluster.psql(self.database, self.tool.run("init", "--print").out)
        self.tool.configure(t={"columns": "secret", "where":
                               "public.moody()"})
        run, before = self.start(), self.failed()
        self.until(lambda: self.failed() > before or not run.running(),
                   "a read fails")
        self.sql("DELETE FROM gate")
        self.assertExit(0, run.finish())
        self.assertGreater(self.failed(), before, "no read failed")

    def test_a_missing_privilege_says_what_to_grant(self):
        self.role()
        self.sql("ALTER TABLE t ADD tenant int")
        self.tool.configure(t={"columns": "secret"})
        self.cluster.psql(self.database, self.tool.run("init", "--print").out)
        self.tool.configure(t={"columns": "secret", "where": "tenant = 7"})
        for arguments in (("rotate",), ("verify",), ("verify", "--quick")):
            result = self.tool.run(*arguments)
            self.assertExit(4, result)
            [hint] = re.findall("hint: (GRANT SELECT .*)", result.err)
        [refusal] = [remark for remark in self.tool.run(
            "check", "--output", "json").report["remarks"]
            if remark["level"] == "refusal"]
        self.assertEqual(refusal["hint"], hint)
        self.sql(hint)
        self.assertExit(0, self.tool.rotate())

    def test_a_missing_privilege_on_something_else_is_told_from_a_column(self):
        self.role()
        self.sql("CREATE TABLE other AS SELECT 1 AS id")
        self.tool.configure(t={"columns": "secret", "where":
                               "id IN (SELECT o.id FROM public.other AS o)"})
        self.cluster.psql(self.database, self.tool.run("init", "--print").out)
        result = self.tool.rotate()
        self.assertExit(4, result)
        self.assertIn("functions and other tables", result.err)


class Plans(Condition):
    def test_a_condition_may_bring_the_rows_in_any_order(self):
        self.sql("CREATE TABLE pick AS SELECT i FROM generate_series("
                 f"{self.ROWS - 100}, 1, -300) AS i")
        self.sql("ANALYZE pick; ANALYZE t")
        self.tool.configure(t={"columns": "secret", "where":
                               "id IN (SELECT i FROM public.pick)"})
        result = self.tool.rotate()
        self.assertExit(0, result)
        self.assertEqual(result.sum("rewritten"),
                         self.value("SELECT count(*) FROM pick"))


if __name__ == "__main__":
    unittest.main()
