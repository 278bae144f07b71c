/*
 * pg_conn_int.h - what the files that know libpq share.
 */
#ifndef PGREKEY_PG_CONN_INT_H
#define PGREKEY_PG_CONN_INT_H

#include "pg_int.h"
#include <libpq-fe.h>
#include <stdatomic.h>

/* What was sent in a flush before the statement that comes again. */
struct pg_flush {
	bool drops;    /* what the server kept */
	bool prepares; /* what it is to keep */
	bool synced;   /* was sent to its end */
};

struct pg {
	PGconn *conn;
	/* Made beforehand, so that another thread can use it. */
	PGcancel *cancel;
	bool pooled;
	bool far;
	bool given_up; /* by libpq, though it does not say so (pg_flush.c), or
			  because answers are out of step (pg.c) */
	bool discreet; /* see pg_be_discreet() */
	bool read_only;
	char *settings; /* for each transaction; NULL: the session has them */
	char *kept;     /* the statement that the server keeps, or NULL */

	/* pg_flush.c */
	char *coming; /* one that it is to keep, sent in a flush, or NULL */
	struct pg_flush flush[PG_FLUSHES]; /* under way, the oldest first */
	size_t flushes;

	/* pg_silence.c */
	bool patient;
	int line; /* its socket, by a number of our own, or -1 */
	_Atomic int64_t waits_since; /* of clock_ms(); 0: it does not */
	atomic_bool hung_up;
	struct pg *next; /* of all that are open */
};

/* Fill err and return -1. foreign_code: see struct pg_step. */
int pg_fail_connection(struct err *err, const char *what, const char *said,
	const char *sqlstate);
int pg_fail_lost(struct pg *pg, struct err *err);
int pg_fail_result(
	struct pg *pg, const PGresult *r, bool foreign_code, struct err *err);

int pg_send_one(struct pg *pg, const char *sql, const struct pg_args *args,
	int binary_result);
/* Connected: from now on, or no longer, pg_end_silent() knows of it. */
void pg_enlist(struct pg *pg);
void pg_unlist(struct pg *pg);
/* Around all calls of libpq that may wait for the server. */
void pg_waits(struct pg *pg);
void pg_heard(struct pg *pg);
bool pg_is_good(const PGresult *r);
/* As many rows as the server says that it sent, where it says so. */
bool pg_has_all(PGresult *r, int64_t rows);
/* Good, complete, and it may be the answer to that statement. */
bool pg_answers(const char *sql, PGresult *r);
/* Reads the answers to what is under way, and drops them. */
void pg_drop_flushes(struct pg *pg);
/* Under our own name: callers never see libpq's types. */
struct pg_result *pg_result_of(PGresult *r);

/* Behind a pooler a statement that stands alone gets a transaction, since only
 * there our settings hold. *wrapped: pg_unwrap() commits it. */
int pg_wrap(bool *wrapped, struct pg *pg, struct err *err) MUST_CHECK;
int pg_unwrap(bool wrapped, struct pg *pg, struct err *err) MUST_CHECK;

#endif
