"""Memory does not grow with the table, nor with the size of its values.

SMALL and LARGE are numbers of rows. The windows are small here so that a
small table fills all that are in flight; WINDOW=8MiB is the default of the
program, with which SMALL has to be 300000 to fill them. The whole promise:
WINDOW=8MiB SMALL=300000 LARGE=1000000. Not for sanitizer builds, whose memory
is their own.
"""
import os
import re
import sys
import time
import unittest
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from lib import zoo  # noqa: E402
from lib.scene import Scene  # noqa: E402

SMALL = int(os.environ.get("SMALL", 60_000))
LARGE = int(os.environ.get("LARGE", 240_000))
HUGE_VALUES = int(os.environ.get("HUGE_VALUES", 500))
WINDOW = os.environ.get("WINDOW", "512KiB")
LIMIT = 64 * 1024  # KiB


def setUpModule():
    Scene.open()


class Memory(Scene):
    def seed(self, rows, size):
        """Copies of some distinct values: the table counts, not they."""
        self.sql("DROP TABLE IF EXISTS t")
        self.sql("CREATE TABLE t (id int, secret text)")
        self.sql("CREATE TEMP TABLE seed (n int, secret text)")
        distinct = 2000 if size < 1000 else 50
        zoo.copy_rows(
            self.admin, "seed", ("n", "secret"),
            ((n, self.ring.seal(os.urandom(size), ("k2023", "k2024")[n % 2]))
             for n in range(distinct)))
        self.sql("INSERT INTO t SELECT i, secret FROM generate_series(1, %s)"
                 " AS i JOIN seed ON n = i %% %s", rows, distinct)
        self.sql("DROP TABLE seed")
        self.assertEqual(self.value("SELECT count(*) FROM t"), rows)

    def peak(self, rows, size=60, **options):
        """Most memory that a rotation ever had, in KiB, as the kernel saw
        it. The rusage of a child would count the memory of its parent."""
        self.seed(rows, size)
        self.tool.configure(rotate=options, t={"columns": "secret"})
        run = self.start()
        status, peak = Path(f"/proc/{run.pid}/status"), 0
        while run.running():
            found = re.search(r"VmHWM:\s+(\d+) kB", status.read_text())
            peak = int(found[1]) if found else peak
            time.sleep(0.005)
        result = run.finish()
        self.assertExit(0, result)
        self.assertEqual(self.labels("t", "secret"), {"k2025": rows})
        self.assertGreater(peak, 1024, "nothing was measured")
        return peak

    def test_the_peak_is_the_same_for_many_more_rows(self):
        small, large = (self.peak(rows, window_bytes=WINDOW)
                        for rows in (SMALL, LARGE))
        self.assertLess(small, LIMIT)
        self.assertLess(large, LIMIT)
        self.assertLess(large, small * 1.25 + 2048, f"{small} {large}")

    def test_values_of_64_kib_stay_below_the_limit(self):
        self.assertLess(self.peak(HUGE_VALUES, 65536), LIMIT)


if __name__ == "__main__":
    unittest.main()
