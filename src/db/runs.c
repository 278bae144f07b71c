/*
 * Looking at runs, for status: by reading alone, from any role that may.
 */
#include "runs.h"
#include "pressure.h"
#include "state_int.h"
#include <stdlib.h>

/* Workers are listed to that number; who lives comes first. */
#define WORKERS_MAX "1000"

#define MS(time)                                                        \
	"coalesce((extract(epoch FROM " time ")::float8 * 1000::float8" \
	")::bigint, 0)"
#define STARTED MS("r.started_at")
#define FINISHED MS("r.finished_at")
#define NOW MS("pg_catalog.clock_timestamp()")
#define PAUSED_SINCE MS("r.paused_at")
#define BEGAN MS("w.started_at")
#define SEEN MS("w.seen")

#define SUM(array)                                                \
	"coalesce(pg_catalog.sum((SELECT pg_catalog.sum(v) FROM " \
	"pg_catalog.unnest(x." array ") AS v)), 0)::bigint AS " array
#define COUNTED "rewritten, moved, conflict, deferred"
#define SUMS             \
	SUM("rewritten") \
	", " SUM("moved") ", " SUM("conflict") ", " SUM("deferred")

/* To go back to plaintext, values under the primary are opened, too. */
#define OTHER_KEYS                                      \
	" FROM pg_catalog.jsonb_each_text(r.keys) AS k" \
	" WHERE k.key <> r.primary_id OR r.method = 'plaintext')"

/* A proof that was inconclusive leaves numbers, too, in a run that goes on. */
#define PROVEN                                                             \
	"coalesce((SELECT pg_catalog.bool_and(n.kind <> '" NUMBER_UNFENCED \
	"') FROM @.number AS n WHERE n.run_id = r.id), false)"

/* What the last proof counted and what only findings know, as the report has
 * it; before a proof, what was found so far. */
#define FINDINGS                                                              \
	"(SELECT coalesce(pg_catalog.sum(n.value), 0)::bigint FROM @.number " \
	"AS n "                                                               \
	"WHERE"                                                               \
	" n.run_id = r.id AND n.kind = 'counter'"                             \
	" AND n.name IN ('findings', 'left')) + (SELECT pg_catalog.count(*) " \
	"FROM"                                                                \
	" @.finding AS f WHERE f.run_id = r.id AND (r.state = 'open' AND"     \
	" NOT " PROVEN " OR f.by_pass AND f.verdict = 'current'))"

/* A pause has the last word; else what the first process says that waits, and
 * that it is for the rate only if nobody says more. */
#define WAITING_WHY                                                       \
	"CASE WHEN r.paused_at IS NOT NULL OR r.state <> 'open'"          \
	" THEN " PAUSED_WHY " ELSE coalesce((SELECT w.waiting"            \
	" FROM @.worker AS w WHERE w.run_id = r.id AND w.waiting IS NOT"  \
	" NULL AND " WORKER_ALIVE " ORDER BY w.waiting = '" PRESSURE_RATE \
	"', w.waiting LIMIT 1), '') END"

static const char runs_sql[] =
	"SELECT r.id, r.state, r.primary_id, r.primary_fingerprint, r.method,"
	" (SELECT coalesce(pg_catalog.jsonb_object_agg(k.key, k.value),"
	" '{}')" OTHER_KEYS ","
	" (SELECT coalesce(pg_catalog.string_agg(k.key || ' (' || k.value ||"
	" ')', ', ' ORDER BY k.key), '')" OTHER_KEYS ","
	" r.db_role, r.os_user, r.host, r.program,"
	" " STARTED ", " FINISHED ", " NOW ","
	" coalesce(r.exit_status, -1), coalesce(r.paused_by, ''),"
	" " PAUSED_SINCE ", " WAITING_WHY ","
	" c.rewritten, c.moved, c.conflict, c.deferred, " FINDINGS
	" FROM @.run AS r CROSS JOIN LATERAL (SELECT " SUMS " FROM"
	" (SELECT " COUNTED " FROM @.leaf"
	"  WHERE run_id = r.id UNION ALL"
	"  SELECT " COUNTED " FROM @.chunk"
	"  WHERE run_id = r.id) AS x) AS c"
	" WHERE $1 OR CASE WHEN $2 > 0 THEN r.id = $2 WHEN $3 IS NOT NULL"
	" THEN r.id = ANY ($3::bigint[]) ELSE r.state = 'open'"
	" OR NOT EXISTS (SELECT FROM @.run WHERE state = 'open')"
	" AND r.id = (SELECT pg_catalog.max(id) FROM @.run) END ORDER BY r.id "
	"DESC";

static const char tables_sql[] =
	"SELECT l.run_id, l.label, l.name, l.state, l.pass, l.blocks,"
	" l.blocks - coalesce((SELECT pg_catalog.sum(c.hi - c.pos) FROM "
	"@.chunk AS c"
	"  WHERE c.run_id = l.run_id AND c.leaf = l.leaf"
	"  AND c.state <> 'done'), 0)::bigint,"
	" s.rewritten, s.moved, s.conflict, s.deferred"
	" FROM @.leaf AS l CROSS JOIN LATERAL (SELECT " SUMS " FROM"
	" (SELECT l.rewritten, l.moved, l.conflict, l.deferred UNION ALL"
	"  SELECT " COUNTED " FROM @.chunk AS c"
	"  WHERE c.run_id = l.run_id AND c.leaf = l.leaf) AS x) AS s"
	" WHERE l.run_id = ANY ($1::bigint[])"
	" ORDER BY l.run_id DESC, l.label, l.name";

/* A lease is renewed with each batch, so its end tells the last one. */
#define LAST_LEASES                                                        \
	"(SELECT k.run_id, k.worker_id, pg_catalog.max(k.lease_until) AS " \
	"lease_until,"                                                     \
	" pg_catalog.min(l.name) FILTER (WHERE k.state = 'running') AS "   \
	"table_name FROM"                                                  \
	" @.chunk AS k JOIN @.leaf AS l USING (run_id, leaf)"              \
	" GROUP BY k.run_id, k.worker_id)"

#define SAID_SO HOLDS("v.alive_until", POOLED_LEASE_SECONDS)

/* Of backends of other roles only the pid may be seen, and from a standby
 * nothing: then it is the last sign of life that counts. A proof may take long
 * without one. */
#define IS_THERE                                                            \
	"CASE WHEN pg_catalog.pg_is_in_recovery() THEN v.recent"            \
	" WHEN v.backend_pid IS NULL THEN"                                  \
	" coalesce(" SAID_SO ", false)"                                     \
	" ELSE EXISTS (SELECT FROM pg_catalog.pg_stat_get_activity("        \
	"coalesce(v.backend_pid, 0)) AS a WHERE"                            \
	" a.backend_start = v.backend_start OR a.backend_start IS NULL AND" \
	" (v.recent OR v.proves)) END"

static const char workers_sql[] =
	"SELECT w.run_id, w.db_role, w.os_user, w.host, w.os_pid,"
	" w.backend_pid, " BEGAN ", " SEEN ", w.alive,"
	" coalesce(w.table_name, ''), w.proves FROM"
	" (SELECT v.*, " IS_THERE " AS alive FROM"
	"  (SELECT u.*, u.seen > pg_catalog.clock_timestamp() -"
	"   pg_catalog.make_interval(secs => $2) AS recent FROM"
	"   (SELECT w.*, c.table_name, greatest(w.seen_at, c.lease_until -"
	"    pg_catalog.make_interval(secs => $2)) AS seen,"
	"    r.prover IS NOT DISTINCT FROM w.id AS proves"
	"    FROM @.run AS r JOIN @.worker AS w ON w.run_id = r.id"
	"    LEFT JOIN " LAST_LEASES " AS c"
	"    ON c.run_id = w.run_id AND c.worker_id = w.id"
	"    WHERE r.state = 'open' AND r.id = ANY ($1::bigint[])"
	"   ) AS u) AS v) AS w"
	" ORDER BY w.run_id DESC, w.alive DESC, w.seen DESC, w.id"
	" LIMIT " WORKERS_MAX;

/* -- from results to facts ------------------------------------------------- */

static void
read_runs(struct runs *ret)
{
	const struct pg_result *r = ret->rows[0];

	ret->runs = (size_t)pg_rows(r);
	ret->run = xcalloc(ret->runs + 1, sizeof(*ret->run));
	for (int i = 0; i < pg_rows(r); i++) {
		ret->run[i] = (struct run_facts){
			.id = pg_int(r, i, 0),
			.state = pg_text(r, i, 1),
			.primary = pg_text(r, i, 2),
			.fingerprint = pg_text(r, i, 3),
			.method = pg_text(r, i, 4),
			.from = pg_text(r, i, 5),
			.from_text = pg_text(r, i, 6),
			.role = pg_text(r, i, 7),
			.os_user = pg_text(r, i, 8),
			.host = pg_text(r, i, 9),
			.program = pg_text(r, i, 10),
			.started_ms = pg_int(r, i, 11),
			.finished_ms = pg_int(r, i, 12),
			.now_ms = pg_int(r, i, 13),
			.exit = (int)pg_int(r, i, 14),
			.paused_by = pg_text(r, i, 15),
			.paused_ms = pg_int(r, i, 16),
			.why = pg_text(r, i, 17),
			.rewritten = pg_int(r, i, 18),
			.moved = pg_int(r, i, 19),
			.conflict = pg_int(r, i, 20),
			.deferred = pg_int(r, i, 21),
			.findings = pg_int(r, i, 22),
		};
	}
}

static void
read_tables(struct runs *ret)
{
	const struct pg_result *r = ret->rows[1];

	ret->tables = (size_t)pg_rows(r);
	ret->table = xcalloc(ret->tables + 1, sizeof(*ret->table));
	for (int i = 0; i < pg_rows(r); i++) {
		ret->table[i] = (struct table_facts){
			.run = pg_int(r, i, 0),
			.label = pg_text(r, i, 1),
			.name = pg_text(r, i, 2),
			.state = pg_text(r, i, 3),
			.pass = pg_int(r, i, 4),
			.blocks = pg_int(r, i, 5),
			.done = pg_int(r, i, 6),
			.rewritten = pg_int(r, i, 7),
			.moved = pg_int(r, i, 8),
			.conflict = pg_int(r, i, 9),
			.deferred = pg_int(r, i, 10),
		};
	}
}

static void
read_workers(struct runs *ret)
{
	const struct pg_result *r = ret->rows[2];

	ret->workers = (size_t)pg_rows(r);
	ret->worker = xcalloc(ret->workers + 1, sizeof(*ret->worker));
	for (int i = 0; i < pg_rows(r); i++) {
		ret->worker[i] = (struct worker_facts){
			.run = pg_int(r, i, 0),
			.role = pg_text(r, i, 1),
			.os_user = pg_text(r, i, 2),
			.host = pg_text(r, i, 3),
			.os_pid = pg_int(r, i, 4),
			.backend_pid = pg_int(r, i, 5),
			.started_ms = pg_int(r, i, 6),
			.seen_ms = pg_int(r, i, 7),
			.alive = pg_bool(r, i, 8),
			.table = pg_text(r, i, 9),
			.proves = pg_bool(r, i, 10),
		};
	}
}

/* -- the look -------------------------------------------------------------- */

static int
load_runs(struct runs *ret, struct state *s, const struct runs_filter *f,
	struct err *err)
{
	struct pg_args args = {0};

	pg_arg_bool(&args, f->all);
	pg_arg_int(&args, f->run);
	pg_arg_text(&args, f->ids);
	if (state_query(&ret->rows[0], s, runs_sql, &args, err) < 0)
		return -1;
	read_runs(ret);
	return 0;
}

static int
load_parts(struct runs *ret, struct state *s, const char *ids, bool tables,
	struct err *err)
{
	struct pg_args args = {0};

	pg_arg_text(&args, ids);
	if (tables && state_query(&ret->rows[1], s, tables_sql, &args, err) < 0)
		return -1;
	if (tables)
		read_tables(ret);
	pg_arg_int(&args, LEASE_SECONDS);
	if (state_query(&ret->rows[2], s, workers_sql, &args, err) < 0)
		return -1;
	read_workers(ret);
	return 0;
}

void
runs_ids(struct buf *ret, const struct runs *r)
{
	buf_addc(ret, '{');
	for (size_t i = 0; i < r->runs; i++)
		buf_addf(ret, "%s%lld", i ? "," : "", (long long)r->run[i].id);
	buf_addc(ret, '}');
}

int
runs_load(struct runs *ret, struct state *s, const struct runs_filter *f,
	struct err *err)
{
	struct buf ids;
	int rc = -1;

	*ret = (struct runs){0};
	buf_init(&ids, (size_t)1 << 24);
	if (pg_begin(s->pg, PG_SNAPSHOT, NULL, err) < 0 ||
		load_runs(ret, s, f, err) < 0)
		goto out;
	runs_ids(&ids, ret);
	if (load_parts(ret, s, buf_str(&ids), !f->all, err) < 0)
		goto out;
	rc = pg_exec(s->pg, "COMMIT", err);
out:
	buf_done(&ids);
	return rc;
}

void
runs_done(struct runs *r)
{
	free(r->run);
	free(r->table);
	free(r->worker);
	for (int i = 0; i < 3; i++)
		pg_free(r->rows[i]);
	*r = (struct runs){0};
}
