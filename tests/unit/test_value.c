#include "../../src/cli/value_int.h"
#include "test.h"

struct number {
	const char *text;
	int64_t value; /* -1: refused */
};

static void
check(const struct number *cases, size_t count,
	bool (*parse)(int64_t *, const char *))
{
	for (size_t i = 0; i < count; i++) {
		int64_t n = -1;

		if (!parse(&n, cases[i].text))
			n = -1;
		if (n != cases[i].value)
			fail_msg("'%s'", cases[i].text);
	}
}

#define CHECK(cases, parse) \
	check(cases, sizeof(cases) / sizeof(*(cases)), parse)

/* C13 */
static void
a_number_is_digits_and_nothing_else(void **state)
{
	static const struct number cases[] = {{"0", 0}, {"1000", 1000},
		{"007", 7}, {"999999999999999999", 999999999999999999},
		{"1000000000000000000", -1}, {"99999999999999999999", -1},
		{"", -1}, {"-1", -1}, {"+1", -1}, {" 1", -1}, {"1 ", -1},
		{"1e9", -1}, {"0x10", -1}, {"10k", -1}, {"1.5", -1},
		{"1,5", -1}, {"1_000", -1}, {"NaN", -1}, {"\xd9\xa3", -1}};

	(void)state;
	CHECK(cases, value_uint);
}

static void
a_duration_has_exactly_one_unit(void **state)
{
	static const struct number cases[] = {{"500ms", 500}, {"30s", 30000},
		{"5m", 300000}, {"2h", 7200000}, {"0s", 0}, {"30", -1},
		{"s", -1}, {"30S", -1}, {"30 s", -1}, {"1h30m", -1},
		{"1.5h", -1}, {"-1s", -1}, {"30sec", -1}, {"1d", -1},
		{"999999999999999999h", -1}};

	(void)state;
	CHECK(cases, value_duration);
}

static void
a_size_is_bytes_or_has_a_binary_unit(void **state)
{
	static const struct number cases[] = {{"4096", 4096}, {"512B", 512},
		{"64KiB", 65536}, {"8MiB", 8388608}, {"1GiB", 1073741824},
		{"8MB", -1}, {"8kB", -1}, {"8M", -1}, {"8mib", -1},
		{"8 MiB", -1}, {"MiB", -1}, {"1TiB", -1},
		{"99999999999GiB", -1}};

	(void)state;
	CHECK(cases, value_size);
}

/* C14 */
static void
a_boolean_is_one_of_eight_words(void **state)
{
	static const char *const yes[] = {"on", "yes", "true", "1"};
	static const char *const no[] = {"off", "no", "false", "0"};
	static const char *const bad[] = {
		"", "TRUE", "Yes", "2", "y", "enabled", "on ", "t", "-1"};
	bool b;

	(void)state;
	for (size_t i = 0; i < 4; i++) {
		b = false;
		assert_true(value_bool(&b, yes[i]) && b);
		assert_true(value_bool(&b, no[i]) && !b);
	}
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		assert_false(value_bool(&b, bad[i]));
}

static void
numbers_are_shown_in_the_largest_exact_unit(void **state)
{
	struct buf out;

	(void)state;
	buf_init(&out, 1000);
	value_add_duration(&out, 7200000);
	value_add_duration(&out, 90000);
	value_add_duration(&out, 50);
	value_add_duration(&out, 0);
	value_add_size(&out, 8388608);
	value_add_size(&out, 1025);
	value_add_size(&out, 0);
	assert_string_equal(buf_str(&out), "2h90s50ms0ms8MiB1025B0B");
	buf_done(&out);
}

static void
a_list_has_no_blanks_around_its_items_and_no_empty_ones(void **state)
{
	static const char *const bad[] = {"", ",", "a,", ",a", "a,,b", "a, ,b"};
	char **list = NULL;

	(void)state;
	assert_true(list_add_items(&list, " a ,b b,\tc"));
	assert_true(list_add_items(&list, "d"));
	assert_int_equal(list_count(list), 4);
	assert_string_equal(list[0], "a");
	assert_string_equal(list[1], "b b");
	assert_string_equal(list[2], "c");
	assert_string_equal(list[3], "d");
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		assert_false(list_add_items(&list, bad[i]));
	assert_int_equal(list_count(list), 4);
	list_free(list);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_number_is_digits_and_nothing_else),
		cmocka_unit_test(a_duration_has_exactly_one_unit),
		cmocka_unit_test(a_size_is_bytes_or_has_a_binary_unit),
		cmocka_unit_test(a_boolean_is_one_of_eight_words),
		cmocka_unit_test(numbers_are_shown_in_the_largest_exact_unit),
		cmocka_unit_test(
			a_list_has_no_blanks_around_its_items_and_no_empty_ones),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
