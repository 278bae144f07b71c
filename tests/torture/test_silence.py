"""A line to the server on which nothing is heard any more: dead, or one that
lives while nobody answers."""
import signal
import sys
import time
import unittest
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent))

from line import GENTLE, QUICK, Line  # noqa: E402
from torture import Scene, pick, spread  # noqa: E402
from wire import TO_CLIENT, TO_SERVER, Fault  # noqa: E402


def setUpModule():
    Scene.open(fsync=True)


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


class Ghost(Line):
    """The server keeps a session whose client has gone, as behind a NAT that
    forgot a line."""

    def test_who_proves_does_not_wait_for_the_one_it_was(self):
        writer = self.connect(autocommit=False)
        writer.cursor().execute("INSERT INTO t VALUES (-1, NULL, NULL)")
        with self.proxy() as proxy:
            run = self.start("--wait", "60s")
            self.until(lambda: self.value(
                "SELECT to_regclass('pgrekey.run') IS NOT NULL")
                and self.value("SELECT max(prover) FROM pgrekey.run"),
                "it waits for the writer")
            ghost = self.value("SELECT backend_pid FROM pgrekey.worker"
                               " WHERE id = (SELECT prover FROM pgrekey.run)")
            proxy.abandon()
            self.until(lambda: self.value(
                "SELECT max(backend_pid) <> %s FROM pgrekey.worker"
                " WHERE id = (SELECT max(id) FROM pgrekey.worker)", ghost),
                "it has another line")
            writer.rollback()
            began = time.monotonic()
            result = run.finish()
            self.hazard("ghost", self.value(
                "SELECT count(*) FROM pg_stat_activity WHERE pid = %s", ghost))
        self.assertDone(result, "a ghost")
        self.assertLess(time.monotonic() - began, 30)
        self.assertHazards(ghost=1)


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
