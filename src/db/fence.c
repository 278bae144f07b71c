/*
 * Waiting for writers that began before us, and saying who they are.
 */
#include "clock.h"
#include "state_int.h"
#include <stdio.h>
#include <stdlib.h>

/* Lock modes under which rows can be written. VACUUM's own lock is none. */
static const char write_modes[] = "{RowExclusiveLock,ShareRowExclusiveLock,"
				  "ExclusiveLock,AccessExclusiveLock}";
/* And those under which rows can be locked. */
static const char lock_modes[] = "{RowShareLock,RowExclusiveLock,"
				 "ShareRowExclusiveLock,ExclusiveLock,"
				 "AccessExclusiveLock}";

/* A prepared transaction has no pid, but its locks and its name. */
static const char holders_sql[] =
	"SELECT DISTINCT l.virtualtransaction FROM pg_catalog.pg_locks AS l"
	" WHERE l.locktype = 'relation' AND l.granted AND l.database ="
	" (SELECT d.oid FROM pg_catalog.pg_database AS d WHERE d.datname ="
	" pg_catalog.current_database()) AND l.relation::bigint = ANY ($1)"
	" AND l.mode = ANY ($2::text[])"
	" AND l.pid IS DISTINCT FROM pg_catalog.pg_backend_pid()";

static const char waiting_sql[] =
	"SELECT DISTINCT l.virtualtransaction, l.pid,"
	" coalesce(a.usename::text, 'a prepared transaction'),"
	" extract(epoch FROM pg_catalog.clock_timestamp() - a.xact_start)"
	" ::bigint FROM pg_catalog.pg_locks AS l LEFT JOIN"
	" pg_catalog.pg_stat_activity AS a ON a.pid = l.pid"
	" WHERE l.virtualtransaction = ANY ($1::text[]) AND l.granted";

static void
name_holder(char who[256], const struct pg_result *r)
{
	int more = pg_rows(r) - 1;
	char age[32] = "", others[48] = "";

	if (!pg_is_null(r, 0, 3))
		snprintf(age, sizeof(age), ", for %s s", pg_text(r, 0, 3));
	if (more > 0)
		snprintf(others, sizeof(others), " and %d more", more);
	if (pg_is_null(r, 0, 1))
		snprintf(who, 256, "a prepared transaction%s", others);
	else
		snprintf(who, 256, "pid %s (%.64s%s)%s", pg_text(r, 0, 1),
			pg_text(r, 0, 2), age, others);
}

/* {"3/12","-1/740"}: the names hold digits, a sign and a slash only. */
static int
list_holders(struct buf *ret, struct state *s, const struct selection *sel,
	const char *modes, struct err *err)
{
	struct pg_args args = {0};
	struct pg_result *r;
	struct buf array;
	int rc;

	state_arg_selection(&args, &array, sel);
	pg_arg_text(&args, modes);
	rc = pg_query(&r, s->pg, holders_sql, &args, err);
	buf_done(&array);
	if (rc < 0)
		return -1;
	buf_reset(ret);
	buf_addc(ret, '{');
	for (int i = 0; i < pg_rows(r); i++)
		buf_addf(ret, "%s\"%s\"", i ? "," : "", pg_text(r, i, 0));
	buf_addc(ret, '}');
	pg_free(r);
	return 0;
}

static int
still_there(bool *ret, struct state *s, const char *list, char who[256],
	struct err *err)
{
	struct pg_args args = {0};
	struct pg_result *r;

	pg_arg_text(&args, list);
	if (pg_query(&r, s->pg, waiting_sql, &args, err) < 0)
		return -1;
	*ret = pg_rows(r) > 0;
	who[0] = '\0';
	if (*ret)
		name_holder(who, r);
	pg_free(r);
	return 0;
}

typedef int (*still_fn)(bool *ret, struct state *s, const char *list,
	char who[256], struct err *err);

/* Until all of the list have ended, or the time is over. */
static int
wait_for(struct state *s, const char *list, still_fn still,
	const struct fence_wait *wait, char who[256], struct err *err)
{
	int64_t until = clock_ms() + wait->ms;
	bool there = strcmp(list, "{}") != 0;
	int rc = 0;

	for (long nap = 10; there; nap = nap < 500 ? 2 * nap : 500) {
		rc = still(&there, s, list, who, err);
		if (rc < 0 || !there || clock_ms() >= until ||
			wait->stopping(wait->ctx))
			break;
		clock_sleep_ms(nap);
	}
	return rc;
}

int
state_fence(struct state *s, const struct selection *sel,
	const struct fence_wait *wait, char who[256], struct err *err)
{
	struct buf list;
	int rc;

	who[0] = '\0';
	buf_init(&list, (size_t)1 << 20);
	rc = list_holders(&list, s, sel, write_modes, err);
	if (rc == 0)
		rc = wait_for(s, buf_str(&list), still_there, wait, who, err);
	buf_done(&list);
	return rc;
}

/* -- on a standby ---------------------------------------------------------- */

static int
still_running(bool *ret, struct state *s, const char *list, char who[256],
	struct err *err)
{
	struct pg_args args = {0};
	struct pg_result *r;

	pg_arg_text(&args, list);
	if (pg_query(&r, s->pg,
		    "SELECT count(*) FROM pg_catalog.pg_snapshot_xip("
		    "pg_catalog.pg_current_snapshot()) AS x(id)"
		    " WHERE x.id = ANY ($1::xid8[])",
		    &args, err) < 0)
		return -1;
	*ret = pg_int(r, 0, 0) > 0;
	who[0] = '\0';
	if (*ret)
		snprintf(who, 256, "%s of the primary's transactions",
			pg_text(r, 0, 0));
	pg_free(r);
	return 0;
}

int
state_fence_standby(struct state *s, const struct fence_wait *wait,
	char who[256], struct err *err)
{
	struct pg_result *r;
	int rc;

	who[0] = '\0';
	if (pg_query(&r, s->pg,
		    "SELECT coalesce(pg_catalog.array_agg(x.id), '{}')::text"
		    " FROM pg_catalog.pg_snapshot_xip("
		    "pg_catalog.pg_current_snapshot()) AS x(id)",
		    NULL, err) < 0)
		return -1;
	rc = wait_for(s, pg_text(r, 0, 0), still_running, wait, who, err);
	pg_free(r);
	return rc;
}

/* -- who holds locks ------------------------------------------------------- */

int
state_lockers(struct state *s, const struct selection *sel, char who[256],
	struct err *err)
{
	struct buf list;
	bool there;
	int rc;

	buf_init(&list, (size_t)1 << 20);
	who[0] = '\0';
	rc = list_holders(&list, s, sel, lock_modes, err);
	if (rc == 0)
		rc = still_there(&there, s, buf_str(&list), who, err);
	buf_done(&list);
	return rc;
}

int
state_limits(int64_t *lock_ms, int64_t *statement_ms, struct state *s,
	int64_t wanted_lock_ms, struct err *err)
{
	struct pg_result *r;
	int64_t deadlock_ms;

	if (pg_query(&r, s->pg,
		    "SELECT setting FROM pg_catalog.pg_settings"
		    " WHERE name = 'deadlock_timeout'",
		    NULL, err) < 0)
		return -1;
	deadlock_ms = pg_rows(r) ? pg_int(r, 0, 0) : 1000;
	pg_free(r);
	*lock_ms = wanted_lock_ms;
	if (*lock_ms > deadlock_ms / 4)
		*lock_ms = deadlock_ms / 4;
	if (*lock_ms < 1)
		*lock_ms = 1;
	*statement_ms = deadlock_ms * 7 / 10;
	return 0;
}
