/*
 * Runs, workers, chunks.
 */
#include "state.h"
#include "store_int.h"
#include "survey.h"
#include <stdlib.h>

const char fake_links_state[] = "state";

struct fake_run *
fake_run(const struct state *s)
{
	if (s->run < 1 || s->run > fake.runs) {
		fake_wrong("a run that there is not");
		return &fake.run[0];
	}
	return &fake.run[s->run];
}

bool
fake_alive(int64_t worker)
{
	return fake.alive_until[worker] > fake_now();
}

struct fake_chunk *
fake_chunk(int64_t run, uint32_t leaf, int64_t no)
{
	struct fake_run *r = &fake.run[run];
	size_t table = leaf - FAKE_OID;

	if (run < 1 || run > fake.runs || no < 0 ||
		no >= (int64_t)r->chunks[table])
		return NULL;
	return &r->chunk[table][no];
}

/* -- runs ------------------------------------------------------------------ */

int
state_prepare(struct state *s, struct err *err)
{
	if (fake_enter(s->pg, "state_prepare", err) < 0)
		return -1;
	return fake_leave(s->pg, err);
}

int
survey_state(const struct remarks *to, struct state *s,
	const struct run_spec *spec, struct err *err)
{
	(void)to, (void)spec;
	if (fake_enter(s->pg, "survey_state", err) < 0)
		return -1;
	return fake_leave(s->pg, err);
}

static bool
is_deserted(void)
{
	for (int64_t i = 1; i <= fake.workers; i++) {
		if (fake_alive(i))
			return false;
	}
	return true;
}

static void
start_anew(struct fake_run *r)
{
	for (size_t i = 0; i < FAKE_TABLES; i++) {
		struct fake_leaf *l = &r->leaf[i];

		if (l->state == LEAF_EXHAUSTED ||
			(l->state == LEAF_SETTLED && l->pass_refused > 0))
			l->state = LEAF_DIRTY;
		l->stuck_since = l->not_before = 0;
		l->fruitless = l->passes_wrote = l->pass_refused = 0;
	}
}

/* Runs to another target are not the business of these tests. */
int
state_open_run(struct state *s, const struct run_spec *spec, bool *joined,
	struct err *err)
{
	struct fake_run *r = &fake.run[fake.runs];

	if (fake_enter(s->pg, "state_open_run", err) < 0)
		return -1;
	*joined = fake.runs > 0 && !strcmp(r->state, "open") &&
		  !strcmp(r->target, spec->target);
	if (!*joined) {
		if (fake.runs == FAKE_RUNS)
			die("too many runs");
		fake.run[++fake.runs] = (struct fake_run){
			.target = xstrdup(spec->target),
			.state = "open",
			.exit = -1,
		};
	}
	if (*joined && is_deserted())
		start_anew(r);
	s->run = fake.runs;
	return fake_leave(s->pg, err);
}

int
state_clock(uint64_t *ret, struct state *s, struct err *err)
{
	if (fake_enter(s->pg, "state_clock", err) < 0)
		return -1;
	*ret = FAKE_RUN_START;
	return fake_leave(s->pg, err);
}

int
state_run_start(uint64_t *ret, struct state *s, struct err *err)
{
	if (fake_enter(s->pg, "state_run_start", err) < 0)
		return -1;
	*ret = FAKE_RUN_START;
	return fake_leave(s->pg, err);
}

int
state_register(struct state *s, const struct run_spec *spec, struct err *err)
{
	(void)spec;
	if (fake_enter(s->pg, "state_register", err) < 0)
		return -1;
	if (fake.workers + 1 >= FAKE_WORKERS)
		die("too many workers");
	s->worker = s->pg->worker = ++fake.workers;
	fake.alive_until[s->worker] = FAKE_NEVER;
	return fake_leave(s->pg, err);
}

int
state_run_end(struct run_end *ret, struct state *s, struct err *err)
{
	const struct fake_run *r;

	if (fake_enter(s->pg, "state_run_end", err) < 0)
		return -1;
	r = fake_run(s);
	*ret = (struct run_end){.exit = r->exit};
	memcpy(ret->state, r->state, strlen(r->state) + 1);
	return fake_leave(s->pg, err);
}

int
state_progress(struct progress *ret, struct state *s, struct err *err)
{
	*ret = (struct progress){0};
	if (fake_enter(s->pg, "state_progress", err) < 0)
		return -1;
	return fake_leave(s->pg, err);
}

/* Nobody pauses these runs. */
int
state_pause_reason(char why[STATE_WHY], struct state *s, struct err *err)
{
	why[0] = '\0';
	if (fake_enter(s->pg, "state_pause_reason", err) < 0)
		return -1;
	return fake_leave(s->pg, err);
}

/* -- chunks ---------------------------------------------------------------- */

static bool
is_free(const struct fake_chunk *c, int64_t worker)
{
	return c->state == CHUNK_TODO ||
	       (c->state == CHUNK_RUNNING &&
		       (c->worker == worker || c->lease_until < fake_now() ||
			       !fake_alive(c->worker)));
}

static struct fake_chunk *
first_free(struct fake_run *r, int64_t worker, const struct selection *sel)
{
	for (size_t i = 0; i < sel->count; i++) {
		size_t table = sel->oid[i] - FAKE_OID;

		if (fake.table[table].locked)
			continue;
		for (size_t c = 0; c < r->chunks[table]; c++) {
			if (is_free(&r->chunk[table][c], worker))
				return &r->chunk[table][c];
		}
	}
	return NULL;
}

int
state_claim(bool *found, struct chunk *ret, struct state *s,
	const struct selection *sel, struct err *err)
{
	struct fake_chunk *c;

	if (fake_enter(s->pg, "state_claim", err) < 0)
		return -1;
	if (s->worker == 0)
		fake_wrong("a claim by nobody");
	c = first_free(fake_run(s), s->worker, sel);
	*found = c != NULL;
	if (c) {
		c->state = CHUNK_RUNNING;
		c->worker = s->worker;
		c->at.epoch++;
		c->lease_until = fake_now() + 1000 * LEASE_SECONDS;
		*ret = c->at;
	}
	return fake_leave(s->pg, err);
}

static struct fake_chunk *
own_chunk(const struct state *s, const struct chunk *c)
{
	struct fake_chunk *mine = fake_chunk(s->run, c->leaf, c->no);

	return mine && mine->at.epoch == c->epoch ? mine : NULL;
}

int
state_advance(struct state *s, const struct chunk *c,
	const struct chunk_counts *counts, int64_t pos, bool done,
	struct err *err)
{
	struct fake_chunk *mine;

	if (fake_enter(s->pg, "state_advance", err) < 0)
		return -1;
	mine = own_chunk(s, c);
	if (!mine)
		return fake_fail(s->pg, ROWS_FENCE, err);
	if (pos > mine->at.pos)
		mine->at.pos = pos;
	mine->state = done ? CHUNK_DONE : CHUNK_RUNNING;
	mine->lease_until = fake_now() + 1000 * LEASE_SECONDS;
	mine->left += counts->left;
	mine->locked += counts->locked;
	mine->refused += counts->refused;
	for (size_t i = 0; i < counts->columns; i++) {
		mine->sums.n[COUNT_MOVED][i] += counts->moved[i];
		mine->sums.n[COUNT_CONFLICT][i] += counts->conflict[i];
		mine->sums.n[COUNT_DEFERRED][i] += counts->deferred[i];
	}
	return fake_leave(s->pg, err);
}

int
state_found(struct state *s, uint32_t leaf, size_t column, int64_t values,
	struct err *err)
{
	struct fake_sums *sums = &fake_run(s)->leaf[leaf - FAKE_OID].sums;

	if (fake_enter(s->pg, "state_found", err) < 0)
		return -1;
	sums->n[COUNT_MOVED][column] += values;
	sums->n[COUNT_CONFLICT][column] -= values;
	return fake_leave(s->pg, err);
}

int
state_owns(bool *ret, struct state *s, const struct chunk *c, struct err *err)
{
	if (fake_enter(s->pg, "state_owns", err) < 0)
		return -1;
	*ret = own_chunk(s, c) != NULL;
	return fake_leave(s->pg, err);
}

/* For workers behind a pooler only. */
int
state_keep_alive(
	struct state *s, int64_t worker, int64_t seconds, struct err *err)
{
	(void)s, (void)worker, (void)seconds, (void)err;
	fake_wrong("a worker is kept alive that has a backend");
	return 0;
}

void
state_give_back(struct state *s)
{
	struct fake_run *r;
	struct err err;

	if (fake_enter(s->pg, "state_give_back", &err) < 0)
		return;
	r = fake_run(s);
	for (size_t t = 0; t < FAKE_TABLES; t++) {
		for (size_t i = 0; i < r->chunks[t]; i++) {
			struct fake_chunk *c = &r->chunk[t][i];

			if (c->state != CHUNK_RUNNING || c->worker != s->worker)
				continue;
			c->state = CHUNK_TODO;
			c->at.epoch++;
			c->worker = 0;
		}
	}
	(void)!fake_leave(s->pg, &err);
}
