/*
 * cell_int.h - judging a value as it was read.
 */
#ifndef PGREKEY_CELL_INT_H
#define PGREKEY_CELL_INT_H

#include "rows.h"

/* Also one that was too large to be fetched. The cell must be present; cell is
 * its number within the window. */
int judge_cell(struct judgement *ret, struct judge *j, const struct leaf *leaf,
	const struct window *win, size_t cell, struct err *err) MUST_CHECK;

#endif
