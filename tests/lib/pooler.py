"""A throw-away PgBouncer before a cluster, on a Unix socket of its own."""
import contextlib
import os
import pwd
import shutil
import subprocess
import tempfile
import time
from pathlib import Path

import psycopg2

from .cluster import die_with_parent

PORT = 6432
READY_SECONDS = 20


class Pooler:
    """mode is session or transaction. What a client leaves in its session is
    left there: nothing resets it for the next one."""

    def __init__(self, cluster, mode, size=4):
        self.cluster = cluster
        self.size = size
        self.home = Path(tempfile.mkdtemp(prefix="pgrekey-pooler-"))
        self.log = self.home / "log"
        users = self.home / "users"
        users.write_text('"postgres" ""\n')
        config = self.home / "pgbouncer.ini"
        config.write_text(f"""
[databases]
* = host={cluster.socket}
[pgbouncer]
listen_port = {PORT}
unix_socket_dir = {self.home}
auth_type = trust
auth_file = {users}
pool_mode = {mode}
default_pool_size = {size}
server_reset_query =
""")
        self.process = None
        try:
            self._start(config)
        except BaseException:
            self.close()
            raise

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()

    def _start(self, config):
        more = {}
        if os.geteuid() == 0:  # as which it would not run
            account = pwd.getpwnam("postgres")
            os.chown(self.home, account.pw_uid, account.pw_gid)
            more = {"user": account.pw_uid, "group": account.pw_gid,
                    "extra_groups": []}
        # Not everybody's PATH has the folders of daemons.
        program = shutil.which("pgbouncer", path=os.environ["PATH"]
                               + ":/usr/local/sbin:/usr/sbin")
        with self.log.open("ab") as log:
            self.process = subprocess.Popen(
                [program, config], stdin=subprocess.DEVNULL, stdout=log,
                stderr=log, cwd=self.home, preexec_fn=die_with_parent,
                start_new_session=True, **more)
        deadline = time.monotonic() + READY_SECONDS
        while not self._answers():
            if (self.process.poll() is not None
                    or time.monotonic() > deadline):
                raise RuntimeError("PgBouncer does not start:\n"
                                   + self.log.read_text(errors="replace"))
            time.sleep(0.02)

    def _answers(self):
        try:
            self.connect("postgres").close()
            return True
        except psycopg2.OperationalError:
            return False

    def close(self):
        if self.process and self.process.poll() is None:
            self.process.kill()
            self.process.wait(READY_SECONDS)
        shutil.rmtree(self.home, ignore_errors=True)

    def settings(self, database):
        """[database] of a configuration file."""
        return {"host": self.home, "port": PORT, "user": "postgres",
                "dbname": database}

    def connect(self, database):
        connection = psycopg2.connect(host=str(self.home), port=PORT,
                                      user="postgres", dbname=database)
        connection.autocommit = True
        return connection

    def sessions(self, database, sql):
        """What each of its sessions answers: all of them are made busy at
        once, so that no client gets the one of another."""
        answers = []
        with contextlib.ExitStack() as stack:
            for _ in range(self.size):
                client = stack.enter_context(
                    contextlib.closing(self.connect(database)))
                cursor = client.cursor()
                cursor.execute("BEGIN")
                stack.callback(cursor.execute, "ROLLBACK")
                cursor.execute(sql)
                answers.append(cursor.fetchall())
        return answers
