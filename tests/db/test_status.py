"""status shows runs, pause stops them between batches, resume goes on."""
import base64
import fcntl
import getpass
import json
import os
import pty
import re
import select
import signal
import socket
import struct
import subprocess
import sys
import termios
import time
import unittest
from hashlib import sha256
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from lib import zoo  # noqa: E402
from lib.pgrekey import PROGRAM, ROOT, scaled  # noqa: E402
from lib.scene import Scene  # noqa: E402


def setUpModule():
    # A batch that is held by the gate must not run into its time limit.
    Scene.open(deadlock_timeout="60s")


class Base(Scene):
    ROWS = scaled(6000, 2000)

    def setUp(self):
        super().setUp()
        self.sql("CREATE TABLE t (id int PRIMARY KEY, secret text)")
        zoo.copy_rows(self.admin, "t", ("id", "secret"), (
            (i, self.ring.seal(zoo.plain(str(i)), ("k2023", "k2024")[i % 2],
                               zoo.THEN + i)) for i in range(self.ROWS)))
        self.settings = {"batch_rows": 20, "chunk_bytes": "1MiB"}
        self.tool.configure(rotate=self.settings, t={"columns": "secret"})
        self.log_writes()

    def log_writes(self):
        """Each row written leaves its transaction and when that began; while
        the gate is there, each takes its time."""
        self.sql("CREATE TABLE log (xid bigint, began timestamptz)")
        self.sql("CREATE TABLE gate AS SELECT 1")
        self.sql(
            "CREATE FUNCTION log() RETURNS trigger LANGUAGE plpgsql AS"
            " $$BEGIN IF EXISTS (SELECT FROM public.gate) THEN"
            " PERFORM pg_sleep(0.005); END IF; INSERT INTO public.log"
            " VALUES (txid_current(), now()); RETURN NULL; END$$")
        self.sql("CREATE TRIGGER log AFTER UPDATE ON t FOR EACH ROW"
                 " EXECUTE FUNCTION log()")

    def open_gate(self):
        self.sql("DELETE FROM gate")

    def look(self):
        return self.snapshot("t", "secret")

    def rows(self):
        return self.value("SELECT count(*) FROM t")

    def done(self):
        return self.value("SELECT count(*) FROM t WHERE"
                          " starts_with(secret, 'enc:fernet:k2025:')")

    def written(self):
        return self.value("SELECT count(*) FROM log")

    def begin(self, *arguments, least=1):
        """A rotation that has written something and is far from its end."""
        run = self.start(*arguments)
        self.until(lambda: self.written() >= least or not run.running(),
                   "something is written")
        self.assertTrue(run.running())
        self.assertLess(self.done(), self.rows())
        return run

    def status(self, *arguments):
        result = self.tool.run("status", "--output", "json", *arguments)
        self.assertExit(0, result)
        self.assertEqual(result.err, "")
        return result.report

    def run_status(self, *arguments):
        one, = self.status(*arguments)["runs"]
        return one

    def text(self, *arguments):
        result = self.tool.run("status", *arguments)
        self.assertExit(0, result)
        return result.out

    def pause(self, *arguments):
        result = self.tool.run("pause", *arguments)
        self.assertExit(0, result)
        return result

    def resume(self, *arguments):
        result = self.tool.run("resume", *arguments)
        self.assertExit(0, result)
        return result

    def two(self):
        """Two processes that work on one run."""
        runs = [self.begin(), self.start()]

        def joined():
            for run in runs:
                if not run.running():
                    self.fail(f"it ended early: {run.finish()}")
            return len(self.run_status()["workers"]) == 4
        self.until(joined, "the second one joins", pause=0.1)
        return runs

    def held_back(self):
        return self.value("SELECT count(*) = 0 FROM pgrekey.chunk"
                          " WHERE state = 'running'")

    def paused(self, *arguments):
        """A rotation that was paused and obeys."""
        run = self.begin(*arguments)
        self.pause()
        self.until(self.held_back, "the chunks are handed back")
        return run


class Nothing(Base):
    ROWS = 10

    def test_without_a_state_schema_there_is_no_run_yet(self):
        self.assertEqual(self.text(), "no run yet\n")
        self.assertEqual(self.text("--runs"), "no run yet\n")
        self.assertEqual(self.text("--watch"), "no run yet\n")
        self.assertEqual(self.status(), {
            "schema": 1, "command": "status", "runs": []})

    def test_with_an_empty_state_schema_there_is_no_run_yet(self):
        self.assertExit(0, self.tool.run("init"))
        self.assertEqual(self.text(), "no run yet\n")
        self.assertEqual(self.status("--runs")["runs"], [])

    def test_it_needs_neither_keys_nor_tables(self):
        self.tool.configure(keys={"directory": "/nowhere"})
        self.assertEqual(self.text(), "no run yet\n")

    def test_a_run_that_is_not_there_is_exit_2(self):
        self.assertExit(0, self.tool.rotate())
        for words in (("status", "7"), ("status", "x"), ("status", "0"),
                      ("pause", "7"), ("resume", "-1"), ("pause",),
                      ("resume",), ("status", "--runs", "--watch")):
            self.assertExit(2, self.tool.run(*words))

    def test_no_server_and_a_newer_schema_are_exit_4(self):
        self.assertExit(0, self.tool.rotate())
        self.sql("UPDATE pgrekey.version SET version = 2")
        for command in ("status", "pause", "resume"):
            result = self.tool.run(command)
            self.assertExit(4, result)
            self.assertIn("version 2", result.err)
        self.tool.database = "nowhere"
        self.assertExit(4, self.tool.run("status"))


class Status(Base):
    def all_at_work(self):
        """What status says while two workers are there and one has a chunk,
        and what was written before and after; else None."""
        before = self.written()
        seen = self.run_status()
        after = self.written()
        busy = [worker["table"] for worker in seen["workers"]]
        return (before, seen, after) if any(busy) and len(busy) == 2 else None

    def test_a_run_under_way_shows_tables_counts_and_workers(self):
        blocks = self.value("SELECT pg_relation_size('t') / 8192")
        run = self.begin(least=100)
        before, seen, after = self.until(self.all_at_work, "two workers, at work")
        self.assertEqual(seen["state"], "running")
        self.assertIsNone(seen["finished"])
        self.assertIsNone(seen["exit"])
        self.assertIsNone(seen["waiting"])
        self.assertIsNone(seen["paused"])
        self.assertTrue(before <= seen["rewritten"] <= after)
        table, = seen["tables"]
        self.assertEqual(
            (table["label"], table["name"], table["state"], table["pass"]),
            ("t", "public.t", "walking", 1))
        self.assertEqual(table["blocks"], blocks)
        self.assertEqual(table["rewritten"], seen["rewritten"])
        self.assertLess(table["percent"], 100)
        self.assertEqual(len(seen["workers"]), 2)
        for worker in seen["workers"]:
            self.assertTrue(worker["alive"])
            self.assertEqual(worker["pid"], run.pid)
            # None between two chunks, and when none is left.
            self.assertIn(worker["table"], ("public.t", None))
            self.assertEqual(worker["host"], socket.gethostname())
            self.assertEqual(worker["os_user"], getpass.getuser())
            self.assertEqual(worker["role"], "postgres")
        text = self.text()
        self.assertIn("running, to primary k2025", text)
        self.assertEqual(
            sorted(re.findall(rf"process {run.pid}, backend (\d+): alive",
                              text)),
            sorted(str(worker["backend_pid"]) for worker in seen["workers"]))
        # Nothing is said where it is not known, as behind a pooler.
        self.sql("UPDATE pgrekey.worker SET backend_pid = NULL,"
                 " alive_until = now() + interval '10 s'")
        self.assertIn(f"process {run.pid}: alive", self.text())
        self.assertRegex(text, r"public\.t: pass 1, \d+ %")

    def test_percent_is_exactly_the_blocks_behind_the_positions(self):
        self.begin()
        self.paused_at_once()
        self.sql("UPDATE pgrekey.chunk SET pos = lo + (hi - lo) / 2"
                 " WHERE no = 1")
        self.sql("UPDATE pgrekey.chunk SET state = 'done' WHERE no = 0")
        table, = self.run_status()["tables"]
        done, blocks = self.sql(
            "SELECT sum(CASE state WHEN 'done' THEN hi ELSE pos END - lo)"
            "::int, sum(hi - lo)::int FROM pgrekey.chunk")[0]
        self.assertGreater(done, 0)
        self.assertEqual((table["blocks_done"], table["blocks"]),
                         (done, blocks))
        self.assertAlmostEqual(table["percent"], 100 * done / blocks, 1)

    def paused_at_once(self):
        self.pause()
        self.until(self.held_back, "the chunks are handed back")

    def test_after_kill_9_the_workers_are_gone(self):
        run = self.begin()
        run.kill()
        self.until(lambda: self.run_status()["state"] == "interrupted",
                   "the backends are gone", pause=0.1)
        seen = self.run_status()
        self.assertEqual([w["alive"] for w in seen["workers"]],
                         [False, False])
        text = self.text()
        self.assertIn("interrupted", text)
        self.assertRegex(text, rf"process {run.pid}, backend \d+: gone")
        self.assertNotIn("alive", text)

    def test_two_processes_on_one_run_are_both_shown(self):
        runs = self.two()
        seen = self.run_status()
        self.assertEqual({w["pid"] for w in seen["workers"]},
                         {run.pid for run in runs})
        self.assertTrue(all(w["alive"] for w in seen["workers"]))
        self.open_gate()
        for run in runs:
            self.assertExit(0, run.finish())

    def test_the_last_sign_of_life_follows_the_batches(self):
        self.begin()

        def signs():
            return sorted(w["seen"] for w in self.run_status()["workers"])
        first = signs()
        self.until(lambda: signs()[0] > first[-1], "later signs", pause=0.2)
        # It is not worth a write of its own.
        self.assertEqual(self.value(
            "SELECT max(n_tup_upd) < 20 FROM pg_stat_user_tables"
            " WHERE schemaname = 'pgrekey' AND relname = 'worker'"), True)

    def test_a_finished_run_shows_how_it_ended(self):
        self.open_gate()
        result = self.tool.rotate()
        self.assertExit(0, result)
        seen = self.run_status()
        self.assertEqual((seen["state"], seen["exit"]), ("complete", 0))
        self.assertEqual(seen["rewritten"], self.ROWS)
        table, = seen["tables"]
        self.assertEqual((table["state"], table["percent"]), ("done", 100))
        self.assertEqual(seen["rate"]["over"], "run")
        self.assertAlmostEqual(
            seen["rate"]["per_second"] * seen["rate"]["seconds"], self.ROWS,
            delta=0.1 * self.ROWS)
        self.assertIn("complete", self.text())
        self.assertEqual(self.run_status(str(seen["run"])), seen)

    def test_partitions_are_summed_up_for_people(self):
        self.sql("CREATE TABLE p (id int, secret text)"
                 " PARTITION BY HASH (id)")
        for i in range(3):
            self.sql(f"CREATE TABLE p{i} PARTITION OF p FOR VALUES"
                     f" WITH (MODULUS 3, REMAINDER {i})")
        self.sql("INSERT INTO p SELECT id, secret FROM t LIMIT 300")
        self.tool.configure(p={"columns": "secret"})
        self.assertExit(0, self.tool.rotate())
        self.assertEqual([t["name"] for t in self.run_status()["tables"]],
                         ["public.p0", "public.p1", "public.p2"])
        self.assertRegex(self.text(),
                         r"\[p\] 3 tables: 3 done, pass 1, 100 %, 300 values")

    def test_json_has_exactly_the_documented_members(self):
        documented = documented_members()
        run = self.paused()
        seen = self.status()
        one, = seen["runs"]
        for name, there in (
                ("report", seen), ("runs[]", one),
                ("tables[]", one["tables"][0]),
                ("workers[]", one["workers"][0]),
                ("rate", one["rate"]), ("paused", one["paused"])):
            self.assertEqual(set(there), documented[name], name)
        brief, = self.status("--runs")["runs"]
        self.assertEqual(set(brief),
                         documented["runs[]"] - {"tables", "workers"})
        self.resume()
        self.open_gate()
        self.assertExit(0, run.finish())

    def test_names_cannot_drive_the_terminal(self):
        self.open_gate()
        self.assertExit(0, self.tool.rotate())
        self.sql("UPDATE pgrekey.leaf SET name = 'a\x1b[31mb'")
        self.sql("UPDATE pgrekey.run SET host = 'a\x1b[31mb'")
        self.assertNotIn("\x1b", self.text())

    def test_it_shows_runs_on_a_standby(self):
        self.begin()
        self.pause()
        standby = self.cluster.standby()
        self.addCleanup(standby.close)
        self.tool.cluster = standby
        seen = self.run_status()
        self.assertEqual(seen["state"], "paused")
        # Its own backends are others: the last sign of life tells.
        self.assertEqual([w["alive"] for w in seen["workers"]], [True, True])
        self.assertExit(4, self.tool.run("resume"))


def documented_members():
    """{object: members} of the table about status in docs/report.md."""
    text = (ROOT / "docs/report.md").read_text()
    section = text[text.index("## status"):]
    section = section[:section.find("\n## ", 3)] + "\n"
    members = {}
    for line in section.splitlines():
        cells = line.split("|")
        if len(cells) == 5 and "`" in cells[1]:
            name, = re.findall("`([^`]+)`", cells[1])
            members.setdefault(name, set()).update(
                re.findall("`([^`]+)`", cells[2]))
    return members


class Watch(Base):
    def watch(self, *arguments):
        run = self.tool.start("status", "--watch", *arguments)
        self.addCleanup(lambda: run.running() and run.kill())
        return run

    def test_it_goes_on_until_the_run_ends_and_measures_rates(self):
        rotation = self.begin()
        watching = self.watch("--output", "json")
        time.sleep(4)
        self.assertTrue(watching.running())
        self.open_gate()
        self.assertExit(0, rotation.finish())
        result = watching.finish()
        self.assertExit(0, result)
        looks = [json.loads(line)["runs"] for line in
                 result.out.splitlines()]
        self.assertGreaterEqual(len(looks), 2)
        self.assertEqual(looks[0][0]["rate"]["over"], "sample")
        self.assertAlmostEqual(looks[0][0]["rate"]["seconds"], 1, delta=0.7)
        self.assertGreater(looks[0][0]["rate"]["per_second"], 0)
        self.assertEqual(looks[0][0]["state"], "running")
        self.assertEqual(looks[-1][0]["state"], "complete")
        self.assertEqual({run["run"] for look in looks for run in look},
                         {looks[0][0]["run"]})

    def test_sigint_ends_it_with_0(self):
        self.begin()
        watching = self.watch()
        time.sleep(2)
        watching.send(signal.SIGINT)
        result = watching.finish()
        self.assertExit(0, result)
        self.assertEqual(result.err, "")
        self.assertIn("/s in the last", result.out)
        self.assertNotIn("\x1b", result.out)

    def on_terminal(self, rows=0, columns=0):
        """What it shows on a terminal until it was drawn twice."""
        master, slave = pty.openpty()
        fcntl.ioctl(slave, termios.TIOCSWINSZ,
                    struct.pack("HHHH", rows, columns, 0, 0))
        process = subprocess.Popen(
            [PROGRAM, "status", "--watch", "--config",
             self.tool.write_config()], stdout=slave,
            stdin=subprocess.DEVNULL, env={**os.environ, "TERM": "xterm"})
        self.addCleanup(process.kill)
        os.close(slave)
        seen = b""
        deadline = time.monotonic() + 30
        while seen.count(b"\x1b[H") < 2 and time.monotonic() < deadline:
            if select.select([master], [], [], 1)[0]:
                seen += os.read(master, 65536)
        process.send_signal(signal.SIGINT)
        self.assertEqual(process.wait(30), 0)
        os.close(master)
        return seen

    def screen(self, rows, columns):
        """The lines of one drawing, which has to fit."""
        lines = self.on_terminal(rows, columns).split(b"\x1b[H\x1b[2J")[
            1].decode().split("\r\n")
        self.assertLessEqual(
            sum(max(1, -(-len(line) // columns)) for line in lines), rows,
            lines)
        self.assertRegex(lines[0], "^run 1: paused, to primary k2025")
        self.assertEqual(lines.pop(), "")
        return lines

    def test_on_a_terminal_it_is_redrawn(self):
        self.begin()
        self.assertGreaterEqual(
            self.on_terminal().count(b"\x1b[H\x1b[2J"), 2)

    def crowd(self):
        """A run that stands still and has many workers, living and gone, and
        five tables."""
        self.begin()
        self.pause()
        self.until(self.held_back, "the chunks are handed back")
        copy = ("INSERT INTO pgrekey.{0} OVERRIDING SYSTEM VALUE SELECT"
                " (jsonb_populate_record(w, {1})).* FROM pgrekey.{0} AS w,"
                " generate_series(1, {2}) AS i WHERE w.{3}")
        for pid, count in (("w.backend_pid", 20), ("0", 3)):
            self.sql(copy.format(
                "worker", "jsonb_build_object('id', nextval("
                "pg_get_serial_sequence('pgrekey.worker', 'id')),"
                f" 'backend_pid', {pid})", count,
                "id = (SELECT min(id) FROM pgrekey.worker)"))
        self.sql(copy.format(
            "leaf", "jsonb_build_object('leaf', i, 'label', 'more' || i,"
            " 'name', 'public.more' || i, 'state', 'settled', 'pass', 0)", 4,
            "label = 't'"))

    def test_a_small_terminal_shows_what_is_most_important(self):
        self.crowd()
        small = self.screen(15, 60)
        self.assertTrue(any("[t] public.t: " in line for line in small), small)
        self.assertRegex(small[-1], r"^\.\.\. \d+ more lines do not fit$")
        # Nine lines, the note, the cursor's, and workers on all others.
        larger = self.screen(30, 200)
        self.assertEqual(sum(": alive" in line for line in larger), 19)
        self.assertNotIn("gone", "".join(larger))

    def test_who_is_gone_is_left_out_first(self):
        self.crowd()
        self.sql("DELETE FROM pgrekey.leaf WHERE label <> 't'")
        living = self.value("SELECT count(*) FROM pgrekey.worker"
                            " WHERE backend_pid <> 0")
        gone = self.value("SELECT count(*) FROM pgrekey.worker"
                          " WHERE backend_pid = 0")
        whole = self.screen(50, 200)
        self.assertEqual(sum(": gone" in line for line in whole), gone)
        short = self.screen(len(whole), 200)
        self.assertEqual(sum(": alive" in line for line in short), living)
        self.assertEqual(sum(": gone" in line for line in short), gone - 2)
        self.assertEqual(short[-1], "... 2 more lines do not fit")


class Pause(Base):
    def test_at_most_one_more_batch_per_worker_begins(self):
        self.begins_at_most(2)

    def test_at_most_two_more_begin_of_a_worker_that_is_alone(self):
        """One that was sent already, and one before the first says so."""
        self.begins_at_most(2, "--workers", 1)

    def begins_at_most(self, most, *arguments):
        """And one more for a connection that is as slow as a far one: so it
        may be where others want the cores, and then batches are sent ahead."""
        before = self.look()
        run = self.begin("--verbose", *arguments, least=100)
        said = self.pause().out
        moment = self.value("SELECT clock_timestamp()")
        self.assertRegex(said, r"^run 1 is paused by postgres since \d{4}-")
        self.until(self.held_back, "the chunks are handed back")
        written = self.written()
        batches = self.value("SELECT count(DISTINCT xid) FROM log"
                             " WHERE began > %s", moment)
        time.sleep(1.5)
        slow = str(run.said()).count("batches are sent ahead")
        self.assertLessEqual(batches, most + slow)
        self.assertEqual(self.written(), written, "it went on")
        self.assertLess(written, self.ROWS, "the hazard did not occur")
        self.assertEqual(self.value(
            "SELECT count(*) FROM pg_stat_activity WHERE datname ="
            " current_database() AND application_name = 'pgrekey'"
            " AND xact_start IS NOT NULL"), 0)
        seen = self.run_status()
        self.assertEqual(seen["state"], "paused")
        self.assertEqual(seen["paused"]["by"], "postgres")
        self.assertRegex(seen["waiting"], "^paused by postgres since ")
        self.assertIn(seen["waiting"], self.text())
        self.assertTrue(all(w["alive"] for w in seen["workers"]))
        self.assertRegex(self.resume().out, "^run 1 goes on")
        self.open_gate()
        result = run.finish()
        self.assertExit(0, result)
        self.assertIn(seen["waiting"], result.err)
        self.assertIn("resumed", result.err)
        self.assertRight(before, self.look())
        self.assertEqual(self.written(), self.ROWS)
        self.assertEqual(self.run_status()["rewritten"], self.ROWS)

    def test_all_processes_obey(self):
        before = self.look()
        runs = self.two()
        self.pause("1")
        self.until(self.held_back, "the chunks are handed back")
        written = self.written()
        time.sleep(1.5)
        self.assertEqual(self.written(), written)
        self.resume("1")
        self.open_gate()
        for run in runs:
            self.assertExit(0, run.finish())
        self.assertRight(before, self.look())

    def test_it_survives_a_restart_of_rotate(self):
        before = self.look()
        run = self.paused()
        run.kill()
        written = self.written()
        again = self.start()
        self.until(lambda: self.value(
            "SELECT count(*) FROM pgrekey.worker") == 4, "it joins")
        time.sleep(1.5)
        self.assertTrue(again.running())
        self.assertEqual(self.written(), written)
        self.assertEqual(self.run_status()["state"], "paused")
        self.resume()
        self.open_gate()
        self.assertExit(0, again.finish())
        self.assertRight(before, self.look())

    def test_max_runtime_ends_a_paused_run_with_5(self):
        before = self.look()
        self.paused().kill()
        result = self.tool.rotate("--max-runtime", "2s")
        self.assertExit(5, result)
        self.assertLess(result.seconds, 10)
        self.assertRegex(result.report["note"], "paused by postgres since ")
        self.resume()
        self.open_gate()
        self.assertExit(0, self.tool.rotate())
        self.assertRight(before, self.look())

    def test_a_signal_ends_a_paused_run_with_5(self):
        run = self.paused()
        began = time.monotonic()
        run.send(signal.SIGTERM)
        self.assertExit(5, run.finish())
        self.assertLess(time.monotonic() - began, 5)

    def test_both_may_be_said_again(self):
        run = self.paused()
        self.assertRegex(self.pause().out, "was already paused by postgres")
        self.resume()
        self.assertIn("was not paused", self.resume().out)
        self.assertEqual(self.tool.run("pause", "-q").out, "")
        self.resume()
        self.open_gate()
        self.assertExit(0, run.finish())

    def test_quiet_rotate_says_why_it_waits(self):
        run = self.paused("--quiet")
        self.until(lambda: "paused by postgres since " in run.said(),
                   "it says so")
        run.send(signal.SIGTERM)
        self.assertExit(5, run.finish())

    def test_idle_workers_wait_as_well(self):
        """Nothing can be claimed and no pass is planned meanwhile."""
        self.tool.configure(rotate={**self.settings, "workers": 4},
                            t={"columns": "secret"})
        run = self.paused()
        self.sql("UPDATE pgrekey.chunk SET state = 'done'")
        time.sleep(1.5)
        self.assertEqual(self.sql("SELECT pass, state FROM pgrekey.leaf"),
                         [(1, "walking")])
        self.assertEqual(self.run_status()["state"], "paused")
        self.resume()
        self.open_gate()
        self.assertExit(0, run.finish())


class GroupEnd(Base):
    """Old values are in some places of a large table alone, so that chunks
    have several groups of windows."""
    ROWS = 0
    GROUP = 8  # of them, one in each window

    def test_a_pause_at_the_end_of_a_group_is_obeyed_before_the_next(self):
        self.sql("ALTER TABLE t ADD filler text")
        self.sql("ALTER TABLE t ALTER filler SET STORAGE PLAIN")
        old, new = (self.ring.seal(zoo.plain("x"), key, zoo.THEN)
                    for key in ("k2023", "k2025"))
        self.sql("INSERT INTO t SELECT i, CASE WHEN i %% 512 = 0 THEN %s"
                 " ELSE %s END, repeat('x', 3500)"
                 " FROM generate_series(0, 12000) AS i", old, new)
        self.sql("CREATE FUNCTION hold() RETURNS trigger LANGUAGE plpgsql AS"
                 # Not the trial write, which comes before any claim.
                 " $$BEGIN WHILE EXISTS (SELECT FROM pgrekey.chunk"
                 " WHERE state = 'running') AND EXISTS (SELECT FROM"
                 " public.gate) LOOP PERFORM pg_sleep(0.005); END LOOP;"
                 " RETURN NULL; END$$")
        last = 512 * (self.GROUP - 1)
        self.sql("DROP TRIGGER log ON t")
        self.sql("CREATE TRIGGER log AFTER UPDATE ON t FOR EACH ROW"
                 f" WHEN (OLD.id <> {last}) EXECUTE FUNCTION log()")
        self.sql("CREATE TRIGGER hold AFTER UPDATE ON t FOR EACH ROW"
                 f" WHEN (OLD.id = {last}) EXECUTE FUNCTION hold()")
        self.tool.configure(rotate={"workers": 1}, t={"columns": "secret"})
        run = self.begin()
        self.until(lambda: self.written() == self.GROUP - 1,
                   "its last row is held")
        self.pause()
        self.open_gate()
        self.until(self.held_back, "the chunk is handed back")
        self.assertEqual(self.written(), self.GROUP - 1)
        pos, hi = self.sql("SELECT pos, hi FROM pgrekey.chunk"
                           " ORDER BY no LIMIT 1")[0]
        self.assertTrue(0 < pos < hi, "the group was not the chunk's last")
        self.resume()
        self.assertExit(0, run.finish())


class Trail(Base):
    ROWS = 400

    def fingerprint(self, key):
        """What `pgrekey keys` shows: of the 32 bytes."""
        key = base64.urlsafe_b64decode(self.ring.keys[key])
        return sha256(key).hexdigest()[:8]

    def ends(self):
        """A run of each outcome; what their reports said."""
        self.open_gate()
        reports = [self.tool.rotate().report]
        self.sql("INSERT INTO t VALUES (-1, 'enc:fernet:k2023:AAAA'),"
                 " (-2, %s), (-3, 'raw')",
                 self.ring.seal(zoo.plain("x"), "k2023", zoo.THEN))
        reports.append(self.tool.rotate().report)
        self.sql("INSERT INTO gate VALUES (1)")
        self.sql("UPDATE t SET secret = %s WHERE id < 300",
                 self.ring.seal(zoo.plain("y"), "k2023", zoo.THEN))
        self.sql("TRUNCATE log")
        self.begin().kill()
        self.open_gate()
        self.tool.set_ring(self.ring.with_primary("k2026"))
        self.sql("DELETE FROM t WHERE id IN (-1, -3)")
        reports.append(None)
        reports.append(self.tool.rotate().report)
        return reports

    def test_all_runs_are_listed_with_who_when_what_and_how_it_ended(self):
        reports = self.ends()
        trail = self.status("--runs")["runs"]
        self.assertEqual([run["state"] for run in trail],
                         ["complete", "superseded", "findings", "complete"])
        self.assertEqual([run["run"] for run in trail], [4, 3, 2, 1])
        self.assertEqual([run["exit"] for run in trail], [0, None, 1, 0])
        for run, report in zip(reversed(trail), reports):
            self.assertEqual(run["role"], "postgres")
            self.assertEqual(run["os_user"], getpass.getuser())
            self.assertEqual(run["host"], socket.gethostname())
            self.assertLessEqual(run["started"], run["finished"])
            if report:
                column = report["tables"][0]["columns"][0]
                self.assertEqual(run["run"], report["run"])
                self.assertEqual(run["primary"], report["primary"])
                self.assertEqual(run["rewritten"], column["rewritten"])
                self.assertEqual(run["conflict"], column["conflict"])
                self.assertEqual(run["findings"], report["findings"]["total"])
        self.assertEqual(trail[2]["findings"], 2)
        self.assertEqual(trail[3]["rewritten"], self.ROWS)
        self.assertGreater(trail[1]["rewritten"], 0)
        self.assertEqual(
            (trail[3]["primary"], trail[3]["fingerprint"], trail[3]["from"]),
            ("k2025", self.fingerprint("k2025"),
             {key: self.fingerprint(key) for key in ("k2023", "k2024")}))
        text = self.text("--runs")
        self.assertEqual(re.findall(r"^run (\d+): (\w+)", text, re.M),
                         [("4", "complete"), ("3", "superseded"),
                          ("2", "findings"), ("1", "complete")])
        self.assertIn(f"k2023 ({self.fingerprint('k2023')})", text)

    def test_conflicts_are_kept_after_the_chunks_are_folded(self):
        self.open_gate()
        self.assertExit(0, self.tool.rotate())
        self.assertEqual(
            self.value("SELECT count(*) FROM pgrekey.chunk"), 0)
        self.sql("UPDATE pgrekey.leaf SET moved = '{2}', conflict = '{3}',"
                 " deferred = '{5}'")
        run, = self.status("--runs")["runs"]
        self.assertEqual((run["rewritten"], run["moved"], run["conflict"],
                          run["deferred"]), (self.ROWS, 2, 3, 5))

    def test_keys_that_a_later_start_knows_are_in_it(self):
        self.begin().kill()
        self.tool.set_ring(
            self.ring.with_primary("k2020").with_primary("k2025"))
        self.open_gate()
        self.assertExit(0, self.tool.rotate())
        run, = self.status("--runs")["runs"]
        self.assertEqual(sorted(run["from"]), ["k2020", "k2023", "k2024"])

    def test_no_secret_is_in_the_state(self):
        self.ends()
        for table, in self.sql(
                "SELECT tablename FROM pg_tables"
                " WHERE schemaname = 'pgrekey'"):
            rows = self.sql(f"SELECT x::text FROM pgrekey.{table} AS x")
            text = "\n".join(row for row, in rows)
            for what, pattern in self.tool.secrets().items():
                self.assertNotRegex(text, pattern, f"{what} in {table}")


class Privileges(Base):
    def printed_grants(self):
        result = self.tool.run("init", "--print")
        self.assertExit(0, result)
        return re.findall(r"^-- GRANT (.*) TO another_role;$", result.out, re.M)

    def test_select_on_the_state_schema_as_printed_is_enough(self):
        grants = self.printed_grants()
        self.assertEqual(len(grants), 2)
        run = self.begin()
        self.role(*grants)
        seen = self.run_status()
        self.assertEqual(seen["state"], "running")
        self.assertEqual([w["alive"] for w in seen["workers"]], [True, True])
        self.text("--runs")
        self.assertExit(4, self.tool.run("pause"))
        run.kill()
        self.until(lambda: self.run_status()["state"] == "interrupted",
                   "the backends are gone", pause=0.1)

    def test_no_privilege_is_exit_4_and_says_what_is_missing(self):
        self.assertExit(0, self.tool.run("init"))
        self.role()
        result = self.tool.run("status")
        self.assertExit(4, result)
        self.assertIn("init --print", result.err)


if __name__ == "__main__":
    unittest.main()
