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
	const struct remarks *to; /* NULL: the first refusal is the error */
	char *role;               /* whose privileges are looked at */
	size_t target;            /* the one that is being loaded, by index */
	bool unreadable; /* values of this relation cannot be looked at */
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
	L_TOAST,
	L_TOASTED,
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

/* Fills column i of the leaf; its key, and what its condition asks for. */
int catalog_load_column(struct leaf *leaf, size_t i, struct loader *load,
	struct err *err) MUST_CHECK;
int catalog_load_names(
	struct leaf *leaf, struct loader *load, struct err *err) MUST_CHECK;

/* All leaves but the first of them. */
void catalog_forget(struct catalog *c, size_t kept);

/* Each returns -1 with the reason, and the way out if there is one; where
 * remarks are collected, it hands them on and returns 0. */
int catalog_check_server(
	bool *standby, struct loader *load, struct err *err) MUST_CHECK;
/* usable: false for what has no rows of its own to look at. */
int catalog_check_kind(bool *usable, const struct pg_result *r, int i,
	const struct loader *load, struct err *err) MUST_CHECK;
int catalog_check_relation(const struct pg_result *r, int i,
	struct loader *load, struct err *err) MUST_CHECK;
int catalog_check_column(const struct pg_result *r, const char *table,
	const char *name, const struct loader *load,
	struct err *err) MUST_CHECK;
int catalog_check_privileges(struct loader *load, const struct leaf *leaf,
	const char *column, const struct pg_result *r,
	struct err *err) MUST_CHECK;
int catalog_check_ctid(struct loader *load, const struct leaf *leaf,
	struct err *err) MUST_CHECK;
/* A table that sends its updates must be able to name its rows. */
int catalog_check_publications(const struct loader *load,
	const struct leaf *leaf, struct err *err) MUST_CHECK;
/* column may be NULL. */
int catalog_refuse(const struct loader *load, const struct remark *about,
	const char *why, struct err *err) MUST_CHECK;
/* A privilege is missing: 0 if nobody asked for it in this mode. */
int catalog_missing(struct loader *load, const char *what, const char *column,
	const struct leaf *leaf, struct err *err) MUST_CHECK;
/* What was looked at of a usable relation. */
void catalog_fine(const struct loader *load);

#endif
