"""A throw-away PostgreSQL: own directory, Unix socket only, always stopped.

Root may not run a server, so for root it runs as the user postgres; anybody
else runs it as himself. Nobody but these two can reach its socket: it trusts
whoever connects.
"""
import atexit
import contextlib
import ctypes
import os
import pwd
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path

import psycopg2

PR_SET_PDEATHSIG = 1
READY_SECONDS = 60

# The server, psql, the program and libpq in this very process would obey what
# the caller has exported for another server.
for name in list(os.environ):
    if name.startswith("PG") and not name.startswith("PGREKEY_"):
        del os.environ[name]

# Quick, and without a mind of its own: the tests decide when to vacuum.
SETTINGS = {
    "listen_addresses": "''",
    "autovacuum": "off",
    "max_connections": "60",
    "max_prepared_transactions": "5",
    "shared_buffers": "128MB",
    "max_wal_size": "2GB",
    "log_error_verbosity": "verbose",
}
UNSAFE = {
    "fsync": "off",
    "full_page_writes": "off",
}


def binaries():
    """The directory of initdb and postgres."""
    found = subprocess.run(["pg_config", "--bindir"], check=True,
                           capture_output=True, text=True).stdout.strip()
    if not os.access(f"{found}/initdb", os.X_OK):
        raise RuntimeError(f"no PostgreSQL server in {found}")
    return Path(found)


def die_with_parent():
    """In a new child: do not outlive a killed test."""
    ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGQUIT)


def exit_on_sigterm():
    """SIGTERM ends Python without atexit; make it an ordinary exit."""
    if (threading.current_thread() is threading.main_thread()
            and signal.getsignal(signal.SIGTERM) == signal.SIG_DFL):
        signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))


class Cluster:
    """One server with one superuser, postgres. Use it with `with`, or close()
    it; a test that dies in between leaves nothing behind either."""

    # Variables that the server alone has, for a subclass.
    environment = {}

    def __init__(self, fsync=False, start=True, **settings):
        exit_on_sigterm()
        self.bin = binaries()
        self.process = None
        self.databases = 0
        self.port = settings.get("port", 5432)
        self.account = (pwd.getpwnam("postgres") if os.geteuid() == 0
                        else None)
        self.home = Path(tempfile.mkdtemp(prefix="pgrekey-"))
        atexit.register(self.close)
        self.data = self.home / "data"
        self.socket = self.home / "socket"
        self.log = self.home / "server.log"
        self._make_home()
        if start:
            self._initdb({**SETTINGS, **({} if fsync else UNSAFE), **settings})
            self.start()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()

    # -- life ------------------------------------------------------------

    def start(self):
        with self.log.open("ab") as log:
            self.process = subprocess.Popen(
                [self.bin / "postgres", "-D", self.data, "-k", self.socket],
                stdin=subprocess.DEVNULL, stdout=log, stderr=log,
                preexec_fn=die_with_parent, start_new_session=True,
                env={**os.environ, **self.environment},
                cwd=self.home, **self._as_account())
        deadline = time.monotonic() + READY_SECONDS
        while not self.answers():
            if (self.process.poll() is not None
                    or time.monotonic() > deadline):
                raise RuntimeError("PostgreSQL does not start:\n"
                                   + self.log.read_text(errors="replace"))
            time.sleep(0.02)

    def stop(self, mode="fast"):
        """fast ends sessions politely, immediate is a crash."""
        if self.process is None:
            return
        how = {"fast": signal.SIGINT, "immediate": signal.SIGQUIT}[mode]
        if self.process.poll() is None:
            self.process.send_signal(how)
        self.process.wait(READY_SECONDS)
        self.process = None

    def close(self):
        atexit.unregister(self.close)
        try:
            self.stop("immediate")
        finally:
            shutil.rmtree(self.home, ignore_errors=True)

    def standby(self):
        """A hot standby of this cluster, which streams and has said how far
        it is: one that has not yet is taken for a backup."""
        before = self._standbys()
        other = Cluster(start=False)
        subprocess.run(
            [self.bin / "pg_basebackup", "-h", self.socket, "-p",
             str(self.port), "-U", "postgres", "-D", other.data, "-R",
             "--checkpoint=fast", "--no-sync"],
            check=True, capture_output=True, cwd=other.home,
            **other._as_account())
        other.port = self.port
        other.start()
        deadline = time.monotonic() + READY_SECONDS
        while self._standbys() <= before:
            if time.monotonic() > deadline:
                raise RuntimeError("the standby does not stream:\n"
                                   + other.server_log())
            time.sleep(0.02)
        return other

    # -- use -------------------------------------------------------------

    def database(self, encoding="UTF8"):
        """The name of a fresh, empty database."""
        self.databases += 1
        name = f"test{self.databases}"
        self._administer(f"CREATE DATABASE {name} TEMPLATE template0"
                         f" ENCODING '{encoding}'")
        return name

    def drop(self, name):
        self._administer(f"DROP DATABASE {name} WITH (FORCE)")

    def connect(self, database, user="postgres", autocommit=True, **more):
        connection = psycopg2.connect(host=str(self.socket), port=self.port,
                                      dbname=database, user=user, **more)
        connection.autocommit = autocommit
        return connection

    def answers(self):
        try:
            self.connect("postgres").close()
            return True
        except psycopg2.OperationalError:
            return False

    def psql(self, database, sql, user="postgres"):
        """Runs a script as an administrator would; returns its output."""
        return subprocess.run(
            [self.bin / "psql", "-X", "-q", "-A", "-t", "-v",
             "ON_ERROR_STOP=1", "-h", self.socket, "-p", str(self.port),
             "-U", user, database],
            input=sql, check=True, capture_output=True, text=True).stdout

    def server_log(self):
        return self.log.read_text(errors="replace")

    # -- inside ----------------------------------------------------------

    def _make_home(self):
        self.socket.mkdir(mode=0o700)
        if self.account is None:
            return
        for folder in (self.home, self.socket):
            os.chown(folder, 0, self.account.pw_gid)
            folder.chmod(0o770)

    def _as_account(self):
        if self.account is None:
            return {}
        return {"user": self.account.pw_uid, "group": self.account.pw_gid,
                "extra_groups": []}

    def _initdb(self, settings):
        subprocess.run(
            [self.bin / "initdb", "-D", self.data, "-U", "postgres",
             "--auth=trust", "--encoding=UTF8", "--locale=C", "--no-sync",
             "--no-instructions"],
            check=True, capture_output=True, cwd=self.home,
            **self._as_account())
        with (self.data / "postgresql.conf").open("a") as conf:
            for name, value in settings.items():
                conf.write(f"{name} = {value}\n")

    def _standbys(self):
        return int(self.psql(
            "postgres", "SELECT count(*) FROM pg_stat_replication"
            " WHERE state = 'streaming' AND replay_lsn IS NOT NULL"))

    def _administer(self, sql):
        with contextlib.closing(self.connect("postgres")) as admin:
            admin.cursor().execute(sql)
