/*
 * Writing a group of windows: their rows are dealt out to batches, each batch
 * one transaction in one flush. While the server works on one, the next is
 * opened and sealed; where goes_ahead() says so, it is also sent.
 */
#include "cell_int.h"
#include "clock.h"
#include "engine_int.h"
#include "fail_point.h"
#include "log.h"
#include <stdlib.h>

/* Batches without a miss after which rows are no longer locked beforehand. */
#define CALM_AFTER 20
#define CALM_PENALTY (-30)
#define LIMIT_MIN 50
#define PATIENCE_MS 60000
/* After so many bytes of values, old and new, a COMMIT waits for the disk:
 * those before it would only have waited one by one. What a crash of the server
 * takes back goes with its checkpoint, and is done again. More would let a slow
 * disk or standby fall behind, and the application wait for our WAL. */
#define LAZY_BYTES ((size_t)1 << 21)

void
write_new_leaf(struct worker *w)
{
	w->skip_locked = true; /* the first contact must not hurt anybody */
	w->calm = 0;
}

void
write_be_careful(struct worker *w)
{
	w->skip_locked = true;
	w->calm = CALM_PENALTY;
}

static void
went_well(struct worker *w)
{
	if (w->calm < CALM_AFTER)
		w->calm++;
	else
		w->skip_locked = false;
}

/* -- one row --------------------------------------------------------------- */

static bool
is_refused(const struct worker *w, struct tid tid)
{
	for (size_t i = 0; i < w->refused_count; i++) {
		if (w->refused[i].block == tid.block &&
			w->refused[i].offset == tid.offset)
			return true;
	}
	return false;
}

int
write_add_row(bool *nested, struct worker *w, struct batch *b,
	const struct window *win, size_t row, struct err *err)
{
	const struct row_judge by = {
		.judge = w->judge,
		.leaf = rows_leaf(w->rows),
		.bytes = &w->fresh,
		/* The proof sees nested values itself. */
		.marks_nested = !w->e->o->thorough,
	};
	struct fresh_row fresh;

	*nested = false;
	if (is_refused(w, win->tid[row]))
		return 0;
	missed_meet(w, win, row);
	if (judge_row(&fresh, &by, win, row, err) < 0)
		return -1;
	*nested = fresh.nested && b != &w->single;
	if (fresh.any && !*nested)
		batch_add(b, win->tid[row], fresh.change, row);
	return 0;
}

/* -- one transaction ------------------------------------------------------- */

static struct checkpoint
checkpoint_of(const struct worker *w)
{
	return (struct checkpoint){
		.run = w->e->run,
		.leaf = w->chunk.leaf,
		.chunk = w->chunk.no,
		.epoch = w->chunk.epoch,
		.pos = -1, /* moves with the group, not with a batch */
	};
}

/* Is there little that is not yet on disk? Counts the batch in. */
static bool
may_be_lazy(struct worker *w, const struct batch *b)
{
	w->unflushed += batch_bytes(b);
	if (w->unflushed < LAZY_BYTES)
		return true;
	w->unflushed = 0;
	return false;
}

static struct write_options
options_of(struct worker *w, const struct batch *b, const struct checkpoint *k)
{
	return (struct write_options){
		.skip_locked = w->skip_locked,
		.checkpoint = k,
		.lock_timeout_ms = w->e->lock_ms,
		.statement_timeout_ms = w->e->statement_ms,
		.lazy = may_be_lazy(w, b),
	};
}

/* A batch was committed: hands on its rows that did not take. */
static int
committed(struct worker *w, const struct batch *b, const struct window *win,
	struct err *err)
{
	size_t missed = 0;

	w->state.paused |= rows_run_is_paused(w->rows);
	for (size_t i = 0; i < b->rows; i++)
		missed += !b->took[i];
	w->advanced |= missed < b->rows;
	w->hopeless = missed < b->rows ? 0 : w->hopeless;
	if (missed == 0) {
		went_well(w);
		return 0;
	}
	write_be_careful(w);
	for (size_t i = 0; i < b->rows; i++) {
		if (!b->took[i] && repair_miss(w, win, b->origin[i], err) < 0)
			return -1;
	}
	return 0;
}

int
write_alone(struct worker *w, struct batch *b, const struct window *win,
	bool patient, struct err *err)
{
	struct checkpoint k = checkpoint_of(w);
	struct write_options o = options_of(w, b, &k);
	struct err why;

	o.skip_locked = true;
	if (patient)
		o.statement_timeout_ms = PATIENCE_MS;
	if (rows_send(w->rows, w->pg, b, &win->range, &o, err) < 0)
		return -1;
	if (rows_wait(w->rows, w->pg, b, &o, &why) < 0)
		return repair_batch(w, b, win, &why, err);
	return committed(w, b, win, err);
}

/* -- a group in rotation --------------------------------------------------- */

/* A batch on its way. Where two are, the server goes on with the second one
 * while we hear of the first, and make the third. */
struct flight {
	struct batch *batch;
	size_t window;
	struct checkpoint checkpoint;
	struct write_options options;
	int64_t began_ms; /* the server has worked on it since, at most */
	bool flies;       /* was sent; what became of it is not dealt with */
	bool heard;       /* the answer is there: */
	int rc;
	struct err why;
};

static bool
is_full(const struct worker *w, const struct deal *d, const struct batch *b)
{
	return b->rows >= deal_limit(d, w->batch_limit) ||
	       batch_bytes(b) >= BATCH_BYTES;
}

/* Opens and seals the rows of the next batch that has any; *found is false
 * behind the last one. */
static int
make_batch(bool *found, struct worker *w, struct deal *d, struct flight *f,
	struct err *err)
{
	bool nested;
	size_t row;

	batch_reset(f->batch);
	f->flies = f->heard = false;
	do {
		const struct window *win = &w->window[d->at];

		f->window = d->at;
		while (!is_full(w, d, f->batch) && deal_row(d, &row)) {
			window_expect(win, row, d->turns[d->at]);
			if (write_add_row(&nested, w, f->batch, win, row, err) <
				0)
				return -1;
			if (nested)
				row_list_add(&w->nested, d->at, row);
		}
	} while (f->batch->rows == 0 && deal_share(d));
	*found = f->batch->rows > 0;
	return 0;
}

static int
take_off(struct worker *w, struct flight *f, struct err *err)
{
	int rc;

	FAIL_POINT(batch_made);
	f->checkpoint = checkpoint_of(w);
	f->options = options_of(w, f->batch, &f->checkpoint);
	f->began_ms = clock_ms();
	f->flies = true;
	f->heard = false;
	rc = rows_send(w->rows, w->pg, f->batch, &w->window[f->window].range,
		&f->options, err);
	FAIL_POINT(batch_sent);
	return rc;
}

/* Slow servers get smaller batches. */
static void
adapt(struct worker *w, const struct flight *f)
{
	int64_t took_ms = clock_ms() - f->began_ms;
	size_t most = (size_t)w->e->o->batch_rows;

	if (took_ms > BATCH_MS && f->batch->rows > LIMIT_MIN) {
		w->batch_limit = f->batch->rows / 2;
		if (w->batch_limit < LIMIT_MIN)
			w->batch_limit = LIMIT_MIN;
	} else if (took_ms < BATCH_MS / 2 && w->batch_limit < most) {
		w->batch_limit += w->batch_limit / 4 + 1;
		if (w->batch_limit > most)
			w->batch_limit = most;
	}
}

static void
hear(struct worker *w, struct flight *f)
{
	if (f->heard)
		return;
	f->rc = rows_wait(w->rows, w->pg, f->batch, &f->options, &f->why);
	FAIL_POINT(batch_heard);
	f->heard = true;
	if (f->rc == 0 || strcmp(f->why.sqlstate, ROWS_NOT_TRIED) != 0)
		adapt(w, f);
}

/* A batch failed. Before it is tried in parts, what became of the one behind it
 * has to be heard; that one was not even tried if the server was still in the
 * transaction that failed. */
static int
crash(struct worker *w, struct flight *f, struct flight *behind,
	struct err *err)
{
	const struct window *win = &w->window[f->window];

	if (behind->flies)
		hear(w, behind);
	if (repair_batch(w, f->batch, win, &f->why, err) < 0)
		return -1;
	if (behind->flies && behind->rc < 0 &&
		!strcmp(behind->why.sqlstate, ROWS_NOT_TRIED))
		return take_off(w, behind, err);
	return 0;
}

static int
land(struct worker *w, struct flight *f, struct flight *behind, struct err *err)
{
	hear(w, f);
	f->flies = false;
	behind->began_ms = clock_ms();
	if (f->rc < 0)
		return crash(w, f, behind, err);
	return committed(w, f->batch, &w->window[f->window], err);
}

/* Is a batch sent before the last one is answered? Several workers near the
 * server fill each other's gaps, and want its cores: two batches each made two
 * on two cores slower by a twentieth. And PgBouncer may give a session half of
 * what lies behind the end of a transaction, and the rest to nobody. */
static bool
goes_ahead(const struct worker *w)
{
	return !pg_is_pooled(w->pg) &&
	       (w->e->o->workers == 1 || pg_is_far(w->pg));
}

/* Waits until the next batch may be sent, but with no answer outstanding: it
 * can take long. */
static int
may_take_off(bool *may, struct worker *w, struct flight *next,
	struct flight *now, struct err *err)
{
	*may = goes_ahead(w) && worker_may_write_now(w, next->batch->rows);
	if (*may)
		return 0;
	if (now->flies && land(w, now, next, err) < 0)
		return -1;
	return worker_may_write(may, w, next->batch->rows, err);
}

/* After a failure something may still be under way. */
static int
rotate_batches(struct worker *w, struct deal *d, struct err *err)
{
	struct flight flight[2] = {
		{.batch = &w->batch[0]}, {.batch = &w->batch[1]}};
	bool more, may = true;
	int which = 0;

	do {
		struct flight *next = &flight[which], *now = &flight[!which];

		if (make_batch(&more, w, d, next, err) < 0)
			return -1;
		if (more && may_take_off(&may, w, next, now, err) < 0)
			return -1;
		if (more && may && take_off(w, next, err) < 0)
			return -1;
		if (now->flies && land(w, now, next, err) < 0)
			return -1;
		which = !which;
	} while (more && may);
	w->whole = !more;
	return 0;
}

int
write_group(struct worker *w, size_t windows, struct err *err)
{
	struct deal d;

	w->whole = false;
	w->missed.count = w->nested.count = 0;
	stray_list_reset(&w->strays);
	w->refused_count = 0;
	deal_begin(&d, w->window, windows);
	if (rotate_batches(w, &d, err) < 0) {
		pg_rollback(w->pg);
		return -1;
	}
	return w->whole ? repair_group(w, windows, err) : 0;
}
