#include "pressure.h"
#include "pressure_int.h"
#include "state_int.h"
#include "text.h"
#include <stdio.h>

/* A standby that catches up has no lag that is true: its clock starts with what
 * is sent to it. */
#define CATCHING_UP_BYTES ((int64_t)256 << 20)

/* A backup replays nothing, and what streams logically comes and goes with
 * subscriptions: neither is a standby. */
#define IS_STANDBY                                                         \
	"r.replay_lsn IS NOT NULL AND NOT EXISTS (SELECT FROM"             \
	" pg_catalog.pg_replication_slots AS l WHERE l.active_pid = r.pid" \
	" AND l.slot_type = 'logical')"

/* Without pg_monitor the rows are there, but their columns are NULL. With it
 * the lag is NULL where a standby is idle and has replayed everything. */
static const char lag_sql[] =
	"SELECT pg_catalog.count(*), coalesce(pg_catalog.bool_or(r.state IS"
	" NULL), false),"
	" coalesce(pg_catalog.max(extract(epoch FROM r.replay_lag)), 0)"
	"::bigint,"
	" coalesce(pg_catalog.max(pg_catalog.pg_wal_lsn_diff("
	"pg_catalog.pg_current_wal_insert_lsn(), r.replay_lsn))"
	" FILTER (WHERE r.state <> 'streaming'), 0)::bigint,"
	" pg_catalog.pg_has_role('pg_read_all_stats'::name, 'USAGE'),"
	" pg_catalog.count(*) FILTER (WHERE " IS_STANDBY "),"
	" pg_catalog.substr(pg_catalog.pg_walfile_name("
	"pg_catalog.pg_current_wal_insert_lsn()), 1, 8)"
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

/* -- the signals ----------------------------------------------------------- */

struct lag {
	int64_t senders; /* standbys, backups and the like */
	bool hidden;     /* what they do */
	int64_t seconds; /* of the slowest one */
	int64_t behind;  /* bytes, of those that catch up */
	bool may_see;
	int64_t standbys;
	char timeline[9];
};

static int
ask_lag(struct lag *ret, struct state *s, struct err *err)
{
	struct pg_result *r;

	if (state_query(&r, s, lag_sql, NULL, err) < 0)
		return -1;
	*ret = (struct lag){
		.senders = pg_int(r, 0, 0),
		.hidden = pg_bool(r, 0, 1),
		.seconds = pg_int(r, 0, 2),
		.behind = pg_int(r, 0, 3),
		.may_see = pg_bool(r, 0, 4),
		.standbys = pg_int(r, 0, 5),
	};
	snprintf(ret->timeline, sizeof(ret->timeline), "%s", pg_text(r, 0, 6));
	pg_free(r);
	return 0;
}

#define LAG_HIDDEN "the role cannot see the standbys' lag (GRANT pg_monitor)"

static void
add_blind(struct pressure *p, const char *signal, const char *why)
{
	size_t n = strlen(p->blind);

	snprintf(p->blind + n, sizeof(p->blind) - n, "%s%s is off: %s",
		n ? "; " : "", signal, why);
}

static void
hide_lag(struct pressure *p)
{
	p->limits.replica_lag_ms = 0;
	add_blind(p, "max_replica_lag", LAG_HIDDEN);
}

static void
expect_standbys(struct pressure *p, const struct lag *lag)
{
	p->standbys = lag->standbys;
	memcpy(p->timeline, lag->timeline, sizeof(p->timeline));
}

/* By number: one that comes in place of another is as good. A standby that was
 * promoted is gone, and is the primary now. */
static void
count_missing(struct pressure *p, const struct lag *lag)
{
	if (strcmp(p->timeline, lag->timeline) != 0)
		expect_standbys(p, lag);
	p->missing =
		lag->standbys < p->standbys ? p->standbys - lag->standbys : 0;
}

static void
judge_lag(char *reason, const struct pressure *p, const struct lag *lag)
{
	if (lag->hidden)
		snprintf(reason, PRESSURE_REASON, "%s", LAG_HIDDEN);
	else if (p->missing > 0)
		snprintf(reason, PRESSURE_REASON,
			"%lld of %lld standbys gone since the start "
			"(max_replica_lag)",
			(long long)p->missing, (long long)p->standbys);
	else if (lag->seconds * 1000 > p->limits.replica_lag_ms)
		snprintf(reason, PRESSURE_REASON,
			"a standby lags %lld s behind (max_replica_lag)",
			(long long)lag->seconds);
	else if (lag->behind > CATCHING_UP_BYTES)
		snprintf(reason, PRESSURE_REASON,
			"a standby that catches up is %lld MiB behind "
			"(max_replica_lag)",
			(long long)(lag->behind >> 20));
}

static int
look_at_lag(char *reason, struct pressure *p, struct state *s,
	const struct selection *sel, struct err *err)
{
	struct lag lag;

	(void)sel;
	if (p->limits.replica_lag_ms <= 0)
		return 0;
	if (ask_lag(&lag, s, err) < 0)
		return -1;
	if (p->lag_moot && lag.senders > 0) {
		p->lag_moot = false;
		if (lag.hidden)
			hide_lag(p);
		return 0;
	}
	if (!lag.hidden)
		count_missing(p, &lag);
	judge_lag(reason, p, &lag);
	return 0;
}

static int
begin_lag(struct pressure *p, struct state *s, struct err *err)
{
	struct lag lag;

	if (p->limits.replica_lag_ms <= 0)
		return 0;
	if (ask_lag(&lag, s, err) < 0)
		return -1;
	expect_standbys(p, &lag);
	p->lag_moot = lag.senders == 0 && !lag.may_see;
	if (lag.hidden)
		hide_lag(p);
	return 0;
}

static int
look_at_slots(char *reason, struct pressure *p, struct state *s,
	const struct selection *sel, struct err *err)
{
	int64_t bytes;

	(void)sel;
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
begin_slots(struct pressure *p, struct state *s, struct err *err)
{
	if (p->limits.slot_bytes <= 0)
		return 0;
	return ask(&p->slot_base, s, slots_sql, NULL, err);
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
look_at_waiters(char *reason, struct pressure *p, struct state *s,
	const struct selection *sel, struct err *err)
{
	struct pg_args args = {0};
	int64_t count;

	(void)sel;
	if (p->waiters <= 0)
		return 0;
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

/* -- all of them ----------------------------------------------------------- */

typedef int (*look_fn)(char *reason, struct pressure *p, struct state *s,
	const struct selection *sel, struct err *err);

static const struct {
	const char *name;
	int (*begin)(struct pressure *p, struct state *s, struct err *err);
	look_fn look;
} signals[] = {
	{"max_replica_lag", begin_lag, look_at_lag},
	{"max_slot_wal", begin_slots, look_at_slots},
	{"max_dead_rows", NULL, look_at_dead_rows},
	{"the look for sessions that wait for us", NULL, look_at_waiters},
};
#define SIGNALS (sizeof(signals) / sizeof(signals[0]))

static void
switch_off(struct pressure *p, size_t signal, const char *why)
{
	int64_t *const limits[SIGNALS] = {
		&p->limits.replica_lag_ms,
		&p->limits.slot_bytes,
		&p->limits.dead_rows,
		&p->waiters,
	};

	*limits[signal] = 0;
	add_blind(p, signals[signal].name, why);
}

/* Views and functions may be closed to a role as well. */
static bool
is_denied(const struct err *err)
{
	return !strcmp(err->sqlstate, "42501");
}

int
pressure_begin(struct pressure *ret, struct state *s,
	const struct selection *sel, const struct pressure_limits *limits,
	struct err *err)
{
	char ignored[PRESSURE_REASON];

	*ret = (struct pressure){.limits = *limits, .waiters = 1};
	for (size_t i = 0; i < SIGNALS; i++) {
		int rc = signals[i].begin
				 ? signals[i].begin(ret, s, err)
				 : signals[i].look(ignored, ret, s, sel, err);

		if (rc < 0 && !is_denied(err))
			return -1;
		if (rc < 0)
			switch_off(ret, i, err->msg);
	}
	return 0;
}

int
pressure_look(char reason[PRESSURE_REASON], struct pressure *p, struct state *s,
	const struct selection *sel, struct err *err)
{
	int rc = 0;

	reason[0] = '\0';
	for (size_t i = 0; i < SIGNALS && rc == 0 && !reason[0]; i++)
		rc = signals[i].look(reason, p, s, sel, err);
	if (rc == 0 && !reason[0])
		rc = pressure_look_at_query(reason, p->limits.query, s->pg);
	if (rc == 0 || pg_lost(s->pg))
		return rc;
	/* It could be read at the start. */
	snprintf(reason, PRESSURE_REASON,
		"what the server is doing cannot be read: SQLSTATE %s",
		err->sqlstate);
	return 0;
}

/* -- what others are told and asked ---------------------------------------- */

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
