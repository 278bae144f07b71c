#include "clock.h"
#include "engine_int.h"
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

void
finding_done(struct finding *f)
{
	xfree(f->table);
	xfree(f->column);
	xfree(f->row);
	xfree(f->reason);
}

void
outcome_add_finding(struct outcome *ret, const struct finding *f)
{
	ret->finding = xrealloc(
		ret->finding, (ret->findings + 1) * sizeof(*ret->finding));
	ret->finding[ret->findings++] = (struct finding){
		.leaf = f->leaf,
		.target = f->target,
		.table = xstrdup(f->table),
		.column = xstrdup(f->column),
		.row = xstrdup(f->row),
		.verdict = f->verdict,
		.reason = xstrdup(f->reason),
		.keys = f->keys,
	};
}

void
outcome_count(struct outcome *ret, const struct job *job, bool left_too)
{
	for (size_t t = 0; t < job->targets; t++) {
		for (size_t c = 0; c < job->target[t].columns; c++)
			ret->total_findings +=
				ret->tally[t][c].findings +
				(left_too ? ret->tally[t][c].left : 0);
	}
}

int
outcome_stopped(struct outcome *ret, const char *why)
{
	snprintf(ret->note, sizeof(ret->note), "%s", why);
	return ERR_STOPPED;
}

void
outcome_init(struct outcome *ret, const struct job *job)
{
	*ret = (struct outcome){.started = (uint64_t)time(NULL)};
	ret->tally = tally_table_new(job->target, job->targets);
}

static void
drop_facts(struct outcome *ret, const struct job *job)
{
	tally_table_free(ret->tally, job->target, job->targets);
	for (size_t i = 0; i < ret->findings; i++)
		finding_done(&ret->finding[i]);
	free(ret->finding);
}

void
outcome_clear(struct outcome *ret, const struct job *job)
{
	drop_facts(ret, job);
	ret->tally = tally_table_new(job->target, job->targets);
	ret->finding = NULL;
	ret->findings = 0;
	ret->total_findings = 0;
	ret->complete = ret->thorough = false;
	ret->note[0] = '\0';
}

void
outcome_done(struct outcome *ret, const struct job *job)
{
	drop_facts(ret, job);
	*ret = (struct outcome){0};
}

void
outcome_finish(struct outcome *ret, int64_t started_ms)
{
	ret->finished = (uint64_t)time(NULL);
	ret->seconds = (double)(clock_ms() - started_ms) / 1000;
}
