"""With synchronous_commit = off a crash of the machine may take commits back,
but not once rotate has said that it is done."""
import sys
import unittest
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from lib import zoo  # noqa: E402
from lib.scene import Scene  # noqa: E402

ROWS = 500
PAGE = 8192  # of log: reading what was written may log a little


def setUpModule():
    # What nobody waits for is not written for a while.
    Scene.open(wal_writer_delay="10s", wal_writer_flush_after="1GB")


class Flush(Scene):
    def at_risk(self):
        """Bytes of the log that a crash of the machine would lose."""
        return self.value("SELECT pg_current_wal_insert_lsn()"
                          " - pg_current_wal_flush_lsn()")

    def test_what_rotate_called_done_was_flushed(self):
        self.sql("CREATE TABLE t (id int PRIMARY KEY, secret text)")
        zoo.copy_rows(self.admin, "t", ("id", "secret"),
                      ((n, self.ring.seal(b"%d" % n, "k2023"))
                       for n in range(ROWS)))
        self.tool.configure(rotate={"synchronous_commit": "off"},
                            t={"columns": "secret"})
        result = self.tool.rotate()
        at_risk = self.at_risk()
        self.assertEqual(result.status, 0, result)
        self.assertLess(at_risk, PAGE)
        # The hazard: this server flushes for nobody who does not wait.
        self.sql("SET synchronous_commit = off")
        self.sql("UPDATE t SET secret = secret")
        self.assertGreater(self.at_risk(), PAGE, "no test")


if __name__ == "__main__":
    unittest.main()
