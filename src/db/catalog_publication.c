/*
 * Who receives the updates of a leaf by logical replication, and who sends
 * some of his own.
 */
#include "catalog_int.h"
#include <stdio.h>

/* A publication may name the leaf, one of its parents, or (15) a schema of
 * these. The parts are joined in this order. */
static const char head_sql[] =
	"WITH self(oid) AS (SELECT $1::oid UNION"
	" SELECT a.relid FROM pg_catalog.pg_partition_ancestors($1::oid) AS a)"
	" SELECT p.pubname, c.relreplident, CASE c.relreplident"
	" WHEN 'f' THEN true"
	" WHEN 'd' THEN EXISTS (SELECT FROM pg_catalog.pg_index x"
	"  WHERE x.indrelid = c.oid AND x.indisprimary AND x.indisvalid)"
	" WHEN 'i' THEN EXISTS (SELECT FROM pg_catalog.pg_index x"
	"  WHERE x.indrelid = c.oid AND x.indisreplident AND x.indisvalid)"
	" ELSE false END"
	" FROM pg_catalog.pg_publication p, pg_catalog.pg_class c"
	" WHERE c.oid = $1::oid AND c.relpersistence = 'p' AND p.pubupdate"
	" AND (p.puballtables"
	" OR EXISTS (SELECT FROM pg_catalog.pg_publication_rel r"
	"  WHERE r.prpubid = p.oid AND r.prrelid IN (SELECT oid FROM self))";
static const char schemas_sql[] =
	" OR EXISTS (SELECT FROM pg_catalog.pg_publication_namespace n"
	"  JOIN pg_catalog.pg_class s ON s.relnamespace = n.pnnspid"
	"  WHERE n.pnpubid = p.oid AND s.oid IN (SELECT oid FROM self))";
static const char tail_sql[] = ") ORDER BY p.pubname";

/* UPDATE of such a table fails (55000), whoever issues it. */
static int
refuse_nameless(const struct loader *load, const struct leaf *leaf,
	const char *publication, struct err *err)
{
	struct remark about = {
		.topic = TOPIC_PUBLICATIONS,
		.target = load->target,
		.table = leaf->name,
	};

	err_set(err, ERR_USAGE,
		"table %s has no replica identity, but publication %s sends "
		"its updates: they fail",
		leaf->name, publication);
	err_hint(err, "ALTER TABLE %s REPLICA IDENTITY FULL", leaf->sql_name);
	return remark_refuse(load->to, &about, err);
}

static int
check_one(const struct loader *load, const struct leaf *leaf,
	const struct pg_result *r, int i, struct err *err)
{
	const char *publication = pg_text(r, i, 0);
	struct remark about = {
		.topic = TOPIC_PUBLICATIONS,
		.target = load->target,
		.table = leaf->name,
	};

	if (!pg_bool(r, i, 2))
		return refuse_nameless(load, leaf, publication, err);
	if (!load->to)
		return 0;
	remark_add(load->to, &about, REMARK_NOTE,
		"publication %s sends each rewritten row to its subscribers",
		publication);
	if (pg_text(r, i, 1)[0] == 'f')
		remark_add(load->to, &about, REMARK_WARNING,
			"replica identity FULL: WAL has every old row, too");
	return 0;
}

int
catalog_check_publications(
	const struct loader *load, const struct leaf *leaf, struct err *err)
{
	struct pg_args args = {0};
	struct pg_result *r;
	struct buf sql;
	int rc;

	buf_init(&sql, 4096);
	buf_adds(&sql, head_sql);
	if (pg_server_version(load->pg) >= 150000)
		buf_adds(&sql, schemas_sql);
	buf_adds(&sql, tail_sql);
	pg_arg_int(&args, leaf->oid);
	rc = pg_query(&r, load->pg, buf_str(&sql), &args, err);
	buf_done(&sql);
	if (rc < 0)
		return -1;
	for (int i = 0; i < pg_rows(r) && rc == 0; i++)
		rc = check_one(load, leaf, r, i, err);
	if (load->to)
		remark_ok(load->to, TOPIC_PUBLICATIONS, load->target);
	pg_free(r);
	return rc;
}
