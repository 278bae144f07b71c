#include "inventory.h"
#include "catalog.h"
#include "quote.h"
#include <stdlib.h>

/* Columns whose type, followed down through domains, is one of these. What is
 * generated when it is read is nowhere stored. */
static const char columns_sql[] =
	"WITH RECURSIVE base(oid, name) AS ("
	" SELECT t.oid, t.typname::text FROM pg_catalog.pg_type t"
	"  WHERE t.typtype = 'b' AND (t.typname = 'citext'"
	"   OR t.typnamespace = 'pg_catalog'::regnamespace::oid"
	"    AND t.typname IN ('text', 'varchar', 'bpchar', 'bytea', 'json', "
	"'jsonb'))"
	" UNION ALL"
	" SELECT d.oid, b.name FROM pg_catalog.pg_type d"
	"  JOIN base b ON d.typbasetype = b.oid WHERE d.typtype = 'd') "
	"SELECT c.oid, c.relkind, n.nspname, c.relname,"
	" pg_catalog.format('%I.%I', n.nspname, c.relname),"
	" pg_catalog.has_schema_privilege(n.oid, 'USAGE'),"
	" pg_catalog.row_security_active(c.oid),"
	" greatest(c.relpages, 1), a.attname, b.name, a.attgenerated <> '',"
	" pg_catalog.has_column_privilege(c.oid, a.attnum, 'SELECT') "
	"FROM pg_catalog.pg_class c"
	" JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace"
	" JOIN pg_catalog.pg_attribute a ON a.attrelid = c.oid"
	"  AND a.attnum > 0 AND NOT a.attisdropped"
	" JOIN base b ON b.oid = a.atttypid "
	"WHERE c.relkind IN ('r', 'p', 'm') AND c.relpersistence <> 't'"
	" AND c.relispopulated AND n.nspname !~ '^pg_'"
	" AND n.nspname <> 'information_schema' AND a.attgenerated <> 'v' "
	"ORDER BY c.oid, a.attnum";

enum field {
	F_OID,
	F_KIND,
	F_SCHEMA,
	F_TABLE,
	F_SHOWN,
	F_USAGE,
	F_ROW_SECURITY,
	F_PAGES,
	F_COLUMN,
	F_TYPE,
	F_GENERATED,
	F_SELECT,
};

static const char parents_sql[] =
	"SELECT i.inhrelid, i.inhparent FROM pg_catalog.pg_inherits i"
	" WHERE NOT i.inhdetachpending ORDER BY i.inhrelid, i.inhseqno";

/* -- loading --------------------------------------------------------------- */

static void
add_column(struct inventory_table *t, const struct pg_result *r, int i)
{
	const char *type = pg_text(r, i, F_TYPE);
	struct inventory_column *c;

	t->column = xrealloc(t->column, (t->columns + 1) * sizeof(*t->column));
	c = &t->column[t->columns++];
	*c = (struct inventory_column){
		.name = xstrdup(pg_text(r, i, F_COLUMN)),
		.carrier = CARRIER_TEXT,
		.bytes = !strcmp(type, "bytea"),
		.generated = pg_bool(r, i, F_GENERATED),
		.readable = pg_bool(r, i, F_SELECT),
	};
	if (!strcmp(type, "json"))
		c->carrier = CARRIER_JSON;
	else if (!strcmp(type, "jsonb"))
		c->carrier = CARRIER_JSONB;
}

static enum inventory_kind
kind_of(char relkind)
{
	if (relkind == 'p')
		return INVENTORY_PARTITIONED;
	return relkind == 'm' ? INVENTORY_VIEW : INVENTORY_TABLE;
}

static void
add_table(struct inventory *v, const struct pg_result *r, int i)
{
	v->table[v->tables++] = (struct inventory_table){
		.oid = (uint32_t)pg_int(r, i, F_OID),
		.kind = kind_of(pg_text(r, i, F_KIND)[0]),
		.schema = xstrdup(pg_text(r, i, F_SCHEMA)),
		.name = xstrdup(pg_text(r, i, F_TABLE)),
		.shown = xstrdup(pg_text(r, i, F_SHOWN)),
		.usable = pg_bool(r, i, F_USAGE),
		.hidden = pg_bool(r, i, F_ROW_SECURITY),
		.pages = pg_int(r, i, F_PAGES),
	};
}

static int
load_columns(struct inventory *v, struct pg *pg, struct err *err)
{
	struct pg_result *r;

	if (pg_query(&r, pg, columns_sql, NULL, err) < 0)
		return -1;
	v->table = xcalloc((size_t)pg_rows(r) + 1, sizeof(*v->table));
	for (int i = 0; i < pg_rows(r); i++) {
		if (v->tables == 0 ||
			v->table[v->tables - 1].oid != pg_int(r, i, F_OID))
			add_table(v, r, i);
		add_column(&v->table[v->tables - 1], r, i);
	}
	pg_free(r);
	return 0;
}

static int
compare_oids(const void *key, const void *table)
{
	int64_t oid = *(const int64_t *)key;
	int64_t its = ((const struct inventory_table *)table)->oid;

	return (oid > its) - (oid < its);
}

static struct inventory_table *
by_oid(const struct inventory *v, int64_t oid)
{
	return bsearch(
		&oid, v->table, v->tables, sizeof(*v->table), compare_oids);
}

static int
load_parents(struct inventory *v, struct pg *pg, struct err *err)
{
	struct pg_result *r;

	if (pg_query(&r, pg, parents_sql, NULL, err) < 0)
		return -1;
	for (int i = 0; i < pg_rows(r); i++) {
		struct inventory_table *t = by_oid(v, pg_int(r, i, 0));
		struct inventory_table *above = by_oid(v, pg_int(r, i, 1));

		if (!t || !above)
			continue;
		t->parent = xrealloc(
			t->parent, (t->parents + 1) * sizeof(*t->parent));
		t->parent[t->parents++] = (size_t)(above - v->table);
	}
	pg_free(r);
	return 0;
}

static int
load_role(struct inventory *v, struct pg *pg, struct err *err)
{
	struct pg_result *r;

	if (pg_query(&r, pg, "SELECT current_user", NULL, err) < 0)
		return -1;
	v->role = xstrdup(pg_text(r, 0, 0));
	pg_free(r);
	return 0;
}

int
inventory_load(struct inventory *ret, struct pg *pg, struct err *err)
{
	*ret = (struct inventory){0};
	if (load_role(ret, pg, err) < 0 || load_columns(ret, pg, err) < 0 ||
		load_parents(ret, pg, err) < 0) {
		inventory_done(ret);
		return -1;
	}
	return 0;
}

void
inventory_done(struct inventory *v)
{
	for (size_t i = 0; i < v->tables; i++) {
		struct inventory_table *t = &v->table[i];

		for (size_t c = 0; c < t->columns; c++)
			free(t->column[c].name);
		free(t->column);
		free(t->parent);
		free(t->schema);
		free(t->name);
		free(t->shown);
	}
	free(v->table);
	free(v->role);
	*v = (struct inventory){0};
}

/* -- asking ---------------------------------------------------------------- */

const struct inventory_table *
inventory_find(const struct inventory *v, const char *schema, const char *name)
{
	for (size_t i = 0; i < v->tables; i++) {
		if (!strcmp(v->table[i].schema, schema) &&
			!strcmp(v->table[i].name, name))
			return &v->table[i];
	}
	return NULL;
}

const struct inventory_column *
inventory_column(const struct inventory_table *t, const char *name)
{
	for (size_t i = 0; i < t->columns; i++) {
		if (!strcmp(t->column[i].name, name))
			return &t->column[i];
	}
	return NULL;
}

/* A table is created after its parents, but ALTER TABLE can attach it to one
 * that is younger: the catalog has no order, and no circles. */
bool
inventory_is_below(const struct inventory *v,
	const struct inventory_table *below,
	const struct inventory_table *above)
{
	for (size_t i = 0; i < below->parents; i++) {
		const struct inventory_table *t = &v->table[below->parent[i]];

		if (t == above || inventory_is_below(v, t, above))
			return true;
	}
	return false;
}

static const struct inventory_table *
parent_with(const struct inventory *v, const struct inventory_table *t,
	const char *column)
{
	for (size_t i = 0; i < t->parents; i++) {
		const struct inventory_table *above = &v->table[t->parent[i]];

		if (inventory_column(above, column))
			return above;
	}
	return NULL;
}

const struct inventory_table *
inventory_top(const struct inventory *v, const struct inventory_table *t,
	const char *column)
{
	const struct inventory_table *above;

	while ((above = parent_with(v, t, column)))
		t = above;
	return t;
}

bool
inventory_may_read(const struct inventory_table *t, size_t column)
{
	return t->usable && !t->hidden && t->column[column].readable;
}

/* " (column, ...)"; nothing where the whole table is wanted. */
static void
add_columns(
	struct buf *sql, const struct inventory_table *t, const bool *wanted)
{
	const char *separator = " (";

	for (size_t i = 0; wanted && i < t->columns; i++) {
		if (!wanted[i] || t->column[i].readable)
			continue;
		buf_adds(sql, separator);
		quote_ident(sql, t->column[i].name);
		separator = ", ";
	}
	buf_adds(sql, separator[0] == ',' ? ")" : "");
}

static bool
lacks_columns(const struct inventory_table *t, const bool *wanted)
{
	bool lacks = false;

	for (size_t i = 0; i < t->columns; i++)
		lacks |= !t->column[i].readable && (!wanted || wanted[i]);
	return lacks;
}

void
inventory_remedy(struct buf *sql, const struct inventory *v,
	const struct inventory_table *t, const bool *wanted)
{
	bool grant = lacks_columns(t, wanted);

	if (!t->usable) {
		buf_adds(sql, "GRANT USAGE ON SCHEMA ");
		quote_ident(sql, t->schema);
		buf_adds(sql, " TO ");
		quote_ident(sql, v->role);
		buf_adds(sql, grant || t->hidden ? "; " : "");
	}
	if (grant) {
		buf_adds(sql, "GRANT SELECT");
		add_columns(sql, t, wanted);
		buf_adds(sql, " ON ");
		quote_ident(sql, t->schema);
		buf_addc(sql, '.');
		quote_ident(sql, t->name);
		buf_adds(sql, " TO ");
		quote_ident(sql, v->role);
		buf_adds(sql, t->hidden ? "; " : "");
	}
	if (t->hidden) {
		catalog_bypass(sql, v->role);
		buf_adds(sql, ", or connect as the table's owner");
	}
}
