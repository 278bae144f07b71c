"""keygen and keys, and what becomes of output that nobody gets."""

import ctypes
import json
import os
import re
import resource
import unittest

from program import BUILD, SECRET, Case

PR_CAPBSET_DROP = 24
CAP_IPC_LOCK = 14


class Keys(Case):
    def test_keygen_makes_a_key_that_only_its_owner_can_read(self):
        done = self.keygen("k1")
        path = self.keys / "k1"
        self.assertEqual(path.stat().st_mode & 0o777, 0o600)
        text = path.read_text().strip()
        self.assertEqual(len(text), 44)
        self.assertEqual(done.stdout, "")
        self.assertNotIn(text, done.stderr)
        self.assertIn("k1", done.stderr)

    def test_keygen_prints_the_key_only_when_asked(self):
        done = self.run_it("keygen", "k1", "--print", "--directory", self.keys)
        text = (self.keys / "k1").read_text().strip()
        self.assertEqual(done.stdout, text + "\n")
        self.assertNotIn(text, done.stderr)

    def test_keygen_never_touches_a_file_that_is_there(self):
        self.keygen("k1")
        before = (self.keys / "k1").read_bytes()
        self.refuse("keygen", "k1", "--directory", self.keys, status=3,
                    message=".*k1")
        self.assertEqual((self.keys / "k1").read_bytes(), before)

    def test_the_directory_comes_from_file_or_environment_or_words(self):
        self.run_it("keygen", "a", env={
            "DATABASE_ENCRYPTION_FERNET_KEYS_LOCATION": str(self.keys)})
        path = self.config(f"[keys]\ndirectory = {self.keys}\n")
        self.run_it("keygen", "b", "-c", path)
        self.run_it("keygen", "c", "--directory", self.keys, "-c", path)
        self.assertEqual(sorted(p.name for p in self.keys.iterdir()),
                         ["a", "b", "c"])
        self.refuse("keygen", "d", status=3, message="no key directory",
                    hint="KEYS_LOCATION")

    def test_a_file_that_was_asked_for_must_be_there(self):
        self.refuse("keys", "-c", "/no/where", "--directory", self.keys,
                    message="cannot open")

    def test_keys_lists_ids_and_fingerprints_and_marks_the_primary(self):
        self.keygen("k1")
        self.keygen("k2")
        env = {"DATABASE_ENCRYPTION_FERNET_PRIMARY_KEY_ID": "k2"}
        done = self.run_it("keys", "--directory", self.keys, env=env)
        self.assertRegex(done.stdout, r"(?m)^k1 +[0-9a-f]{8}$")
        self.assertRegex(done.stdout, r"(?m)^k2 +[0-9a-f]{8} +primary$")

    def test_keys_as_json_says_the_same(self):
        self.keygen("k1")
        self.keygen("k2")
        env = {"DATABASE_ENCRYPTION_FERNET_PRIMARY_KEY_ID": "k2"}
        done = self.run_it("keys", "--output=json", "--directory", self.keys,
                           env=env)
        report = json.loads(done.stdout)
        self.assertEqual(report["schema"], 1)
        self.assertEqual(report["command"], "keys")
        self.assertEqual(report["primary"], "k2")
        self.assertEqual(report["exit"], 0)
        self.assertEqual([(k["id"], k["primary"]) for k in report["keys"]],
                         [("k1", False), ("k2", True)])
        self.assertEqual(report["problems"], [])

    def test_a_problem_is_exit_3_in_both_forms(self):
        self.keygen("k1")
        (self.keys / "bad").write_text(SECRET)
        (self.keys / "bad").chmod(0o600)
        env = {"DATABASE_ENCRYPTION_FERNET_PRIMARY_KEY_ID": "k1"}
        done = self.run_it("keys", "--directory", self.keys, env=env, status=3)
        self.assertRegex(done.stderr, "^pgrekey: .*bad: .*\nhint: ")
        done = self.run_it("keys", "--output=json", "--directory", self.keys,
                           status=3)
        report = json.loads(done.stdout)
        self.assertEqual(report["exit"], 3)
        self.assertIn("bad", report["problems"][0])

    def test_all_problems_are_listed_beside_the_keys_that_are_good(self):
        self.keygen("k1")
        (self.keys / "bad").write_text(SECRET)
        (self.keys / "worse").mkdir()
        (self.keys / "worst").write_bytes(b"\0" * 5000)
        (self.keys / "astray").symlink_to("nowhere")
        for name in "twin", "twin2":
            (self.keys / name).write_text((self.keys / "k1").read_text())
        for name in ("bad", "worst", "twin", "twin2"):
            (self.keys / name).chmod(0o600)
        path = self.config(f"[keys]\ndirectory = {self.keys}\n"
                           "primary = k9\nfingerprint.k1 = 00000000\n")
        wanted = ("/astray: ", "/bad: ", "/worst: ",
                  "k1 and twin are the same key",
                  "k1 and twin2 are the same key",
                  "key k1 has the fingerprint", "primary k9")
        done = self.run_it("keys", "-c", path, status=3)
        self.assertRegex(done.stdout, r"(?m)^k1 +[0-9a-f]{8}$")
        said = [line for line in done.stderr.splitlines()
                if line.startswith("pgrekey: ")]
        self.assertEqual(len(said), len(wanted), done.stderr)
        for words, line in zip(wanted, said):
            self.assertIn(words, line)
        done = self.run_it("keys", "-c", path, "--output=json", status=3)
        report = json.loads(done.stdout)
        self.assertEqual([key["id"] for key in report["keys"]],
                         ["k1", "twin", "twin2"])
        self.assertEqual(["pgrekey: " + words for words in report["problems"]],
                         said)

    def test_a_directory_of_nothing_but_bad_files_is_said_to_be_so(self):
        (self.keys / "bad").write_text(SECRET)
        env = {"DATABASE_ENCRYPTION_FERNET_PRIMARY_KEY_ID": "bad"}
        done = self.run_it("keys", "--directory", self.keys, env=env, status=3)
        self.assertEqual(done.stdout, "")
        self.assertIn("hint: known key ids: none\n", done.stderr)

    def test_what_rotate_refuses_points_to_the_whole_list(self):
        for name in ("bad", "worse", "worst"):
            (self.keys / name).write_text("x")
        path = self.config(f"[keys]\ndirectory = {self.keys}\nprimary = a\n"
                           "[table t]\ncolumns = c\n")
        self.refuse("rotate", "-c", path, status=3,
                    message=r".*/bad: .* \(and 2 more: see `pgrekey keys`\)")

    def test_a_missing_primary_is_exit_3_but_the_keys_are_listed(self):
        self.keygen("k1")
        env = {"DATABASE_ENCRYPTION_FERNET_PRIMARY_KEY_ID": "k9"}
        done = self.run_it("keys", "--directory", self.keys, env=env, status=3)
        self.assertIn("k1", done.stdout)
        self.assertIn("k9", done.stderr)

    def test_no_primary_at_all_is_a_warning_in_both_forms(self):
        """Not exit 3: a directory may well be looked at before there is one."""
        self.keygen("k1")
        message = "no primary key is configured: rotate, verify and check need one"
        for env, count in (({}, 1), (
                {"DATABASE_ENCRYPTION_FERNET_PRIMARY_KEY_ID": "k1"}, 0)):
            for output in ("text", "json"):
                done = self.run_it("keys", "--directory", self.keys,
                                   "--output", output, env=env)
                self.assertEqual(
                    done.stderr.count(f"pgrekey: warning: {message}\n"), count)
            self.assertEqual(
                json.loads(done.stdout)["warnings"].count(message), count)

    def test_a_key_that_others_can_read_is_a_warning_or_refused(self):
        self.keygen("k1")
        self.keygen("k2")
        (self.keys / "k1").chmod(0o644)
        done = self.run_it("keys", "--directory", self.keys)
        self.assertRegex(done.stderr, "pgrekey: warning: .* by others: k1")
        path = self.config(f"[keys]\ndirectory = {self.keys}\nprimary = k2\n"
                           "strict_permissions = yes\n")
        done = self.run_it("keys", "-c", path, status=3)
        self.assertRegex(done.stderr, "^pgrekey: .*/k1: is readable by others")

    def test_a_key_that_is_not_the_pinned_one_is_refused(self):
        self.keygen("k1")
        path = self.config(f"[keys]\ndirectory = {self.keys}\n"
                           "fingerprint.k1 = 00000000\n")
        done = self.run_it("keys", "-c", path, status=3)
        self.assertIn("k1 has the fingerprint", done.stderr)


class Memory(Case):
    """Under the sanitizers locking does nothing and says that it did."""

    status = 0 if re.search("asan|tsan", str(BUILD)) else 3

    @staticmethod
    def lock_nothing():
        """Not even root may, in this process and what it starts."""
        ctypes.CDLL(None).prctl(PR_CAPBSET_DROP, CAP_IPC_LOCK, 0, 0, 0)
        resource.setrlimit(resource.RLIMIT_MEMLOCK, (0, 0))

    def test_keys_that_cannot_be_locked_are_a_warning_or_refused(self):
        self.keygen("k1")
        done = self.run_it("keys", "--directory", self.keys,
                           preexec_fn=self.lock_nothing)
        self.assertEqual("warning: the memory of keys" in done.stderr,
                         self.status == 3)
        path = self.config(f"[keys]\ndirectory = {self.keys}\nprimary = k1\n"
                           "require_locked_memory = yes\n"
                           "[table t]\ncolumns = c\n")
        self.run_it("keys", "-c", path)
        done = self.run_it("keys", "-c", path, status=self.status,
                           preexec_fn=self.lock_nothing)
        self.assertEqual("hint: raise the limit" in done.stderr,
                         self.status == 3)
        # Without locks the keys come first: no server is asked.
        done = self.run_it("rotate", "-c", path, status=self.status or 4,
                           env={"PGHOST": "/no/where"},
                           preexec_fn=self.lock_nothing)


class Output(Case):
    def test_c30_a_report_that_cannot_be_written_is_a_failure(self):
        self.keygen("k1")
        with open("/dev/full", "wb") as full:
            done = self.run_it("keys", "--directory", self.keys, stdout=full,
                               status=4)
        self.assertIn("standard output", done.stderr)
        with open("/dev/full", "wb") as full:
            self.run_it("--help", stdout=full, status=4)

    def test_c30_the_reason_is_said_of_a_report_of_any_size(self):
        """stdio forgets that of a write before the last."""
        for i in range(100):
            self.keygen(f"k{i}")
        with open("/dev/full", "wb") as full:
            done = self.run_it("keys", "--output=json", "--directory",
                               self.keys, stdout=full, status=4)
        self.assertIn("standard output: No space left on device\n",
                      done.stderr)

    def test_c30_a_report_that_cannot_be_written_hides_nothing_worse(self):
        (self.keys / "bad").write_text("x")
        with open("/dev/full", "wb") as full:
            done = self.run_it("keys", "--output=json", "--directory",
                               self.keys, stdout=full, status=3)
        self.assertNotIn("has done its work", done.stderr)

    def test_c30_a_reader_that_went_away_is_a_failure_not_a_signal(self):
        self.keygen("k1")
        read, write = os.pipe()
        os.close(read)
        with os.fdopen(write, "wb") as closed:
            self.run_it("keys", "--directory", self.keys, stdout=closed,
                        status=4)

    def test_names_cannot_drive_the_terminal(self):
        done = self.refuse("rotate", "-c", "/no\x1b[2J\nwhere",
                           message="cannot open")
        self.assertIn("/no?[2J?where", done.stderr)


if __name__ == "__main__":
    unittest.main()
