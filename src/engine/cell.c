#include "cell_int.h"

int
judge_cell(struct judgement *ret, struct judge *j, const struct leaf *leaf,
	const struct window *row, size_t column, struct err *err)
{
	const struct cell *c = &row->cell[column];

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
		leaf->column[column].carrier, window_value(row, c), err);
}
