"""A crash of the machine may take commits back that nobody waited for: few, and
none once rotate has said that it is done."""
import sys
import unittest
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from lib import zoo  # noqa: E402
from lib.scene import Scene  # noqa: E402

ROWS, BYTES = 6000, 3000
PAGE = 8192  # of log: reading what was written may log a little
MIB = 1 << 20


def setUpModule():
    # What nobody waits for is not written for a while. But a full buffer is.
    Scene.open(wal_writer_delay="10s", wal_writer_flush_after="1GB",
               wal_buffers="128MB", full_page_writes="off")


class Flush(Scene):
    def setUp(self):
        super().setUp()
        self.sql("CREATE TABLE t (id int PRIMARY KEY, secret text)")
        zoo.copy_rows(self.admin, "t", ("id", "secret"),
                      ((n, self.ring.seal(bytes(BYTES), "k2023"))
                       for n in range(ROWS)))
        self.sql("SET synchronous_commit = off")

    def at_risk(self):
        """Bytes of the log that a crash of the machine would lose."""
        return self.value("SELECT pg_current_wal_insert_lsn()"
                          " - pg_current_wal_flush_lsn()")

    def most_at_risk(self, **options):
        """In the middle of a run, after which all is flushed."""
        self.tool.configure(rotate={"workers": 1, **options},
                            t={"columns": "secret"})
        run, most = self.start(), 0
        while run.running():
            most = max(most, self.at_risk())
        result, left = run.finish(), self.at_risk()
        self.assertExit(0, result)
        self.assertLess(left, PAGE)
        return most

    def test_a_few_batches_are_at_risk_and_not_more(self):
        most = self.most_at_risk()
        self.assertGreater(most, MIB, "each waited for the disk")
        self.assertLess(most, 5 * MIB)

    def test_nothing_waits_when_it_need_not_but_the_end(self):
        self.assertGreater(self.most_at_risk(synchronous_commit="off"),
                           8 * MIB)

    def test_this_server_flushes_for_nobody_who_does_not_wait(self):
        """But now and then, in its own time."""
        seen = []
        while not seen or seen[-1] <= PAGE and len(seen) < 20:
            self.sql("UPDATE t SET secret = secret WHERE id < 100")
            seen.append(self.at_risk())
        self.assertGreater(seen[-1], PAGE, seen)


if __name__ == "__main__":
    unittest.main()
