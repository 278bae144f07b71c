/*
 * state_int.h - what the parts of the state module share.
 */
#ifndef PGREKEY_STATE_INT_H
#define PGREKEY_STATE_INT_H

#include "state.h"

/* Runs a statement in which @. stands for the state schema. */
int state_query(struct pg_result **ret, struct state *s, const char *sql,
	const struct pg_args *args, struct err *err) MUST_CHECK;
int state_exec(struct state *s, const char *sql, const struct pg_args *args,
	struct err *err) MUST_CHECK;
/* For one that answers with one number: 0 if there is no row. */
int state_query_int(int64_t *ret, struct state *s, const char *sql,
	const struct pg_args *args, struct err *err) MUST_CHECK;
/* Appends sql with @. replaced. */
void state_text(struct buf *ret, const char *schema, const char *sql);

/* Adds the selection as an int8[] parameter; array holds its bytes. */
void state_arg_selection(
	struct pg_args *args, struct buf *array, const struct selection *sel);

/* -1: somebody else has taken over what was this worker's. */
int state_fenced(const char *why, struct err *err);

/* Refusals that rotating and checking share. */
int state_check_version(
	const struct state *s, int64_t version, struct err *err) MUST_CHECK;
/* Before the state schema is made: is nobody else in it? */
int state_check_room(struct state *s, struct err *err) MUST_CHECK;
void state_refuse_missing(
	const struct state *s, const char *sqlstate, struct err *err);
int state_check_runs(const struct remarks *to, struct state *s,
	const struct run_spec *spec, struct err *err) MUST_CHECK;

/* SQL condition: a lease of so many seconds still holds. One that ends further
 * ahead than anybody sets it does not: the server's clock was set back, and
 * whose lease that is may be dead. Who lives renews it, or notices. */
#define HOLDS(until, seconds)                             \
	"(" until " BETWEEN pg_catalog.clock_timestamp()" \
	" AND pg_catalog.clock_timestamp() +"             \
	" pg_catalog.make_interval(secs => 2 * " AS_TEXT(seconds) "))"
#define AS_TEXT(n) AS_WRITTEN(n)
#define AS_WRITTEN(n) #n

/* SQL condition: worker row w has said that it lives. */
#define SIGN_HOLDS HOLDS("w.alive_until", POOLED_LEASE_SECONDS)

/* SQL condition: worker row w is still there. Behind a pooler it says so now
 * and then, else its backend tells. Backends of other roles may hide their
 * start; then the lease decides, but one of another role than the worker's is
 * a stranger that got its process id. */
#define WORKER_ALIVE                                                \
	"CASE WHEN w.backend_pid IS NULL THEN"                      \
	" coalesce(" SIGN_HOLDS ", false) ELSE EXISTS (SELECT FROM" \
	" pg_catalog.pg_stat_get_activity(w.backend_pid) AS a"      \
	" WHERE a.backend_start = w.backend_start"                  \
	" OR a.backend_start IS NULL AND a.usesysid ="              \
	" (SELECT o.oid FROM pg_catalog.pg_roles AS o"              \
	" WHERE o.rolname = w.db_role)) END"

/* SQL: run row r is paused; and how that is said. */
#define PAUSED "(r.state = 'open' AND r.paused_at IS NOT NULL)"
#define PAUSED_WHY                                                            \
	"CASE WHEN " PAUSED " THEN 'paused by ' || r.paused_by || ' since ' " \
	"|| pg_catalog.to_char(r.paused_at AT TIME ZONE 'UTC',"               \
	" 'YYYY-MM-DD HH24:MI:SS') || ' UTC' ELSE '' END"

/* SQL: the tables that somebody has locked against everybody, or is about to,
 * and the partitions of these: the server writes no row of one without a look
 * at the bounds above it. */
#define LOCKED_TABLES                                                       \
	"ARRAY(WITH RECURSIVE held(oid) AS (SELECT k.relation FROM"         \
	" pg_catalog.pg_locks AS k"                                         \
	" WHERE k.locktype = 'relation' AND k.mode = 'AccessExclusiveLock'" \
	" AND k.database = (SELECT d.oid FROM pg_catalog.pg_database AS d"  \
	" WHERE d.datname = pg_catalog.current_database())"                 \
	" UNION SELECT i.inhrelid FROM pg_catalog.pg_inherits AS i"         \
	" JOIN held ON i.inhparent = held.oid"                              \
	" JOIN pg_catalog.pg_class AS h ON h.oid = held.oid"                \
	" WHERE h.relkind = 'p') SELECT held.oid::bigint FROM held)"

/* SQL, part of a WITH: worker $2 shows now and then that it lives. */
#define SIGN_OF_LIFE                                                \
	"alive AS (UPDATE @.worker AS w SET"                        \
	" seen_at = pg_catalog.clock_timestamp() WHERE w.id = $2"   \
	" AND w.seen_at NOT BETWEEN pg_catalog.clock_timestamp() -" \
	" pg_catalog.make_interval(secs => 5)"                      \
	" AND pg_catalog.clock_timestamp())"

#endif
