/*
 * Results that are too large for memory: row by row, or as COPY sends them.
 */
#include "pg_conn_int.h"
#include <stdlib.h>

int
pg_stream(struct pg *pg, const char *sql, const struct pg_args *args,
	pg_row_fn fn, void *ctx, struct err *err)
{
	const struct pg_step step = {
		.sql = sql, .args = args, .fn = fn, .ctx = ctx};
	bool wrapped;

	if (pg_wrap(&wrapped, pg, err) < 0 || pg_flush(pg, &step, 1, err) < 0)
		return -1;
	return pg_unwrap(wrapped, pg, err);
}

/* The end of a COPY: what the server says after its last row. */
static int
end_copy(int64_t *rows, struct pg *pg, struct err *err)
{
	PGresult *r;
	int rc = 0;

	*rows = 0;
	while ((r = PQgetResult(pg->conn)) != NULL) {
		*rows += strtoll(PQcmdTuples(r), NULL, 10);
		if (rc == 0 && !pg_is_good(r))
			rc = pg_fail_result(pg, r, false, err);
		PQclear(r);
		if (pg_lost(pg))
			break;
	}
	if (rc == 0 && pg_lost(pg))
		rc = pg_fail_lost(pg, err);
	return rc;
}

int
pg_copy_out(int64_t *rows, struct pg *pg, const char *sql, pg_data_fn fn,
	void *ctx, struct err *err)
{
	bool more = true;
	PGresult *r;
	char *data;
	int n;

	if (pg_lost(pg) || !PQsendQuery(pg->conn, sql))
		return pg_fail_lost(pg, err);
	r = PQgetResult(pg->conn);
	if (PQresultStatus(r) != PGRES_COPY_OUT) {
		n = pg_fail_result(pg, r, false, err);
		PQclear(r);
		pg_rollback(pg);
		return n;
	}
	PQclear(r);
	while ((n = PQgetCopyData(pg->conn, &data, 0)) > 0) {
		if (more)
			more = fn(ctx, slice_of(data, (size_t)n));
		PQfreemem(data);
	}
	if (end_copy(rows, pg, err) == 0)
		return 0;
	pg_rollback(pg);
	return -1;
}
