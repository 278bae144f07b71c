/*
 * catalog_int.h - the columns of the catalog queries, and what is refused.
 */
#ifndef PGREKEY_CATALOG_INT_H
#define PGREKEY_CATALOG_INT_H

#include "catalog.h"

/* What loading needs at every step. */
struct loader {
	struct pg *pg;
	bool privileges; /* that are missing are an error */
	bool writing;
	char *role; /* whose privileges are looked at */
};

/* Columns of the query for leaves. */
enum leaf_field {
	L_OID,
	L_KIND,
	L_SCHEMA,
	L_TABLE,
	L_METHOD,
	L_PERSISTENCE,
	L_ROW_SECURITY,
	L_RULE,
	L_BEFORE,
	L_TRIGGER,
	L_TOAST,
	L_USAGE,
	L_NAME,
};

/* Columns of the query for one column. */
enum column_field {
	C_TYPE,
	C_TYPMOD,
	C_GENERATED,
	C_PARTITION_KEY,
	C_FOREIGN_KEY,
	C_UNIQUE,
	C_PRIMARY,
	C_SELECT,
	C_UPDATE,
};

/* Each returns -1 with the reason, and the way out if there is one. */
int catalog_check_relation(const struct pg_result *r, int i,
	const struct loader *load, struct err *err) MUST_CHECK;
int catalog_check_column(const struct pg_result *r, const char *table,
	const char *name, const struct loader *load,
	struct err *err) MUST_CHECK;
int catalog_check_ctid(const struct loader *load, const struct leaf *leaf,
	struct err *err) MUST_CHECK;
/* column may be NULL. ERR_USAGE, -1. */
int catalog_refuse(
	struct err *err, const char *name, const char *column, const char *why);
/* A privilege is missing: 0 if nobody asked for it in this mode. */
int catalog_missing(struct err *err, const struct loader *load,
	const char *what, const char *column, const struct leaf *leaf);

#endif
