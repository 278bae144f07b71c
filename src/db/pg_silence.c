/*
 * A server may be reachable and say nothing: behind a pooler that was paused,
 * on a host that swaps, before storage that hangs. The kernel sees nothing
 * wrong, and libpq waits without limit. It is not asked to cancel, since that
 * would be waited for as well.
 */
#include "clock.h"
#include "pg_conn_int.h"
#include <fcntl.h>
#include <pthread.h>
#include <sys/socket.h>
#include <unistd.h>

/* The connections of this process: whoever looks at them must not care who has
 * them, and in which moment of their lives. */
static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
static struct pg *open_ones;

void
pg_enlist(struct pg *pg)
{
	/* libpq may close its own at any time, and the number be taken again
	 * for something else. */
	pg->line = fcntl(PQsocket(pg->conn), F_DUPFD_CLOEXEC, 0);
	pthread_mutex_lock(&mutex);
	pg->next = open_ones;
	open_ones = pg;
	pthread_mutex_unlock(&mutex);
}

void
pg_unlist(struct pg *pg)
{
	pthread_mutex_lock(&mutex);
	for (struct pg **p = &open_ones; *p; p = &(*p)->next) {
		if (*p == pg) {
			*p = pg->next;
			break;
		}
	}
	pthread_mutex_unlock(&mutex);
	if (pg->line >= 0)
		(void)close(pg->line);
}

void
pg_waits(struct pg *pg)
{
	if (!pg->patient)
		atomic_store(&pg->waits_since, clock_ms());
}

void
pg_heard(struct pg *pg)
{
	atomic_store(&pg->waits_since, 0);
}

void
pg_be_patient(struct pg *pg, bool patient)
{
	pg->patient = patient;
}

static void
hang_up(struct pg *pg)
{
	atomic_store(&pg->hung_up, true);
	if (pg->line >= 0)
		(void)shutdown(pg->line, SHUT_RDWR);
}

void
pg_end_silent(int64_t limit_ms)
{
	int64_t since, now = clock_ms();

	pthread_mutex_lock(&mutex);
	for (struct pg *pg = open_ones; pg; pg = pg->next) {
		since = atomic_load(&pg->waits_since);
		if (since && now - since > limit_ms)
			hang_up(pg);
	}
	pthread_mutex_unlock(&mutex);
}
