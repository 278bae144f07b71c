/*
 * Pausing: a switch in the run's row that workers of all hosts look at.
 */
#include "state_int.h"
#include <stdio.h>

int
state_pause_reason(char why[STATE_WHY], struct state *s, struct err *err)
{
	struct pg_args args = {0};
	struct pg_result *r;

	pg_arg_int(&args, s->run);
	pg_arg_int(&args, s->worker);
	if (state_query(&r, s,
		    "WITH " SIGN_OF_LIFE " SELECT " PAUSED_WHY
		    " FROM @.run AS r WHERE r.id = $1",
		    &args, err) < 0)
		return -1;
	snprintf(why, STATE_WHY, "%s", pg_rows(r) ? pg_text(r, 0, 0) : "");
	pg_free(r);
	return 0;
}

/* What the UPDATE of the same statement does shows in its RETURNING alone. */
#define SWITCHED                                                              \
	" WHERE r.state = 'open' AND ($1 = 0 OR r.id = $1) AND "              \
	"(r.paused_at IS NULL) = $2 RETURNING r.id, " PAUSED_WHY              \
	" AS why) SELECT r.id, s.id IS NOT NULL, coalesce(s.why, " PAUSED_WHY \
	") FROM @.run AS r LEFT JOIN switched AS s USING "                    \
	"(id) WHERE r.state = 'open' AND ($1 = 0 OR r.id = $1)"               \
	" ORDER BY r.id"

static const char pause_sql[] = "WITH switched AS (UPDATE @.run AS r SET"
				" paused_at = pg_catalog.clock_timestamp(), "
				"paused_by = current_user" SWITCHED;
static const char resume_sql[] = "WITH switched AS (UPDATE @.run AS r SET"
				 " paused_at = NULL, paused_by = NULL" SWITCHED;

int
state_switch_pause(struct state *s, int64_t run, bool pause, run_pause_fn fn,
	void *ctx, struct err *err)
{
	struct pg_args args = {0};
	struct pg_result *r;

	pg_arg_int(&args, run);
	pg_arg_bool(&args, pause);
	if (state_query(&r, s, pause ? pause_sql : resume_sql, &args, err) < 0)
		return -1;
	for (int i = 0; i < pg_rows(r); i++) {
		struct run_pause p = {
			.run = pg_int(r, i, 0),
			.changed = pg_bool(r, i, 1),
			.why = pg_text(r, i, 2),
		};

		fn(ctx, &p);
	}
	pg_free(r);
	return 0;
}
