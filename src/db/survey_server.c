/*
 * The server's version, its settings, and whether it has room for us.
 */
#include "survey_int.h"

/* reset_val: what the session of a rotation would begin with. */
#define SETTING(name)                                         \
	"(SELECT reset_val FROM pg_catalog.pg_settings WHERE" \
	" name = '" name "')"

static const char settings_sql[] =
	"SELECT pg_catalog.current_setting('server_version')," SETTING(
		"autovac"
		"uum") "," SETTING("synchronous_standby_names") "," SETTING("se"
									    "ss"
									    "io"
									    "n_"
									    "re"
									    "pl"
									    "ic"
									    "at"
									    "io"
									    "n_"
									    "ro"
									    "l"
									    "e") ","
										 " coalesce"
										 "(" SETTING(
											 "v"
											 "a"
											 "c"
											 "u"
											 "u"
											 "m"
											 "_"
											 "d"
											 "e"
											 "f"
											 "e"
											 "r"
											 "_"
											 "c"
											 "l"
											 "e"
											 "a"
											 "n"
											 "u"
											 "p"
											 "_"
											 "a"
											 "g"
											 "e") ", '0')," SETTING("deadl"
														"ock_"
														"timeo"
														"ut") "," SETTING("track_counts");

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
	"WITH used AS (SELECT pg_catalog.count(*) AS here,"
	" pg_catalog.count(*) FILTER (WHERE a.datid = d.oid) AS database,"
	" pg_catalog.count(*) FILTER (WHERE a.usesysid = r.oid) AS role,"
	" d.datconnlimit, r.rolconnlimit, r.rolsuper"
	" FROM pg_catalog.pg_stat_activity a, pg_catalog.pg_database d,"
	" pg_catalog.pg_roles r WHERE d.datname = current_database()"
	" AND r.rolname = current_user AND a.pid <>"
	" pg_catalog.pg_backend_pid() AND coalesce(a.datid, 0) <> 0::oid"
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

	if (survey_query(&r, &s, "the settings", settings_sql, NULL, err) < 0)
		return -1;
	if (r)
		tell_settings(&s, r, wants);
	pg_free(r);
	remark_add(to, &about, REMARK_NOTE,
		"must try again: REPEATABLE READ and above can get 40001 for a "
		"rewritten row, and row versions by xmin (EF Core) change");
	return survey_connections(&s, wants, err);
}
