/*
 * rows_int.h - what reading, writing and sweeping a leaf share.
 */
#ifndef PGREKEY_ROWS_INT_H
#define PGREKEY_ROWS_INT_H

#include "sql_int.h"

struct rows {
	const struct leaf *leaf;
	struct sql_view view;
	const char *state_schema;
	bool suppress_triggers;
	/* A window may not fit: values are large, or one did not already. */
	bool bounded;
	size_t widest; /* bytes of the widest row seen: bounds one FETCH */
	bool paused;   /* the run, as the last batch saw it */
	struct buf sql;
};

/* Empties a window for rows of so many columns; memory is kept, and so are the
 * bytes, which others may have a share in. */
void window_reset(struct window *w, size_t columns);
/* A tid and a number in binary format. */
#define TID_BYTES 6
struct tid rows_tid(struct slice s);
void rows_put_tid(unsigned char ret[TID_BYTES], struct tid tid);
uint32_t rows_be32(const unsigned char *p);
/* Appends one row to a window: bits of the columns that are oversize, and one
 * value per column whose ptr is NULL for NULL. */
void window_put(struct window *w, struct tid tid, uint32_t oversize,
	const struct slice *value);
/* Appends one row of a binary result of sql_read() to a window. */
void window_add(struct window *w, const struct pg_result *row);
/* Around every statement that has the condition of the configuration, if there
 * is one. */
void rows_begin_condition(const struct rows *r, struct pg *pg);
void rows_end_condition(struct pg *pg);
/* Says which table could not be read, and blames the condition of the
 * configuration where only that can be wrong. Returns -1. */
int rows_unread(const struct rows *r, struct err *err);
bool window_is_full(const struct window *w, const struct window_limits *limits);
/* A full window ends behind its last row, at a page if that is where the next
 * row starts anyway; nobody has to read half a page twice. */
void window_cut(struct window *w, const struct range *asked);

#endif
