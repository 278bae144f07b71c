"""A line to the server with an echo: some message comes twice."""
import sys
import unittest
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent))

from line import Line  # noqa: E402
from torture import Scene, pick, spread  # noqa: E402
from lib import oracle  # noqa: E402
from wire import TO_SERVER, Fault  # noqa: E402


def setUpModule():
    Scene.open(fsync=True)


class Twice(Line):
    """What the protocol forbids, and libpq does not always notice: from then
    on an answer may be taken for that of the next statement. The program may
    give up as it likes, but not crash, hang, or claim what is not so."""

    BOUND = 60  # seconds to end in

    def hear_twice(self, direction, number, run):
        """How run ends when this message comes twice, without a crash or
        staying for ever."""
        fault = Fault("twice", direction, number)
        with self.proxy(fault) as proxy:
            result = run(patience=self.BOUND)
        self.hazard("twice", len(proxy.doubled))
        self.hazard(f"exit {result.status}")
        self.assertIn(result.status, (0, 1, 4, 6, 70), (fault, result))
        return result

    def hear_all_twice(self, run, begin=lambda: None):
        """How run ends, which is not clean, for many of its messages; each
        time behind begin()."""
        begin()
        with self.proxy() as proxy:
            self.assertExit(1, run())
        for direction, most in proxy.count.items():
            for number in spread(most, pick(25, most, most)):
                begin()
                result = self.hear_twice(direction, number, run)
                self.assertNotEqual(result.status, 0, (direction, number))
                yield result

    def bear(self, direction, number):
        """A run that gets this message twice, and another one over a good
        line."""
        self.until_alone()
        self.start_anew()
        first = self.hear_twice(direction, number, self.tool.rotate)
        moment = f"message {number} {direction} came twice"
        self.assertReadable(f"after {moment}")
        if first.status == 0:
            self.assertOnce(f"done though {moment}")
        self.assertDone(self.tool.rotate(), moment)

    def test_a_message_that_comes_twice_costs_no_value(self):
        for direction, number in self.all_over():
            self.bear(direction, number)
        self.assertHazards(twice=pick(20, 140, 1000))

    def test_a_commit_with_an_echo_seals_nothing_twice(self):
        commits = self.commits((TO_SERVER, b"E"))
        for i in spread(len(commits), pick(12, 1000, 1000)):
            self.bear(*commits[i - 1])
        self.assertHazards(twice=pick(10, 25, 25))

    def test_an_echo_never_makes_a_run_clean_that_is_not(self):
        stranger = oracle.Ring.fresh("stranger", primary="stranger")
        self.sql("UPDATE origin SET secret = %s WHERE id = 1",
                 stranger.seal(b"whatever", "stranger"))

        def begin():
            self.until_alone()
            self.start_anew()

        for result in self.hear_all_twice(self.tool.rotate, begin):
            if result.status == 1:
                self.assertEqual(len(result.findings), 1, result)
        self.assertHazards(twice=pick(40, 1000, 1000), **{"exit 1": 1})

    def test_verify_counts_each_row_once_or_gives_up(self):
        clean = self.tool.verify().column("secret")
        for result in self.hear_all_twice(self.tool.verify):
            if result.status == 1:
                self.assertEqual(result.column("secret"), clean)
        self.assertHazards(twice=pick(40, 400, 400), **{"exit 1": 1})


if __name__ == "__main__":
    unittest.main()
