"""Memory does not grow with the table, nor with the size of its values.

What a worker holds are its windows, and a small table does not fill them: up
to 300,000 rows of this size memory grows with the table under the default
settings. So the comparison runs with windows that SMALL (100,000) rows fill
already, and says so if they did not; LARGE (1,000,000) may be larger still.
Not for sanitizer builds, whose memory is their own.
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

SMALL = int(os.environ.get("SMALL", 100_000))
LARGE = int(os.environ.get("LARGE", 1_000_000))
FILLING = 300_000  # rows that fill the windows of the default settings
WINDOW = "2MiB"
TINY = 2000
REGION = 5000
HUGE_VALUES = int(os.environ.get("HUGE_VALUES", 500))
LIMIT = 64 * 1024  # KiB


def setUpModule():
    Scene.open()


class Memory(Scene):
    def seed(self, rows, *sizes):
        """Copies of some distinct values: the table counts, not they. Of
        two sizes, REGION rows have the first, then a tenth of that the other,
        in turns."""
        self.sql("DROP TABLE IF EXISTS t")
        self.sql("CREATE TABLE t (id int, secret text)")
        self.sql("CREATE TEMP TABLE seed (n int, kind int, secret text)")
        distinct = 2000 if max(sizes) < 1000 else 50
        zoo.copy_rows(
            self.admin, "seed", ("n", "kind", "secret"),
            ((n, kind,
              self.ring.seal(os.urandom(size), ("k2023", "k2024")[n % 2]))
             for n in range(distinct) for kind, size in enumerate(sizes)))
        self.sql("INSERT INTO t SELECT i, secret FROM generate_series(1, %s)"
                 " AS i JOIN seed ON n = i %% %s AND kind ="
                 " CASE WHEN i %% %s < %s OR %s = 1 THEN 0 ELSE 1 END"
                 " ORDER BY i",
                 rows, distinct, REGION + REGION // 10, REGION, len(sizes))
        self.sql("DROP TABLE seed")
        self.assertEqual(self.value("SELECT count(*) FROM t"), rows)

    def highest(self, run):
        """Most memory that it ever had, in KiB, as the kernel saw it. The
        rusage of a child would count the memory of its parent."""
        status, peak = Path(f"/proc/{run.pid}/status"), 0
        while run.running():
            found = re.search(r"VmHWM:\s+(\d+) kB", status.read_text())
            peak = int(found[1]) if found else peak
            time.sleep(0.005)
        self.assertGreater(peak, 1024, "nothing was measured")
        return peak

    def peak(self, rows, *sizes, **options):
        """Of a rotation."""
        self.seed(rows, *(sizes or (60,)))
        self.tool.configure(rotate=options, t={"columns": "secret"})
        run = self.start()
        peak = self.highest(run)
        result = run.finish()
        self.assertExit(0, result)
        self.assertEqual(self.labels("t", "secret"), {"k2025": rows})
        return peak

    def test_the_peak_is_the_same_for_many_more_rows(self):
        tiny, small, large = (self.peak(rows, window_bytes=WINDOW)
                              for rows in (TINY, SMALL, LARGE))
        self.assertGreater(small, tiny + 2048, "no full windows, no test")
        self.assertLess(large, small + 2048)

    def test_full_windows_of_the_default_settings_stay_below_the_limit(self):
        self.assertLess(self.peak(FILLING), LIMIT)

    def test_values_of_64_kib_stay_below_the_limit(self):
        self.assertLess(self.peak(HUGE_VALUES, 65536), LIMIT)

    def test_regions_of_small_and_large_values_stay_below_the_limit(self):
        """Windows of the one kind are full of rows, of the other of bytes;
        what one of them once held must not add up with what others hold."""
        self.assertLess(self.peak(220_000, 60, 4096, workers=4), LIMIT)

    def faults(self):
        """Pages that the server's processes were given, of those that have
        ended."""
        self.until_alone()
        stat = Path(f"/proc/{self.cluster.process.pid}/stat").read_text()
        return int(stat.rpartition(")")[2].split()[8])  # cminflt

    def test_the_server_keeps_its_memory_from_one_batch_to_the_next(self):
        """Else it would take and clear 160 pages more for each row."""
        self.seed(HUGE_VALUES, 65536)
        self.tool.configure(t={"columns": "secret"})
        before = self.faults()
        self.assertExit(0, self.tool.rotate("--workers", 1))
        self.assertLess((self.faults() - before) / HUGE_VALUES, 120)

    def test_verify_does_not_even_fetch_a_value_over_its_limit(self):
        self.seed(SMALL, 60)
        self.sql("INSERT INTO t VALUES (0, repeat('x', 200000000))")
        self.tool.configure(t={"columns": "secret",
                               "max_value_bytes": "1MiB"})
        run = self.tool.start_verify()
        peak = self.highest(run)
        result = run.finish()
        self.assertEqual(result.column("secret")["verdicts"],
                         {"old": SMALL, "oversize": 1})
        self.assertLess(peak, LIMIT)


if __name__ == "__main__":
    unittest.main()
