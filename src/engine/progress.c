/*
 * Progress: one line that is redrawn on a terminal, else a log line now and
 * then. Percent is by blocks, which is exact; rows are never guessed.
 */
#include "clock.h"
#include "crew_int.h"
#include "log.h"
#include "text.h"
#include <stdio.h>
#include <time.h>

#define TICK_MS 200
#define TERMINAL_MS 400
#define LOG_MS 10000
/* Rates are measured over about this time. */
#define SAMPLES 16

struct sample {
	int64_t ms, values, blocks, pass;
};

struct meter {
	struct sample sample[SAMPLES];
	size_t count;
};

static double
per_second(int64_t amount, int64_t ms)
{
	return ms > 0 ? (double)amount * 1000 / (double)ms : 0;
}

static void
add_eta(struct buf *line, double seconds)
{
	long s = (long)seconds;

	if (seconds <= 0 || seconds > 100 * 3600)
		return;
	if (s >= 3600)
		buf_addf(line, "  ETA %ld:%02ld:%02ld", s / 3600, s / 60 % 60,
			s % 60);
	else
		buf_addf(line, "  ETA %ld:%02ld", s / 60, s % 60);
}

/* It may be another process that everybody waits for. */
static void
add_prover(struct buf *line, const struct progress *p)
{
	buf_adds(line, ", proving");
	if (p->prover[0])
		buf_addf(line, " on %s", p->prover);
}

static void
describe(struct buf *line, struct meter *m, const struct progress *p)
{
	struct sample now = {clock_ms(), p->values, p->done, p->pass};
	struct sample *old =
		&m->sample[m->count < SAMPLES ? 0 : m->count % SAMPLES];
	double blocks = 0, values = 0;

	if (m->count > 0) {
		values = per_second(now.values - old->values, now.ms - old->ms);
		if (old->pass == now.pass)
			blocks = per_second(
				now.blocks - old->blocks, now.ms - old->ms);
	}
	m->sample[m->count++ % SAMPLES] = now;
	buf_reset(line);
	if (p->paused[0]) {
		buf_adds(line, p->paused);
		return;
	}
	if (p->pass == 0 && p->blocks == 0) {
		buf_adds(line, "nothing to rewrite so far");
		add_prover(line, p);
		return;
	}
	if (p->blocks == 0) {
		buf_addf(line, "pass %lld done", (long long)p->pass);
		add_prover(line, p);
		buf_adds(line, "  ");
		text_count(line, p->values, "value", "values");
		buf_adds(line, " rewritten");
		return;
	}
	if (p->pass > 0)
		buf_addf(line, "pass %lld  ", (long long)p->pass);
	buf_addf(line, "%s  %.0f %%  ", p->table[0] ? p->table : "...",
		100.0 * (double)p->done / (double)p->blocks);
	text_count(line, p->values, "value", "values");
	if (values > 0) {
		buf_adds(line, "  ");
		text_grouped(line, (int64_t)values);
		buf_adds(line, "/s");
	}
	if (p->limited)
		buf_adds(line, "  rate limited");
	if (blocks > 0)
		add_eta(line, (double)(p->blocks - p->done) / blocks);
}

static void
show(const struct watch *w, struct meter *m)
{
	struct progress p;
	struct buf line;

	if (!w->ask(&p, w->ctx))
		return;
	buf_init(&line, 1024);
	describe(&line, m, &p);
	if (log_is_terminal())
		log_progress(buf_str(&line));
	else
		log_info("%s", buf_str(&line));
	buf_done(&line);
}

/* Waits a tick; false when nobody works any more. */
static bool
wait_tick(struct crew *c)
{
	struct timespec until;
	bool running;

	clock_gettime(CLOCK_MONOTONIC, &until);
	until.tv_nsec += TICK_MS * 1000000L;
	if (until.tv_nsec >= 1000000000L) {
		until.tv_nsec -= 1000000000L;
		until.tv_sec++;
	}
	pthread_mutex_lock(&c->mutex);
	if (c->running > 0)
		pthread_cond_timedwait(&c->idle, &c->mutex, &until);
	running = c->running > 0;
	pthread_mutex_unlock(&c->mutex);
	return running;
}

void
progress_watch(const struct watch *w)
{
	int64_t every = log_is_terminal() ? TERMINAL_MS : LOG_MS;
	int64_t last = clock_ms(), now;
	struct meter m = {0};
	struct progress begin;

	/* What others did before is not our speed. */
	if (!w->quiet && w->ask(&begin, w->ctx))
		m.sample[m.count++] = (struct sample){
			last, begin.values, begin.done, begin.pass};
	while (wait_tick(w->crew)) {
		now = clock_ms();
		if (w->tick)
			w->tick(w->ctx);
		if (w->hurry && stop_requested(w->stop))
			w->hurry(w->ctx);
		if (atomic_exchange(&w->stop->progress, false) ||
			(!w->quiet && now - last >= every)) {
			last = now;
			show(w, &m);
		}
	}
	log_progress("");
}
