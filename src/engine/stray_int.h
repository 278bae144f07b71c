/*
 * stray_int.h - values that were missed and are gone, until they turn up.
 *
 * Who changes another column of a row may put it anywhere, and nothing leads
 * from the old place to the new one. So a value that is not there any more
 * counts as changed by somebody else (`conflict`), until a worker of this
 * process reads the same value elsewhere: then its row had `moved`. Kept are
 * hashes, so many at most; what is not kept stays a conflict.
 */
#ifndef PGREKEY_STRAY_INT_H
#define PGREKEY_STRAY_INT_H

#include "rows.h"
#include <pthread.h>
#include <stdatomic.h>

#define STRAYS_MAX ((size_t)1 << 16) /* that a process keeps */

struct stray {
	uint64_t hash; /* of the value */
	size_t target, column;
	uint32_t leaf; /* where it was missed */
	struct tid tid;
	bool clear; /* plaintext: many rows may have the same */
	bool met;   /* is none any more */
};

/* An envelope ends with its authentication tag, so its end tells it from every
 * other one. */
uint64_t stray_hash(struct slice value);
bool stray_is_at(const struct stray *s, const struct stray *seen);

/* The hash of a short plaintext can be turned back: whatever held one is wiped.
 */
struct stray_list {
	struct stray *stray;
	size_t count, room;
	bool sorted;
};

void stray_list_add(struct stray_list *l, const struct stray *stray);
/* One of the same value that was not met, best of the same place; or NULL. */
struct stray *stray_list_find(struct stray_list *l, const struct stray *seen);
void stray_list_reset(struct stray_list *l);
void stray_list_done(struct stray_list *l);

/* All of a process and a run whose conflicts are stored. */
struct strays {
	/* A bit of each hash that was ever added: most values are none of them,
	 * and need not wait for the mutex. */
	atomic_uint_least64_t bits[1024];
	atomic_bool any;       /* was ever added */
	pthread_mutex_t mutex; /* for the list */
	struct stray_list list;
};

void strays_init(struct strays *s);
void strays_done(struct strays *s);
void strays_forget(struct strays *s);
/* But for plaintext. Where there is no room, those before are forgotten. */
void strays_add(struct strays *s, const struct stray_list *more);
bool strays_may_have(struct strays *s, uint64_t hash);
/* Is it one of them? Then no longer, and *leaf has counted it. */
bool strays_meet(uint32_t *leaf, struct strays *s, const struct stray *seen);

#endif
