#include "json.h"
#include "test.h"
#include <math.h>

static struct buf out;
static struct json j;

static int
begin(void **state)
{
	(void)state;
	buf_init(&out, 4096);
	json_init(&j, &out);
	return 0;
}

static int
end(void **state)
{
	(void)state;
	buf_done(&out);
	return 0;
}

static void
commas_and_keys_come_by_themselves(void **state)
{
	(void)state;
	json_object(&j, NULL);
	json_int(&j, "a", -5);
	json_array(&j, "b");
	json_string(&j, NULL, "x");
	json_object(&j, NULL);
	json_end(&j, '}');
	json_bool(&j, NULL, true);
	json_end(&j, ']');
	json_null(&j, "c");
	json_raw(&j, "r", "[1]");
	json_bool(&j, "d", false);
	json_end(&j, '}');
	assert_string_equal(buf_str(&out), "{\"a\":-5,\"b\":[\"x\",{},true],"
					   "\"c\":null,\"r\":[1],\"d\":false}");
}

static void
control_characters_quotes_and_backslashes_are_escaped(void **state)
{
	(void)state;
	json_slice(&j, NULL, slice_of("a\"\\\n\r\t\x01\x00\x7f/", 10));
	assert_string_equal(
		buf_str(&out), "\"a\\\"\\\\\\n\\r\\t\\u0001\\u0000\\u007f/\"");
}

static void
keys_are_escaped_too(void **state)
{
	(void)state;
	json_object(&j, NULL);
	json_int(&j, "a\"b", 1);
	json_end(&j, '}');
	assert_string_equal(buf_str(&out), "{\"a\\\"b\":1}");
}

static void
invalid_utf8_becomes_the_replacement_character(void **state)
{
	(void)state;
	json_string(&j, NULL, "\xc3\xa9|\xff|\xc3|\xed\xa0\x80");
	assert_string_equal(buf_str(&out),
		"\"\xc3\xa9|\xef\xbf\xbd|\xef\xbf\xbd|"
		"\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd\"");
}

static void
numbers_keep_their_limits_and_nan_is_null(void **state)
{
	(void)state;
	json_array(&j, NULL);
	json_int(&j, NULL, INT64_MIN);
	json_int(&j, NULL, INT64_MAX);
	json_real(&j, NULL, 2.0 / 3, 3);
	json_real(&j, NULL, (double)NAN, 1);
	json_real(&j, NULL, -(double)INFINITY, 1);
	json_end(&j, ']');
	assert_string_equal(buf_str(&out),
		"[-9223372036854775808,9223372036854775807,0.667,null,null]");
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(
			commas_and_keys_come_by_themselves, begin, end),
		cmocka_unit_test_setup_teardown(
			control_characters_quotes_and_backslashes_are_escaped,
			begin, end),
		cmocka_unit_test_setup_teardown(
			keys_are_escaped_too, begin, end),
		cmocka_unit_test_setup_teardown(
			invalid_utf8_becomes_the_replacement_character, begin,
			end),
		cmocka_unit_test_setup_teardown(
			numbers_keep_their_limits_and_nan_is_null, begin, end),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
