/*
 * pg_int.h - the parts of a connection that need no libpq.
 */
#ifndef PGREKEY_PG_INT_H
#define PGREKEY_PG_INT_H

#include "pg.h"

int pg_set_session(
	struct pg *pg, const struct pg_options *o, struct err *err) MUST_CHECK;
/* May the server's primary message be repeated? */
bool pg_is_quotable(const char *sqlstate);
/* Words of our own for what may not be quoted; empty for most. */
const char *pg_meaning(const char *sqlstate);

#endif
