"""The ways to the server: TLS, passfile, service file; and no password ever
in what is printed."""
import os
import socket
import subprocess
import sys
import unittest
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from lib import zoo  # noqa: E402
from lib.scene import Scene  # noqa: E402

PASSWORD = "Pa55-never-to-be-seen"
WRONG = "wr0ng-never-to-be-seen"


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def openssl(*arguments):
    subprocess.run(["openssl", *map(str, arguments)], check=True,
                   capture_output=True)


def make_ca(folder, name):
    """A key and a certificate that signs others."""
    openssl("req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2",
            "-subj", f"/CN={name}", "-keyout", folder / f"{name}.key",
            "-out", folder / f"{name}.crt")
    return folder / f"{name}.crt"


def make_certificate(folder, ca, host):
    key, request = folder / "server.key", folder / "server.csr"
    extensions = folder / "server.ext"
    extensions.write_text(f"subjectAltName = DNS:{host}\n")
    openssl("req", "-newkey", "rsa:2048", "-nodes", "-subj", f"/CN={host}",
            "-keyout", key, "-out", request)
    openssl("x509", "-req", "-in", request, "-CA", ca, "-CAkey",
            ca.with_suffix(".key"), "-CAcreateserial", "-days", "2",
            "-extfile", extensions, "-out", folder / "server.crt")
    return folder / "server.crt", key


def setUpModule():
    global PORT
    PORT = free_port()
    Scene.open(listen_addresses="'127.0.0.1'", port=PORT)


class Connect(Scene):
    """The server wants TLS and a password from whoever comes by TCP."""

    def setUp(self):
        super().setUp()
        self.ca = make_ca(self.folder, "ca")
        self.serve(*make_certificate(self.folder, self.ca, "localhost"))
        self.sql("CREATE TABLE t (id int PRIMARY KEY, secret text)")
        zoo.copy_rows(self.admin, "t", ("id", "secret"), (
            (i, self.ring.seal(zoo.plain(str(i)), "k2024", zoo.THEN))
            for i in range(100)))
        role = f"role_{self.database}"
        self.sql(f"CREATE ROLE {role} SUPERUSER LOGIN PASSWORD '{PASSWORD}'")
        self.tool.configure(t={"columns": "secret"})
        self.passfile = self.folder / "pgpass"
        self.remember(PASSWORD)
        # libpq wants the certificate's name, and must not ask for an address.
        self.tool.connection = {
            "host": "localhost", "hostaddr": "127.0.0.1", "port": PORT,
            "user": role, "passfile": self.passfile,
            "sslmode": "verify-full", "sslrootcert": self.ca}

    def serve(self, certificate, key):
        """From now on the server shows this certificate."""
        data = self.cluster.data
        self.sql("ALTER SYSTEM SET ssl = on")
        for source, name in ((certificate, "server.crt"), (key, "server.key")):
            target = data / name
            target.write_bytes(source.read_bytes())
            target.chmod(0o600)
            if self.cluster.account:
                os.chown(target, self.cluster.account.pw_uid,
                         self.cluster.account.pw_gid)
        (data / "pg_hba.conf").write_text(
            "local all all trust\n"
            "hostssl all all 127.0.0.1/32 scram-sha-256\n")
        began = self.value("SELECT clock_timestamp()")
        self.sql("SELECT pg_reload_conf()")
        self.until(lambda: self.value(
            "SELECT pg_conf_load_time() >= %s", began), "it is loaded")

    def remember(self, password):
        self.passfile.write_text(f"localhost:*:*:*:{password}\n")
        self.passfile.chmod(0o600)

    def rotates(self, **more):
        before = self.snapshot("t", "secret")
        self.sql("CREATE TABLE seen (tls text)")
        self.sql("CREATE FUNCTION see() RETURNS trigger LANGUAGE plpgsql AS"
                 " 'BEGIN INSERT INTO public.seen SELECT version FROM"
                 " pg_stat_ssl WHERE pid = pg_backend_pid() AND ssl;"
                 " RETURN NULL; END'")
        self.sql("CREATE TRIGGER see AFTER UPDATE ON t FOR EACH STATEMENT"
                 " EXECUTE FUNCTION see()")
        result = self.tool.rotate(**more)
        self.assertExit(0, result)
        self.assertRight(before, self.snapshot("t", "secret"))
        self.assertGreater(self.value("SELECT count(*) FROM seen"), 0,
                           "it came without TLS")
        self.assertSilent(result)

    def refused(self, words):
        before = self.snapshot("t", "secret")
        result = self.tool.rotate()
        self.assertExit(4, result)
        self.assertIn(words, result.err)
        self.assertSilent(result)
        self.assertUntouched(before, self.snapshot("t", "secret"))

    def assertSilent(self, result):
        for password in (PASSWORD, WRONG):
            self.assertNotIn(password, result.out + result.err)

    def test_verify_full_and_a_passfile_are_enough(self):
        self.rotates()

    def test_a_certificate_of_an_unknown_authority_is_refused(self):
        self.tool.connection["sslrootcert"] = make_ca(self.folder, "other")
        self.refused("certificate verify failed")

    def test_a_certificate_for_another_host_is_refused(self):
        self.serve(*make_certificate(self.folder, self.ca, "elsewhere"))
        self.refused("does not match host name")

    def test_a_connection_without_tls_is_refused_by_the_server(self):
        self.tool.connection["sslmode"] = "disable"
        self.refused("no encryption")

    def test_a_wrong_password_is_exit_4_and_shown_nowhere(self):
        self.remember(WRONG)
        self.refused("password authentication failed")

    def test_no_password_is_exit_4_and_nobody_is_asked(self):
        self.passfile.write_text("")
        self.refused("no password supplied")

    def test_a_passfile_that_others_can_read_is_not_used(self):
        self.passfile.chmod(0o644)
        self.refused("no password supplied")

    def service(self):
        file = self.folder / "services"
        file.write_text("[app]\n" + "".join(
            f"{name}={value}\n"
            for name, value in self.tool.connection.items())
            + f"dbname={self.database}\n")
        return file

    def by_service(self, **connection):
        """Nothing of the usual [database] but the name of a service."""
        self.tool.usual = False
        self.tool.connection = connection

    def test_a_service_file_has_it_all(self):
        file = self.service()
        self.by_service(service="app")
        self.rotates(env={"PGSERVICEFILE": str(file)})

    def test_what_the_configuration_says_goes_before_the_service(self):
        self.tool.connection["port"] = 1
        file = self.service()
        self.by_service(service="app", port=PORT)
        self.rotates(env={"PGSERVICEFILE": str(file)})

    def test_a_password_in_the_service_file_is_used_and_not_shown(self):
        del self.tool.connection["passfile"]
        self.tool.connection["password"] = PASSWORD
        file = self.service()
        self.by_service(service="app")
        self.rotates(env={"PGSERVICEFILE": str(file), "HOME": "/nowhere"})

    def test_an_unknown_service_is_exit_4_and_named(self):
        self.by_service(service="nothing")
        self.refused("nothing")


if __name__ == "__main__":
    unittest.main()
