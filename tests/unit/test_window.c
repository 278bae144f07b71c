/* Rows that were read, and where the next reading begins. */
#include "../../src/db/rows_int.h"
#include "test.h"
#include <stdlib.h>

static int
begin(void **state)
{
	struct buf *bytes = xcalloc(1, sizeof(*bytes));
	struct window *w = xcalloc(1, sizeof(*w));

	window_bytes_init(bytes);
	window_init(w, bytes);
	*state = w;
	return 0;
}

static int
end(void **state)
{
	struct window *w = *state;

	window_done(w);
	buf_done(w->bytes);
	free(w->bytes);
	free(w);
	return 0;
}

/* One column; pages 5 and on, so many rows on each. */
static void
put_pages(struct window *w, uint32_t pages, uint16_t rows)
{
	const struct slice value = slice_str("x");

	window_reset(w, 1);
	for (uint32_t page = 5; page < 5 + pages; page++) {
		for (uint16_t row = 1; row <= rows; row++)
			window_put(w, (struct tid){page, row}, 0, &value);
	}
}

static void
assert_cut(struct window *w, uint32_t asked, size_t rows, struct tid hi)
{
	window_cut(w, &(struct range){.hi = {asked, 0}});
	assert_int_equal(w->rows, rows);
	assert_int_equal(w->range.hi.block, hi.block);
	assert_int_equal(w->range.hi.offset, hi.offset);
}

static void
a_value_a_null_and_one_too_large_are_told_apart(void **state)
{
	struct window *w = *state;
	const struct slice values[] = {slice_str("abc"), {0}, {0}};

	window_reset(w, 3);
	for (uint16_t row = 1; row <= 300; row++)
		window_put(w, (struct tid){7, row}, 4, values);
	for (size_t i = 0; i < 300; i++) {
		const struct cell *c = &w->cell[3 * i];

		assert_true(c[0].present && !c[0].oversize);
		assert_true(slice_eq(window_value(w, &c[0]), values[0]));
		assert_false(c[1].present || c[1].oversize);
		assert_true(c[2].present && c[2].oversize);
		assert_int_equal(c[2].len, 0);
	}
	window_reset(w, 2);
	assert_int_equal(w->rows, 0);
	window_put(w, (struct tid){1, 1}, 0, values);
	assert_true(slice_eq(window_value(w, &w->cell[0]), values[0]));
}

/* What is left of the last page would be read by half. */
static void
a_full_window_ends_at_the_page_of_its_last_row(void **state)
{
	struct window *w = *state;

	put_pages(w, 3, 4);
	assert_cut(w, 100, 8, (struct tid){7, 0});
}

static void
a_page_that_is_too_much_alone_ends_behind_its_last_row(void **state)
{
	struct window *w = *state;

	put_pages(w, 1, 4);
	assert_cut(w, 100, 4, (struct tid){5, 5});
}

/* Their values are side by side, and the room of rows that were dropped is the
 * next one's. */
static void
windows_that_share_a_buffer_keep_their_values(void **state)
{
	const struct slice other = slice_str("other");
	struct window *w = *state, next;

	put_pages(w, 3, 4);
	window_cut(w, &(struct range){.hi = {100, 0}});
	assert_int_equal(w->bytes->len, 8);
	window_init(&next, w->bytes);
	window_reset(&next, 1);
	window_put(&next, (struct tid){9, 1}, 0, &other);
	assert_int_equal(w->bytes->len, 8 + other.len);
	assert_true(slice_eq(window_value(&next, &next.cell[0]), other));
	assert_true(slice_eq(window_value(w, &w->cell[7]), slice_str("x")));
	window_done(&next);
}

/* Behind it begins somebody else's chunk. */
static void
no_window_ends_behind_what_was_asked(void **state)
{
	struct window *w = *state;
	const struct range asked = {.hi = {5, 3}};

	put_pages(w, 1, 4);
	window_cut(w, &asked);
	assert_int_equal(w->range.hi.block, 5);
	assert_int_equal(w->range.hi.offset, 3);
}

static void
what_is_too_short_for_a_place_is_none(void **state)
{
	unsigned char *bytes = xcalloc(TID_BYTES - 1, 1);
	struct tid tid = rows_tid(slice_of(bytes, TID_BYTES - 1));

	(void)state;
	assert_int_equal(tid.block, 0);
	assert_int_equal(tid.offset, 0);
	free(bytes);
}

#define TEST(test) cmocka_unit_test_setup_teardown(test, begin, end)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(a_value_a_null_and_one_too_large_are_told_apart),
		TEST(a_full_window_ends_at_the_page_of_its_last_row),
		TEST(a_page_that_is_too_much_alone_ends_behind_its_last_row),
		TEST(windows_that_share_a_buffer_keep_their_values),
		TEST(no_window_ends_behind_what_was_asked),
		TEST(what_is_too_short_for_a_place_is_none),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
