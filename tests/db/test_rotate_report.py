"""What rotate says, where it says it, and what it never says."""
import json
import os
import pty
import re
import select
import subprocess
import sys
import unittest
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from lib import oracle, zoo  # noqa: E402
from lib.pgrekey import PATIENCE, PROGRAM  # noqa: E402
from lib.scene import Scene  # noqa: E402

CONTROL = re.compile("[\x00-\x09\x0b-\x1f\x7f-\x9f]")


def setUpModule():
    Scene.open()


class Base(Scene):
    def setUp(self):
        super().setUp()
        self.sql("CREATE TABLE zoo (id int PRIMARY KEY, secret text)")
        self.plan = zoo.Plan(secret=list(zoo.whole(self.ring).values()))
        self.plan.plant(self.admin, "zoo")
        self.tool.configure(zoo={"columns": "secret"})


class Report(Base):
    def test_json_has_every_field_of_the_contract(self):
        result = self.tool.rotate()
        report = result.report
        self.assertEqual(report["schema"], 1)
        self.assertEqual(report["command"], "rotate")
        self.assertEqual(report["primary"], "k2025")
        self.assertEqual(report["exit"], result.status)
        self.assertIsNotNone(report["run"])
        for moment in ("started", "finished"):
            self.assertRegex(report[moment], r"^\d{4}-\d\d-\d\d.\d\d:\d\d")
        table, = report["tables"]
        self.assertEqual((table["label"], table["name"]),
                         ("zoo", "public.zoo"))
        self.assertEqual([c["name"] for c in table["columns"]], ["secret"])
        for finding in report["findings"]["listed"]:
            self.assertEqual(
                (finding["table"], finding["column"]),
                ("public.zoo", "secret"))
            self.assertEqual(list(finding["row"]), ["id"])
            self.assertIn("verdict", finding)

    def test_verdicts_add_up_to_scanned_in_every_column(self):
        for arguments in ((), ("--dry-run",), ("--thorough",)):
            result = self.tool.rotate(*arguments)
            for column in result.columns().values():
                self.assertEqual(sum(column["verdicts"].values()),
                                 column["scanned"])

    def test_counts_per_key_equal_what_plain_sql_counts(self):
        self.sql("DELETE FROM zoo")
        good = list(zoo.good(self.ring).values())
        zoo.Plan(secret=good).plant(self.admin, "zoo")
        result = self.tool.rotate("--dry-run")
        keys = result.column("secret")["keys"]
        opened = [seen.key for seen in self.snapshot("zoo", "secret")
                  .readings(self.ring).values() if seen.key]
        for key in ("k2023", "k2024", "k2025"):
            self.assertEqual(keys.get(key, 0), opened.count(key))
        result = self.tool.rotate()
        keys = result.column("secret")["keys"]
        counted = self.labels("zoo", "secret")
        self.assertEqual(keys["k2025"], counted["k2025"])
        self.assertEqual(keys.get("k2023", 0) + keys.get("k2024", 0), 0)

    def test_rewritten_counts_what_the_server_wrote(self):
        self.audit("zoo")
        result = self.tool.rotate()
        self.assertEqual(result.column("secret")["rewritten"],
                         self.value("SELECT count(*) FROM audit"))

    def test_findings_are_listed_up_to_max_findings_and_counted_beyond(self):
        self.sql("DELETE FROM zoo")
        self.sql("INSERT INTO zoo SELECT i, 'enc:fernet:k2023:AAAA'"
                 " FROM generate_series(1, 50) AS i")
        self.tool.configure(rotate={"max_findings": 7},
                            zoo={"columns": "secret"})
        result = self.tool.rotate()
        self.assertExit(1, result)
        self.assertEqual(result.report["findings"]["total"], 50)
        self.assertEqual(len(result.findings), 7)

    def test_text_has_verdicts_columns_and_keys_on_stdout(self):
        result = self.tool.run("rotate")
        self.assertExit(1, result)
        for word in ("public.zoo", "secret", "current", "malformed",
                     "unknown_key", "k2025", "rewritten"):
            self.assertIn(word, result.out)

    def test_what_was_not_counted_is_no_zero(self):
        """Stopped before the proof: the table has rows all the same."""
        holder = self.connect(autocommit=False)
        holder.cursor().execute("SELECT 1 FROM zoo FOR UPDATE")
        result = self.tool.run("rotate", "--max-runtime", "1s")
        self.assertExit(5, result)
        self.assertIn("  no values counted\n", result.out)
        self.assertNotIn("0 values", result.out)

    def test_a_refusal_of_the_server_has_words_and_no_value(self):
        self.sql("ALTER TABLE zoo ADD CHECK"
                 " (secret NOT LIKE 'enc:fernet:k2025%') NOT VALID")
        result = self.tool.rotate()
        self.assertExit(1, result)
        self.assertIn("23514, a check constraint forbids it, constraint ",
                      " ".join(f["reason"] for f in result.findings))

    def test_quiet_says_nothing_on_stderr_when_all_is_well(self):
        self.sql("DELETE FROM zoo")
        result = self.tool.run("rotate", "--quiet")
        self.assertExit(0, result)
        self.assertEqual(result.err, "")

    def test_json_is_all_there_is_on_stdout(self):
        result = self.tool.rotate()
        json.loads(result.out)


class Unheard(Base):
    """Nobody takes what it says. Rows are not to blame."""

    def setUp(self):
        super().setUp()
        self.sql("DELETE FROM zoo")
        self.old = {i: self.ring.seal(zoo.plain(str(i)), "k2023", zoo.THEN)
                    for i in range(50)}
        zoo.copy_rows(self.admin, "zoo", ("id", "secret"), self.old.items())
        self.before = self.snapshot("zoo", "secret")

    def rotate(self, **files):
        """Its exit status; what is given replaces its standard files."""
        status = subprocess.run(
            [PROGRAM, "rotate", "--verbose", "--output", "json", "--config",
             self.tool.write_config()], timeout=PATIENCE,
            **{"stdin": subprocess.DEVNULL, "stdout": subprocess.DEVNULL,
               "stderr": subprocess.DEVNULL, **files}).returncode
        self.assertRight(self.before, self.snapshot("zoo", "secret"))
        return status

    def test_a_report_on_a_full_disk_is_exit_4_and_all_is_rotated(self):
        with open("/dev/full", "wb") as full:
            self.assertEqual(self.rotate(stdout=full), 4)
        self.assertEqual(self.sql("SELECT state FROM pgrekey.run"),
                         [("complete",)])
        self.assertEqual(self.rotate(), 0)

    def test_a_log_on_a_full_disk_stops_nothing(self):
        with open("/dev/full", "wb") as full:
            self.assertEqual(self.rotate(stderr=full), 0)

    def test_a_log_whose_reader_went_away_stops_nothing(self):
        read, write = os.pipe()
        os.close(read)
        with open(write, "wb") as nobody:
            self.assertEqual(self.rotate(stderr=nobody), 0)

    def test_what_it_says_never_reaches_a_connection(self):
        """Without standard files the next to be opened would be in their
        place. And a report that nobody can get was not written."""
        self.assertEqual(self.rotate(
            stdin=None, stdout=None, stderr=None,
            preexec_fn=lambda: os.closerange(0, 3)), 4)
        self.assertEqual(self.sql("SELECT state FROM pgrekey.run"),
                         [("complete",)])


class Identity(Scene):
    """Findings name rows so that the operator finds them."""

    BAD = "enc:fernet:k2023:AAAA"

    def rotate(self, name="t", columns="secret", *arguments):
        self.tool.configure(t={"name": name, "columns": columns})
        return self.tool.rotate(*arguments)

    def test_a_composite_key_has_all_its_columns(self):
        self.sql("CREATE TABLE t (a uuid, b text, secret text,"
                 " PRIMARY KEY (b, a))")
        uuid = "0f0f0f0f-0000-4000-8000-000000000001"
        self.sql("INSERT INTO t VALUES (%s, 'x', %s)", uuid, self.BAD)
        finding, = self.rotate().findings
        self.assertEqual(finding["row"], {"b": "x", "a": uuid})

    def test_without_a_primary_key_it_is_the_ctid(self):
        self.sql("CREATE TABLE t (secret text)")
        self.sql("INSERT INTO t VALUES (NULL), (%s)", self.BAD)
        finding, = self.rotate().findings
        self.assertEqual(finding["row"], {"ctid": "(0,2)"})

    def test_a_key_that_is_an_envelope_is_shown_nowhere(self):
        """Not even one that an application has put into something else."""
        token = self.ring.token(zoo.plain("key")).decode()
        sealed = self.ring.seal(zoo.plain("key"))
        self.sql("CREATE TABLE t (a int, b text, secret text,"
                 " PRIMARY KEY (a, b))")
        keys = [sealed, oracle.wrap(sealed), token, f"of {sealed}", "none",
                f'{{"of": "{token}"}}', '{"iv":"QUJD","mac":"QUJD"}']
        for i, key in enumerate(keys, 1):
            self.sql("INSERT INTO t VALUES (%s, %s, %s)", i, key, self.BAD)
        expected = [{"ctid": f"(0,{i})"} for i in range(1, len(keys) + 1)]
        expected[4] = {"a": "5", "b": "none"}
        for result in (self.rotate(), self.tool.verify()):
            self.assertCountEqual([f["row"] for f in result.findings],
                                  expected)
        self.assertCountEqual(
            [json.loads(row) for row, in
             self.sql("SELECT row_id FROM pgrekey.finding")], expected)

    def test_control_characters_reach_no_terminal(self):
        evil = "\x1b[31mred\x1b]0;title\x07\n\r\x9b2Jfake: line"
        self.sql("CREATE TABLE t (id text PRIMARY KEY, secret text)")
        self.sql("INSERT INTO t VALUES (%s, %s)", evil, self.BAD)
        result = self.rotate()
        self.assertEqual(result.findings[0]["row"], {"id": evil})
        self.assertNotRegex(result.out, CONTROL)
        result = self.tool.run("rotate")
        self.assertExit(1, result)
        self.assertNotRegex(result.out + result.err, CONTROL)
        self.assertNotRegex(result.out, "(?m)^fake: line")

    def test_names_with_control_characters_reach_no_terminal_either(self):
        self.sql('CREATE TABLE "a\x1b[31m" ("id\x07" int PRIMARY KEY,'
                 ' "b\x1b[32m" text)')
        self.sql('INSERT INTO "a\x1b[31m" VALUES (1, %s)', self.BAD)
        self.tool.configure(
            t={"name": 'public."a\x1b[31m"', "columns": '"b\x1b[32m"'})
        for arguments in ((), ("--output", "json")):
            result = self.tool.run("rotate", *arguments)
            self.assertIn(result.status, (1, 2))
            self.assertNotRegex(result.out + result.err, CONTROL)


class Terminal(Base):
    def on_terminal(self):
        """stderr of a run on a terminal, as raw text."""
        leader, follower = pty.openpty()
        process = subprocess.Popen(
            [PROGRAM, "rotate", "--config", self.tool.write_config()],
            stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
            stderr=follower)
        os.close(follower)
        seen = b""
        while select.select([leader], [], [], 60)[0]:
            try:
                seen += os.read(leader, 65536)
            except OSError:
                break
        os.close(leader)
        self.assertEqual(process.wait(60), 1)
        return seen.decode()

    def test_a_terminal_gets_a_progress_line_with_percent_and_rate(self):
        sealed = self.ring.seal(zoo.plain("many"), "k2023", zoo.THEN)
        self.sql("INSERT INTO zoo SELECT i, %s"
                 " FROM generate_series(1000, 20000) AS i", sealed)
        # Two seconds of work on any machine: the line comes now and then.
        self.sql("CREATE FUNCTION slow() RETURNS trigger LANGUAGE plpgsql AS"
                 " 'BEGIN PERFORM pg_sleep(0.02); RETURN NEW; END'")
        self.sql("CREATE TRIGGER slow BEFORE UPDATE ON zoo FOR EACH ROW"
                 " WHEN (OLD.id % 100 = 0) EXECUTE FUNCTION slow()")
        seen = self.on_terminal()
        self.assertRegex(seen, r"\r")
        self.assertRegex(seen, r"\d+(\.\d+)? ?%")
        self.assertRegex(seen, r"(?i)rows/s|/s")
        self.assertNotIn(zoo.CANARY, seen)
        self.assertNotIn("gAAAA", seen)

    def test_no_terminal_gets_no_escape_sequences(self):
        result = self.tool.run("rotate")
        self.assertNotRegex(result.err, CONTROL)


class Secrets(Base):
    """Every run in every test is searched for secrets by the harness; here
    is what else could hold one."""

    def state(self):
        return subprocess.run(
            [self.cluster.bin / "pg_dump", "-h", self.cluster.socket,
             "-U", "postgres", "-n", "pgrekey", self.database],
            check=True, capture_output=True, text=True).stdout

    def found(self, text, without=()):
        return [what for what, pattern in self.tool.secrets().items()
                if what not in without and re.search(pattern, text)]

    def test_the_search_itself_finds_a_planted_secret(self):
        for text in (self.ring.keys["k2023"], zoo.CANARY,
                     self.ring.seal(b"x"), self.ring.token(b"x").decode()):
            self.assertTrue(self.found(f"before {text} after"))

    def test_the_state_schema_holds_no_value_and_no_key(self):
        self.assertExit(1, self.tool.rotate())
        state = self.state()
        self.assertIn("malformed", state)
        self.assertEqual(self.found(state), [])

    def test_no_plaintext_and_no_key_is_ever_sent_to_the_server(self):
        self.tool.configure(zoo={"columns": "secret", "raw": "encrypt"})
        self.set_logging("all")
        self.addCleanup(self.set_logging, "none")
        begin = len(self.cluster.server_log())
        self.assertExit(1, self.tool.rotate("--thorough"))
        said = self.cluster.server_log()[begin:]
        self.assertIn("UPDATE", said)
        self.assertEqual(
            self.found(said, without=("a token", "an envelope",
                                      "encoded twice")), [])

    def set_logging(self, what):
        self.sql(f"ALTER SYSTEM SET log_statement = '{what}'")
        self.sql("SELECT pg_reload_conf()")
        self.until(lambda: self.value("SHOW log_statement") == what,
                   "the server reloads")

    def test_server_messages_that_quote_the_row_are_not_repeated(self):
        self.sql("ALTER TABLE zoo ADD CHECK"
                 " (id > 3 OR NOT starts_with(secret, 'enc:fernet:k2025'))"
                 " NOT VALID")
        self.sql("CREATE FUNCTION chat() RETURNS trigger LANGUAGE plpgsql AS"
                 " $$BEGIN RAISE WARNING '% %', OLD, NEW;"
                 " IF NEW.id = 5 THEN RAISE EXCEPTION '%', NEW; END IF;"
                 " RETURN NEW; END$$")
        self.sql("CREATE TRIGGER chat BEFORE UPDATE ON zoo"
                 " FOR EACH ROW EXECUTE FUNCTION chat()")
        for arguments in ((), ("--dry-run",), ("--verbose",)):
            self.assertExit(1, self.tool.rotate(*arguments))

    def test_names_that_a_trigger_has_made_up_are_not_repeated(self):
        self.tool.configure(zoo={"columns": "secret", "raw": "encrypt"})
        self.sql("CREATE FUNCTION chat() RETURNS trigger LANGUAGE plpgsql AS"
                 " $$BEGIN IF NOT starts_with(OLD.secret, 'enc:') THEN RAISE"
                 " check_violation USING COLUMN = OLD.secret, CONSTRAINT ="
                 " OLD.secret, TABLE = OLD.secret, SCHEMA = OLD.secret,"
                 " DATATYPE = OLD.secret; END IF; RETURN NEW; END$$")
        self.sql("CREATE TRIGGER chat BEFORE UPDATE ON zoo"
                 " FOR EACH ROW EXECUTE FUNCTION chat()")
        result = self.tool.rotate()
        self.assertExit(1, result)
        self.assertTrue(any("23514" in f["reason"] for f in result.findings))
        self.assertEqual(self.found(self.state()), [])


if __name__ == "__main__":
    unittest.main()
