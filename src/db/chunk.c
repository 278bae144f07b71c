/*
 * Chunks: the units that workers claim, and how far each has come.
 */
#include "state_int.h"

#define LEASE_HOLDS HOLDS("c.lease_until", LEASE_SECONDS)

/* A chunk that somebody has claimed since this statement began is looked at
 * anew, but with the worker that it had before, or none: only of the one that
 * has it now does it matter that he is gone. */
static const char claim_sql[] =
	"WITH " SIGN_OF_LIFE ", free AS (SELECT c.leaf, c.no FROM @.chunk AS c"
	" LEFT JOIN @.worker AS w ON w.id = c.worker_id"
	" WHERE c.run_id = $1 AND EXISTS (SELECT FROM @.run AS r"
	"  WHERE r.id = $1 AND r.state = 'open' AND NOT " PAUSED ")"
	" AND c.leaf = ANY ($3) AND NOT c.leaf = ANY (" LOCKED_TABLES ")"
	" AND (c.state = 'todo' OR"
	" c.state = 'running' AND (c.worker_id = $2 OR"
	" NOT " LEASE_HOLDS " OR w.id = c.worker_id AND NOT " WORKER_ALIVE
	")) ORDER BY c.leaf, c.no LIMIT 1 FOR UPDATE OF c SKIP LOCKED) "
	"UPDATE @.chunk AS c SET state = 'running', worker_id = $2,"
	" epoch = c.epoch + 1, lease_until = pg_catalog.clock_timestamp() +"
	" pg_catalog.make_interval(secs => $4) FROM free"
	" WHERE c.run_id = $1 AND c.leaf = free.leaf AND c.no = free.no "
	"RETURNING c.leaf, c.no, c.lo, c.hi, c.pos, c.epoch";

int
state_claim(bool *found, struct chunk *ret, struct state *s,
	const struct selection *sel, struct err *err)
{
	struct pg_args args = {0};
	struct pg_result *r;
	struct buf array;
	int rc;

	pg_arg_int(&args, s->run);
	pg_arg_int(&args, s->worker);
	state_arg_selection(&args, &array, sel);
	pg_arg_int(&args, LEASE_SECONDS);
	rc = state_query(&r, s, claim_sql, &args, err);
	buf_done(&array);
	if (rc < 0)
		return -1;
	*found = pg_rows(r) > 0;
	if (*found) {
		ret->leaf = (uint32_t)pg_int(r, 0, 0);
		ret->no = pg_int(r, 0, 1);
		ret->lo = pg_int(r, 0, 2);
		ret->hi = pg_int(r, 0, 3);
		ret->pos = pg_int(r, 0, 4);
		ret->epoch = pg_int(r, 0, 5);
	}
	pg_free(r);
	return 0;
}

static void
add_sums(
	struct buf *sql, const char *column, size_t columns, const int64_t *add)
{
	buf_addf(sql, ", %s = ARRAY[", column);
	for (size_t i = 0; i < columns; i++)
		buf_addf(sql, "%s%s[%zu] + %lld", i ? ", " : "", column, i + 1,
			(long long)add[i]);
	buf_addc(sql, ']');
}

static void
arg_chunk(struct pg_args *args, const struct state *s, const struct chunk *c)
{
	pg_arg_int(args, s->run);
	pg_arg_int(args, c->leaf);
	pg_arg_int(args, c->no);
	pg_arg_int(args, c->epoch);
}

int
state_fenced(const char *why, struct err *err)
{
	err_set(err, ERR_DB, "%s", why);
	memcpy(err->sqlstate, ROWS_FENCE, sizeof(err->sqlstate));
	return -1;
}

int
state_advance(struct state *s, const struct chunk *c,
	const struct chunk_counts *counts, int64_t pos, bool done,
	struct err *err)
{
	struct pg_args args = {0};
	struct pg_result *r;
	struct buf sql;
	bool ours;
	int rc;

	arg_chunk(&args, s, c);
	pg_arg_int(&args, pos);
	buf_init(&sql, (size_t)1 << 16);
	buf_addf(&sql,
		"UPDATE @.chunk SET pos = greatest(pos, $5), state = '%s',"
		" lease_until = pg_catalog.clock_timestamp() +"
		" pg_catalog.make_interval(secs => %d),"
		" rows_left = rows_left + %lld,"
		" rows_locked = rows_locked + %lld,"
		" rows_refused = rows_refused + %lld",
		done ? "done" : "running", LEASE_SECONDS,
		(long long)counts->left, (long long)counts->locked,
		(long long)counts->refused);
	add_sums(&sql, "moved", counts->columns, counts->moved);
	add_sums(&sql, "conflict", counts->columns, counts->conflict);
	add_sums(&sql, "deferred", counts->columns, counts->deferred);
	buf_adds(&sql, " WHERE run_id = $1 AND leaf = $2 AND no = $3"
		       " AND epoch = $4 RETURNING (SELECT " PAUSED
		       " FROM @.run AS r WHERE r.id = $1)");
	rc = state_query(&r, s, buf_str(&sql), &args, err);
	buf_done(&sql);
	if (rc < 0)
		return -1;
	ours = pg_rows(r) > 0;
	if (ours)
		s->paused |= pg_bool(r, 0, 0);
	pg_free(r);
	if (ours)
		return 0;
	return state_fenced("the chunk belongs to another worker now", err);
}

int
state_found(struct state *s, uint32_t leaf, size_t column, int64_t values,
	struct err *err)
{
	struct pg_args args = {0};
	struct buf sql;
	int rc;

	pg_arg_int(&args, s->run);
	pg_arg_int(&args, leaf);
	pg_arg_int(&args, values);
	buf_init(&sql, (size_t)1 << 12);
	buf_addf(&sql,
		"UPDATE @.leaf AS l SET moved[%zu] = l.moved[%zu] + $3,"
		" conflict[%zu] = l.conflict[%zu] - $3"
		" WHERE l.run_id = $1 AND l.leaf = $2"
		" AND $3 <= l.conflict[%zu] + coalesce((SELECT"
		" pg_catalog.sum(c.conflict[%zu]) FROM @.chunk AS c"
		" WHERE c.run_id = l.run_id AND c.leaf = l.leaf), 0)::bigint"
		" AND EXISTS (SELECT FROM @.run AS r WHERE r.id = l.run_id"
		" AND r.state = 'open')",
		column + 1, column + 1, column + 1, column + 1, column + 1,
		column + 1);
	rc = state_exec(s, buf_str(&sql), &args, err);
	buf_done(&sql);
	return rc;
}

int
state_owns(bool *ret, struct state *s, const struct chunk *c, struct err *err)
{
	struct pg_args args = {0};
	struct pg_result *r;

	arg_chunk(&args, s, c);
	if (state_query(&r, s,
		    "SELECT 1 FROM @.chunk WHERE run_id = $1 AND leaf = $2"
		    " AND no = $3 AND epoch = $4",
		    &args, err) < 0)
		return -1;
	*ret = pg_rows(r) > 0;
	pg_free(r);
	return 0;
}

void
state_give_back(struct state *s)
{
	struct pg_args args = {0};
	struct err ignored;

	pg_arg_int(&args, s->run);
	pg_arg_int(&args, s->worker);
	/* Should this fail, the backend's end or the lease frees the chunk as
	 * well. */
	(void)!state_exec(s,
		"UPDATE @.chunk SET state = 'todo', epoch = epoch + 1,"
		" worker_id = NULL WHERE run_id = $1 AND worker_id = $2"
		" AND state = 'running'",
		&args, &ignored);
}
