/*
 * cell_int.h - judging a value, and a row, as they were read.
 */
#ifndef PGREKEY_CELL_INT_H
#define PGREKEY_CELL_INT_H

#include "rows.h"

/* Also one that was too large to be fetched. The cell must be present; cell is
 * its number within the window. */
int judge_cell(struct judgement *ret, struct judge *j, const struct leaf *leaf,
	const struct window *win, size_t cell, struct err *err) MUST_CHECK;

/* How rows of a leaf are opened and sealed. */
struct row_judge {
	struct judge *judge;
	const struct leaf *leaf;
	struct buf *bytes; /* of several columns' envelopes */
	bool marks_nested; /* where nothing is unwrapped */
};

/* What a row becomes. The envelopes live until the next row is judged. */
struct fresh_row {
	struct change change[TARGET_COLUMNS_MAX];
	bool any;    /* is to be rewritten */
	bool nested; /* and hides an envelope of another key */
};

int judge_row(struct fresh_row *ret, const struct row_judge *by,
	const struct window *win, size_t row, struct err *err) MUST_CHECK;

#endif
