#include "buf.h"
#include "test.h"

static void
bytes_are_kept_and_always_end_in_a_nul(void **state)
{
	struct buf b;

	(void)state;
	buf_init(&b, 1000);
	assert_string_equal(buf_str(&b), "");
	assert_int_equal(buf_slice(&b).len, 0);
	buf_add(&b, "a\0b", 3);
	buf_addc(&b, 'c');
	buf_adds(&b, "de");
	buf_addf(&b, "%d-%s", 42, "f");
	buf_add(&b, NULL, 0);
	assert_int_equal(b.len, 10);
	assert_memory_equal(b.ptr, "a\0bcde42-f", 11);
	buf_reset(&b);
	assert_int_equal(b.len, 0);
	assert_string_equal(buf_str(&b), "");
	buf_done(&b);
}

static void
it_grows_to_its_maximum_and_not_a_byte_further(void **state)
{
	(void)state;
	for (size_t max = 0; max < 300; max++) {
		struct buf b;

		buf_init(&b, max);
		for (size_t i = 0; i < max; i++)
			buf_addc(&b, (char)i);
		assert_false(buf_over(&b));
		assert_int_equal(b.len, max);
		for (size_t i = 0; i < max; i++)
			assert_int_equal(b.ptr[i], (unsigned char)i);
		buf_addc(&b, 'x');
		assert_true(buf_over(&b));
		assert_int_equal(b.len, max);
		buf_done(&b);
	}
}

static void
every_way_of_adding_fills_it_to_the_maximum(void **state)
{
	struct buf b;

	(void)state;
	buf_init(&b, 4);
	buf_adds(&b, "1234");
	assert_false(buf_over(&b));
	buf_reset(&b);
	buf_addf(&b, "%d", 1234);
	assert_false(buf_over(&b));
	assert_string_equal(buf_str(&b), "1234");
	buf_reset(&b);
	buf_add_be32(&b, 0x01020304);
	assert_false(buf_over(&b));
	buf_reset(&b);
	assert_non_null(buf_reserve(&b, 4));
	assert_null(buf_reserve(&b, 5));
	buf_done(&b);
}

static void
going_over_is_sticky_until_the_reset(void **state)
{
	struct buf b;

	(void)state;
	buf_init(&b, 4);
	buf_adds(&b, "123");
	buf_adds(&b, "45");
	assert_true(buf_over(&b));
	buf_addc(&b, '4'); /* would fit, but the text would lack a part */
	assert_true(buf_over(&b));
	assert_string_equal(buf_str(&b), "123");
	assert_null(buf_reserve(&b, 0));
	buf_reset(&b);
	assert_false(buf_over(&b));
	buf_adds(&b, "1234");
	assert_string_equal(buf_str(&b), "1234");
	buf_addf(&b, "%d", 5);
	assert_true(buf_over(&b));
	assert_string_equal(buf_str(&b), "1234");
	buf_add(&b, "", (size_t)-1);
	assert_int_equal(b.len, 4);
	buf_done(&b);
	assert_null(b.ptr);
	buf_done(&b); /* twice is fine */
}

static void
big_endian_numbers_can_be_set_later(void **state)
{
	struct buf b;

	(void)state;
	buf_init(&b, 100);
	buf_addc(&b, 'x');
	buf_add_be32(&b, 0);
	buf_add_be32(&b, UINT32_MAX);
	buf_set_be32(&b, 1, 0x80000102);
	assert_int_equal(b.len, 9);
	assert_memory_equal(b.ptr, "x\x80\x00\x01\x02\xff\xff\xff\xff", 9);
	buf_done(&b);
}

static void
what_was_reserved_counts_only_once_taken(void **state)
{
	struct buf b;
	unsigned char *room;

	(void)state;
	buf_init(&b, 1000);
	buf_adds(&b, "a");
	room = buf_reserve(&b, 500);
	memset(room, 'b', 500);
	assert_int_equal(b.len, 1);
	buf_take(&b, 2);
	assert_string_equal(buf_str(&b), "abb");
	buf_done(&b);
}

static void
what_is_held_is_not_moved_until_it_is_full(void **state)
{
	struct buf b;
	unsigned char *held;

	(void)state;
	buf_init_secret(&b, 1000);
	buf_adds(&b, "kept");
	buf_hold(&b, 600);
	held = b.ptr;
	assert_string_equal(buf_str(&b), "kept");
	for (int i = 0; i < 590; i++)
		buf_addc(&b, 'x');
	assert_ptr_equal(b.ptr, held);
	buf_hold(&b, 100); /* less than there is */
	assert_int_equal(b.len, 594);
	for (int i = 0; i < 10; i++)
		buf_addc(&b, 'y');
	assert_int_equal(b.len, 604);
	assert_memory_equal(b.ptr, "keptxx", 6);
	buf_done(&b);
}

static void
what_is_cut_off_a_secret_is_wiped_by_the_reset(void **state)
{
	static const unsigned char zero[6];
	struct buf b;

	(void)state;
	buf_init_secret(&b, 1000);
	buf_adds(&b, "secret");
	buf_cut(&b, 2);
	assert_string_equal(buf_str(&b), "se");
	buf_cut(&b, 5); /* nothing comes back */
	assert_int_equal(b.len, 2);
	buf_reset(&b);
	assert_memory_equal(b.ptr, zero, 6);
	buf_done(&b);
}

static void
a_secret_is_wiped_by_the_reset_even_where_it_was_never_taken(void **state)
{
	static const unsigned char zero[512];
	struct buf b;
	unsigned char *room;

	(void)state;
	buf_init_secret(&b, 1000);
	room = buf_reserve(&b, 500); /* a decryption that fails halfway */
	memset(room, 's', 500);
	buf_reset(&b);
	assert_memory_equal(b.ptr, zero, 500);
	buf_adds(&b, "secret");
	room = buf_reserve(&b, 300);
	memset(room, 's', 300);
	buf_reset(&b);
	assert_memory_equal(b.ptr, zero, 500);
	buf_done(&b);
}

static void
a_slice_is_compared_by_length_and_bytes(void **state)
{
	struct slice s = slice_str("abc"), none = {0};

	(void)state;
	assert_true(slice_eq(s, slice_of("abcd", 3)));
	assert_false(slice_eq(s, slice_str("ab")));
	assert_false(slice_eq(s, slice_str("abd")));
	assert_true(slice_eq(none, slice_str("")));
	assert_false(slice_eq(none, slice_str("a")));
	assert_true(slice_eq(slice_of("a\0b", 3), slice_of("a\0b", 3)));
	assert_false(slice_eq(slice_of("a\0b", 3), slice_of("a\0c", 3)));
	assert_true(slice_starts(s, "abc") && slice_starts(s, ""));
	assert_false(slice_starts(s, "abcd") || slice_starts(s, "b"));
	assert_false(slice_starts(none, "a"));
	assert_true(slice_eq(slice_skip(s, 1), slice_str("bc")));
	assert_int_equal(slice_skip(s, 3).len, 0);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(bytes_are_kept_and_always_end_in_a_nul),
		cmocka_unit_test(
			it_grows_to_its_maximum_and_not_a_byte_further),
		cmocka_unit_test(every_way_of_adding_fills_it_to_the_maximum),
		cmocka_unit_test(going_over_is_sticky_until_the_reset),
		cmocka_unit_test(big_endian_numbers_can_be_set_later),
		cmocka_unit_test(what_was_reserved_counts_only_once_taken),
		cmocka_unit_test(what_is_held_is_not_moved_until_it_is_full),
		cmocka_unit_test(
			what_is_cut_off_a_secret_is_wiped_by_the_reset),
		cmocka_unit_test(
			a_secret_is_wiped_by_the_reset_even_where_it_was_never_taken),
		cmocka_unit_test(a_slice_is_compared_by_length_and_bytes),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
