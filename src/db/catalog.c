#include "catalog_int.h"
#include "quote.h"
#include <stdlib.h>

#define ATTEMPTS 8

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
	" (SELECT pg_catalog.min(r.rulename::text) FROM pg_catalog.pg_rewrite r"
	"  WHERE r.ev_class = c.oid AND r.ev_type = '2'"
	"  AND r.ev_enabled <> 'D'),"
	" c.reltoastrelid <> 0::oid,"
	" coalesce(pg_catalog.pg_relation_size("
	"  nullif(c.reltoastrelid, 0::oid)), 0) > 0,"
	" pg_catalog.has_schema_privilege(n.oid, 'USAGE'),"
	" pg_catalog.format('%I.%I', n.nspname, c.relname) "
	"FROM tree JOIN pg_catalog.pg_class c USING (oid)"
	" JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace"
	" LEFT JOIN pg_catalog.pg_am am ON am.oid = c.relam "
	"ORDER BY c.oid";

/* -- loading --------------------------------------------------------------- */

static int
load_leaf(struct leaf *leaf, struct loader *load, const struct pg_result *r,
	int i, struct err *err)
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
	leaf->may_toast = pg_bool(r, i, L_TOAST);
	leaf->toasted = pg_bool(r, i, L_TOASTED);
	leaf->column = xcalloc(leaf->conf->columns, sizeof(*leaf->column));
	for (size_t c = 0; c < leaf->conf->columns; c++) {
		if (catalog_load_column(leaf, c, load, err) < 0)
			return -1;
	}
	if (catalog_check_ctid(load, leaf, err) < 0 ||
		catalog_load_names(leaf, load, err) < 0)
		return -1;
	leaf->unreadable = load->unreadable;
	if (load->writing && catalog_check_publications(load, leaf, err) < 0)
		return -1;
	return 0;
}

static int
load_relation(struct catalog *c, struct loader *load, const struct target *t,
	const struct pg_result *r, int i, struct err *err)
{
	struct leaf *leaf = &c->leaf[c->leaves];
	bool usable;

	load->unreadable = false;
	if (catalog_check_kind(&usable, r, i, load, err) < 0)
		return -1;
	if (!usable)
		return 0;
	catalog_fine(load);
	c->hidden |= pg_bool(r, i, L_ROW_SECURITY);
	if (catalog_check_relation(r, i, load, err) < 0)
		return -1;
	/* A partitioned table has no rows of its own. */
	if (pg_text(r, i, L_KIND)[0] == 'p')
		return 0;
	*leaf = (struct leaf){.target = load->target, .conf = t};
	c->leaves++;
	return load_leaf(leaf, load, r, i, err);
}

static int
refuse_missing(
	const struct loader *load, const struct target *t, struct err *err)
{
	struct remark about = {
		.topic = TOPIC_RELATION,
		.target = load->target,
	};

	err_set(err, ERR_USAGE, "table %s.%s does not exist", t->schema,
		t->table);
	return remark_refuse(load->to, &about, err);
}

/* After a failure: is the leaf there no more? What is said of it then is not
 * so. */
static bool
is_gone(const struct loader *load, int64_t oid)
{
	uint32_t leaf = (uint32_t)oid;
	struct err ignored;
	bool ret;

	return catalog_gone(&ret, load->pg, &leaf, 1, &ignored) == 0 && ret;
}

/* *gone: it failed because a leaf was dropped after it was listed. */
static int
load_leaves(struct catalog *c, struct loader *load, const struct target *t,
	bool *gone, struct err *err)
{
	struct pg_args args = {0};
	struct pg_result *r;
	int rc = 0;

	*gone = false;
	pg_arg_text(&args, t->schema);
	pg_arg_text(&args, t->table);
	if (pg_query(&r, load->pg, leaves_sql, &args, err) < 0)
		return -1;
	if (pg_rows(r) == 0)
		rc = refuse_missing(load, t, err);
	c->leaf = xrealloc(c->leaf,
		(c->leaves + (size_t)pg_rows(r) + 1) * sizeof(*c->leaf));
	for (int i = 0; i < pg_rows(r) && rc == 0; i++) {
		rc = load_relation(c, load, t, r, i, err);
		*gone = rc < 0 && is_gone(load, pg_int(r, i, L_OID));
	}
	pg_free(r);
	return rc;
}

static int
load_target(struct catalog *c, struct loader *load, const struct target *t,
	struct err *err)
{
	size_t before = c->leaves;
	bool gone;
	int rc;

	rc = load_leaves(c, load, t, &gone, err);
	for (int attempt = 1; gone && attempt < ATTEMPTS; attempt++) {
		catalog_forget(c, before);
		rc = load_leaves(c, load, t, &gone, err);
	}
	if (gone) {
		err_set(err, ERR_DB, "a part of %s.%s was dropped meanwhile",
			t->schema, t->table);
		memcpy(err->sqlstate, CATALOG_GONE, sizeof(err->sqlstate));
	}
	if (rc < 0 && err->code == ERR_USAGE && !err->hint[0])
		err_hint(err, "section [table %s], line %d", t->label, t->line);
	return rc;
}

/* The same leaf twice, as parent and child, would be walked twice and counted
 * twice. */
static int
check_overlap(
	const struct catalog *c, const struct loader *load, struct err *err)
{
	for (size_t i = 0; i < c->leaves; i++) {
		for (size_t k = i + 1; k < c->leaves; k++) {
			struct remark about = {
				.topic = TOPIC_RELATION,
				.target = c->leaf[k].target,
				.table = c->leaf[k].name,
			};

			if (c->leaf[i].oid != c->leaf[k].oid)
				continue;
			err_set(err, ERR_USAGE,
				"sections [table %s] and [table %s] both "
				"cover %s",
				c->leaf[i].conf->label, c->leaf[k].conf->label,
				c->leaf[i].name);
			err_hint(err, "name all its columns in one");
			if (remark_refuse(load->to, &about, err) < 0)
				return -1;
		}
	}
	return 0;
}

static int
load_all(struct catalog *ret, struct loader *load, const struct target *target,
	size_t targets, struct err *err)
{
	struct catalog c = {0};
	int rc;

	rc = catalog_check_server(&c.standby, load, err);
	for (load->target = 0; load->target < targets && rc == 0;
		load->target++)
		rc = load_target(&c, load, &target[load->target], err);
	if (rc == 0)
		rc = check_overlap(&c, load, err);
	if (rc == 0)
		*ret = c;
	else
		catalog_done(&c);
	free(load->role);
	return rc;
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

	return load_all(ret, &load, target, targets, err);
}

int
catalog_survey(struct catalog *ret, struct pg *pg, const struct target *target,
	size_t targets, const struct remarks *to, struct err *err)
{
	struct loader load = {
		.pg = pg,
		.privileges = true,
		.writing = true,
		.to = to,
	};

	return load_all(ret, &load, target, targets, err);
}
