#include "err.h"
#include "secret.h"
#include "stray_int.h"
#include <stdlib.h>

/* -- one ------------------------------------------------------------------- */

/* Whole words of what comes last, and the length. */
uint64_t
stray_hash(struct slice value)
{
	uint64_t hash = value.len, word;
	size_t words = value.len / sizeof(word);

	for (size_t i = words < 8 ? words : 8; i > 0; i--) {
		memcpy(&word, value.ptr + value.len - i * sizeof(word),
			sizeof(word));
		hash = (hash ^ word) * 0x9e3779b97f4a7c15;
		hash ^= hash >> 32;
	}
	return hash;
}

static int
order(uint64_t a, uint64_t b)
{
	return (a > b) - (a < b);
}

static int
by_value(const struct stray *a, const struct stray *b)
{
	int by = order(a->hash, b->hash);

	if (by == 0)
		by = order(a->target, b->target);
	return by ? by : order(a->column, b->column);
}

static int
by_place(const struct stray *a, const struct stray *b)
{
	int by = order(a->leaf, b->leaf);

	if (by == 0)
		by = order(a->tid.block, b->tid.block);
	return by ? by : order(a->tid.offset, b->tid.offset);
}

bool
stray_is_at(const struct stray *s, const struct stray *seen)
{
	return by_place(s, seen) == 0;
}

/* -- a list ---------------------------------------------------------------- */

/* Of so many that are alike it is as well to give up. */
#define ALIKE_MAX 64

static void
wipe(struct stray_list *l)
{
	if (l->count > 0)
		secret_wipe(l->stray, l->count * sizeof(*l->stray));
}

static void
grow(struct stray_list *l)
{
	size_t room = l->room ? 2 * l->room : 64;
	struct stray *bigger = xcalloc(room, sizeof(*bigger));

	if (l->count > 0)
		memcpy(bigger, l->stray, l->count * sizeof(*bigger));
	wipe(l);
	free(l->stray);
	l->stray = bigger;
	l->room = room;
}

void
stray_list_add(struct stray_list *l, const struct stray *stray)
{
	if (l->count == l->room)
		grow(l);
	l->stray[l->count++] = *stray;
	l->sorted = false;
}

static int
compare(const void *a, const void *b)
{
	int by = by_value(a, b);

	return by ? by : by_place(a, b);
}

/* The first that does not come before. */
static size_t
lower_bound(const struct stray_list *l, const struct stray *key)
{
	size_t lo = 0, hi = l->count;

	while (lo < hi) {
		size_t mid = lo + (hi - lo) / 2;

		if (compare(&l->stray[mid], key) < 0)
			lo = mid + 1;
		else
			hi = mid;
	}
	return lo;
}

static bool
is_here(const struct stray_list *l, size_t i, const struct stray *seen)
{
	return i < l->count && compare(&l->stray[i], seen) == 0;
}

struct stray *
stray_list_find(struct stray_list *l, const struct stray *seen)
{
	struct stray anywhere = *seen;
	size_t i;

	if (!l->sorted && l->count > 0)
		qsort(l->stray, l->count, sizeof(*l->stray), compare);
	l->sorted = true;
	for (i = lower_bound(l, seen); is_here(l, i, seen); i++) {
		if (!l->stray[i].met)
			return &l->stray[i];
	}
	anywhere.leaf = 0;
	anywhere.tid = (struct tid){0, 0};
	i = lower_bound(l, &anywhere);
	for (size_t n = 0; n < ALIKE_MAX && i < l->count; n++, i++) {
		if (by_value(&l->stray[i], seen) != 0)
			break;
		if (!l->stray[i].met)
			return &l->stray[i];
	}
	return NULL;
}

void
stray_list_reset(struct stray_list *l)
{
	wipe(l);
	l->count = 0;
}

void
stray_list_done(struct stray_list *l)
{
	wipe(l);
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

void
strays_forget(struct strays *s)
{
	pthread_mutex_lock(&s->mutex);
	s->list.count = 0;
	pthread_mutex_unlock(&s->mutex);
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

static atomic_uint_least64_t *
word_of(struct strays *s, uint64_t hash)
{
	return &s->bits[hash % (sizeof(s->bits) / sizeof(s->bits[0]))];
}

static uint64_t
bit_of(uint64_t hash)
{
	return (uint64_t)1 << (hash >> 58);
}

void
strays_add(struct strays *s, const struct stray_list *more)
{
	atomic_store(&s->any, true);
	pthread_mutex_lock(&s->mutex);
	drop_met(&s->list);
	if (s->list.count + more->count > STRAYS_MAX)
		s->list.count = 0;
	for (size_t i = 0; i < more->count && s->list.count < STRAYS_MAX; i++) {
		const struct stray *stray = &more->stray[i];

		if (stray->met || stray->clear)
			continue;
		stray_list_add(&s->list, stray);
		atomic_fetch_or(word_of(s, stray->hash), bit_of(stray->hash));
	}
	pthread_mutex_unlock(&s->mutex);
}

bool
strays_may_have(struct strays *s, uint64_t hash)
{
	return (atomic_load_explicit(word_of(s, hash), memory_order_relaxed) &
		       bit_of(hash)) != 0;
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
	}
	pthread_mutex_unlock(&s->mutex);
	return found != NULL;
}
