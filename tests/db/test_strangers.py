"""What other roles left in the search path is not called by our statements."""
import sys
import unittest
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from lib import hostile, oracle, zoo  # noqa: E402
from lib.scene import Scene  # noqa: E402


def setUpModule():
    Scene.open()


class Strangers(Scene):
    """Each type of column, each policy, old keys, a lying label, findings, a
    row that is locked, triggers: so that all statements come up."""

    def setUp(self):
        super().setUp()
        self.sql("CREATE TABLE t (id int PRIMARY KEY, secret text,"
                 " short varchar(400), j json, b jsonb, updated_at"
                 " timestamptz)")
        for number in range(40):
            old = self.ring.seal(zoo.plain(str(number)), "k2023", zoo.THEN)
            self.sql("INSERT INTO t VALUES (%s, %s, %s, %s, %s)", number, old,
                     old, oracle.wrap(old), oracle.wrap(old))
        self.sql("UPDATE t SET secret = replace(secret, ':k2023:', ':k2024:')"
                 " WHERE id = 3")
        self.sql("INSERT INTO t VALUES (99, 'in the clear')")
        self.sql("CREATE FUNCTION keep() RETURNS trigger LANGUAGE plpgsql AS"
                 " 'BEGIN NEW.updated_at := now(); RETURN NEW; END'")
        self.sql("CREATE TRIGGER keep BEFORE UPDATE ON t FOR EACH ROW EXECUTE"
                 " FUNCTION keep()")
        self.sql("CREATE TABLE p (id int, secret text) PARTITION BY LIST (id);"
                 " CREATE TABLE p1 PARTITION OF p FOR VALUES IN (1)")
        self.tool.configure(
            rotate={"max_rows_per_second": "10000",
                    "throttle_query": "SELECT false"},
            t={"columns": "secret, short, j, b, d"}, p={"columns": "secret"})
        hostile.invite(self.admin.cursor(), self.database)
        self.sql(f"ALTER TABLE t ADD d {hostile.DOMAIN};"
                 " ALTER TABLE t DISABLE TRIGGER keep; UPDATE t SET d = b;"
                 " ALTER TABLE t ENABLE TRIGGER keep")

    def rotate_past_a_locked_row(self):
        holder = self.connect(autocommit=False)
        holder.cursor().execute("SELECT FROM t WHERE id OPERATOR(pg_catalog.=)"
                                " 7 FOR UPDATE")
        run = self.start()
        self.until(lambda: self.value(
            "SELECT pg_catalog.to_regclass('pgrekey.run') IS NOT NULL"),
            "it has begun")
        for command in ("status", "pause", "resume"):
            self.tool.run(command)
        self.until(lambda: self.value(
            "SELECT EXISTS (SELECT FROM pgrekey.leaf WHERE stuck_since IS NOT"
            " NULL)"), "it meets the row")
        holder.rollback()
        return run.finish()

    def test_no_statement_calls_an_operator_or_function_of_another_role(self):
        start = self.cluster.log.stat().st_size
        said = [self.tool.run("init"), self.tool.run("check"),
                self.tool.run("discover"), self.tool.run("rotate", "--dry-run"),
                self.rotate_past_a_locked_row(), self.tool.verify(),
                self.tool.verify("--quick"),
                self.tool.verify("--retire", "k2023"),
                self.tool.run("verify", "--discover"),
                self.tool.run("status"), self.tool.run("status", "--runs")]
        log = self.cluster.log.read_text()[start:]
        theirs, statements = hostile.called(self.admin.cursor(), log)
        self.assertGreater(statements, 200)
        self.assertEqual(theirs, {}, "\n".join(theirs))
        for result in said:
            self.assertIn(result.status, (0, 1, 6), result)


if __name__ == "__main__":
    unittest.main()
