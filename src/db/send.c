/*
 * Sending a batch: one transaction in one flush, and what became of it.
 */
#include "rows_int.h"
#include <stdio.h>
#include <stdlib.h>

/* tid[], the window, three arrays per column, and the checkpoint. */
_Static_assert(3 + 3 * TARGET_COLUMNS_MAX + 6 <= PG_ARGS_MAX,
	"a batch of the widest table has too many parameters");

/* A range in binary format. */
struct edges {
	unsigned char lo[TID_BYTES], hi[TID_BYTES];
};

static void
write_args(struct pg_args *args, struct edges *edges, const struct batch *b,
	const struct range *range, const struct checkpoint *k)
{
	rows_put_tid(edges->lo, range->lo);
	rows_put_tid(edges->hi, range->hi);
	args->count = 0;
	pg_arg_binary(args, PG_TID_ARRAY, buf_slice(&b->tid));
	pg_arg_binary(args, PG_TID, slice_of(edges->lo, TID_BYTES));
	pg_arg_binary(args, PG_TID, slice_of(edges->hi, TID_BYTES));
	for (size_t i = 0; i < b->columns; i++) {
		pg_arg_binary(args, PG_TEXT_ARRAY, buf_slice(&b->old[i]));
		pg_arg_binary(args, PG_TEXT_ARRAY, buf_slice(&b->fresh[i]));
		if (b->marked)
			pg_arg_binary(
				args, PG_INT8_ARRAY, buf_slice(&b->marks[i]));
	}
	if (!k)
		return;
	pg_arg_int(args, k->pos);
	pg_arg_int(args, k->run);
	pg_arg_int(args, k->leaf);
	pg_arg_int(args, k->chunk);
	pg_arg_int(args, k->epoch);
	pg_arg_int(args, LEASE_SECONDS);
}

/* The transaction of a batch. The same steps are sent and waited for. */
struct transaction {
	struct pg_step step[8];
	size_t steps;
	size_t write; /* index of the statement that writes */
	char limits[240];
};

static void
add_step(struct transaction *t, const char *sql, const struct pg_args *args)
{
	t->step[t->steps++] = (struct pg_step){.sql = sql, .args = args};
}

/* Everything local to the transaction, so that nothing leaks through a
 * pooler. */
static void
make_transaction(struct transaction *t, const struct pg *pg,
	const struct rows *r, const struct write_options *o,
	const struct pg_args *args)
{
	t->steps = 0;
	add_step(t, pg_begin_sql(pg, PG_WRITE), NULL);
	if (pg_settings(pg))
		add_step(t, pg_settings(pg), NULL);
	snprintf(t->limits, sizeof(t->limits),
		"SELECT pg_catalog.set_config('lock_timeout', '%lld', true),"
		" pg_catalog.set_config('statement_timeout', '%lld', true)%s",
		(long long)o->lock_timeout_ms,
		(long long)o->statement_timeout_ms,
		o->lazy ? ", pg_catalog.set_config('synchronous_commit',"
			  " 'off', true)"
			: "");
	add_step(t, t->limits, NULL);
	if (r->suppress_triggers)
		add_step(t, "SET LOCAL session_replication_role = replica",
			NULL);
	/* COMMIT has no time limit, and would wait with our locks for what was
	 * deferred; a trial has none at all. */
	add_step(t, "SET CONSTRAINTS ALL IMMEDIATE", NULL);
	t->write = t->steps;
	add_step(t, buf_str(&r->sql), args);
	add_step(t, o->checkpoint ? "COMMIT" : "ROLLBACK", NULL);
	t->step[t->write].again = o->checkpoint;
	/* Triggers and constraints run here, what is left of them at COMMIT. */
	t->step[t->write].foreign_code = true;
	t->step[t->write + 1].foreign_code = true;
}

bool
rows_run_is_paused(const struct rows *r)
{
	return r->paused;
}

int
rows_send(struct rows *r, struct pg *pg, const struct batch *b,
	const struct range *range, const struct write_options *o,
	struct err *err)
{
	struct sql_write w = {
		.leaf = r->leaf,
		.skip_locked = o->skip_locked,
		.digests = b->digests,
		.marked = b->marked,
		.state_schema = o->checkpoint ? r->state_schema : NULL,
	};
	struct transaction t;
	struct pg_args args;
	struct edges edges;

	buf_reset(&r->sql);
	sql_write(&r->sql, &w);
	write_args(&args, &edges, b, range, o->checkpoint);
	make_transaction(&t, pg, r, o, &args);
	return pg_send(pg, t.step, t.steps, err);
}

/* {1,2,5}: the numbers of the rows that took, from 1. */
static void
read_took(bool *took, size_t rows, const char *array)
{
	char *end;

	memset(took, 0, rows * sizeof(*took));
	for (const char *p = array + 1; *p && *p != '}'; p = end) {
		unsigned long n = strtoul(p, &end, 10);

		if (end == p)
			break;
		if (n >= 1 && n <= rows)
			took[n - 1] = true;
		if (*end == ',')
			end++;
	}
}

int
rows_wait(struct rows *r, struct pg *pg, struct batch *b,
	const struct write_options *o, struct err *err)
{
	struct pg_result *result;
	struct transaction t;

	make_transaction(&t, pg, r, o, NULL);
	if (pg_receive(&result, pg, t.step, t.steps, t.write, err) < 0) {
		/* The next one ends as well: with 25P02, or well. */
		if (!pg_is_busy(pg))
			pg_rollback(pg);
		return -1;
	}
	if (pg_is_null(result, 0, 2))
		memset(b->took, true, b->rows * sizeof(*b->took));
	else
		read_took(b->took, b->rows, pg_text(result, 0, 2));
	r->paused = o->checkpoint && pg_bool(result, 0, 3);
	pg_free(result);
	return 0;
}
