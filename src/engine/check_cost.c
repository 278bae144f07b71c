/*
 * What a run would cost: rough numbers, each said with where it comes from.
 */
#include "check_int.h"
#include "text.h"

/* Bytes of WAL per byte of rewritten rows: measured from 1.3 (HOT, long after
 * a checkpoint) to 2.6 (large values, many full-page images). */
#define WAL_FACTOR 2.5
/* What one small machine did beside no load: less than what was measured for
 * short values (70,000 rows/s and more) and for large ones (50 MB/s). */
#define ROWS_PER_S 40000.0
#define BYTES_PER_S (25.0 * 1024 * 1024)
#define TUPLE_BYTES 28 /* header and line pointer */

/* The leaves of one target. */
struct sum {
	int64_t rows, dead_rows;
	bool unknown_rows;
	int64_t used; /* bytes of heap in rows, as far as widths are known */
	int64_t unseen;
	int fillfactor;
	bool full_identity;
	size_t leaves;
	bool unseen_size;
};

static void
add_leaf(struct sum *s, struct check_estimate *e, const struct leaf_size *size)
{
	s->unseen_size |= !size->seen;
	if (size->rows < 0)
		s->unknown_rows = true;
	else
		s->rows += size->rows;
	s->dead_rows += size->dead_rows;
	s->used += size->rows * (size->width + TUPLE_BYTES);
	s->unseen += size->unseen;
	s->full_identity |= size->full_identity;
	if (s->leaves++ == 0 || size->fillfactor < s->fillfactor)
		s->fillfactor = size->fillfactor;
	e->heap += size->heap;
	e->toast += size->toast;
	e->indexes += size->indexes;
}

static void
estimate(struct check_estimate *e, const struct sum *s)
{
	double bytes = (double)(e->heap + e->toast) * e->share;
	double by_bytes = bytes / BYTES_PER_S, by_rows = 0;

	e->rows = s->unknown_rows ? -1 : s->rows;
	if (!s->unknown_rows)
		by_rows = (double)s->rows * e->share / ROWS_PER_S;
	e->wal = (int64_t)(bytes * WAL_FACTOR * (s->full_identity ? 2 : 1));
	e->seconds = (int64_t)(by_rows > by_bytes ? by_rows : by_bytes);
	if (bytes > 0)
		e->seconds++;
}

static void
tell_hot(struct check *c, size_t target, const struct sum *s,
	const struct check_estimate *e)
{
	struct remark about = {.topic = TOPIC_HOT, .target = target};

	if (check_list_has(c->ret, TOPIC_HOT, target, REMARK_WARNING))
		return; /* however much room there is */
	if (s->unknown_rows) {
		remark_add(&c->to, &about, REMARK_NOTE,
			"cannot see how full the pages are (needs ANALYZE)");
	} else if (s->unseen > 0) {
		remark_add(&c->to, &about, REMARK_NOTE,
			"cannot see how full the pages are: no statistics of "
			"%lld %s (needs ANALYZE, and SELECT on them)",
			(long long)s->unseen,
			text_plural(s->unseen, "column", "columns"));
	} else if (e->heap > 0) {
		int64_t full = s->used * 100 / e->heap;

		remark_add(&c->to, &about, REMARK_OK,
			"pages are about %lld %% full, fillfactor %d",
			(long long)(full > 100 ? 100 : full), s->fillfactor);
	}
	if (s->dead_rows > s->rows / 5)
		remark_add(&c->to, &about, REMARK_NOTE,
			"%lld dead %s: VACUUM before the run makes room",
			(long long)s->dead_rows,
			text_plural(s->dead_rows, "row", "rows"));
}

static void
tell_cost(struct check *c, size_t target, const struct check_estimate *e)
{
	struct remark about = {.topic = TOPIC_SIZE, .target = target};
	struct buf b;

	buf_init(&b, 500);
	if (e->rows < 0)
		buf_adds(&b, "never analyzed, rows are unknown");
	else
		text_count(&b, e->rows, "row", "rows");
	buf_adds(&b, ", ");
	text_bytes(&b, e->heap);
	buf_adds(&b, " heap, ");
	text_bytes(&b, e->toast);
	buf_adds(&b, " TOAST, ");
	text_bytes(&b, e->indexes);
	buf_addf(&b, " indexes; about %.0f %% to rewrite", e->share * 100);
	if (e->wal > 0) {
		buf_adds(&b, ": about ");
		text_bytes(&b, e->wal);
		buf_adds(&b,
			" of WAL (measured: 1.3 to 2.6 times their bytes), "
			"and up to ");
		text_bytes(&b, e->heap + e->toast + e->indexes);
		buf_adds(&b, " more disk where nothing can be pruned; how "
			     "much is free, SQL does not tell");
	}
	remark_add(&c->to, &about, REMARK_NOTE, "%s", buf_str(&b));
	buf_reset(&b);
	about.topic = TOPIC_TIME;
	text_seconds(&b, e->seconds);
	if (e->seconds > 0)
		remark_add(&c->to, &about, REMARK_NOTE,
			"about %s at %.0f rows/s or 25 MiB/s, whichever is "
			"slower: rough, without load and triggers",
			buf_str(&b), ROWS_PER_S);
	else
		remark_ok(&c->to, TOPIC_TIME, target);
	buf_done(&b);
}

static void
tell_unseen(struct check *c, size_t target)
{
	static const enum remark_topic topic[] = {TOPIC_HOT, TOPIC_TIME};

	for (size_t i = 0; i < sizeof(topic) / sizeof(topic[0]); i++) {
		struct remark about = {.topic = topic[i], .target = target};

		remark_add(&c->to, &about, REMARK_NOTE,
			"cannot tell (needs the size of all leaves)");
	}
}

static int
cost_of(struct check *c, size_t target, struct err *err)
{
	struct check_estimate *e = &c->ret->estimate[target];
	struct sum s = {0};

	for (size_t i = 0; i < c->catalog.leaves; i++) {
		const struct leaf *leaf = &c->catalog.leaf[i];
		struct leaf_size size;

		if (leaf->target != target)
			continue;
		if (survey_size(&size, &c->to, c->pg, leaf, err) < 0)
			return -1;
		add_leaf(&s, e, &size);
	}
	if (s.leaves == 0)
		return 0;
	if (s.unseen_size) {
		tell_unseen(c, target);
		return 0;
	}
	estimate(e, &s);
	tell_hot(c, target, &s, e);
	tell_cost(c, target, e);
	return 0;
}

int
check_cost(struct check *c, struct err *err)
{
	const struct job *job = &c->o->rotate.job;

	for (size_t i = 0; i < job->targets; i++) {
		if (job_selects(job, i) && cost_of(c, i, err) < 0)
			return -1;
	}
	return 0;
}
