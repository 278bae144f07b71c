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
