/*
 * A leaf from outside: indexes and constraints over its columns, and its size.
 */
#include "json.h"
#include "survey_int.h"

/* An index covers a column as a key or included column, or depends on it in an
 * expression or condition. BRIN does not stand in the way of HOT since 16. */
static const char indexes_sql[] =
	"SELECT i.relname, c.name, x.indisunique, am.amname FROM"
	" pg_catalog.pg_index x"
	" JOIN pg_catalog.pg_class i ON i.oid = x.indexrelid"
	" JOIN pg_catalog.pg_am am ON am.oid = i.relam"
	" CROSS JOIN LATERAL (SELECT pg_catalog.min(a.attname::text) AS name"
	"  FROM pg_catalog.pg_attribute a WHERE a.attrelid = x.indrelid"
	"  AND a.attname = ANY (" COLUMN_NAMES ")"
	"  AND (a.attnum = ANY (x.indkey::int2[])"
	"  OR EXISTS (SELECT FROM pg_catalog.pg_depend d"
	"   WHERE d.classid = 'pg_catalog.pg_class'::regclass::oid"
	"   AND d.objid = x.indexrelid"
	"   AND d.refclassid = 'pg_catalog.pg_class'::regclass::oid"
	"   AND d.refobjid = x.indrelid AND d.refobjsubid = a.attnum))) AS c "
	"WHERE x.indrelid = $1::oid AND c.name IS NOT NULL ORDER BY i.relname";

/* Those of the table, and those of the domains that a column is of. */
static const char constraints_sql[] =
	"WITH RECURSIVE base(col, typ) AS ("
	" SELECT a.attname, a.atttypid FROM pg_catalog.pg_attribute a"
	" WHERE a.attrelid = $1::oid AND a.attnum > 0 AND NOT a.attisdropped"
	"  AND a.attname = ANY (" COLUMN_NAMES ")"
	" UNION ALL SELECT b.col, t.typbasetype FROM base b"
	" JOIN pg_catalog.pg_type t ON t.oid = b.typ WHERE t.typtype = 'd') "
	"SELECT k.conname, pg_catalog.min(a.attname::text), ''"
	" FROM pg_catalog.pg_constraint k"
	" JOIN pg_catalog.pg_attribute a ON a.attrelid = k.conrelid"
	"  AND a.attnum = ANY (k.conkey)"
	"  AND a.attname = ANY (" COLUMN_NAMES ") "
	"WHERE k.conrelid = $1::oid AND k.contype = 'c'"
	" GROUP BY k.conname"
	" UNION ALL SELECT k.conname, b.col::text,"
	" pg_catalog.format(' of domain %I.%I', n.nspname, t.typname)"
	" FROM base b"
	" JOIN pg_catalog.pg_constraint k ON k.contypid = b.typ"
	" JOIN pg_catalog.pg_type t ON t.oid = b.typ"
	" JOIN pg_catalog.pg_namespace n ON n.oid = t.typnamespace "
	"WHERE k.contype = 'c' ORDER BY 1, 2";

static const char size_sql[] =
	"SELECT CASE WHEN c.reltuples < 0::float4 THEN -1 WHEN c.relpages = 0 "
	"THEN 0"
	" ELSE (c.reltuples::float8 / c.relpages::float8"
	"  * pg_catalog.pg_relation_size(c.oid)::float8 / "
	"8192::float8)::bigint END,"
	" pg_catalog.pg_stat_get_dead_tuples(c.oid),"
	" pg_catalog.pg_relation_size(c.oid),"
	" CASE WHEN c.reltoastrelid = 0::oid THEN 0 ELSE"
	" pg_catalog.pg_total_relation_size(c.reltoastrelid) END,"
	" pg_catalog.pg_indexes_size(c.oid),"
	" coalesce((SELECT o.option_value FROM"
	"  pg_catalog.pg_options_to_table(c.reloptions) AS o"
	"  WHERE o.option_name = 'fillfactor'), '100'),"
	" coalesce((SELECT pg_catalog.sum(s.stawidth) FROM (SELECT avg_width "
	"AS stawidth"
	"  FROM pg_catalog.pg_stats WHERE schemaname = n.nspname"
	"  AND tablename = c.relname AND NOT inherited) AS s), 0),"
	" (SELECT pg_catalog.count(*) FROM pg_catalog.pg_attribute a"
	"  WHERE a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped"
	"  AND NOT EXISTS (SELECT FROM pg_catalog.pg_stats s"
	"   WHERE s.schemaname = n.nspname AND s.tablename = c.relname"
	"   AND s.attname = a.attname AND NOT s.inherited)),"
	" c.relreplident = 'f' "
	"FROM pg_catalog.pg_class c"
	" JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace "
	"WHERE c.oid = $1::oid";

int
survey_query(struct pg_result **ret, const struct survey *s, const char *what,
	const char *sql, const struct pg_args *args, struct err *err)
{
	*ret = NULL;
	if (pg_query(ret, s->pg, sql, args, err) == 0)
		return 0;
	*ret = NULL;
	return remark_unseen(s->to, &s->about, what, err);
}

static int
survey_indexes(struct survey *s, const struct pg_args *args, struct err *err)
{
	bool brin_is_harmless = pg_server_version(s->pg) >= 160000;
	struct pg_result *r;
	bool hot = true;

	s->about.topic = TOPIC_INDEXES;
	if (survey_query(&r, s, "the indexes", indexes_sql, args, err) < 0)
		return -1;
	if (!r)
		return 0;
	for (int i = 0; i < pg_rows(r); i++) {
		bool brin = !strcmp(pg_text(r, i, 3), "brin");

		s->about.column = pg_text(r, i, 1);
		remark_add(s->to, &s->about, REMARK_WARNING,
			"%sindex %s is over column %s: it gets a new entry for "
			"each rewritten row%s",
			pg_bool(r, i, 2) ? "unique " : "", pg_text(r, i, 0),
			s->about.column,
			pg_bool(r, i, 2) ? ", and writers of equal keys may "
					   "wait for us"
					 : "");
		hot &= brin && brin_is_harmless;
	}
	pg_free(r);
	s->about.column = NULL;
	remark_ok(s->to, TOPIC_INDEXES, s->about.target);
	s->about.topic = TOPIC_HOT;
	if (!hot)
		remark_add(s->to, &s->about, REMARK_WARNING,
			"none, because of an index over the column: table and "
			"all indexes about double");
	remark_ok(s->to, TOPIC_HOT, s->about.target);
	return 0;
}

static int
survey_constraints(
	struct survey *s, const struct pg_args *args, struct err *err)
{
	struct pg_result *r;

	s->about.topic = TOPIC_CONSTRAINTS;
	if (survey_query(&r, s, "the constraints", constraints_sql, args, err) <
		0)
		return -1;
	if (!r)
		return 0;
	for (int i = 0; i < pg_rows(r); i++) {
		s->about.column = pg_text(r, i, 1);
		remark_add(s->to, &s->about, REMARK_NOTE,
			"check constraint %s%s looks at column %s: rows that "
			"it refuses are listed and left",
			pg_text(r, i, 0), pg_text(r, i, 2), s->about.column);
	}
	pg_free(r);
	s->about.column = NULL;
	remark_ok(s->to, TOPIC_CONSTRAINTS, s->about.target);
	return 0;
}

int
survey_leaf(const struct remarks *to, struct pg *pg, const struct leaf *leaf,
	struct err *err)
{
	struct survey s = {
		to, pg, {.target = leaf->target, .table = leaf->name}};
	struct pg_args args = {0};
	struct buf names;
	struct json j;
	int rc = -1;

	buf_init(&names, (size_t)1 << 20);
	json_init(&j, &names);
	json_array(&j, NULL);
	for (size_t i = 0; i < leaf->conf->columns; i++)
		json_string(&j, NULL, leaf->conf->column[i]);
	json_end(&j, ']');
	pg_arg_int(&args, leaf->oid);
	pg_arg_text(&args, buf_str(&names));
	if (survey_triggers(&s, &args, err) == 0 &&
		survey_constraints(&s, &args, err) == 0)
		rc = survey_indexes(&s, &args, err);
	buf_done(&names);
	return rc;
}

int
survey_size(struct leaf_size *ret, const struct remarks *to, struct pg *pg,
	const struct leaf *leaf, struct err *err)
{
	struct survey s = {to, pg,
		{.topic = TOPIC_SIZE,
			.target = leaf->target,
			.table = leaf->name}};
	struct pg_args args = {0};
	struct pg_result *r;

	*ret = (struct leaf_size){.rows = -1};
	pg_arg_int(&args, leaf->oid);
	if (survey_query(&r, &s, "the size", size_sql, &args, err) < 0)
		return -1;
	if (!r)
		return 0;
	if (pg_rows(r) > 0) /* it may have been dropped meanwhile */
		*ret = (struct leaf_size){
			.seen = true,
			.rows = pg_int(r, 0, 0),
			.dead_rows = pg_int(r, 0, 1),
			.heap = pg_int(r, 0, 2),
			.toast = pg_int(r, 0, 3),
			.indexes = pg_int(r, 0, 4),
			.fillfactor = (int)pg_int(r, 0, 5),
			.width = pg_int(r, 0, 6),
			.unseen = pg_int(r, 0, 7),
			.full_identity = pg_bool(r, 0, 8),
		};
	pg_free(r);
	return 0;
}
