#include "clock.h"
#include "log.h"
#include "throttle_int.h"
#include <stdio.h>

#define LOOK_MS 1000
#define NAP_MS 50
/* Unused time is not saved up: a burst is what a limit is to prevent. */
#define CREDIT_SECONDS 0.2
/* Two looks: a limit that is just reached is not said anew each second. */
#define HELD_MS (2 * LOOK_MS)
#define GONE_MINUTES 30

void
throttle_init(struct throttle *t, const struct throttle_options *o)
{
	*t = (struct throttle){
		.pressure.limits = o->limits,
		.spec = o->spec,
		.max_rows_per_second = o->max_rows_per_second,
		.workers = o->workers,
		.rate = (double)o->max_rows_per_second,
		.filled_ms = clock_ms(),
	};
	pthread_mutex_init(&t->mutex, NULL);
}

static void
say_blind(struct pressure *p)
{
	if (p->blind[0])
		log_warning("%s", p->blind);
	p->blind[0] = '\0';
}

int
throttle_begin(struct throttle *t, struct state *s, const struct selection *sel,
	struct err *err)
{
	struct pressure_limits limits = t->pressure.limits;

	if (pressure_begin(&t->pressure, s, sel, &limits, err) < 0)
		return -1;
	say_blind(&t->pressure);
	return 0;
}

void
throttle_done(struct throttle *t)
{
	pthread_mutex_destroy(&t->mutex);
}

/* Are there signals that somebody wants to be obeyed? */
static bool
obeys_signals(const struct pressure *p)
{
	const struct pressure_limits *l = &p->limits;

	return (l->replica_lag_ms > 0 && !p->lag_moot) || l->slot_bytes > 0 ||
	       l->dead_rows > 0 || l->query;
}

static void
set_reason(struct throttle *t, const char *now)
{
	char before[PRESSURE_REASON];

	pthread_mutex_lock(&t->mutex);
	memcpy(before, t->reason, sizeof(before));
	snprintf(t->reason, sizeof(t->reason), "%s", now);
	pthread_mutex_unlock(&t->mutex);
	if (!before[0] && now[0])
		log_info("waiting: %s", now);
	else if (before[0] && !now[0])
		log_info("going on");
}

bool
throttle_is_due(struct throttle *t)
{
	int64_t now = clock_ms();

	if (now - t->looked_ms < LOOK_MS)
		return false;
	t->looked_ms = now;
	return true;
}

/* Nobody knows what the signals would say. */
void
throttle_blind(struct throttle *t)
{
	set_reason(t, obeys_signals(&t->pressure)
			      ? "what the server is doing cannot be read: "
				"no connection"
			      : "");
}

/* Lets status say it, again and again: workers that came, or came back, do not
 * yet. Should it fail, the log has it. */
static void
tell(struct throttle *t, struct state *s)
{
	bool limits = throttle_limits_rate(t);
	char why[PRESSURE_REASON];
	struct err ignored;

	throttle_reason(why, t);
	if (!why[0] && limits)
		snprintf(why, sizeof(why), "%s", PRESSURE_RATE);
	if (limits && !t->said_rate)
		log_info("waiting now and then: %s", PRESSURE_RATE);
	t->said_rate |= limits;
	if ((why[0] || t->told[0]) &&
		pressure_tell(s, t->spec, why, &ignored) == 0)
		memcpy(t->told, why, sizeof(why));
}

void
throttle_look(struct throttle *t, struct state *s, const struct selection *sel)
{
	char reason[PRESSURE_REASON];
	int64_t all = t->workers;
	struct err ignored;

	if (pressure_look(reason, &t->pressure, s, sel, &ignored) < 0 ||
		(t->max_rows_per_second > 0 &&
			pressure_workers(&all, s, &ignored) < 0)) {
		throttle_blind(t);
		return;
	}
	say_blind(&t->pressure);
	if (all < t->workers)
		all = t->workers;
	pthread_mutex_lock(&t->mutex);
	t->rate = (double)t->max_rows_per_second * (double)t->workers /
		  (double)all;
	pthread_mutex_unlock(&t->mutex);
	set_reason(t, reason);
	tell(t, s);
}

void
throttle_reason(char ret[PRESSURE_REASON], struct throttle *t)
{
	pthread_mutex_lock(&t->mutex);
	memcpy(ret, t->reason, sizeof(t->reason));
	pthread_mutex_unlock(&t->mutex);
}

/* Of late; when is under the mutex. */
static bool
is_recent(struct throttle *t, const int64_t *when_ms)
{
	bool ret;

	pthread_mutex_lock(&t->mutex);
	ret = *when_ms > 0 && clock_ms() - *when_ms < HELD_MS;
	pthread_mutex_unlock(&t->mutex);
	return ret;
}

bool
throttle_limits_rate(struct throttle *t)
{
	return is_recent(t, &t->held_ms);
}

/* A standby may have been taken away for good, and then nobody would ever go
 * on; those who only read, as in a proof, do not wait for it. */
bool
throttle_gives_up(struct throttle *t, struct err *err)
{
	if (t->pressure.missing == 0)
		t->missing_ms = 0;
	else if (t->missing_ms == 0)
		t->missing_ms = clock_ms();
	if (t->missing_ms == 0 || !is_recent(t, &t->waited_ms) ||
		clock_ms() - t->missing_ms < GONE_MINUTES * 60000)
		return false;
	err_set(err, ERR_DB,
		"%lld of %lld standbys gone since the start, for %d minutes",
		(long long)t->pressure.missing, (long long)t->pressure.standbys,
		GONE_MINUTES);
	err_hint(err, "the same command goes on where this one stopped, with "
		      "the standbys that are there then");
	return true;
}

/* Takes the rows off the credit as soon as there is any: a batch may be larger
 * than what a short time allows, and is paid for afterwards. */
static bool
may_go(struct throttle *t, size_t rows)
{
	int64_t now = clock_ms();
	bool ret;

	pthread_mutex_lock(&t->mutex);
	ret = !t->reason[0];
	if (!ret)
		t->waited_ms = now;
	if (t->rate > 0) {
		t->credit += t->rate * (double)(now - t->filled_ms) / 1000;
		if (t->credit > t->rate * CREDIT_SECONDS)
			t->credit = t->rate * CREDIT_SECONDS;
		if (t->credit < 0)
			t->held_ms = now;
		ret = ret && t->credit >= 0;
		if (ret)
			t->credit -= (double)rows;
	}
	t->filled_ms = now;
	pthread_mutex_unlock(&t->mutex);
	return ret;
}

bool
throttle_wait(struct throttle *t, struct stop *stop, size_t rows, int64_t ms)
{
	int64_t until = clock_ms() + ms;

	while (!may_go(t, rows)) {
		if (stop_requested(stop) || clock_ms() >= until)
			return false;
		stop_sleep(stop, NAP_MS);
	}
	return true;
}
