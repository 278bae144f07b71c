/* Which value is which, among those that were missed and are gone. */
#include "../../src/engine/stray_int.h"
#include "test.h"

static struct stray
stray(uint64_t hash, uint32_t leaf, uint32_t block)
{
	return (struct stray){.hash = hash,
		.leaf = leaf,
		.tid = {.block = block, .offset = 1}};
}

static void
of_two_that_are_alike_the_one_of_that_place_is_met(void **state)
{
	struct stray_list l = {0};
	struct stray there = stray(7, 1, 37);
	struct stray *found;

	(void)state;
	for (uint32_t i = 0; i < 50; i++) {
		struct stray s = stray(i % 10, 1, i);

		stray_list_add(&l, &s);
	}
	found = stray_list_find(&l, &there);
	assert_non_null(found);
	assert_true(stray_is_at(found, &there));
	there.leaf = 2;
	assert_non_null(stray_list_find(&l, &there));
	there.hash = 10;
	assert_null(stray_list_find(&l, &there));
	stray_list_done(&l);
}

static void
a_value_of_another_column_or_table_is_another_value(void **state)
{
	struct stray_list l = {0};
	struct stray s = stray(7, 1, 3);

	(void)state;
	stray_list_add(&l, &s);
	s.column = 1;
	assert_null(stray_list_find(&l, &s));
	s.column = 0;
	s.target = 1;
	assert_null(stray_list_find(&l, &s));
	s.target = 0;
	assert_non_null(stray_list_find(&l, &s));
	stray_list_done(&l);
}

static void
what_was_met_is_met_once(void **state)
{
	struct stray_list l = {0};
	struct strays all;
	struct stray s = stray(7, 1, 3), seen = stray(7, 2, 9);
	uint32_t leaf = 0;

	(void)state;
	strays_init(&all);
	stray_list_add(&l, &s);
	s.met = true; /* by the worker itself */
	s.hash = 8;
	stray_list_add(&l, &s);
	strays_add(&all, &l);
	assert_int_equal(atomic_load(&all.open), 1);
	assert_true(strays_meet(&leaf, &all, &seen));
	assert_int_equal(leaf, 1);
	assert_int_equal(atomic_load(&all.open), 0);
	assert_false(strays_meet(&leaf, &all, &seen));
	seen.hash = 8;
	assert_false(strays_meet(&leaf, &all, &seen));
	stray_list_done(&l);
	strays_done(&all);
}

static void
more_than_the_most_are_not_kept_until_others_are_met(void **state)
{
	struct stray_list l = {0}, more = {0};
	struct stray s, seen = stray(STRAYS_MAX + 1, 1, 0);
	struct strays all;
	uint32_t leaf;

	(void)state;
	strays_init(&all);
	for (uint64_t i = 0; i <= STRAYS_MAX; i++) {
		s = stray(i, 1, 0);
		stray_list_add(&l, &s);
	}
	s = seen;
	stray_list_add(&more, &s);
	strays_add(&all, &l);
	strays_add(&all, &more);
	assert_int_equal(atomic_load(&all.open), STRAYS_MAX);
	assert_false(strays_meet(&leaf, &all, &seen));
	s = stray(0, 1, 0);
	assert_true(strays_meet(&leaf, &all, &s));
	strays_add(&all, &more);
	assert_true(strays_meet(&leaf, &all, &seen));
	stray_list_done(&l);
	stray_list_done(&more);
	strays_done(&all);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(
			of_two_that_are_alike_the_one_of_that_place_is_met),
		cmocka_unit_test(
			a_value_of_another_column_or_table_is_another_value),
		cmocka_unit_test(what_was_met_is_met_once),
		cmocka_unit_test(
			more_than_the_most_are_not_kept_until_others_are_met),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
