#include "stop.h"
#include "clock.h"
#include "log.h"
#include <signal.h>
#include <string.h>
#include <unistd.h>

#define NAP_MS 20
#define TICK_MS 200

static void
signals_of_interest(sigset_t *set)
{
	struct sigaction hup;

	sigemptyset(set);
	sigaddset(set, SIGINT);
	sigaddset(set, SIGTERM);
	sigaddset(set, SIGUSR1);
	/* A terminal that is gone, unless under nohup. */
	if (sigaction(SIGHUP, NULL, &hup) == 0 && hup.sa_handler != SIG_IGN)
		sigaddset(set, SIGHUP);
}

/* Rolling back asks the server, and libpq waits for its answer without limit,
 * in pg_cancel() too. One that is frozen must not hold us: the kernel closes
 * our connections, and the server rolls back when it notices. */
static void *
guard(void *ctx)
{
	struct stop *s = ctx;
	int64_t until =
		clock_ms() + (s->grace_ms ? s->grace_ms : STOP_GRACE_MS);

	while (clock_ms() < until) {
		if (atomic_load(&s->over))
			return NULL;
		clock_sleep_ms(NAP_MS);
	}
	if (!s->silent)
		log_warning("the server does not answer: it will roll back by "
			    "itself; the same command continues later");
	_exit(ERR_STOPPED);
}

static void
start_guard(struct stop *s)
{
	if (!s->guarded)
		s->guarded = pthread_create(&s->guard, NULL, guard, s) == 0;
}

static void
asked_to_stop(struct stop *s)
{
	if (!stop_requested(s) && !atomic_load(&s->at_once)) {
		if (!s->silent)
			log_info("stopping at the next batch; the same command "
				 "continues later; once more rolls back");
		stop_request(s, STOP_SOON);
		return;
	}
	stop_request(s, STOP_NOW);
	start_guard(s);
	s->now(s->ctx);
}

static void
look_at_clock(struct stop *s, int64_t began_ms)
{
	if (s->most_ms > 0 && clock_ms() - began_ms >= s->most_ms)
		stop_request(s, STOP_SOON);
}

/* Requested by a signal, or since the time was up; *since is kept. */
static bool
is_overdue(struct stop *s, int64_t *since)
{
	int64_t limit = s->soon_ms ? s->soon_ms : STOP_SOON_MS;

	if (atomic_load(&s->level) != STOP_SOON || atomic_load(&s->ended))
		return false;
	if (atomic_load(&s->at_once))
		return true; /* it came while we were connecting */
	if (*since == 0)
		*since = clock_ms();
	return clock_ms() - *since >= limit;
}

/* What was to be cancelled may have been between two statements. */
static bool
may_have_missed(struct stop *s)
{
	return atomic_load(&s->level) == STOP_NOW && atomic_load(&s->at_once) &&
	       !atomic_load(&s->ended);
}

static void *
wait_for_signals(void *ctx)
{
	const struct timespec tick = {0, TICK_MS * 1000000L};
	struct stop *s = ctx;
	int64_t began_ms = clock_ms(), soon_since = 0;
	sigset_t set;
	int sig;

	signals_of_interest(&set);
	for (;;) {
		sig = sigtimedwait(&set, NULL, &tick);
		if (sig == SIGINT || sig == SIGTERM || sig == SIGHUP)
			asked_to_stop(s);
		else if (sig == SIGUSR1 && atomic_load(&s->ended))
			break; /* stop_end() woke us */
		else if (sig == SIGUSR1)
			atomic_store(&s->progress, true);
		look_at_clock(s, began_ms);
		if (is_overdue(s, &soon_since) || may_have_missed(s))
			asked_to_stop(s);
		if (s->tick)
			s->tick(s->ctx);
	}
	return NULL;
}

int
stop_start(struct stop *s, void (*now)(void *ctx), void *ctx, struct err *err)
{
	sigset_t set;
	int rc;

	atomic_init(&s->level, STOP_NOT);
	atomic_init(&s->at_once, false);
	atomic_init(&s->progress, false);
	atomic_init(&s->ended, false);
	atomic_init(&s->over, false);
	s->guarded = false;
	s->now = now;
	s->ctx = ctx;
	signals_of_interest(&set);
	pthread_sigmask(SIG_BLOCK, &set, NULL);
	rc = pthread_create(&s->thread, NULL, wait_for_signals, s);
	if (rc != 0)
		return err_set(err, ERR_BUG, "cannot start a thread: %s",
			strerror(rc));
	return 0;
}

void
stop_end(struct stop *s)
{
	atomic_store(&s->ended, true);
	pthread_kill(s->thread, SIGUSR1);
	pthread_join(s->thread, NULL);
	atomic_store(&s->over, true);
	if (s->guarded)
		pthread_join(s->guard, NULL);
}

void
stop_request(struct stop *s, enum stop_level level)
{
	int now = atomic_load(&s->level);

	while (now < (int)level &&
		!atomic_compare_exchange_weak(&s->level, &now, (int)level))
		;
}

void
stop_sleep(struct stop *s, long ms)
{
	for (; ms > 0 && !stop_requested(s); ms -= NAP_MS)
		clock_sleep_ms(NAP_MS);
}
