"""A run whose line to the server goes through a proxy.

The proxy numbers the protocol's messages. A clean run says how many there
are; then one run per number has its line broken right there, before the
message got through or after it, COMMIT included.
"""
import contextlib
import re

import wire
from torture import Torture, pick, spread
from wire import TO_CLIENT, TO_SERVER, Proxy

GENTLE = {"workers": 1, "batch_rows": 7}
# A dead line is noticed soon, and the test ends.
QUICK = {"keepalives_idle": 1, "tcp_user_timeout": 2000,
         "connect_timeout": 2}


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
        look at it, its word that it has committed, that it is ready. The last
        one is a simple query, with no Sync behind it."""
        kinds = self.clean_run().kinds
        return [(direction, kinds[direction].index(wanted, at) + 1)
                for direction, wanted in (
                    *more, (TO_SERVER, b"S"), (TO_CLIENT, b"COMMIT"),
                    (TO_CLIENT, b"Z"))
                for at, kind in enumerate(kinds[direction])
                if kind == b"COMMIT" and wanted in kinds[direction][at:]]

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
        why = re.search("^pgrekey: (?!waiting|warning).*connect", first.err,
                        re.M)
        self.assertEqual(first.status == 4, bool(why), first)
        self.assertDone(self.tool.rotate(), fault)
        return first

    def assertDone(self, result, moment):
        self.assertExit(0, result)
        self.assertOnce(moment)
        counts = result.column("secret")
        self.assertEqual((counts["scanned"], counts["verdicts"]),
                         (self.ROWS, {"current": self.ROWS}), moment)
