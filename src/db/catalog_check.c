/*
 * What cannot be rotated, and what the role is not allowed to.
 */
#include "catalog_int.h"
#include "quote.h"
#include <stdio.h>

static const char ctid_sql[] =
	"SELECT pg_catalog.has_column_privilege($1::oid, 'ctid', 'SELECT')";

/* -- what cannot be rotated ------------------------------------------------ */

int
catalog_refuse(
	struct err *err, const char *name, const char *column, const char *why)
{
	if (column)
		return err_set(err, ERR_USAGE, "column %s of %s %s", column,
			name, why);
	return err_set(err, ERR_USAGE, "table %s %s", name, why);
}

int
catalog_check_relation(const struct pg_result *r, int i,
	const struct loader *load, struct err *err)
{
	const char *name = pg_text(r, i, L_NAME);
	char kind = pg_text(r, i, L_KIND)[0];

	if (kind == 'v' || kind == 'm')
		return catalog_refuse(
			err, name, NULL, "is a view: name the table behind it");
	if (kind == 'f')
		return catalog_refuse(err, name, NULL,
			"is a foreign table: rotate it where its rows live");
	if (kind != 'r' && kind != 'p')
		return catalog_refuse(err, name, NULL, "is not a table");
	if (pg_text(r, i, L_PERSISTENCE)[0] == 't')
		return catalog_refuse(err, name, NULL, "is temporary");
	if (kind == 'r' && strcmp(pg_text(r, i, L_METHOD), "heap") != 0)
		return catalog_refuse(
			err, name, NULL, "does not use the heap access method");
	if (load->writing && !pg_is_null(r, i, L_RULE)) {
		catalog_refuse(err, name, NULL,
			"has an UPDATE rule: rules and RETURNING do not mix");
		return err_hint(err, "drop or disable rule %s while you rotate",
			pg_text(r, i, L_RULE));
	}
	if (load->privileges && pg_bool(r, i, L_ROW_SECURITY)) {
		err_set(err, ERR_DB, "row-level security hides rows of %s",
			name);
		return err_hint(err, "ALTER ROLE ... BYPASSRLS, "
				     "or connect as its owner");
	}
	if (load->privileges && !pg_bool(r, i, L_USAGE)) {
		err_set(err, ERR_DB, "no privilege to use schema %s",
			pg_text(r, i, L_SCHEMA));
		return err_hint(err, "GRANT USAGE ON SCHEMA \"%s\" TO \"%s\"",
			pg_text(r, i, L_SCHEMA), load->role);
	}
	return 0;
}

int
catalog_check_column(const struct pg_result *r, const char *table,
	const char *name, const struct loader *load, struct err *err)
{
	if (load->writing && pg_bool(r, 0, C_GENERATED))
		return catalog_refuse(err, table, name, "is generated");
	if (load->writing && pg_bool(r, 0, C_PARTITION_KEY))
		return catalog_refuse(
			err, table, name, "is part of the partition key");
	if (load->writing && pg_bool(r, 0, C_PRIMARY))
		return catalog_refuse(
			err, table, name, "is part of the primary key");
	if (load->writing && pg_bool(r, 0, C_FOREIGN_KEY))
		return catalog_refuse(
			err, table, name, "is part of a foreign key");
	return 0;
}

/* -- privileges ------------------------------------------------------------ */

int
catalog_missing(struct err *err, const struct loader *load, const char *what,
	const char *column, const struct leaf *leaf)
{
	struct buf sql;

	if (!load->privileges)
		return 0;
	buf_init(&sql, sizeof(err->hint) - 1);
	buf_addf(&sql, "GRANT %s (", what);
	if (strcmp(column, "ctid") != 0)
		quote_ident(&sql, column);
	else
		buf_adds(&sql, column);
	buf_addf(&sql, ") ON %s TO ", leaf->sql_name);
	quote_ident(&sql, load->role);
	err_set(err, ERR_DB, "no privilege to %s column %s of %s",
		!strcmp(what, "SELECT") ? "read" : "update", column,
		leaf->name);
	snprintf(err->sqlstate, sizeof(err->sqlstate), "42501");
	err_hint(err, "%s; `pgrekey init --print` prints all it needs",
		buf_str(&sql));
	buf_done(&sql);
	return -1;
}

int
catalog_check_ctid(
	const struct loader *load, const struct leaf *leaf, struct err *err)
{
	struct pg_args args = {0};
	struct pg_result *r;
	bool may;

	pg_arg_int(&args, leaf->oid);
	if (pg_query(&r, load->pg, ctid_sql, &args, err) < 0)
		return -1;
	may = pg_bool(r, 0, 0);
	pg_free(r);
	return may ? 0 : catalog_missing(err, load, "SELECT", "ctid", leaf);
}

/* -- grants ---------------------------------------------------------------- */

static void
add_columns(struct buf *sql, const struct leaf *leaf)
{
	for (size_t i = 0; i < leaf->conf->columns; i++) {
		buf_adds(sql, i ? ", " : "");
		quote_ident(sql, leaf->column[i].name);
	}
}

static void
add_names(struct buf *sql, char *const *name)
{
	for (; name && *name; name++) {
		buf_adds(sql, ", ");
		quote_ident(sql, *name);
	}
}

static void
grant_usage(struct buf *sql, const char *schema, const char *role)
{
	buf_addf(sql, "GRANT USAGE ON SCHEMA %s TO ", schema);
	quote_ident(sql, role);
	buf_adds(sql, ";\n");
}

/* Partitions may be in other schemas than their table. */
static void
grant_schemas(
	struct buf *sql, const struct catalog *c, size_t at, const char *role)
{
	const struct leaf *leaf = &c->leaf[at];
	struct buf own;

	buf_init(&own, 1024);
	quote_ident(&own, leaf->conf->schema);
	if (at == 0 || c->leaf[at - 1].target != leaf->target)
		grant_usage(sql, buf_str(&own), role);
	if (strcmp(buf_str(&own), leaf->sql_schema) != 0)
		grant_usage(sql, leaf->sql_schema, role);
	buf_done(&own);
}

void
catalog_grants(struct buf *sql, const struct catalog *c, const char *role)
{
	for (size_t i = 0; i < c->leaves; i++) {
		const struct leaf *leaf = &c->leaf[i];

		grant_schemas(sql, c, i, role);
		buf_adds(sql, "GRANT SELECT (ctid, ");
		add_columns(sql, leaf);
		add_names(sql, leaf->key);
		add_names(sql, leaf->asked);
		buf_adds(sql, "), UPDATE (");
		add_columns(sql, leaf);
		buf_addf(sql, ") ON %s TO ", leaf->sql_name);
		quote_ident(sql, role);
		buf_adds(sql, ";\n");
	}
}
