/*
 * What a role needs, as SQL that an administrator can run.
 */
#include "catalog_int.h"
#include "quote.h"

static bool
is_encrypted(const struct leaf *leaf, const char *name)
{
	for (size_t i = 0; i < leaf->conf->columns; i++) {
		if (!strcmp(leaf->column[i].name, name))
			return true;
	}
	return false;
}

static bool
is_in(char *const *names, const char *name)
{
	while (names && *names && strcmp(*names, name) != 0)
		names++;
	return names && *names;
}

static void
add_columns(struct buf *sql, const struct leaf *leaf)
{
	for (size_t i = 0; i < leaf->conf->columns; i++) {
		buf_adds(sql, i ? ", " : "");
		quote_ident(sql, leaf->column[i].name);
	}
}

/* Each once: a condition may name the key, and an encrypted column. */
static void
add_others(struct buf *sql, const struct leaf *leaf, char *const *names,
	char *const *before)
{
	for (; names && *names; names++) {
		if (is_encrypted(leaf, *names) || is_in(before, *names))
			continue;
		buf_adds(sql, ", ");
		quote_ident(sql, *names);
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
catalog_bypass(struct buf *sql, const char *role)
{
	buf_adds(sql, "ALTER ROLE ");
	quote_ident(sql, role);
	buf_adds(sql, " BYPASSRLS");
}

/* A comment: it opens all tables of the cluster's databases to the role, and
 * whoever may GRANT may not always do this. */
static void
add_bypass(struct buf *sql, const char *role)
{
	buf_adds(sql, "-- Row-level security hides rows from this role. A "
		      "superuser may lift it:\n-- ");
	catalog_bypass(sql, role);
	buf_adds(sql, ";\n");
}

void
catalog_grants(struct buf *sql, const struct catalog *c, const char *role)
{
	for (size_t i = 0; i < c->leaves; i++) {
		const struct leaf *leaf = &c->leaf[i];

		grant_schemas(sql, c, i, role);
		buf_adds(sql, "GRANT SELECT (ctid, ");
		add_columns(sql, leaf);
		add_others(sql, leaf, leaf->key, NULL);
		add_others(sql, leaf, leaf->asked, leaf->key);
		buf_adds(sql, "), UPDATE (");
		add_columns(sql, leaf);
		buf_addf(sql, ") ON %s TO ", leaf->sql_name);
		quote_ident(sql, role);
		buf_adds(sql, ";\n");
	}
	if (c->hidden)
		add_bypass(sql, role);
}
