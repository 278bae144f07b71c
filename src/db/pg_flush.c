/*
 * Several statements in one flush, and the one that comes again.
 */
#include "pg_conn_int.h"
#include <stdlib.h>

#define KEPT_AS "pgrekey_kept"

/* A pooler may send the next one to another session. */
static bool
is_kept(const struct pg *pg, const struct pg_step *step)
{
	return step->again && !pg->pooled;
}

static int
send_kept(struct pg *pg, const struct pg_step *step)
{
	const struct pg_args *a = step->args;

	if (!pg->kept || strcmp(pg->kept, step->sql) != 0) {
		if (pg->kept &&
			!pg_send_one(pg, "DEALLOCATE " KEPT_AS, NULL, 0))
			return 0;
		if (!PQsendPrepare(
			    pg->conn, KEPT_AS, step->sql, a->count, a->type))
			return 0;
		pg->coming = xstrdup(step->sql);
	}
	return PQsendQueryPrepared(
		pg->conn, KEPT_AS, a->count, a->value, a->len, a->binary, 0);
}

static int
send_step(struct pg *pg, const struct pg_step *step)
{
	return is_kept(pg, step) ? send_kept(pg, step)
				 : pg_send_one(pg, step->sql, step->args, 0);
}

/* The wait for the answer begins. */
int
pg_send(struct pg *pg, const struct pg_step *step, size_t count,
	struct err *err)
{
	pg_waits(pg);
	if (!PQenterPipelineMode(pg->conn))
		return pg_fail_lost(pg, err);
	for (size_t i = 0; i < count; i++) {
		if (!send_step(pg, &step[i]))
			return pg_fail_lost(pg, err);
	}
	if (!PQpipelineSync(pg->conn))
		return pg_fail_lost(pg, err);
	return 0;
}

/* The next result of the flush, each of which is followed by NULL. The first
 * failure counts; what follows it was not run. */
static PGresult *
next_result(int *rc, struct pg *pg, bool foreign_code, struct err *err)
{
	PGresult *r = PQgetResult(pg->conn);

	if (*rc == 0 && (!r || !pg_is_good(r)))
		*rc = pg_fail_result(pg, r, foreign_code, err);
	if (r && !pg_lost(pg))
		PQclear(PQgetResult(pg->conn)); /* the NULL */
	return r;
}

/* What send_kept() sent before the statement itself. */
static void
receive_kept(int *rc, struct pg *pg, struct err *err)
{
	if (pg->kept) {
		PQclear(next_result(rc, pg, false, err));
		if (*rc == 0) {
			free(pg->kept);
			pg->kept = NULL;
		}
	}
	if (!pg_lost(pg))
		PQclear(next_result(rc, pg, false, err));
	if (*rc == 0)
		pg->kept = pg->coming;
	else
		free(pg->coming);
	pg->coming = NULL;
}

int
pg_receive(struct pg_result **ret, struct pg *pg, const struct pg_step *step,
	size_t count, size_t keep, struct err *err)
{
	PGresult *r, *kept = NULL;
	int rc = 0;

	for (size_t i = 0; i < count && !pg_lost(pg); i++) {
		if (is_kept(pg, &step[i]) && pg->coming)
			receive_kept(&rc, pg, err);
		r = next_result(&rc, pg, step[i].foreign_code, err);
		if (rc == 0 && i == keep)
			kept = r;
		else
			PQclear(r);
	}
	if (!pg_lost(pg)) {
		PQclear(PQgetResult(pg->conn)); /* the sync */
		(void)PQexitPipelineMode(pg->conn);
	} else if (rc == 0) {
		rc = pg_fail_lost(pg, err);
	}
	pg_heard(pg);
	if (rc < 0)
		PQclear(kept);
	else
		*ret = pg_result_of(kept);
	return rc;
}
