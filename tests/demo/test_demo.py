"""What a newcomer runs first succeeds, fits, and leaves nothing behind."""
import os
import signal
import subprocess
import sys
import tempfile
import time
import unittest
from pathlib import Path

DEMO = Path(__file__).with_name("demo.py")
PATIENCE = 120  # seconds
NARROW = 60     # columns


class Demo(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory(prefix="pgrekey-")
        self.addCleanup(folder.cleanup)
        self.folder = Path(folder.name)
        self.folder.chmod(0o711)  # for root, the server is another user
        self.out = self.folder / "out"

    def start(self, rows, place=None, **more):
        """In a process group of its own, as a terminal would."""
        with self.out.open("wb") as out:
            return subprocess.Popen(
                [sys.executable, DEMO], stdin=subprocess.DEVNULL, stdout=out,
                stderr=out, start_new_session=True,
                env={**os.environ, "ROWS": str(rows),
                     "TMPDIR": str(place or self.folder), **more})

    def finish(self, process):
        try:
            status = process.wait(PATIENCE)
        finally:
            if process.returncode is None:
                os.killpg(process.pid, signal.SIGKILL)
                process.wait()
        return status, self.out.read_text()

    def left(self, process):
        """Processes of its group, and files. The group may need a moment."""
        self.out.unlink()
        for _ in range(100):
            group = subprocess.run(["pgrep", "-g", str(process.pid)],
                                   stdout=subprocess.PIPE).stdout
            if not group:
                break
            time.sleep(0.05)
        return group, list(self.folder.iterdir())

    def interrupted(self, title, times):
        process = self.start(rows=100_000)
        deadline = time.monotonic() + PATIENCE
        while title not in self.out.read_text():
            self.assertIsNone(process.poll(), self.out.read_text())
            self.assertLess(time.monotonic(), deadline)
            time.sleep(0.02)
        for _ in range(times):
            time.sleep(0.5)
            os.killpg(process.pid, signal.SIGINT)
        status, text = self.finish(process)
        self.assertEqual(status, 1, text)
        self.assertTrue(text.endswith(
            "\nstopped; the server and its data are gone again\n"), text)
        self.assertNotIn("Traceback", text)
        self.assertEqual(self.left(process), (b"", []))

    def test_it_succeeds_and_leaves_nothing(self):
        process = self.start(rows=1000)
        status, text = self.finish(process)
        self.assertEqual(status, 0, text)
        self.assertIn(" 0 differences.", text)
        self.assertIn("All is well.", text)
        self.assertEqual(self.left(process), (b"", []))

    def test_variables_for_another_server_do_not_reach_it(self):
        process = self.start(
            rows=1000, PGPORT="1", PGHOST="/no/where", PGSSLMODE="require",
            PGOPTIONS="-c default_transaction_read_only=on")
        status, text = self.finish(process)
        self.assertEqual(status, 0, text)
        self.assertIn("All is well.", text)

    def test_what_goes_wrong_is_said_without_a_traceback(self):
        """No socket can have a name as long as in this folder."""
        deep = self.folder / ("x" * 100)
        deep.mkdir(mode=0o711)
        process = self.start(1000, place=deep)
        status, text = self.finish(process)
        self.assertEqual(status, 1)
        self.assertNotIn("Traceback", text)
        self.assertIn("\ndemo: PostgreSQL does not start:", text)
        self.assertRegex(text, r"\nhint: .* MiB free; TMPDIR names another")
        self.assertEqual(list(deep.iterdir()), [])

    def test_rows_that_are_no_number_are_said_in_one_line(self):
        for rows in ("abc", "", "1e6"):
            with self.subTest(rows):
                self.assertEqual(
                    self.finish(self.start(rows)),
                    (2, f"demo: ROWS is no whole number: '{rows}'\n"))

    def test_its_own_words_fit_a_narrow_terminal(self):
        self.finish(self.start(rows=1000))
        theirs = ("host = ", "directory = ", "public.", " values: ")
        for line in self.out.read_text().splitlines():
            if not any(word in line for word in theirs):
                self.assertLessEqual(len(line), NARROW, line)

    def test_ctrl_c_stops_it_and_leaves_nothing(self):
        self.interrupted("1. ", 1)
        self.interrupted("3. ", 1)

    def test_ctrl_c_twice_stops_it_and_leaves_nothing(self):
        self.interrupted("1. ", 2)
        self.interrupted("3. ", 2)


if __name__ == "__main__":
    unittest.main()
