/*
 * What happened, gathered from the state schema, so that every process of a
 * run reports the same.
 */
#include "engine_int.h"
#include <stdio.h>
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
	if (!strcmp(n->kind, NUMBER_UNFENCED))
		g->ret->complete = false;
	g->ret->thorough |= !strcmp(n->kind, NUMBER_THOROUGH);
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
	struct gather *g = ctx;
	const struct leaf *leaf = catalog_find(&g->e->catalog, f->leaf);
	struct finding copy = *f;
	enum verdict v;

	if (!leaf || !engine_selects(g->e, leaf))
		return; /* of tables that were selected another time */

	/* The name as stored lives in a result that is freed: ours stays. */
	copy.verdict = verdict_find(&v, f->verdict) ? verdict_name(v) : "?";
	outcome_add_finding(g->ret, &copy);
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
		state_hidden(&hidden, s, &e->selection, err) < 0)
		return -1;
	ret->total_findings = hidden;
	outcome_count(ret, &e->o->job, true);
	return 0;
}

/* -- how it ended ---------------------------------------------------------- */

/* Stopped while it waited, paused or for rows that others hold: say who. */
static int
stopped_early(
	struct outcome *ret, struct engine *e, struct state *s, struct err *err)
{
	char note[512] = "stopped early; rows are locked by ";
	char why[STATE_WHY];
	bool waiting;

	if (state_pause_reason(why, s, err) < 0)
		return -1;
	if (why[0]) {
		snprintf(note, sizeof(note), "stopped early; %s", why);
		return outcome_stopped(ret, note);
	}
	if (state_is_waiting(&waiting, s, err) < 0)
		return -1;
	if (!waiting)
		return outcome_stopped(ret, "stopped early");
	if (state_lockers(s, &e->selection, note + strlen(note), err) < 0)
		return -1;
	return outcome_stopped(ret, note);
}

int
outcome_status(
	struct outcome *ret, struct engine *e, struct state *s, struct err *err)
{
	struct run_end end;

	memcpy(ret->note, e->note, sizeof(ret->note));
	switch (e->end) {
	case END_INCONCLUSIVE:
		return ERR_INCONCLUSIVE;
	case END_STUCK:
		return ERR_STOPPED;
	case END_COMPLETE:
	case END_FINDINGS:
	case END_ELSEWHERE:
		break;
	case END_NONE:
	case END_RELIST:
	case END_LEAF:
	case END_FAILED:
		return stopped_early(ret, e, s, err);
	}
	if (e->partial && e->end != END_ELSEWHERE) {
		ret->complete = true;
		return e->end == END_COMPLETE ? ERR_NONE : ERR_FINDINGS;
	}
	if (state_run_end(&end, s, err) < 0)
		return -1;
	if (!strcmp(end.state, "superseded"))
		return outcome_stopped(
			ret, "another run has superseded this one");
	/* Its findings may be in what is not selected here, or not. */
	if (e->partial && end.exit != ERR_NONE)
		return outcome_stopped(ret,
			"another process finished the whole run, with "
			"findings");
	ret->complete = true;
	return end.exit < 0 ? ERR_FINDINGS : end.exit;
}
