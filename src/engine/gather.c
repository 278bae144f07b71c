/*
 * What happened, gathered from the state schema, so that every process of a
 * run reports the same.
 */
#include "engine_int.h"
#include <stdlib.h>

struct gather {
	struct outcome *ret;
	const struct engine *e;
};

static void
gather_number(void *ctx, const struct number *n)
{
	struct gather *g = ctx;
	const struct leaf *leaf = catalog_find(&g->e->catalog, n->leaf);
	size_t column = 0;

	if (!leaf || !engine_selects(g->e, leaf))
		return;
	if (!strcmp(n->kind, "pass")) { /* these know columns by number */
		column = (size_t)strtoul(n->column, NULL, 10) - 1;
	} else {
		while (column < leaf->conf->columns &&
			strcmp(leaf->conf->column[column], n->column) != 0)
			column++;
	}
	if (column < leaf->conf->columns)
		tally_number(&g->ret->tally[leaf->target][column], n->kind,
			n->name, n->value);
}

static void
gather_finding(void *ctx, const struct finding *f)
{
	struct finding copy = *f;
	enum verdict v;

	/* The name as stored lives in a result that is freed: ours stays. */
	copy.verdict = verdict_find(&v, f->verdict) ? verdict_name(v) : "?";
	outcome_add_finding(((struct gather *)ctx)->ret, &copy);
}

int
outcome_gather(
	struct outcome *ret, struct engine *e, struct state *s, struct err *err)
{
	struct gather g = {ret, e};
	int64_t hidden = 0;

	if (state_numbers(s, gather_number, &g, err) < 0 ||
		state_findings(s, e->o->job.max_findings, gather_finding, &g,
			err) < 0 ||
		state_hidden(&hidden, s, err) < 0)
		return -1;
	ret->total_findings = hidden;
	outcome_count(ret, &e->o->job, true);
	return 0;
}
