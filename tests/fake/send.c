/*
 * Writing: one transaction per batch, computed first, then stored whole.
 */
#include "../../src/db/rows_int.h"
#include "digest.h"
#include "store_int.h"
#include <stdlib.h>

const char fake_links_send[] = "send";

#define ARRAY_HEAD 20

/* -- the arrays of a batch ------------------------------------------------- */

static uint32_t
be32(const unsigned char *p)
{
	return (uint32_t)p[0] << 24 | (uint32_t)p[1] << 16 |
	       (uint32_t)p[2] << 8 | p[3];
}

/* The i-th element; ptr NULL for a NULL. */
static struct slice
element(const struct buf *array, size_t i)
{
	const unsigned char *p = array->ptr + ARRAY_HEAD;

	for (;; i--) {
		uint32_t len = be32(p);

		p += 4;
		if (i == 0)
			return len == UINT32_MAX ? (struct slice){0}
						 : slice_of(p, len);
		p += len == UINT32_MAX ? 0 : len;
	}
}

struct tid
fake_batch_tid(const struct batch *b, size_t i)
{
	const unsigned char *p = element(&b->tid, i).ptr;

	return (struct tid){be32(p), (uint16_t)(p[4] << 8 | p[5])};
}

/* -- what it would do ------------------------------------------------------ */

static bool
holds(const struct fake_value *v, struct slice old)
{
	static const char mark[] = "sha256:";
	char digest[DIGEST_HEX + 1];

	if (!v->text)
		return false;
	if (!slice_starts(old, mark))
		return slice_eq(slice_str(v->text), old);
	digest_hex(digest, slice_str(v->text));
	return slice_eq(slice_str(digest), slice_skip(old, strlen(mark)));
}

/* The row at that address, if each column to be written is what was read. */
static struct fake_row *
match(const struct fake_table *t, const struct batch *b, size_t i)
{
	struct fake_row *row = fake_row_at(t, fake_batch_tid(b, i));

	for (size_t c = 0; row && c < b->columns; c++) {
		if (element(&b->fresh[c], i).ptr &&
			!holds(&row->cell[c], element(&b->old[c], i)))
			return NULL;
	}
	return row;
}

static bool
is_within(struct tid t, const struct range *r)
{
	return (t.block > r->lo.block ||
		       (t.block == r->lo.block && t.offset >= r->lo.offset)) &&
	       (t.block < r->hi.block ||
		       (t.block == r->hi.block && t.offset < r->hi.offset));
}

/* NULL, or the SQLSTATE it fails with. */
static const char *
compute(bool *took, const struct fake_table *t, const struct pg *pg,
	const struct write_options *o)
{
	const struct batch *b = &pg->sent[0].batch;

	for (size_t i = 0; i < b->rows; i++) {
		struct tid tid = fake_batch_tid(b, i);
		struct fake_row *row = match(t, b, i);

		if (!is_within(tid, &pg->sent[0].range))
			fake_wrong("a row outside the range of its batch");
		took[i] = row && !fake_is_locked(row);
		if (row && !took[i] && !o->skip_locked)
			return "55P03";
	}
	return NULL;
}

/* -- doing it -------------------------------------------------------------- */

struct target_row {
	struct fake_run *run;
	struct fake_table *table;
	struct fake_chunk *chunk;
};

static void
count_marks(struct fake_sums *sums, const struct batch *b, size_t column,
	size_t row)
{
	struct slice marks = element(&b->marks[column], row);
	unsigned bits = marks.ptr ? marks.ptr[7] : 0;

	sums->n[COUNT_REWRITTEN][column]++;
	sums->n[COUNT_NESTED][column] += (bits & MARK_NESTED) != 0;
	sums->n[COUNT_MISLABELLED][column] += (bits & MARK_MISLABELLED) != 0;
	sums->n[COUNT_LATE][column] += (bits & MARK_LATE) != 0;
}

static void
store_row(const struct target_row *to, const struct batch *b, size_t i)
{
	struct fake_row *row = fake_row_at(to->table, fake_batch_tid(b, i));
	size_t table = (size_t)(to->table - fake.table);

	for (size_t c = 0; c < b->columns; c++) {
		struct slice fresh = element(&b->fresh[c], i);

		if (!fresh.ptr)
			continue;
		fake_write(row, c, fresh);
		to->run->written[table][c]++;
		count_marks(&to->chunk->sums, b, c, i);
	}
}

/* Addresses change only after all rows were found at theirs. */
static void
store(const struct target_row *to, const struct batch *b, const bool *took,
	const struct checkpoint *k)
{
	struct fake_row **row = xcalloc(b->rows, sizeof(struct fake_row *));

	for (size_t i = 0; i < b->rows; i++) {
		if (!took[i])
			continue;
		row[i] = fake_row_at(to->table, fake_batch_tid(b, i));
		store_row(to, b, i);
	}
	for (size_t i = 0; i < b->rows; i++) {
		if (row[i])
			fake_move(to->table, row[i]);
	}
	free(row);
	if (k->pos > to->chunk->at.pos)
		to->chunk->at.pos = k->pos;
	to->chunk->lease_until = fake_now() + 1000 * LEASE_SECONDS;
}

/* -- the functions of rows.h ----------------------------------------------- */

/* Nobody pauses these runs. */
bool
rows_run_is_paused(const struct rows *r)
{
	(void)r;
	return false;
}

int
rows_send(struct rows *r, struct pg *pg, const struct batch *b,
	const struct range *range, const struct write_options *o,
	struct err *err)
{
	struct fake_sent *sent = &pg->sent[pg->busy];

	(void)r, (void)o;
	if (fake_enter(pg, "rows_send", err) < 0)
		return -1;
	if (pg->transaction)
		fake_wrong("a batch in an open transaction");
	if (b->rows == 0)
		fake_wrong("an empty batch");
	if (pg->busy == 2) {
		fake_wrong("a third batch at once");
		return fake_leave(pg, err);
	}
	batch_done(&sent->batch);
	batch_init(&sent->batch, b->columns);
	batch_slice(&sent->batch, b, 0, b->rows);
	sent->range = *range;
	fake.facts.ahead += pg->busy > 0;
	pg->busy++;
	return fake_leave(pg, err);
}

/* The oldest batch is answered. Where it failed, the one behind it is not
 * tried; it is if only the COMMIT failed, which is every other time. */
static void
answer(struct pg *pg, bool failed)
{
	struct fake_sent first = pg->sent[0];

	pg->sent[0] = pg->sent[1];
	pg->sent[1] = first;
	pg->busy--;
	pg->aborted = failed && pg->busy > 0 && fake.facts.calls % 2 == 0;
}

/* NULL, or the SQLSTATE it fails with. */
static const char *
perform(struct rows *r, struct pg *pg, struct batch *b,
	const struct write_options *o)
{
	const struct checkpoint *k = o->checkpoint;
	struct target_row to = {.table = fake_table(r->leaf->oid)};
	const char *refused;

	if (pg->aborted) {
		fake.facts.untried++;
		return ROWS_NOT_TRIED;
	}
	refused = compute(b->took, to.table, pg, o);
	if (refused) {
		fake.facts.waited++;
		return refused;
	}
	if (!k) /* a canary: rolled back */
		return NULL;
	to.chunk = fake_chunk(k->run, k->leaf, k->chunk);
	if (!to.chunk || to.chunk->at.epoch != k->epoch)
		return ROWS_FENCE;
	to.run = &fake.run[k->run];
	store(&to, &pg->sent[0].batch, b->took, k);
	return NULL;
}

int
rows_wait(struct rows *r, struct pg *pg, struct batch *b,
	const struct write_options *o, struct err *err)
{
	const char *refused;

	if (!pg->busy || pg->sent[0].batch.rows != b->rows)
		fake_wrong("waiting for what was not sent");
	if (fake_enter(pg, "rows_wait", err) < 0) {
		if (pg->busy)
			answer(pg, true);
		return -1;
	}
	refused = perform(r, pg, b, o);
	answer(pg, refused != NULL);
	return refused ? fake_fail(pg, refused, err) : fake_leave(pg, err);
}
