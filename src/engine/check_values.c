/*
 * What the values are labelled with, in a sample of blocks, and whether they
 * would fit under the new label. Nothing is opened.
 */
#include "check_int.h"
#include "keyring.h"
#include "text.h"

struct tasting {
	struct tally_column *column;
	const char *current; /* key id, or NULL: plaintext */
};

static void
count_label(void *ctx, const struct label *label)
{
	struct tasting *t = ctx;

	(void)tally_label(t->column, label, t->current);
}

static size_t
places_per_leaf(const struct check *c, size_t target)
{
	size_t leaves = 0;

	for (size_t i = 0; i < c->catalog.leaves; i++)
		leaves += c->catalog.leaf[i].target == target;
	if (leaves == 0 || leaves > SAMPLE_PLACES)
		return 1;
	return SAMPLE_PLACES / leaves;
}

/* What fails here fails a rotation, too, but for locks that somebody holds. */
static int
cannot_read(struct check *c, const struct remark *about, const char *what,
	struct err *err)
{
	switch (pg_classify(err)) {
	case PG_CLASS_LOST:
		return -1;
	case PG_CLASS_LOCK:
		return remark_unseen(&c->to, about, what, err);
	case PG_CLASS_RETRY:
	case PG_CLASS_DATA:
	case PG_CLASS_FENCE:
	case PG_CLASS_FULL:
	case PG_CLASS_FATAL:
		break;
	}
	return remark_refuse(&c->to, about, err);
}

/* *seen: the statements work, so that others over the same values will. */
static int
taste(bool *seen, struct check *c, struct rows *r, struct err *err)
{
	const struct leaf *leaf = rows_leaf(r);
	struct tasting t = {NULL, job_current_key(&c->o->rotate.job)};
	struct label_sample sample = {
		places_per_leaf(c, leaf->target), count_label, &t};
	struct remark about = {
		.topic = TOPIC_VALUES,
		.target = leaf->target,
		.table = leaf->name,
	};

	for (size_t i = 0; i < leaf->conf->columns; i++) {
		t.column = &c->ret->facts.tally[leaf->target][i];
		if (rows_sample(r, c->pg, i, &sample, err) == 0)
			continue;
		*seen = false;
		return cannot_read(c, &about, "the values", err);
	}
	*seen = true;
	return 0;
}

static int
check_lengths(struct check *c, struct rows *r, struct err *err)
{
	const struct leaf *leaf = rows_leaf(r);
	struct remark about = {
		.topic = TOPIC_LENGTHS,
		.target = leaf->target,
		.table = leaf->name,
	};

	if (rows_check_lengths(r, c->pg, &c->to, err) < 0)
		return cannot_read(c, &about, "how long they are", err);
	remark_ok(&c->to, TOPIC_LENGTHS, leaf->target);
	return 0;
}

/* Says that nobody looked, and why. */
static void
tell_unseen(struct check *c, const struct leaf *leaf, enum remark_topic topic,
	const char *why)
{
	struct remark about = {
		.topic = topic,
		.target = leaf->target,
		.table = leaf->name,
	};

	remark_add(&c->to, &about, REMARK_NOTE, "cannot see them (%s)", why);
	/* It may be all of them. */
	c->ret->estimate[leaf->target].share = 1;
}

static int
look_at_leaf(struct check *c, const struct leaf *leaf, struct err *err)
{
	struct rows_options o = {
		.current_key = job_current_key(&c->o->rotate.job),
	};
	struct rows *r;
	bool seen;
	int rc;

	if (leaf->unreadable) {
		tell_unseen(c, leaf, TOPIC_VALUES, "needs what is refused");
		tell_unseen(c, leaf, TOPIC_LENGTHS, "needs what is refused");
		return 0;
	}
	r = rows_new(leaf, &o);
	rc = taste(&seen, c, r, err);
	if (rc == 0 && seen)
		rc = check_lengths(c, r, err);
	else if (rc == 0)
		tell_unseen(c, leaf, TOPIC_LENGTHS, "needs the values");
	rows_free(r);
	return rc;
}

/* -- what it means --------------------------------------------------------- */

static bool
is_known(const struct check *c, const char *id)
{
	return keyring_find(c->o->rotate.job.ring, slice_str(id)) >= 0;
}

static void
tell_unknown(struct check *c, const struct remark *about,
	const struct key_count *k, int64_t scanned)
{
	struct remark r = *about;

	r.hint = "put the key into the key directory";
	remark_add(&c->to, &r, REMARK_WARNING,
		"%lld of %lld %s %s labelled '%s', which is no key of the "
		"ring: left and listed",
		(long long)k->values, (long long)scanned,
		text_plural(scanned, "value", "values"),
		text_plural(k->values, "is", "are"), k->id);
}

static void
tell_left(struct check *c, const struct remark *about, int64_t n,
	int64_t scanned, const char *what)
{
	if (n > 0)
		remark_add(&c->to, about, REMARK_WARNING,
			"%lld of %lld %s %s: left and listed", (long long)n,
			(long long)scanned,
			text_plural(scanned, "value", "values"), what);
}

/* Returns how many values are to be rewritten. */
static int64_t
tell_column(struct check *c, const struct remark *about,
	const struct tally_column *t, const struct target *conf)
{
	const char *current = job_current_key(&c->o->rotate.job);
	int64_t scanned = tally_scanned(t), raw = t->verdict[VERDICT_RAW];
	int64_t work = t->verdict[VERDICT_PLAINTEXT];
	int64_t foreign = t->verdict[VERDICT_FOREIGN];
	struct buf keys;

	buf_init(&keys, 400);
	for (size_t i = 0; i < t->keys; i++) {
		const struct key_count *k = &t->key[i];

		if (!is_known(c, k->id)) {
			tell_unknown(c, about, k, scanned);
		} else if (!current || strcmp(k->id, current) != 0) {
			work += k->values;
			buf_addf(&keys, "%s%s %lld", keys.len ? ", " : ": ",
				k->id, (long long)k->values);
		}
	}
	if (conf->policy.raw == RAW_ENCRYPT)
		work += raw;
	else if (conf->policy.raw == RAW_REPORT)
		tell_left(c, about, raw, scanned,
			text_plural(raw, "is raw (raw = report)",
				"are raw (raw = report)"));
	tell_left(c, about, foreign, scanned,
		text_plural(foreign, "has a marker that is not understood",
			"have a marker that is not understood"));
	if (work > 0)
		remark_add(&c->to, about, REMARK_NOTE,
			"%lld of %lld %s in the sample %s to be rewritten%s",
			(long long)work, (long long)scanned,
			text_plural(scanned, "value", "values"),
			text_plural(work, "is", "are"), buf_str(&keys));
	buf_done(&keys);
	return work;
}

static void
tell_target(struct check *c, size_t index)
{
	const struct target *t = &c->o->rotate.job.target[index];
	struct check_estimate *e = &c->ret->estimate[index];
	struct remark about = {.topic = TOPIC_VALUES, .target = index};

	for (size_t i = 0; i < t->columns; i++) {
		const struct tally_column *column =
			&c->ret->facts.tally[index][i];
		int64_t scanned = tally_scanned(column), work;
		double share;

		if (scanned == 0)
			continue;
		about.column = t->column[i];
		work = tell_column(c, &about, column, t);
		share = (double)work / (double)scanned;
		e->share = share > e->share ? share : e->share;
	}
	about.column = NULL;
	if (t->where)
		remark_add(&c->to, &about, REMARK_NOTE,
			"a condition selects rows: all others stay as they "
			"are");
}

int
check_values(struct check *c, struct err *err)
{
	const struct job *job = &c->o->rotate.job;

	for (size_t i = 0; i < c->catalog.leaves; i++) {
		const struct leaf *leaf = &c->catalog.leaf[i];

		if (!job_selects(job, leaf->target))
			continue;
		if (look_at_leaf(c, leaf, err) < 0)
			return -1;
		remark_ok(&c->to, TOPIC_VALUES, leaf->target);
	}
	for (size_t i = 0; i < job->targets; i++)
		tell_target(c, i);
	return 0;
}
