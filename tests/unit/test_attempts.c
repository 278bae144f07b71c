/* What a failure means, by its SQLSTATE, and how long it is worth another try.
 * The table is that of batch 2.6, written down a second time. */
#include "clock.h"
#include "job.h"
#include "test.h"
#include <stdio.h>

#define MOST 16

static struct err
failure(const char *sqlstate)
{
	struct err err = {.code = ERR_DB};

	snprintf(err.sqlstate, sizeof(err.sqlstate), "%s", sqlstate);
	return err;
}

static void
each_sqlstate_has_its_class(void **state)
{
	static const struct {
		enum pg_class class;
		const char *states[MOST];
	} cases[] = {
		{PG_CLASS_RETRY, {"40001", "40P01", "53200", "53400"}},
		{PG_CLASS_LOCK, {"55P03", "57014"}},
		{PG_CLASS_LOST,
			{"25P03", "25P04", "57P05", "57P01", "57P02", "57P03",
				"08000", "08003", "08006", "08001", "08004",
				"53300", "25006", "26000"}},
		{PG_CLASS_FULL, {"53100"}},
		{PG_CLASS_DATA,
			{"22001", "23514", "23502", "23505", "23503", "23P01",
				"22P02", "22021", "54000", "P0001"}},
		{PG_CLASS_FENCE, {"22012"}},
		{PG_CLASS_FATAL,
			{"42501", "42P01", "42703", "42704", "42883", "55000",
				"428C9", "0A000", "42P05", "XX000", ""}},
	};
	struct err err;

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		for (size_t k = 0; k < MOST && cases[i].states[k]; k++) {
			err = failure(cases[i].states[k]);
			if (pg_classify(&err) != cases[i].class)
				fail_msg("%s", cases[i].states[k]);
		}
	}
	err = failure("40001");
	err.code = ERR_BUG;
	assert_int_equal(pg_classify(&err), PG_CLASS_FATAL);
}

static void
a_connection_is_tried_eight_times_more(void **state)
{
	static const char *const states[] = {"08006", "53300"};

	(void)state;
	for (size_t i = 0; i < sizeof(states) / sizeof(states[0]); i++) {
		struct err err = failure(states[i]);
		struct job_attempts a = {0};

		for (int k = 0; k < 8; k++)
			assert_true(job_tries_again(&a, &err));
		assert_false(job_tries_again(&a, &err));
		assert_int_equal(a.count, 9);
	}
}

static void
a_server_that_starts_is_waited_for_two_minutes(void **state)
{
	struct err err = failure("57P03");
	struct job_attempts a = {0};

	(void)state;
	for (int k = 0; k < 30; k++)
		assert_true(job_tries_again(&a, &err));
	a.since_ms = clock_ms() - 110000;
	assert_true(job_tries_again(&a, &err));
	a.since_ms = clock_ms() - 121000;
	assert_false(job_tries_again(&a, &err));
}

/* A server that starts, and is killed at it. */
static void
attempts_while_it_starts_are_none_of_the_eight(void **state)
{
	struct err starting = failure("57P03"), refused = failure("08001");
	struct job_attempts a = {0};

	(void)state;
	for (int k = 0; k < 3; k++)
		assert_true(job_tries_again(&a, &refused));
	for (int k = 0; k < 20; k++)
		assert_true(job_tries_again(&a, &starting));
	assert_int_equal(a.count, 20);
	for (int k = 3; k < 8; k++)
		assert_true(job_tries_again(&a, &refused));
	assert_int_equal(a.count, 8); /* the pauses are its own, too */
	assert_false(job_tries_again(&a, &refused));
}

static void
the_two_minutes_begin_when_it_starts(void **state)
{
	struct err starting = failure("57P03"), refused = failure("08001");
	struct job_attempts a = {0};

	(void)state;
	assert_true(job_tries_again(&a, &refused));
	a.since_ms = clock_ms() - 121000;
	assert_true(job_tries_again(&a, &starting));
}

static void
pauses_grow_to_half_a_minute(void **state)
{
	(void)state;
	for (int i = 1; i < 20; i++) {
		long most = 100L << (i < 8 ? i : 8), ms = job_backoff_ms(i);

		assert_in_range(ms, most / 2, most);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(each_sqlstate_has_its_class),
		cmocka_unit_test(a_connection_is_tried_eight_times_more),
		cmocka_unit_test(
			a_server_that_starts_is_waited_for_two_minutes),
		cmocka_unit_test(
			attempts_while_it_starts_are_none_of_the_eight),
		cmocka_unit_test(the_two_minutes_begin_when_it_starts),
		cmocka_unit_test(pauses_grow_to_half_a_minute),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
