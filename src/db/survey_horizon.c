/*
 * What holds back the horizon. A dead row that somebody could still see is not
 * pruned: no update is HOT then, and the tables double.
 */
#include "survey_int.h"
#include "text.h"

#define NOTED_S 5    /* younger transactions are everyday life */
#define WARNED_S 60  /* older ones will likely be there in an hour, too */
#define BEHIND 1000L /* transactions that a standby may be behind */

/* Sessions of other roles show their xmin to everybody, their age and state
 * only to pg_read_all_stats. Lazy VACUUM does not count. */
static const char activity_sql[] =
	"SELECT a.pid, a.usename, coalesce(a.state, '?'),"
	" coalesce(extract(epoch FROM pg_catalog.clock_timestamp()"
	"  - a.xact_start)::bigint, -1), a.backend_xid IS NOT NULL"
	" FROM pg_catalog.pg_stat_activity a"
	" JOIN pg_catalog.pg_database d ON d.oid = a.datid"
	" WHERE d.datname = current_database()"
	" AND a.pid <> pg_catalog.pg_backend_pid()"
	" AND coalesce(a.backend_type, '') <> 'autovacuum worker'"
	" AND (a.backend_xid IS NOT NULL OR a.backend_xmin IS NOT NULL)"
	" ORDER BY a.xact_start, a.pid";

static const char prepared_sql[] =
	"SELECT p.gid, p.owner, extract(epoch FROM"
	" pg_catalog.clock_timestamp() - p.prepared)::bigint"
	" FROM pg_catalog.pg_prepared_xacts p"
	" WHERE p.database = current_database() ORDER BY p.prepared";

static const char slots_sql[] =
	"SELECT s.slot_name, s.active, pg_catalog.age(s.xmin),"
	" pg_catalog.pg_size_pretty(pg_catalog.pg_wal_lsn_diff("
	" CASE WHEN pg_catalog.pg_is_in_recovery()"
	" THEN pg_catalog.pg_last_wal_replay_lsn()"
	" ELSE pg_catalog.pg_current_wal_lsn() END, s.restart_lsn))"
	" FROM pg_catalog.pg_replication_slots s ORDER BY s.slot_name";

static const char standbys_sql[] =
	"SELECT r.application_name, pg_catalog.age(r.backend_xmin),"
	" coalesce(r.sync_state, 'cannot see how: needs pg_read_all_stats')"
	" FROM pg_catalog.pg_stat_replication r ORDER BY r.application_name";

static int
survey_activity(struct survey *s, struct err *err)
{
	struct pg_result *r;
	int hidden = 0;

	if (survey_query(&r, s, "transactions", activity_sql, NULL, err) < 0)
		return -1;
	for (int i = 0; r && i < pg_rows(r); i++) {
		int64_t age = pg_int(r, i, 3);

		hidden += age < 0;
		if (age < NOTED_S)
			continue;
		remark_add(s->to, &s->about,
			age < WARNED_S ? REMARK_NOTE : REMARK_WARNING,
			"pid %s (%s, %s) holds it up: a transaction of %lld s "
			"that %s",
			pg_text(r, i, 0), pg_text(r, i, 1), pg_text(r, i, 2),
			(long long)age,
			pg_bool(r, i, 4) ? "has written" : "reads");
	}
	pg_free(r);
	if (hidden > 0)
		remark_add(s->to, &s->about, REMARK_NOTE,
			"cannot see since when %d %s of others %s open (needs "
			"pg_read_all_stats)",
			hidden,
			text_plural(hidden, "transaction", "transactions"),
			text_plural(hidden, "is", "are"));
	return 0;
}

static int
survey_prepared(struct survey *s, struct err *err)
{
	struct pg_result *r;

	if (survey_query(&r, s, "prepared transactions", prepared_sql, NULL,
		    err) < 0)
		return -1;
	for (int i = 0; r && i < pg_rows(r); i++)
		remark_add(s->to, &s->about, REMARK_WARNING,
			"prepared transaction %s of %s holds it up, for %s s "
			"so far",
			pg_text(r, i, 0), pg_text(r, i, 1), pg_text(r, i, 2));
	pg_free(r);
	return 0;
}

static void
tell_behind(const struct survey *s, const char *what, const char *name,
	int64_t behind)
{
	remark_add(s->to, &s->about,
		behind < BEHIND ? REMARK_NOTE : REMARK_WARNING,
		"%s %s can hold it up (hot_standby_feedback): it is %lld "
		"%s behind",
		what, name, (long long)behind,
		text_plural(behind, "transaction", "transactions"));
}

static int
survey_slots(struct survey *s, struct err *err)
{
	struct pg_result *r;

	if (survey_query(&r, s, "replication slots", slots_sql, NULL, err) < 0)
		return -1;
	for (int i = 0; r && i < pg_rows(r); i++) {
		struct remark about = {.topic = TOPIC_REPLICATION};

		if (!pg_is_null(r, i, 2))
			tell_behind(
				s, "slot", pg_text(r, i, 0), pg_int(r, i, 2));
		if (!pg_bool(r, i, 1) && !pg_is_null(r, i, 3))
			remark_add(s->to, &about, REMARK_WARNING,
				"slot %s is inactive: all WAL is kept for it, "
				"%s so far",
				pg_text(r, i, 0), pg_text(r, i, 3));
	}
	pg_free(r);
	return 0;
}

static int
survey_standbys(struct survey *s, struct err *err)
{
	struct pg_result *r;

	if (survey_query(&r, s, "standbys", standbys_sql, NULL, err) < 0)
		return -1;
	for (int i = 0; r && i < pg_rows(r); i++) {
		struct remark about = {.topic = TOPIC_REPLICATION};

		if (!pg_is_null(r, i, 1))
			tell_behind(s, "standby", pg_text(r, i, 0),
				pg_int(r, i, 1));
		remark_add(s->to, &about, REMARK_NOTE,
			"%s receives all that is written (%s)",
			pg_text(r, i, 0), pg_text(r, i, 2));
	}
	pg_free(r);
	return 0;
}

int
survey_horizon(const struct remarks *to, struct pg *pg, struct err *err)
{
	struct survey s = {to, pg, {.topic = TOPIC_HORIZON}};

	if (survey_activity(&s, err) < 0 || survey_prepared(&s, err) < 0 ||
		survey_slots(&s, err) < 0 || survey_standbys(&s, err) < 0)
		return -1;
	remark_ok(to, TOPIC_HORIZON, 0);
	remark_ok(to, TOPIC_REPLICATION, 0);
	return 0;
}
