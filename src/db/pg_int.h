/*
 * pg_int.h - the parts of a connection that need no libpq.
 */
#ifndef PGREKEY_PG_INT_H
#define PGREKEY_PG_INT_H

#include "pg.h"

/* One statement that makes our settings, for the session or, local, for a
 * transaction. verbatim: text crosses the line as it is stored. Free with
 * free(). */
char *pg_settings_new(const struct pg_options *o, bool local, bool verbatim);
/* May the server's primary message be repeated? */
bool pg_is_quotable(const char *sqlstate);
/* Words of our own for what may not be quoted; empty for most. */
const char *pg_meaning(const char *sqlstate);

#endif
