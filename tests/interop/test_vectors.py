"""The vectors that C tests read are those of the JSON files beside them."""
import pathlib
import subprocess
import unittest

FOLDER = pathlib.Path(__file__).resolve().parent.parent / "vectors" / "fernet"


class Vectors(unittest.TestCase):
    def test_converted_vectors_are_up_to_date(self):
        done = subprocess.run([FOLDER / "convert.py", "--check"],
                              stderr=subprocess.PIPE, text=True)
        self.assertEqual(done.returncode, 0, done.stderr)

    def test_noncanonical_vectors_hold_with_the_installed_oracle(self):
        """Making them anew checks each against the oracle; the bytes differ
        only if its version does."""
        path = FOLDER / "fernet_noncanonical.json"
        made = subprocess.run([FOLDER / "make_noncanonical.py", "--print"],
                              stdout=subprocess.PIPE, text=True, check=True)
        strip = [line for line in path.read_text().splitlines()
                 if '"generator"' not in line]
        self.assertEqual([line for line in made.stdout.splitlines()
                          if '"generator"' not in line], strip)


if __name__ == "__main__":
    unittest.main()
