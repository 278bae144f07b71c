#!/usr/bin/python3
"""Breaks the program in known ways, one at a time, in a copy: does the test
that must notice notice? (Who tests the tests?)

    mutants.py [WORD...]    only mutants whose name has one of the words

The replaced text must be there exactly once, the copy must compile, and the
test must pass on the unbroken copy first: otherwise nothing is proven. Prints
a table; fails if a mutant survives.
"""
import os
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
NEEDED = ("Makefile", "conf", "docs", "include", "scripts", "src", "tests")
SECONDS = 400  # a mutant may also hang; that is noticed, too

# name: (file, what stands there, what stands there instead, test file, tests)
MUTANTS = {
    "the comparison is gone": (
        "src/db/sql_write.c",
        "\t\tadd_compare(sql, w, i, batch);",
        "\t\t(void)add_compare, (void)sql, (void)batch;",
        "torture/test_faults.py", "rewritten_in_the_middle"),
    "the batch is counted by a transaction of its own": (
        "src/db/sql_write.c",
        '\tadd_counter(sql, w, "rewritten", "w", 0);',
        '\tbuf_adds(sql, ", rewritten = c.rewritten");',
        "torture/test_proxy.py", "commit_in_doubt"),
    "the epoch fence is gone": (
        "src/db/sql_write.c",
        '\t\tw->state_schema ? "(SELECT pg_catalog.count(*)::int FROM k)"\n'
        '\t\t\t\t: "1");',
        '\t\t"1");',
        "torture/test_faults.py", "slept_through"),
    "the server's filter takes any key for the primary": (
        "src/format/sentry_sql.c",
        "\t\tquote_literal(sql, buf_str(&prefix));\n"
        "\t\tbuf_addc(sql, ')');",
        "\t\tquote_literal(sql, \"enc:fernet:\");\n"
        "\t\tbuf_addc(sql, ')');",
        "torture/test_proxy.py", "Slow"),
    "an object with another member is taken for an envelope": (
        "src/format/sentry_sql.c",
        "THEN %s - '\" MEMBER \"'::text = '{}'::jsonb END",
        "THEN %s IS NOT NULL END",
        "db/test_rotate_jsonb.py", "meanwhile_is_kept"),
    "an error of a read is the end of the table": (
        "src/db/pg_flush.c",
        "\tif (rc < 0)\n\t\tpg_rollback(pg);\n\treturn rc;\n",
        "\tif (rc < 0)\n\t\tpg_rollback(pg);\n\treturn 0;\n",
        "torture/test_faults.py", "damaged"),
    "a pass that left nothing is taken for the proof": (
        "src/engine/prove.c",
        "\tif (!p->relist && inspect_all(p, w, err) < 0)",
        "\tif (false && inspect_all(p, w, err) < 0)",
        "db/test_hopping.py", "never_says_clean"),
    "the proof has a snapshot for each statement": (
        "src/engine/prove.c",
        "pg_add_begin(&sql, pg, PG_SNAPSHOT, NULL);",
        "buf_adds(&sql, \"BEGIN ISOLATION LEVEL READ COMMITTED READ ONLY;\");",
        "db/test_hopping.py", None),
    "the proof does not wait for writers": (
        "src/db/fence.c",
        "\tif (rc == 0)\n\t\trc = wait_for(s, buf_str(&list), still_there,"
        " wait, who, err);",
        "\t(void)wait, (void)still_there;",
        "db/test_rotate_live.py", "inconclusive"),
    "locks are waited for without limit": (
        "src/db/send.c",
        "\t\t(long long)o->lock_timeout_ms,\n"
        "\t\t(long long)o->statement_timeout_ms,\n",
        "\t\t(long long)0 * o->lock_timeout_ms,\n\t\t(long long)0,\n",
        "torture/test_live.py", "Live"),
    "a batch may wait for one row after the other": (
        "src/db/send.c",
        "\t\t(long long)o->statement_timeout_ms,\n",
        "\t\t(long long)0 * o->statement_timeout_ms,\n",
        "db/test_deadlock.py", "gives_up_in_time"),
    "what is stored is not compared with what was sent": (
        "src/db/sql_write.c",
        "FILTER (WHERE same IS NOT TRUE)", "FILTER (WHERE same IS NULL)",
        "torture/test_faults.py", "poison"),
    "a bad row ends the run": (
        "src/db/pg_class.c",
        '{"P0", PG_CLASS_DATA}', '{"P0", PG_CLASS_FATAL}',
        "torture/test_faults.py", "poison"),
    "findings are no reason for another status than 0": (
        "src/engine/prove.c",
        "dirty = blocked > 0 || left > 0 || hidden > 0;",
        "dirty = blocked > 0 && left > 0 && hidden > 0;",
        "torture/test_faults.py", "poison"),
    "an ended session ends the run": (
        "src/db/pg_class.c",
        '{"57P", PG_CLASS_LOST}', '{"57P", PG_CLASS_FATAL}',
        "torture/test_faults.py", "administrator"),
    "the last batch of a window is skipped": (
        "src/engine/write.c",
        "\t*found = f->batch->rows > 0;\n",
        "\t*found = f->batch->rows > 6;\n",
        "torture/test_proxy.py", "Slow"),
    "a lost connection is not replaced": (
        "src/engine/survive.c",
        "!job_tries_again(&w->losses, err)", "true",
        "torture/test_proxy.py", "cut_at_any"),
    "what libpq has given up is waited for": (
        "src/db/pg_flush.c",
        "nulls == 2", "nulls == -1",
        "torture/test_proxy.py", "Farewell"),
    "a table that fails ends the run for all": (
        "src/engine/survive.c",
        "return w->walks &&", "return false &&",
        "torture/test_faults.py", "OneTableFails"),
    "new partitions are nobody's business": (
        "src/engine/prove.c",
        "\tp->relist = now.leaves != e->catalog.leaves;\n"
        "\tfor (size_t i = 0; i < now.leaves && !p->relist; i++)",
        "\tp->relist = false;\n"
        "\tfor (size_t i = 0; i < now.leaves && false; i++)",
        "torture/test_faults.py", "attached"),
    "chunks of a dead process stay its own": (
        "src/db/chunk.c",
        'LEASE_HOLDS " OR w.id', 'LEASE_HOLDS " AND w.id',
        "torture/test_kills.py", "Kills"),
    "a dead line is waited for": (
        "src/db/pg_connect.c",
        '\t\t{"keepalives_interval", "10"},\n', "",
        "torture/test_proxy.py", "dead_line"),
    "a silent server is waited for": (
        "src/db/pg_silence.c",
        "\t\tif (since && now - since > limit_ms)\n\t\t\thang_up(pg);",
        "\t\tif (since && now - since > 1000 * limit_ms)\n"
        "\t\t\thang_up(pg);",
        "torture/test_proxy.py", "says_nothing"),
    "no batch waits for the disk": (
        "src/engine/write.c",
        "\tw->unflushed = 0;\n\treturn false;",
        "\tw->unflushed = 0;\n\treturn true;",
        "db/test_flush.py", "a_few_batches"),
    "what is done need not be on disk": (
        "src/db/result.c",
        "SET LOCAL synchronous_commit = on", "SET LOCAL jit = off",
        "db/test_flush.py", "need_not"),
}

# What a mutant needs besides: more places to break.
MORE = {
    "the batch is counted by a transaction of its own": (
        "src/engine/write.c",
        "\tw->advanced |= missed < b->rows;\n",
        """\tw->advanced |= missed < b->rows;
	struct pg_args add = {0};
	pg_arg_int(&add, (int64_t)(b->rows - missed));
	pg_arg_int(&add, w->e->run);
	pg_arg_int(&add, w->chunk.leaf);
	pg_arg_int(&add, w->chunk.no);
	if (pg_query(NULL, w->pg, "UPDATE pgrekey.chunk SET rewritten ="
		" ARRAY[rewritten[1] + $1] WHERE run_id = $2 AND leaf = $3"
		" AND no = $4", &add, err) < 0)
		return -1;
"""),
    "locks are waited for without limit": (
        "src/engine/write.c",
        "\t\t.skip_locked = w->skip_locked,\n",
        "\t\t.skip_locked = false,\n"),
}


class Copy:
    """The whole source, with what is built already."""

    def __init__(self, folder):
        self.root = Path(folder)
        for name in NEEDED:
            source = ROOT / name
            copy = shutil.copytree if source.is_dir() else shutil.copy2
            copy(source, self.root / name)
        if (ROOT / "build/release").is_dir():
            shutil.copytree(ROOT / "build/release",
                            self.root / "build/release")
        self.build()

    def build(self):
        done = subprocess.run(["make", "-j2", "all"], cwd=self.root,
                              capture_output=True, text=True)
        if done.returncode:
            raise SystemExit(f"does not compile:\n{done.stderr}")

    def test(self, file, names):
        """None if the tests pass, else why not, in a few words."""
        folder, name = os.path.split(file)
        some = ["-k", names] if names else []
        with tempfile.TemporaryFile("w+") as log:
            process = subprocess.Popen(
                ["/usr/bin/python3", "-m", "unittest", "discover",
                 "-s", f"tests/{folder}", "-p", name, *some],
                cwd=self.root, stdout=log, stderr=log,
                stdin=subprocess.DEVNULL,
                env={**os.environ, "PGREKEY_BUILD": "build/release",
                     "PYTHONDONTWRITEBYTECODE": "1"})
            try:
                status = process.wait(SECONDS)
            except subprocess.TimeoutExpired:
                process.terminate()
                process.wait()
                return "does not end"
            log.seek(0)
            text = log.read()
        if "Ran 0 tests" in text:
            raise SystemExit(f"no test {names} in {file}")
        return reason(text) if status else None


def reason(text):
    """The first thing that a test complained about."""
    lines = text.splitlines()
    for line in lines:
        if line.startswith(("AssertionError", "RuntimeError")):
            return line.partition(": ")[2][:60]
    return lines[-1][:60]


def mutate(copy, name):
    """Returns what makes the files whole again."""
    whole = {}
    for file, old, new in filter(None, (MUTANTS[name][:3], MORE.get(name))):
        path = copy.root / file
        whole[path] = path.read_text()
        if whole[path].count(old) != 1:
            raise SystemExit(f"mutant '{name}': {file} has its text"
                             f" {whole[path].count(old)} times")
        path.write_text(whole[path].replace(old, new))
    return lambda: [path.write_text(text) for path, text in whole.items()]


def run(copy, name, sound):
    """The line of the table, and whether the mutant was caught."""
    test, some = MUTANTS[name][3:]
    if (test, some) not in sound:
        wrong = copy.test(test, some)
        if wrong:
            raise SystemExit(f"{test} {some} fails without a mutant: {wrong}")
        sound.add((test, some))
    restore = mutate(copy, name)
    began = time.monotonic()
    try:
        copy.build()
        wrong = copy.test(test, some)
    finally:
        restore()
        copy.build()
    seconds = time.monotonic() - began
    print(f"{'caught' if wrong else 'SURVIVED':9}{name}\n"
          f"{'':9}{seconds:4.0f} s, {test} {some or ''}: {wrong or 'passes'}",
          flush=True)
    return bool(wrong)


def main(words):
    names = [name for name in MUTANTS
             if not words or any(word in name for word in words)]
    sound = set()
    with tempfile.TemporaryDirectory(prefix="pgrekey-mutants-") as folder:
        copy = Copy(folder)
        survived = [name for name in names if not run(copy, name, sound)]
    print(f"{len(names) - len(survived)} caught, {len(survived)} survived")
    return 1 if survived or not names else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
