#include "cell_int.h"

int
judge_cell(struct judgement *ret, struct judge *j, const struct leaf *leaf,
	const struct window *win, size_t cell, struct err *err)
{
	const struct cell *c = &win->cell[cell];

	if (c->oversize) { /* never fetched */
		*ret = (struct judgement){
			.verdict = VERDICT_OVERSIZE,
			.blocks = true,
			.unread = true,
			.key = -1,
			.inner_key = -1,
			.what = "over max_value_bytes",
		};
		return 0;
	}
	return judge_value(ret, j, &leaf->conf->policy,
		leaf->column[cell % win->columns].carrier, window_value(win, c),
		err);
}

/* What is unwrapped nobody meets again. What is not the proof does, since it
 * opens every value of a column that is to be unwrapped. */
static bool
marks_nested(const struct row_judge *by, const struct judgement *j)
{
	if (by->leaf->conf->policy.nested == NESTED_UNWRAP)
		return j->nested && !j->blocks;
	return j->nested && by->marks_nested;
}

static unsigned
marks_of(const struct row_judge *by, const struct judgement *j)
{
	return (marks_nested(by, j) ? MARK_NESTED : 0) |
	       (j->mislabelled ? MARK_MISLABELLED : 0) |
	       (j->late ? MARK_LATE : 0);
}

/* An envelope lives in the judge only until the next one is made: where a row
 * may have several, they are copied, side by side. */
int
judge_row(struct fresh_row *ret, const struct row_judge *by,
	const struct window *win, size_t row, struct err *err)
{
	size_t first = row * win->columns, at[TARGET_COLUMNS_MAX] = {0};
	const struct cell *cell = &win->cell[first];
	struct judgement j;

	*ret = (struct fresh_row){0};
	buf_reset(by->bytes);
	for (size_t i = 0; i < win->columns; i++) {
		if (!cell[i].present)
			continue;
		if (judge_cell(&j, by->judge, by->leaf, win, first + i, err) <
			0)
			return -1;
		if (!j.rewrite)
			continue;
		ret->any = true;
		ret->nested |= j.nested && j.blocks;
		ret->change[i].old = window_value(win, &cell[i]);
		ret->change[i].clear = j.clear;
		ret->change[i].marks = marks_of(by, &j);
		ret->change[i].fresh.len = j.fresh.len;
		ret->change[i].fresh.ptr = j.fresh.ptr;
		at[i] = by->bytes->len;
		if (win->columns > 1)
			buf_add(by->bytes, j.fresh.ptr, j.fresh.len);
	}
	for (size_t i = 0; i < win->columns && win->columns > 1; i++) {
		if (ret->change[i].fresh.ptr)
			ret->change[i].fresh.ptr = by->bytes->ptr + at[i];
	}
	return 0;
}
