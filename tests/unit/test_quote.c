/* C22: names and texts on their way into SQL; and small texts for people. */
#include "clock.h"
#include "quote.h"
#include "test.h"
#include "text.h"

static const char *
with(void (*fn)(struct buf *, const char *), const char *text)
{
	static unsigned char kept[1024];
	struct buf b;

	buf_init(&b, sizeof(kept) - 1);
	fn(&b, text);
	assert_false(buf_over(&b));
	memcpy(kept, b.ptr, b.len + 1);
	buf_done(&b);
	return (const char *)kept;
}

static void
names_are_always_quoted_and_their_quotes_doubled(void **state)
{
	(void)state;
	assert_string_equal(with(quote_ident, "users"), "\"users\"");
	assert_string_equal(with(quote_ident, "Users"), "\"Users\"");
	assert_string_equal(with(quote_ident, "a\"b"), "\"a\"\"b\"");
	assert_string_equal(with(quote_ident, "\""), "\"\"\"\"");
	assert_string_equal(with(quote_ident, "a.b c\\'"), "\"a.b c\\'\"");
	assert_string_equal(with(quote_ident, "\"; DROP TABLE x; --"),
		"\"\"\"; DROP TABLE x; --\"");
	assert_string_equal(
		with(quote_ident, "\xc3\xa4pfel"), "\"\xc3\xa4pfel\"");
}

static void
literals_cannot_end_early_whatever_the_server_thinks_of_backslashes(
	void **state)
{
	(void)state;
	assert_string_equal(with(quote_literal, "a"), "'a'");
	assert_string_equal(with(quote_literal, ""), "''");
	assert_string_equal(with(quote_literal, "'"), "''''");
	assert_string_equal(with(quote_literal, "a''b"), "'a''''b'");
	assert_string_equal(with(quote_literal, "\\"), " E'\\\\'");
	assert_string_equal(with(quote_literal, "\\'"), " E'\\\\'''");
	assert_string_equal(with(quote_literal, "a\nb\"%s"), "'a\nb\"%s'");
}

static const char *
told(void (*fn)(struct buf *, int64_t), int64_t n)
{
	static char kept[64];
	struct buf b;

	buf_init(&b, sizeof(kept) - 1);
	fn(&b, n);
	memcpy(kept, b.ptr, b.len + 1);
	buf_done(&b);
	return kept;
}

static const char *
grouped(int64_t n)
{
	return told(text_grouped, n);
}

static void
add_tables(struct buf *b, int64_t n)
{
	text_count(b, n, "table", "tables");
}

static void
one_thing_is_singular(void **state)
{
	(void)state;
	assert_string_equal(told(add_tables, 0), "0 tables");
	assert_string_equal(told(add_tables, 1), "1 table");
	assert_string_equal(told(add_tables, 1234), "1,234 tables");
}

static void
numbers_are_grouped_by_thousands(void **state)
{
	(void)state;
	assert_string_equal(grouped(0), "0");
	assert_string_equal(grouped(7), "7");
	assert_string_equal(grouped(999), "999");
	assert_string_equal(grouped(1000), "1,000");
	assert_string_equal(grouped(123456), "123,456");
	assert_string_equal(grouped(1234567), "1,234,567");
	assert_string_equal(grouped(-5), "-5");
	assert_string_equal(grouped(-100), "-100");
	assert_string_equal(grouped(-1000), "-1,000");
	assert_string_equal(grouped(-123456), "-123,456");
	assert_string_equal(grouped(INT64_MAX), "9,223,372,036,854,775,807");
	assert_string_equal(grouped(INT64_MIN), "-9,223,372,036,854,775,808");
}

static void
sizes_and_durations_are_told_in_units_that_fit(void **state)
{
	(void)state;
	assert_string_equal(told(text_bytes, 0), "0 KiB");
	assert_string_equal(told(text_bytes, 8192), "8 KiB");
	assert_string_equal(told(text_bytes, 1023 * 1024), "1023 KiB");
	assert_string_equal(told(text_bytes, 1024 * 1024), "1.0 MiB");
	assert_string_equal(told(text_bytes, 4404019), "4.2 MiB");
	assert_string_equal(told(text_bytes, INT64_C(50) << 30), "50 GiB");
	assert_string_equal(told(text_bytes, INT64_MAX), "8192 PiB");
	assert_string_equal(told(text_seconds, 0), "0 s");
	assert_string_equal(told(text_seconds, 59), "59 s");
	assert_string_equal(told(text_seconds, 60), "1 min");
	assert_string_equal(told(text_seconds, 3599), "59 min");
	assert_string_equal(told(text_seconds, 5025), "1 h 23 min");
}

static void
the_clock_never_goes_back_and_sleep_takes_its_time(void **state)
{
	int64_t before = clock_ms(), now = before;

	(void)state;
	for (int i = 0; i < 1000; i++) {
		int64_t next = clock_ms();

		assert_true(next >= now);
		now = next;
	}
	clock_sleep_ms(0);
	clock_sleep_ms(2);
	assert_true(clock_ms() - before >= 2);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(
			names_are_always_quoted_and_their_quotes_doubled),
		cmocka_unit_test(
			literals_cannot_end_early_whatever_the_server_thinks_of_backslashes),
		cmocka_unit_test(one_thing_is_singular),
		cmocka_unit_test(numbers_are_grouped_by_thousands),
		cmocka_unit_test(
			sizes_and_durations_are_told_in_units_that_fit),
		cmocka_unit_test(
			the_clock_never_goes_back_and_sleep_takes_its_time),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
