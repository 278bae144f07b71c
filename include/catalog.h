/*
 * catalog.h - the configured tables as the database has them.
 *
 * A configured table means the rows that the application sees in it: its
 * leaves are the partitions and inheritance children with storage of their
 * own, each walked and written by itself. Read-only once loaded; the targets
 * must outlive it.
 */
#ifndef PGREKEY_CATALOG_H
#define PGREKEY_CATALOG_H

#include "pg.h"
#include "remark.h"
#include "target.h"

#define BLOCK_BYTES 8192 /* checked against the server's block_size */

struct leaf_column {
	char *name;
	char *ref; /* t."name" */
	enum carrier carrier;
	int max_chars; /* varchar(n), char(n); 0: no limit */
};

struct leaf {
	uint32_t oid;
	char *name;     /* schema.table as SQL would be written, for people */
	char *sql_name; /* "schema"."table" */
	size_t target;  /* index */
	const struct target *conf;
	struct leaf_column *column; /* conf->columns of them, same order */
	char *sql_schema;           /* "schema" */
	/* Primary key columns, NULL-terminated; empty where there is none, or
	 * one that would tell a value. */
	char **key;
	char **asked;         /* likewise: those that `where` seems to name */
	char *asked_grant;    /* of those that may not be read, or NULL */
	bool lock_for_update; /* a unique index covers an encrypted column */
	bool may_toast;       /* values may live outside the page */
	bool toasted;         /* some did when this was loaded */
	bool unreadable; /* after catalog_survey(): what was refused makes it
			    impossible to look at the values */
};

struct catalog {
	struct leaf *leaf; /* in the order of the targets, then by oid */
	size_t leaves;
	bool standby; /* the server replays what another one writes */
	bool hidden;  /* row-level security binds the role somewhere */
};

enum catalog_mode {
	CATALOG_LOOK,  /* whatever the privileges are */
	CATALOG_FIT,   /* and refuses what cannot be rotated */
	CATALOG_READ,  /* SELECT is needed */
	CATALOG_WRITE, /* and UPDATE */
};

/* Resolves every target. ERR_USAGE for a missing table or column and for what
 * cannot be rotated at all (view, foreign table, generated column, ...),
 * ERR_DB for missing privileges, with the exact GRANT as the hint. */
int catalog_load(struct catalog *ret, struct pg *pg,
	const struct target *target, size_t targets, enum catalog_mode mode,
	struct err *err) MUST_CHECK;

/* The same for rotating, but every refusal goes to the sink, and what can be
 * known of the leaves is known afterwards. -1 only when the database fails. */
int catalog_survey(struct catalog *ret, struct pg *pg,
	const struct target *target, size_t targets, const struct remarks *to,
	struct err *err) MUST_CHECK;

void catalog_done(struct catalog *c); /* zero-initialised is fine */

const struct leaf *catalog_find(const struct catalog *c, uint32_t oid);

/* Was any of these tables dropped by now? A snapshot does not hide that. */
int catalog_gone(bool *ret, struct pg *pg, const uint32_t *oid, size_t count,
	struct err *err) MUST_CHECK;
/* After something failed, whatever err says: is it because one of these was
 * dropped? Never where the fault is our own (ERR_BUG). Rolls back first. */
bool catalog_gone_is_why(struct pg *pg, const struct err *err,
	const uint32_t *oid, size_t count);
/* SQLSTATE of catalog_load() where leaves go faster than they can be listed,
 * or are gone behind the snapshot that lists them. */
#define CATALOG_GONE "42P01"

/* The refusal of a database, or role, that is set to read-only; -1. */
int catalog_refuse_read_only(struct err *err);

/* Appends what a role needs to rotate these tables. */
void catalog_grants(struct buf *sql, const struct catalog *c, const char *role);
/* What it needs to see all rows, whatever the policies are. */
void catalog_bypass(struct buf *sql, const char *role);

#endif
