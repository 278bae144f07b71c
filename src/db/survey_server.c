/*
 * The server's version, its settings, and whether it has room for us.
 */
#include "survey_int.h"

/* reset_val: what the session of a rotation would begin with. */
static const char settings_sql[] =
	"SELECT pg_catalog.current_setting('server_version'),"
	" s.v ->> 'autovacuum'::text,"
	" s.v ->> 'synchronous_standby_names'::text,"
	" s.v ->> 'session_replication_role'::text,"
	" coalesce(s.v ->> 'vacuum_defer_cleanup_age'::text, '0'),"
	" s.v ->> 'deadlock_timeout'::text, s.v ->> 'track_counts'::text FROM"
	" (SELECT pg_catalog.jsonb_object_agg(name, reset_val) AS v"
	"  FROM pg_catalog.pg_settings) AS s";

enum setting {
	S_VERSION,
	S_AUTOVACUUM,
	S_STANDBYS,
	S_ROLE,
	S_DEFER,
	S_DEADLOCK,
	S_COUNTS,
};

/* Free for us: of the server, of the database, of the role; the least. */
static const char connections_sql[] =
	"WITH used AS (SELECT pg_catalog.count(a.pid) AS here,"
	" pg_catalog.count(*) FILTER (WHERE a.datid = d.oid) AS database,"
	" pg_catalog.count(*) FILTER (WHERE a.usesysid = r.oid) AS role,"
	" d.datconnlimit, r.rolconnlimit, r.rolsuper"
	" FROM pg_catalog.pg_database d CROSS JOIN pg_catalog.pg_roles r"
	" LEFT JOIN pg_catalog.pg_stat_activity a ON a.pid <>"
	" pg_catalog.pg_backend_pid() AND coalesce(a.datid, 0) <> 0::oid"
	" WHERE d.datname = current_database() AND r.rolname = current_user"
	" GROUP BY d.datconnlimit, r.rolconnlimit, r.rolsuper) "
	"SELECT least(pg_catalog.current_setting('max_connections')::int"
	" - CASE WHEN rolsuper THEN 0 ELSE pg_catalog.current_setting("
	"'superuser_reserved_connections')::int END - here,"
	" CASE WHEN datconnlimit >= 0 AND NOT rolsuper"
	"  THEN datconnlimit - database END,"
	" CASE WHEN rolconnlimit >= 0 AND NOT rolsuper"
	"  THEN rolconnlimit - role END) FROM used";

static void
tell_settings(const struct survey *s, const struct pg_result *r,
	const struct survey_wants *wants)
{
	struct remark about = {.topic = TOPIC_VERSION};
	int64_t quarter = pg_int(r, 0, S_DEADLOCK) / 4;

	remark_add(s->to, &about, REMARK_OK, "PostgreSQL %s",
		pg_text(r, 0, S_VERSION));
	about.topic = TOPIC_SETTINGS;
	if (strcmp(pg_text(r, 0, S_AUTOVACUUM), "on") != 0 ||
		strcmp(pg_text(r, 0, S_COUNTS), "on") != 0)
		remark_add(s->to, &about, REMARK_WARNING,
			"autovacuum is off: VACUUM (ANALYZE) the tables after "
			"the run");
	if (strcmp(pg_text(r, 0, S_ROLE), "origin") != 0)
		remark_add(s->to, &about, REMARK_WARNING,
			"session_replication_role is %s: ordinary triggers "
			"would not fire",
			pg_text(r, 0, S_ROLE));
	if (wants->lock_timeout_ms > quarter)
		remark_add(s->to, &about, REMARK_NOTE,
			"lock_timeout becomes %lld ms, a quarter of "
			"deadlock_timeout",
			(long long)quarter);
	remark_ok(s->to, TOPIC_SETTINGS, 0);
	about.topic = TOPIC_REPLICATION;
	if (pg_text(r, 0, S_STANDBYS)[0])
		remark_add(s->to, &about, REMARK_NOTE,
			"synchronous_standby_names is set: every few batches "
			"wait for a standby");
	about.topic = TOPIC_HORIZON;
	if (pg_int(r, 0, S_DEFER) > 0)
		remark_add(s->to, &about, REMARK_WARNING,
			"vacuum_defer_cleanup_age is %s: dead rows are kept, "
			"and the tables about double",
			pg_text(r, 0, S_DEFER));
}

/* Versions differ in who may: it is tried. */
static int
survey_suppression(const struct survey *s, struct err *err)
{
	struct err why;
	int rc;

	if (pg_begin(s->pg, PG_READ, NULL, err) < 0)
		return -1;
	rc = pg_exec(
		s->pg, "SET LOCAL session_replication_role = replica", &why);
	pg_rollback(s->pg);
	if (rc == 0)
		return 0;
	*err = why;
	if (strcmp(why.sqlstate, "42501") != 0)
		return -1;
	err_set(err, ERR_DB,
		"triggers = suppress: no privilege to set "
		"session_replication_role");
	err_hint(err, "GRANT SET ON PARAMETER session_replication_role, from "
		      "PostgreSQL 15 on, or triggers = fire");
	return remark_refuse(s->to, &s->about, err);
}

static int
survey_connections(
	struct survey *s, const struct survey_wants *wants, struct err *err)
{
	struct pg_result *r;

	s->about.topic = TOPIC_CONNECTIONS;
	if (survey_query(&r, s, "how many connections are free",
		    connections_sql, NULL, err) < 0)
		return -1;
	if (r && pg_rows(r) > 0 && pg_int(r, 0, 0) < wants->connections)
		remark_add(s->to, &s->about, REMARK_WARNING,
			"%s are free, rotate wants %lld", pg_text(r, 0, 0),
			(long long)wants->connections);
	else if (r)
		remark_ok(s->to, TOPIC_CONNECTIONS, 0);
	pg_free(r);
	return 0;
}

int
survey_server(const struct remarks *to, struct pg *pg,
	const struct survey_wants *wants, struct err *err)
{
	struct survey s = {to, pg, {.topic = TOPIC_SETTINGS}};
	struct remark about = {.topic = TOPIC_APPLICATION};
	struct pg_result *r;

	if ((wants->suppress_triggers && survey_suppression(&s, err) < 0) ||
		survey_query(&r, &s, "the settings", settings_sql, NULL, err) <
			0)
		return -1;
	if (r)
		tell_settings(&s, r, wants);
	pg_free(r);
	remark_add(to, &about, REMARK_NOTE,
		"must try again: REPEATABLE READ and above can get 40001 for a "
		"rewritten row, and row versions by xmin (EF Core) change");
	return survey_connections(&s, wants, err);
}
