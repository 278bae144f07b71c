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
	found->met = true;
	found = stray_list_find(&l, &there);
	assert_non_null(found);
	assert_false(stray_is_at(found, &there));
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
	assert_true(strays_meet(&leaf, &all, &seen));
	assert_int_equal(leaf, 1);
	assert_false(strays_meet(&leaf, &all, &seen));
	seen.hash = 8;
	assert_false(strays_meet(&leaf, &all, &seen));
	stray_list_done(&l);
	strays_done(&all);
}

static void
plaintext_is_not_kept(void **state)
{
	struct stray_list l = {0};
	struct stray s = stray(7, 1, 3), seen = stray(7, 1, 9);
	struct strays all;
	uint32_t leaf;

	(void)state;
	strays_init(&all);
	s.clear = true;
	stray_list_add(&l, &s);
	assert_non_null(stray_list_find(&l, &seen));
	strays_add(&all, &l);
	assert_false(strays_meet(&leaf, &all, &seen));
	assert_false(strays_may_have(&all, 7));
	stray_list_done(&l);
	strays_done(&all);
}

static void
what_was_in_a_list_is_wiped(void **state)
{
	static const struct stray none;
	struct stray_list l = {0};

	(void)state;
	for (uint32_t i = 0; i < 100; i++) {
		struct stray s = stray(UINT64_MAX - i, 1, i);

		stray_list_add(&l, &s);
	}
	stray_list_reset(&l);
	assert_int_equal(l.count, 0);
	for (size_t i = 0; i < l.room; i++)
		assert_memory_equal(&l.stray[i], &none, sizeof(none));
	stray_list_done(&l);
}

static void
the_newest_are_kept_where_there_is_no_room_for_all(void **state)
{
	struct stray_list l = {0}, more = {0};
	struct stray last = stray(STRAYS_MAX, 1, 0), first = stray(1, 1, 0);
	struct strays all;
	uint32_t leaf;

	(void)state;
	strays_init(&all);
	assert_false(strays_may_have(&all, first.hash));
	for (uint64_t i = 0; i < STRAYS_MAX; i++) {
		struct stray s = stray(i, 1, 0);

		stray_list_add(&l, &s);
	}
	strays_add(&all, &l);
	assert_true(strays_meet(&leaf, &all, &first));
	stray_list_add(&more, &last);
	strays_add(&all, &more); /* in the room of the first */
	first.hash = 2;
	assert_true(strays_meet(&leaf, &all, &first));
	strays_add(&all, &l);
	strays_add(&all, &more);
	assert_true(strays_may_have(&all, last.hash));
	assert_true(strays_meet(&leaf, &all, &last));
	first.hash = 3;
	assert_false(strays_meet(&leaf, &all, &first));
	strays_forget(&all);
	assert_false(strays_meet(&leaf, &all, &last));
	stray_list_done(&l);
	stray_list_done(&more);
	strays_done(&all);
}

/* An envelope that somebody copied into each row. */
static void
many_that_are_alike_are_told_by_their_place(void **state)
{
	struct stray_list l = {0};
	struct stray elsewhere = stray(7, 2, 0);

	(void)state;
	for (uint32_t i = 0; i < STRAYS_MAX; i++) {
		struct stray s = stray(7, 1, i);

		stray_list_add(&l, &s);
	}
	for (uint32_t i = 0; i < STRAYS_MAX; i++) {
		struct stray s = stray(7, 1, i);

		stray_list_find(&l, &s)->met = true;
		assert_null(i < 64 ? NULL : stray_list_find(&l, &elsewhere));
	}
	stray_list_done(&l);
}

static void
the_end_of_a_value_tells_it_from_others(void **state)
{
	char value[200] = {0};
	uint64_t hash = stray_hash(slice_of(value, sizeof(value)));

	(void)state;
	assert_true(hash != stray_hash(slice_of(value, sizeof(value) - 1)));
	for (size_t i = sizeof(value) - 64; i < sizeof(value); i++) {
		value[i] = 1;
		assert_true(hash != stray_hash(slice_of(value, sizeof(value))));
		value[i] = 0;
	}
	(void)stray_hash(slice_of(NULL, 0));
	(void)stray_hash(slice_of(value, 7));
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
		cmocka_unit_test(plaintext_is_not_kept),
		cmocka_unit_test(
			the_newest_are_kept_where_there_is_no_room_for_all),
		cmocka_unit_test(what_was_in_a_list_is_wiped),
		cmocka_unit_test(many_that_are_alike_are_told_by_their_place),
		cmocka_unit_test(the_end_of_a_value_tells_it_from_others),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
