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
/* Appends sql with @. replaced. */
void state_text(struct buf *ret, const char *schema, const char *sql);

/* Adds the selection as an int8[] parameter; array holds its bytes. */
void state_arg_selection(
	struct pg_args *args, struct buf *array, const struct selection *sel);

/* SQL condition: the backend of worker row w is still there. Backends of other
 * roles may hide their start; then the lease decides. */
#define WORKER_ALIVE                                               \
	"EXISTS (SELECT FROM pg_catalog.pg_stat_get_activity("     \
	"coalesce(w.backend_pid, 0)) AS a WHERE a.backend_start =" \
	" w.backend_start OR a.backend_start IS NULL)"

#endif
