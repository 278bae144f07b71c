/*
 * sql_int.h - the statements over a leaf, as text. Pure: names in, SQL out.
 *
 * These texts are the contract with the planner: whatever its settings and
 * statistics, it has no choice but to join the batch with a TID range scan of
 * the window, which visits each page once and prunes it. tests/db guards the
 * plan; docs/architecture.md explains it.
 */
#ifndef PGREKEY_SQL_INT_H
#define PGREKEY_SQL_INT_H

#include "rows.h"

/* What a reader must know about the values. */
struct sql_view {
	const struct leaf *leaf;
	const char *current_key; /* NULL: marked plaintext is current */
	bool everything;         /* no filter: current values too */
};

/* Is a range read with a sort? Else no index scan may read it. */
bool sql_is_sorted(const struct sql_view *view);
/* SELECT ctid, oversize bits, column ... ; a current value comes as NULL. The
 * range may be NULL: the whole leaf. */
void sql_read(struct buf *sql, const struct sql_view *view,
	const struct range *range);

/* Visits each page of a range. One row, of no interest. */
void sql_visit(
	struct buf *sql, const struct leaf *leaf, const struct range *range);

/* One row: rows, then for each column NULLs and current ones. */
void sql_count(struct buf *sql, const struct sql_view *view);

/* Rows whose value would not fit its varchar(n) any more, and the longest
 * result, or nothing (false) if no column has a limit. */
bool sql_overflow(struct buf *sql, const struct sql_view *view, size_t column);

struct sql_write {
	const struct leaf *leaf;
	bool skip_locked;
	bool digests;             /* some old values are digests */
	bool marked;              /* some values have marks */
	const char *state_schema; /* NULL: no checkpoint (canary) */
};

/* Part of a statement: AND the target's condition. */
void sql_add_where(struct buf *sql, const struct leaf *leaf);

/* Labels of a column and how often each occurs: in the whole leaf, or in some
 * ranges of it. */
void sql_labels(struct buf *sql, const struct sql_view *v, size_t column,
	const struct range *range, size_t ranges);

/* COPY of every row: what sql_read() selects, without its filter, and without
 * the bits where no limit was asked for. */
void sql_copy(struct buf *sql, const struct sql_view *v,
	const struct copy_range *part);

/* Parameters: $1 tid[], $2 and $3 tid: the window from and below, then old and
 * new text[] per column, and int8[] marks if any, then, with a checkpoint, pos,
 * run, leaf, chunk, epoch and the lease in seconds. */
void sql_write(struct buf *sql, const struct sql_write *w);

#endif
