"""A line to the server with an echo: some message comes twice."""
import sys
import unittest
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent))

from line import Line  # noqa: E402
from torture import Scene, pick, spread  # noqa: E402
from lib import oracle  # noqa: E402
from wire import MOMENT, TO_SERVER, Fault  # noqa: E402


def setUpModule():
    Scene.open(fsync=True)


class Twice(Line):
    """What the protocol forbids, and libpq does not always notice: from then
    on an answer may be taken for that of the next statement. The program may
    give up as it likes, but not crash, hang, or claim what is not so."""

    BOUND = 60  # seconds to end in

    def hear_twice(self, direction, number, run, later=None):
        """How run ends when this message comes twice, without a crash or
        staying for ever. An answer to what comes later is behind the one that
        is waited for, and found only by the next one."""
        if later is None:
            later = number % 2
        fault = Fault("twice", direction, number, echo=later * MOMENT)
        with self.proxy(fault) as proxy:
            result = run(patience=self.BOUND)
        self.hazard("twice", len(proxy.doubled))
        self.hazard(f"exit {result.status}")
        self.assertIn(result.status, (0, 1, 4, 6, 70), (fault, result))
        return result

    def some(self, proxy):
        """Many of a run's messages, of both directions."""
        for direction, most in proxy.count.items():
            yield direction, spread(most, pick(25, most, most))

    def hear_all_twice(self, run, begin=lambda: None, which=None, later=None):
        """How run ends, which is not clean, for the messages which() of it;
        each time behind begin()."""
        begin()
        with self.proxy() as proxy:
            self.assertExit(1, run())
        for direction, numbers in (which or self.some)(proxy):
            for number in numbers:
                begin()
                result = self.hear_twice(direction, number, run, later)
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

    def rotate_what_is_not_clean(self, *how):
        stranger = oracle.Ring.fresh("stranger", primary="stranger")
        self.sql("UPDATE origin SET secret = %s WHERE id = 1",
                 stranger.seal(b"whatever", "stranger"))

        def begin():
            self.until_alone()
            self.start_anew()

        for result in self.hear_all_twice(self.tool.rotate, begin, *how):
            if result.status == 1:
                self.assertEqual(len(result.findings), 1, result)

    def test_an_echo_never_makes_a_run_clean_that_is_not(self):
        self.rotate_what_is_not_clean()
        self.assertHazards(twice=pick(40, 1000, 1000), **{"exit 1": 1})

    def test_an_echo_in_its_last_words_makes_no_run_clean(self):
        """What main asks when no worker is left."""
        def last_words(proxy):
            asked = proxy.kinds[TO_SERVER]
            # The worker's farewell, not main's own.
            left = asked.index(b"X") + 1
            yield TO_SERVER, range(left + 1, len(asked) + 1)

        self.rotate_what_is_not_clean(last_words, True)
        self.assertHazards(twice=15)

    def test_verify_counts_each_row_once_or_gives_up(self):
        clean = self.tool.verify().column("secret")
        for result in self.hear_all_twice(self.tool.verify):
            if result.status == 1:
                self.assertEqual(result.column("secret"), clean)
        self.assertHazards(twice=pick(40, 400, 400), **{"exit 1": 1})


if __name__ == "__main__":
    unittest.main()
