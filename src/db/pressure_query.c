/*
 * throttle_query, the user's own question: true means wait.
 */
#include "pressure_int.h"
#include <stdio.h>
#include <string.h>

#define QUERY_TIMEOUT "5s"

/* What is not one boolean fails in here, be it a statement of another kind, two
 * rows, or a number. */
static void
add_query(struct buf *sql, const char *query)
{
	size_t n = strlen(query);

	while (n > 0 && strchr("; \t", query[n - 1]))
		n--;
	buf_adds(sql, "SELECT coalesce((");
	buf_add(sql, query, n);
	/* It may end in a comment. */
	buf_adds(sql, "\n), false)");
}

/* In a transaction that cannot write. */
static int
ask_query(bool *ret, struct pg *pg, const char *query, struct err *err)
{
	struct pg_result *r;
	struct buf sql;
	int rc = -1;

	buf_init(&sql, (size_t)1 << 20);
	add_query(&sql, query);
	if (pg_begin(pg, PG_READ, NULL, err) == 0 &&
		pg_exec(pg, "SET LOCAL statement_timeout = '" QUERY_TIMEOUT "'",
			err) == 0 &&
		pg_query(&r, pg, buf_str(&sql), NULL, err) == 0) {
		*ret = pg_bool(r, 0, 0);
		pg_free(r);
		rc = 0;
	}
	pg_rollback(pg);
	buf_done(&sql);
	return rc;
}

int
pressure_check(const struct remarks *to, struct pg *pg,
	const struct pressure_limits *limits, struct err *err)
{
	struct remark about = {.topic = TOPIC_THROTTLING};
	bool busy;

	if (to)
		remark_ok(to, TOPIC_THROTTLING, 0);
	if (!limits->query || ask_query(&busy, pg, limits->query, err) == 0)
		return 0;
	if (pg_lost(pg))
		return -1;
	if (!strcmp(err->sqlstate, "42501")) {
		err_hint(err, "GRANT what the query needs");
	} else {
		err->code = ERR_USAGE;
		err_hint(err, "it is asked as SELECT coalesce((...), false), "
			      "read-only, for " QUERY_TIMEOUT " at most");
	}
	err_in(err, "cannot ask throttle_query, which must be one boolean");
	return remark_refuse(to, &about, err);
}

/* Its failure is a reason to wait: nobody knows what it would have said. */
int
pressure_look_at_query(
	char reason[PRESSURE_REASON], const char *query, struct pg *pg)
{
	struct err why;
	bool busy;

	if (!query)
		return 0;
	if (ask_query(&busy, pg, query, &why) < 0)
		snprintf(reason, PRESSURE_REASON,
			"throttle_query failed: SQLSTATE %s", why.sqlstate);
	else if (busy)
		snprintf(reason, PRESSURE_REASON, "throttle_query says so");
	return pg_lost(pg) ? -1 : 0;
}
