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
prepare(struct pg *pg, struct pg_flush *f, const struct pg_step *step)
{
	const struct pg_args *a = step->args;

	f->drops = pg->kept != NULL;
	if (f->drops && !pg_send_one(pg, "DEALLOCATE " KEPT_AS, NULL, 0))
		return 0;
	f->prepares = true;
	pg->coming = xstrdup(step->sql);
	return PQsendPrepare(pg->conn, KEPT_AS, step->sql, a->count, a->type);
}

static int
send_kept(struct pg *pg, struct pg_flush *f, const struct pg_step *step)
{
	const struct pg_args *a = step->args;

	/* What is kept is not known before the flush under way is over. */
	if (pg->coming)
		return pg_send_one(pg, step->sql, a, 0);
	if ((!pg->kept || strcmp(pg->kept, step->sql) != 0) &&
		!prepare(pg, f, step))
		return 0;
	return PQsendQueryPrepared(
		pg->conn, KEPT_AS, a->count, a->value, a->len, a->binary, 0);
}

static int
send_step(struct pg *pg, struct pg_flush *f, const struct pg_step *step)
{
	return is_kept(pg, step) ? send_kept(pg, f, step)
				 : pg_send_one(pg, step->sql, step->args,
					   step->fn != NULL);
}

/* The wait for the answer begins. */
int
pg_send(struct pg *pg, const struct pg_step *step, size_t count,
	struct err *err)
{
	struct pg_flush *f = &pg->flush[pg->flushes];

	if (pg->flushes == (pg->pooled ? 1 : PG_FLUSHES))
		return err_set(err, ERR_BUG, "too much is under way");
	if (pg_lost(pg))
		return pg_fail_lost(pg, err);
	if (pg->flushes == 0)
		pg_waits(pg);
	if (!PQenterPipelineMode(pg->conn))
		return pg_fail_lost(pg, err);
	*f = (struct pg_flush){0};
	pg->flushes++;
	for (size_t i = 0; i < count; i++) {
		if (!send_step(pg, f, &step[i]))
			return pg_fail_lost(pg, err);
	}
	if (!PQpipelineSync(pg->conn))
		return pg_fail_lost(pg, err);
	f->synced = true;
	return 0;
}

bool
pg_is_busy(const struct pg *pg)
{
	return pg->flushes > 0;
}

/* The oldest flush is over; the server owes an answer to the next one, if there
 * is one. */
static void
end_flush(struct pg *pg)
{
	pg->flush[0] = pg->flush[PG_FLUSHES - 1];
	if (--pg->flushes > 0) {
		pg_waits(pg);
		return;
	}
	if (!pg_lost(pg))
		(void)PQexitPipelineMode(pg->conn);
	pg_heard(pg);
}

/* Up to the end of the oldest flush, which is over then. A single statement
 * that is a transaction by itself may fail as late as here.
 *
 * libpq (15) gives up the answers it is owed when it could not write and has
 * read something, but not yet the end: results are NULL from then on, and the
 * connection is good, it says. Rightly there is one NULL behind each result. */
static int
conclude(struct pg *pg, int rc, struct err *err)
{
	bool synced = !pg->flush[0].synced;
	int nulls = 0;
	PGresult *r;

	while (!synced && !pg_lost(pg)) {
		r = PQgetResult(pg->conn);
		nulls = r ? 0 : nulls + 1;
		pg->given_up = nulls == 2;
		synced = PQresultStatus(r) == PGRES_PIPELINE_SYNC;
		if (r && !synced && rc == 0) /* nothing is due but errors */
			rc = pg_fail_result(pg, r, false, err);
		PQclear(r);
	}
	if (pg_lost(pg) && rc == 0)
		rc = pg_fail_lost(pg, err);
	end_flush(pg);
	return rc;
}

void
pg_drop_flushes(struct pg *pg)
{
	struct err ignored;

	while (pg->flushes > 0)
		(void)conclude(pg, -1, &ignored);
	free(pg->coming);
	pg->coming = NULL;
}

/* The next result of the flush, each of which is followed by NULL. The first
 * failure counts; what follows it was not run. */
static PGresult *
next_result(int *rc, struct pg *pg, const struct pg_step *step, struct err *err)
{
	PGresult *r = PQgetResult(pg->conn), *more;

	if (*rc == 0 && (!r || !pg_answers(step->sql, r)))
		*rc = pg_fail_result(pg, r, step->foreign_code, err);
	if (!r || pg_lost(pg))
		return r;
	more = PQgetResult(pg->conn); /* the NULL */
	if (more && *rc == 0)
		*rc = pg_fail_result(pg, more, step->foreign_code, err);
	PQclear(more);
	return r;
}

/* What prepare() sent. */
static void
receive_kept(int *rc, struct pg *pg, const struct pg_flush *f, struct err *err)
{
	static const struct pg_step ours = {.sql = ""};

	if (f->drops) {
		PQclear(next_result(rc, pg, &ours, err));
		if (*rc == 0) {
			free(pg->kept);
			pg->kept = NULL;
		}
	}
	if (!pg_lost(pg))
		PQclear(next_result(rc, pg, &ours, err));
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
	const struct pg_flush *f = &pg->flush[0];
	PGresult *r, *kept = NULL;
	int rc = 0;

	for (size_t i = 0; i < count && !pg_lost(pg); i++) {
		if (is_kept(pg, &step[i]) && f->prepares)
			receive_kept(&rc, pg, f, err);
		r = next_result(&rc, pg, &step[i], err);
		if (rc == 0 && i == keep)
			kept = r;
		else
			PQclear(r);
	}
	rc = conclude(pg, rc, err);
	if (rc < 0)
		PQclear(kept);
	else
		*ret = pg_result_of(kept);
	return rc;
}

/* The rows of a step, up to the NULL behind them. */
static void
receive_rows(
	int *rc, struct pg *pg, const struct pg_step *step, struct err *err)
{
	int64_t rows = 0;
	bool more = true;
	PGresult *r;

	/* Or they would come all at once, and not be looked at. */
	if (!PQsetSingleRowMode(pg->conn) && *rc == 0)
		*rc = pg_fail_lost(pg, err);
	while ((r = PQgetResult(pg->conn)) != NULL) {
		rows += PQntuples(r);
		if (*rc == 0 && (!pg_is_good(r) || !pg_has_all(r, rows)))
			*rc = pg_fail_result(pg, r, step->foreign_code, err);
		if (*rc == 0 && more && PQresultStatus(r) == PGRES_SINGLE_TUPLE)
			more = step->fn(step->ctx, (const struct pg_result *)r);
		PQclear(r);
		if (pg_lost(pg))
			break;
	}
}

int
pg_flush(struct pg *pg, const struct pg_step *step, size_t count,
	struct err *err)
{
	int rc = 0;

	if (pg_send(pg, step, count, err) < 0) {
		pg_rollback(pg);
		return -1;
	}
	for (size_t i = 0; i < count && !pg_lost(pg); i++) {
		if (step[i].fn)
			receive_rows(&rc, pg, &step[i], err);
		else
			PQclear(next_result(&rc, pg, &step[i], err));
	}
	rc = conclude(pg, rc, err);
	if (rc < 0)
		pg_rollback(pg);
	return rc;
}
