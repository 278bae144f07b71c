/*
 * check.h - would rotate start, and what would it meet?
 *
 * Looks at everything that can be known beforehand and touches no data: a
 * read-only session, no lock stronger than that of a SELECT. All problems of
 * all tables are collected, by the very rules that rotate goes by.
 */
#ifndef PGREKEY_CHECK_H
#define PGREKEY_CHECK_H

#include "outcome.h"
#include "remark.h"
#include "rotate.h"

struct check_options {
	struct rotate_options rotate; /* what would be started */
	const char *file;             /* the configuration, for the report */
};

struct check_remark {
	struct remark r; /* whose texts are its own */
	size_t no;       /* in the order of the looking */
	size_t more;     /* further leaves of which the same is true */
};

/* What a run over one configured table would cost, roughly. */
struct check_estimate {
	int64_t rows;                 /* in the table; -1: nobody knows */
	int64_t heap, toast, indexes; /* bytes */
	double share; /* of the rows that are to be rewritten; 1 where nobody
			 could look */
	int64_t wal;  /* bytes */
	int64_t seconds;
};

struct check_outcome {
	struct outcome facts; /* its tally is of a sample, by labels */
	struct check_remark *remark;
	size_t remarks;
	size_t count[REMARK_LEVELS];
	struct check_estimate *estimate; /* per target */
};

/* Returns ERR_NONE, or ERR_FINDINGS if rotate would refuse; -1 with err filled
 * when the database fails. ret is valid in either case. */
int check_run(struct check_outcome *ret, const struct check_options *o,
	struct err *err);
void check_outcome_done(struct check_outcome *ret, const struct job *job);

#endif
