/*
 * The run as a whole: connect, look, join or begin, let the workers work,
 * gather what happened.
 */
#include "digest.h"
#include "engine_int.h"
#include "log.h"
#include "quote.h"
#include <pwd.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

#define WORKER_STACK ((size_t)1 << 20)

/* -- what makes two starts the same ---------------------------------------- */

static void
add_part(struct buf *b, const char *part)
{
	buf_addf(b, "%zu:%s;", strlen(part), part);
}

static char *
target_digest(const struct rotate_options *o)
{
	const struct key *primary = &o->ring->key[o->ring->primary];
	char hex[DIGEST_HEX + 1];
	struct buf b;

	buf_init(&b, (size_t)1 << 24);
	add_part(&b, primary->id);
	add_part(&b, primary->fingerprint);
	buf_addf(&b, "%d;", o->method);
	for (size_t i = 0; i < o->targets; i++) {
		const struct target *t = &o->target[i];

		add_part(&b, t->schema);
		add_part(&b, t->table);
		add_part(&b, t->policy.format->name);
		add_part(&b, t->where ? t->where : "");
		buf_addf(&b, "%d;%d;", t->policy.raw, t->policy.nested);
		for (size_t c = 0; c < t->columns; c++)
			add_part(&b, t->column[c]);
	}
	digest_hex(hex, buf_slice(&b));
	buf_done(&b);
	return xstrdup(hex);
}

/* -- setting up ------------------------------------------------------------ */

static void
cancel_workers(void *ctx)
{
	struct engine *e = ctx;

	for (int64_t i = 0; i < e->o->workers && e->worker; i++) {
		struct worker *w = &e->worker[i];

		pthread_mutex_lock(&w->mutex);
		if (w->pg)
			pg_cancel(w->pg);
		pthread_mutex_unlock(&w->mutex);
	}
}

static char *
os_user(void)
{
	struct passwd entry, *found = NULL;
	char text[4096];

	if (getpwuid_r(geteuid(), &entry, text, sizeof(text), &found) == 0 &&
		found)
		return xstrdup(found->pw_name);
	return xasprintf("%lu", (unsigned long)geteuid());
}

static char *
host_name(void)
{
	char name[256];

	if (gethostname(name, sizeof(name)) != 0)
		return xstrdup("?");
	name[sizeof(name) - 1] = '\0';
	return xstrdup(name);
}

static void
init_locks(struct engine *e)
{
	pthread_condattr_t attr;

	pthread_mutex_init(&e->mutex, NULL);
	pthread_condattr_init(&attr);
	pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
	pthread_cond_init(&e->idle, &attr);
	pthread_condattr_destroy(&attr);
}

static void
engine_init(struct engine *e, const struct rotate_options *o)
{
	const struct key *primary = &o->ring->key[o->ring->primary];
	struct timespec t;
	struct buf schema;

	*e = (struct engine){.o = o};
	clock_gettime(CLOCK_MONOTONIC, &t);
	e->started_ms = (int64_t)t.tv_sec * 1000 + t.tv_nsec / 1000000;
	init_locks(e);
	buf_init(&schema, 1024);
	quote_ident(&schema, o->state_schema);
	e->schema = xstrdup(buf_str(&schema));
	buf_done(&schema);
	e->current_key = o->method == METHOD_FERNET ? primary->id : NULL;
	e->spec = (struct run_spec){
		.target = target_digest(o),
		.ring = o->ring,
		.method = o->method == METHOD_FERNET ? "fernet" : "plaintext",
		.catalog = &e->catalog,
		.host = host_name(),
		.os_user = os_user(),
		.version = o->version,
		.os_pid = getpid(),
		.no_join = o->no_join,
	};
	e->pass = (struct pass_options){
		.chunk_bytes = o->chunk_bytes,
		.workers = o->workers,
		.max_passes = o->max_passes,
		.finish_wait_s = 300,
	};
	e->judge = (struct judge_options){
		.ring = o->ring,
		.now = (uint64_t)time(NULL),
		.run_start = UINT64_MAX,
		.seal = true,
	};
}

static void
free_const(const char *s)
{
	free((void *)(uintptr_t)s);
}

static void
engine_done(struct engine *e)
{
	catalog_done(&e->catalog);
	free(e->selection.oid);
	free_const(e->spec.target);
	free_const(e->spec.host);
	free_const(e->spec.os_user);
	free(e->schema);
	pthread_cond_destroy(&e->idle);
	pthread_mutex_destroy(&e->mutex);
}

static int
load_catalog(struct engine *e, struct pg *pg, struct err *err)
{
	catalog_done(&e->catalog);
	if (catalog_load(&e->catalog, pg, e->o->target, e->o->targets,
		    CATALOG_WRITE, err) < 0)
		return -1;
	free(e->selection.oid);
	e->selection.count = 0;
	e->selection.oid =
		xcalloc(e->catalog.leaves, sizeof(*e->selection.oid));
	e->partial = false;
	for (size_t i = 0; i < e->catalog.leaves; i++) {
		const struct leaf *leaf = &e->catalog.leaf[i];

		if (engine_selects(e, leaf))
			e->selection.oid[e->selection.count++] = leaf->oid;
	}
	for (size_t i = 0; i < e->o->targets && e->o->selected; i++)
		e->partial |= !e->o->selected[i];
	return 0;
}

/* -- the workers ----------------------------------------------------------- */

static int
start_workers(struct engine *e, struct err *err)
{
	pthread_attr_t attr;
	int rc = 0;

	pthread_attr_init(&attr);
	pthread_attr_setstacksize(&attr, WORKER_STACK);
	for (int64_t i = 0; i < e->o->workers && rc == 0; i++) {
		pthread_mutex_lock(&e->mutex);
		rc = pthread_create(&e->worker[i].thread, &attr, worker_main,
			&e->worker[i]);
		if (rc == 0)
			e->workers_running++;
		else
			e->worker[i].thread = pthread_self();
		pthread_mutex_unlock(&e->mutex);
	}
	pthread_attr_destroy(&attr);
	if (rc != 0) {
		stop_request(&e->stop, STOP_SOON);
		return err_set(err, ERR_BUG, "cannot start a thread");
	}
	return 0;
}

/* One generation of workers: until the run is over, or the leaves change. */
static int
run_workers(struct engine *e, struct state *s, struct err *err)
{
	int64_t made = 0;
	int rc = 0;

	e->end = END_NONE;
	e->worker = xcalloc((size_t)e->o->workers, sizeof(*e->worker));
	for (; made < e->o->workers && rc == 0; made++)
		rc = worker_init(&e->worker[made], e, err);
	if (rc == 0)
		rc = start_workers(e, err);
	progress_watch(e, s);
	for (int64_t i = 0; i < made; i++) {
		if (rc == 0)
			pthread_join(e->worker[i].thread, NULL);
	}
	for (int64_t i = 0; i < made; i++)
		worker_done(&e->worker[i]);
	free(e->worker);
	e->worker = NULL;
	return rc;
}

/* -- a run ----------------------------------------------------------------- */

/* Leaves that look clean need no pass; the proof has the last word. */
static bool *
glance(struct engine *e, struct pg *pg, struct err *err)
{
	bool *has_work = xcalloc(e->catalog.leaves + 1, sizeof(*has_work));

	for (size_t i = 0; i < e->catalog.leaves; i++) {
		const struct leaf *leaf = &e->catalog.leaf[i];
		struct rows *r;
		int rc;

		if (!engine_selects(e, leaf))
			continue;
		r = engine_rows(e, leaf);
		rc = rows_glance(&has_work[i], r, pg, err);
		rows_free(r);
		if (rc < 0) {
			free(has_work);
			return NULL;
		}
	}
	return has_work;
}

static int
begin_run(struct engine *e, struct state *s, struct rotate_outcome *ret,
	struct err *err)
{
	bool *has_work = glance(e, s->pg, err);
	int rc = -1;

	if (!has_work)
		return -1;
	if (preflight(e, s->pg, has_work, err) < 0 ||
		state_open_run(s, &e->spec, &ret->joined, err) < 0 ||
		state_run_start(&e->judge.run_start, s, err) < 0)
		goto out;
	e->run = ret->run = s->run;
	for (size_t i = 0; i < e->catalog.leaves; i++) {
		if (!has_work[i] && engine_selects(e, &e->catalog.leaf[i]) &&
			state_settle(s, e->catalog.leaf[i].oid, err) < 0)
			goto out;
	}
	rc = 0;
out:
	free(has_work);
	return rc;
}

/* Partitions that appeared join the run; then it goes on with all of them. */
static int
relist(struct engine *e, struct state *s, struct err *err)
{
	bool joined;

	if (load_catalog(e, s->pg, err) < 0)
		return -1;
	return state_open_run(s, &e->spec, &joined, err);
}

static int
work(struct engine *e, struct state *s, struct err *err)
{
	do {
		if (e->end == END_RELIST && relist(e, s, err) < 0)
			return -1;
		if (run_workers(e, s, err) < 0)
			return -1;
	} while (e->end == END_RELIST && !stop_requested(&e->stop));
	if (e->end == END_FAILED) {
		*err = e->err;
		return -1;
	}
	return 0;
}

/* -- what happened --------------------------------------------------------- */

struct gather {
	struct rotate_outcome *ret;
	const struct engine *e;
};

static void
gather_number(void *ctx, const struct number *n)
{
	struct gather *g = ctx;
	const struct leaf *leaf = catalog_find(&g->e->catalog, n->leaf);
	size_t column = 0;

	if (!leaf || !engine_selects(g->e, leaf))
		return;
	if (!strcmp(n->kind, "pass")) { /* these know columns by number */
		column = (size_t)strtoul(n->column, NULL, 10) - 1;
	} else {
		while (column < leaf->conf->columns &&
			strcmp(leaf->conf->column[column], n->column) != 0)
			column++;
	}
	if (column < leaf->conf->columns)
		tally_number(&g->ret->tally[leaf->target][column], n->kind,
			n->name, n->value);
}

static void
add_finding(struct rotate_outcome *ret, const struct finding *f)
{
	ret->finding = xrealloc(
		ret->finding, (ret->findings + 1) * sizeof(*ret->finding));
	ret->finding[ret->findings++] = (struct finding){
		.leaf = f->leaf,
		.table = xstrdup(f->table),
		.column = xstrdup(f->column),
		.row = xstrdup(f->row),
		.verdict = f->verdict,
		.reason = xstrdup(f->reason),
	};
}

/* Verdicts as stored are text of a result that is freed: find our own. */
static const char *
own_verdict(const char *name)
{
	for (int i = 0; i < VERDICTS; i++) {
		if (!strcmp(name, verdict_name((enum verdict)i)))
			return verdict_name((enum verdict)i);
	}
	return "?";
}

static void
gather_finding(void *ctx, const struct finding *f)
{
	struct finding copy = *f;

	copy.verdict = own_verdict(f->verdict);
	add_finding(((struct gather *)ctx)->ret, &copy);
}

static void
count_findings(struct rotate_outcome *ret, const struct rotate_options *o)
{
	for (size_t t = 0; t < o->targets; t++) {
		for (size_t c = 0; c < o->target[t].columns; c++)
			ret->total_findings +=
				ret->tally[t][c].findings +
				(o->dry_run ? 0 : ret->tally[t][c].left);
	}
}

static int
gather(struct rotate_outcome *ret, struct engine *e, struct state *s,
	struct err *err)
{
	struct gather g = {ret, e};
	int64_t hidden = 0;

	if (state_numbers(s, gather_number, &g, err) < 0 ||
		state_findings(s, e->o->max_findings, gather_finding, &g, err) <
			0 ||
		state_hidden(&hidden, s, err) < 0)
		return -1;
	ret->total_findings = hidden;
	count_findings(ret, e->o);
	return 0;
}

static int
stopped_note(struct rotate_outcome *ret, const char *why)
{
	snprintf(ret->note, sizeof(ret->note), "%s", why);
	return ERR_STOPPED;
}

static int
exit_status(struct rotate_outcome *ret, struct engine *e, struct state *s,
	struct err *err)
{
	struct run_end end;

	memcpy(ret->note, e->note, sizeof(ret->note));
	switch (e->end) {
	case END_INCONCLUSIVE:
		return ERR_INCONCLUSIVE;
	case END_STUCK:
		return ERR_STOPPED;
	case END_COMPLETE:
	case END_FINDINGS:
		break;
	case END_NONE:
	case END_RELIST:
	case END_FAILED:
		return stopped_note(ret, "stopped early");
	}
	if (e->partial) {
		ret->complete = true;
		return e->end == END_COMPLETE ? ERR_NONE : ERR_FINDINGS;
	}
	if (state_run_end(&end, s, err) < 0)
		return -1;
	if (!strcmp(end.state, "superseded"))
		return stopped_note(ret, "another run has superseded this one");
	ret->complete = true;
	return end.exit < 0 ? ERR_FINDINGS : end.exit;
}

/* The connection of the beginning may be gone by now. */
static int
reconnect(struct state *s, const struct rotate_options *o, struct err *err)
{
	if (s->pg && !pg_lost(s->pg))
		return 0;
	pg_close(s->pg);
	s->pg = NULL;
	return pg_open(&s->pg, &o->connection, err);
}

static int
real_run(struct rotate_outcome *ret, struct engine *e, struct state *s,
	struct err *err)
{
	int status;

	if (state_prepare(s, err) < 0 || begin_run(e, s, ret, err) < 0 ||
		work(e, s, err) < 0 || reconnect(s, e->o, err) < 0)
		return -1;
	status = exit_status(ret, e, s, err);
	if (status >= 0 && gather(ret, e, s, err) < 0)
		return -1;
	return status;
}

/* -- the dry run ----------------------------------------------------------- */

static int
dry_leaf(struct rotate_outcome *ret, struct engine *e, struct pg *pg,
	const struct leaf *leaf, bool *refused, struct err *err)
{
	struct inspection in = {0};
	struct judge *judge;
	struct err refusal;
	struct rows *r;
	int rc = -1;

	if (judge_new(&judge, &e->judge, err) < 0)
		return -1;
	r = engine_rows(e, leaf);
	if (rows_check_lengths(r, pg, err) < 0 ||
		inspect_leaf(&in, r, pg, judge, e->o->ring, e->o->max_findings,
			err) < 0 ||
		preflight_canary(e, pg, leaf, &refusal, err) < 0)
		goto out;
	if (refusal.code != ERR_NONE) {
		*refused = true;
		snprintf(ret->note, sizeof(ret->note), "%.200s: %.300s",
			leaf->name, refusal.msg);
	}
	for (size_t c = 0; c < leaf->conf->columns; c++)
		tally_merge(&ret->tally[leaf->target][c], &in.column[c]);
	for (size_t f = 0;
		f < in.findings && (int64_t)ret->findings < e->o->max_findings;
		f++)
		add_finding(ret, &in.finding[f]);
	rc = 0;
out:
	inspection_done(&in, leaf);
	rows_free(r);
	judge_free(judge);
	return rc;
}

static int
dry_run(struct rotate_outcome *ret, struct engine *e, struct pg *pg,
	struct err *err)
{
	bool refused = false;

	for (size_t i = 0; i < e->catalog.leaves; i++) {
		const struct leaf *leaf = &e->catalog.leaf[i];

		if (stop_requested(&e->stop))
			return stopped_note(ret, "stopped early");
		if (engine_selects(e, leaf) &&
			dry_leaf(ret, e, pg, leaf, &refused, err) < 0)
			return -1;
	}
	count_findings(ret, e->o);
	return refused || ret->total_findings > 0 ? ERR_FINDINGS : ERR_NONE;
}

/* -- entry ----------------------------------------------------------------- */

static void
outcome_init(struct rotate_outcome *ret, const struct rotate_options *o)
{
	*ret = (struct rotate_outcome){.started = (uint64_t)time(NULL)};
	ret->tally = xcalloc(o->targets, sizeof(struct tally_column *));
	for (size_t i = 0; i < o->targets; i++)
		ret->tally[i] =
			xcalloc(o->target[i].columns, sizeof(**ret->tally));
}

void
rotate_outcome_done(struct rotate_outcome *ret, const struct rotate_options *o)
{
	for (size_t t = 0; ret->tally && t < o->targets; t++) {
		for (size_t c = 0; c < o->target[t].columns; c++)
			tally_column_done(&ret->tally[t][c]);
		free(ret->tally[t]);
	}
	for (size_t i = 0; i < ret->findings; i++)
		finding_done(&ret->finding[i]);
	free(ret->tally);
	free(ret->finding);
	*ret = (struct rotate_outcome){0};
}

static void
finish_clock(struct rotate_outcome *ret, const struct engine *e)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	ret->finished = (uint64_t)time(NULL);
	ret->seconds = (double)((int64_t)t.tv_sec * 1000 + t.tv_nsec / 1000000 -
				e->started_ms) /
		       1000;
}

int
rotate_run(struct rotate_outcome *ret, const struct rotate_options *o,
	struct err *err)
{
	struct state s = {0};
	struct engine e;
	int status = -1;

	outcome_init(ret, o);
	engine_init(&e, o);
	s.schema = e.schema;
	if (stop_start(&e.stop, cancel_workers, &e, err) < 0) {
		engine_done(&e);
		return -1;
	}
	if (pg_open(&s.pg, &o->connection, err) < 0 ||
		load_catalog(&e, s.pg, err) < 0 ||
		state_limits(&e.lock_ms, &e.statement_ms, &s,
			o->lock_timeout_ms, err) < 0)
		goto out;
	status = o->dry_run ? dry_run(ret, &e, s.pg, err)
			    : real_run(ret, &e, &s, err);
out:
	finish_clock(ret, &e);
	stop_end(&e.stop);
	pg_close(s.pg);
	engine_done(&e);
	return status;
}
