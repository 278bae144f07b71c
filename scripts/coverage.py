#!/usr/bin/python3
"""What the tests reached: lines and branches of every source file.

    scripts/coverage.py FOLDER-OF-THE-COVERAGE-BUILD

Least covered first. A branch is one way out of a condition, as gcc counts.
"""

import json
import pathlib
import subprocess
import sys


class Reach:
    """How many there are, how many were reached."""

    def __init__(self, counts=()):
        counts = list(counts)
        self.all = len(counts)
        self.hit = sum(count > 0 for count in counts)

    def add(self, other):
        self.all += other.all
        self.hit += other.hit

    @property
    def share(self):
        return self.hit / self.all if self.all else 1

    def __str__(self):
        return f"{self.hit:6}/{self.all:<6}{100 * self.share:6.1f} %"


def measure(notes):
    """Lines and branches of the source that this notes file belongs to."""
    source = str(notes.relative_to(sys.argv[1]).with_suffix(".c"))
    answer = subprocess.run(
        ["gcov", "--json-format", "--stdout", "--branch-probabilities", notes],
        check=True, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL).stdout
    files = [file for part in answer.splitlines()
             for file in json.loads(part)["files"] if file["file"] == source]
    lines = [line for file in files for line in file["lines"]]
    return source, (Reach(line["count"] for line in lines),
                    Reach(branch["count"] for line in lines
                          for branch in line["branches"]))


def main():
    notes = sorted(pathlib.Path(sys.argv[1], "src").rglob("*.gcno"))
    table = sorted(map(measure, notes), key=lambda row: row[1][1].share)
    total = Reach(), Reach()
    print(f"{'file':32}{'lines':>15}{'branches':>23}")
    for source, (lines, branches) in table:
        total[0].add(lines)
        total[1].add(branches)
        print(f"{source:32}{lines}  {branches}")
    print(f"{'all':32}{total[0]}  {total[1]}")


if __name__ == "__main__":
    main()
