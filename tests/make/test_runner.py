"""The test runner counts right and lets no failure pass."""

import os
import pathlib
import shutil
import signal
import subprocess
import tempfile
import textwrap
import time
import unittest

RUNNER = pathlib.Path("scripts/run-tests.py").resolve()

GOOD = """
    import unittest

    class T(unittest.TestCase):
        def test_one(self):
            pass

        def test_two(self):
            {}
"""


class RunnerTest(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.folder = pathlib.Path(folder.name)

    def python(self, body, name="test_x.py"):
        path = self.folder / name
        path.write_text(textwrap.dedent(body))
        return str(path)

    def program(self, body):
        """Stands for a cmocka program."""
        path = self.folder / "test_program"
        path.write_text("#!/bin/sh\n" + textwrap.dedent(body))
        path.chmod(0o755)
        return str(path)

    def run_suites(self, *paths, flavour="release", options=()):
        env = {k: v for k, v in os.environ.items() if "_OPTIONS" not in k}
        return subprocess.run(
            [RUNNER, *options, *(f"{flavour}:{p}" for p in paths)],
            capture_output=True, text=True, env=env)

    def tally(self, passed, failed, *paths, **how):
        done = self.run_suites(*paths, **how)
        self.assertEqual(done.stdout.splitlines()[-1],
                         f"{passed} passed, {failed} failed", done.stdout)
        self.assertEqual(done.returncode, 1 if failed else 0)
        return done.stdout

    def test_success_is_one_line_per_suite_and_the_sum(self):
        out = self.tally(4, 0, self.python(GOOD.format("pass")), self.program(
            "echo '[       OK ] a'; echo '[       OK ] b'"))
        self.assertEqual(len(out.splitlines()), 3)

    def test_a_failing_python_test_is_counted_and_shown(self):
        out = self.tally(1, 1, self.python(GOOD.format('self.fail("why")')))
        self.assertIn("AssertionError: why", out)

    def test_a_skipped_python_test_is_a_failure(self):
        self.tally(1, 1, self.python(GOOD.format('self.skipTest("")')))

    def test_a_file_that_does_not_import_is_a_failure(self):
        self.tally(0, 1, self.python("import nothing_of_that_name"))

    def test_a_failing_set_up_of_the_module_is_a_failure(self):
        self.tally(0, 1, self.python("def setUpModule(): 1 / 0\n"
                                     + textwrap.dedent(GOOD.format("pass"))))

    def test_a_file_without_tests_is_a_failure(self):
        self.tally(0, 1, self.python(""))

    def test_a_failing_cmocka_test_is_counted_and_shown(self):
        out = self.tally(1, 2, self.program("""
            echo '[       OK ] a'
            echo '[  FAILED  ] b'
            echo '[  FAILED  ] c'
            echo '[  FAILED  ] 2 test(s), listed below:'
            exit 2"""))
        self.assertIn("[  FAILED  ] b", out)

    def test_a_skipped_cmocka_test_is_a_failure(self):
        self.tally(1, 1, self.program("""
            echo '[       OK ] a'
            echo '[  SKIPPED ] b'
            echo '[  SKIPPED ] 1 test(s), listed below:'"""))

    def test_a_crash_is_a_failure(self):
        self.tally(1, 1, self.program("echo '[       OK ] a'; kill -9 $$"))

    def test_a_program_that_is_missing_is_a_failure(self):
        self.tally(0, 1, "no/such/program")

    def test_a_report_of_a_sanitizer_is_a_failure_whoever_swallowed_it(self):
        out = self.tally(1, 1, self.program("""
            echo '[       OK ] a'
            log=$(echo "$ASAN_OPTIONS" | sed 's/.*log_path=\\([^:]*\\).*/\\1/')
            echo 'heap-use-after-free' >"$log.123" """))
        self.assertIn("heap-use-after-free", out)

    def test_a_suite_that_hangs_is_stopped(self):
        self.tally(0, 1, self.python(GOOD.format("import time; time.sleep(60)")),
                   options=["-t", "1"])

    def test_the_suite_finds_the_program_of_its_flavour(self):
        self.tally(1, 0, self.program(
            'test "$PGREKEY_BUILD" = out/tsan && echo "[       OK ] a"'),
            flavour="tsan", options=["-b", "out"])

    def test_a_suite_that_wants_the_machine_to_itself_has_it(self):
        busy = self.folder / "busy"
        lonely = self.python(f"""
            import pathlib, time, unittest

            class T(unittest.TestCase):
                def test_nobody_else_is_there(self):
                    time.sleep(0.5)
                    self.assertFalse(pathlib.Path("{busy}").exists())
            """, "test_lonely.py")
        other = self.program(f"""
            touch {busy}; sleep 2; rm {busy}
            echo '[       OK ] a'""")
        self.tally(1, 1, lonely, other)
        self.tally(2, 0, lonely, other, options=["-a", lonely])

    def test_of_the_suites_that_wait_one_runs_beside_the_others(self):
        def suite(name, seconds, *others):
            """It is there for so long, and wants to see those others."""
            return self.python(f"""
                import pathlib, time, unittest

                class T(unittest.TestCase):
                    def test_who_is_there(self):
                        folder = pathlib.Path("{self.folder}/there")
                        folder.mkdir(exist_ok=True)
                        (folder / "{name}").touch()
                        until = time.monotonic() + {seconds}
                        seen = set()
                        while time.monotonic() < until:
                            seen |= {{f.name for f in folder.iterdir()}}
                            time.sleep(0.01)
                        (folder / "{name}").unlink()
                        self.assertEqual(seen - {{"{name}"}}, set({others}))
                """, f"test_{name}.py")
        suites = (suite("busy", 7, "one", "two"), suite("one", 2, "busy"),
                  suite("two", 2, "busy"))
        self.tally(3, 0, *suites, options=[
            "-j", "1", "-w", suites[1], "-w", suites[2]])
        self.tally(1, 2, *suites, options=["-j", "3"])

    def test_a_suite_that_uses_sudo_has_its_password_asked_for_at_once(self):
        """Sudo gives the ticket to the session; so that is the runner's."""
        tools = self.folder / "bin"
        tools.mkdir()
        tools.chmod(0o777)
        sudo = tools / "sudo"
        sudo.write_text(textwrap.dedent("""\
            #!/bin/sh
            session=$(ps -o sid= -p $$)
            case "$1" in
            -v) echo "password?" >&2; touch "$0.$session";;
            -n) test -e "$0.$session";;
            esac
            """))
        sudo.chmod(0o755)
        suite = self.program("sudo -n true && echo '[       OK ] a'")
        runner = shutil.copy(RUNNER, self.folder)
        self.folder.chmod(0o755)
        env = dict(os.environ, PATH=f"{tools}:{os.environ['PATH']}")
        who = {"user": "nobody", "group": "nogroup", "extra_groups": []} \
            if os.geteuid() == 0 else {}
        for options, status, said in (["-r", suite], 0, "password?"), \
                (["-r", "other"], 1, ""):
            with self.subTest(options=options):
                done = subprocess.run(
                    [runner, *options, f"release:{suite}"], env=env, **who,
                    capture_output=True, text=True, cwd=self.folder,
                    start_new_session=True)
                self.assertEqual(done.returncode, status, done)
                self.assertIn(said, done.stderr)
                self.assertEqual("password" in done.stderr, bool(said))

    def test_interrupted_it_lets_the_suites_clean_up(self):
        ready, mark = self.folder / "ready", self.folder / "cleaned"
        suite = self.python(f"""
            import atexit, pathlib, time, unittest

            class T(unittest.TestCase):
                def test_long(self):
                    atexit.register(pathlib.Path({str(mark)!r}).touch)
                    pathlib.Path({str(ready)!r}).touch()
                    time.sleep(60)
            """)
        for options in [], ["-w", suite]:
            runner = subprocess.Popen(
                [RUNNER, *options, f"release:{suite}"],
                stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
            while not ready.exists():
                self.assertIsNone(runner.poll())
                time.sleep(0.01)
            runner.send_signal(signal.SIGTERM)
            self.assertEqual(runner.wait(30), 1)
            self.assertTrue(mark.exists())
            ready.unlink()
            mark.unlink()


if __name__ == "__main__":
    unittest.main()
