/*
 * What happened, gathered from the state schema, so that every process of a
 * run reports the same.
 */
#include "engine_int.h"
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

struct gather {
	struct rotate_outcome *ret;
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

void
outcome_add_finding(struct rotate_outcome *ret, const struct finding *f)
{
	ret->finding = xrealloc(
		ret->finding, (ret->findings + 1) * sizeof(*ret->finding));
	ret->finding[ret->findings++] = (struct finding){
		.leaf = f->leaf,
		.table = xstrdup(f->table),
		.column = xstrdup(f->column),
		.row = xstrdup(f->row),
		.verdict = f->verdict,
		.reason = xstrdup(f->reason),
	};
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

void
outcome_count(struct rotate_outcome *ret, const struct rotate_options *o)
{
	for (size_t t = 0; t < o->targets; t++) {
		for (size_t c = 0; c < o->target[t].columns; c++)
			ret->total_findings +=
				ret->tally[t][c].findings +
				(o->dry_run ? 0 : ret->tally[t][c].left);
	}
}

int
outcome_gather(struct rotate_outcome *ret, struct engine *e, struct state *s,
	struct err *err)
{
	struct gather g = {ret, e};
	int64_t hidden = 0;

	if (state_numbers(s, gather_number, &g, err) < 0 ||
		state_findings(s, e->o->max_findings, gather_finding, &g, err) <
			0 ||
		state_hidden(&hidden, s, err) < 0)
		return -1;
	ret->total_findings = hidden;
	outcome_count(ret, e->o);
	return 0;
}

int
outcome_stopped(struct rotate_outcome *ret, const char *why)
{
	snprintf(ret->note, sizeof(ret->note), "%s", why);
	return ERR_STOPPED;
}

void
outcome_init(struct rotate_outcome *ret, const struct rotate_options *o)
{
	*ret = (struct rotate_outcome){.started = (uint64_t)time(NULL)};
	ret->tally = xcalloc(o->targets, sizeof(struct tally_column *));
	for (size_t i = 0; i < o->targets; i++)
		ret->tally[i] =
			xcalloc(o->target[i].columns, sizeof(**ret->tally));
}

void
rotate_outcome_done(struct rotate_outcome *ret, const struct rotate_options *o)
{
	for (size_t t = 0; ret->tally && t < o->targets; t++) {
		for (size_t c = 0; c < o->target[t].columns; c++)
			tally_column_done(&ret->tally[t][c]);
		free(ret->tally[t]);
	}
	for (size_t i = 0; i < ret->findings; i++)
		finding_done(&ret->finding[i]);
	free(ret->tally);
	free(ret->finding);
	*ret = (struct rotate_outcome){0};
}
