/*
 * Rows that the server will not take: listed, and left as they are.
 */
#include "cell_int.h"
#include "engine_int.h"
#include "fail_point.h"
#include <stdlib.h>

static void
remember_refused(struct worker *w, struct tid tid)
{
	if (w->refused_count == w->refused_room) {
		w->refused_room = w->refused_room ? 2 * w->refused_room : 16;
		w->refused = xrealloc(
			w->refused, w->refused_room * sizeof(*w->refused));
	}
	w->refused[w->refused_count++] = tid;
	w->counts.refused++;
}

int
find_row(struct worker *w, const struct window *win, size_t row,
	const struct about *about, struct err *err)
{
	const struct leaf *leaf = rows_leaf(w->rows);
	size_t first = row * win->columns;
	struct judgement j;

	for (size_t i = 0; i < win->columns; i++) {
		struct finding f = {
			.leaf = leaf->oid,
			.table = leaf->name,
			.column = leaf->column[i].name,
			.row = about->identity,
			.by_pass = true,
		};

		if (!win->cell[first + i].present)
			continue;
		if (judge_cell(&j, w->judge, leaf, win, first + i, err) < 0)
			return -1;
		if (!j.rewrite || (about->nested && !(j.nested && j.blocks)))
			continue; /* another column's finding */
		f.verdict = about->nested ? "current" : verdict_name(j.verdict);
		f.reason = about->reason;
		if (state_find(&w->state, &f, err) < 0)
			return -1;
	}
	return 0;
}

int
refuse_row(struct worker *w, const struct window *win, size_t row,
	const char *reason, struct err *err)
{
	struct about about = {false, reason, NULL};
	int rc = 0;

	if (rows_identity(&about.identity, w->rows, w->pg, win->tid[row], err) <
		0)
		return -1;
	/* Gone meanwhile: then it is no longer anybody's problem. */
	if (about.identity[0]) {
		remember_refused(w, win->tid[row]);
		if (w->counts.refused <= w->e->o->job.max_findings)
			rc = find_row(w, win, row, &about, err);
	}
	FAIL_POINT(row_refused);
	free(about.identity);
	return rc;
}
