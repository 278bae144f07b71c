"""rotate, on a good day: what it is for."""
import json
import os
import sys
import unittest
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from lib import oracle, zoo  # noqa: E402
from lib.pgrekey import scaled  # noqa: E402
from lib.scene import Scene  # noqa: E402


def setUpModule():
    Scene.open()


class Base(Scene):
    def setUp(self):
        super().setUp()
        self.sql("CREATE TABLE creds (id int PRIMARY KEY, secret text,"
                 " meta jsonb, note text DEFAULT 'untouched')")
        self.tool.configure(creds={"columns": "secret, meta"})

    def fill(self, rows=300):
        """Two old keys in both columns, every tenth value NULL."""
        def cell(i, dress, plain):
            if i % 10 == 0:
                return None
            key = ("k2023", "k2024")[i % 2]
            return dress(self.ring.seal(plain, key, zoo.THEN + i))
        zoo.copy_rows(
            self.admin, "creds", ("id", "secret", "meta"),
            ((i, cell(i, str, zoo.plain(str(i))),
              cell(i + 1, oracle.wrap, json.dumps({"n": i}).encode()))
             for i in range(rows)))

    def look(self):
        return self.snapshot("creds", "secret", "meta")

    def updates(self):
        """Row versions ever written, as the server counts them."""
        self.until_alone()
        return self.value("SELECT n_tup_upd FROM pg_stat_user_tables"
                          " WHERE relname = 'creds'")


class Rotation(Base):
    def test_values_under_two_old_keys_all_come_under_the_primary(self):
        self.fill()
        before = self.look()
        self.assertExit(0, self.tool.rotate())
        self.assertRight(before, self.look())
        self.assertEqual(set(self.labels("creds", "secret")),
                         {"k2025", None})

    def test_a_second_run_writes_nothing_and_exits_0(self):
        self.fill()
        self.assertExit(0, self.tool.rotate())
        before, updates = self.look(), self.updates()
        result = self.tool.rotate()
        self.assertExit(0, result)
        self.assertUntouched(before, self.look())
        self.assertEqual(self.updates(), updates)
        self.assertEqual(result.sum("rewritten"), 0)

    def test_each_row_is_written_once_whatever_number_of_columns(self):
        self.fill()
        self.audit("creds")
        self.assertExit(0, self.tool.rotate())
        rows = self.value("SELECT count(*) FROM creds"
                          " WHERE secret IS NOT NULL OR meta IS NOT NULL")
        self.assertEqual(self.value("SELECT count(*) FROM audit"), rows)

    def test_rows_that_need_nothing_are_not_written_at_all(self):
        self.fill(100)
        self.sql("UPDATE creds SET secret = %s, meta = NULL WHERE id < 50",
                 self.ring.seal(zoo.plain("current")))
        before = self.look()
        self.assertExit(0, self.tool.rotate())
        after = self.look()
        for i in range(50):
            self.assertEqual(before.rows[str(i)], after.rows[str(i)])

    def test_copies_of_one_token_each_get_an_iv_of_their_own(self):
        stored = self.ring.seal(zoo.plain("copy"), "k2023", zoo.THEN)
        self.sql("INSERT INTO creds (id, secret)"
                 " SELECT i, %s FROM generate_series(1, 500) AS i", stored)
        before = self.look()
        self.assertExit(0, self.tool.rotate())
        after = self.look()
        self.assertRight(before, after)
        ivs = {seen.iv for seen in after.readings(self.ring).values()}
        self.assertEqual(len(ivs - {None}), 500)

    def test_it_rotates_on_and_on_and_back_to_the_first_key(self):
        self.fill(60)
        before = self.look()
        for primary in ("k2025", "k2026", "k2027", "k2023"):
            self.ring = self.ring.with_primary(primary)
            self.tool.set_ring(self.ring)
            self.assertExit(0, self.tool.rotate())
            self.assertRight(before, self.look())

    def test_values_of_every_length_read_the_same(self):
        lengths = [*range(0, 70), 1023, 4096, 65536, 300_000]
        for i, length in enumerate(lengths):
            plain = bytes(n % 251 for n in range(length))
            self.sql("INSERT INTO creds (id, secret) VALUES (%s, %s)",
                     i, self.ring.seal(plain, "k2024", zoo.THEN))
        before = self.look()
        self.assertExit(0, self.tool.rotate())
        self.assertRight(before, self.look())

    def test_an_empty_table_is_clean(self):
        result = self.tool.rotate()
        self.assertExit(0, result)
        self.assertEqual(result.column("secret").get("scanned", 0), 0)

    def test_many_rows_with_four_workers(self):
        self.fill(scaled(20_000, 500))
        before = self.look()
        self.assertExit(0, self.tool.rotate("--workers", 4))
        self.assertRight(before, self.look())

    def test_large_values_are_shared_though_their_pages_are_few(self):
        self.assertExit(0, self.tool.run("init"))
        self.sql("CREATE TABLE cut (lo int, hi int); CREATE FUNCTION log()"
                 " RETURNS trigger LANGUAGE plpgsql AS 'BEGIN INSERT INTO"
                 " public.cut VALUES (NEW.lo, NEW.hi); RETURN NULL; END';"
                 " CREATE TRIGGER log AFTER INSERT ON pgrekey.chunk"
                 " FOR EACH ROW EXECUTE FUNCTION log()")
        zoo.copy_rows(self.admin, "creds", ("id", "secret"), (
            (i, self.ring.seal(os.urandom(4000), "k2023", zoo.THEN))
            for i in range(2000)))
        pages = self.value(
            "SELECT pg_relation_size('creds') / current_setting('block_size')"
            "::int")
        self.assertLess(pages, 64)
        before = self.look()
        self.assertExit(0, self.tool.rotate("--workers", 2))
        self.assertRight(before, self.look())
        chunks = sorted(self.sql("SELECT lo, hi FROM cut"))
        self.assertGreater(len(chunks), 1)
        self.assertEqual([0, *(hi for _, hi in chunks)],
                         [*(lo for lo, _ in chunks), pages])

    def test_the_smallest_batches_and_chunks_do_the_same(self):
        self.fill(scaled(3000, 500))
        before = self.look()
        self.tool.configure(
            rotate={"batch_rows": 1, "chunk_bytes": "1MiB",
                    "window_bytes": "256KiB"},
            creds={"columns": "secret, meta"})
        self.assertExit(0, self.tool.rotate())
        self.assertRight(before, self.look())
        # No row between two windows was left to another pass.
        self.assertEqual(self.value("SELECT pass FROM pgrekey.leaf"), 1)

    def test_only_the_configured_columns_are_touched(self):
        self.fill(100)
        self.tool.configure(creds={"columns": "secret"})
        before = self.look()
        self.assertExit(0, self.tool.rotate())
        meta = {place for place in before.readings(self.ring)
                if place[1] == "meta"}
        self.assertRight(before, self.look(), kept=meta)


class Unencrypted(Base):
    """raw and plaintext values, and the way back."""

    def plant(self, policy):
        specimens = {**zoo.raw(policy), **zoo.NULL}
        self.plan = zoo.Plan(secret=list(specimens.values()))
        self.plan.plant(self.admin, "creds")
        self.tool.configure(creds={"columns": "secret", "raw": policy})
        return self.look()

    def test_raw_values_are_left_and_reported_by_default(self):
        before = self.plant("report")
        result = self.tool.rotate()
        self.assertExit(1, result)
        self.assertUntouched(before, self.look())
        self.assertEqual(result.column("secret")["verdicts"],
                         self.plan.verdicts("secret", after=True))

    def test_raw_encrypt_seals_them(self):
        before = self.plant("encrypt")
        self.assertExit(0, self.tool.rotate())
        self.assertRight(before, self.look(), self.plan.kept())

    def test_a_null_beside_an_old_value_is_nothing_to_seal(self):
        self.fill(60)
        self.tool.configure(creds={"columns": "secret, meta",
                                   "raw": "encrypt"})
        before = self.look()
        self.assertExit(0, self.tool.rotate())
        self.assertRight(before, self.look())

    def test_raw_allow_leaves_and_accepts_them(self):
        before = self.plant("allow")
        self.assertExit(0, self.tool.rotate())
        self.assertUntouched(before, self.look())

    def test_raw_json_is_sealed_and_means_the_same(self):
        for column_type in ("jsonb", "json"):
            with self.subTest(column_type):
                self.sql("TRUNCATE creds")
                self.sql("ALTER TABLE creds ALTER meta TYPE"
                         f" {column_type} USING meta::{column_type}")
                specimens = [
                    specimen for name, specimen
                    in zoo.as_json(self.ring, "encrypt").items()
                    if specimen.verdict == "raw"]
                plan = zoo.Plan(meta=specimens)
                plan.plant(self.admin, "creds")
                self.tool.configure(
                    creds={"columns": "meta", "raw": "encrypt"})
                before = self.look()
                self.assertExit(0, self.tool.rotate())
                self.assertRight(before, self.look())

    def test_marked_plaintext_is_sealed(self):
        for i, plain in enumerate((b"", b"\x00\xff", zoo.plain("marked"))):
            self.sql("INSERT INTO creds VALUES (%s, %s, %s)", i,
                     oracle.marked(plain),
                     oracle.wrap(oracle.marked(b"[%d]" % i)))
        before = self.look()
        self.assertExit(0, self.tool.rotate())
        self.assertRight(before, self.look())

    def test_method_plaintext_is_the_way_back_and_fernet_the_way_again(self):
        self.fill(60)
        before = self.look()
        self.tool.configure(keys={"method": "plaintext"},
                            creds={"columns": "secret, meta"})
        self.assertExit(0, self.tool.rotate())
        marked = self.look()
        self.assertRight(before, marked, method="plaintext")
        self.assertExit(0, self.tool.rotate())
        self.assertUntouched(marked, self.look())
        self.tool.configure(creds={"columns": "secret, meta"})
        self.assertExit(0, self.tool.rotate())
        self.assertRight(marked, self.look())


class DryRun(Base):
    def schemas(self):
        return self.sql("SELECT nspname FROM pg_namespace ORDER BY 1")

    def test_it_writes_nothing_at_all(self):
        self.fill(200)
        before, schemas = self.look(), self.schemas()
        result = self.tool.rotate("--dry-run")
        self.assertExit(0, result)
        self.assertUntouched(before, self.look())
        self.assertEqual(self.schemas(), schemas)
        self.assertEqual(
            result.column("secret")["verdicts"], {"null": 20, "old": 180})

    def test_it_says_1_when_a_value_would_be_left(self):
        self.fill(20)
        self.sql("INSERT INTO creds (id, secret) VALUES (%s, %s)",
                 500, "enc:fernet:k2023:AAAA")
        before = self.look()
        self.assertExit(1, self.tool.rotate("--dry-run"))
        self.assertUntouched(before, self.look())

    def test_it_tells_that_a_trigger_would_undo_the_work(self):
        self.fill(20)
        self.sql("CREATE FUNCTION undo() RETURNS trigger LANGUAGE plpgsql"
                 " AS 'BEGIN RETURN OLD; END'")
        self.sql("CREATE TRIGGER undo BEFORE UPDATE ON creds"
                 " FOR EACH ROW EXECUTE FUNCTION undo()")
        before = self.look()
        self.assertExit(1, self.tool.rotate("--dry-run"))
        self.assertUntouched(before, self.look())

    def test_it_tries_each_column_of_a_row(self):
        self.sql("CREATE TABLE two (id int PRIMARY KEY, a text,"
                 " b text CHECK (b NOT LIKE '%%k2025%%'))")
        self.sql("INSERT INTO two VALUES (1, %s, %s)", *[
            self.ring.seal(zoo.plain(name), "k2023") for name in "ab"])
        self.tool.configure(two={"columns": "a, b"})
        result = self.tool.rotate("--dry-run")
        self.assertExit(1, result)
        self.assertIn("23514", result.report["note"])

    def test_it_notices_that_nothing_was_written(self):
        self.fill(20)
        self.sql("CREATE FUNCTION never() RETURNS trigger LANGUAGE plpgsql"
                 " AS 'BEGIN RETURN NULL; END'")
        self.sql("CREATE TRIGGER never BEFORE UPDATE ON creds FOR EACH ROW"
                 " WHEN (OLD.id = 7) EXECUTE FUNCTION never()")
        result = self.tool.rotate("--dry-run")
        self.assertExit(1, result)
        self.assertIn("suppresses the update", result.report["note"])

    def test_rows_that_somebody_holds_tell_it_nothing(self):
        self.fill(20)
        holder = self.connect(autocommit=False)
        holder.cursor().execute("SELECT FROM creds FOR UPDATE")
        self.assertExit(0, self.tool.rotate("--dry-run"))

    def test_a_dry_run_does_not_disturb_a_run_that_was_stopped(self):
        self.fill(200)
        self.sql("CREATE TABLE other (id int, secret text)")
        self.sql("INSERT INTO other SELECT id, secret FROM creds")
        self.tool.configure(creds={"columns": "secret, meta"},
                            other={"columns": "secret"})
        self.assertExit(0, self.tool.rotate("--only", "other"))
        before = self.look()
        self.assertExit(0, self.tool.rotate("--dry-run"))
        self.assertExit(0, self.tool.rotate())
        self.assertRight(before, self.look())


class Selection(Base):
    def setUp(self):
        super().setUp()
        self.fill(60)
        self.sql("CREATE TABLE other AS SELECT * FROM creds")
        self.tool.configure(creds={"columns": "secret, meta"},
                            other={"columns": "secret"})

    def test_only_speaks_of_the_selection_alone(self):
        creds, other = self.look(), self.snapshot("other", "secret")
        result = self.tool.rotate("--only", "creds")
        self.assertExit(0, result)
        self.assertEqual({label for label, _ in result.columns()}, {"creds"})
        self.assertTrue(result.report["partial"])
        said = self.tool.run("rotate", "--only", "creds").out
        self.assertNotIn("complete", said)
        self.assertIn("stays open", said)
        self.assertRight(creds, self.look())
        self.assertUntouched(other, self.snapshot("other", "secret"))

    def test_only_does_not_complete_the_run(self):
        other = self.snapshot("other", "secret")
        self.assertExit(0, self.tool.rotate("--only", "creds"))
        result = self.tool.rotate()
        self.assertExit(0, result)
        self.assertRight(other, self.snapshot("other", "secret"))
        self.assertEqual(len(result.columns()), 3)

    def test_one_table_under_two_labels_is_refused(self):
        before = self.look()
        self.tool.configure(
            one={"name": "public.creds", "columns": "secret"},
            two={"name": "public.creds", "columns": "meta"})
        self.assertExit(2, self.tool.rotate())
        self.assertUntouched(before, self.look())


if __name__ == "__main__":
    unittest.main()
