/*
 * What did not go the straight way: batches that failed, rows that were
 * missed, rows that the server will not take. Everything here is rare, waits
 * for nobody, and never blocks the other rows.
 */
#include "engine_int.h"
#include "fail_point.h"
#include <stdlib.h>

/* -- rows that did not take ------------------------------------------------ */

static void
count_columns(int64_t *ret, const struct window *win, size_t row)
{
	for (size_t i = 0; i < win->columns; i++)
		ret[i] += win->cell[row * win->columns + i].present;
}

/* Nobody holds a row that did not take: whoever did may just have let go. It
 * is tried once more before anybody is blamed. */
static int
insist(struct worker *w, const struct window *win, size_t row, struct err *err)
{
	bool nested;
	int rc;

	w->insisting = true;
	batch_reset(&w->single);
	rc = write_add_row(&nested, w, &w->single, win, row, err);
	if (rc == 0 && w->single.rows > 0)
		rc = write_alone(w, &w->single, win, true, err);
	w->insisting = false;
	return rc;
}

static void
count_locked(struct worker *w, const struct window *win, size_t row)
{
	w->counts.left++;
	w->counts.locked++;
	count_columns(w->counts.deferred, win, row);
}

/* A row of a window that was read again, so that its bytes were right a moment
 * ago: who is in the way? */
static int
classify_miss(
	struct worker *w, const struct window *win, size_t row, struct err *err)
{
	enum row_presence presence;

	if (rows_presence(&presence, w->rows, w->pg, win->tid[row], err) < 0)
		return -1;
	switch (presence) {
	case ROW_FREE: /* the same version, and nobody holds it */
		if (!w->insisting)
			return insist(w, win, row, err);
		return refuse_row(w, win, row, ROW_SUPPRESSED, err);
	case ROW_LOCKED:
		count_locked(w, win, row);
		break;
	case ROW_GONE:
		w->counts.left++;
		return missed_expect(w, win, row, err);
	}
	return 0;
}

int
repair_miss(
	struct worker *w, const struct window *win, size_t row, struct err *err)
{
	if (win == &w->again)
		return classify_miss(w, win, row, err);
	row_list_add(&w->missed, (size_t)(win - w->window), row);
	return 0;
}

/* -- batches that failed --------------------------------------------------- */

static int
repair_half(struct worker *w, const struct batch *b, size_t first, size_t count,
	const struct window *win, struct err *err)
{
	struct batch half;
	int rc;

	batch_init(&half, b->columns);
	batch_slice(&half, b, first, count);
	rc = write_alone(w, &half, win, count == 1, err);
	batch_done(&half);
	return rc;
}

static const char *
reason_of(const struct err *why)
{
	if (!strcmp(why->sqlstate, ROWS_DIFFERS))
		return "what is stored differs from what was sent: a trigger "
		       "changes it";
	return why->msg;
}

/* Whatever ends the run when each row fails on it may also come from a trigger
 * that refuses one row in its own words. So many rows in a row tell. */
#define HOPELESS_ROWS 20

/* Can another try help, or a smaller one? */
static bool
is_hopeless(const struct worker *w, const struct err *why)
{
	enum pg_class class = pg_classify(why);

	return why->code != ERR_DB || class == PG_CLASS_LOST ||
	       class == PG_CLASS_FULL ||
	       atomic_load(&w->e->stop.level) == STOP_NOW ||
	       (class == PG_CLASS_FATAL && w->hopeless >= HOPELESS_ROWS);
}

/* Is it a row that does not fit, or something that passes? */
static int
is_data_error(
	bool *ret, struct worker *w, const struct err *why, struct err *err)
{
	bool ours = true;

	*ret = pg_classify(why) == PG_CLASS_DATA ||
	       pg_classify(why) == PG_CLASS_FATAL;
	if (pg_classify(why) != PG_CLASS_FENCE)
		return 0;
	/* Our fence, or a division by zero in somebody's trigger? */
	if (state_owns(&ours, &w->state, &w->chunk, err) < 0)
		return -1;
	*ret = ours;
	if (!ours) {
		*err = *why;
		return -1;
	}
	return 0;
}

/* A single row that failed on what passes. Tried for the last time, it is a
 * trigger of it that waits for somebody, or does not end. */
static int
repair_one(struct worker *w, const struct window *win, size_t row,
	const struct err *why, struct err *err)
{
	if (!w->insisting)
		return repair_miss(w, win, row, err);
	if (!strcmp(why->sqlstate, ROWS_CANCELLED))
		return refuse_row(w, win, row,
			"the server did not finish it in time", err);
	count_locked(w, win, row);
	return 0;
}

int
repair_batch(struct worker *w, struct batch *b, const struct window *win,
	const struct err *why, struct err *err)
{
	enum pg_class class = pg_classify(why);
	size_t half = b->rows / 2;
	bool data;

	if (is_hopeless(w, why)) {
		*err = *why;
		return -1;
	}
	if (is_data_error(&data, w, why, err) < 0)
		return -1;
	if (!data)
		write_be_careful(w);
	if (b->rows == 1) {
		w->hopeless += class == PG_CLASS_FATAL;
		if (data)
			return refuse_row(
				w, win, b->origin[0], reason_of(why), err);
		return repair_one(w, win, b->origin[0], why, err);
	}
	if (repair_half(w, b, 0, half, win, err) < 0)
		return -1;
	return repair_half(w, b, half, b->rows - half, win, err);
}

/* -- after the group ------------------------------------------------------- */

/* A row whose plaintext hides an envelope of another key. Once rewritten, its
 * label tells nobody, so it is remembered now. */
static int
repair_nested(
	struct worker *w, const struct window *win, size_t row, struct err *err)
{
	struct about about = {true, "holds an envelope of another key", NULL};
	bool nested;
	int rc = -1;

	batch_reset(&w->single);
	if (rows_identity(&about.identity, w->rows, w->pg, win->tid[row], err) <
			0 ||
		write_add_row(&nested, w, &w->single, win, row, err) < 0)
		goto out;
	rc = 0;
	if (w->single.rows == 0 || !about.identity[0])
		goto out;
	rc = find_row(w, win, row, &about, err);
	if (rc == 0)
		rc = write_alone(w, &w->single, win, true, err);
out:
	free(about.identity);
	return rc;
}

static int
flush_again(struct worker *w, struct err *err)
{
	int rc = 0;

	if (w->batch[0].rows > 0)
		rc = write_alone(w, &w->batch[0], &w->again, false, err);
	batch_reset(&w->batch[0]);
	return rc;
}

/* Writes what a second look at part of a window found. */
static int
write_again(struct worker *w, struct err *err)
{
	struct batch *b = &w->batch[0];
	bool nested;

	batch_reset(b);
	for (size_t r = 0; r < w->again.rows; r++) {
		if (write_add_row(&nested, w, b, &w->again, r, err) < 0)
			return -1;
		if (nested && repair_nested(w, &w->again, r, err) < 0)
			return -1;
		if ((b->rows >= w->batch_limit ||
			    batch_bytes(b) >= 2 * BATCH_BYTES) &&
			flush_again(w, err) < 0)
			return -1;
	}
	return flush_again(w, err);
}

static int
repair_window(struct worker *w, size_t window, struct err *err)
{
	struct window_limits limits = {
		.bytes = worker_window_bytes(w),
		.rows = SIZE_MAX,
	};
	struct range range = w->window[window].range;

	FAIL_POINT(rows_missed);
	while (range.lo.block < range.hi.block ||
		(range.lo.block == range.hi.block &&
			range.lo.offset < range.hi.offset)) {
		if (worker_yields(w)) {
			w->whole = false;
			return 0;
		}
		buf_reset(&w->again_bytes);
		if (rows_read(&w->again, w->rows, w->pg, &range, &limits, err) <
			0)
			return -1;
		if (write_again(w, err) < 0)
			return -1;
		range.lo = w->again.range.hi;
	}
	return 0;
}

static bool
was_missed(const struct worker *w, size_t window)
{
	for (size_t i = 0; i < w->missed.count; i++) {
		if (w->missed.ref[i].window == window)
			return true;
	}
	return false;
}

int
repair_group(struct worker *w, size_t windows, struct err *err)
{
	for (size_t i = 0; i < w->nested.count; i++) {
		struct row_ref *n = &w->nested.ref[i];

		if (repair_nested(w, &w->window[n->window], n->row, err) < 0)
			return -1;
	}
	for (size_t i = 0; i < w->missed.count; i++) {
		struct row_ref *m = &w->missed.ref[i];

		if (missed_expect(w, &w->window[m->window], m->row, err) < 0)
			return -1;
	}
	for (size_t i = 0; i < windows && w->missed.count > 0; i++)
		missed_look_back(w, &w->window[i]);
	for (size_t i = 0; i < windows && w->whole; i++) {
		if (was_missed(w, i) && repair_window(w, i, err) < 0)
			return -1;
	}
	if (w->whole)
		missed_count(w);
	return 0;
}
