#!/usr/bin/python3
"""Breaks the program in known ways, one at a time, in a copy: does the test
that must notice notice? (Who tests the tests?)

    mutants.py [WORD...]    only mutants whose name has one of the words

The replaced text must be there exactly once, the copy must compile, and the
test must pass on the unbroken copy first: otherwise nothing is proven. Prints
a table; fails if a mutant survives.

m01 to m36 are the mistakes that were feared before the program was written.
Where it became another program than was thought, they are what comes nearest:

  m04  which rows took is never a number here; sent ones are taken for written
  m05  the position moves with each batch, instead of behind the whole group
  m09  rows are addressed by place; a key only names them, in findings
  m11  nothing here has a time to live; so a token's age must not matter
  m14  no difference but time, so lint is what notices
  m21  an empty text is a raw value like any other; here it is passed over
  m24  verify knows of no checkpoint; here it leaves the last page out
  m30  what is skipped, the proof finds: it costs a pass, and that is noticed
  m31  the last item is the group under way when a worker is told to stop
  m33  the epoch of a chunk is its lease
  m35  there is no secure heap, but memory that the system would not lock
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
    "m01 the comparison is gone": (
        "src/db/sql_write.c",
        "\t\tadd_compare(sql, w, i, batch);",
        "\t\t(void)add_compare, (void)sql, (void)batch;",
        "torture/test_faults.py", "rewritten_in_the_middle"),
    "m02 a column's own type compares": (
        "src/db/sql_write.c",
        '" COLLATE \\"C\\" = %s.o%zu) IS TRUE"',
        '"::citext = %s.o%zu::citext) IS TRUE"',
        "db/test_rotate_live.py", "a_citext"),
    "m02 a column's own collation compares": (
        "src/db/sql_write.c",
        '" COLLATE \\"C\\" = %s.o%zu) IS TRUE"', '" = %s.o%zu) IS TRUE"',
        "db/test_rotate_live.py", "collation_is_blind"),
    "m06 the batch is counted by a transaction of its own": (
        "src/db/sql_write.c",
        '\tadd_counter(sql, w, "rewritten", "w", 0);',
        '\tbuf_adds(sql, ", rewritten = c.rewritten");',
        "torture/test_proxy.py", "commit_in_doubt"),
    "m33 the epoch fence is gone": (
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
        "(p->relist || inspect_all(p, w, err) == 0)",
        "(true || inspect_all(p, w, err) == 0)",
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
    "the proof does not wait below a partition that has none": (
        "src/db/fence.c",
        "\" WHERE c.relkind = 'p') \"", "\" WHERE c.relkind = 'P') \"",
        "db/test_verify_live.py", "has_none_yet"),
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
    "m03 what is stored is not compared with what was sent": (
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
    "m07 the last batch of a window is skipped": (
        "src/engine/write.c",
        "\t*found = f->batch->rows > 0;\n",
        "\t*found = f->batch->rows > 6;\n",
        "torture/test_proxy.py", "Slow"),
    "a lost connection is not replaced": (
        "src/engine/survive.c",
        "!job_tries_again(&w->losses, err)", "true",
        "torture/test_proxy.py", "cut_at_any"),
    "what libpq has given up is waited for": (
        "src/db/pg.c",
        "return pg->given_up || PQstatus", "return PQstatus",
        "torture/test_proxy.py", "Farewell"),
    "what COPY sent is not counted": (
        "src/db/copy.c",
        "!x.left && x.rows != said", "!x.left && x.rows < 0",
        "torture/test_echo.py", "verify_counts"),
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
        "torture/test_silence.py", "dead_line"),
    "a silent server is waited for": (
        "src/db/pg_silence.c",
        "\t\tif (since && now - since > limit_ms)\n\t\t\thang_up(pg);",
        "\t\tif (since && now - since > 1000 * limit_ms)\n"
        "\t\t\thang_up(pg);",
        "torture/test_silence.py", "says_nothing"),
    "no batch waits for the disk": (
        "src/engine/write.c",
        "\tw->unflushed = 0;\n\treturn false;",
        "\tw->unflushed = 0;\n\treturn true;",
        "db/test_flush.py", "a_few_batches"),
    "what is done need not be on disk": (
        "src/db/result.c",
        "SET LOCAL synchronous_commit = on", "SET LOCAL jit = off",
        "db/test_flush.py", "need_not"),
    "m04 what was sent is taken for written": (
        "src/db/sql_write.c",
        "ELSE coalesce(pg_catalog.array_agg(i), '{}') END",
        "ELSE NULL::int8[] END",
        "db/test_rotate_live.py", "LiveValues"),
    "m05 the position is ahead of the batches": (
        "src/engine/write.c",
        "\tf->checkpoint = checkpoint_of(w);\n",
        "\tf->checkpoint = checkpoint_of(w);\n"
        "\tf->checkpoint.pos = w->window[f->window].range.hi.block;\n",
        "db/test_rotate_live.py", "one_sigterm"),
    "m08 the first row of a window is no part of it": (
        "src/db/sql.c",
        "t.ctid >= '(%u,%u)'::tid", "t.ctid > '(%u,%u)'::tid",
        "db/test_rotate.py", "smallest_batches"),
    "m08 a window ends one row too late": (
        "src/db/window.c", "last.offset++;", "last.offset += 2;",
        "unit/test_window.c", None),
    "m09 a row is named by its first key column": (
        "src/db/single.c",
        'json_build_object(");\n\tfor (size_t i = 0; key[i]; i++)',
        'json_build_object(");\n\tfor (size_t i = 0; i < 1 && key[i]; i++)',
        "db/test_rotate_report.py", "composite"),
    "m10 a token is as young as its rotation": (
        "src/format/judge.c",
        ".time = ret->timed ? ret->time : j->options.now,",
        ".time = j->options.now,",
        "unit/test_judge.c", None),
    "m11 a token of last week is no good any more": (
        "src/format/judge.c",
        "\tret->timed = true;\n\tret->time = o->time;\n\tret->mislabelled",
        '\tif (o->time + 604800 < j->options.now) {\n'
        '\t\tleave(ret, VERDICT_CORRUPT, "expired");\n'
        '\t\treturn;\n\t}\n'
        "\tret->timed = true;\n\tret->time = o->time;\n\tret->mislabelled",
        "unit/test_judge.c", None),
    "m12 any tag is right": (
        "src/crypto/fernet.c",
        "CRYPTO_memcmp(tag, token.ptr + signed_part.len, TAG) == 0",
        "signed_part.len > 0",
        "unit/test_fernet.c", None),
    "m13 the last byte of a tag does not matter": (
        "src/crypto/fernet.c",
        "signed_part.len, TAG) == 0", "signed_part.len, TAG - 1) == 0",
        "unit/test_fernet.c", None),
    "m14 a tag is compared up to the first difference": (
        "src/crypto/fernet.c",
        "return CRYPTO_memcmp(tag", "return memcmp(tag",
        "lint/test_words.py", "this_tree"),
    "m15 a generator that fails makes vectors, too": (
        "src/crypto/fernet.c",
        "\t\tif (RAND_bytes(pool->bytes, sizeof(pool->bytes)) != 1)\n"
        "\t\t\treturn -1;\n",
        "\t\t(void)RAND_bytes(pool->bytes, sizeof(pool->bytes));\n",
        "unit/test_fernet.c", None),
    "m16 one vector will do": (
        "src/crypto/fernet.c", "\tpool->left -= FERNET_IV;\n", "",
        "db/test_rotate.py", "iv_of_their_own"),
    "m17 of the padding the last byte tells all": (
        "src/crypto/fernet.c",
        "for (size_t i = len - pad; i < len; i++)",
        "for (size_t i = len - 1; i < len; i++)",
        "unit/test_fernet_vectors.c", None),
    "m18 the halves of a key change places": (
        "src/crypto/fernet.c",
        "key_mac(c, f->hmac, key) ||\n"
        "\t\t\t!key_cipher(\n"
        "\t\t\t\t&c->encrypt, f->aes, key + KEY_SIGNING, 1) ||\n"
        "\t\t\t!key_cipher(&c->decrypt, f->aes, key + KEY_SIGNING, 0))",
        "key_mac(c, f->hmac, key + KEY_SIGNING) ||\n"
        "\t\t\t!key_cipher(&c->encrypt, f->aes, key, 1) ||\n"
        "\t\t\t!key_cipher(&c->decrypt, f->aes, key, 0))",
        "unit/test_fernet_vectors.c", None),
    "m19 the key that opened seals": (
        "src/format/judge.c",
        ".key = ring->primary,",
        ".key = ret->key < 0 ? ring->primary : (size_t)ret->key,",
        "unit/test_judge.c", None),
    "m20 what no key opens is as it should be": (
        "src/format/judge.c",
        "\t\tleave(ret, VERDICT_UNKNOWN_KEY,\n"
        "\t\t\tkeyring_find(j->options.ring, e->key_id) < 0\n"
        '\t\t\t\t? "its key is not in the keyring"\n'
        '\t\t\t\t: "damaged, or labelled with the wrong key");\n',
        "\t\tret->verdict = VERDICT_CURRENT;\n",
        "db/test_rotate_findings.py", "unknown_keys_stay"),
    "m21 an empty text needs nothing": (
        "src/format/judge.c",
        "\tjudge_stored(ret, j, policy, carrier, stored);\n",
        "\tif (stored.len == 0) {\n"
        "\t\tret->verdict = VERDICT_CURRENT;\n"
        "\t\treturn 0;\n\t}\n"
        "\tjudge_stored(ret, j, policy, carrier, stored);\n",
        "unit/test_judge.c", None),
    "m22 a conflict counts as rewritten": (
        "src/db/sql_write.c",
        'buf_addf(sql, "%s%zu)", test, i);',
        'buf_addf(sql, "%s%zu IS NULL) +"\n'
        '\t\t\t\t" pg_catalog.cardinality($1::tid[])", test, i);',
        "db/test_rotate_live.py", "LiveValues"),
    "m23 NULL is an empty text": (
        "src/engine/cell.c",
        "\t\tif (!cell[i].present)\n\t\t\tcontinue;\n", "",
        "db/test_rotate.py", "null_beside"),
    "m24 verify leaves the last page out": (
        "src/engine/verify.c",
        "{last ? UINT32_MAX : (uint32_t)end, 0}",
        "{(uint32_t)(last ? v->blocks[v->leaf] - 1 : end), 0}",
        "db/test_verify.py", "wherever_it_is"),
    "m25 for a column that is missing another one will do": (
        "src/db/catalog_column.c",
        "\tif (pg_rows(r) == 0) {\n",
        "\tif (pg_rows(r) == 0 && i > 0) {\n"
        "\t\tfree(c->ref);\n"
        "\t\tc->ref = xstrdup(leaf->column[0].ref);\n"
        "\t\tc->carrier = leaf->column[0].carrier;\n"
        "\t\treturn 0;\n\t}\n"
        "\tif (pg_rows(r) == 0) {\n",
        "db/test_verify.py", "what_is_missing"),
    "m26 who was told to stop has done it all": (
        "src/engine/outcome.c",
        "\treturn ERR_STOPPED;\n", "\treturn ERR_NONE;\n",
        "db/test_rotate_live.py", "one_sigterm"),
    "m26 who was made to stop has done it all": (
        "src/engine/stop.c",
        "_exit(ERR_STOPPED);", "_exit(ERR_NONE);",
        "unit/test_stop.c", None),
    "m27 a batch that failed is not rolled back": (
        "src/db/send.c",
        "\t\tif (!pg_is_busy(pg))\n\t\t\tpg_rollback(pg);\n", "",
        "torture/test_faults.py", "poison"),
    "m27 a read that failed is not rolled back": (
        "src/db/pg_flush.c",
        "\tif (rc < 0)\n\t\tpg_rollback(pg);\n\treturn rc;\n",
        "\treturn rc;\n",
        "db/test_where.py", "fails_for_a_while"),
    "m28 keys that are refused stay where they are": (
        "src/crypto/keyring.c",
        "\tkeyring_free(ring);\n\tkey_dir_done(&dir);\n",
        "\tkey_dir_done(&dir);\n",
        "unit/test_wipe.c", None),
    "m29 what the server says may be repeated": (
        "src/db/pg.c",
        "!said || foreign_code || !pg_is_quotable(state) ||",
        "!said || (foreign_code && !state) ||",
        "db/test_rotate_report.py", "quote_the_row"),
    "what a condition is given may be repeated": (
        "src/db/pg.c",
        "(pg->discreet && !is_about_text(r))",
        "(pg->discreet && !state && !is_about_text(r))",
        "db/test_where.py", "no_other_word"),
    "a row is named by what it hides": (
        "src/db/catalog_column.c",
        "names_a_value(leaf, r) ? 0 : pg_rows(r)",
        "pg_rows(r) + 0 * names_a_value(leaf, r)",
        "db/test_verify_report.py", "configured_column_in"),
    "what is deferred has no time limit": (
        "src/db/send.c",
        '\tadd_step(t, "SET CONSTRAINTS ALL IMMEDIATE", NULL);\n',
        "\tif (!o->checkpoint)\n"
        '\t\tadd_step(t, "SET CONSTRAINTS ALL IMMEDIATE", NULL);\n',
        "db/test_rotate_triggers.py", "Deferred"),
    "m30 what is in doubt is passed over": (
        "src/engine/walk.c",
        "\tw->counts = (struct chunk_counts){0};\n"
        "\twhile (is_before(at, end)) {\n",
        "\tstatic _Thread_local struct tid doubt;\n"
        "\tstruct tid next = doubt;\n\n"
        "\tdoubt = (struct tid){0, 0};\n"
        "\tw->counts = (struct chunk_counts){0};\n"
        "\tif (is_before(at, next) && !is_before(end, next))\n"
        "\t\treturn pass_group(w, next, !is_before(next, end), err);\n"
        "\twhile (is_before(at, end)) {\n",
        "unit/test_worker.c", None),
    "m31 what was begun is done when it stops": (
        "src/engine/walk.c",
        "\t\t\treturn pass_group(w, start, false, err);",
        "\t\t\treturn pass_group(w, is_before(start, at) ? at : start,\n"
        "\t\t\t\t!is_before(at, end), err);",
        "db/test_rotate_live.py", "one_sigterm"),
    "m32 workers share what OpenSSL works with": (
        "src/format/judge_new.c",
        "\tif (fernet_new(&j->work, options->ring, err) < 0 ||\n",
        "\tstatic struct fernet *shared;\n\n"
        "\tif ((!shared && fernet_new(&shared, options->ring, err) < 0) ||\n"
        "\t\t!(j->work = shared) ||\n",
        "db/test_rotate.py", "four_workers"),
    "m34 row security is left on": (
        "src/db/pg_session.c",
        '{"row_security", "off"}', '{"row_security", "on"}',
        "db/test_verify_live.py", "hidden_meanwhile"),
    "m35 memory that is not locked is said to be": (
        "src/crypto/secret.c",
        "\tif (mlock(data, len) < 0)\n"
        "\t\tatomic_store(&some_unlocked, true);\n",
        "\t(void)!mlock(data, len);\n",
        "unit/test_secret.c", None),
    "m36 two values glued together are rewritten as one": (
        "src/format/judge.c",
        "\tret->rewrite = !o->lossy;\n"
        "\tret->blocks = ret->unread = o->lossy;\n",
        "\tret->rewrite = true;\n",
        "unit/test_judge.c", None),
    "who ends a pass locks the row of the run before the table": (
        "src/db/pass.c",
        '"LOCK TABLE @.run IN ROW EXCLUSIVE MODE"', '"SELECT 1"',
        "db/test_rotate_state.py", "wait_for_one_another"),
    "what is listed is there for ever": (
        "src/db/catalog.c",
        "gone && attempt < ATTEMPTS", "gone && attempt < 1",
        "db/test_proof.py", "before_the_first_look"),
    "a partition that goes ends the proof": (
        "src/engine/prove.c",
        "return p->relist ? 0 : -1;", "return -1;",
        "db/test_proof.py", "middle_of_the_proof"),
    "main outlives nothing": (
        "src/engine/tend.c",
        "\tif (attempt >= ATTEMPTS || ", "\tif (attempt >= 1 || ",
        "db/test_rotate_state.py", "is_made_anew"),
    "a superseded run keeps its epoch": (
        "src/db/run.c",
        "SET epoch = epoch + 1", "SET epoch = epoch",
        "db/test_pooler.py", "thaws_behind"),
    "how a run ended is read without a transaction": (
        "src/engine/rotate.c",
        "\tif (pg_begin(s->pg, PG_WRITE, NULL, err) < 0)\n"
        "\t\treturn -1;\n"
        "\tstatus = outcome_status(ret, e, s, err);\n"
        "\tif (status < 0 || outcome_gather(ret, e, s, err) < 0 ||\n"
        "\t\tpg_exec(s->pg, \"COMMIT\", err) < 0) {\n",
        "\tstatus = outcome_status(ret, e, s, err);\n"
        "\tif (status < 0 || outcome_gather(ret, e, s, err) < 0) {\n",
        "torture/test_echo.py", "last_words"),
    "a leaf that was looked at stays locked": (
        "src/db/snapshot.c",
        '"ROLLBACK TO look"', '"SELECT 1"',
        "db/test_proof.py", "is_let_go"),
    "any proof is taken for a thorough one": (
        "src/engine/gather.c",
        "g->ret->thorough |= !strcmp(n->kind, NUMBER_THOROUGH);",
        "g->ret->thorough = true;",
        "db/test_proof.py", "plain_proof"),
    "a long text may have one character more": (
        "src/crypto/base64_wide.c",
        "is_between(c, 'A', 'Z')", "is_between(c, '@', 'Z')",
        "unit/test_base64.c", None),
    "a row that went far is a conflict for ever": (
        "src/engine/stray.c",
        "\tfound = stray_list_find(&s->list, seen);\n",
        "\tfound = NULL;\n\t(void)seen;\n",
        "db/test_rotate_live.py", "another_partition"),
    "what is elsewhere is where it was missed": (
        "src/engine/missed.c",
        "w->counts.moved[i] += !stray_is_at(own, &seen);",
        "w->counts.moved[i] += 0 * stray_is_at(own, &seen);",
        "db/test_rotate_live.py", "no_conflict_of_the_value"),
    "the trial write believes what it sent": (
        "src/engine/preflight.c",
        "if (!t->batch.took[i] &&", "if (i == SIZE_MAX &&",
        "db/test_rotate.py", "nothing_was_written"),
    "a worker waits for the one it was": (
        "src/db/register.c",
        "if (s->worker && state_prove_end",
        "if (s->worker < 0 && state_prove_end",
        "torture/test_silence.py", "the_one_it_was"),
    "nobody looks at the clock": (
        "src/engine/stop.c",
        "\t\tlook_at_clock(s, began_ms);\n", "\t\t(void)look_at_clock;\n",
        "db/test_proof.py", "before_the_first_write"),
    "a column's new type is not looked at": (
        "src/engine/prove.c",
        "known->column[c].carrier != now->column[c].carrier", "false",
        "db/test_proof.py", "became_another_type"),
}

# What a mutant needs besides: more places to break.
MORE = {
    "m06 the batch is counted by a transaction of its own": (
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
    "m30 what is in doubt is passed over": (
        "src/engine/walk.c",
        "\t\t\twrite_group(w, windows, err) < 0)\n"
        "\t\t\treturn -1;\n",
        "\t\t\twrite_group(w, windows, err) < 0) {\n"
        "\t\t\tif (pg_classify(err) == PG_CLASS_LOST)\n"
        "\t\t\t\tdoubt = at;\n"
        "\t\t\treturn -1;\n"
        "\t\t}\n"),
    "m32 workers share what OpenSSL works with": (
        "src/format/judge_new.c", "\tfernet_free(j->work);\n", ""),
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

    def build(self, what="all"):
        done = subprocess.run(["make", "-j2", what], cwd=self.root,
                              capture_output=True, text=True)
        if done.returncode:
            raise SystemExit(f"does not compile:\n{done.stderr}")

    def command(self, file, names):
        """What runs these tests."""
        folder, name = os.path.split(file)
        if folder == "unit":
            program = f"build/release/tests/{name.removesuffix('.c')}"
            self.build(program)
            return [program]
        return ["/usr/bin/python3", "-m", "unittest", "discover",
                "-s", f"tests/{folder}", "-p", name,
                *(["-k", names] if names else [])]

    def test(self, file, names):
        """None if the tests pass, else why not, in a few words."""
        command = self.command(file, names)
        with tempfile.TemporaryFile("w+") as log:
            process = subprocess.Popen(
                command, cwd=self.root, stdout=log, stderr=log,
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
        if line.startswith("[  FAILED  ]"):
            return line.partition("] ")[2][:60]
    return lines[-1][:60]


def mutate(copy, name):
    """Returns what makes the files whole again."""
    whole = {}
    for file, old, new in filter(None, (MUTANTS[name][:3], MORE.get(name))):
        path = copy.root / file
        text = path.read_text()
        whole.setdefault(path, text)
        if text.count(old) != 1:
            raise SystemExit(f"mutant '{name}': {file} has its text"
                             f" {text.count(old)} times")
        path.write_text(text.replace(old, new))
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
