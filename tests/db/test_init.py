"""What `init --print` prints is all that a role needs, and can be repeated."""
import sys
import unittest
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from lib import zoo  # noqa: E402
from lib.scene import Scene  # noqa: E402


def setUpModule():
    Scene.open()


class Base(Scene):
    def setUp(self):
        super().setUp()
        self.role()

    def make(self, table, more=""):
        self.sql(f"CREATE TABLE {table}"
                 f" (id int, tenant int, \"a-B\" int, secret text) {more}")

    def fill(self, table, rows=40):
        for i in range(rows):
            self.sql(f"INSERT INTO {table} VALUES (%s, 7, 1, %s)", i,
                     self.ring.seal(zoo.plain(str(i)), "k2024", zoo.THEN))

    def printed(self):
        """What it printed, after an administrator ran it."""
        result = self.tool.run("init", "--print")
        self.assertExit(0, result)
        self.cluster.psql(self.database, result.out)
        return result.out

    def rotates(self, count):
        result = self.tool.rotate()
        self.assertExit(0, result)
        self.assertEqual(result.sum("rewritten"), count)


class Grants(Base):
    def test_a_schema_other_than_public_may_be_entered(self):
        self.sql('CREATE SCHEMA "far Away"')
        self.make('"far Away".t')
        self.fill('"far Away".t')
        self.tool.configure(t={"name": '"far Away".t', "columns": "secret"})
        self.printed()
        self.rotates(40)

    def test_partitions_in_other_schemas_may_be_entered(self):
        self.sql("CREATE SCHEMA near")
        self.sql("CREATE SCHEMA far")
        self.make("near.t", "PARTITION BY LIST (id)")
        self.sql("CREATE TABLE far.t1 PARTITION OF near.t DEFAULT")
        self.fill("near.t")
        self.tool.configure(t={"name": "near.t", "columns": "secret"})
        self.printed()
        self.rotates(40)

    def test_columns_of_the_condition_may_be_read(self):
        self.make("t")
        self.fill("t")
        self.tool.configure(t={"columns": "secret", "where":
                               "TENANT+1 = 8 AND (t.\"a-B\") = 1"})
        self.printed()
        self.rotates(40)

    def test_each_column_is_named_once(self):
        self.make("t", "PARTITION BY LIST (id)")
        self.sql("CREATE TABLE t1 PARTITION OF t (PRIMARY KEY (id)) DEFAULT")
        self.fill("t")
        self.tool.configure(t={"columns": "secret", "where":
                               "id >= 0 AND tenant = 7 AND secret > ''"})
        self.assertIn('GRANT SELECT (ctid, "secret", "id", "tenant"), UPDATE'
                      ' ("secret") ON', self.printed())
        self.rotates(40)

    def test_other_columns_may_not_be_read(self):
        self.make("t")
        self.tool.configure(t={"columns": "secret", "where": "tenant_id = 7"})
        self.printed()
        for column, may in (("secret", True), ("tenant", False),
                            ("id", False)):
            self.assertEqual(
                self.value("SELECT has_column_privilege(%s, 't', %s,"
                           " 'SELECT')", self.tool.user, column), may, column)


class Policies(Base):
    def test_a_policy_that_hides_rows_is_named_and_left_to_the_reader(self):
        """It is no GRANT on one table: all tables of the database open."""
        self.make("t")
        self.fill("t")
        self.tool.configure(t={"columns": "secret"})
        self.assertNotIn("BYPASSRLS", self.printed())
        self.sql("ALTER TABLE t ENABLE ROW LEVEL SECURITY")
        remedy = f'ALTER ROLE "{self.tool.user}" BYPASSRLS;'
        self.assertIn(f"\n-- {remedy}\n", self.printed())
        self.assertExit(4, self.tool.rotate())
        self.sql(remedy)
        self.assertNotIn("BYPASSRLS", self.printed())
        self.rotates(40)


class Again(Base):
    def test_a_table_that_is_added_later_gets_its_grants(self):
        for table in ("t", "u"):
            self.make(table)
            self.fill(table)
        self.tool.configure(t={"columns": "secret"})
        self.assertIn("CREATE SCHEMA", self.printed())
        self.rotates(40)
        self.tool.configure(t={"columns": "secret"}, u={"columns": "secret"})
        self.assertExit(4, self.tool.rotate())
        self.assertNotIn("CREATE", self.printed())
        self.rotates(40)

    def test_init_says_that_the_schema_is_there(self):
        self.sql(f"GRANT CREATE ON DATABASE {self.database}"
                 f" TO {self.tool.user}")
        for _ in range(2):
            result = self.tool.run("init")
            self.assertExit(0, result)
            self.assertIn("pgrekey", result.err)
            self.assertEqual(result.out, "")


if __name__ == "__main__":
    unittest.main()
