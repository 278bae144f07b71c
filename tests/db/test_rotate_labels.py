"""Labels are data: whatever stands where a key id should be, a run ends and
its report can be read."""
import sys
import unittest
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from lib import oracle  # noqa: E402
from lib.scene import Scene  # noqa: E402


def setUpModule():
    Scene.open()


class Labels(Scene):
    def rotate(self, values, column_type="text", status=1):
        self.sql("CREATE TABLE zoo (id int PRIMARY KEY,"
                 f" secret {column_type})")
        for i, value in enumerate(values):
            self.sql("INSERT INTO zoo VALUES (%s, %s)", i, value)
        self.tool.configure(zoo={"columns": "secret"})
        result = self.tool.rotate()
        self.assertExit(status, result)
        return result

    def assertLeft(self, values, column_type="text"):
        """All of them are findings, counted under some label; beside them a
        value is rotated."""
        good = self.ring.seal(b"1", "k2023")
        wrap = oracle.wrap if column_type != "text" else str
        column = self.rotate([wrap(good), *values], column_type).column(
            "secret")
        self.assertEqual(column["scanned"], len(values) + 1)
        self.assertEqual(column["rewritten"], 1)
        self.assertEqual(sum(column["keys"].values()), len(values) + 1)

    def test_long_labels_do_not_keep_a_run_from_ending(self):
        label = "x" * 300
        self.assertLeft([f"enc:fernet:{label}:AAAA"] * 3
                        + [f"enc:fernet:{label}y:AAAA"])

    def test_a_long_label_is_not_cut_within_a_character(self):
        self.assertLeft([f"enc:fernet:{'a' * n}{'ü' * 150}:AAAA"
                         for n in range(4)])

    def test_labels_of_control_characters_and_quotes_are_counted(self):
        self.assertLeft(["enc:fernet:\x01\n\":AAAA", "enc:fernet:';--:AAAA",
                         "enc:fernet: :AAAA", "enc:fernet:(others):AAAA"])

    def test_labels_that_only_json_can_hold_are_counted(self):
        member = oracle.MEMBER
        self.assertLeft([f'{{"{member}": "enc:fernet:{label}:AAAA"}}'
                         for label in ("k\\u0000", "k\\u0000", "k\\u00001",
                                       "\\ud800", "\\udc00x")], "json")

    def test_json_that_no_text_can_hold_does_not_stop_the_quick_count(self):
        self.sql("CREATE TABLE zoo (id int PRIMARY KEY, secret json)")
        values = [oracle.wrap(self.ring.seal(b"1")),
                  oracle.wrap(self.ring.seal(b"1", "k2023")),
                  " \n" + oracle.wrap(oracle.marked(b"1")),
                  '{"a": "\\u0000"}', '{"a": "\\ud800"}', '"\\udc00"', "[]"]
        for i, value in enumerate(values):
            self.sql("INSERT INTO zoo VALUES (%s, %s)", i, value)
        self.tool.configure(zoo={"columns": "secret", "raw": "allow"})
        result = self.tool.run("verify", "--quick", "--output", "json")
        self.assertExit(1, result)
        self.assertEqual(
            result.column("secret")["keys"], {"k2025": 1, "k2023": 1})
        self.assertEqual(result.column("secret")["verdicts"], {
            "current": 1, "old": 1, "plaintext": 1, "raw": 4})

    def test_a_key_id_that_json_escapes_is_told_from_what_it_looks_like(self):
        """In JSON k\\u0041 is a spelling of kA."""
        for primary in ("k\\u0041", 'k"\\"1', "k\\"):
            with self.subTest(primary):
                ring = oracle.Ring.fresh("kA", primary=primary)
                self.tool.set_ring(ring)
                self.sql("DROP TABLE IF EXISTS zoo;"
                         " DROP SCHEMA IF EXISTS pgrekey CASCADE")
                old = oracle.wrap(ring.seal(b"1", "kA"))
                for kind in ("json", "jsonb"):
                    self.sql("DROP TABLE IF EXISTS zoo")
                    result = self.rotate([
                        old, old.replace(":kA:", ":k\\u0041:"),
                        oracle.wrap(ring.seal(b"2"))], kind, status=0)
                    self.assertEqual(result.sum("rewritten"), 2)
                    for how in (("--retire", "kA"), ()):
                        self.assertExit(0, self.tool.verify(*how))
                    quick = self.tool.verify("--quick")
                    self.assertExit(6, quick)  # all is well, no proof
                    self.assertEqual(quick.column("secret")["keys"],
                                     {primary: 3})


if __name__ == "__main__":
    unittest.main()
