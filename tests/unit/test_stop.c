/* Signals go to the process; whoever waits for them is another thread. */
#include "clock.h"
#include "log.h"
#include "stop.h"
#include "test.h"
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#define PATIENCE_MS 10000

static struct stop stop;
static atomic_int cancelled;

static void
cancel(void *ctx)
{
	atomic_fetch_add((atomic_int *)ctx, 1);
}

static int
begin(void **state)
{
	struct err err;

	(void)state;
	atomic_store(&cancelled, 0);
	return stop_start(&stop, cancel, &cancelled, &err);
}

static int
end(void **state)
{
	(void)state;
	stop_end(&stop);
	return 0;
}

static bool
becomes(atomic_int *what, int value)
{
	for (int64_t until = clock_ms() + PATIENCE_MS; clock_ms() < until;) {
		if (atomic_load(what) == value)
			return true;
		clock_sleep_ms(1);
	}
	return false;
}

static void
the_first_signal_asks_and_the_second_insists(void **state)
{
	(void)state;
	assert_false(stop_requested(&stop));
	kill(getpid(), SIGTERM);
	assert_true(becomes(&stop.level, STOP_SOON));
	assert_int_equal(atomic_load(&cancelled), 0);
	kill(getpid(), SIGINT);
	assert_true(becomes(&stop.level, STOP_NOW));
	assert_true(becomes(&cancelled, 1));
	kill(getpid(), SIGINT); /* may cancel what has begun since */
	assert_true(becomes(&cancelled, 2));
}

static void
asking_for_progress_stops_nothing(void **state)
{
	(void)state;
	kill(getpid(), SIGUSR1);
	for (int64_t until = clock_ms() + PATIENCE_MS;
		!atomic_load(&stop.progress) && clock_ms() < until;)
		clock_sleep_ms(1);
	assert_true(atomic_load(&stop.progress));
	assert_false(stop_requested(&stop));
}

static void
a_request_only_ever_gets_more_urgent(void **state)
{
	(void)state;
	stop_request(&stop, STOP_NOT);
	assert_int_equal(atomic_load(&stop.level), STOP_NOT);
	stop_request(&stop, STOP_NOW);
	stop_request(&stop, STOP_SOON);
	stop_request(&stop, STOP_NOT);
	assert_int_equal(atomic_load(&stop.level), STOP_NOW);
	assert_int_equal(atomic_load(&cancelled), 0); /* it was no signal */
}

static void
sleeping_ends_when_a_stop_is_requested(void **state)
{
	int64_t before = clock_ms();

	(void)state;
	stop_sleep(&stop, 0);
	stop_sleep(&stop, 30);
	assert_true(clock_ms() - before >= 30);
	kill(getpid(), SIGTERM);
	stop_sleep(&stop, 600000);
	assert_true(clock_ms() - before < PATIENCE_MS);
}

/* -- a server that does not answer ----------------------------------------- */

static void
hang(void *ctx)
{
	(void)ctx;
	for (;;)
		pause();
}

/* In a process of its own, since that is what ends. Main, too, waits for what
 * does not come, or ends in good time. */
static int
insist(void (*now)(void *ctx), bool main_ends)
{
	struct stop mine = {.silent = true, .grace_ms = 200};
	struct err err;
	pid_t child = fork();
	int status = -1;

	if (child == 0) {
		alarm(PATIENCE_MS / 1000);
		if (stop_start(&mine, now, &cancelled, &err) < 0)
			_exit(99);
		kill(getpid(), SIGTERM);
		if (!becomes(&mine.level, STOP_SOON))
			_exit(98);
		kill(getpid(), SIGTERM);
		if (!becomes(&mine.level, STOP_NOW))
			_exit(97);
		if (!main_ends)
			hang(NULL);
		stop_end(&mine);
		clock_sleep_ms(2L * mine.grace_ms);
		_exit(0);
	}
	assert_int_equal(waitpid(child, &status, 0), child);
	assert_true(WIFEXITED(status));
	return WEXITSTATUS(status);
}

static void
who_insists_is_obeyed_though_the_server_does_not_answer(void **state)
{
	(void)state;
	assert_int_equal(insist(hang, false), ERR_STOPPED);
	assert_int_equal(insist(hang, true), ERR_STOPPED);
	assert_int_equal(insist(cancel, false), ERR_STOPPED);
}

static void
an_orderly_end_is_left_alone(void **state)
{
	(void)state;
	assert_int_equal(insist(cancel, true), 0);
}

/* Asked once, by a signal or otherwise. */
static int
ask(bool by_signal, int soon_ms)
{
	struct stop mine = {
		.silent = true, .soon_ms = soon_ms, .grace_ms = 200};
	int64_t began = clock_ms();
	struct err err;
	pid_t child = fork();
	int status = -1;

	if (child == 0) {
		alarm(PATIENCE_MS / 1000);
		if (stop_start(&mine, cancel, &cancelled, &err) < 0)
			_exit(99);
		if (by_signal)
			kill(getpid(), SIGTERM);
		else
			stop_request(&mine, STOP_SOON);
		if (soon_ms > PATIENCE_MS)
			clock_sleep_ms(1000);
		else
			hang(NULL);
		stop_end(&mine);
		_exit(atomic_load(&cancelled));
	}
	assert_int_equal(waitpid(child, &status, 0), child);
	assert_true(WIFEXITED(status));
	if (WEXITSTATUS(status) == ERR_STOPPED)
		assert_true(clock_ms() - began >= soon_ms + mine.grace_ms);
	return WEXITSTATUS(status);
}

static void
a_stop_that_does_not_come_about_is_insisted_on(void **state)
{
	(void)state;
	assert_int_equal(ask(true, 300), ERR_STOPPED);
	assert_int_equal(ask(false, 300), ERR_STOPPED); /* the time was up */
}

static void
a_stop_has_its_time(void **state)
{
	(void)state;
	assert_int_equal(ask(true, STOP_SOON_MS), 0);
}

static void
look(void *ctx)
{
	atomic_fetch_add((atomic_int *)ctx, 1);
}

static void
whoever_waits_for_signals_looks_around_meanwhile(void **state)
{
	struct stop mine = {.silent = true, .tick = look};
	atomic_int *looks = &cancelled;
	struct err err;

	(void)state;
	atomic_store(looks, 0);
	assert_int_equal(stop_start(&mine, cancel, looks, &err), 0);
	assert_true(becomes(looks, 3));
	stop_end(&mine);
}

#define TEST(test) cmocka_unit_test_setup_teardown(test, begin, end)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(the_first_signal_asks_and_the_second_insists),
		TEST(asking_for_progress_stops_nothing),
		TEST(a_request_only_ever_gets_more_urgent),
		TEST(sleeping_ends_when_a_stop_is_requested),
		cmocka_unit_test(
			who_insists_is_obeyed_though_the_server_does_not_answer),
		cmocka_unit_test(an_orderly_end_is_left_alone),
		cmocka_unit_test(
			a_stop_that_does_not_come_about_is_insisted_on),
		cmocka_unit_test(a_stop_has_its_time),
		cmocka_unit_test(
			whoever_waits_for_signals_looks_around_meanwhile),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
