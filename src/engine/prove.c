/*
 * The proof. Passes are work, never proof: each window has its own snapshot,
 * and beside a busy writer a row can hop from ahead of the walk to behind it
 * and be seen by none. So: wait for every transaction that could still write
 * what it computed before, then look at everything in one snapshot.
 */
#include "engine_int.h"
#include "fail_point.h"
#include "log.h"
#include "snapshot.h"
#include "text.h"
#include <stdio.h>
#include <stdlib.h>

struct proof {
	struct inspection *leaf; /* one per selected leaf */
	const struct leaf **which;
	size_t count;
	char who[256]; /* the fence was not reached because of them */
	bool relist;   /* the leaves are not what they were: prove anew */
};

static bool
is_stopping(void *ctx)
{
	struct engine *e = ctx;

	return stop_requested(&e->stop) || engine_ended(e) != END_NONE;
}

static void
proof_done(struct proof *p)
{
	for (size_t i = 0; i < p->count; i++)
		inspection_done(&p->leaf[i], p->which[i]);
	free(p->leaf);
	free(p->which);
}

/* As it is now, or as it was before somebody altered it? A column of another
 * type is read in another way. */
static bool
is_known(const struct engine *e, const struct leaf *now)
{
	const struct leaf *known = catalog_find(&e->catalog, now->oid);

	if (!known)
		return false;
	for (size_t c = 0; c < now->conf->columns; c++) {
		if (known->column[c].carrier != now->column[c].carrier ||
			known->column[c].max_chars != now->column[c].max_chars)
			return false;
	}
	return true;
}

/* Partitions come and go; a proof is about those there are now. */
static int
compare_leaves(struct proof *p, struct worker *w, struct err *err)
{
	struct engine *e = w->e;
	struct catalog now;

	if (catalog_load(&now, w->pg, e->o->job.target, e->o->job.targets,
		    CATALOG_WRITE, err) < 0)
		return -1;
	p->relist = now.leaves != e->catalog.leaves;
	for (size_t i = 0; i < now.leaves && !p->relist; i++)
		p->relist = !is_known(e, &now.leaf[i]);
	catalog_done(&now);
	return 0;
}

static int
inspect_all(struct proof *p, struct worker *w, struct err *err)
{
	struct engine *e = w->e;

	for (size_t i = 0; i < e->catalog.leaves && !p->relist; i++) {
		const struct leaf *leaf = &e->catalog.leaf[i];
		struct rows *r;
		bool shown;
		int rc;

		if (!engine_selects(e, leaf))
			continue;
		if (is_stopping(e))
			return 0;
		r = engine_rows(e, leaf);
		p->which[p->count] = leaf;
		rc = inspect_leaf(&p->leaf[p->count++], r, w->pg, w->judge,
			e->o->job.max_findings, err);
		rows_free(r);
		if (rc < 0 || snapshot_shows(&shown, w->pg, leaf, err) < 0)
			return -1;
		p->relist = !shown;
	}
	return 0;
}

/* Parallel plans are as good as any here; the setting is the server's own. For
 * a locked table the proof waits as long as it takes: it holds no other, and
 * what it has read would be lost. */
static int
begin(struct pg *pg, struct err *err)
{
	struct buf sql;
	int rc;

	buf_init(&sql, (size_t)1 << 14);
	pg_add_begin(&sql, pg, PG_SNAPSHOT, NULL);
	buf_adds(&sql, "SET LOCAL max_parallel_workers_per_gather TO "
		       "DEFAULT; SET LOCAL lock_timeout = 0; " SNAPSHOT_MARK);
	rc = pg_exec(pg, buf_str(&sql), err);
	buf_done(&sql);
	return rc;
}

/* Everything that is looked at, leaves included, in one snapshot. */
static int
look_at_all(struct proof *p, struct worker *w, struct err *err)
{
	if (begin(w->pg, err) == 0 && compare_leaves(p, w, err) == 0 &&
		(p->relist || inspect_all(p, w, err) == 0))
		return pg_exec(w->pg, "COMMIT", err);
	p->relist = generations_changed(w->e, w->pg, err);
	return p->relist ? 0 : -1;
}

/* Orders another pass over leaves that still have something to rewrite. */
static int
reopen(bool *again, int64_t *left, const struct proof *p, struct worker *w,
	struct err *err)
{
	*again = false;
	*left = 0;
	for (size_t i = 0; i < p->count; i++) {
		int64_t rows = p->leaf[i].to_rewrite;
		bool one = false;

		if (rows == 0)
			continue;
		if (state_reopen(&one, &w->state, p->which[i]->oid, rows,
			    &w->e->pass, err) < 0)
			return -1;
		*again |= one;
		*left += one ? 0 : rows;
	}
	return 0;
}

/* -- what the proof leaves behind ------------------------------------------ */

struct numbers {
	struct number *n;
	size_t count, room;
	uint32_t leaf;
	const char *column;
};

static void
add_number(void *ctx, const char *kind, const char *name, int64_t value)
{
	struct numbers *s = ctx;

	if (s->count == s->room) {
		s->room = s->room ? 2 * s->room : 64;
		s->n = xrealloc(s->n, s->room * sizeof(*s->n));
	}
	s->n[s->count++] =
		(struct number){s->leaf, s->column, kind, name, value};
}

static int
store_findings(int64_t *blocked, const struct proof *p, struct worker *w,
	struct err *err)
{
	*blocked = 0;
	for (size_t i = 0; i < p->count; i++) {
		for (size_t c = 0; c < p->which[i]->conf->columns; c++)
			*blocked += p->leaf[i].column[c].findings;
		for (size_t f = 0; f < p->leaf[i].findings; f++) {
			if (state_find(&w->state, &p->leaf[i].finding[f], err) <
				0)
				return -1;
		}
	}
	return 0;
}

/* exit: of the run, or -1: it stays open. */
static int
finish(const struct proof *p, struct worker *w, int exit, struct err *err)
{
	struct numbers all = {0};
	int rc;

	for (size_t i = 0; i < p->count; i++) {
		all.leaf = p->which[i]->oid;
		for (size_t c = 0; c < p->which[i]->conf->columns; c++) {
			all.column = p->which[i]->column[c].name;
			tally_each(&p->leaf[i].column[c], add_number, &all);
			if (p->who[0])
				add_number(&all, NUMBER_UNFENCED, "", 1);
			if (w->e->o->thorough)
				add_number(&all, NUMBER_THOROUGH, "", 1);
		}
	}
	rc = state_finish(&w->state, &w->e->selection, all.n, all.count,
		w->e->partial ? -1 : exit, err);
	free(all.n);
	return rc;
}

static void
say_left(char note[512], const struct proof *p, int64_t left)
{
	int64_t late = 0;

	for (size_t i = 0; i < p->count; i++) {
		for (size_t c = 0; c < p->which[i]->conf->columns; c++)
			late += p->leaf[i].column[c].late;
	}
	if (late > 0)
		snprintf(note, 512,
			"%lld %s sealed with an old key after the run began: a "
			"writer still uses it",
			(long long)late,
			text_plural(late, "value was", "values were"));
	else
		snprintf(note, 512,
			"%lld %s could not be rewritten: the server refused "
			"%s, or max_passes was reached",
			(long long)left, text_plural(left, "row", "rows"),
			text_plural(left, "it", "them"));
}

/* Behind what is said already. */
static void
say_unfenced(char note[512], const struct proof *p)
{
	size_t n = strlen(note);

	snprintf(note + n, 512 - n,
		"%s%s had written before the fence and has not ended",
		n ? "; " : "", p->who);
}

/* How the run ends for this process, if it does. */
struct ending {
	enum end end;
	char note[512];
};

/* Nothing more can be done: closes the run, or says why it stays open, and
 * commits. */
static int
conclude(struct ending *ret, const struct proof *p, struct worker *w,
	int64_t left, struct err *err)
{
	int64_t blocked, hidden;
	bool dirty;

	if (state_forget(&w->state, &w->e->selection, left == 0, err) < 0 ||
		store_findings(&blocked, p, w, err) < 0 ||
		state_hidden(&hidden, &w->state, &w->e->selection, err) < 0)
		return -1;
	dirty = blocked > 0 || left > 0 || hidden > 0;
	if (left > 0)
		say_left(ret->note, p, left);
	if (p->who[0])
		say_unfenced(ret->note, p);
	if (!dirty && p->who[0]) {
		ret->end = END_INCONCLUSIVE;
		return finish(p, w, -1, err);
	}
	ret->end = dirty ? END_FINDINGS : END_COMPLETE;
	return finish(p, w, dirty ? ERR_FINDINGS : ERR_NONE, err);
}

/* One transaction, of the one that proves. Who was frozen meanwhile, and has
 * an heir, changes nothing any more. */
static int
act(struct ending *ret, const struct proof *p, struct worker *w,
	struct err *err)
{
	int64_t left;
	bool again;

	if (state_prove_conclude(&w->state, err) < 0 ||
		reopen(&again, &left, p, w, err) < 0)
		return -1;
	FAIL_POINT(conclusion_drawn);
	return again ? pg_exec(w->pg, "COMMIT", err)
		     : conclude(ret, p, w, left, err);
}

static int
draw_conclusions(struct proof *p, struct worker *w, struct err *err)
{
	struct ending ending = {END_NONE, ""};

	if (p->relist) {
		engine_end(w->e, END_RELIST, NULL, NULL);
		return state_prove_end(&w->state, err);
	}
	if (is_stopping(w->e))
		return state_prove_end(&w->state, err);
	if (act(&ending, p, w, err) < 0)
		return -1;
	if (ending.end != END_NONE)
		engine_end(w->e, ending.end, NULL, ending.note);
	return 0;
}

int
prove(struct worker *w, struct err *err)
{
	struct fence_wait wait = {w->e->o->job.wait_ms, is_stopping, w->e};
	struct proof p = {0};
	int rc = -1;

	p.leaf = xcalloc(w->e->selection.count, sizeof(*p.leaf));
	p.which = xcalloc(w->e->selection.count, sizeof(*p.which));
	if (state_fence(&w->state, &w->e->selection, &wait, p.who, err) < 0)
		goto out;
	FAIL_POINT(fence_reached);
	if (!is_stopping(w->e) && look_at_all(&p, w, err) < 0)
		goto out;
	FAIL_POINT(all_seen);
	rc = draw_conclusions(&p, w, err);
	FAIL_POINT(conclusion_stored);
out:
	proof_done(&p);
	return rc;
}
