#include "catalog_int.h"
#include "quote.h"
#include <stdlib.h>

/* The table itself and everything below it. A detached partition is none of
 * its rows any more. */
static const char leaves_sql[] =
	"WITH RECURSIVE tree(oid) AS ("
	" SELECT c.oid FROM pg_catalog.pg_class c"
	" JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace"
	" WHERE n.nspname = $1 AND c.relname = $2"
	" UNION"
	" SELECT i.inhrelid FROM pg_catalog.pg_inherits i"
	" JOIN tree ON i.inhparent = tree.oid WHERE NOT i.inhdetachpending) "
	"SELECT c.oid, c.relkind, n.nspname, c.relname,"
	" coalesce(am.amname, ''), c.relpersistence,"
	" pg_catalog.row_security_active(c.oid),"
	" (SELECT min(r.rulename::text) FROM pg_catalog.pg_rewrite r"
	"  WHERE r.ev_class = c.oid AND r.ev_type = '2'"
	"  AND r.ev_enabled <> 'D'),"
	" EXISTS (SELECT FROM pg_catalog.pg_trigger g WHERE g.tgrelid = c.oid"
	"  AND g.tgenabled IN ('O', 'A') AND g.tgtype & 19 = 19),"
	" EXISTS (SELECT FROM pg_catalog.pg_trigger g WHERE g.tgrelid = c.oid"
	"  AND g.tgenabled IN ('O', 'A') AND g.tgtype & 16 = 16"
	"  AND NOT g.tgisinternal),"
	" c.reltoastrelid <> 0,"
	" pg_catalog.has_schema_privilege(n.oid, 'USAGE'),"
	" pg_catalog.format('%I.%I', n.nspname, c.relname) "
	"FROM tree JOIN pg_catalog.pg_class c USING (oid)"
	" JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace"
	" LEFT JOIN pg_catalog.pg_am am ON am.oid = c.relam "
	"ORDER BY c.oid";

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
	" EXISTS (SELECT FROM pg_catalog.pg_inherits i"
	"  JOIN pg_catalog.pg_partitioned_table p ON p.partrelid = i.inhparent"
	"  JOIN pg_catalog.pg_attribute pa ON pa.attrelid = i.inhparent"
	"   AND pa.attnum = ANY (p.partattrs::int2[])"
	"  WHERE i.inhrelid = a.attrelid AND pa.attname = a.attname),"
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

static const char key_sql[] =
	"SELECT a.attname,"
	" pg_catalog.has_column_privilege(a.attrelid, a.attnum, 'SELECT') "
	"FROM pg_catalog.pg_index x"
	" CROSS JOIN LATERAL pg_catalog.unnest(x.indkey::int2[])"
	"  WITH ORDINALITY AS k(attnum, place)"
	" JOIN pg_catalog.pg_attribute a ON a.attrelid = x.indrelid"
	"  AND a.attnum = k.attnum "
	"WHERE x.indrelid = $1::oid AND x.indisprimary"
	" AND k.place <= x.indnkeyatts ORDER BY k.place";

/* Columns whose names are words of $2, the condition. One too many when a
 * literal has such a word, but none is missed. */
static const char asked_sql[] =
	"SELECT a.attname, true FROM pg_catalog.pg_attribute a"
	" WHERE a.attrelid = $1::oid AND a.attnum > 0 AND NOT a.attisdropped"
	" AND pg_catalog.lower($2) ~ ('(^|[^[:alnum:]_$])'"
	"  || pg_catalog.regexp_replace(pg_catalog.lower(a.attname::text),"
	"   '([^[:alnum:]_])', '\\\\\\1', 'g') || '($|[^[:alnum:]_$])')"
	" ORDER BY a.attnum";

/* -- loading --------------------------------------------------------------- */

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

static int
load_column(
	struct leaf *leaf, size_t i, const struct loader *load, struct err *err)
{
	const char *name = leaf->conf->column[i];
	struct leaf_column *c = &leaf->column[i];
	struct pg_args args = {0};
	struct pg_result *r;
	struct buf ref;
	int rc = -1;

	pg_arg_int(&args, leaf->oid);
	pg_arg_text(&args, name);
	if (pg_query(&r, load->pg, column_sql, &args, err) < 0)
		return -1;
	if (pg_rows(r) == 0) {
		catalog_refuse(err, leaf->name, name, "does not exist");
		goto out;
	}
	if (catalog_check_column(r, leaf->name, name, load, err) < 0)
		goto out;
	if (!carrier_of(&c->carrier, pg_text(r, 0, C_TYPE))) {
		catalog_refuse(err, leaf->name, name,
			"is neither text nor varchar, char, citext, json or "
			"jsonb");
		goto out;
	}
	c->name = xstrdup(name);
	buf_init(&ref, 1024);
	buf_adds(&ref, "t.");
	quote_ident(&ref, name);
	c->ref = xstrdup(buf_str(&ref));
	buf_done(&ref);
	/* The typmod of a character type is its length and four. */
	if (c->carrier == CARRIER_TEXT && pg_int(r, 0, C_TYPMOD) > 4)
		c->max_chars = (int)pg_int(r, 0, C_TYPMOD) - 4;
	leaf->lock_for_update |= pg_bool(r, 0, C_UNIQUE);
	rc = 0;
	if (!pg_bool(r, 0, C_SELECT))
		rc = catalog_missing(err, load, "SELECT", name, leaf);
	else if (load->writing && !pg_bool(r, 0, C_UPDATE))
		rc = catalog_missing(err, load, "UPDATE", name, leaf);
out:
	pg_free(r);
	return rc;
}

/* Names of columns, and whether each may be read. */
static int
load_names(char ***ret, const struct leaf *leaf, const struct loader *load,
	const char *sql, const char *condition, struct err *err)
{
	struct pg_args args = {0};
	struct pg_result *r;
	int rc = 0;

	pg_arg_int(&args, leaf->oid);
	if (condition)
		pg_arg_text(&args, condition);
	if (pg_query(&r, load->pg, sql, &args, err) < 0)
		return -1;
	*ret = xcalloc((size_t)pg_rows(r) + 1, sizeof(**ret));
	for (int i = 0; i < pg_rows(r) && rc == 0; i++) {
		(*ret)[i] = xstrdup(pg_text(r, i, 0));
		if (!pg_bool(r, i, 1))
			rc = catalog_missing(
				err, load, "SELECT", (*ret)[i], leaf);
	}
	pg_free(r);
	return rc;
}

static void
names_free(char **names)
{
	for (size_t i = 0; names && names[i]; i++)
		free(names[i]);
	free(names);
}

static void
leaf_done(struct leaf *leaf)
{
	for (size_t i = 0; leaf->column && i < leaf->conf->columns; i++) {
		free(leaf->column[i].name);
		free(leaf->column[i].ref);
	}
	free(leaf->column);
	names_free(leaf->key);
	names_free(leaf->asked);
	free(leaf->name);
	free(leaf->sql_schema);
	free(leaf->sql_name);
}

static int
load_leaf(struct leaf *leaf, const struct loader *load,
	const struct pg_result *r, int i, struct err *err)
{
	struct buf name;

	leaf->oid = (uint32_t)pg_int(r, i, L_OID);
	leaf->name = xstrdup(pg_text(r, i, L_NAME));
	buf_init(&name, 1024);
	quote_ident(&name, pg_text(r, i, L_SCHEMA));
	leaf->sql_schema = xstrdup(buf_str(&name));
	buf_addc(&name, '.');
	quote_ident(&name, pg_text(r, i, L_TABLE));
	leaf->sql_name = xstrdup(buf_str(&name));
	buf_done(&name);
	leaf->before_trigger = pg_bool(r, i, L_BEFORE);
	leaf->any_trigger = pg_bool(r, i, L_TRIGGER);
	leaf->toasted = pg_bool(r, i, L_TOAST);
	leaf->column = xcalloc(leaf->conf->columns, sizeof(*leaf->column));
	for (size_t c = 0; c < leaf->conf->columns; c++) {
		if (load_column(leaf, c, load, err) < 0)
			return -1;
	}
	if (catalog_check_ctid(load, leaf, err) < 0)
		return -1;
	if (leaf->conf->where && load_names(&leaf->asked, leaf, load, asked_sql,
					 leaf->conf->where, err) < 0)
		return -1;
	return load_names(&leaf->key, leaf, load, key_sql, NULL, err);
}

static int
load_target(struct catalog *c, const struct loader *load,
	const struct target *t, size_t index, struct err *err)
{
	struct pg_args args = {0};
	struct pg_result *r;
	int rc = 0;

	pg_arg_text(&args, t->schema);
	pg_arg_text(&args, t->table);
	if (pg_query(&r, load->pg, leaves_sql, &args, err) < 0)
		return -1;
	if (pg_rows(r) == 0)
		rc = err_set(err, ERR_USAGE, "table %s.%s does not exist",
			t->schema, t->table);
	c->leaf = xrealloc(c->leaf,
		(c->leaves + (size_t)pg_rows(r) + 1) * sizeof(*c->leaf));
	for (int i = 0; i < pg_rows(r) && rc == 0; i++) {
		struct leaf *leaf = &c->leaf[c->leaves];

		rc = catalog_check_relation(r, i, load, err);
		/* A partitioned table has no rows of its own. */
		if (rc < 0 || pg_text(r, i, L_KIND)[0] == 'p')
			continue;
		*leaf = (struct leaf){.target = index, .conf = t};
		c->leaves++;
		rc = load_leaf(leaf, load, r, i, err);
	}
	if (rc < 0 && err->code == ERR_USAGE && !err->hint[0])
		err_hint(err, "section [table %s], line %d", t->label, t->line);
	pg_free(r);
	return rc;
}

static int
check_server(bool *standby, struct loader *load, struct err *err)
{
	struct pg_result *r;
	int rc = 0;

	if (pg_query(&r, load->pg,
		    "SELECT pg_catalog.pg_is_in_recovery(),"
		    " pg_catalog.current_setting('block_size'), current_user",
		    NULL, err) < 0)
		return -1;
	load->role = xstrdup(pg_text(r, 0, 2));
	*standby = pg_bool(r, 0, 0);
	if (load->privileges && load->writing && *standby) {
		rc = err_set(err, ERR_DB,
			"the server is a standby and cannot be written to");
		err_hint(err, "connect to the primary, for example with "
			      "target_session_attrs = read-write");
	} else if (pg_int(r, 0, 1) != BLOCK_BYTES) {
		rc = err_set(err, ERR_DB,
			"the server's block size is not %d bytes", BLOCK_BYTES);
	}
	pg_free(r);
	return rc;
}

/* The same leaf twice, as parent and child, would be walked twice and counted
 * twice. */
static int
check_overlap(const struct catalog *c, struct err *err)
{
	for (size_t i = 0; i < c->leaves; i++) {
		for (size_t k = i + 1; k < c->leaves; k++) {
			if (c->leaf[i].oid != c->leaf[k].oid)
				continue;
			err_set(err, ERR_USAGE,
				"sections [table %s] and [table %s] both "
				"cover %s",
				c->leaf[i].conf->label, c->leaf[k].conf->label,
				c->leaf[i].name);
			return err_hint(err, "name all its columns in one");
		}
	}
	return 0;
}

int
catalog_load(struct catalog *ret, struct pg *pg, const struct target *target,
	size_t targets, enum catalog_mode mode, struct err *err)
{
	struct loader load = {
		.pg = pg,
		.privileges = mode == CATALOG_READ || mode == CATALOG_WRITE,
		.writing = mode == CATALOG_FIT || mode == CATALOG_WRITE,
	};
	struct catalog c = {0};
	int rc;

	rc = check_server(&c.standby, &load, err);
	for (size_t i = 0; i < targets && rc == 0; i++)
		rc = load_target(&c, &load, &target[i], i, err);
	if (rc == 0)
		rc = check_overlap(&c, err);
	if (rc == 0)
		*ret = c;
	else
		catalog_done(&c);
	free(load.role);
	return rc;
}

void
catalog_done(struct catalog *c)
{
	for (size_t i = 0; i < c->leaves; i++)
		leaf_done(&c->leaf[i]);
	free(c->leaf);
	*c = (struct catalog){0};
}

const struct leaf *
catalog_find(const struct catalog *c, uint32_t oid)
{
	for (size_t i = 0; i < c->leaves; i++) {
		if (c->leaf[i].oid == oid)
			return &c->leaf[i];
	}
	return NULL;
}
