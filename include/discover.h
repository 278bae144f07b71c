/*
 * discover.h - which columns hold envelopes and are not configured?
 *
 * Looks at every column that could hold one, once, strictly read-only, and says
 * which sections the configuration lacks. A table that could not be read is
 * named, never passed over.
 */
#ifndef PGREKEY_DISCOVER_H
#define PGREKEY_DISCOVER_H

#include "job.h"
#include "tally.h"

struct discover_options {
	struct job job; /* keys are not needed: its ring may be NULL */
	const char *const *schemas; /* glob patterns; NULL: all */
	double sample;              /* percent of the pages; 0: all */
	const char *current_key; /* what copies may be labelled with, or NULL */
};

struct discover_column {
	char *name;
	const struct format *format; /* NULL: holds no envelope */
	int64_t values;
	int64_t oversize;           /* of them, known by their beginning only */
	struct tally_column labels; /* only its keys */
	bool copy;                  /* of other columns: nothing to configure */
	char *problem;              /* why it is in no section, or NULL */
};

/* Partitions and children are part of the table that they belong to. */
struct discover_table {
	char *schema, *table;
	struct discover_column *column;
	size_t columns;
	/* The section to configure it with; it has no columns if nothing here
	 * can be configured. What is not its own is of the replaced ones. */
	struct target section;
	const struct target **replaced; /* the job's, that it takes in */
	size_t replaces;
};

struct discover_unread {
	char *table;
	char *reason;
	char *remedy; /* SQL or words, or "" */
};

struct discover_outcome {
	struct discover_table *table; /* by name */
	size_t tables;
	struct discover_unread *unread;
	size_t unreads;
	int64_t read;    /* tables, each partition being one */
	int64_t columns; /* that hold envelopes and need attention */
	double seconds;
};

/* Returns the exit status (ERR_NONE, ERR_FINDINGS, ERR_STOPPED,
 * ERR_INCONCLUSIVE for a sample without findings), or -1 with err filled,
 * ERR_DB also when no table could be read; ret is valid in either case and
 * given to discover_done(). */
int discover_run(struct discover_outcome *ret, const struct discover_options *o,
	struct err *err);
void discover_done(struct discover_outcome *ret);

#endif
