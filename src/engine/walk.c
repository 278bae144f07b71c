/*
 * Walking a chunk: groups of windows, read, written in rotation, then passed.
 */
#include "engine_int.h"
#include "fail_point.h"
#include "log.h"
#include <string.h>

/* A window gives some rows of each page to a batch: enough of them for one, and
 * not so many that its pages leave the caches before they are visited again. */
#define WINDOW_BLOCKS 128
#define WINDOW_BLOCKS_SPARSE 256
#define WINDOW_BLOCKS_MIN 8
/* Rows a page to be rewritten, below which pages count as sparse. */
#define SPARSE_ROWS 12

static bool
is_before(struct tid a, struct tid b)
{
	return a.block < b.block || (a.block == b.block && a.offset < b.offset);
}

static uint32_t
window_blocks(const struct worker *w)
{
	int64_t n = (w->chunk.hi - w->chunk.lo + ROTATION - 1) / ROTATION;
	uint32_t most = w->sparse ? WINDOW_BLOCKS_SPARSE : WINDOW_BLOCKS;

	if (n > most)
		return most;
	return n < WINDOW_BLOCKS_MIN ? WINDOW_BLOCKS_MIN : (uint32_t)n;
}

static bool
is_sparse(const struct window *w)
{
	return w->rows / SPARSE_ROWS < w->range.hi.block - w->range.lo.block;
}

/* Reads until ROTATION windows hold rows, or as many as fit into memory, or the
 * chunk is over; *at is behind the last one then. */
static int
read_group(size_t *ret, struct worker *w, struct tid *at, struct tid end,
	struct err *err)
{
	struct window_limits limits = {
		.bytes = worker_window_bytes(w),
		.rows = TURNS_MAX * (size_t)w->e->o->batch_rows,
	};
	size_t most = (size_t)w->e->o->window_bytes;

	*ret = 0;
	buf_reset(&w->bytes);
	while (*ret < ROTATION && w->bytes.len + limits.bytes <= most &&
		is_before(*at, end) && !worker_yields(w)) {
		struct window *win = &w->window[*ret];
		struct range range = {*at, end};
		uint32_t step = window_blocks(w);

		if (step < end.block - at->block)
			range.hi = (struct tid){at->block + step, 0};
		if (rows_read(win, w->rows, w->pg, &range, &limits, err) < 0)
			return -1;
		w->sparse = is_sparse(win);
		*at = win->range.hi;
		if (win->rows > 0)
			++*ret;
	}
	return 0;
}

static int
enter_leaf(struct worker *w, struct err *err)
{
	const struct leaf *leaf = catalog_find(&w->e->catalog, w->chunk.leaf);
	size_t columns;

	if (w->rows && rows_leaf(w->rows) == leaf)
		return 0;
	if (!leaf)
		return err_set(err, ERR_BUG, "a chunk of an unknown table");
	rows_free(w->rows);
	w->rows = engine_rows(w->e, leaf);
	w->behind = (struct range){{0, 0}, {0, 0}};
	w->sparse = false;
	write_new_leaf(w);
	columns = leaf->conf->columns;
	batch_done(&w->batch[0]);
	batch_done(&w->batch[1]);
	batch_done(&w->single);
	batch_init(&w->batch[0], columns);
	batch_init(&w->batch[1], columns);
	batch_init(&w->single, columns);
	return 0;
}

/* The position moves to the start of a page: after a restart the group that
 * was under way is read again from its first page. */
static int
pass_group(struct worker *w, struct tid at, bool done, struct err *err)
{
	int rc;

	if (missed_store_found(w, err) < 0)
		return -1;
	w->counts.columns = rows_leaf(w->rows)->conf->columns;
	rc = state_advance(
		&w->state, &w->chunk, &w->counts, at.block, done, err);
	FAIL_POINT(group_recorded);
	w->counts = (struct chunk_counts){0};
	if (rc < 0)
		return -1;
	if (w->whole)
		missed_publish(w);
	w->advanced = true;
	return 0;
}

/* A turn prunes what the one before it left dead. What the last one left, the
 * next look at the page would prune, be it only the proof's: and after a
 * checkpoint that means one more image of each page in the WAL. So this is done
 * while the page is still fresh; but a group late, when no other worker has a
 * snapshot any more that is older. */
static int
prune_behind(struct worker *w, struct err *err)
{
	struct range range = w->behind;

	w->behind = (struct range){{0, 0}, {0, 0}};
	if (!is_before(range.lo, range.hi) || worker_yields(w))
		return 0;
	return rows_prune(w->rows, w->pg, &range, err);
}

/* Not where few pages were written to: a look costs the same for each. */
static void
leave_behind(struct worker *w, size_t windows)
{
	struct range range;
	size_t rows = 0;

	if (windows == 0)
		return;
	range = (struct range){
		w->window[0].range.lo, w->window[windows - 1].range.hi};
	for (size_t i = 0; i < windows; i++)
		rows += w->window[i].rows;
	if (rows >= range.hi.block - range.lo.block)
		w->behind = range;
}

static int
walk(struct worker *w, struct err *err)
{
	struct tid at = {(uint32_t)w->chunk.pos, 0};
	struct tid end = {(uint32_t)w->chunk.hi, 0};
	size_t windows;

	w->counts = (struct chunk_counts){0};
	while (is_before(at, end)) {
		struct tid start = at;

		if (read_group(&windows, w, &at, end, err) < 0)
			return -1;
		FAIL_POINT(group_read);
		if (prune_behind(w, err) < 0 ||
			write_group(w, windows, err) < 0)
			return -1;
		FAIL_POINT(group_written);
		if (!w->whole || stop_requested(&w->e->stop))
			return pass_group(w, start, false, err);
		leave_behind(w, windows);
		if (pass_group(w, at, !is_before(at, end), err) < 0)
			return -1;
		if (w->state.paused)
			return 0;
	}
	return 0;
}

/* What ends the run says of which table; whatever triggers and constraints do
 * there, the server's own words are not repeated. */
static void
name_leaf(const struct worker *w, struct err *err)
{
	if (err->code != ERR_DB || pg_classify(err) != PG_CLASS_FATAL)
		return;
	err_in(err, "%s", rows_leaf(w->rows)->name);
	if (!strcmp(err->sqlstate, "42501"))
		err_hint(err, "`pgrekey check` names each privilege that is "
			      "missing, with its GRANT; else a trigger needs "
			      "one, and the server's log says which");
}

int
walk_chunk(struct worker *w, struct err *err)
{
	int rc;

	if (enter_leaf(w, err) < 0)
		return -1;
	rc = walk(w, err);
	if (rc < 0)
		name_leaf(w, err);
	return rc;
}
