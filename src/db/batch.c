#include "digest.h"
#include "rows_int.h"
#include <stdio.h>
#include <stdlib.h>

#define ARRAY_MAX ((size_t)1 << 30)
#define ARRAY_HEAD 20
#define ARRAY_COUNT_AT 12

/* -- binary arrays --------------------------------------------------------- */

/* One dimension, with NULLs, no elements yet, lower bound 1. */
static void
array_begin(struct buf *b, enum pg_type element)
{
	buf_reset(b);
	buf_add_be32(b, 1);
	buf_add_be32(b, 1);
	buf_add_be32(b, element);
	buf_add_be32(b, 0);
	buf_add_be32(b, 1);
}

static void
array_add(struct buf *b, struct slice value)
{
	if (!value.ptr) {
		buf_add_be32(b, UINT32_MAX); /* NULL */
		return;
	}
	buf_add_be32(b, (uint32_t)value.len);
	buf_add(b, value.ptr, value.len);
}

void
batch_init(struct batch *b, size_t columns)
{
	*b = (struct batch){.columns = columns};
	buf_init(&b->tid, ARRAY_MAX);
	b->old = xcalloc(columns, sizeof(*b->old));
	b->fresh = xcalloc(columns, sizeof(*b->fresh));
	b->marks = xcalloc(columns, sizeof(*b->marks));
	for (size_t i = 0; i < columns; i++) {
		buf_init(&b->old[i], ARRAY_MAX);
		buf_init(&b->fresh[i], ARRAY_MAX);
		buf_init(&b->marks[i], ARRAY_MAX);
	}
	batch_reset(b);
}

void
batch_done(struct batch *b)
{
	for (size_t i = 0; i < b->columns && b->old; i++) {
		buf_done(&b->old[i]);
		buf_done(&b->fresh[i]);
		buf_done(&b->marks[i]);
	}
	buf_done(&b->tid);
	free(b->old);
	free(b->fresh);
	free(b->marks);
	free(b->origin);
	*b = (struct batch){0};
}

void
batch_reset(struct batch *b)
{
	array_begin(&b->tid, PG_TID);
	for (size_t i = 0; i < b->columns; i++) {
		array_begin(&b->old[i], PG_TEXT);
		array_begin(&b->fresh[i], PG_TEXT);
		array_begin(&b->marks[i], PG_INT8);
	}
	b->rows = 0;
	b->digests = b->marked = false;
}

size_t
batch_bytes(const struct batch *b)
{
	size_t sum = b->tid.len;

	for (size_t i = 0; i < b->columns; i++)
		sum += b->old[i].len + b->fresh[i].len;
	return sum;
}

static void
set_origin(struct batch *b, size_t origin)
{
	if (b->rows == b->room) {
		b->room = b->room ? 2 * b->room : 256;
		b->origin = xrealloc(b->origin, b->room * sizeof(*b->origin));
	}
	b->origin[b->rows++] = origin;
	buf_set_be32(&b->tid, ARRAY_COUNT_AT, (uint32_t)b->rows);
	for (size_t i = 0; i < b->columns; i++) {
		buf_set_be32(&b->old[i], ARRAY_COUNT_AT, (uint32_t)b->rows);
		buf_set_be32(&b->fresh[i], ARRAY_COUNT_AT, (uint32_t)b->rows);
		buf_set_be32(&b->marks[i], ARRAY_COUNT_AT, (uint32_t)b->rows);
	}
}

static void
add_tid(struct batch *b, struct tid tid)
{
	unsigned char bytes[6] = {(unsigned char)(tid.block >> 24),
		(unsigned char)(tid.block >> 16),
		(unsigned char)(tid.block >> 8), (unsigned char)tid.block,
		(unsigned char)(tid.offset >> 8), (unsigned char)tid.offset};

	array_add(&b->tid, slice_of(bytes, sizeof(bytes)));
}

static void
add_marks(struct batch *b, size_t column, unsigned marks)
{
	const unsigned char bytes[8] = {
		0, 0, 0, 0, 0, 0, 0, (unsigned char)marks};

	array_add(&b->marks[column],
		marks ? slice_of(bytes, sizeof(bytes)) : (struct slice){0});
	b->marked |= marks != 0;
}

void
batch_add(struct batch *b, struct tid tid, const struct change *change,
	size_t origin)
{
	static const char mark[] = "sha256:";
	char digest[sizeof(mark) + DIGEST_HEX];
	const struct slice nothing = {0};

	add_tid(b, tid);
	for (size_t i = 0; i < b->columns; i++) {
		const struct change *c = &change[i];

		array_add(&b->fresh[i], c->fresh);
		add_marks(b, i, c->marks);
		if (!c->fresh.ptr) {
			array_add(&b->old[i], nothing);
		} else if (c->clear) { /* never a plaintext as a parameter */
			memcpy(digest, mark, sizeof(mark));
			digest_hex(digest + sizeof(mark) - 1, c->old);
			array_add(&b->old[i], slice_str(digest));
			b->digests = true;
		} else {
			array_add(&b->old[i], c->old);
		}
	}
	set_origin(b, origin);
}

/* Copies elements first to first + count of one array behind another. */
static void
array_slice(struct buf *ret, const struct buf *from, size_t first, size_t count)
{
	const unsigned char *p = from->ptr + ARRAY_HEAD, *start = p;

	for (size_t i = 0; i < first + count; i++) {
		uint32_t len = (uint32_t)p[0] << 24 | (uint32_t)p[1] << 16 |
			       (uint32_t)p[2] << 8 | p[3];

		p += 4 + (len == UINT32_MAX ? 0 : len);
		if (i + 1 == first)
			start = p;
	}
	buf_add(ret, start, (size_t)(p - start));
}

void
batch_slice(
	struct batch *ret, const struct batch *b, size_t first, size_t count)
{
	batch_reset(ret);
	array_slice(&ret->tid, &b->tid, first, count);
	for (size_t i = 0; i < b->columns; i++) {
		array_slice(&ret->old[i], &b->old[i], first, count);
		array_slice(&ret->fresh[i], &b->fresh[i], first, count);
		array_slice(&ret->marks[i], &b->marks[i], first, count);
	}
	ret->digests = b->digests;
	ret->marked = b->marked;
	for (size_t i = 0; i < count; i++)
		set_origin(ret, b->origin[first + i]);
}

/* -- writing --------------------------------------------------------------- */

/* tid[], three arrays per column, and the checkpoint. */
_Static_assert(1 + 3 * TARGET_COLUMNS_MAX + 6 <= PG_ARGS_MAX,
	"a batch of the widest table has too many parameters");

static void
write_args(
	struct pg_args *args, const struct batch *b, const struct checkpoint *k)
{
	args->count = 0;
	pg_arg_binary(args, PG_TID_ARRAY, buf_slice(&b->tid));
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
	struct pg_step step[6];
	size_t steps;
	size_t write; /* index of the statement that writes */
	char limits[160];
};

static void
add_step(struct transaction *t, const char *sql, const struct pg_args *args)
{
	t->step[t->steps++] = (struct pg_step){.sql = sql, .args = args};
}

/* Everything local to the transaction, so that nothing leaks through a
 * pooler. */
static void
make_transaction(struct transaction *t, const struct rows *r,
	const struct write_options *o, const struct pg_args *args)
{
	t->steps = 0;
	add_step(t, "BEGIN", NULL);
	snprintf(t->limits, sizeof(t->limits),
		"SELECT pg_catalog.set_config('lock_timeout', '%lld', true),"
		" pg_catalog.set_config('statement_timeout', '%lld', true)",
		(long long)o->lock_timeout_ms,
		(long long)o->statement_timeout_ms);
	add_step(t, t->limits, NULL);
	if (r->no_nested_loop)
		add_step(t, "SET LOCAL enable_nestloop = off", NULL);
	if (!o->checkpoint)
		add_step(t, "SET CONSTRAINTS ALL IMMEDIATE", NULL);
	t->write = t->steps;
	add_step(t, buf_str(&r->sql), args);
	add_step(t, o->checkpoint ? "COMMIT" : "ROLLBACK", NULL);
	/* Triggers and constraints run here, deferred ones at COMMIT. */
	t->step[t->write].foreign_code = true;
	t->step[t->write + 1].foreign_code = true;
}

/* Looks once at the plan: a TID scan for each row neither prunes nor is fast.
 * Planner settings would govern queries inside triggers too, so they are only
 * touched where there are none. */
static int
check_plan(struct rows *r, struct pg *pg, const struct pg_args *args,
	struct err *err)
{
	struct pg_result *plan;
	struct buf sql;
	int rc;

	buf_init(&sql, r->sql.max + 64);
	buf_adds(&sql, "EXPLAIN (FORMAT JSON) ");
	buf_add(&sql, r->sql.ptr, r->sql.len);
	rc = pg_query(&plan, pg, buf_str(&sql), args, err);
	buf_done(&sql);
	if (rc < 0)
		return -1;
	r->planned = true;
	r->poor_plan = strstr(pg_text(plan, 0, 0), "\"Tid Scan\"") != NULL;
	r->no_nested_loop = r->poor_plan && !r->leaf->any_trigger;
	pg_free(plan);
	return 0;
}

bool
rows_plan_is_poor(const struct rows *r)
{
	return r->poor_plan && !r->no_nested_loop;
}

int
rows_send(struct rows *r, struct pg *pg, const struct batch *b,
	const struct range *range, const struct write_options *o,
	struct err *err)
{
	struct sql_write w = {
		.leaf = r->leaf,
		.range = *range,
		.skip_locked = o->skip_locked,
		.digests = b->digests,
		.marked = b->marked,
		.state_schema = o->checkpoint ? r->state_schema : NULL,
	};
	struct transaction t;
	struct pg_args args;

	buf_reset(&r->sql);
	sql_write(&r->sql, &w);
	write_args(&args, b, o->checkpoint);
	if (!r->planned && !o->skip_locked && b->rows > 1 &&
		check_plan(r, pg, &args, err) < 0)
		return -1;
	make_transaction(&t, r, o, &args);
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
rows_wait(bool *took, struct rows *r, struct pg *pg, const struct batch *b,
	const struct write_options *o, struct err *err)
{
	struct pg_result *result;
	struct transaction t;

	make_transaction(&t, r, o, NULL);
	if (pg_receive(&result, pg, t.step, t.steps, t.write, err) < 0) {
		pg_rollback(pg);
		return -1;
	}
	if (pg_is_null(result, 0, 2))
		memset(took, true, b->rows * sizeof(*took));
	else
		read_took(took, b->rows, pg_text(result, 0, 2));
	pg_free(result);
	return 0;
}
