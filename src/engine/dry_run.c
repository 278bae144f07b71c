/*
 * The dry run: everything but the writing. Each value is opened, sealed and
 * opened again; a few rows of each leaf are written and rolled back.
 */
#include "engine_int.h"
#include "survey.h"
#include <stdio.h>

/* Keeps the first refusal. */
static void
keep_refusal(void *ctx, const struct remark *r)
{
	struct err *first = ctx;

	if (r->level != REMARK_REFUSAL || first->code != ERR_NONE)
		return;
	err_set(first, r->code, "%s", r->text);
	err_hint(first, "%s", r->hint);
}

/* The rotation itself would make the schema and supersede runs on the way;
 * check knows how to only look. */
static int
look_at_state(struct engine *e, struct state *s, struct err *err)
{
	struct err first = {0};
	const struct remarks to = {keep_refusal, &first};

	if (survey_state(&to, s, &e->spec, err) < 0)
		return -1;
	if (first.code == ERR_NONE)
		return 0;
	*err = first;
	return -1;
}

static int
dry_leaf(struct outcome *ret, struct engine *e, struct pg *pg,
	const struct leaf *leaf, bool *refused, struct err *err)
{
	struct inspection in = {0};
	struct judge *judge;
	struct err refusal;
	struct rows *r;
	int rc = -1;

	if (judge_new(&judge, &e->judge, err) < 0)
		return -1;
	r = engine_rows(e, leaf);
	if (rows_check_lengths(r, pg, NULL, err) < 0 ||
		inspect_leaf(&in, r, pg, judge, e->o->job.max_findings, err) <
			0 ||
		preflight_canary(e, pg, leaf, &refusal, err) < 0)
		goto out;
	if (refusal.code != ERR_NONE) {
		*refused = true;
		snprintf(ret->note, sizeof(ret->note), "%.200s: %.300s",
			leaf->name, refusal.msg);
	}
	for (size_t c = 0; c < leaf->conf->columns; c++)
		tally_merge(&ret->tally[leaf->target][c], &in.column[c]);
	for (size_t f = 0; f < in.findings &&
			   (int64_t)ret->findings < e->o->job.max_findings;
		f++)
		outcome_add_finding(ret, &in.finding[f]);
	rc = 0;
out:
	inspection_done(&in, leaf);
	rows_free(r);
	judge_free(judge);
	return rc;
}

/* A partition may go while others are looked at. Not the table itself: err has
 * its refusal then. */
static bool
passes_over(struct engine *e, struct pg *pg, const struct leaf *leaf,
	struct err *err)
{
	const struct job *job = &e->o->job;
	struct catalog now = {0};
	bool ret;

	if (!catalog_gone_is_why(pg, err, &leaf->oid, 1))
		return false;
	ret = catalog_load(&now, pg, job->target, job->targets, CATALOG_WRITE,
		      err) == 0;
	catalog_done(&now);
	return ret;
}

int
dry_run(struct outcome *ret, struct engine *e, struct state *s, struct err *err)
{
	bool refused = false;

	if (look_at_state(e, s, err) < 0 ||
		pressure_check(NULL, s->pg, &e->o->limits, err) < 0)
		return -1;
	for (size_t i = 0; i < e->catalog.leaves; i++) {
		const struct leaf *leaf = &e->catalog.leaf[i];

		if (stop_requested(&e->stop))
			return outcome_stopped(ret, "stopped early");
		if (engine_selects(e, leaf) &&
			dry_leaf(ret, e, s->pg, leaf, &refused, err) < 0 &&
			!passes_over(e, s->pg, leaf, err))
			return -1;
	}
	/* A trial write that was cancelled has learnt nothing. */
	if (stop_requested(&e->stop))
		return outcome_stopped(ret, "stopped early");
	outcome_count(ret, &e->o->job, false);
	return refused || ret->total_findings > 0 ? ERR_FINDINGS : ERR_NONE;
}
