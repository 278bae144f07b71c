/*
 * Would the state schema let us begin?
 */
#include "quote.h"
#include "state_int.h"
#include "survey.h"
#include <stdio.h>

static const char schema_sql[] =
	"SELECT current_user, n.oid IS NOT NULL, v.oid IS NOT NULL,"
	" pg_catalog.has_database_privilege(current_database(), 'CREATE')"
	"  AND coalesce(pg_catalog.has_schema_privilege(n.oid, 'CREATE'),"
	"  true),"
	" coalesce(pg_catalog.has_schema_privilege(n.oid, 'USAGE'), true) "
	"FROM (SELECT pg_catalog.to_regnamespace($1)::oid AS oid) AS n"
	" LEFT JOIN pg_catalog.pg_class v ON v.relnamespace = n.oid"
	"  AND v.relname = 'version'";

/* Of the version nobody needs more than to read it. */
static const char tables_sql[] =
	"SELECT c.relname, pg_catalog.string_agg(p.what, ', ' ORDER BY p.no)"
	" FROM pg_catalog.pg_class c CROSS JOIN (VALUES (1, 'SELECT'),"
	" (2, 'INSERT'), (3, 'UPDATE'), (4, 'DELETE')) AS p(no, what)"
	" WHERE c.relnamespace = pg_catalog.to_regnamespace($1)::oid"
	" AND c.relkind = 'r' AND (c.relname <> 'version' OR p.no = 1)"
	" AND NOT pg_catalog.has_table_privilege(c.oid, p.what)"
	" GROUP BY c.relname ORDER BY c.relname";

static int
refuse_grant(const struct remarks *to, const char *grant, const char *role,
	struct err *err)
{
	struct remark about = {.topic = TOPIC_STATE};
	struct buf sql;

	buf_init(&sql, sizeof(err->hint) - 1);
	buf_addf(&sql, "GRANT %s TO ", grant);
	quote_ident(&sql, role);
	err_set(err, ERR_DB, "state schema: no privilege to %s", grant);
	err_hint(err, "%s", buf_str(&sql));
	buf_done(&sql);
	return remark_refuse(to, &about, err);
}

static int
check_tables(const struct remarks *to, struct state *s, const char *role,
	bool *usable, struct err *err)
{
	struct pg_args args = {0};
	struct pg_result *r;
	struct buf grant;
	int rc = 0;

	pg_arg_text(&args, s->schema);
	if (pg_query(&r, s->pg, tables_sql, &args, err) < 0)
		return -1;
	buf_init(&grant, sizeof(err->hint) - 1);
	for (int i = 0; i < pg_rows(r) && rc == 0; i++) {
		*usable = false;
		buf_reset(&grant);
		buf_addf(&grant, "%s ON %s.", pg_text(r, i, 1), s->schema);
		quote_ident(&grant, pg_text(r, i, 0));
		rc = refuse_grant(to, buf_str(&grant), role, err);
	}
	buf_done(&grant);
	pg_free(r);
	return rc;
}

static int
check_version(const struct remarks *to, struct state *s, bool *usable,
	struct err *err)
{
	struct remark about = {.topic = TOPIC_STATE};
	int64_t version;

	if (state_query_int(&version, s, "SELECT version FROM @.version", NULL,
		    err) < 0)
		return -1;
	if (state_check_version(s, version, err) == 0)
		return 0;
	*usable = false;
	return remark_refuse(to, &about, err);
}

static int
check_schema(const struct remarks *to, struct state *s,
	const struct pg_result *r, bool *usable, struct err *err)
{
	const char *role = pg_text(r, 0, 0);
	struct remark about = {.topic = TOPIC_STATE};
	struct buf grant;
	int rc;

	*usable = pg_bool(r, 0, 2);
	if (!*usable) {
		/* Whoever may not enter it sees no more than that it is there.
		 */
		if (pg_bool(r, 0, 4) && state_check_room(s, err) < 0)
			return err->code == ERR_USAGE
				       ? remark_refuse(to, &about, err)
				       : -1;
		if (pg_bool(r, 0, 3))
			return 0;
		state_refuse_missing(s, "42501", err);
		return remark_refuse(to, &about, err);
	}
	if (pg_bool(r, 0, 4)) {
		rc = check_tables(to, s, role, usable, err);
		if (rc == 0 && *usable)
			rc = check_version(to, s, usable, err);
		return rc;
	}
	*usable = false;
	buf_init(&grant, 1024);
	buf_addf(&grant, "USAGE ON SCHEMA %s", s->schema);
	rc = refuse_grant(to, buf_str(&grant), role, err);
	buf_done(&grant);
	return rc < 0 ? -1 : check_tables(to, s, role, usable, err);
}

int
survey_state(const struct remarks *to, struct state *s,
	const struct run_spec *spec, struct err *err)
{
	struct remark about = {.topic = TOPIC_RUNS};
	struct pg_args args = {0};
	struct pg_result *r;
	bool usable, there;
	int rc;

	pg_arg_text(&args, s->schema);
	if (pg_query(&r, s->pg, schema_sql, &args, err) < 0)
		return -1;
	there = pg_bool(r, 0, 2);
	rc = check_schema(to, s, r, &usable, err);
	pg_free(r);
	if (rc < 0)
		return -1;
	remark_ok(to, TOPIC_STATE, 0);
	if (usable && state_check_runs(to, s, spec, err) < 0)
		return -1;
	if (there && !usable)
		remark_add(to, &about, REMARK_NOTE,
			"cannot see them (needs what is refused)");
	remark_ok(to, TOPIC_RUNS, 0);
	return 0;
}
