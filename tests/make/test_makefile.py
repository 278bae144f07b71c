"""The Makefile itself."""

import pathlib
import re
import subprocess
import unittest

TEXT = pathlib.Path("Makefile").read_text()


def one_after_the_other(goal):
    """Whether make says so of its goals if this is one of them."""
    done = subprocess.run(["make", "-np", "help", f"MAKECMDGOALS=all {goal}"],
                          capture_output=True, text=True, check=True)
    return bool(re.search(r"^\.NOTPARALLEL:", done.stdout, re.M))


class MakefileTest(unittest.TestCase):
    def test_goals_that_fill_the_machine_run_one_after_the_other(self):
        """All that test or measure begin with what they need installed."""
        goals = re.findall(r"^([\w-]+): deps\b", TEXT, re.M) + ["demo"]
        self.assertIn("bench-latency", goals)
        for goal in goals:
            with self.subTest(goal):
                self.assertTrue(one_after_the_other(goal))

    def test_what_only_builds_does_not_wait(self):
        for goal in ("programs", "unit", "compilers"):
            with self.subTest(goal):
                self.assertFalse(one_after_the_other(goal))


if __name__ == "__main__":
    unittest.main()
