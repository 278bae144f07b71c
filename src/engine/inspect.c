/*
 * One leaf as one snapshot shows it: the server counts what it can tell is
 * current, everything else is opened and judged here.
 */
#include "cell_int.h"
#include "engine_int.h"
#include <stdlib.h>

struct inspector {
	struct inspection *ret;
	const struct leaf *leaf;
	struct judge *judge;
	const struct keyring *ring;
	int64_t max_findings;
	/* Where the findings were; their identity is asked for afterwards. */
	struct tid *tid;
	struct err *err;
	int rc;
};

static void
keep_finding(struct inspector *in, const struct judgement *j, size_t column,
	struct tid tid)
{
	struct inspection *ret = in->ret;
	const char *why = j->what ? j->what : "";

	if ((int64_t)ret->findings >= in->max_findings)
		return;
	if (ret->findings == ret->room) {
		ret->room = ret->room ? 2 * ret->room : 16;
		ret->finding = xrealloc(
			ret->finding, ret->room * sizeof(*ret->finding));
		in->tid = xrealloc(in->tid, ret->room * sizeof(*in->tid));
	}
	in->tid[ret->findings] = tid;
	ret->finding[ret->findings++] = (struct finding){
		.leaf = in->leaf->oid,
		.table = xstrdup(in->leaf->name),
		.column = xstrdup(in->leaf->column[column].name),
		.verdict = verdict_name(j->verdict),
		.reason = xstrdup(why),
	};
}

static bool
inspect_row(void *ctx, const struct window *row)
{
	struct inspector *in = ctx;
	bool rewrite = false;
	struct judgement j;

	for (size_t i = 0; i < row->columns; i++) {
		if (!row->cell[i].present)
			continue;
		in->rc = judge_cell(&j, in->judge, in->leaf, row, i, in->err);
		if (in->rc < 0)
			return false;
		tally_judged(&in->ret->column[i], &j, in->ring);
		rewrite |= j.rewrite;
		if (j.blocks)
			keep_finding(in, &j, i, row->tid[0]);
	}
	in->ret->to_rewrite += rewrite;
	return true;
}

static int
name_rows(struct inspector *in, struct rows *r, struct pg *pg)
{
	for (size_t i = 0; in->tid && i < in->ret->findings; i++) {
		char *row;

		if (rows_identity(&row, r, pg, in->tid[i], in->err) < 0)
			return -1;
		in->ret->finding[i].row = row;
	}
	return 0;
}

/* The server's own counts. What it calls current carries the primary's label;
 * with nothing but NULLs and current values there is nothing to fetch. */
static int
count_leaf(bool *more, struct inspector *in, struct rows *r, struct pg *pg)
{
	struct leaf_count n;

	if (rows_count(&n, r, pg, in->err) < 0)
		return -1;
	*more = false;
	for (size_t i = 0; i < in->leaf->conf->columns; i++) {
		struct tally_column *c = &in->ret->column[i];

		c->verdict[VERDICT_NULL] += n.nulls[i];
		c->verdict[VERDICT_CURRENT] += n.current[i];
		if (n.current[i] &&
			in->leaf->conf->policy.method == METHOD_FERNET)
			tally_key(c,
				slice_str(in->ring->key[in->ring->primary].id),
				n.current[i]);
		*more |= n.rows > n.nulls[i] + n.current[i];
	}
	return 0;
}

int
inspect_leaf(struct inspection *ret, struct rows *r, struct pg *pg,
	struct judge *j, int64_t max_findings, struct err *err)
{
	struct inspector in = {
		.ret = ret,
		.leaf = rows_leaf(r),
		.judge = j,
		.ring = judge_ring(j),
		.max_findings = max_findings,
		.err = err,
	};
	bool more;

	*ret = (struct inspection){0};
	ret->column = xcalloc(in.leaf->conf->columns, sizeof(*ret->column));
	in.rc = count_leaf(&more, &in, r, pg);
	if (in.rc == 0 && more && rows_sweep(r, pg, inspect_row, &in, err) < 0)
		in.rc = -1;
	if (in.rc == 0)
		in.rc = name_rows(&in, r, pg);
	free(in.tid);
	return in.rc;
}

void
inspection_done(struct inspection *i, const struct leaf *leaf)
{
	for (size_t c = 0; i->column && c < leaf->conf->columns; c++)
		tally_column_done(&i->column[c]);
	for (size_t f = 0; f < i->findings; f++)
		finding_done(&i->finding[f]);
	free(i->column);
	free(i->finding);
	*i = (struct inspection){0};
}
