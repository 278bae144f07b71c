#!/usr/bin/python3
"""The layer check finds what it promises to find."""

import pathlib
import subprocess
import sys
import tempfile
import unittest

LAYERS = pathlib.Path(__file__).with_name("layers.py")

CLEAN = {
    "include/err.h": "",
    "include/log.h": "",
    "include/fernet.h": '#include "err.h"\n',
    "include/pg.h": '#include "fernet.h"\n',
    "src/base/err.c": '#include "err.h"\n',
    "src/base/log.c": '#include "log.h"\n',
    "src/crypto/fernet.c": '#include "fernet.h"\n#include <openssl/evp.h>\n',
    "src/crypto/fernet_int.h": '#include "fernet.h"\n',
    "src/db/pg.c": '#include "pg.h"\n#include <libpq-fe.h>\n'
                   'const char *q = "SELECT 1 FROM t";\n',
    "src/cli/main.c": '/* "select a from b" and #include "none.h" */\n'
                      '#include "pg.h"\n#include "log.h"\n',
}


class LayersTest(unittest.TestCase):
    def lint(self, **extra):
        files = dict(CLEAN)
        files.update(extra.get("files", {}))
        with tempfile.TemporaryDirectory() as folder:
            for name, text in files.items():
                path = pathlib.Path(folder, name)
                path.parent.mkdir(parents=True, exist_ok=True)
                path.write_text(text)
            return subprocess.run([sys.executable, LAYERS, folder],
                                  capture_output=True, text=True)

    def refuses(self, name, text, complaint):
        done = self.lint(files={name: text})
        self.assertEqual(done.returncode, 1, done.stdout)
        self.assertIn(complaint, done.stdout)
        self.assertEqual(len(done.stdout.splitlines()), 1, done.stdout)

    def test_a_clean_tree_passes_in_silence(self):
        done = self.lint()
        self.assertEqual((done.returncode, done.stdout), (0, ""))

    def test_an_upward_include_in_a_source_is_refused(self):
        self.refuses("src/crypto/base64.c", 'int x;\n#include "pg.h"\n',
                     "src/crypto/base64.c:2: pg.h is of layer db, above")

    def test_an_upward_include_in_a_header_is_refused(self):
        self.refuses("include/err.h", '#  include "fernet.h"\n',
                     "include/err.h:1: fernet.h is of layer crypto, above")

    def test_a_private_header_of_another_folder_is_refused(self):
        self.refuses("src/cli/main.c", '#include "fernet_int.h"\n',
                     "there is no fernet_int.h")

    def test_the_log_is_for_engine_and_cli_only(self):
        self.refuses("src/crypto/fernet.c", '#include "log.h"\n',
                     "log.h is not for this file")

    def test_libpq_is_for_one_file_only(self):
        self.refuses("src/db/store.c", "#include <libpq-fe.h>\n",
                     "libpq-fe.h is not for this file")

    def test_openssl_is_for_crypto_only(self):
        self.refuses("src/db/store.c", "#include <openssl/evp.h>\n",
                     "openssl/evp.h is not for this file")

    def test_sql_is_for_db_and_format_only(self):
        for text in ('"SELECT a"\n\t" FROM b"', '"update %s set x = 1"',
                     '"select " PRIu64 " from t"', '"SELECT pg_sleep(1)"'):
            self.refuses("src/cli/main.c", f"const char *q = {text};\n",
                         "src/cli/main.c:1: SQL outside")

    def test_a_header_without_a_home_is_refused(self):
        self.refuses("include/stray.h", "", "include/stray.h: belongs to no")

    def test_a_folder_that_is_no_layer_is_refused(self):
        self.refuses("src/misc/x.c", "", "src/misc/x.c: belongs to no layer")

    def test_a_tree_without_sources_is_refused(self):
        with tempfile.TemporaryDirectory() as folder:
            done = subprocess.run([sys.executable, LAYERS, folder],
                                  capture_output=True)
        self.assertEqual(done.returncode, 1)


if __name__ == "__main__":
    unittest.main()
