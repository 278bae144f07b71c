"""A bad line to the server: cut at any message, closed on one side, slow."""
import sys
import tempfile
import unittest
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent))

from line import Line  # noqa: E402
from torture import Scene, pick, spread  # noqa: E402
from wire import TO_CLIENT, TO_SERVER, Fault  # noqa: E402


def setUpModule():
    Scene.open(fsync=True)


class Cut(Line):
    def one_batch(self):
        """All messages of a batch, of both directions: what is between two
        ends of a flush."""
        kinds = self.clean_run().kinds
        commits = {direction: [at for at, kind in enumerate(said)
                               if kind == b"COMMIT"]
                   for direction, said in kinds.items()}
        sent = kinds[TO_SERVER]
        # The server keeps the statement that writes: it is only bound.
        batch = next(
            nth for nth, at in enumerate(commits[TO_SERVER])
            if sent[at - 4:at] == [b"E", b"B", b"D", b"E"])
        for direction, end in ((TO_SERVER, b"S"), (TO_CLIENT, b"Z")):
            said, commit = kinds[direction], commits[direction][batch]
            first = commit + 1 - said[commit::-1].index(end)
            for at in range(first, said.index(end, commit) + 1):
                yield direction, at + 1

    def test_cut_at_any_message_the_rotation_completes_with_no_difference(
            self):
        for direction, number in self.all_over():
            for after in pick([number % 2 == 0], [number % 2 == 0],
                              [False, True]):
                self.suffer(Fault("cut", direction, number, after))
        # Once it works, a lost connection is replaced.
        self.assertHazards(cut=pick(20, 140, 1000),
                           survived=self.hazards["cut"] // 2)

    def test_cut_at_every_message_of_a_batch_it_is_written_once(self):
        batch = list(self.one_batch())
        self.assertGreater(len(batch), 25)
        for i in spread(len(batch), pick(8, 100, 100)):
            for after in pick([i % 2 == 0], [False, True], [False, True]):
                self.suffer(Fault("cut", *batch[i - 1], after))
        self.assertHazards(cut=pick(8, 50, 50))

    def test_a_commit_in_doubt_is_neither_lost_nor_done_twice(self):
        commits = self.commits()
        for i in spread(len(commits), pick(20, 1000, 1000)):
            direction, number = commits[i - 1]
            self.suffer(Fault("cut", direction, number,
                              after=direction == TO_SERVER))
        self.assertHazards(cut=pick(15, 25, 25))

    def test_a_line_that_is_closed_on_one_side_holds_nothing_up_for_ever(
            self):
        numbers = self.clean_run().count[TO_CLIENT]
        for number in spread(numbers, pick(4, 40, 200)):
            self.suffer(Fault("half_close", TO_CLIENT, number, hold=0.5))
        self.assertHazards(half_close=pick(3, 30, 150))


class Farewell(Line):
    """The server says that it goes, and goes, while the next batch is being
    made: it cannot be sent any more, and what was said waits to be read."""
    ROWS = 2000

    def setUp(self):
        super().setUp()
        self.tool.configure(rotate={"workers": 1, "batch_rows": 400},
                            t={"columns": "secret"})

    def test_who_cannot_send_any_more_hears_of_the_end(self):
        with tempfile.TemporaryDirectory() as folder:
            said = self.clean_run(local=folder).kinds[TO_CLIENT]
        # Of a batch that is done, the last message.
        ends = [at for at in range(2, len(said) + 1)
                if said[at - 2:at] == [b"COMMIT", b"Z"]]
        for i in spread(len(ends), pick(8, 60, 1000)):
            with tempfile.TemporaryDirectory() as folder:
                self.suffer(Fault("farewell", TO_CLIENT, ends[i - 1],
                                  after=True, hold=0.2), local=folder)
        self.assertHazards(farewell=pick(6, 30, 30))


class Slow(Line):
    def test_byte_by_byte_it_works_as_ever(self):
        proxy = self.clean_run(dribble=True)
        self.hazard("dribbled", sum(proxy.count.values()))
        self.assertHazards(dribbled=100)

    def test_with_a_delay_at_each_message_it_works_as_ever(self):
        proxy = self.clean_run(delay=pick(0.005, 0.05, 0.05))
        self.hazard("delayed", sum(proxy.count.values()))
        self.assertHazards(delayed=100)


if __name__ == "__main__":
    unittest.main()
