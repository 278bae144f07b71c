/* What is an envelope's object, and what only looks like one. */
#include "../../src/format/format_int.h"
#include "test.h"
#include <stdlib.h>

static struct buf scratch;

static int
begin(void **state)
{
	(void)state;
	buf_init_secret(&scratch, 4096);
	return 0;
}

static int
end(void **state)
{
	(void)state;
	buf_done(&scratch);
	return 0;
}

/* On the heap to the byte, so that a sanitizer sees any look behind it. */
static struct slice
tight(const char *text, size_t len)
{
	unsigned char *copy = xmalloc(len);

	memcpy(copy, text, len);
	return slice_of(copy, len);
}

static void
assert_member(enum member_result expected, const char *text, const char *value)
{
	struct slice s = tight(text, strlen(text)), got = {0};
	enum member_result result = json_only_member(&got, s, "m", &scratch);

	if (result != expected)
		fail_msg("%s: %d", text, (int)result);
	if (expected != MEMBER_NONE) {
		assert_int_equal(got.len, strlen(value));
		assert_memory_equal(got.ptr, value, got.len);
	}
	xfree(s.ptr);
}

static void
one_member_with_a_string_is_found(void **state)
{
	(void)state;
	assert_member(MEMBER_FOUND, "{\"m\":\"v\"}", "v");
	assert_member(MEMBER_FOUND, "{\"m\":\"\"}", "");
	assert_member(
		MEMBER_FOUND, " \t\r\n{ \n\"m\"\t:\r \"v\" \n } \r\n\t ", "v");
	assert_member(MEMBER_FOUND, "{\"\\u006d\":\"v\"}", "v");
	assert_member(MEMBER_FOUND, "{\"m\":\"{}[],:\"}", "{}[],:");
}

static void
everything_else_is_not(void **state)
{
	static const char *const texts[] = {"", " ", "{", "}", "{}", "[]",
		"null", "\"m\"", "{\"m\"}", "{\"m\":}", "{\"m\":1}",
		"{\"m\":null}", "{\"m\":[\"v\"]}", "{\"m\":{\"m\":\"v\"}}",
		"{\"m\":\"v\"", "{\"m\":\"v", "{\"m\":\"v\"}}",
		"{\"m\":\"v\"} x", "{\"m\":\"v\",}", "{,\"m\":\"v\"}",
		"{\"m\" \"v\"}", "{\"n\":\"v\"}", "{\"M\":\"v\"}",
		"{\"m\":\"v\",\"n\":\"v\"}", "{\"n\":\"v\",\"m\":\"v\"}",
		"{\"mm\":\"v\"}", "{\"\":\"v\"}", "[{\"m\":\"v\"}]",
		"{\"m\":\"v\"}{\"m\":\"v\"}", "\xef\xbb\xbf{\"m\":\"v\"}",
		"{m:\"v\"}", "{'m':'v'}", "\v{\"m\":\"v\"}", "{\"m\":\"v\n\"}",
		"{\"m\n\":\"v\"}", "{\"m\":\"\\x\"}", "{\"m\":\"\\\"}",
		"{\"m\":\"\\", "{\"m\":\"\\u", "{\"m\":\"\\u00",
		"{\"m\":\"\\u004g\"}", "{\"m\":\"\\u 041\"}"};

	(void)state;
	for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++)
		assert_member(MEMBER_NONE, texts[i], NULL);
}

static void
the_last_of_several_counts_and_is_known_to_be_one_of_them(void **state)
{
	(void)state;
	assert_member(MEMBER_TWICE, "{\"m\":\"a\",\"m\":\"b\"}", "b");
	assert_member(MEMBER_TWICE, "{\"m\":\"a\", \"\\u006D\" : \"b\\u0063\"}",
		"bc");
	assert_member(MEMBER_TWICE, "{\"m\":1,\"m\":\"b\"}", "b");
	assert_member(MEMBER_TWICE,
		"{\"m\": {\"m\": [\"}\", {}, \",\\\"\"]} , \"m\":\"b\"}", "b");
	assert_member(
		MEMBER_TWICE, "{\"m\":\"a\",\"m\":true,\"m\":\"b\"}", "b");
	assert_member(MEMBER_NONE, "{\"m\":\"a\",\"m\":1}", NULL);
	assert_member(MEMBER_NONE, "{\"m\":\"a\",\"m\":[\"b\"]}", NULL);
	assert_member(MEMBER_NONE, "{\"m\":[\"b\"", NULL);
	assert_member(MEMBER_NONE, "{\"m\":[\"b", NULL);
}

static void
assert_string(const char *text, const char *value, size_t len)
{
	struct slice s = tight(text, strlen(text)), got = {0};

	assert_true(json_only_string(&got, s, &scratch));
	assert_int_equal(got.len, len);
	assert_memory_equal(got.ptr, value, len);
	xfree(s.ptr);
}

static void
escapes_become_what_they_stand_for(void **state)
{
	(void)state;
	assert_string("\"plain\"", "plain", 5);
	assert_string(" \"\" ", "", 0);
	assert_string("\"\\\"\\\\\\/\\b\\f\\n\\r\\t\"", "\"\\/\b\f\n\r\t", 8);
	assert_string("\"a\\u0000b\"", "a\0b", 3);
	assert_string("\"\\u007f\\u0080\\u07ff\\u0800\\uffff\"",
		"\x7f\xc2\x80\xdf\xbf\xe0\xa0\x80\xef\xbf\xbf", 11);
	assert_string("\"\\uD83D\\uDE00\"", "\xf0\x9f\x98\x80", 4);
	assert_string("\"\\ud800\\udc00\\udbff\\udfff\"",
		"\xf0\x90\x80\x80\xf4\x8f\xbf\xbf", 8);
	assert_string("\"\xc3\xa9\xff\"", "\xc3\xa9\xff", 3);
}

/* A json column takes them; the application's parser passes them on. */
static void
half_a_surrogate_pair_is_kept_as_bytes_that_are_no_text(void **state)
{
	(void)state;
	assert_string("\"\\ud800\"", "\xed\xa0\x80", 3);
	assert_string("\"\\udc00x\"", "\xed\xb0\x80x", 4);
	assert_string("\"\\ud800\\u0041\"",
		"\xed\xa0\x80"
		"A",
		4);
	assert_string(
		"\"\\ud800\\ud83d\\ude00\"", "\xed\xa0\x80\xf0\x9f\x98\x80", 7);
	assert_string("\"\\ud800\\n\"", "\xed\xa0\x80\n", 4);
	assert_string("\"\\ud800\\ue000\"", "\xed\xa0\x80\xee\x80\x80", 6);
	assert_string("\"\\udc00\\udc00\"", "\xed\xb0\x80\xed\xb0\x80", 6);
}

static void
only_a_single_string_is_one(void **state)
{
	static const char *const texts[] = {"", "\"", "\"a", "a", "\"a\" b",
		"\"a\"\"b\"", "[\"a\"]", "\"\x1f\"", "\"\\ud800\\u12\"",
		"\"\\ud800\\", "'a'"};
	struct slice got;

	(void)state;
	for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
		struct slice s = tight(texts[i], strlen(texts[i]));

		if (json_only_string(&got, s, &scratch))
			fail_msg("%s", texts[i]);
		xfree(s.ptr);
	}
	assert_false(json_only_string(&got, (struct slice){0}, &scratch));
	assert_int_equal(
		json_only_member(&got, (struct slice){0}, "m", &scratch),
		MEMBER_NONE);
}

static void
what_exceeds_the_scratch_memory_is_no_string(void **state)
{
	struct slice got;
	struct buf small;

	(void)state;
	buf_init(&small, 4);
	assert_true(json_only_string(&got, slice_str("\"12345678\""), &small));
	assert_false(
		json_only_string(&got, slice_str("\"12345678\\n\""), &small));
	buf_done(&small);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(one_member_with_a_string_is_found),
		cmocka_unit_test(everything_else_is_not),
		cmocka_unit_test(
			the_last_of_several_counts_and_is_known_to_be_one_of_them),
		cmocka_unit_test(escapes_become_what_they_stand_for),
		cmocka_unit_test(
			half_a_surrogate_pair_is_kept_as_bytes_that_are_no_text),
		cmocka_unit_test(only_a_single_string_is_one),
		cmocka_unit_test(what_exceeds_the_scratch_memory_is_no_string),
	};

	return cmocka_run_group_tests(tests, begin, end);
}
