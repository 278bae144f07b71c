/*
 * What a run leaves behind.
 */
#include "state.h"
#include "store_int.h"
#include <stdio.h>
#include <stdlib.h>

const char fake_links_result[] = "result";

/* -- findings -------------------------------------------------------------- */

static void
free_finding(struct fake_finding *f)
{
	xfree(f->f.table);
	xfree(f->f.column);
	xfree(f->f.row);
	xfree(f->f.verdict);
	xfree(f->f.reason);
	free(f);
}

static struct fake_finding **
find_finding(struct fake_run *r, const struct finding *f)
{
	struct fake_finding **at = &r->finding;

	while (*at && ((*at)->f.leaf != f->leaf ||
			      strcmp((*at)->f.column, f->column) != 0 ||
			      strcmp((*at)->f.row, f->row) != 0))
		at = &(*at)->next;
	return at;
}

int
state_find(struct state *s, const struct finding *f, struct err *err)
{
	struct fake_finding **at, *old, *mine;

	if (fake_enter(s->pg, "state_find", err) < 0)
		return -1;
	fake.facts.found++;
	at = find_finding(fake_run(s), f);
	old = *at;
	mine = xcalloc(1, sizeof(*mine));
	mine->f = *f;
	mine->f.table = xstrdup(f->table);
	mine->f.column = xstrdup(f->column);
	mine->f.row = xstrdup(f->row);
	mine->f.verdict = xstrdup(f->verdict);
	mine->f.reason = xstrdup(f->reason);
	mine->next = old ? old->next : NULL;
	*at = mine;
	if (old)
		free_finding(old);
	return fake_leave(s->pg, err);
}

int
state_findings(
	struct state *s, int64_t max, finding_fn fn, void *ctx, struct err *err)
{
	if (fake_enter(s->pg, "state_findings", err) < 0)
		return -1;
	for (const struct fake_finding *f = fake_run(s)->finding; f && max > 0;
		f = f->next, max--)
		fn(ctx, &f->f);
	return fake_leave(s->pg, err);
}

/* Sealed by the primary, with an envelope of another key inside. */
static bool
is_hidden(const struct finding *f)
{
	return f->by_pass && !strcmp(f->verdict, "current");
}

int
state_forget(struct state *s, const struct selection *sel, bool refused_too,
	struct err *err)
{
	struct fake_finding **at;

	(void)sel;
	if (fake_enter(s->pg, "state_forget", err) < 0)
		return -1;
	at = &fake_run(s)->finding;
	while (*at) {
		struct fake_finding *f = *at;

		if (f->f.by_pass && (!refused_too || is_hidden(&f->f))) {
			at = &f->next;
			continue;
		}
		*at = f->next;
		free_finding(f);
	}
	return fake_leave(s->pg, err);
}

int
state_hidden(int64_t *ret, struct state *s, const struct selection *sel,
	struct err *err)
{
	(void)sel;
	if (fake_enter(s->pg, "state_hidden", err) < 0)
		return -1;
	*ret = 0;
	for (const struct fake_finding *f = fake_run(s)->finding; f;
		f = f->next)
		*ret += is_hidden(&f->f);
	return fake_leave(s->pg, err);
}

/* -- numbers --------------------------------------------------------------- */

static void
free_number(struct fake_number *n)
{
	xfree(n->n.column);
	xfree(n->n.kind);
	xfree(n->n.name);
	free(n);
}

static void
forget_numbers(struct fake_run *r, uint32_t leaf)
{
	struct fake_number **at = &r->number;

	while (*at) {
		struct fake_number *n = *at;

		if (n->n.leaf != leaf) {
			at = &n->next;
			continue;
		}
		*at = n->next;
		free_number(n);
	}
}

int
state_finish(struct state *s, const struct selection *sel,
	const struct number *number, size_t count, int exit, struct err *err)
{
	struct fake_run *r;

	if (fake_enter(s->pg, "state_finish", err) < 0)
		return -1;
	r = fake_run(s);
	for (size_t i = 0; i < sel->count; i++)
		forget_numbers(r, sel->oid[i]);
	for (size_t i = 0; i < count; i++) {
		struct fake_number *n = xcalloc(1, sizeof(*n));

		n->n = number[i];
		n->n.column = xstrdup(number[i].column);
		n->n.kind = xstrdup(number[i].kind);
		n->n.name = xstrdup(number[i].name);
		n->next = r->number;
		r->number = n;
	}
	if (exit >= 0 && !strcmp(r->state, "open")) {
		r->state = exit == ERR_NONE ? "complete" : "findings";
		r->exit = exit;
		r->prover = 0;
	}
	s->pg->transaction = false;
	return fake_leave(s->pg, err);
}

static void
tell_sums(const struct fake_sums *sums, uint32_t leaf, number_fn fn, void *ctx)
{
	static const char *const name[COUNTS] = {"rewritten", "nested",
		"mislabelled", "late", "moved", "conflict", "deferred"};

	for (size_t c = 0; c < FAKE_COLUMNS; c++) {
		char column[24];

		snprintf(column, sizeof(column), "%zu", c + 1);
		for (size_t i = 0; i < COUNTS; i++) {
			struct number n = {
				leaf, column, "pass", name[i], sums->n[i][c]};

			fn(ctx, &n);
		}
	}
}

int
state_numbers(struct state *s, number_fn fn, void *ctx, struct err *err)
{
	const struct fake_run *r;

	if (fake_enter(s->pg, "state_numbers", err) < 0)
		return -1;
	r = fake_run(s);
	for (const struct fake_number *n = r->number; n; n = n->next)
		fn(ctx, &n->n);
	for (size_t t = 0; t < FAKE_TABLES; t++) {
		uint32_t leaf = FAKE_OID + (uint32_t)t;

		tell_sums(&r->leaf[t].sums, leaf, fn, ctx);
		for (size_t i = 0; i < r->chunks[t]; i++)
			tell_sums(&r->chunk[t][i].sums, leaf, fn, ctx);
	}
	return fake_leave(s->pg, err);
}

void
fake_run_done(struct fake_run *r)
{
	while (r->finding) {
		struct fake_finding *f = r->finding;

		r->finding = f->next;
		free_finding(f);
	}
	while (r->number) {
		struct fake_number *n = r->number;

		r->number = n->next;
		free_number(n);
	}
	free(r->target);
	memset(r, 0, sizeof(*r));
}
