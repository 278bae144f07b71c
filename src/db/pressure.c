#include "pressure.h"
#include "state_int.h"
#include "text.h"
#include <stdio.h>

#define QUERY_TIMEOUT "5s"

/* Without pg_monitor the rows are there, but their columns are NULL. */
static const char lag_hidden_sql[] =
	"SELECT pg_catalog.count(*) > 0 AND pg_catalog.bool_and(r.state IS "
	"NULL)"
	" FROM pg_catalog.pg_stat_replication AS r";

static const char lag_sql[] = "SELECT coalesce(pg_catalog.max(extract(epoch "
			      "FROM r.replay_lag)), 0)::bigint"
			      " FROM pg_catalog.pg_stat_replication AS r";

static const char slots_sql[] =
	"SELECT coalesce(pg_catalog.max(pg_catalog.pg_wal_lsn_diff("
	"pg_catalog.pg_current_wal_insert_lsn(), s.restart_lsn)), 0)::bigint"
	" FROM pg_catalog.pg_replication_slots AS s";

static const char dead_sql[] =
	"SELECT coalesce(pg_catalog.sum(t.n_dead_tup), 0)::bigint"
	" FROM pg_catalog.pg_stat_all_tables AS t"
	" WHERE t.relid::bigint = ANY ($1)";

/* One look: somebody whose wait is over with our batch may be seen, too. Our
 * own sessions wait for each other where they write their state, and are known
 * by their locks on its tables: main, and those behind a pooler, have no
 * backend in the worker's row. */
static const char blocked_sql[] =
	"SELECT pg_catalog.count(*) FROM pg_catalog.pg_locks AS l WHERE NOT "
	"l.granted AND"
	" EXISTS (SELECT FROM pg_catalog.unnest("
	"pg_catalog.pg_blocking_pids(l.pid)) AS b(pid) JOIN @.worker AS w"
	" ON w.backend_pid = b.pid WHERE w.run_id = $1)"
	" AND NOT EXISTS (SELECT FROM pg_catalog.pg_locks AS o JOIN"
	" pg_catalog.pg_class AS c ON c.oid = o.relation WHERE o.pid = l.pid"
	" AND c.relnamespace = pg_catalog.to_regnamespace($2)::oid)";

static int
ask(int64_t *ret, struct state *s, const char *sql, const struct pg_args *args,
	struct err *err)
{
	struct pg_result *r;

	if (state_query(&r, s, sql, args, err) < 0)
		return -1;
	*ret = pg_rows(r) > 0 ? pg_int(r, 0, 0) : 0;
	pg_free(r);
	return 0;
}

/* -- the user's own question ----------------------------------------------- */

/* What is not one boolean fails in here, be it a statement of another kind, two
 * rows, or a number. */
static void
add_query(struct buf *sql, const char *query)
{
	size_t n = strlen(query);

	while (n > 0 && strchr("; \t", query[n - 1]))
		n--;
	buf_adds(sql, "SELECT coalesce((");
	buf_add(sql, query, n);
	/* It may end in a comment. */
	buf_adds(sql, "\n), false)");
}

/* In a transaction that cannot write. */
static int
ask_query(bool *ret, struct pg *pg, const char *query, struct err *err)
{
	struct pg_result *r;
	struct buf sql;
	int rc = -1;

	buf_init(&sql, (size_t)1 << 20);
	add_query(&sql, query);
	if (pg_begin(pg, PG_READ, NULL, err) == 0 &&
		pg_exec(pg, "SET LOCAL statement_timeout = '" QUERY_TIMEOUT "'",
			err) == 0 &&
		pg_query(&r, pg, buf_str(&sql), NULL, err) == 0) {
		*ret = pg_bool(r, 0, 0);
		pg_free(r);
		rc = 0;
	}
	pg_rollback(pg);
	buf_done(&sql);
	return rc;
}

int
pressure_check(const struct remarks *to, struct pg *pg,
	const struct pressure_limits *limits, struct err *err)
{
	struct remark about = {.topic = TOPIC_THROTTLING};
	bool busy;

	if (to)
		remark_ok(to, TOPIC_THROTTLING, 0);
	if (!limits->query || ask_query(&busy, pg, limits->query, err) == 0)
		return 0;
	if (pg_lost(pg))
		return -1;
	if (!strcmp(err->sqlstate, "42501")) {
		err_hint(err, "GRANT what the query needs");
	} else {
		err->code = ERR_USAGE;
		err_hint(err, "it is asked as SELECT coalesce((...), false), "
			      "read-only, for " QUERY_TIMEOUT " at most");
	}
	err_in(err, "cannot ask throttle_query, which must be one boolean");
	return remark_refuse(to, &about, err);
}

int
pressure_begin(struct pressure *ret, char blind[PRESSURE_REASON],
	struct state *s, const struct pressure_limits *limits, struct err *err)
{
	struct pg_result *r;

	*ret = (struct pressure){.limits = *limits};
	blind[0] = '\0';
	if (limits->replica_lag_ms > 0) {
		if (pg_query(&r, s->pg, lag_hidden_sql, NULL, err) < 0)
			return -1;
		ret->lag_hidden = pg_bool(r, 0, 0);
		pg_free(r);
		if (ret->lag_hidden)
			snprintf(blind, PRESSURE_REASON,
				"max_replica_lag is off: the role cannot see "
				"the standbys' lag (GRANT pg_monitor)");
	}
	if (limits->slot_bytes > 0)
		return ask(&ret->slot_base, s, slots_sql, NULL, err);
	return 0;
}

/* -- the signals ----------------------------------------------------------- */

static int
look_at_lag(char *reason, struct pressure *p, struct state *s, struct err *err)
{
	int64_t seconds;

	if (p->limits.replica_lag_ms <= 0 || p->lag_hidden)
		return 0;
	if (ask(&seconds, s, lag_sql, NULL, err) < 0)
		return -1;
	if (seconds * 1000 > p->limits.replica_lag_ms)
		snprintf(reason, PRESSURE_REASON,
			"a standby lags %lld s behind (max_replica_lag)",
			(long long)seconds);
	return 0;
}

static int
look_at_slots(
	char *reason, struct pressure *p, struct state *s, struct err *err)
{
	int64_t bytes;

	if (p->limits.slot_bytes <= 0)
		return 0;
	if (ask(&bytes, s, slots_sql, NULL, err) < 0)
		return -1;
	if (bytes - p->slot_base > p->limits.slot_bytes)
		snprintf(reason, PRESSURE_REASON,
			"a replication slot keeps %lld MiB more WAL than at "
			"the start (max_slot_wal)",
			(long long)((bytes - p->slot_base) >> 20));
	return 0;
}

static int
look_at_dead_rows(char *reason, struct pressure *p, struct state *s,
	const struct selection *sel, struct err *err)
{
	struct pg_args args = {0};
	struct buf array;
	int64_t rows;
	int rc;

	if (p->limits.dead_rows <= 0)
		return 0;
	state_arg_selection(&args, &array, sel);
	rc = ask(&rows, s, dead_sql, &args, err);
	buf_done(&array);
	if (rc == 0 && rows > p->limits.dead_rows)
		snprintf(reason, PRESSURE_REASON,
			"%lld dead %s for vacuum (max_dead_rows)",
			(long long)rows,
			text_plural(rows, "row waits", "rows wait"));
	return rc;
}

static int
look_at_waiters(char *reason, struct state *s, struct err *err)
{
	struct pg_args args = {0};
	int64_t count;

	pg_arg_int(&args, s->run);
	pg_arg_text(&args, s->schema);
	if (ask(&count, s, blocked_sql, &args, err) < 0)
		return -1;
	if (count > 0)
		snprintf(reason, PRESSURE_REASON, "%lld %s for a lock of ours",
			(long long)count,
			text_plural(count, "session waits", "sessions wait"));
	return 0;
}

/* Its failure is a reason to wait: nobody knows what it would have said. */
static int
look_at_query(char *reason, struct pressure *p, struct state *s)
{
	struct err why;
	bool busy;

	if (!p->limits.query)
		return 0;
	if (ask_query(&busy, s->pg, p->limits.query, &why) < 0)
		snprintf(reason, PRESSURE_REASON,
			"throttle_query failed: SQLSTATE %s", why.sqlstate);
	else if (busy)
		snprintf(reason, PRESSURE_REASON, "throttle_query says so");
	return pg_lost(s->pg) ? -1 : 0;
}

int
pressure_look(char reason[PRESSURE_REASON], struct pressure *p, struct state *s,
	const struct selection *sel, struct err *err)
{
	int rc;

	reason[0] = '\0';
	rc = look_at_lag(reason, p, s, err);
	if (rc == 0 && !reason[0])
		rc = look_at_slots(reason, p, s, err);
	if (rc == 0 && !reason[0])
		rc = look_at_dead_rows(reason, p, s, sel, err);
	if (rc == 0 && !reason[0])
		rc = look_at_waiters(reason, s, err);
	if (rc == 0 && !reason[0])
		rc = look_at_query(reason, p, s);
	if (rc == 0 || pg_lost(s->pg))
		return rc;
	/* It could be read at the start. */
	snprintf(reason, PRESSURE_REASON,
		"what the server is doing cannot be read: SQLSTATE %s",
		err->sqlstate);
	return 0;
}

int
pressure_tell(struct state *s, const struct run_spec *spec, const char *reason,
	struct err *err)
{
	struct pg_args args = {0};

	pg_arg_int(&args, s->run);
	pg_arg_text(&args, spec->host);
	pg_arg_int(&args, spec->os_pid);
	pg_arg_text(&args, reason[0] ? reason : NULL);
	return state_exec(s,
		"UPDATE @.worker SET waiting = $4 WHERE run_id = $1"
		" AND host = $2 AND os_pid = $3"
		" AND waiting IS DISTINCT FROM $4",
		&args, err);
}

int
pressure_workers(int64_t *ret, struct state *s, struct err *err)
{
	struct pg_args args = {0};

	pg_arg_int(&args, s->run);
	if (ask(ret, s,
		    "SELECT pg_catalog.count(*) FROM @.worker AS w WHERE "
		    "w.run_id = $1"
		    " AND " WORKER_ALIVE,
		    &args, err) < 0)
		return -1;
	if (*ret < 1)
		*ret = 1;
	return 0;
}
