"""The configuration file from outside, and the sample that comes with it."""

import re
import subprocess
import unittest

from program import BUILD, ROOT, SECRET, Case


class Configuration(Case):
    def test_c01_a_missing_file_is_named(self):
        self.refuse("rotate", "-c", "/no/where", message="cannot open '/no/wh",
                    hint="--config.*PGREKEY_CONFIG")
        self.refuse("rotate", env={"PGREKEY_CONFIG": "/else/where"},
                    message="cannot open '/else/where'")

    def test_the_command_line_names_the_file_before_the_environment(self):
        self.refuse("rotate", "-c", "/a", env={"PGREKEY_CONFIG": "/b"},
                    message="cannot open '/a'")

    def test_a_message_names_file_line_and_option_but_not_the_value(self):
        path = self.config(f"[rotate]\nworkers = {SECRET}\n")
        self.refuse(
            "rotate", "-c", path,
            message=re.escape(f"{path}:2: workers: must be a number"),
        )

    def test_c17_a_file_that_others_can_write_is_refused(self):
        path = self.config("[table t]\ncolumns = c\n", mode=0o666)
        self.refuse("rotate", "-c", path, message=".*written by others",
                    hint="chmod")

    def test_c21_no_table_is_never_success(self):
        path = self.config("[rotate]\nworkers = 2\n")
        self.refuse("rotate", "-c", path, message="no table is configured")

    def test_c21_an_unknown_label_is_refused_and_the_known_ones_named(self):
        path = self.config("[table a]\ncolumns = c\n[table b]\ncolumns = c\n")
        self.refuse("rotate", "-c", path, "--only", "a,x",
                    message=r"--only: there is no \[table x\]", hint="a, b")
        self.refuse("rotate", "-c", path, "--only=a", "--only=y",
                    message=r"--only: there is no \[table y\]")

    def test_c25_a_primary_that_is_not_there_names_the_known_ids(self):
        self.keygen("k1")
        for primary in ("", "primary = k9\n"):
            path = self.config(
                f"[keys]\ndirectory = {self.keys}\n{primary}"
                "[table t]\ncolumns = c\n"
            )
            self.refuse("rotate", "-c", path, status=3,
                        message=".*primary", hint="k1")

    def test_c29_locale_home_and_directory_make_no_difference(self):
        path = self.config("[rotate]\nworkers = 2\n[table INFO]\ncolumns=I\n"
                           f"[keys]\ndirectory = {self.dir}/none\n")
        odd = {"LC_ALL": "tr_TR.UTF-8", "TZ": "Odd/Zone", "HOME": "/nowhere"}
        plain = self.refuse("rotate", "-c", path, status=3, message=".")
        gone = self.dir / "gone"
        gone.mkdir()
        other = self.run_it(
            "rotate", "-c", path, status=3, env=odd, cwd=gone,
            preexec_fn=gone.rmdir,
        )
        self.assertEqual(plain.stderr, other.stderr)

    def test_verbose_says_where_settings_come_from_but_not_the_values(self):
        path = self.config(f"[keys]\ndirectory = /{SECRET}\n"
                           "[table t]\ncolumns = c\n")
        done = subprocess.run(
            [BUILD / "pgrekey", "rotate", "-v", "-c", path, "--workers=3"],
            capture_output=True, text=True, env=self.env, timeout=60,
        )
        self.assertIn(f"[keys] directory comes from {path}:2", done.stderr)
        self.assertIn("workers comes from the command line", done.stderr)


class Sample(Case):
    def sample(self):
        return (ROOT / "conf/pgrekey.ini").read_text()

    def test_the_sample_is_what_the_option_table_says(self):
        made = subprocess.run(
            [BUILD / "tests/print_options", "--sample"],
            capture_output=True, text=True, check=True, timeout=60,
        )
        self.assertEqual(made.stdout, self.sample())

    def test_the_sample_is_accepted_as_it_is(self):
        path = self.config(self.sample())
        self.refuse("rotate", "-c", path, status=3,
                    message="no key directory is configured")

    def test_every_line_of_the_sample_is_accepted_when_it_is_used(self):
        lines = self.sample().splitlines()
        used = 0
        for i, line in enumerate(lines):
            if not line.startswith(";"):
                continue
            used += 1
            text = "\n".join(lines[:i] + [line[1:]] + lines[i + 1:])
            path = self.config(text + "\n")
            done = self.run_it("rotate", "-c", path, status=3)
            self.assertNotIn(str(path), done.stderr)
        self.assertGreater(used, 25)


if __name__ == "__main__":
    unittest.main()
