/*
 * The columns of a leaf: those to rotate, and those that are read beside them.
 */
#include "catalog_int.h"
#include "quote.h"

#define GRANT_MAX ((size_t)1 << 20)

/* A column with its type followed down through domains. typmod is the first
 * one set on the way. */
static const char column_sql[] =
	"WITH RECURSIVE base(attnum, typ, typmod) AS ("
	" SELECT a.attnum, a.atttypid, a.atttypmod"
	" FROM pg_catalog.pg_attribute a WHERE a.attrelid = $1::oid"
	"  AND a.attname = $2 AND a.attnum > 0 AND NOT a.attisdropped"
	" UNION ALL"
	" SELECT b.attnum, t.typbasetype,"
	"  CASE WHEN b.typmod >= 0 THEN b.typmod ELSE t.typtypmod END"
	" FROM base b JOIN pg_catalog.pg_type t ON t.oid = b.typ"
	" WHERE t.typtype = 'd') "
	"SELECT t.typname, b.typmod, a.attgenerated <> '',"
	/* A column of a partition key depends on the table, and so does one of
	 * an expression in it. */
	" EXISTS (SELECT FROM"
	"  (SELECT q.relid::oid FROM"
	"   pg_catalog.pg_partition_ancestors(a.attrelid) AS q) AS p(relid)"
	"  JOIN pg_catalog.pg_partitioned_table pt ON pt.partrelid = p.relid"
	"  JOIN pg_catalog.pg_attribute pa ON pa.attrelid = p.relid"
	"   AND pa.attname = a.attname"
	"  WHERE pa.attnum = ANY (pt.partattrs::int2[])"
	"  OR EXISTS (SELECT FROM pg_catalog.pg_depend d"
	"   WHERE d.classid = 'pg_catalog.pg_class'::regclass::oid"
	"   AND d.objid = p.relid AND d.objsubid = pa.attnum"
	"   AND d.refclassid = 'pg_catalog.pg_class'::regclass::oid"
	"   AND d.refobjid = p.relid AND d.refobjsubid = 0"
	"   AND d.deptype = 'i')),"
	" EXISTS (SELECT FROM pg_catalog.pg_constraint k WHERE k.contype = 'f'"
	"  AND (k.conrelid = a.attrelid AND a.attnum = ANY (k.conkey)"
	"   OR k.confrelid = a.attrelid AND a.attnum = ANY (k.confkey))),"
	" EXISTS (SELECT FROM pg_catalog.pg_index x WHERE x.indrelid ="
	"  a.attrelid AND x.indisunique AND a.attnum = ANY"
	"  (x.indkey::int2[])),"
	" EXISTS (SELECT FROM pg_catalog.pg_index x WHERE x.indrelid ="
	"  a.attrelid AND x.indisprimary AND a.attnum = ANY"
	"  (x.indkey::int2[])),"
	" pg_catalog.has_column_privilege(a.attrelid, a.attnum, 'SELECT'),"
	" pg_catalog.has_column_privilege(a.attrelid, a.attnum, 'UPDATE') "
	"FROM base b JOIN pg_catalog.pg_type t ON t.oid = b.typ"
	" AND t.typtype <> 'd'"
	" JOIN pg_catalog.pg_attribute a ON a.attrelid = $1::oid"
	" AND a.attnum = b.attnum";

/* No key where a column of it is generated: it may be made of a value. */
static const char key_sql[] =
	"SELECT a.attname,"
	" pg_catalog.has_column_privilege(a.attrelid, a.attnum, 'SELECT') "
	"FROM pg_catalog.pg_index x"
	" CROSS JOIN LATERAL pg_catalog.unnest(x.indkey::int2[])"
	"  WITH ORDINALITY AS k(attnum, place)"
	" JOIN pg_catalog.pg_attribute a ON a.attrelid = x.indrelid"
	"  AND a.attnum = k.attnum "
	"WHERE x.indrelid = $1::oid AND x.indisprimary"
	" AND k.place <= x.indnkeyatts"
	" AND NOT EXISTS (SELECT FROM pg_catalog.pg_attribute g"
	"  WHERE g.attrelid = x.indrelid AND g.attgenerated <> ''"
	"  AND g.attnum = ANY (x.indkey::int2[])) ORDER BY k.place";

/* Columns whose names are words of $2, the condition. One too many when a
 * literal has such a word, but none is missed. */
static const char asked_sql[] =
	"SELECT a.attname,"
	" pg_catalog.has_column_privilege(a.attrelid, a.attnum, 'SELECT')"
	" FROM pg_catalog.pg_attribute a"
	" WHERE a.attrelid = $1::oid AND a.attnum > 0 AND NOT a.attisdropped"
	" AND pg_catalog.lower($2) ~ ('(^|[^[:alnum:]_$])'"
	"  || pg_catalog.regexp_replace(pg_catalog.lower(a.attname::text),"
	"   '([^[:alnum:]_])', '\\\\\\1', 'g') || '($|[^[:alnum:]_$])')"
	" ORDER BY a.attnum";

static bool
carrier_of(enum carrier *ret, const char *type)
{
	static const char *const text[] = {
		"text", "varchar", "bpchar", "citext"};

	for (size_t i = 0; i < sizeof(text) / sizeof(text[0]); i++) {
		if (!strcmp(type, text[i])) {
			*ret = CARRIER_TEXT;
			return true;
		}
	}
	*ret = strcmp(type, "json") ? CARRIER_JSONB : CARRIER_JSON;
	return !strcmp(type, "json") || !strcmp(type, "jsonb");
}

static void
name_column(struct leaf_column *c, const char *name)
{
	struct buf ref;

	c->name = xstrdup(name);
	buf_init(&ref, 1024);
	buf_adds(&ref, "t.");
	quote_ident(&ref, name);
	c->ref = xstrdup(buf_str(&ref));
	buf_done(&ref);
}

/* A jsonb is worked on by operators, and of a domain over it somebody else may
 * have made some that fit better. */
static void
name_type(struct leaf_column *c)
{
	char *plain = c->ref;

	if (c->carrier != CARRIER_JSONB)
		return;
	c->ref = xasprintf("%s::jsonb", plain);
	free(plain);
}

static int
fill_column(struct leaf *leaf, size_t i, const struct pg_result *r,
	struct loader *load, struct err *err)
{
	struct leaf_column *c = &leaf->column[i];
	struct remark about = {
		.topic = TOPIC_COLUMNS,
		.target = load->target,
		.table = leaf->name,
		.column = c->name,
	};

	if (pg_rows(r) == 0) {
		load->unreadable = true;
		return catalog_refuse(load, &about, "does not exist", err);
	}
	if (catalog_check_column(r, leaf->name, c->name, load, err) < 0)
		return -1;
	if (!carrier_of(&c->carrier, pg_text(r, 0, C_TYPE))) {
		load->unreadable = true;
		if (catalog_refuse(load, &about,
			    "is neither text nor varchar, char, citext, json "
			    "or jsonb",
			    err) < 0)
			return -1;
	} else {
		name_type(c);
	}
	/* The typmod of a character type is its length and four. */
	if (c->carrier == CARRIER_TEXT && pg_int(r, 0, C_TYPMOD) > 4)
		c->max_chars = (int)pg_int(r, 0, C_TYPMOD) - 4;
	leaf->lock_for_update |= pg_bool(r, 0, C_UNIQUE);
	return catalog_check_privileges(load, leaf, c->name, r, err);
}

int
catalog_load_column(
	struct leaf *leaf, size_t i, struct loader *load, struct err *err)
{
	struct pg_args args = {0};
	struct pg_result *r;
	int rc;

	name_column(&leaf->column[i], leaf->conf->column[i]);
	pg_arg_int(&args, leaf->oid);
	pg_arg_text(&args, leaf->column[i].name);
	if (pg_query(&r, load->pg, column_sql, &args, err) < 0)
		return -1;
	rc = fill_column(leaf, i, r, load, err);
	pg_free(r);
	return rc;
}

static bool
is_configured(const struct target *t, const char *column)
{
	for (size_t i = 0; i < t->columns; i++) {
		if (!strcmp(t->column[i], column))
			return true;
	}
	return false;
}

/* Rows are named by their key, and names are printed and stored: where a value
 * would be part of it, there is none. */
static bool
names_a_value(const struct leaf *leaf, const struct pg_result *key)
{
	for (int i = 0; i < pg_rows(key); i++) {
		if (is_configured(leaf->conf, pg_text(key, i, 0)))
			return true;
	}
	return false;
}

/* Names of columns, and whether each may be read. */
static int
ask_names(struct pg_result **ret, const struct leaf *leaf, struct pg *pg,
	const char *sql, const char *condition, struct err *err)
{
	struct pg_args args = {0};

	pg_arg_int(&args, leaf->oid);
	if (condition)
		pg_arg_text(&args, condition);
	return pg_query(ret, pg, sql, &args, err);
}

static int
load_key(struct leaf *leaf, struct loader *load, struct err *err)
{
	struct pg_result *r;
	int columns, rc = 0;

	if (ask_names(&r, leaf, load->pg, key_sql, NULL, err) < 0)
		return -1;
	columns = names_a_value(leaf, r) ? 0 : pg_rows(r);
	leaf->key = xcalloc((size_t)columns + 1, sizeof(*leaf->key));
	for (int i = 0; i < columns && rc == 0; i++) {
		leaf->key[i] = xstrdup(pg_text(r, i, 0));
		if (!pg_bool(r, i, 1))
			rc = catalog_missing(
				load, "SELECT", leaf->key[i], leaf, err);
	}
	pg_free(r);
	return rc;
}

/* What would help if the server refuses the condition. Whether it really reads
 * these columns, only the server knows. */
static void
prepare_grant(
	struct leaf *leaf, const struct loader *load, const struct pg_result *r)
{
	const char *separator = "GRANT SELECT (";
	struct buf sql;

	buf_init(&sql, GRANT_MAX);
	for (int i = 0; i < pg_rows(r); i++) {
		if (pg_bool(r, i, 1))
			continue;
		buf_adds(&sql, separator);
		quote_ident(&sql, pg_text(r, i, 0));
		separator = ", ";
	}
	if (sql.len > 0) {
		buf_addf(&sql, ") ON %s TO ", leaf->sql_name);
		quote_ident(&sql, load->role);
		leaf->asked_grant = xstrdup(buf_str(&sql));
	}
	buf_done(&sql);
}

static int
load_asked(struct leaf *leaf, const struct loader *load, struct err *err)
{
	const char *where = leaf->conf->where;
	struct pg_result *r;

	if (ask_names(&r, leaf, load->pg, asked_sql, where, err) < 0)
		return -1;
	leaf->asked = xcalloc((size_t)pg_rows(r) + 1, sizeof(*leaf->asked));
	for (int i = 0; i < pg_rows(r); i++)
		leaf->asked[i] = xstrdup(pg_text(r, i, 0));
	prepare_grant(leaf, load, r);
	pg_free(r);
	return 0;
}

int
catalog_load_names(struct leaf *leaf, struct loader *load, struct err *err)
{
	if (leaf->conf->where && load_asked(leaf, load, err) < 0)
		return -1;
	return load_key(leaf, load, err);
}
