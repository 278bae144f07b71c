#include "err.h"
#include "stray_int.h"
#include <stdlib.h>

/* -- a list ---------------------------------------------------------------- */

void
stray_list_add(struct stray_list *l, const struct stray *stray)
{
	if (l->count == l->room) {
		l->room = l->room ? 2 * l->room : 64;
		l->stray = xrealloc(l->stray, l->room * sizeof(*l->stray));
	}
	l->stray[l->count++] = *stray;
	l->sorted = false;
}

static int
by_hash(const void *a, const void *b)
{
	const struct stray *x = a, *y = b;

	return (x->hash > y->hash) - (x->hash < y->hash);
}

/* The first that is not below the hash. */
static size_t
lower_bound(const struct stray_list *l, uint64_t hash)
{
	size_t lo = 0, hi = l->count;

	while (lo < hi) {
		size_t mid = lo + (hi - lo) / 2;

		if (l->stray[mid].hash < hash)
			lo = mid + 1;
		else
			hi = mid;
	}
	return lo;
}

bool
stray_is_at(const struct stray *s, const struct stray *seen)
{
	return s->leaf == seen->leaf && s->tid.block == seen->tid.block &&
	       s->tid.offset == seen->tid.offset;
}

struct stray *
stray_list_find(struct stray_list *l, const struct stray *seen)
{
	struct stray *found = NULL;

	if (!l->sorted && l->count > 0)
		qsort(l->stray, l->count, sizeof(*l->stray), by_hash);
	l->sorted = true;
	for (size_t i = lower_bound(l, seen->hash);
		i < l->count && l->stray[i].hash == seen->hash; i++) {
		struct stray *s = &l->stray[i];

		if (s->met || s->target != seen->target ||
			s->column != seen->column)
			continue;
		if (!found || stray_is_at(s, seen))
			found = s;
	}
	return found;
}

void
stray_list_done(struct stray_list *l)
{
	free(l->stray);
	*l = (struct stray_list){0};
}

/* -- those of a process ---------------------------------------------------- */

void
strays_init(struct strays *s)
{
	*s = (struct strays){0};
	pthread_mutex_init(&s->mutex, NULL);
}

void
strays_done(struct strays *s)
{
	stray_list_done(&s->list);
	pthread_mutex_destroy(&s->mutex);
}

/* They stay sorted. */
static void
drop_met(struct stray_list *l)
{
	size_t kept = 0;

	for (size_t i = 0; i < l->count; i++) {
		if (!l->stray[i].met)
			l->stray[kept++] = l->stray[i];
	}
	l->count = kept;
}

void
strays_add(struct strays *s, const struct stray_list *more)
{
	pthread_mutex_lock(&s->mutex);
	drop_met(&s->list);
	for (size_t i = 0; i < more->count && s->list.count < STRAYS_MAX; i++) {
		if (!more->stray[i].met)
			stray_list_add(&s->list, &more->stray[i]);
	}
	atomic_store(&s->open, s->list.count);
	pthread_mutex_unlock(&s->mutex);
}

bool
strays_meet(uint32_t *leaf, struct strays *s, const struct stray *seen)
{
	struct stray *found;

	pthread_mutex_lock(&s->mutex);
	found = stray_list_find(&s->list, seen);
	if (found) {
		found->met = true;
		*leaf = found->leaf;
		atomic_fetch_sub(&s->open, 1);
	}
	pthread_mutex_unlock(&s->mutex);
	return found != NULL;
}
