"""A bad line to the server: cut at any message, slow, one-sided, dead, or
with an echo.

The proxy numbers the protocol's messages. A clean run says how many there
are; then one run per number loses its connection right there, before the
message got through or after it, COMMIT included, or gets the message twice.
"""
import contextlib
import re
import signal
import sys
import tempfile
import time
import unittest
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent))

import wire  # noqa: E402
from torture import Scene, Torture, pick, spread  # noqa: E402
from lib import oracle  # noqa: E402
from wire import TO_CLIENT, TO_SERVER, Fault, Proxy  # noqa: E402

GENTLE = {"workers": 1, "batch_rows": 7}
# A dead line is noticed soon, and the test ends.
QUICK = {"keepalives_idle": 1, "tcp_user_timeout": 2000,
         "connect_timeout": 2}


def setUpModule():
    Scene.open(fsync=True)


class Line(Torture):
    ROWS = 40

    def setUp(self):
        super().setUp()
        self.make_table(self.ROWS)
        self.tool.configure(rotate=GENTLE, t={"columns": "secret"})

    @contextlib.contextmanager
    def proxy(self, fault=None, **more):
        path = wire.socket_file(self.cluster.socket)
        with Proxy(path, fault, **more) as proxy:
            self.tool.connection = {"host": proxy.host, "port": proxy.port,
                                "sslmode": "disable", **QUICK}
            try:
                yield proxy
            finally:
                self.tool.connection = {}

    def clean_run(self, **more):
        """How many messages a run has, each way."""
        self.start_anew()
        with self.proxy(**more) as proxy:
            result = self.tool.rotate()
        self.assertDone(result, "a run through the proxy")
        return proxy

    def all_over(self):
        """Some numbers, of both directions."""
        proxy = self.clean_run()
        most = pick(12, 80, 10_000)
        return [(direction, number)
                for direction in (TO_SERVER, TO_CLIENT)
                for number in spread(proxy.count[direction], most)]

    def commits(self, *more):
        """The messages around each COMMIT: the Sync that makes the server
        look at it, its word that it has committed, that it is ready."""
        kinds = self.clean_run().kinds
        return [(direction, kinds[direction].index(wanted, at) + 1)
                for direction, wanted in (
                    *more, (TO_SERVER, b"S"), (TO_CLIENT, b"COMMIT"),
                    (TO_CLIENT, b"Z"))
                for at, kind in enumerate(kinds[direction])
                if kind == b"COMMIT"]

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

    def suffer(self, fault, patience=60, **more):
        """A run with that fault, and another one over a good line; returns
        how the first one ended."""
        self.until_alone()
        self.start_anew()
        with self.proxy(fault, **more) as proxy:
            first = self.tool.rotate(patience=patience)
        self.hazard(fault.kind, proxy.struck)
        self.hazard("survived" if first.status == 0 else "gave up",
                    proxy.struck)
        if first.status not in (0, 4):
            self.fail(f"{fault}: {first}")
        # It says why, and half a report is none.
        self.assertEqual(first.out != "", first.status == 0, fault)
        why = re.search("^pgrekey: (?!waiting|warning).*connect", first.err, re.M)
        self.assertEqual(first.status == 4, bool(why), first)
        self.assertDone(self.tool.rotate(), fault)
        return first

    def assertDone(self, result, moment):
        self.assertExit(0, result)
        self.assertOnce(moment)
        counts = result.column("secret")
        self.assertEqual((counts["scanned"], counts["verdicts"]),
                         (self.ROWS, {"current": self.ROWS}), moment)


class Cut(Line):
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


class BlackHole(Line):
    """No RST, no ACK, as if the cable were cut."""

    # Idle, a probe, and the next look; it waits for an answer to the first.
    NOTICE = 1 + 10 + 4
    # The first connection, up to this message, is not replaced. A worker's
    # is: 8 attempts to connect, and the pauses between them.
    SETUP = 30
    RECONNECT = 8 * QUICK["connect_timeout"] + 52

    def test_a_dead_line_is_given_up_within_the_bound(self):
        messages = self.clean_run().count[TO_CLIENT]
        # Near its end a run may be done before it notices.
        for number in pick([1, self.SETUP], spread(messages * 3 // 4, 4),
                           spread(messages * 3 // 4, 40)):
            bound = self.NOTICE + (self.RECONNECT if number > self.SETUP
                                   else 0)
            result = self.suffer(Fault("black_hole", TO_CLIENT, number),
                                 bound + 30)
            self.assertExit(4, result)
            self.assertLess(result.seconds, bound)
        self.assertHazards(black_hole=2)


class Hush(Line):
    """One connection falls silent; a new one works."""

    def test_who_says_nothing_is_taken_for_lost(self):
        self.tool.configure(rotate={**GENTLE, "answer_timeout": "300ms"},
                            t={"columns": "secret"})
        asked = self.clean_run().kinds[TO_SERVER]
        # Before there are only questions of the first connection, which is
        # not replaced; at the end a run may be done before it happens.
        first, last = asked.index(b"COMMIT") + 1, len(asked) * 9 // 10
        for i in spread(last - first, pick(12, 60, 1000)):
            self.suffer(Fault("hush", TO_SERVER, first + i), 30)
        self.assertHazards(hush=pick(10, 50, 200), survived=pick(8, 40, 160))


class Mute(Line):
    """Reachable, as far as the kernel can tell, but frozen: no word ever
    comes back, to a request to cancel neither."""

    ENOUGH = 30    # seconds to end in; it takes five
    PATIENCE = 60  # so long a single request to stop has to come about

    def messages(self, count):
        kinds = self.clean_run().kinds[TO_CLIENT]
        # Connecting has a limit of its own, and ends with 4.
        connected = kinds.index(b"Z") + 1
        last = len(kinds) * 3 // 4  # a run may be done before the end
        return [connected + number
                for number in spread(last - connected, count)]

    def test_who_insists_is_obeyed_and_nothing_is_lost(self):
        for number in self.messages(pick(3, 12, 40)):
            self.ask_to_stop(number, 2, self.ENOUGH)
        self.assertHazards(mute=pick(3, 10, 30))

    def test_who_asks_once_is_obeyed_as_well(self):
        for number in self.messages(pick(1, 2, 4)):
            self.ask_to_stop(number, 1, self.PATIENCE + self.ENOUGH)
        self.assertHazards(mute=pick(1, 2, 4))

    def ask_to_stop(self, number, times, enough):
        """Signals to a run that hears nothing from that message on."""
        self.until_alone()
        self.start_anew()
        with self.proxy(Fault("mute", TO_CLIENT, number)) as proxy:
            run = self.start()
            self.until(lambda: proxy.struck, "the server falls silent")
            for _ in range(times):
                self.assertTrue(run.running(), "nothing held it")
                run.send(signal.SIGTERM)
                time.sleep(0.1)
            self.until(lambda: not run.running(), "it ends", enough)
            result = run.finish()
        self.assertExit(5, result)
        self.assertRegex(result.err, "does not answer.*same command")
        self.hazard("mute", proxy.struck)
        self.assertDone(self.tool.rotate(), f"mute from message {number}")


if __name__ == "__main__":
    unittest.main()
