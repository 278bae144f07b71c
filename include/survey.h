/*
 * survey.h - what surrounds a rotation: the server, the state schema, triggers
 * and indexes, and how large it all is.
 *
 * Reads catalogs and statistics only, with locks no stronger than those of a
 * SELECT. What the role may not see becomes a remark, never silence. -1 only
 * when the database fails.
 */
#ifndef PGREKEY_SURVEY_H
#define PGREKEY_SURVEY_H

#include "state.h"

struct survey_wants {
	int64_t connections; /* that rotate would open */
	int64_t lock_timeout_ms;
	bool suppress_triggers;
};

int survey_server(const struct remarks *to, struct pg *pg,
	const struct survey_wants *wants, struct err *err) MUST_CHECK;
/* Who holds back the horizon, so that nothing is pruned; who receives WAL. */
int survey_horizon(
	const struct remarks *to, struct pg *pg, struct err *err) MUST_CHECK;

/* Would the state schema be there for us, and no other run in the way? */
int survey_state(const struct remarks *to, struct state *s,
	const struct run_spec *spec, struct err *err) MUST_CHECK;

/* Triggers, constraints and indexes of a leaf. */
int survey_leaf(const struct remarks *to, struct pg *pg,
	const struct leaf *leaf, struct err *err) MUST_CHECK;

struct leaf_size {
	bool seen;    /* what follows is known */
	int64_t rows; /* -1: nobody knows */
	int64_t dead_rows;
	int64_t heap, toast, indexes; /* bytes */
	int fillfactor;
	int64_t width;      /* of a row's columns, bytes; 0: unknown */
	int64_t unseen;     /* columns whose width is not known */
	bool full_identity; /* WAL has every old row, too */
};

int survey_size(struct leaf_size *ret, const struct remarks *to, struct pg *pg,
	const struct leaf *leaf, struct err *err) MUST_CHECK;

#endif
