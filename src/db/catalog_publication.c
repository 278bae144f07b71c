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

/* Since 15: what a publication asks of a row, or sends of it, and that is not
 * of the replica identity, or the other way round. It is said of the leaf, or
 * of the topmost table above it that is published, where that stands for it.
 * Column numbers of a row filter are in its tree only: what the publication
 * depends on has those of the list as well. */
static const char narrow_sql[] =
	"WITH way(oid, n) AS (SELECT $1::oid, 0::int8 UNION ALL"
	" SELECT a.relid, a.n FROM pg_catalog.pg_partition_ancestors($1::oid)"
	"  WITH ORDINALITY AS a(relid, n)),"
	" identity(name) AS (SELECT a.attname FROM pg_catalog.pg_class c"
	"  JOIN pg_catalog.pg_index x ON x.indrelid = c.oid"
	"  CROSS JOIN LATERAL pg_catalog.unnest(x.indkey::int2[])"
	"   WITH ORDINALITY AS k(attnum, place)"
	"  JOIN pg_catalog.pg_attribute a ON a.attrelid = c.oid"
	"   AND a.attnum = k.attnum"
	"  WHERE c.oid = $1::oid AND k.place <= x.indnkeyatts"
	"  AND CASE c.relreplident WHEN 'd' THEN x.indisprimary"
	"   WHEN 'i' THEN x.indisreplident ELSE false END) "
	"SELECT p.pubname, f.name, l.name"
	" FROM pg_catalog.pg_class c CROSS JOIN pg_catalog.pg_publication p"
	" CROSS JOIN LATERAL (SELECT w.oid FROM way w"
	"  WHERE (p.pubviaroot OR w.n = 0)"
	"  AND (EXISTS (SELECT FROM pg_catalog.pg_publication_rel r"
	"   WHERE r.prpubid = p.oid AND r.prrelid = w.oid)"
	"  OR EXISTS (SELECT FROM pg_catalog.pg_publication_namespace n"
	"   JOIN pg_catalog.pg_class s ON s.relnamespace = n.pnnspid"
	"   WHERE n.pnpubid = p.oid AND s.oid = w.oid))"
	"  ORDER BY w.n DESC LIMIT 1) AS s"
	" JOIN pg_catalog.pg_publication_rel r"
	"  ON r.prpubid = p.oid AND r.prrelid = s.oid"
	" CROSS JOIN LATERAL (SELECT pg_catalog.min(a.attname::text)"
	"  FROM pg_catalog.regexp_matches(r.prqual::text,"
	"   ':varattno ([0-9]+)', 'g') AS m(v)"
	"  JOIN pg_catalog.pg_attribute a ON a.attrelid = r.prrelid"
	"   AND a.attnum = m.v[1]::int2"
	"  WHERE c.relreplident <> 'f'"
	"  AND a.attname NOT IN (SELECT name FROM identity)) AS f(name)"
	" LEFT JOIN LATERAL (SELECT CASE WHEN c.relreplident = 'f' THEN ''"
	"  ELSE (SELECT pg_catalog.min(i.name::text) FROM identity i"
	"   WHERE NOT EXISTS (SELECT FROM pg_catalog.pg_attribute a"
	"    WHERE a.attrelid = r.prrelid AND a.attname = i.name"
	"    AND a.attnum = ANY (r.prattrs::int2[]))) END"
	"  WHERE r.prattrs IS NOT NULL) AS l(name) ON true "
	"WHERE c.oid = $1::oid AND c.relpersistence = 'p' AND p.pubupdate"
	" AND (f.name IS NOT NULL OR l.name IS NOT NULL) ORDER BY p.pubname";

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

/* So does this (42P10). */
static int
refuse_narrow(const struct loader *load, const struct leaf *leaf,
	const struct pg_result *r, int i, struct err *err)
{
	const char *publication = pg_text(r, i, 0), *asked = pg_text(r, i, 1),
		   *lacking = pg_text(r, i, 2);
	struct remark about = {
		.topic = TOPIC_PUBLICATIONS,
		.target = load->target,
		.table = leaf->name,
	};

	if (!pg_is_null(r, i, 1)) {
		err_set(err, ERR_USAGE,
			"the row filter of publication %s asks for column %s, "
			"which is not of the replica identity of table %s: its "
			"updates fail",
			publication, asked, leaf->name);
		err_hint(err, "ALTER TABLE %s REPLICA IDENTITY FULL",
			leaf->sql_name);
	} else if (lacking[0]) {
		err_set(err, ERR_USAGE,
			"the column list of publication %s lacks column %s of "
			"the replica identity of table %s: its updates fail",
			publication, lacking, leaf->name);
		err_hint(err, "ALTER PUBLICATION ... SET TABLE, with that "
			      "column or without a list");
	} else {
		err_set(err, ERR_USAGE,
			"table %s has replica identity FULL, but publication "
			"%s has a column list: its updates fail",
			leaf->name, publication);
		err_hint(err, "ALTER PUBLICATION ... SET TABLE, without a "
			      "list");
	}
	return remark_refuse(load->to, &about, err);
}

static int
check_narrow(const struct loader *load, const struct leaf *leaf,
	const struct pg_args *args, struct err *err)
{
	struct pg_result *r;
	int rc = 0;

	if (pg_server_version(load->pg) < 150000)
		return 0;
	if (pg_query(&r, load->pg, narrow_sql, args, err) < 0)
		return -1;
	for (int i = 0; i < pg_rows(r) && rc == 0; i++)
		rc = refuse_narrow(load, leaf, r, i, err);
	pg_free(r);
	return rc;
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
	if (rc == 0 && pg_rows(r) > 0)
		rc = check_narrow(load, leaf, &args, err);
	if (load->to)
		remark_ok(load->to, TOPIC_PUBLICATIONS, load->target);
	pg_free(r);
	return rc;
}
