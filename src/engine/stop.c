#include "stop.h"
#include "clock.h"
#include "log.h"
#include <signal.h>
#include <string.h>

static void
signals_of_interest(sigset_t *set)
{
	sigemptyset(set);
	sigaddset(set, SIGINT);
	sigaddset(set, SIGTERM);
	sigaddset(set, SIGUSR1);
}

static void
asked_to_stop(struct stop *s)
{
	if (!stop_requested(s)) {
		if (!s->silent)
			log_info("stopping at the next batch; the same command "
				 "continues later; once more rolls back");
		stop_request(s, STOP_SOON);
		return;
	}
	stop_request(s, STOP_NOW);
	s->now(s->ctx);
}

static void *
wait_for_signals(void *ctx)
{
	struct stop *s = ctx;
	sigset_t set;
	int sig;

	signals_of_interest(&set);
	while (sigwait(&set, &sig) == 0) {
		if (sig != SIGUSR1)
			asked_to_stop(s);
		else if (atomic_load(&s->ended))
			break; /* stop_end() woke us */
		else
			atomic_store(&s->progress, true);
	}
	return NULL;
}

int
stop_start(struct stop *s, void (*now)(void *ctx), void *ctx, struct err *err)
{
	sigset_t set;
	int rc;

	atomic_init(&s->level, STOP_NOT);
	atomic_init(&s->progress, false);
	atomic_init(&s->ended, false);
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
	const long nap = 20;

	for (; ms > 0 && !stop_requested(s); ms -= nap)
		clock_sleep_ms(nap);
}
