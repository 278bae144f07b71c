/*
 * Opening a run: joining the one that is open, or beginning one.
 */
#include "state_int.h"
#include <stdio.h>
#include <stdlib.h>

/* {"k2024": "1a2b3c4d", ...}; key ids are printable ASCII. */
static void
add_keys(struct buf *json, const struct keyring *ring)
{
	buf_addc(json, '{');
	for (size_t i = 0; i < ring->count; i++) {
		buf_adds(json, i ? ", \"" : "\"");
		for (const char *p = ring->key[i].id; *p; p++) {
			if (*p == '"' || *p == '\\')
				buf_addc(json, '\\');
			buf_addc(json, *p);
		}
		buf_addf(json, "\": \"%s\"", ring->key[i].fingerprint);
	}
	buf_addc(json, '}');
}

static void
all_leaves(struct selection *sel, const struct catalog *catalog)
{
	sel->count = catalog->leaves;
	sel->oid = xcalloc(catalog->leaves, sizeof(*sel->oid));
	for (size_t i = 0; i < catalog->leaves; i++)
		sel->oid[i] = catalog->leaf[i].oid;
}

/* A key id that stands for another key than in the newest run that knew it
 * would make "sealed by k2025" mean two things. */
static int
check_keys(const struct remarks *to, struct state *s, const char *keys,
	struct err *err)
{
	struct remark about = {.topic = TOPIC_RUNS};
	struct pg_args args = {0};
	struct pg_result *r;
	int rc = 0;

	pg_arg_text(&args, keys);
	if (state_query(&r, s,
		    "SELECT DISTINCT ON (k.key) k.key, k.value, n.value, r.id"
		    " FROM pg_catalog.jsonb_each_text($1::jsonb) AS n"
		    " JOIN @.run AS r ON r.keys ? n.key"
		    " CROSS JOIN LATERAL pg_catalog.jsonb_each_text(r.keys)"
		    " AS k WHERE k.key = n.key ORDER BY k.key, r.id DESC",
		    &args, err) < 0)
		return -1;
	for (int i = 0; i < pg_rows(r) && rc == 0; i++) {
		if (!strcmp(pg_text(r, i, 1), pg_text(r, i, 2)))
			continue;
		err_set(err, ERR_KEYS,
			"key '%s' is not the key that run %s knew under this "
			"id: fingerprint %s, then %s",
			pg_text(r, i, 0), pg_text(r, i, 3), pg_text(r, i, 2),
			pg_text(r, i, 1));
		err_hint(err, "give a new key a new id, and put the old file "
			      "back");
		rc = remark_refuse(to, &about, err);
	}
	pg_free(r);
	return rc;
}

/* Every open run that has to do with ours, and whether anybody works on it. */
static const char open_sql[] =
	"SELECT r.id, r.target, r.primary_id, r.host,"
	" (SELECT pg_catalog.count(*) FROM @.worker AS w WHERE w.run_id = r.id "
	"AND " WORKER_ALIVE "), " PAUSED_WHY
	" FROM @.run AS r WHERE r.state = 'open' AND (r.target = $1"
	" OR EXISTS (SELECT FROM @.leaf AS l WHERE l.run_id = r.id"
	" AND l.leaf = ANY ($2))) ORDER BY r.id";

/* Who was frozen in one of its chunks, and behind a pooler looks dead, must not
 * seal with its own primary any more: what the next run has rewritten would be
 * under the old one again. */
static int
supersede(struct state *s, const struct pg_result *r, int i, struct err *err)
{
	struct pg_args args = {0};

	snprintf(s->left, sizeof(s->left),
		"run %s to '%s' had not come to its end and is superseded",
		pg_text(r, i, 0), pg_text(r, i, 2));
	pg_arg_int(&args, pg_int(r, i, 0));
	return state_exec(s,
		"WITH fenced AS (UPDATE @.chunk SET epoch = epoch + 1"
		" WHERE run_id = $1 AND state <> 'done') "
		"UPDATE @.run SET state = 'superseded',"
		" finished_at = pg_catalog.clock_timestamp() WHERE id = $1",
		&args, err);
}

static int
refuse_active(const struct remarks *to, const struct pg_result *r, int i,
	struct err *err)
{
	struct remark about = {.topic = TOPIC_RUNS};

	err_set(err, ERR_USAGE,
		"run %s over the same tables, to primary '%s', is active on %s",
		pg_text(r, i, 0), pg_text(r, i, 2), pg_text(r, i, 3));
	err_hint(err, "wait for it, or stop it there first");
	return remark_refuse(to, &about, err);
}

/* What rotate would make of it. */
static void
remark_run(
	const struct remarks *to, const struct pg_result *r, int i, bool ours)
{
	struct remark about = {.topic = TOPIC_RUNS};
	const char *id = pg_text(r, i, 0), *primary = pg_text(r, i, 2);
	const char *paused = pg_text(r, i, 5);
	char hint[80];

	if (!ours) {
		remark_add(to, &about, REMARK_WARNING,
			"run %s to '%s' was left: rotate would supersede it",
			id, primary);
	} else if (!paused[0]) {
		remark_add(to, &about, REMARK_NOTE,
			"run %s to '%s' is open: rotate would go on with it",
			id, primary);
	} else {
		snprintf(hint, sizeof(hint),
			"pgrekey resume %.20s lets it go on", id);
		about.hint = hint;
		remark_add(to, &about, REMARK_WARNING,
			"run %s to '%s' is %s: rotate would wait", id, primary,
			paused);
	}
}

static int
look_at_run(const struct remarks *to, struct state *s,
	const struct run_spec *spec, const struct pg_result *r, int i,
	struct err *err)
{
	long long id = pg_int(r, i, 0);
	bool alive = pg_int(r, i, 4) > 0;
	bool ours = !strcmp(pg_text(r, i, 1), spec->target);

	if (alive && spec->no_join)
		return err_set(err, ERR_STOPPED,
			"run %lld is active, started on %s", id,
			pg_text(r, i, 3));
	if (!ours && alive)
		return refuse_active(to, r, i, err);
	if (to)
		remark_run(to, r, i, ours);
	else if (!ours)
		return supersede(s, r, i, err);
	if (ours)
		s->run = id;
	return 0;
}

/* Sets s->run to the run to join, or leaves it 0. */
static int
look_at_open_runs(const struct remarks *to, struct state *s,
	const struct run_spec *spec, struct err *err)
{
	struct pg_args args = {0};
	struct selection all;
	struct pg_result *r;
	struct buf array;
	int rc;

	all_leaves(&all, spec->catalog);
	pg_arg_text(&args, spec->target);
	state_arg_selection(&args, &array, &all);
	rc = state_query(&r, s, open_sql, &args, err);
	buf_done(&array);
	free(all.oid);
	if (rc < 0)
		return -1;
	for (int i = 0; i < pg_rows(r) && rc == 0; i++)
		rc = look_at_run(to, s, spec, r, i, err);
	pg_free(r);
	return rc;
}

int
state_check_runs(const struct remarks *to, struct state *s,
	const struct run_spec *spec, struct err *err)
{
	struct buf keys;
	int rc;

	buf_init(&keys, (size_t)1 << 20);
	add_keys(&keys, spec->ring);
	rc = check_keys(to, s, buf_str(&keys), err);
	if (rc == 0)
		rc = look_at_open_runs(to, s, spec, err);
	buf_done(&keys);
	return rc;
}

static int
insert_run(struct state *s, const struct run_spec *spec, const char *keys,
	struct err *err)
{
	const struct key *primary = &spec->ring->key[spec->ring->primary];
	struct pg_args args = {0};

	pg_arg_text(&args, spec->target);
	pg_arg_text(&args, primary->id);
	pg_arg_text(&args, primary->fingerprint);
	pg_arg_text(&args, spec->method);
	pg_arg_text(&args, keys);
	pg_arg_text(&args, spec->os_user);
	pg_arg_text(&args, spec->host);
	pg_arg_text(&args, spec->version);
	return state_query_int(&s->run, s,
		"INSERT INTO @.run (target, primary_id,"
		" primary_fingerprint, method, keys, os_user, host,"
		" program) VALUES ($1, $2, $3, $4, $5::jsonb, $6, $7, $8)"
		" RETURNING id",
		&args, err);
}

/* On joining: this process may know keys that the first one did not. */
static int
add_known_keys(struct state *s, const char *keys, struct err *err)
{
	struct pg_args args = {0};

	pg_arg_int(&args, s->run);
	pg_arg_text(&args, keys);
	return state_exec(s,
		"UPDATE @.run SET keys = keys || $2::jsonb WHERE id = $1"
		" AND keys || $2::jsonb <> keys",
		&args, err);
}

/* On joining a run that nobody works on: every start has all the passes and
 * all the patience that the first one had. A run of which only a part is
 * selected stays open, and is joined for ever. */
static int
start_anew(struct state *s, struct err *err)
{
	struct pg_args args = {0};

	pg_arg_int(&args, s->run);
	return state_exec(s,
		"UPDATE @.leaf SET stuck_since = NULL, not_before = NULL,"
		" fruitless = 0, passes_wrote = 0, pass_refused = 0, state ="
		" CASE WHEN state = 'exhausted' OR state = 'settled' AND"
		" pass_refused > 0 THEN 'dirty' ELSE state END"
		" WHERE run_id = $1 AND NOT EXISTS (SELECT FROM @.worker AS w"
		" WHERE w.run_id = $1 AND " WORKER_ALIVE ")",
		&args, err);
}

/* Also on joining: partitions may have been attached since. */
static int
insert_leaves(struct state *s, const struct catalog *catalog, struct err *err)
{
	for (size_t i = 0; i < catalog->leaves; i++) {
		const struct leaf *leaf = &catalog->leaf[i];
		struct pg_args args = {0};
		struct pg_result *r;

		pg_arg_int(&args, s->run);
		pg_arg_int(&args, leaf->oid);
		pg_arg_text(&args, leaf->name);
		pg_arg_text(&args, leaf->conf->label);
		pg_arg_int(&args, (int64_t)leaf->conf->columns);
		if (state_query(&r, s,
			    "INSERT INTO @.leaf (run_id, leaf, name, label,"
			    " columns, rewritten, nested, mislabelled, late,"
			    " moved, conflict, deferred) SELECT"
			    " $1, $2, $3, $4, '{}', z, z, z, z, z, z, z FROM"
			    " pg_catalog.array_fill(0::bigint, ARRAY[$5::int])"
			    " AS z ON CONFLICT DO NOTHING RETURNING 1",
			    &args, err) < 0)
			return -1;
		pg_free(r);
	}
	return 0;
}

/* Workers have connections of their own, and register when they have them:
 * who opens a run has a row too, or somebody who starts in the same second
 * would find a run that nobody works on. */
static int
stand_in(struct state *s, const struct run_spec *spec, struct err *err)
{
	int rc;

	s->opener = s->worker = 0;
	rc = state_register(s, spec, err);
	s->opener = s->worker;
	s->worker = 0;
	return rc;
}

int
state_open_run(struct state *s, const struct run_spec *spec, bool *joined,
	struct err *err)
{
	struct buf keys;
	int rc = -1;

	s->run = 0;
	buf_init(&keys, (size_t)1 << 20);
	add_keys(&keys, spec->ring);
	if (pg_begin(s->pg, PG_WRITE, NULL, err) < 0 ||
		state_exec(s, "LOCK TABLE @.run IN SHARE ROW EXCLUSIVE MODE",
			NULL, err) < 0 ||
		state_check_runs(NULL, s, spec, err) < 0)
		goto out;
	*joined = s->run != 0;
	if ((*joined ? add_known_keys(s, buf_str(&keys), err)
		     : insert_run(s, spec, buf_str(&keys), err)) < 0)
		goto out;
	if ((*joined && start_anew(s, err) < 0) ||
		insert_leaves(s, spec->catalog, err) < 0 ||
		stand_in(s, spec, err) < 0)
		goto out;
	rc = state_exec(s, "COMMIT", NULL, err);
out:
	if (rc < 0)
		pg_rollback(s->pg);
	buf_done(&keys);
	return rc;
}

int
state_clock(uint64_t *ret, struct state *s, struct err *err)
{
	int64_t now;

	if (state_query_int(&now, s,
		    "SELECT extract(epoch FROM"
		    " pg_catalog.clock_timestamp())::bigint",
		    NULL, err) < 0)
		return -1;
	*ret = (uint64_t)now;
	return 0;
}

int
state_run_start(uint64_t *ret, struct state *s, struct err *err)
{
	struct pg_args args = {0};
	int64_t start;

	pg_arg_int(&args, s->run);
	if (state_query_int(&start, s,
		    "SELECT extract(epoch FROM started_at)::bigint FROM @.run"
		    " WHERE id = $1",
		    &args, err) < 0)
		return -1;
	*ret = (uint64_t)start;
	return 0;
}
