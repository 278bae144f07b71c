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
one_is_enough_while_there_is_nothing_to_finish(void **state)
{
	(void)state;
	atomic_store(&stop.at_once, true);
	kill(getpid(), SIGTERM);
	assert_true(becomes(&stop.level, STOP_NOW));
	/* The first may come between two statements. */
	for (int64_t until = clock_ms() + PATIENCE_MS;
		atomic_load(&cancelled) < 3 && clock_ms() < until;)
		clock_sleep_ms(1);
	assert_true(atomic_load(&cancelled) >= 3);
	atomic_store(&stop.at_once, false);
}

static void
what_came_before_there_was_nothing_to_finish_is_insisted_on(void **state)
{
	(void)state;
	kill(getpid(), SIGTERM);
	assert_true(becomes(&stop.level, STOP_SOON));
	atomic_store(&stop.at_once, true);
	assert_true(becomes(&stop.level, STOP_NOW));
	atomic_store(&stop.at_once, false);
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

/* In a process of its own, since that is what ends; returns how. */
static int
in_a_process(
	struct stop *mine, void (*now)(void *ctx), void (*run)(struct stop *))
{
	struct err err;
	pid_t child = fork();
	int status = -1;

	if (child == 0) {
		alarm(PATIENCE_MS / 1000);
		if (stop_start(mine, now, &cancelled, &err) < 0)
			_exit(99);
		run(mine);
		_exit(atomic_load(&cancelled));
	}
	assert_int_equal(waitpid(child, &status, 0), child);
	assert_true(WIFEXITED(status));
	return WEXITSTATUS(status);
}

static void
ask_twice(struct stop *mine)
{
	kill(getpid(), SIGTERM);
	if (!becomes(&mine->level, STOP_SOON))
		_exit(98);
	kill(getpid(), SIGTERM);
	if (!becomes(&mine->level, STOP_NOW))
		_exit(97);
}

/* Main, too, waits for what does not come. */
static void
ask_twice_and_hang(struct stop *mine)
{
	ask_twice(mine);
	hang(NULL);
}

static void
ask_twice_and_end(struct stop *mine)
{
	ask_twice(mine);
	stop_end(mine);
	clock_sleep_ms(2L * mine->grace_ms);
	_exit(0);
}

static int
insist(void (*now)(void *ctx), void (*run)(struct stop *))
{
	struct stop mine = {.silent = true, .grace_ms = 200};

	return in_a_process(&mine, now, run);
}

static void
who_insists_is_obeyed_though_the_server_does_not_answer(void **state)
{
	(void)state;
	assert_int_equal(insist(hang, ask_twice_and_hang), ERR_STOPPED);
	assert_int_equal(insist(hang, ask_twice_and_end), ERR_STOPPED);
	assert_int_equal(insist(cancel, ask_twice_and_hang), ERR_STOPPED);
}

static void
an_orderly_end_is_left_alone(void **state)
{
	(void)state;
	assert_int_equal(insist(cancel, ask_twice_and_end), 0);
}

#define SOON_MS 300

static void
be_asked_and_hang(struct stop *mine)
{
	(void)mine;
	kill(getpid(), SIGTERM);
	hang(NULL);
}

static void
be_late_and_hang(struct stop *mine)
{
	stop_request(mine, STOP_SOON);
	hang(NULL);
}

static void
be_asked_and_end(struct stop *mine)
{
	kill(getpid(), SIGTERM);
	clock_sleep_ms(3L * SOON_MS);
	stop_end(mine);
}

static void
a_stop_that_does_not_come_about_is_insisted_on(void **state)
{
	void (*const asked[])(struct stop *) = {
		be_asked_and_hang, be_late_and_hang};

	(void)state;
	for (size_t i = 0; i < sizeof(asked) / sizeof(asked[0]); i++) {
		struct stop mine = {
			.silent = true, .soon_ms = SOON_MS, .grace_ms = 200};
		int64_t began = clock_ms();

		assert_int_equal(
			in_a_process(&mine, cancel, asked[i]), ERR_STOPPED);
		assert_true(clock_ms() - began >= SOON_MS + mine.grace_ms);
	}
}

static void
a_stop_has_its_time(void **state)
{
	struct stop mine = {.silent = true};

	(void)state;
	assert_int_equal(in_a_process(&mine, cancel, be_asked_and_end), 0);
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

static void
a_time_that_is_up_is_as_good_as_a_signal(void **state)
{
	struct stop mine = {.silent = true, .most_ms = 1};
	struct err err;

	(void)state;
	atomic_store(&cancelled, 0);
	assert_int_equal(stop_start(&mine, cancel, &cancelled, &err), 0);
	assert_true(becomes(&mine.level, STOP_SOON));
	assert_int_equal(atomic_load(&cancelled), 0);
	atomic_store(&mine.at_once, true);
	assert_true(becomes(&mine.level, STOP_NOW));
	stop_end(&mine);
	assert_true(atomic_load(&cancelled) > 0);
}

#define TEST(test) cmocka_unit_test_setup_teardown(test, begin, end)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(the_first_signal_asks_and_the_second_insists),
		TEST(one_is_enough_while_there_is_nothing_to_finish),
		TEST(what_came_before_there_was_nothing_to_finish_is_insisted_on),
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
		cmocka_unit_test(a_time_that_is_up_is_as_good_as_a_signal),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
