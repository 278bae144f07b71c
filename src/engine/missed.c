/*
 * What became of values that a batch did not find as they had been read. Each
 * counts once: here as `moved` or `conflict`, elsewhere as `deferred` or as a
 * finding where the row is still there.
 */
#include "cell_int.h"
#include "engine_int.h"

static bool
stray_of(struct stray *ret, const struct worker *w, const struct window *win,
	size_t row, size_t column)
{
	const struct cell *c = &win->cell[row * win->columns + column];
	const struct leaf *leaf = rows_leaf(w->rows);

	if (!c->present || c->oversize)
		return false;
	*ret = (struct stray){
		.hash = stray_hash(window_value(win, c)),
		.target = leaf->target,
		.column = column,
		.leaf = leaf->oid,
		.tid = win->tid[row],
	};
	return true;
}

/* What was not to be rewritten was in no batch. */
int
missed_expect(
	struct worker *w, const struct window *win, size_t row, struct err *err)
{
	size_t first = row * win->columns;
	struct judgement j;
	struct stray stray;

	for (size_t i = 0; i < win->columns; i++) {
		if (!stray_of(&stray, w, win, row, i))
			continue;
		if (judge_cell(&j, w->judge, rows_leaf(w->rows), win, first + i,
			    err) < 0)
			return -1;
		stray.clear = j.clear;
		if (j.rewrite)
			stray_list_add(&w->strays, &stray);
	}
	return 0;
}

static void
add_found(struct worker *w, uint32_t leaf, size_t column)
{
	size_t i = 0;

	while (i < w->found_count &&
		(w->found[i].leaf != leaf || w->found[i].column != column))
		i++;
	if (i == w->found_room) {
		w->found_room = w->found_room ? 2 * w->found_room : 16;
		w->found =
			xrealloc(w->found, w->found_room * sizeof(*w->found));
	}
	if (i == w->found_count) {
		w->found[i] = (struct found){leaf, column, 0};
		w->found_count++;
	}
	w->found[i].values++;
}

void
missed_meet(struct worker *w, const struct window *win, size_t row)
{
	struct strays *others = &w->e->strays;
	struct stray seen, *own;
	uint32_t leaf;

	if (w->strays.count == 0 && !atomic_load(&others->any))
		return;
	for (size_t i = 0; i < win->columns; i++) {
		if (!stray_of(&seen, w, win, row, i))
			continue;
		own = stray_list_find(&w->strays, &seen);
		if (own) {
			own->met = true;
			w->counts.moved[i] += !stray_is_at(own, &seen);
		} else if (strays_may_have(others, seen.hash) &&
			   strays_meet(&leaf, others, &seen))
			add_found(w, leaf, i);
	}
}

/* Rows that were missed in one window may have been read in a later one. Of
 * plaintext any other row may be the one: what is read again is not yet
 * written, and little; but here are all rows. */
void
missed_look_back(struct worker *w, const struct window *win)
{
	struct stray seen, *own;

	for (size_t row = 0; row < win->rows; row++) {
		for (size_t i = 0; i < win->columns; i++) {
			if (!stray_of(&seen, w, win, row, i))
				continue;
			own = stray_list_find(&w->strays, &seen);
			if (!own || own->clear || stray_is_at(own, &seen))
				continue;
			own->met = true;
			w->counts.moved[i]++;
		}
	}
}

void
missed_count(struct worker *w)
{
	for (size_t i = 0; i < w->strays.count; i++) {
		const struct stray *s = &w->strays.stray[i];

		w->counts.conflict[s->column] += !s->met;
	}
}

/* What cannot be stored is forgotten first: it must not be counted twice. */
int
missed_store_found(struct worker *w, struct err *err)
{
	while (w->found_count > 0) {
		struct found f = w->found[--w->found_count];

		if (state_found(&w->state, f.leaf, f.column, f.values, err) < 0)
			return -1;
	}
	return 0;
}

void
missed_publish(struct worker *w)
{
	if (w->strays.count > 0)
		strays_add(&w->e->strays, &w->strays);
	stray_list_reset(&w->strays);
}
