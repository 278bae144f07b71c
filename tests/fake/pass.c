/*
 * Passes and the fence, as state.h promises them.
 */
#include "state.h"
#include "store_int.h"
#include <stdio.h>

const char fake_links_pass[] = "pass";

#define CHUNK_BLOCKS 40

/* -- passes ---------------------------------------------------------------- */

int
state_settle(struct state *s, uint32_t leaf, struct err *err)
{
	struct fake_leaf *l;

	if (fake_enter(s->pg, "state_settle", err) < 0)
		return -1;
	l = &fake_run(s)->leaf[leaf - FAKE_OID];
	if (l->state == LEAF_DIRTY && l->pass == 0)
		l->state = LEAF_SETTLED;
	return fake_leave(s->pg, err);
}

struct over {
	int64_t left, locked, refused, wrote;
	bool done;
};

static struct over
sum_up(const struct fake_run *r, size_t table)
{
	struct over o = {.done = true};

	for (size_t i = 0; i < r->chunks[table]; i++) {
		const struct fake_chunk *c = &r->chunk[table][i];

		o.done &= c->state == CHUNK_DONE;
		o.left += c->left;
		o.locked += c->locked;
		o.refused += c->refused;
		for (size_t k = 0; k < FAKE_COLUMNS; k++)
			o.wrote += c->sums.n[COUNT_REWRITTEN][k];
	}
	return o;
}

static void
fold_sums(struct fake_run *r, size_t table)
{
	for (size_t i = 0; i < r->chunks[table]; i++) {
		for (size_t n = 0; n < COUNTS; n++) {
			for (size_t k = 0; k < FAKE_COLUMNS; k++)
				r->leaf[table].sums.n[n][k] +=
					r->chunk[table][i].sums.n[n][k];
		}
	}
	r->chunks[table] = 0;
}

static void
pause_leaf(struct fake_leaf *l, const struct over *o)
{
	int64_t wait = l->fruitless < 7 ? (int64_t)250 << l->fruitless : 30000;

	l->not_before = 0;
	if (o->wrote > 0 || o->left == 0) {
		l->stuck_since = 0;
		return;
	}
	l->not_before = fake_now() + wait;
	if (!l->stuck_since)
		l->stuck_since = fake_now();
}

/* Closes the pass of a leaf whose chunks are all done. */
static void
fold(struct fake_run *r, size_t table, const struct pass_options *o)
{
	struct fake_leaf *l = &r->leaf[table];
	struct over over = sum_up(r, table);
	bool idle = l->fruitless >= o->max_passes && over.locked < over.left;

	if (l->state != LEAF_WALKING || !over.done)
		return;
	fold_sums(r, table);
	pause_leaf(l, &over);
	l->pass_rewritten = over.wrote;
	l->pass_refused = over.refused;
	l->passes_wrote += over.wrote > 0;
	l->fruitless = over.wrote > 0 ? 0 : l->fruitless + 1;
	if (over.left == 0)
		l->state = LEAF_SETTLED;
	else if (l->passes_wrote >= o->max_passes || idle)
		l->state = LEAF_EXHAUSTED;
	else
		l->state = LEAF_DIRTY;
}

static void
plan(struct fake_run *r, size_t table)
{
	struct fake_leaf *l = &r->leaf[table];

	if (l->state != LEAF_DIRTY || l->not_before > fake_now() ||
		fake.table[table].locked)
		return;
	l->state = LEAF_WALKING;
	l->pass++;
	l->blocks = fake.table[table].blocks;
	for (int64_t lo = 0; lo < l->blocks; lo += CHUNK_BLOCKS) {
		struct fake_chunk *c = &r->chunk[table][r->chunks[table]];
		int64_t hi = lo + CHUNK_BLOCKS;

		*c = (struct fake_chunk){
			.at = {.leaf = FAKE_OID + (uint32_t)table,
				.no = (int64_t)r->chunks[table]++,
				.lo = lo,
				.hi = hi < l->blocks ? hi : l->blocks,
				.pos = lo,
				.epoch = l->pass << 32},
		};
	}
}

struct look {
	int64_t todo, open, walking, dirty;
	bool stuck, locked;
};

static void
look(struct look *ret, const struct fake_run *r, size_t table,
	const struct pass_options *o)
{
	const struct fake_leaf *l = &r->leaf[table];

	bool open = l->state == LEAF_DIRTY;

	for (size_t i = 0; i < r->chunks[table]; i++) {
		open |= r->chunk[table][i].state != CHUNK_DONE;
		if (fake.table[table].locked)
			continue;
		ret->open += r->chunk[table][i].state != CHUNK_DONE;
		ret->todo += r->chunk[table][i].state == CHUNK_TODO;
	}
	ret->locked |= open && fake.table[table].locked;
	ret->walking += l->state == LEAF_WALKING;
	ret->dirty += l->state == LEAF_DIRTY;
	ret->stuck |= l->state == LEAF_DIRTY && l->stuck_since &&
		      l->stuck_since < fake_now() - 1000 * o->finish_wait_s;
}

static enum step
step_of(struct fake_run *r, const struct state *s, const struct look *seen)
{
	if (seen->todo > 0)
		return STEP_CLAIM;
	if (seen->open > 0)
		return STEP_WAIT;
	if (seen->locked)
		return STEP_LOCKED;
	if (seen->walking > 0)
		return STEP_CLAIM;
	if (seen->stuck)
		return STEP_STUCK;
	if (seen->dirty > 0)
		return STEP_WAIT;
	if (r->prover && r->prover != s->worker && fake_alive(r->prover))
		return STEP_WAIT;
	r->prover = s->worker;
	return STEP_PROVE;
}

int
state_next(enum step *ret, struct state *s, const struct selection *sel,
	const struct pass_options *o, struct err *err)
{
	struct look seen = {0};
	struct fake_run *r;

	if (fake_enter(s->pg, "state_next", err) < 0)
		return -1;
	r = fake_run(s);
	if (strcmp(r->state, "open") != 0) {
		*ret = STEP_FINISHED;
		return fake_leave(s->pg, err);
	}
	for (size_t i = 0; i < sel->count; i++) {
		fold(r, sel->oid[i] - FAKE_OID, o);
		plan(r, sel->oid[i] - FAKE_OID);
		look(&seen, r, sel->oid[i] - FAKE_OID, o);
	}
	*ret = step_of(r, s, &seen);
	return fake_leave(s->pg, err);
}

int
state_reopen(bool *again, struct state *s, uint32_t leaf, int64_t rows,
	const struct pass_options *o, struct err *err)
{
	struct fake_leaf *l;
	struct fake_run *r;

	if (fake_enter(s->pg, "state_reopen", err) < 0)
		return -1;
	r = fake_run(s);
	l = &r->leaf[leaf - FAKE_OID];
	*again = l->state != LEAF_EXHAUSTED &&
		 l->passes_wrote < o->max_passes &&
		 l->fruitless < o->max_passes &&
		 !(l->pass > 0 && l->pass_rewritten == 0 &&
			 rows <= l->pass_refused);
	if (*again)
		l->state = LEAF_DIRTY;
	r->reopened += *again;
	return fake_leave(s->pg, err);
}

/* No host freezes here: leases of proofs are tested where there is one. */
int
state_prove_on(struct state *s, int64_t worker, struct err *err)
{
	(void)worker;
	if (fake_enter(s->pg, "state_prove_on", err) < 0)
		return -1;
	return fake_leave(s->pg, err);
}

int
state_prove_conclude(struct state *s, struct err *err)
{
	struct fake_run *r;

	if (fake_enter(s->pg, "state_prove_conclude", err) < 0)
		return -1;
	r = fake_run(s);
	if (r->prover != s->worker || strcmp(r->state, "open") != 0)
		return fake_fail(s->pg, ROWS_FENCE, err);
	r->prover = 0;
	s->pg->transaction = true;
	return fake_leave(s->pg, err);
}

int
state_prove_end(struct state *s, struct err *err)
{
	struct fake_run *r;

	if (fake_enter(s->pg, "state_prove_end", err) < 0)
		return -1;
	r = fake_run(s);
	if (r->prover == s->worker)
		r->prover = 0;
	return fake_leave(s->pg, err);
}

int
state_is_waiting(bool *ret, struct state *s, struct err *err)
{
	const struct fake_run *r;

	if (fake_enter(s->pg, "state_is_waiting", err) < 0)
		return -1;
	r = fake_run(s);
	*ret = false;
	for (size_t i = 0; i < FAKE_TABLES; i++)
		*ret |= r->leaf[i].stuck_since != 0;
	return fake_leave(s->pg, err);
}

/* -- who holds rows -------------------------------------------------------- */

static bool
is_held(const struct selection *sel)
{
	for (size_t i = 0; i < sel->count; i++) {
		const struct fake_table *t = fake_table(sel->oid[i]);

		for (size_t r = 0; r < t->layout.rows; r++) {
			if (fake_is_locked(&t->row[r]))
				return true;
		}
	}
	return false;
}

static void
name_holder(char who[256], bool held)
{
	snprintf(who, 256, "%s", held ? "pid 1 (app)" : "");
}

/* The caller's function may take locks of its own. */
static bool
is_stopping(const struct fence_wait *wait)
{
	bool ret;

	fake_unlock();
	ret = wait->stopping(wait->ctx);
	fake_lock();
	return ret;
}

int
state_fence(struct state *s, const struct selection *sel,
	const struct fence_wait *wait, char who[256], struct err *err)
{
	int64_t until = fake_now() + wait->ms;
	bool held;

	if (fake_enter(s->pg, "state_fence", err) < 0)
		return -1;
	fake_run(s)->proofs++;
	for (;;) {
		held = is_held(sel);
		if (!held || fake_now() >= until || is_stopping(wait))
			break;
		fake_nap(100);
	}
	name_holder(who, held);
	fake.facts.unfenced = held;
	return fake_leave(s->pg, err);
}

int
state_lockers(struct state *s, const struct selection *sel, char who[256],
	struct err *err)
{
	if (fake_enter(s->pg, "state_lockers", err) < 0)
		return -1;
	name_holder(who, is_held(sel));
	return fake_leave(s->pg, err);
}

int
state_locked_by(
	char who[256], struct state *s, const struct target *t, struct err *err)
{
	(void)t;
	if (fake_enter(s->pg, "state_locked_by", err) < 0)
		return -1;
	who[0] = '\0';
	return fake_leave(s->pg, err);
}

int
state_limits(int64_t *lock_ms, int64_t *statement_ms, struct state *s,
	int64_t wanted_lock_ms, struct err *err)
{
	if (fake_enter(s->pg, "state_limits", err) < 0)
		return -1;
	*lock_ms = wanted_lock_ms;
	*statement_ms = 700;
	return fake_leave(s->pg, err);
}
