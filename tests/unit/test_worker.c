/*
 * The engine over a database in memory in which any call can fail: for each
 * kind of failure and each n, the n-th call of a run fails, or somebody else
 * acts just before it. The run must end, say the right thing, and leave a
 * state from which the next one finishes.
 */
#include "clock.h"
#include "torture.h"

/* -- one failure ----------------------------------------------------------- */

enum nature {
	PASSES,    /* trying again helps */
	PERMANENT, /* nothing here can help */
	MEDDLING,  /* somebody else acts */
};

static const struct failure {
	const char *name;
	enum nature nature;
} failures[FAKE_FAILURES] = {
	[FAKE_SERIALIZATION] = {"serialization", PASSES},
	[FAKE_DEADLOCK] = {"deadlock", PASSES},
	[FAKE_LOCK_TIMEOUT] = {"lock timeout", PASSES},
	[FAKE_CANCELED] = {"statement timeout", PASSES},
	[FAKE_DIVISION] = {"division by zero", PASSES},
	[FAKE_MEMORY] = {"out of memory", PASSES},
	[FAKE_DENIED] = {"permission denied", PERMANENT},
	[FAKE_FULL] = {"disk full", PASSES},
	[FAKE_READ_ONLY] = {"read-only", PASSES},
	[FAKE_LOST] = {"connection lost", PASSES},
	[FAKE_RESTART] = {"restart", PASSES},
	[FAKE_LOST_ANSWER] = {"answer lost", PASSES},
	[FAKE_MOVED] = {"row moved", MEDDLING},
	[FAKE_CHANGED] = {"row changed", MEDDLING},
	[FAKE_CHANGED_OLD] = {"row changed with the old key", MEDDLING},
	[FAKE_LOCKED] = {"row locked", MEDDLING},
	[FAKE_HELD] = {"row locked for ever", MEDDLING},
	[FAKE_STOLEN] = {"chunk stolen", MEDDLING},
	[FAKE_RELEASED] = {"row let go", MEDDLING},
};

/* Or is it about rows that are in use? */
static bool
is_of_server(enum fake_failure failure)
{
	return failure == FAKE_LOST || failure == FAKE_RESTART ||
	       failure == FAKE_LOST_ANSWER || failure == FAKE_READ_ONLY ||
	       failure == FAKE_FULL;
}

static bool
fired_at(const struct fake_facts *f, const char *call)
{
	return !strcmp(f->fired, call);
}

/* A batch that fails once, alone among many, fails for a row of it. */
static bool
may_be_a_rows(enum fake_failure failure, const struct fake_facts *f)
{
	return (failure == FAKE_DIVISION || failure == FAKE_DENIED) &&
	       fired_at(f, "rows_wait");
}

/* What main tries again: to open a run, and to read how it ended. */
static bool
is_repeated(enum fake_failure failure, const struct fake_facts *f)
{
	static const char *const calls[] = {"state_open_run", "state_run_start",
		"state_settle", "pressure_begin", "begin", "state_run_end",
		"state_numbers", "state_findings", "state_hidden", "commit"};

	if (failure == FAKE_DIVISION || failure == FAKE_FULL)
		return false;
	for (size_t i = 0; i < sizeof(calls) / sizeof(calls[0]); i++) {
		if (fired_at(f, calls[i]))
			return true;
	}
	return false;
}

/* Before a run is opened there is nobody who would try again, but the trial
 * write learns nothing from a row in use. */
static int
expected_status(enum fake_failure failure, const struct fake_facts *f)
{
	if (!f->fired || fired_at(f, "state_give_back"))
		return ERR_NONE;
	if (failure == FAKE_HELD)
		return f->victim_old ? ERR_STOPPED
		       : f->unfenced ? ERR_INCONCLUSIVE
				     : ERR_NONE;
	if (failures[failure].nature == MEDDLING)
		return ERR_NONE;
	/* Is the first connection still there? */
	if (!f->by_worker && fired_at(f, "pg_exec"))
		return ERR_NONE;
	if (failures[failure].nature == PERMANENT)
		return may_be_a_rows(failure, f) ? ERR_NONE : -1;
	if (f->by_worker || is_repeated(failure, f))
		return ERR_NONE;
	return fired_at(f, "rows_wait") && !is_of_server(failure) ? ERR_NONE
								  : -1;
}

/* Nobody else wrote anything: the first proof finds nothing left to do. */
static bool
proves_at_once(enum fake_failure failure, const struct fake_facts *f)
{
	if (may_be_a_rows(failure, f))
		return false; /* taken for the row's own fault, once */
	return failures[failure].nature != MEDDLING || failure == FAKE_STOLEN;
}

static void
check_failed_run(enum fake_failure failure, const struct run *r)
{
	struct fake_facts f = fake_facts();
	int64_t deferred = fake_count(f.runs, COUNT_DEFERRED);
	int expected = expected_status(failure, &f);

	if (r->status != expected)
		fail_msg("%s: status %d, not %d: %s%s", where, r->status,
			expected, r->status < 0 ? r->err.msg : "",
			r->outcome.note);
	must(r->status != -1 || r->err.code == ERR_DB);
	must(r->status != ERR_NONE || r->outcome.complete);
	must(r->status != ERR_NONE || r->outcome.total_findings == 0);
	must(r->status != ERR_NONE || r->outcome.findings == 0);
	/* Done is done, unless somebody wrote behind the proof. */
	check_rows(r->status == ERR_NONE && failure != FAKE_CHANGED_OLD);
	check_counts();
	if (!f.fired)
		return;
	must(may_be_a_rows(failure, &f) || f.found == 0);
	must(!proves_at_once(failure, &f) || f.reopened == 0);
	if (!f.by_worker || !fired_at(&f, "rows_wait"))
		return;
	must(failure != FAKE_MOVED || fake_count(f.runs, COUNT_MOVED) > 0);
	must(failure != FAKE_CHANGED || fake_count(f.runs, COUNT_CONFLICT) > 0);
	must((failure != FAKE_LOCKED && failure != FAKE_HELD) || deferred > 0);
}

#define ALWAYS INT64_MAX

/* Did anything come of it, over all n? */
static int64_t hazards;

static void
count_hazards(enum fake_failure failure, const struct fake_facts *f)
{
	switch (failure) {
	case FAKE_MOVED:
		hazards += fake_count(1, COUNT_MOVED);
		break;
	case FAKE_CHANGED:
	case FAKE_CHANGED_OLD:
		hazards += fake_count(1, COUNT_CONFLICT);
		break;
	case FAKE_LOCKED:
	case FAKE_HELD:
		hazards += f->waited; /* skipped ones are seen each time */
		break;
	case FAKE_STOLEN:
		hazards += f->stolen;
		break;
	default:
		hazards++;
		break;
	}
}

/* True if there was an n-th call. */
static bool
fail_at(enum fake_failure failure, int64_t n, int64_t times)
{
	struct fake_facts f;
	struct run first, then;
	char *text;

	fake_load(&setup);
	fake_arm(failure, n, times);
	run(&first, 1);
	f = fake_facts();
	text = xasprintf("%s, %lld times from call %lld, %s",
		failures[failure].name, (long long)times, (long long)n,
		f.fired ? f.fired : "none");
	where = text;
	if (times == ALWAYS) {
		check_rows(first.status == ERR_NONE);
		check_counts();
	} else {
		check_failed_run(failure, &first);
	}
	if (fake_facts().runs > 0)
		count_hazards(failure, &f);
	fake_disarm();
	fake_release();
	run(&then, 1);
	check_finished(&then);
	check_counts();
	check_late();
	run_done(&first);
	run_done(&then);
	where = "";
	free(text);
	return f.fired != NULL;
}

/* Under a sanitizer only every tenth call or so. */
static int64_t
stride(void)
{
	const char *scale = getenv("PGREKEY_TEST_SCALE");
	double s = scale ? strtod(scale, NULL) : 1;

	return s > 0 && s < 1 ? (int64_t)(1 / s) : 1;
}

static void
fail_everywhere(enum fake_failure failure, int64_t times)
{
	int64_t step = stride() * (times > 1 ? 5 : 1);
	int64_t n = 1 + (int64_t)failure % step;

	hazards = 0;
	while (fail_at(failure, n, times))
		n += step;
	assert_true(n > 100); /* there were calls to fail */
	assert_true(hazards > 0 || step > 1);
}

/* -- tests ----------------------------------------------------------------- */

static void
any_one_call_may_fail(void **state)
{
	fail_everywhere(*(const enum fake_failure *)*state, 1);
}

static void
a_call_may_fail_a_few_times(void **state)
{
	fail_everywhere(*(const enum fake_failure *)*state, 5);
}

static void
a_failure_that_stays_ends_the_run(void **state)
{
	fail_everywhere(*(const enum fake_failure *)*state, ALWAYS);
}

static void
an_undisturbed_run_writes_each_value_once(void **state)
{
	struct run r;

	(void)state;
	where = "undisturbed";
	fake_load(&setup);
	run(&r, 1);
	check_finished(&r);
	check_counts();
	must(fake_facts().runs == 1 && fake_facts().proofs == 1);
	must(fake_count(1, COUNT_MOVED) == 0);
	must(fake_count(1, COUNT_CONFLICT) == 0);
	must(fake_count(1, COUNT_DEFERRED) == 0);
	run_done(&r);
}

/* More often than attempts are made: each gets a little further. */
static void
a_poor_connection_ends_no_run_that_goes_on(void **state)
{
	struct run r;

	(void)state;
	where = "poor connection";
	fake_load(&setup);
	fake_storm(FAKE_RESTART, 17);
	run(&r, 1);
	fake_disarm();
	check_finished(&r);
	check_counts();
	run_done(&r);
}

/* True if there was an n-th call. */
static bool
lose_after_others(int64_t n, int64_t *seen)
{
	struct fake_facts f;
	struct run r;

	fake_load(&setup);
	fake_arm(FAKE_SERIALIZATION, n, 20); /* all that it survives */
	fake_arm_next(FAKE_LOST);
	run(&r, 1);
	f = fake_facts();
	fake_disarm();
	if (f.by_worker) {
		must(r.status == ERR_NONE && r.outcome.complete);
		check_counts();
		++*seen;
	}
	run_done(&r);
	return f.fired != NULL;
}

/* Each kind has its own number of attempts. */
static void
a_connection_lost_after_other_failures_is_made_again(void **state)
{
	int64_t seen = 0;

	(void)state;
	where = "lost after others";
	for (int64_t n = 1; lose_after_others(n, &seen); n += 3 * stride())
		continue;
	where = "";
	assert_true(seen * stride() > 10);
}

static void
a_batch_is_sent_before_the_one_before_it_is_answered(void **state)
{
	struct run r;

	(void)state;
	where = "ahead";
	fake_load(&setup);
	fake_arm(FAKE_FAILURES, ALWAYS, 0);
	run(&r, 1);
	check_finished(&r);
	must(fake_facts().ahead > 0);
	must(fake_facts().untried == 0);
	run_done(&r);
}

/* Whether the server tried the second one or not. */
static void
what_was_sent_behind_a_batch_that_fails_is_written_all_the_same(void **state)
{
	int64_t tried = 0, untried = 0, n = 0;
	struct fake_facts f;
	struct run r;

	(void)state;
	where = "behind a failure";
	do {
		fake_load(&setup);
		fake_arm_call("rows_wait", FAKE_SERIALIZATION, ++n, 1);
		run(&r, 1);
		f = fake_facts();
		check_finished(&r);
		check_counts();
		run_done(&r);
		untried += f.untried;
		tried += f.untried == 0;
	} while (f.fired);
	must(untried > 0);
	must(tried > 0);
}

/* Where a worker's n-th batch is refused from then on, so many times. */
static void
run_with_full_disk(struct run *r, int64_t n, int64_t times)
{
	fake_load(&setup);
	fake_arm_call("rows_wait", FAKE_FULL, n, times);
	run(r, 1);
	must(fake_facts().by_worker);
}

static void
a_full_disk_is_waited_for_more_patiently_than_a_connection(void **state)
{
	struct run r;

	(void)state;
	where = "disk full for a while";
	run_with_full_disk(&r, 5, 60);
	check_finished(&r);
	check_counts();
	run_done(&r);
}

#define MINUTE_MS (60 * (int64_t)1000)

static void
a_disk_that_stays_full_ends_the_run_after_half_an_hour(void **state)
{
	int64_t began = clock_ms();
	struct run r;

	(void)state;
	where = "disk full for ever";
	run_with_full_disk(&r, 5, ALWAYS);
	must(r.status == -1 && !strcmp(r.err.sqlstate, "53100"));
	must(strstr(r.err.hint, "goes on where this one stopped"));
	must(clock_ms() - began > 29 * MINUTE_MS);
	must(clock_ms() - began < 35 * MINUTE_MS);
	check_rows(false);
	run_done(&r);
}

static void
a_table_that_stays_locked_ends_the_run_after_five_minutes(void **state)
{
	int64_t began = clock_ms();
	struct run r;

	(void)state;
	where = "table locked for ever";
	fake_load(&setup);
	fake_lock_table(CREDS, true);
	run(&r, 2);
	must(r.status == ERR_STOPPED);
	must(strstr(r.outcome.note, "a table stays locked by"));
	must(clock_ms() - began >= 5 * MINUTE_MS);
	must(clock_ms() - began < 10 * MINUTE_MS); /* a fast clock */
	must(!strcmp(fake_run_state(1), "open"));
	for (size_t t = 0; t < FAKE_TABLES; t++)
		must((fake_written(1, t, 0) > 0) == (t != CREDS));
	run_done(&r);
	fake_lock_table(CREDS, false);
	run(&r, 1);
	check_finished(&r);
	run_done(&r);
}

/* Nobody would ever go on where one was taken away for good. */
static void
standbys_that_stay_gone_end_the_run_after_half_an_hour(void **state)
{
	struct fake_setup slow = setup;
	int64_t began = clock_ms();
	struct run r;

	(void)state;
	where = "standby gone for ever";
	slow.slow = true; /* main looks now and then, by the real clock */
	fake_load(&slow);
	fake_standbys_gone(1);
	run(&r, 2);
	fake_standbys_gone(0);
	must(r.status == -1 && r.err.code == ERR_DB);
	must(strstr(r.err.msg, "1 of 2 standbys gone since the start"));
	must(strstr(r.err.hint, "goes on where this one stopped"));
	must(clock_ms() - began > 29 * MINUTE_MS);
	must(!strcmp(fake_run_state(1), "open"));
	for (size_t t = 0; t < FAKE_TABLES; t++)
		must(fake_written(1, t, 0) == 0);
	run_done(&r);
	run(&r, 1);
	check_finished(&r);
	run_done(&r);
}

/* The row is alone in its pass, and free at the moment that it is looked at:
 * that says nothing about a trigger. */
static void
a_row_let_go_at_any_look_is_written(void **state)
{
	bool more = true;
	struct run r;

	(void)state;
	for (int64_t n = 1; more; n += stride()) {
		char *text = xasprintf("let go at look %lld", (long long)n);

		where = text;
		fake_load(&setup);
		fake_hold(CREDS, 100);
		fake_arm_call("rows_presence", FAKE_RELEASED, n, 1);
		run(&r, 1);
		more = fake_facts().fired != NULL;
		if (more)
			check_finished(&r);
		must(more || n > 10);
		must(fake_facts().found == 0);
		check_counts();
		run_done(&r);
		where = "";
		free(text);
	}
}

/* A storm over several workers: whatever happens to whom in which order. */
static void
workers_finish_together_whatever_happens(void **state)
{
	struct run first, then;

	(void)state;
	for (int64_t every = 7; every < 40; every += 3 * stride()) {
		char *text = xasprintf("storm every %lld", (long long)every);
		struct fake_setup threads = setup;

		where = text;
		threads.threads = true;
		fake_load(&threads);
		fake_storm(FAKE_FAILURES, every);
		run(&first, 3);
		must(fake_facts().fired != NULL);
		must(first.status == ERR_NONE && first.outcome.complete);
		check_rows(false);
		check_counts();
		fake_disarm();
		fake_release();
		run(&then, 3);
		check_finished(&then);
		check_counts();
		run_done(&first);
		run_done(&then);
		where = "";
		free(text);
	}
}

static enum fake_failure kinds[] = {
	FAKE_SERIALIZATION,
	FAKE_DEADLOCK,
	FAKE_LOCK_TIMEOUT,
	FAKE_CANCELED,
	FAKE_DIVISION,
	FAKE_MEMORY,
	FAKE_DENIED,
	FAKE_FULL,
	FAKE_READ_ONLY,
	FAKE_LOST,
	FAKE_RESTART,
	FAKE_LOST_ANSWER,
	FAKE_MOVED,
	FAKE_CHANGED,
	FAKE_CHANGED_OLD,
	FAKE_LOCKED,
	FAKE_HELD,
	FAKE_STOLEN,
};

#define ONE(what, kind)                                           \
	{                                                         \
#what " - " #kind, what, NULL, NULL, &kinds[kind] \
	}
#define ONCE(kind) ONE(any_one_call_may_fail, kind)
#define TIMES(kind) ONE(a_call_may_fail_a_few_times, kind)
#define STAYS(kind) ONE(a_failure_that_stays_ends_the_run, kind)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(an_undisturbed_run_writes_each_value_once),
		ONCE(FAKE_SERIALIZATION),
		ONCE(FAKE_DEADLOCK),
		ONCE(FAKE_LOCK_TIMEOUT),
		ONCE(FAKE_CANCELED),
		ONCE(FAKE_DIVISION),
		ONCE(FAKE_MEMORY),
		ONCE(FAKE_DENIED),
		ONCE(FAKE_FULL),
		ONCE(FAKE_READ_ONLY),
		ONCE(FAKE_LOST),
		ONCE(FAKE_RESTART),
		ONCE(FAKE_LOST_ANSWER),
		ONCE(FAKE_MOVED),
		ONCE(FAKE_CHANGED),
		ONCE(FAKE_CHANGED_OLD),
		ONCE(FAKE_LOCKED),
		ONCE(FAKE_HELD),
		ONCE(FAKE_STOLEN),
		TIMES(FAKE_SERIALIZATION),
		TIMES(FAKE_LOCK_TIMEOUT),
		TIMES(FAKE_DIVISION),
		TIMES(FAKE_FULL),
		TIMES(FAKE_READ_ONLY),
		TIMES(FAKE_LOST),
		STAYS(FAKE_SERIALIZATION),
		STAYS(FAKE_LOCK_TIMEOUT),
		STAYS(FAKE_DIVISION),
		STAYS(FAKE_MEMORY),
		STAYS(FAKE_DENIED),
		STAYS(FAKE_FULL),
		STAYS(FAKE_READ_ONLY),
		STAYS(FAKE_LOST),
		cmocka_unit_test(a_poor_connection_ends_no_run_that_goes_on),
		cmocka_unit_test(
			a_batch_is_sent_before_the_one_before_it_is_answered),
		cmocka_unit_test(
			what_was_sent_behind_a_batch_that_fails_is_written_all_the_same),
		cmocka_unit_test(
			a_connection_lost_after_other_failures_is_made_again),
		cmocka_unit_test(
			a_full_disk_is_waited_for_more_patiently_than_a_connection),
		cmocka_unit_test(
			a_disk_that_stays_full_ends_the_run_after_half_an_hour),
		cmocka_unit_test(
			a_table_that_stays_locked_ends_the_run_after_five_minutes),
		cmocka_unit_test(
			standbys_that_stay_gone_end_the_run_after_half_an_hour),
		cmocka_unit_test(a_row_let_go_at_any_look_is_written),
		cmocka_unit_test(workers_finish_together_whatever_happens),
	};

	return cmocka_run_group_tests(tests, torture_begin, torture_end);
}
