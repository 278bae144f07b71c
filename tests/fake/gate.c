/*
 * The gate that every call passes: the n-th fails, or others act before it.
 */
#include "clock.h"
#include "store_int.h"
#include <stdio.h>
#include <time.h>

#define LINGER_MS 2000 /* until a server notices that a client is gone */
#define LOCK_MS 3000
#define FROZEN_MS 5000

static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
static atomic_llong now_ms = 1000;

/* -- time ------------------------------------------------------------------ */

int64_t
fake_now(void)
{
	return atomic_load(&now_ms);
}

int64_t
clock_ms(void)
{
	return fake_now();
}

/* By the real clock. */
static void
take_a_moment(void)
{
	const struct timespec moment = {0, 200000};

	nanosleep(&moment, NULL);
}

void
clock_sleep_ms(int64_t ms)
{
	atomic_fetch_add(&now_ms, ms);
	if (fake.setup.threads)
		take_a_moment();
}

void
fake_lock(void)
{
	pthread_mutex_lock(&mutex);
}

void
fake_unlock(void)
{
	pthread_mutex_unlock(&mutex);
}

void
fake_nap(int64_t ms)
{
	fake_unlock();
	clock_sleep_ms(ms);
	fake_lock();
}

void
fake_wrong(const char *what)
{
	if (!fake.facts.wrong)
		fake.facts.wrong = what;
}

/* -- failing --------------------------------------------------------------- */

void
fake_forget(struct pg *pg)
{
	pg->transaction = pg->aborted = false;
	pg->busy = 0;
}

/* Nothing is under way any more, as pg_query() leaves it; but behind a batch
 * that failed another one may be. */
static int
refuse(struct pg *pg, const char *sqlstate, struct err *err)
{
	if (pg && pg->busy == 0)
		fake_forget(pg);
	err_set(err, ERR_DB, "the fake server refused: SQLSTATE %s", sqlstate);
	snprintf(err->sqlstate, sizeof(err->sqlstate), "%s", sqlstate);
	return -1;
}

static int
lose(struct pg *pg, int64_t linger_ms, struct err *err)
{
	if (pg) {
		pg->lost = true;
		if (fake.alive_until[pg->worker] == FAKE_NEVER)
			fake.alive_until[pg->worker] = fake_now() + linger_ms;
	}
	return refuse(pg, "08006", err);
}

static void
unlock_rows(void)
{
	for (size_t t = 0; t < FAKE_TABLES; t++) {
		for (size_t r = 0; r < fake.table[t].layout.rows; r++)
			fake.table[t].row[r].locked_until = 0;
	}
}

static void
restart(void)
{
	fake.restarts++;
	for (int64_t i = 1; i <= fake.workers; i++)
		fake.alive_until[i] = 0;
	unlock_rows();
}

/* -- others ---------------------------------------------------------------- */

/* The first row of the batch under way, else the next one that is not done. */
static struct fake_row *
pick_row(struct fake_table **table, const struct pg *pg)
{
	const struct fake_layout *l = &fake.table[0].layout;

	*table = &fake.table[0];
	if (pg && pg->busy) {
		*table = &fake.table[pg->sent[0].batch.columns !=
				     fake.table[0].layout.columns];
		return fake_row_at(
			*table, fake_batch_tid(&pg->sent[0].batch, 0));
	}
	for (size_t i = 0; i < l->rows; i++) {
		size_t at = ((size_t)fake.facts.calls * 7 + i) % l->rows;
		struct fake_row *row = &fake.table[0].row[at];

		if (row->cell[0].text && !fake_is_current(row->cell[0].text))
			return row;
	}
	return &fake.table[0].row[(size_t)fake.facts.calls % l->rows];
}

static void
disturb(const struct pg *pg, enum fake_failure failure)
{
	struct fake_table *t;
	struct fake_row *row = pick_row(&t, pg);

	if (!row)
		return;
	switch (failure) {
	case FAKE_MOVED:
		fake_move(t, row);
		break;
	case FAKE_CHANGED:
		fake_change(t, row, FAKE_NEW);
		break;
	case FAKE_CHANGED_OLD:
		fake_change(t, row, FAKE_OLD);
		break;
	case FAKE_LOCKED:
	case FAKE_HELD:
		row->locked_until = failure == FAKE_HELD ? FAKE_NEVER
							 : fake_now() + LOCK_MS;
		fake.victim_table = t - fake.table;
		fake.victim = row - t->row;
		break;
	default:
		break;
	}
}

/* Somebody took this worker for dead, and froze with its chunk. */
static void
steal(const struct pg *pg)
{
	for (size_t t = 0; pg && pg->worker && t < FAKE_TABLES; t++) {
		struct fake_run *r = &fake.run[fake.runs];

		for (size_t i = 0; i < r->chunks[t]; i++) {
			struct fake_chunk *c = &r->chunk[t][i];

			if (c->state != CHUNK_RUNNING ||
				c->worker != pg->worker)
				continue;
			c->worker = ++fake.workers;
			fake.alive_until[c->worker] = fake_now() + FROZEN_MS;
			c->at.epoch++;
			fake.facts.stolen++;
			c->lease_until = fake_now() + 1000 * LEASE_SECONDS;
		}
	}
}

static int
act(struct pg *pg, struct err *err)
{
	switch (fake.failure) {
	case FAKE_SERIALIZATION:
		return refuse(pg, "40001", err);
	case FAKE_DEADLOCK:
		return refuse(pg, "40P01", err);
	case FAKE_LOCK_TIMEOUT:
		return refuse(pg, "55P03", err);
	case FAKE_CANCELED:
		return refuse(pg, "57014", err);
	case FAKE_DIVISION:
		return refuse(pg, ROWS_FENCE, err);
	case FAKE_MEMORY:
		return refuse(pg, "53200", err);
	case FAKE_DENIED:
		return refuse(pg, "42501", err);
	case FAKE_FULL:
		return refuse(pg, "53100", err);
	case FAKE_READ_ONLY:
		return refuse(pg, "25006", err);
	case FAKE_LOST:
		return lose(pg, LINGER_MS, err);
	case FAKE_RESTART:
		restart();
		return lose(pg, 0, err);
	case FAKE_LOST_ANSWER:
		fake.lose_answer = true;
		return 0;
	case FAKE_STOLEN:
		steal(pg);
		return 0;
	case FAKE_RELEASED:
		unlock_rows();
		return 0;
	default:
		disturb(pg, fake.failure);
		return 0;
	}
}

/* -- the gate -------------------------------------------------------------- */

static bool
by_worker(void)
{
	return !pthread_equal(fake.main, pthread_self());
}

static bool
is_stormy(void)
{
	static const enum fake_failure all[] = {FAKE_SERIALIZATION, FAKE_LOST,
		FAKE_MOVED, FAKE_DEADLOCK, FAKE_CHANGED_OLD, FAKE_LOST_ANSWER,
		FAKE_LOCKED, FAKE_LOCK_TIMEOUT, FAKE_STOLEN, FAKE_CHANGED,
		FAKE_CANCELED, FAKE_LOCKED, FAKE_LOST_ANSWER};
	int64_t turn = fake.facts.calls / fake.storm;

	if (fake.times == 0)
		fake.failure =
			all[turn % (int64_t)(sizeof(all) / sizeof(all[0]))];
	return by_worker() && fake.facts.calls % fake.storm == 0;
}

static bool
is_due(const char *call)
{
	const char *fired = fake.facts.fired;

	if (!fake.armed)
		return false;
	if (fake.storm)
		return is_stormy();
	if (fired)
		return fake.times > 0 && !strcmp(call, fired);
	if (!fake.call)
		return fake.facts.calls == fake.at;
	return !strcmp(call, fake.call) && --fake.at == 0;
}

static void
follow(void)
{
	if (fake.next == FAKE_FAILURES)
		return;
	fake.failure = fake.next;
	fake.next = FAKE_FAILURES;
	fake.times = 1;
}

static int
pass_gate(struct pg *pg, const char *call, struct err *err)
{
	int rc;

	atomic_fetch_add(&now_ms, 1);
	if (++fake.facts.calls > FAKE_CALLS_MAX) {
		fake_wrong("it does not end");
		return refuse(pg, "XX000", err);
	}
	if (pg && pg->busy && strcmp(call, "rows_wait") != 0 &&
		strcmp(call, "rows_send") != 0)
		fake_wrong("a call on a busy connection");
	if (pg && (pg->lost || pg->born != fake.restarts))
		return lose(pg, 0, err);
	if (!is_due(call))
		return 0;
	fake.facts.by_worker = by_worker();
	fake.facts.fired = call;
	rc = act(pg, err);
	if (!fake.storm && --fake.times == 0)
		follow();
	return rc;
}

int
fake_enter(struct pg *pg, const char *call, struct err *err)
{
	int rc;

	if (fake.setup.slow)
		take_a_moment();
	fake_lock();
	fake.lose_answer = false;
	rc = pass_gate(pg, call, err);
	if (rc < 0)
		fake_unlock();
	return rc;
}

int
fake_leave(struct pg *pg, struct err *err)
{
	int rc = fake.lose_answer ? lose(pg, LINGER_MS, err) : 0;

	fake_unlock();
	return rc;
}

int
fake_fail(struct pg *pg, const char *sqlstate, struct err *err)
{
	int rc = refuse(pg, sqlstate, err);

	fake_unlock();
	return rc;
}

/* -- for tests ------------------------------------------------------------- */

void
fake_arm(enum fake_failure failure, int64_t at, int64_t times)
{
	const char *wrong = fake.facts.wrong;

	fake.facts = (struct fake_facts){.wrong = wrong};
	fake.failure = failure;
	fake.call = NULL;
	fake.storm = 0;
	fake.main = pthread_self();
	fake.at = at;
	fake.armed = true;
	fake.times = times;
	fake.next = FAKE_FAILURES;
}

void
fake_arm_next(enum fake_failure failure)
{
	fake.next = failure;
}

void
fake_arm_call(
	const char *call, enum fake_failure failure, int64_t at, int64_t times)
{
	fake_arm(failure, at, times);
	fake.call = call;
}

void
fake_storm(enum fake_failure failure, int64_t every)
{
	fake_arm(failure, 0, failure != FAKE_FAILURES);
	fake.storm = every;
}

void
fake_disarm(void)
{
	fake.armed = false;
}

void
fake_hold(size_t table, size_t row)
{
	fake.table[table].row[row].locked_until = FAKE_NEVER;
}

void
fake_lock_table(size_t table, bool locked)
{
	fake.table[table].locked = locked;
}

void
fake_release(void)
{
	unlock_rows();
	atomic_fetch_add(&now_ms, 2 * 1000 * LEASE_SECONDS);
}
