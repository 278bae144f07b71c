"""The checks of report formats see what is wrong, or they would prove
nothing."""
import copy
import json
import sys
import unittest
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from lib import junit  # noqa: E402
from lib.pgrekey import ROOT  # noqa: E402
from lib.schema import Schema  # noqa: E402

REPORT = {
    "schema": 1, "command": "verify", "run": None, "primary": "k",
    "started": "2025-01-01T00:00:00Z", "finished": "2025-01-01T00:00:00Z",
    "seconds": 0.5, "exit": 1, "complete": False, "scope": "one snapshot",
    "partial": False, "standby": False,
    "tables": [{"label": "t", "name": "public.t", "columns": [{
        "name": "c", "scanned": 1, "verdicts": {"old": 1},
        "counters": {"nested": 1}, "keys": {"k": 1},
        "times": {"k": {"oldest": None, "newest": "2025-01-01T00:00:00Z"}}}]}],
    "findings": {"total": 1, "listed": [{
        "table": "public.t", "column": "c", "row": {"id": "1"},
        "verdict": "old", "reason": ""}]},
}
XML = """<?xml version="1.0" encoding="UTF-8"?>
<testsuites><testsuite name="s" tests="2" failures="1" errors="0"
skipped="0" time="0.1"><testcase classname="c" name="a"/><testcase
classname="c" name="b"><failure message="m">x</failure></testcase>
</testsuite></testsuites>
"""


class Reports(unittest.TestCase):
    def setUp(self):
        self.schema = Schema(json.loads(
            (ROOT / "docs/report.schema.json").read_text()))

    def test_a_report_as_it_should_be_has_no_errors(self):
        self.assertEqual(self.schema.errors(REPORT), [])

    def places(self, value, path=()):
        """Every member and element, as the way to it."""
        inside = (value.items() if isinstance(value, dict) else
                  enumerate(value) if isinstance(value, list) else ())
        for name, part in inside:
            yield path + (name,)
            yield from self.places(part, path + (name,))

    def with_change(self, path, change):
        report = copy.deepcopy(REPORT)
        inner = report
        for name in path[:-1]:
            inner = inner[name]
        change(inner, path[-1])
        return report

    def test_any_value_of_another_type_is_an_error(self):
        wrong = {"x": {"y": [1]}}
        for path in self.places(REPORT):
            report = self.with_change(
                path, lambda inner, name: inner.__setitem__(name, wrong))
            self.assertTrue(self.schema.errors(report), path)

    def test_a_member_that_is_missing_or_unknown_is_an_error(self):
        data = ("verdicts", "counters", "keys", "times", "row")
        for path in self.places(REPORT):
            if isinstance(path[-1], int) or any(
                    name in data for name in path[:-1]) or path[-1] in data:
                continue
            report = self.with_change(
                path, lambda inner, name: inner.pop(name))
            self.assertTrue(self.schema.errors(report), path)
            report = self.with_change(
                path, lambda inner, name: inner.__setitem__(name + "2", 1))
            self.assertTrue(self.schema.errors(report), path)

    def test_a_word_or_number_out_of_range_is_an_error(self):
        for path, value in (
                (("exit",), 7), (("schema",), 2), (("scope",), "some"),
                (("seconds",), -1), (("started",), "yesterday"),
                (("tables", 0, "columns", 0, "scanned"), -1),
                (("tables", 0, "columns", 0, "verdicts"), {"good": 1}),
                (("findings", "listed", 0, "verdict"), "bad")):
            report = self.with_change(
                path, lambda inner, name: inner.__setitem__(name, value))
            self.assertTrue(self.schema.errors(report), path)


class JUnit(unittest.TestCase):
    def wrong(self, old, new):
        self.assertIn(old, XML)
        return list(junit.errors(junit.parse(XML.replace(old, new, 1))))

    def test_what_is_right_has_no_errors(self):
        self.assertEqual(list(junit.errors(junit.parse(XML))), [])
        self.assertEqual(junit.failures(junit.parse(XML)),
                         {("c", "b"): ("m", "x")})

    def test_what_is_wrong_has(self):
        for old, new in (
                ('tests="2"', 'tests="3"'), ('failures="1"', 'failures="0"'),
                ('name="b"', 'name="a"'), ('name="a"', ''),
                ('classname="c" ', ''), ('<failure', '<broken/><failure'),
                ('name="s"', 'colour="s"'), ('errors="0"', 'errors="no"')):
            self.assertTrue(self.wrong(old, new), (old, new))

    def test_what_is_no_xml_is_refused(self):
        for old, new in (("m", "a & b"), ("x<", "\x01<"), ("x<", "\uffff<"),
                         ("</testsuites>", "")):
            with self.assertRaises(Exception):
                junit.parse(XML.replace(old, new, 1))


if __name__ == "__main__":
    unittest.main()
