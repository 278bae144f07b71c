"""deps.sh on machines that lack everything, made of a nearly empty PATH."""

import os
import pathlib
import subprocess
import tempfile
import unittest

DEPS = pathlib.Path("scripts/deps.sh").resolve()
# What the script itself needs of any machine.
TOOLS = ("cat", "env", "id", "mktemp", "rm", "sh", "sort")
# Found by absolute names, and therefore here: the test runs.
PRESENT = {"libc6-dev", "python3", "python3-cryptography", "python3-psycopg2",
           "python3-yaml", "pyflakes3", "pgbouncer"}


class DepsTest(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.bin = pathlib.Path(folder.name, "bin")
        self.bin.mkdir()
        self.calls = pathlib.Path(folder.name, "calls")
        self.calls.touch()
        for tool in TOOLS:
            (self.bin / tool).symlink_to(f"/usr/bin/{tool}")

    def fake(self, name, body=""):
        path = self.bin / name
        path.unlink(missing_ok=True)
        path.write_text('#!/bin/sh\necho "'
                        f'{name} $*" >>{self.calls}\n{body}\n')
        path.chmod(0o755)

    def run_deps(self, *arguments):
        return subprocess.run(["/bin/bash", DEPS, *arguments],
                              env={"PATH": str(self.bin)},
                              capture_output=True, text=True)

    def called(self):
        return self.calls.read_text().splitlines()

    def test_nothing_missing_is_silence(self):
        done = subprocess.run([DEPS, "check"], capture_output=True, text=True,
                              env=os.environ)
        self.assertEqual((done.returncode, done.stdout, done.stderr),
                         (0, "", ""))

    def test_root_updates_once_and_installs_what_is_missing(self):
        self.fake("id", "echo 0")
        self.fake("apt-get", 'echo "$DEBIAN_FRONTEND" >>%s' % self.calls)
        done = self.run_deps("build")
        calls = [c for c in self.called() if c != "id -u"]
        self.assertEqual(calls[1::2], ["noninteractive", "noninteractive"])
        update, install = calls[::2]
        self.assertTrue(update.endswith(" update"), update)
        self.assertIn("--no-install-recommends gcc libinih-dev libpq-dev "
                      "libssl-dev make pkg-config", install)
        # Nothing was really installed, and that is noticed.
        self.assertEqual(done.returncode, 1)
        self.assertIn("installed, but still not usable", done.stderr)

    def test_what_was_installed_is_looked_for_again(self):
        self.fake("id", "echo 0")
        commands = " ".join(str(self.bin / c) for c in
                            ("cc", "make", "pkg-config"))
        self.fake("apt-get", f'''case $* in *install*)
            for c in {commands}; do echo "#!/bin/sh" >$c; /bin/chmod 755 $c
            done; esac''')
        done = self.run_deps("build")
        self.assertEqual(done.returncode, 0, done.stderr)
        self.calls.write_text("")
        self.assertEqual(self.run_deps("build").returncode, 0)
        self.assertEqual(self.called(), [])

    def test_a_sudoer_installs_through_sudo(self):
        self.fake("id", "echo 1000")
        self.fake("apt-get")
        self.fake("sudo", 'exec "$@"')
        self.run_deps("build")
        sudo = [c for c in self.called() if c.startswith("sudo ")]
        self.assertEqual(len(sudo), 2)
        self.assertEqual(
            len([c for c in self.called() if c.startswith("apt-get")]), 2)

    def server_installed_with(self, apt_get):
        """What apt-get saw of the server's settings, and what is left."""
        etc = self.bin.parent / "etc"
        etc.mkdir(exist_ok=True)
        (etc / "passwd").touch()  # never empty
        for tool in ("mkdir", "rmdir"):
            (self.bin / tool).unlink(missing_ok=True)
            (self.bin / tool).symlink_to(f"/usr/bin/{tool}")
        self.fake("id", "echo 1000")
        self.fake("sudo", f'''for word; do
            shift
            set -- "$@" "$(echo "$word" | /usr/bin/sed "s|/etc/|{etc}/|g")"
            done; exec "$@"''')
        self.fake("apt-get", f'''case $* in *install*)
            /usr/bin/grep -r . {etc}/postgresql-common >>{self.calls}
            {apt_get};; esac''')
        self.run_deps("demo")
        seen = [call.removeprefix(f"{etc}/") for call in self.called()
                if call.startswith(f"{etc}/")]
        left = {str(path.relative_to(etc)) for path in etc.rglob("*")}
        return seen, left - {"passwd"}

    def test_installing_the_server_starts_none_and_leaves_no_setting(self):
        seen = ["postgresql-common/createcluster.d/pgrekey.conf:"
                "create_main_cluster = false"]
        self.assertEqual(self.server_installed_with("exit 100"), (seen, set()))
        kept = self.bin.parent / "etc/postgresql-common/createcluster.d/a.conf"
        self.calls.write_text("")
        self.assertEqual(
            self.server_installed_with(f"echo >{kept}"),
            (seen, {"postgresql-common", "postgresql-common/createcluster.d",
                    "postgresql-common/createcluster.d/a.conf"}))

    def test_without_root_and_sudo_it_says_what_root_has_to_run(self):
        self.fake("id", "echo 1000")
        self.fake("apt-get")
        done = self.run_deps("build")
        self.assertEqual(done.returncode, 1)
        self.assertIn("apt-get install --no-install-recommends gcc",
                      done.stderr)
        self.assertFalse([c for c in self.called() if "apt-get" in c])

    def test_a_failing_apt_get_is_shown(self):
        self.fake("id", "echo 0")
        self.fake("apt-get", "echo 'E: no network'; exit 100")
        done = self.run_deps("build")
        self.assertEqual(done.returncode, 1)
        self.assertIn("E: no network", done.stderr)

    def test_a_dry_run_changes_nothing(self):
        self.fake("id", "echo 0")
        self.fake("apt-get")
        done = self.run_deps("-n", "check")
        self.assertEqual(done.returncode, 0)
        self.assertEqual(self.called(), [])
        self.assertIn("clang-tidy", done.stderr)

    def test_elsewhere_it_names_the_packages_and_fails(self):
        for manager, command, package in (
                ("dnf", "dnf install", "libpq-devel"),
                ("pacman", "pacman -S", "postgresql-libs"),
                ("apk", "apk add", "inih-dev"),
                ("brew", "brew install", "openssl@3")):
            with self.subTest(manager):
                self.fake(manager)
                done = self.run_deps("build")
                self.assertEqual(done.returncode, 1)
                self.assertIn(f"    {command} ", done.stderr)
                self.assertIn(f" {package}", done.stderr)
                self.assertEqual(self.called(), [])
                (self.bin / manager).unlink()

    def test_each_set_includes_the_ones_before_it(self):
        self.fake("apt-get")
        before = set()
        for name in ("build", "demo", "check"):
            done = self.run_deps("-n", name)
            packages = set(done.stderr.splitlines()[-1].split()[3:])
            self.assertLess(before, packages | PRESENT)
            before = packages

    def test_a_daemon_is_found_where_a_users_path_does_not_lead(self):
        done = self.run_deps("-n", "check")
        self.assertIn("strace", done.stderr)
        self.assertNotIn("pgbouncer", done.stderr)

    def test_an_unknown_set_is_a_usage_error(self):
        self.assertEqual(self.run_deps("everything").returncode, 2)
        self.assertEqual(self.run_deps().returncode, 2)


if __name__ == "__main__":
    unittest.main()
