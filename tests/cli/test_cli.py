"""The words of the command line: help, and what mistakes lead to."""

import re
import subprocess
import unittest

from program import BUILD, SECRET, Case



class Help(Case):
    def commands(self):
        """All there are, from the help itself."""
        listed = self.run_it("--help").stdout.split("Commands:\n")[1]
        names = re.findall(r"(?m)^  ([a-z]+) ", listed.split("\n\n")[0])
        self.assertLessEqual({"rotate", "verify", "discover", "check"},
                             set(names))
        return names

    def test_help_goes_to_stdout_and_lists_commands_and_statuses(self):
        for words in (["--help"], ["-h"], ["help"]):
            done = self.run_it(*words)
            self.assertEqual(done.stderr, "")
            for command in self.commands():
                self.assertRegex(done.stdout, rf"(?m)^  {command}\s+\w")
            for code in (0, 1, 2, 3, 4, 5, 6, 70):
                self.assertRegex(done.stdout, rf"(?m)^  {code} +\w")

    def test_every_command_explains_its_options_in_80_columns(self):
        for command in self.commands():
            done = self.run_it(command, "--help")
            self.assertIn("Usage: pgrekey " + command, done.stdout)
            self.assertIn("--config FILE", done.stdout)
            for line in done.stdout.splitlines():
                self.assertLessEqual(len(line), 80, line)
                self.assertEqual(line, line.rstrip())
            again = self.run_it("help", command)
            self.assertEqual(again.stdout, done.stdout)

    def test_help_works_whatever_else_is_wrong(self):
        self.run_it("rotate", "--help", "--no-such-option")
        self.run_it("rotate", "--help", env={"PGREKEY_CONFIG": "/nowhere"})

    def test_rotate_has_the_options_that_are_promised(self):
        shown = self.run_it("rotate", "--help").stdout
        for flag in (
            "dry-run thorough max-runtime workers output quiet verbose only "
            "no-join wait batch-rows window-bytes chunk-bytes lock-timeout "
            "max-passes throttle-query synchronous-commit state-schema "
            "max-findings config"
        ).split():
            self.assertRegex(shown, rf"--{flag}\b")

    def test_help_tells_only_rotate_of_runs_that_go_on(self):
        for command in ("rotate", "verify", "discover", "check"):
            shown = " ".join(self.run_it(command, "--help").stdout.split())
            for words in ("run again to continue", "does not complete a run"):
                self.assertEqual(words in shown, command == "rotate", command)
            self.assertEqual("the next time it starts anew" in shown,
                             command in ("verify", "discover"), command)

    def test_what_cannot_be_printed_is_exit_4(self):
        for where, reason in ((">&-", "Bad file descriptor"),
                              (">/dev/full", "No space left on device")):
            done = subprocess.run(
                ["sh", "-c", f'"$0" --version {where}', BUILD / "pgrekey"],
                stderr=subprocess.PIPE, text=True, env=self.env, timeout=60)
            self.assertEqual(done.returncode, 4, where)
            self.assertEqual(
                done.stderr,
                f"pgrekey: cannot write to standard output: {reason}\n"
                "hint: the command itself has done its work; its exit"
                " status would have been 0\n")

    def test_version_is_one_line(self):
        self.assertRegex(
            self.run_it("--version").stdout, r"^pgrekey \d+\.\d+\.\d+\n$"
        )
        self.run_it("rotate", "--version")


class Mistakes(Case):
    def test_a_server_that_is_not_there_is_exit_4_with_a_hint(self):
        self.keygen("k1")
        path = self.config(f"[database]\nhost = {self.dir}\nport = 7\n"
                           f"[keys]\ndirectory = {self.keys}\nprimary = k1\n"
                           "[table t]\ncolumns = c\n")
        for command in ("rotate", "init"):
            self.refuse(command, "-c", path, status=4,
                        message=f"cannot connect: .*{self.dir}",
                        hint=r"\[database\].*PG\*")

    def test_without_a_database_section_the_variables_say_it_all(self):
        self.keygen("k1")
        path = self.config(f"[keys]\ndirectory = {self.keys}\nprimary = k1\n"
                           "[table t]\ncolumns = c\n")
        for command in ("rotate", "init"):
            self.refuse(command, "-c", path, status=4,
                        message="cannot connect: .*/no/where",
                        env={"PGHOST": "/no/where"})

    def test_no_command_is_a_usage_error_with_a_hint(self):
        self.refuse(message="no command$", hint="--help")

    def test_an_unknown_command_names_the_nearest(self):
        self.refuse("roate", message="unknown command 'roate'", hint="rotate")
        self.refuse("xyzzy", message="unknown command", hint="--help")

    def test_an_option_before_the_command_is_refused(self):
        self.refuse("-c", "x", "rotate", message="a command comes before")

    def test_an_unknown_option_names_the_nearest(self):
        self.refuse(
            "rotate",
            "--worker=3",
            message="unknown option '--worker' of rotate",
            hint="--workers",
        )
        self.refuse("rotate", "--batch_rows", "3", message="unknown option",
                    hint="--batch-rows")
        self.refuse("rotate", "-x", message="unknown option '-x'")
        self.refuse("rotate", "--c", "x", message="unknown option '--c'")
        self.refuse("rotate", "-config", "x", message="unknown option")
        self.refuse("rotate", "--" + "x" * 5000, message="unknown option")
        self.refuse("init", "--dry-run", message="unknown option '--dry-run'")

    def test_a_value_is_refused_with_what_it_must_be(self):
        self.refuse("rotate", "--workers", "0",
                    message="--workers: must be a number from 1 to 64$")
        self.refuse("rotate", "--max-runtime=5",
                    message="--max-runtime: must be a duration", hint="30s")
        self.refuse("rotate", "--output", "xml",
                    message="--output: must be text or json$")
        self.refuse("rotate", "--workers=" + SECRET, message="--workers: must")

    def test_a_value_that_is_missing_or_too_much_is_refused(self):
        self.refuse("rotate", "--workers", message="--workers: needs a value")
        self.refuse("rotate", "--config", "--dry-run",
                    message="--config: needs a value: FILE")
        self.refuse("rotate", "--workers=", message="--workers: has no value")
        self.refuse("rotate", "--dry-run=1",
                    message="--dry-run: takes no value")

    def test_an_option_given_twice_is_refused(self):
        self.refuse("rotate", "--workers", "2", "--workers=3",
                    message="--workers: is there twice")
        self.refuse("rotate", "-q", "--quiet",
                    message="--quiet: is there twice")

    def test_a_stray_argument_is_refused_and_not_repeated(self):
        self.refuse("rotate", SECRET, message="rotate takes no argument")
        self.refuse("rotate", "--", "--dry-run",
                    message="rotate takes no argument")
        self.refuse("keygen", "a", "b", message="keygen takes one argument")
        self.refuse("keygen", message="keygen needs an argument: ID")

    def test_c19_a_password_in_an_argument_is_refused_unread(self):
        for words in (
            ["rotate", "--password", SECRET],
            ["rotate", "--password=" + SECRET],
            ["rotate", f"postgresql://u:{SECRET}@h/db"],
            ["rotate", f"--uri=postgresql://u:{SECRET}@h/db"],
            ["rotate", "--config", f"host=h password={SECRET}"],
            ["--help", f"password={SECRET}"],
        ):
            self.refuse(*words, message="a password on the command line",
                        hint="process list.*passfile")

    def test_a_word_like_a_secret_in_a_value_is_no_password(self):
        for words in (
            ["rotate", "--config=/etc/secrets/none.ini"],
            ["rotate", "--config", "/etc/secrets/none.ini"],
            ["rotate", "--only=secrets", "--config=/none.ini"],
            ["verify", "--retire=secret_2023", "--config=/none.ini"],
        ):
            self.refuse(*words, message="cannot open '/.*none.ini'")

    def test_connection_settings_are_for_the_file(self):
        self.refuse("rotate", "--host", "h", message="unknown option",
                    hint=r"\[database\]")

    def test_c28_quiet_and_verbose_contradict_each_other(self):
        path = self.config("[table t]\ncolumns = c\n")
        self.refuse("rotate", "-q", "-v", "-c", path, message="--quiet and")


if __name__ == "__main__":
    unittest.main()
