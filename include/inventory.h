/*
 * inventory.h - every column of the database that could hold an envelope.
 *
 * Text, character, citext, bytea, json and jsonb columns and domains over them,
 * of tables, partitioned tables and materialized views; not of the system, and
 * not of temporary or foreign tables. Read-only once loaded.
 */
#ifndef PGREKEY_INVENTORY_H
#define PGREKEY_INVENTORY_H

#include "format.h"
#include "pg.h"

struct inventory_column {
	char *name;
	enum carrier carrier;
	bool bytes;     /* bytea: what is in it may be text */
	bool generated; /* a copy of what other columns hold */
	bool readable;  /* by this role */
};

enum inventory_kind {
	INVENTORY_TABLE,
	INVENTORY_PARTITIONED, /* no rows of its own */
	INVENTORY_VIEW,        /* materialized */
};

struct inventory_table {
	uint32_t oid;
	enum inventory_kind kind;
	char *schema, *name;
	char *shown;    /* schema.table as SQL would be written */
	bool usable;    /* the role may use the schema */
	bool hidden;    /* row-level security hides rows */
	int64_t pages;  /* as the server remembers them, at least 1 */
	size_t *parent; /* indices: it is a partition or child of these */
	size_t parents;
	struct inventory_column *column;
	size_t columns;
};

struct inventory {
	struct inventory_table *table; /* by oid */
	size_t tables;
	char *role;
};

int inventory_load(
	struct inventory *ret, struct pg *pg, struct err *err) MUST_CHECK;
void inventory_done(struct inventory *v); /* zero-initialised is fine */

/* NULL if there is none. */
const struct inventory_table *inventory_find(
	const struct inventory *v, const char *schema, const char *name);
const struct inventory_column *inventory_column(
	const struct inventory_table *t, const char *name);
/* Is below a partition or child of above, at whatever distance? */
bool inventory_is_below(const struct inventory *v,
	const struct inventory_table *below,
	const struct inventory_table *above);
/* The topmost table that has this column and these rows. */
const struct inventory_table *inventory_top(const struct inventory *v,
	const struct inventory_table *t, const char *column);

/* May the role read all of this column? */
bool inventory_may_read(const struct inventory_table *t, size_t column);
/* Appends what would let it read these columns, one bool per column, or, where
 * wanted is NULL, the whole table. */
void inventory_remedy(struct buf *sql, const struct inventory *v,
	const struct inventory_table *t, const bool *wanted);

/* -- reading --------------------------------------------------------------- */

/* A larger value is not fetched. */
#define INVENTORY_VALUE_MAX (16 * 1024 * 1024)

/* Called with each value that may be an envelope of some format; its ptr is
 * NULL if it is too large to be fetched. False: no more are wanted. */
typedef bool (*inventory_fn)(void *ctx, size_t column, struct slice value);

/* Which columns of a table, and about how many percent of its pages; 0: all. */
struct inventory_part {
	const struct inventory_table *table;
	const bool *wanted; /* per column; at least one */
	double sample;
};

/* Reads the table once, without its partitions and children. */
int inventory_read(struct pg *pg, const struct inventory_part *part,
	inventory_fn fn, void *ctx, struct err *err) MUST_CHECK;

#endif
