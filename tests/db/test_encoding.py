"""Databases that are not UTF-8: bytes that are no characters block nobody."""
import os
import sys
import unittest
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from lib import oracle, zoo  # noqa: E402
from lib.pooler import Pooler  # noqa: E402
from lib.scene import Scene  # noqa: E402

ROWS = 40


def setUpModule():
    Scene.open()


class Base(Scene):
    """The connection that sees everything gets bytes as they are stored."""

    def setUp(self):
        super().setUp()
        self.admin.set_client_encoding("SQL_ASCII")

    def seal(self, i, key="k2023"):
        return self.ring.seal(zoo.plain(str(i)), key, zoo.THEN + i)

    def fill(self, ddl="secret text", wrap=str):
        self.sql(f"CREATE TABLE t (id text PRIMARY KEY, {ddl})")
        for i in range(ROWS):
            self.sql("INSERT INTO t VALUES (%s, %s)", f"n{i}",
                     wrap(self.seal(i)))

    def put(self, key, stored):
        cursor = self.admin.cursor()
        cursor.execute(b"INSERT INTO t VALUES (E'" + key + b"', E'" + stored
                       + b"')")

    def stored(self, key, column="secret"):
        return self.value("SELECT encode(convert_to(%s::text,"
                          " getdatabaseencoding()), 'escape') FROM t"
                          " WHERE id = '%s'" % (column, key))

    def current(self, column="secret"):
        return self.value("SELECT count(*) FROM t WHERE strpos(%s::text,"
                          " 'enc:fernet:k2025:') > 0" % column)

    def strictly(self, command, *arguments):
        """A run whose output has to be UTF-8."""
        run = self.tool.start(command, *arguments)
        run.process.wait(run.patience)
        for file in run.files:
            os.pread(file.fileno(), 1 << 20, 0).decode()
        return run.finish()

    def assertAllBut(self, bad, raw, verdict="raw"):
        """rotate and verify do everything else, and list what is bad."""
        self.tool.configure(t={"columns": "secret", "raw": raw})
        listed = bad if raw == "report" or verdict != "raw" else 0
        for command in "rotate", "verify":
            result = self.strictly(command, "--output", "json")
            self.assertExit(1 if listed else 0, result)
            self.assertEqual([f["verdict"] for f in result.findings],
                             [verdict] * listed)
            self.assertEqual(self.current(), ROWS)
        self.assertExit(1 if listed else 0, self.strictly("rotate"))
        for form in "text", "junit":
            self.assertExit(1 if listed else 0,
                            self.strictly("verify", "--output", form))
        return result


class SqlAscii(Base):
    ENCODING = "SQL_ASCII"

    def test_a_raw_value_that_is_no_text_blocks_nobody(self):
        self.fill()
        self.put(b"bad", b"raw \\xff")
        for raw in "report", "allow":
            with self.subTest(raw):
                self.assertAllBut(1, raw)
        self.assertEqual(self.stored("bad"), r"raw \377")

    def test_it_is_sealed_as_it_is_and_comes_back(self):
        self.fill()
        self.put(b"bad", b"raw \\xff")
        self.tool.configure(t={"columns": "secret", "raw": "encrypt"})
        self.assertExit(0, self.tool.rotate())
        self.assertEqual(self.current(), ROWS + 1)
        self.assertEqual(oracle.read(self.stored("bad"), self.ring).value,
                         b"raw \xff")
        self.assertExit(0, self.tool.verify())

    def test_json_that_is_no_text_blocks_nobody(self):
        for column_type in "json", "jsonb":
            with self.subTest(column_type):
                self.sql("DROP TABLE IF EXISTS t")
                self.fill(f"secret {column_type}", oracle.wrap)
                self.put(b"bad", b'{"a": "\\xff"}')
                self.assertAllBut(1, "report")
                self.assertAllBut(1, "allow")

    def test_a_label_that_is_no_text_is_listed(self):
        self.fill()
        self.put(b"bad", b"enc:fernet:k\\xff:"
                 + self.seal(0).split(":")[3].encode()[:60])
        self.assertAllBut(1, "report", "malformed")
        self.assertIn("label", self.strictly("check").out)

    def test_a_wrong_label_that_is_no_text_is_mended(self):
        self.fill()
        self.put(b"bad", b"enc:fernet:k\\xff:"
                 + self.seal(7).split(":")[3].encode())
        self.tool.configure(t={"columns": "secret"})
        result = self.strictly("rotate", "--output", "json")
        self.assertExit(0, result)
        self.assertEqual(result.column("secret")["counters"]["mislabelled"],
                         1)
        self.assertEqual(oracle.read(self.stored("bad"), self.ring).value,
                         zoo.plain("7"))

    def test_a_row_whose_key_is_no_text_is_named_by_its_place(self):
        self.fill()
        self.put(b"k\\xff", b"raw")
        self.put(b"k\\xfe", b"raw")
        result = self.assertAllBut(2, "report")
        places = self.sql("SELECT ctid::text FROM t WHERE secret = 'raw'"
                          " ORDER BY ctid")
        self.assertEqual([f["row"] for f in result.findings],
                         [{"ctid": place} for place, in places])

    def test_names_are_found_as_they_are_written(self):
        self.admin.set_client_encoding("UTF8")
        self.sql("CREATE TABLE \"größe\" (id int, \"wért\" text)")
        self.sql("INSERT INTO \"größe\" VALUES (1, %s)", self.seal(1))
        self.tool.configure(t={"name": '"größe"', "columns": '"wért"'})
        self.assertExit(0, self.tool.rotate())
        self.assertExit(0, self.tool.verify())
        self.tool.configure()
        self.assertIn("größe", self.strictly("discover").out)

    def test_discover_says_names_that_are_no_text_as_utf8(self):
        cursor = self.admin.cursor()
        cursor.execute(b'CREATE TABLE "t\xff" (id int, secret text)')
        cursor.execute(b'INSERT INTO "t\xff" VALUES (1, %s)', (self.seal(1),))
        self.tool.configure()
        for form in "text", "json":
            result = self.strictly("discover", "--output", form)
            self.assertExit(1, result)
            self.assertIn("secret", result.out)

    def test_through_a_pooler_no_value_blocks_the_others_either(self):
        self.fill()
        self.put(b"bad", b"raw \\xff")
        with Pooler(self.cluster, "transaction") as pooler:
            self.tool.connection = pooler.settings(self.database)
            self.assertAllBut(1, "report")


if __name__ == "__main__":
    unittest.main()
