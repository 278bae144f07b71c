/*
 * The table is checked against Python in tests/cli/test_cli.py's fuzz of
 * configuration files; here are the borders, by hand from RFC 3629.
 */
#include "test.h"
#include "utf8.h"

static void
takes_the_first_and_last_character_of_each_length(void **state)
{
	static const char *const whole[] = {"\x01", "\x7f", "\xc2\x80",
		"\xdf\xbf", "\xe0\xa0\x80", "\xed\x9f\xbf", "\xee\x80\x80",
		"\xef\xbf\xbf", "\xf0\x90\x80\x80", "\xf4\x8f\xbf\xbf"};

	(void)state;
	for (size_t i = 0; i < sizeof(whole) / sizeof(whole[0]); i++)
		assert_int_equal(
			utf8_char(slice_str(whole[i])), strlen(whole[i]));
	assert_int_equal(utf8_char(slice_of("\0", 1)), 1);
}

static void
refuses_overlong_surrogates_and_beyond_unicode(void **state)
{
	static const char *const bad[] = {"\x80", "\xbf", "\xc0\x80",
		"\xc1\xbf", "\xe0\x9f\xbf", "\xed\xa0\x80", "\xf0\x8f\xbf\xbf",
		"\xf4\x90\x80\x80", "\xf5\x80\x80\x80", "\xff"};

	(void)state;
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		assert_int_equal(utf8_char(slice_str(bad[i])), 0);
}

static void
refuses_a_character_that_is_cut_or_continued_wrongly(void **state)
{
	(void)state;
	assert_int_equal(utf8_char(slice_of("\xc3\xa9", 1)), 0);
	assert_int_equal(utf8_char(slice_of("\xf0\x9f\x98\x80", 3)), 0);
	assert_int_equal(utf8_char(slice_str("\xe2\x82(")), 0);
	assert_int_equal(utf8_char(slice_str("\xc3(")), 0);
	assert_int_equal(utf8_char(slice_of("", 0)), 0);
}

static void
knows_what_drives_a_terminal(void **state)
{
	static const char *const drives[] = {
		"\x01", "\x1b", "\x1f", "\x7f", "\xc2\x80", "\xc2\x9f"};
	static const char *const shows[] = {" ", "~", "\xc2\xa0", "\xc3\x80",
		"\xe0\xa0\x80", "\xf0\x90\x80\x80"};

	(void)state;
	for (size_t i = 0; i < sizeof(drives) / sizeof(drives[0]); i++)
		assert_true(utf8_is_control(slice_str(drives[i])));
	for (size_t i = 0; i < sizeof(shows) / sizeof(shows[0]); i++)
		assert_false(utf8_is_control(slice_str(shows[i])));
	assert_true(utf8_is_control(slice_of("\0", 1)));
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(
			takes_the_first_and_last_character_of_each_length),
		cmocka_unit_test(
			refuses_overlong_surrogates_and_beyond_unicode),
		cmocka_unit_test(
			refuses_a_character_that_is_cut_or_continued_wrongly),
		cmocka_unit_test(knows_what_drives_a_terminal),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
