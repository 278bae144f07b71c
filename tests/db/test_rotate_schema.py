"""Tables as people really have them: partitions, names, types, refusals."""
import string
import sys
import unittest
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from lib import oracle, zoo  # noqa: E402
from lib.scene import Scene  # noqa: E402


def setUpModule():
    Scene.open()


class Base(Scene):
    def sealed(self, i, dress=str):
        key = ("k2023", "k2024")[i % 2]
        return dress(self.ring.seal(zoo.plain(str(i)), key, zoo.THEN + i))

    def fill(self, table, rows=40, column="secret", dress=str, first=0):
        for i in range(first, first + rows):
            self.sql(f"INSERT INTO {table} (id, {column}) VALUES (%s, %s)",
                     i, self.sealed(i, dress))

    def rotates(self, table, *columns, identity="id", name=None):
        """The whole promise for one table, and that a second run rests."""
        quoted = ", ".join(f'"{column}"' for column in columns)
        self.tool.configure(t={"name": name or table, "columns": quoted})
        before = self.snapshot(table, *columns, identity=identity)
        result = self.tool.rotate()
        self.assertExit(0, result)
        after = self.snapshot(table, *columns, identity=identity)
        self.assertRight(before, after)
        self.assertExit(0, self.tool.rotate())
        self.assertUntouched(
            after, self.snapshot(table, *columns, identity=identity))
        return result

    def refused(self, *words, table="t", columns="secret"):
        """Nothing is written, and the reason is said."""
        self.tool.configure(t={"name": table, "columns": columns})
        result = self.tool.rotate()
        self.assertExit(2, result)
        for word in words:
            self.assertIn(word, (result.out + result.err).lower())
        return result


class Leaves(Base):
    def test_partitions_and_their_partitions_are_leaves(self):
        self.sql("CREATE TABLE t (id int, secret text) PARTITION BY RANGE(id)")
        self.sql("CREATE TABLE t1 PARTITION OF t FOR VALUES FROM (0) TO (10)")
        self.sql("CREATE TABLE t2 PARTITION OF t FOR VALUES FROM (10) TO (40)"
                 " PARTITION BY HASH (id)")
        self.sql("CREATE TABLE t21 PARTITION OF t2"
                 " FOR VALUES WITH (MODULUS 2, REMAINDER 0)")
        self.sql("CREATE SCHEMA far")
        self.sql("CREATE TABLE far.t22 PARTITION OF t2"
                 " FOR VALUES WITH (MODULUS 2, REMAINDER 1)")
        self.sql("CREATE TABLE t3 PARTITION OF t DEFAULT")
        self.fill("t", 50)
        result = self.rotates("t", "secret")
        self.assertEqual(result.column("secret")["scanned"], 50)

    def test_a_partition_may_order_its_columns_otherwise(self):
        self.sql("CREATE TABLE t (id int, secret text) PARTITION BY RANGE(id)")
        self.sql("CREATE TABLE t1 (gone int, secret text, id int)")
        self.sql("ALTER TABLE t1 DROP gone")
        self.sql("ALTER TABLE t ATTACH PARTITION t1"
                 " FOR VALUES FROM (0) TO (100)")
        self.fill("t")
        self.rotates("t", "secret")

    def test_inheritance_children_and_grandchildren_are_leaves(self):
        self.sql("CREATE TABLE t (id int, secret text)")
        self.sql("CREATE TABLE child (more int) INHERITS (t)")
        self.sql("CREATE TABLE grandchild () INHERITS (child)")
        for i, table in enumerate(("t", "child", "grandchild")):
            self.fill(table, 10, first=10 * i)
        result = self.rotates("t", "secret")
        self.assertEqual(result.column("secret")["scanned"], 30)

    def test_a_table_without_partitions_is_never_clean(self):
        """Not even the column's name was looked at."""
        self.sql("CREATE TABLE t (id int, secret text) PARTITION BY RANGE(id)")
        self.tool.configure(t={"columns": "no_such"})
        for how in (), ("--dry-run",):
            self.assertExit(2, self.tool.rotate(*how))
        self.assertExit(2, self.tool.verify())

    def test_one_leaf_alone_may_be_configured(self):
        self.sql("CREATE TABLE t (id int, secret text) PARTITION BY RANGE(id)")
        self.sql("CREATE TABLE t1 PARTITION OF t FOR VALUES FROM (0) TO (20)")
        self.sql("CREATE TABLE t2 PARTITION OF t FOR VALUES FROM (20) TO (40)")
        self.fill("t", 40)
        other = self.snapshot("t2", "secret")
        self.rotates("t1", "secret")
        self.assertUntouched(other, self.snapshot("t2", "secret"))


class Identity(Base):
    def test_a_table_without_a_primary_key_rotates(self):
        self.sql("CREATE TABLE t (id int, secret text)")
        self.fill("t")
        self.rotates("t", "secret")

    def test_composite_and_uuid_keys_rotate(self):
        self.sql("CREATE TABLE t (id uuid, part text, secret text,"
                 " PRIMARY KEY (part, id))")
        for i in range(40):
            self.sql("INSERT INTO t VALUES (gen_random_uuid(), %s, %s)",
                     str(i), self.sealed(i))
        self.rotates("t", "secret")

    def test_rows_that_are_equal_in_every_column_all_rotate(self):
        self.sql("CREATE TABLE t (secret text)")
        self.sql("INSERT INTO t SELECT %s FROM generate_series(1, 100)",
                 self.sealed(1))
        before = self.snapshot("t", "secret", identity="ctid")
        self.assertEqual(len(before.rows), 100)
        self.tool.configure(t={"columns": "secret"})
        self.assertExit(0, self.tool.rotate())
        self.assertEqual(self.labels("t", "secret"), {"k2025": 100})

    def test_quoted_mixed_case_and_spaced_names_rotate(self):
        self.sql('CREATE SCHEMA "My Schema"')
        table = '"My Schema"."We""ird.Täble"'
        self.sql(f'CREATE TABLE {table} (id int, "Se cret" text,'
                 ' "select" text, "%" text)')
        self.fill(table, 20, '"Se cret"')
        self.sql(f'UPDATE {table} SET "select" = "Se cret",'
                 ' "%" = "Se cret"')
        self.rotates(table, "Se cret", "select", "%")

    def test_names_of_63_bytes_rotate(self):
        table, column = "t" * 63, "c" * 63
        self.sql(f"CREATE TABLE {table} (id int, {column} text)")
        self.fill(table, 10, column)
        self.rotates(table, column)

    def test_a_table_of_the_same_name_in_the_search_path_is_not_it(self):
        self.sql("CREATE SCHEMA evil")
        for schema in ("evil", "public"):
            self.sql(f"CREATE TABLE {schema}.t (id int, secret text)")
            self.fill(f"{schema}.t", 10)
        self.sql(f"ALTER DATABASE {self.database}"
                 " SET search_path = evil, public")
        other = self.snapshot("evil.t", "secret")
        self.rotates("public.t", "secret")
        self.assertUntouched(other, self.snapshot("evil.t", "secret"))

    def test_several_columns_of_one_row_in_mixed_states_rotate(self):
        self.sql("CREATE TABLE t (id int, a text, b jsonb, c varchar(900),"
                 " d json, e text)")
        current = self.ring.seal(zoo.plain("current"), at=zoo.THEN)
        for i in range(64):
            cells = [self.sealed(i), oracle.wrap(self.sealed(i + 1)),
                     self.sealed(i), oracle.wrap(self.sealed(i)), current]
            self.sql("INSERT INTO t VALUES (%s, %s, %s, %s, %s, %s)", i,
                     *(cell if i >> n & 1 else None
                       for n, cell in enumerate(cells)))
        self.rotates("t", "a", "b", "c", "d", "e")


    def test_as_many_columns_as_a_table_may_have_rotate(self):
        """Mislabelled values, which make a batch as wide as it can be."""
        names = [*string.ascii_uppercase, *string.digits[:6]]
        self.sql("CREATE TABLE t (id int, "
                 + ", ".join(f'"{name}" text' for name in names) + ")")
        wrong = self.sealed(0).replace(":k2023:", ":k2024:")
        for i in range(3):
            self.sql(f"INSERT INTO t VALUES (%s{', %s' * 32})", i,
                     *[wrong] * 32)
        self.rotates("t", *names)


class Types(Base):
    def test_every_text_type_rotates(self):
        self.sql("CREATE EXTENSION citext")
        self.sql("CREATE DOMAIN secret_text AS text CHECK (VALUE <> 'x')")
        self.sql("CREATE DOMAIN secret_deep AS secret_text")
        self.sql("CREATE COLLATION blind (provider = icu,"
                 " locale = 'und-u-ks-level2', deterministic = false)")
        for column_type in ("text", "varchar", "varchar(400)", "char(400)",
                            "citext", "secret_text", "secret_deep",
                            "text COLLATE blind", 'text COLLATE "C"'):
            with self.subTest(column_type):
                self.sql("DROP TABLE IF EXISTS t")
                self.sql(f"CREATE TABLE t (id int, secret {column_type})")
                self.fill("t", 20)
                self.rotates("t", "secret")

    def test_both_json_types_and_domains_over_them_rotate(self):
        self.sql("CREATE DOMAIN secret_json AS jsonb")
        for column_type in ("json", "jsonb", "secret_json"):
            with self.subTest(column_type):
                self.sql("DROP TABLE IF EXISTS t")
                self.sql(f"CREATE TABLE t (id int, secret {column_type})")
                self.fill("t", 20, dress=oracle.wrap)
                self.tool.configure(t={"columns": "secret"})
                self.assertExit(0, self.tool.rotate())
                self.assertEqual(
                    self.labels("t", "secret"), {"k2025": 20})
                self.assertExit(0, self.tool.rotate())

    def test_toasted_values_rotate_whatever_their_storage(self):
        for storage in ("EXTENDED", "EXTERNAL", "MAIN", "PLAIN"):
            with self.subTest(storage):
                self.sql("DROP TABLE IF EXISTS t")
                self.sql("CREATE TABLE t (id int, secret text, other text)")
                self.sql(f"ALTER TABLE t ALTER secret SET STORAGE {storage}")
                size = 3000 if storage == "PLAIN" else 60_000
                for i in range(10):
                    self.sql("INSERT INTO t VALUES (%s, %s, repeat('x', %s))",
                             i, self.ring.seal(bytes([i]) * size, "k2023"),
                             size)
                self.rotates("t", "secret")

    def test_an_unlogged_table_rotates(self):
        self.sql("CREATE UNLOGGED TABLE t (id int, secret text)")
        self.fill("t")
        self.rotates("t", "secret")

    def test_a_generated_column_over_the_secret_is_recomputed(self):
        self.sql("CREATE TABLE t (id int, secret text, length int"
                 " GENERATED ALWAYS AS (length(secret)) STORED)")
        self.fill("t", 20)
        self.rotates("t", "secret")

    def test_foreign_keys_and_indexes_do_not_matter(self):
        self.sql("CREATE TABLE t (id int PRIMARY KEY, secret text)")
        self.sql("CREATE INDEX ON t (md5(secret))")
        self.sql("CREATE UNIQUE INDEX ON t (secret)")
        self.sql("CREATE TABLE child (t int REFERENCES t)")
        self.fill("t")
        self.sql("INSERT INTO child SELECT id FROM t")
        self.rotates("t", "secret")


class TooShort(Base):
    def shorten(self, column_type, new="a-much-longer-key-id"):
        """A column as long as its longest value, and a longer label."""
        self.sql(f"CREATE TABLE t (id int, secret {column_type})")
        self.fill("t", 30)
        self.ring = self.ring.with_primary(new)
        self.tool.set_ring(self.ring)
        return self.snapshot("t", "secret")

    def length(self):
        return len(self.sealed(10))

    def test_it_is_refused_before_the_first_write(self):
        before = self.shorten(f"varchar({self.length()})")
        result = self.refused("secret")
        self.assertIn("varchar", result.err.lower() + result.out.lower())
        self.assertUntouched(before, self.snapshot("t", "secret"))

    def test_a_domain_over_it_is_refused_too(self):
        self.sql(f"CREATE DOMAIN short AS varchar({self.length()})")
        before = self.shorten("short")
        self.refused("secret")
        self.assertUntouched(before, self.snapshot("t", "secret"))

    def test_it_is_not_refused_while_every_value_fits(self):
        before = self.shorten(f"varchar({self.length()})", new="k9999")
        self.tool.configure(t={"columns": "secret"})
        self.assertExit(0, self.tool.rotate())
        self.assertRight(before, self.snapshot("t", "secret"))

    def test_a_finished_table_is_read_once(self):
        self.sql("CREATE TABLE t (id int, secret varchar(900))")
        self.fill("t", 100)
        self.tool.configure(t={"columns": "secret"})
        self.assertExit(0, self.tool.rotate())
        scans = ("SELECT seq_scan FROM pg_stat_user_tables"
                 " WHERE relname = 't'")
        self.until_alone()
        before = self.value(scans)
        self.assertExit(0, self.tool.rotate())
        self.until_alone()
        self.assertEqual(self.value(scans), before + 1)

    def test_what_is_short_by_one_character_is_known_for_each_spelling(self):
        """A value fits exactly and is rotated, or nothing is written."""
        token = self.ring.token(bytes(31), "k2023", zoo.THEN).decode()
        sealed = len(self.ring.seal(bytes(31)))
        for name, value in {
                "one layer": f"enc:fernet:k2023:{token}",
                "marked": oracle.marked(bytes(31)),
                "marked, whole block": oracle.marked(bytes(16)),
                "raw": "r" * 31}.items():
            for short in (0, 1):
                with self.subTest(name, short=short):
                    self.sql("DROP TABLE IF EXISTS t")
                    self.sql("CREATE TABLE t (id int, secret"
                             f" varchar({sealed - short}))")
                    self.sql("INSERT INTO t VALUES (1, %s)", value)
                    before = self.snapshot("t", "secret")
                    self.tool.configure(
                        t={"columns": "secret", "raw": "encrypt"})
                    result = self.tool.rotate()
                    after = self.snapshot("t", "secret")
                    self.assertExit(2 if short else 0, result)
                    if short:
                        self.assertIn("would not fit", result.out + result.err)
                        self.assertUntouched(before, after)
                    else:
                        self.assertRight(before, after)

    def test_a_dry_run_says_so_too(self):
        before = self.shorten(f"varchar({self.length()})")
        self.tool.configure(t={"columns": "secret"})
        self.assertExit(2, self.tool.rotate("--dry-run"))
        self.assertUntouched(before, self.snapshot("t", "secret"))


class Refused(Base):
    """What cannot be rotated is refused with the reason, never skipped."""

    def test_a_view(self):
        self.sql("CREATE TABLE real (id int, secret text)")
        self.sql("CREATE VIEW t AS SELECT * FROM real")
        self.refused("view")

    def test_a_materialized_view(self):
        self.sql("CREATE MATERIALIZED VIEW t AS SELECT 'x'::text AS secret")
        self.refused("view")

    def test_a_foreign_table(self):
        self.sql("CREATE FOREIGN DATA WRAPPER nothing")
        self.sql("CREATE SERVER nowhere FOREIGN DATA WRAPPER nothing")
        self.sql("CREATE FOREIGN TABLE t (secret text) SERVER nowhere")
        self.refused("foreign")

    def test_a_foreign_partition(self):
        self.sql("CREATE FOREIGN DATA WRAPPER nothing")
        self.sql("CREATE SERVER nowhere FOREIGN DATA WRAPPER nothing")
        self.sql("CREATE TABLE t (id int, secret text) PARTITION BY RANGE(id)")
        self.sql("CREATE FOREIGN TABLE f PARTITION OF t"
                 " FOR VALUES FROM (0) TO (9) SERVER nowhere")
        self.refused("foreign")

    def test_a_generated_column(self):
        self.sql("CREATE TABLE t (id int, secret text"
                 " GENERATED ALWAYS AS (id::text) STORED)")
        self.refused("generated")

    def test_a_column_of_the_partition_key(self):
        self.sql("CREATE TABLE t (id int, secret text)"
                 " PARTITION BY HASH (secret)")
        self.sql("CREATE TABLE t1 PARTITION OF t"
                 " FOR VALUES WITH (MODULUS 1, REMAINDER 0)")
        self.refused("partition")

    def test_a_column_of_another_type(self):
        for column_type in ("int", "text[]", "bytea", "xml", "date"):
            with self.subTest(column_type):
                self.sql("DROP TABLE IF EXISTS t")
                self.sql(f"CREATE TABLE t (id int, secret {column_type})")
                self.refused("secret")

    def test_a_missing_table(self):
        result = self.refused("public.missing", table="missing")
        self.assertIn("missing", result.err)

    def test_a_missing_column(self):
        self.sql("CREATE TABLE t (id int, secret text)")
        result = self.refused("missing", columns="secret, missing")
        self.assertIn("hint: section [table t], line ", result.err)

    def test_a_system_column(self):
        self.sql("CREATE TABLE t (id int, secret text)")
        self.refused("ctid", columns="ctid")

    def test_a_rule_on_update(self):
        self.sql("CREATE TABLE t (id int, secret text)")
        self.sql("CREATE RULE quiet AS ON UPDATE TO t DO INSTEAD NOTHING")
        self.fill("t", 10)
        before = self.snapshot("t", "secret")
        self.refused("rule")
        self.assertUntouched(before, self.snapshot("t", "secret"))

    def test_the_other_tables_are_not_touched_either(self):
        self.sql("CREATE TABLE good (id int, secret text)")
        self.fill("good", 10)
        before = self.snapshot("good", "secret")
        self.tool.configure(good={"columns": "secret"},
                            missing={"columns": "secret"})
        self.assertExit(2, self.tool.rotate())
        self.assertUntouched(before, self.snapshot("good", "secret"))


if __name__ == "__main__":
    unittest.main()
