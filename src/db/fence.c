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

/* A prepared transaction has no pid, but its locks and its name. Partitions of
 * an open transaction show to nobody else, but its lock on the parent does.
 * Who adds a child or attaches a partition holds VACUUM's lock on the parent
 * and an exclusive one on the child. The parent may have had no leaf so far, so
 * from what is above the leaves it goes down again. */
static const char holders_sql[] =
	"WITH RECURSIVE up(oid) AS ("
	"SELECT pg_catalog.unnest($1::bigint[])::oid UNION"
	" SELECT i.inhparent FROM pg_catalog.pg_inherits AS i"
	" JOIN up ON i.inhrelid = up.oid), "
	"tree(oid) AS (SELECT up.oid FROM up UNION"
	" SELECT i.inhrelid FROM pg_catalog.pg_inherits AS i"
	" JOIN tree ON i.inhparent = tree.oid"
	" JOIN pg_catalog.pg_class AS c ON c.oid = i.inhrelid"
	" WHERE c.relkind = 'p') "
	"SELECT DISTINCT l.virtualtransaction FROM pg_catalog.pg_locks AS l"
	" WHERE l.locktype = 'relation' AND l.granted AND l.database ="
	" (SELECT d.oid FROM pg_catalog.pg_database AS d WHERE d.datname ="
	" pg_catalog.current_database())"
	" AND l.relation IN (SELECT tree.oid FROM tree)"
	" AND (l.mode = ANY ($2::text[]) OR"
	" l.mode = 'ShareUpdateExclusiveLock' AND EXISTS ("
	"SELECT FROM pg_catalog.pg_locks AS x WHERE x.virtualtransaction ="
	" l.virtualtransaction AND x.locktype = 'relation' AND x.granted"
	" AND x.mode = 'AccessExclusiveLock'))"
	" AND l.pid IS DISTINCT FROM pg_catalog.pg_backend_pid()";

static const char waiting_sql[] =
	"SELECT DISTINCT l.virtualtransaction, l.pid, a.usename,"
	" extract(epoch FROM pg_catalog.clock_timestamp() - a.xact_start)"
	" ::bigint, p.gid FROM pg_catalog.pg_locks AS l"
	" LEFT JOIN pg_catalog.pg_stat_activity AS a ON a.pid = l.pid"
	" LEFT JOIN pg_catalog.pg_locks AS x ON l.pid IS NULL AND"
	" x.virtualtransaction = l.virtualtransaction AND"
	" x.locktype = 'transactionid' LEFT JOIN pg_catalog.pg_prepared_xacts"
	" AS p ON p.transaction = x.transactionid"
	" WHERE l.virtualtransaction = ANY ($1::text[]) AND l.granted";

static void
name_holder(struct buf *b, const struct pg_result *r, int i)
{
	if (pg_is_null(r, i, 1)) {
		buf_addf(b, "prepared transaction '%s'", pg_text(r, i, 4));
		return;
	}
	buf_addf(b, "pid %s (%s", pg_text(r, i, 1), pg_text(r, i, 2));
	if (!pg_is_null(r, i, 3))
		buf_addf(b, ", for %s s", pg_text(r, i, 3));
	buf_addc(b, ')');
}

/* As many as there is room for. */
static void
name_holders(char who[256], const struct pg_result *r)
{
	int rows = pg_rows(r);
	size_t used = 0;
	struct buf b;

	who[0] = '\0';
	buf_init(&b, 1024);
	for (int i = 0; i < rows; i++) {
		buf_reset(&b);
		buf_adds(&b, i ? ", " : "");
		name_holder(&b, r, i);
		if (used + b.len + sizeof(" and 1000000 more") > 256) {
			snprintf(who + used, 256 - used, " and %d more",
				rows - i);
			break;
		}
		memcpy(who + used, buf_str(&b), b.len + 1);
		used += b.len;
	}
	buf_done(&b);
}

/* {"3/12","-1/740"}: the names hold digits, a sign and a slash only. */
static void
list_names(struct buf *ret, const struct pg_result *r)
{
	buf_reset(ret);
	buf_addc(ret, '{');
	for (int i = 0; i < pg_rows(r); i++)
		buf_addf(ret, "%s\"%s\"", i ? "," : "", pg_text(r, i, 0));
	buf_addc(ret, '}');
}

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
	list_names(ret, r);
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
	name_holders(who, r);
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

/* A standby does not know which tables the primary's transactions write to,
 * and its snapshots do not list them, but bound them: none below xmin runs. */
static int
still_running(bool *ret, struct state *s, const char *next, char who[256],
	struct err *err)
{
	struct pg_args args = {0};
	struct pg_result *r;

	pg_arg_text(&args, next);
	if (pg_query(&r, s->pg,
		    "SELECT x.min < $1::text::xid8, x.min FROM (SELECT"
		    " pg_catalog.pg_snapshot_xmin("
		    "pg_catalog.pg_current_snapshot())) AS x(min)",
		    &args, err) < 0)
		return -1;
	*ret = pg_bool(r, 0, 0);
	who[0] = '\0';
	if (*ret)
		snprintf(who, 256,
			"a transaction of the primary (%s or a later one)",
			pg_text(r, 0, 1));
	pg_free(r);
	return 0;
}

/* age() counts from the next transaction that nobody has heard of. The newest
 * that did write may be above the snapshot's xmax. */
int
state_fence_standby(struct state *s, const struct fence_wait *wait,
	char who[256], struct err *err)
{
	struct pg_result *r;
	int rc;

	who[0] = '\0';
	if (pg_query(&r, s->pg,
		    "SELECT x.max::text::bigint + pg_catalog.age(x.max::xid)"
		    " FROM (SELECT pg_catalog.pg_snapshot_xmax("
		    "pg_catalog.pg_current_snapshot())) AS x(max)",
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
	if (rc == 0 && !who[0]) /* of another table, by way of a trigger */
		snprintf(who, 256, "others");
	buf_done(&list);
	return rc;
}

/* The size of what is outside the pages is behind a lock of its own. */
static const char lockers_sql[] =
	"WITH RECURSIVE tree(oid, toast) AS ("
	"SELECT c.oid, c.reltoastrelid FROM pg_catalog.pg_class AS c"
	" JOIN pg_catalog.pg_namespace AS n ON n.oid = c.relnamespace"
	" WHERE n.nspname = $1 AND c.relname = $2 UNION"
	" SELECT c.oid, c.reltoastrelid FROM pg_catalog.pg_inherits AS i"
	" JOIN tree ON i.inhparent = tree.oid"
	" JOIN pg_catalog.pg_class AS c ON c.oid = i.inhrelid) "
	"SELECT DISTINCT l.virtualtransaction FROM pg_catalog.pg_locks AS l"
	" JOIN tree ON l.relation IN (tree.oid, tree.toast)"
	" WHERE l.locktype = 'relation' AND l.granted"
	" AND l.mode = 'AccessExclusiveLock' AND l.database ="
	" (SELECT d.oid FROM pg_catalog.pg_database AS d WHERE d.datname ="
	" pg_catalog.current_database())";

int
state_locked_by(
	char who[256], struct state *s, const struct target *t, struct err *err)
{
	struct pg_args args = {0};
	struct pg_result *r;
	struct buf list;
	bool there;
	int rc = 0;

	who[0] = '\0';
	pg_arg_text(&args, t->schema);
	pg_arg_text(&args, t->table);
	if (pg_query(&r, s->pg, lockers_sql, &args, err) < 0)
		return -1;
	buf_init(&list, (size_t)1 << 20);
	list_names(&list, r);
	if (pg_rows(r) > 0)
		rc = still_there(&there, s, buf_str(&list), who, err);
	buf_done(&list);
	pg_free(r);
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
