/*
 * The quick look: what the labels say, counted by the server. It proves
 * nothing about whether a value opens, and nothing about a label that lies.
 */
#include "verify_int.h"

struct quick {
	struct tally_column *column;
	const struct leaf *leaf;
	const char *current; /* key id, or NULL: plaintext */
};

static void
count_label(void *ctx, const struct label *l)
{
	struct quick *q = ctx;
	enum verdict v = tally_label(q->column, l, q->current);
	bool fine =
		v == VERDICT_NULL || v == VERDICT_CURRENT ||
		(v == VERDICT_RAW && q->leaf->conf->policy.raw == RAW_ALLOW);

	q->column->findings += fine ? 0 : l->values;
}

int
verify_quick(struct verify *v, struct pg *pg, struct err *err)
{
	struct rows_options options = {.everything = true};
	struct outcome *facts = &v->ret->facts;
	struct quick q = {.current = job_current_key(&v->o->job)};
	int rc = 0;

	for (size_t i = 0; i < v->catalog.leaves && rc == 0; i++) {
		struct rows *r;

		q.leaf = &v->catalog.leaf[i];
		if (!job_selects(&v->o->job, q.leaf->target))
			continue;
		r = rows_new(q.leaf, &options);
		for (size_t c = 0; c < q.leaf->conf->columns && rc == 0; c++) {
			q.column = &facts->tally[q.leaf->target][c];
			rc = rows_labels(r, pg, c, count_label, &q, err);
		}
		rows_free(r);
		if (rc == 0 && !v->o->snapshot_range)
			rc = verify_shows(pg, q.leaf, err);
		if (rc < 0)
			verify_blame(pg, q.leaf, err);
	}
	outcome_count(facts, &v->o->job, false);
	return rc;
}
