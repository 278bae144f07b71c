/*
 * The settings of a session.
 */
#include "pg_int.h"

/* Everything a database or role may have set otherwise and that matters here.
 * No planner settings, since they would govern queries inside triggers too;
 * but without TID scans each window would cost a look at the whole table. */
static const char session[] =
	"SET jit = off; "
	"SET max_parallel_workers_per_gather = 0; "
	"SET row_security = off; "
	"SET default_transaction_isolation = 'read committed'; "
	"SET default_transaction_deferrable = off; "
	"SET idle_in_transaction_session_timeout = '60s'; "
	"SET statement_timeout = 0; "
	"SET lock_timeout = 0; "
	"SET client_min_messages = warning; "
	"SET standard_conforming_strings = on; "
	"SET bytea_output = hex; "
	"SET DateStyle = 'ISO, YMD'; "
	"SET TimeZone = 'UTC'; "
	"SET synchronize_seqscans = off; "
	"SET enable_tidscan = on; ";

int
pg_set_session(struct pg *pg, const struct pg_options *o, struct err *err)
{
	/* A database that somebody made read-only stays so. */
	if (pg_exec(pg, session, err) < 0)
		return -1;
	if (o->read_only)
		return pg_exec(
			pg, "SET default_transaction_read_only = on", err);
	if (!o->synchronous_commit)
		return pg_exec(pg, "SET synchronous_commit = off", err);
	return 0;
}
