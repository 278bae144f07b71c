/*
 * The plan of a write, looked at once per leaf.
 */
#include "rows_int.h"

/* Pages of which nobody notices that all are read for each batch. */
#define FEW_PAGES 64

/* A TID scan for each row neither prunes nor is fast, and a scan of the whole
 * leaf for each batch never ends. A window that is the whole leaf, as those of
 * small ones are, may be read either way. */
static int
explain(bool *poor, struct rows *r, struct pg *pg, const struct sql_write *w,
	const struct pg_args *args, struct err *err)
{
	struct pg_result *plan;
	struct buf sql;
	const char *text;
	int rc;

	buf_init(&sql, r->sql.max + 64);
	buf_adds(&sql, "EXPLAIN (FORMAT JSON) ");
	sql_write(&sql, w);
	rc = pg_query(&plan, pg, buf_str(&sql), args, err);
	buf_done(&sql);
	if (rc < 0)
		return -1;
	text = pg_text(plan, 0, 0);
	*poor = strstr(text, "\"Tid Scan\"") ||
		(w->range.hi.block > FEW_PAGES &&
			!strstr(text, "\"Tid Range Scan\""));
	pg_free(plan);
	return 0;
}

/* Planner settings would govern queries inside triggers too, so they are only
 * touched where there are none. */
int
rows_check_plan(struct rows *r, struct pg *pg, const struct sql_write *write,
	const struct pg_args *args, struct err *err)
{
	struct sql_write w = *write;

	w.skip_locked = false; /* there a TID scan follows one that pruned */
	r->planned = true;
	if (explain(&r->poor_plan, r, pg, &w, args, err) < 0)
		return -1;
	if (!r->poor_plan || r->leaf->any_trigger)
		return 0;
	r->no_nested_loop = true;
	if (pg_begin(pg, PG_WRITE, NULL, err) < 0 ||
		pg_exec(pg, "SET LOCAL enable_nestloop = off", err) < 0 ||
		explain(&r->poor_plan, r, pg, &w, args, err) < 0)
		return -1;
	return pg_exec(pg, "ROLLBACK", err);
}

bool
rows_plan_is_poor(const struct rows *r)
{
	return r->poor_plan;
}
