/*
 * Who works on a run: a row for each worker, and its signs of life.
 */
#include "state_int.h"

/* Behind a pooler there is no backend of our own, and the same worker goes on
 * when the connection was lost: nobody but itself could tell that it lives. */
static int
register_pooled(struct state *s, const struct run_spec *spec, struct err *err)
{
	struct pg_args args = {0};

	if (s->worker)
		return state_keep_alive(
			s, s->worker, POOLED_LEASE_SECONDS, err);
	pg_arg_int(&args, s->run);
	pg_arg_text(&args, spec->os_user);
	pg_arg_text(&args, spec->host);
	pg_arg_int(&args, spec->os_pid);
	pg_arg_int(&args, POOLED_LEASE_SECONDS);
	pg_arg_int(&args, s->opener);
	return state_query_int(&s->worker, s,
		"WITH opener AS (DELETE FROM @.worker WHERE id = $6) "
		"INSERT INTO @.worker (run_id, os_user, host, os_pid,"
		" alive_until) VALUES ($1, $2, $3, $4,"
		" pg_catalog.clock_timestamp() +"
		" pg_catalog.make_interval(secs => $5)) RETURNING id",
		&args, err);
}

/* What has ended stays so, whoever says otherwise too late. */
int
state_keep_alive(
	struct state *s, int64_t worker, int64_t seconds, struct err *err)
{
	struct pg_args args = {0};

	pg_arg_int(&args, worker);
	pg_arg_int(&args, seconds);
	return state_exec(s,
		"UPDATE @.worker SET seen_at = pg_catalog.clock_timestamp(),"
		" alive_until = CASE WHEN $2 > 0 THEN"
		" pg_catalog.clock_timestamp() +"
		" pg_catalog.make_interval(secs => $2) ELSE '-infinity' END"
		" WHERE id = $1 AND alive_until > '-infinity'",
		&args, err);
}

int
state_register(struct state *s, const struct run_spec *spec, struct err *err)
{
	struct pg_args args = {0};

	if (pg_is_pooled(s->pg))
		return register_pooled(s, spec, err);
	/* The session of the worker that this one was may be there for hours
	 * where only our side of the line is gone; nobody else would prove. */
	if (s->worker && state_prove_end(s, err) < 0)
		return -1;
	pg_arg_int(&args, s->run);
	pg_arg_text(&args, spec->os_user);
	pg_arg_text(&args, spec->host);
	pg_arg_int(&args, spec->os_pid);
	pg_arg_int(&args, s->opener);
	return state_query_int(&s->worker, s,
		"WITH opener AS (DELETE FROM @.worker WHERE id = $5) "
		"INSERT INTO @.worker (run_id, db_role, os_user, host,"
		" os_pid, backend_pid, backend_start)"
		" SELECT $1, session_user, $2, $3, $4, a.pid,"
		" a.backend_start"
		" FROM pg_catalog.pg_stat_get_activity("
		"pg_catalog.pg_backend_pid()) AS a RETURNING id",
		&args, err);
}
