#include "crew_int.h"
#include <stdlib.h>

#define THREAD_STACK ((size_t)1 << 20)

void
crew_init(struct crew *c, size_t most)
{
	pthread_condattr_t attr;

	*c = (struct crew){0};
	c->thread = xcalloc(most, sizeof(*c->thread));
	pthread_mutex_init(&c->mutex, NULL);
	pthread_condattr_init(&attr);
	pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
	pthread_cond_init(&c->idle, &attr);
	pthread_condattr_destroy(&attr);
}

void
crew_done(struct crew *c)
{
	pthread_cond_destroy(&c->idle);
	pthread_mutex_destroy(&c->mutex);
	free(c->thread);
	c->thread = NULL;
}

static void
count(struct crew *c, int change)
{
	pthread_mutex_lock(&c->mutex);
	c->running += change;
	if (c->running == 0)
		pthread_cond_signal(&c->idle);
	pthread_mutex_unlock(&c->mutex);
}

int
crew_start(struct crew *c, void *(*main)(void *ctx), void *ctx, struct err *err)
{
	pthread_attr_t attr;
	int rc;

	count(c, 1);
	pthread_attr_init(&attr);
	pthread_attr_setstacksize(&attr, THREAD_STACK);
	rc = pthread_create(&c->thread[c->threads], &attr, main, ctx);
	pthread_attr_destroy(&attr);
	if (rc == 0) {
		c->threads++;
		return 0;
	}
	count(c, -1);
	return err_set(err, ERR_BUG, "cannot start a thread");
}

void
crew_leave(struct crew *c)
{
	count(c, -1);
}

bool
crew_leave_others(struct crew *c)
{
	bool others;

	pthread_mutex_lock(&c->mutex);
	others = c->running > 1;
	if (others)
		c->running--;
	pthread_mutex_unlock(&c->mutex);
	return others;
}

void
crew_join(struct crew *c)
{
	while (c->threads > 0)
		pthread_join(c->thread[--c->threads], NULL);
}
