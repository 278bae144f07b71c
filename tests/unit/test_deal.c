/* How rows are dealt out to batches, by the promise that keeps a table from
 * growing: no page gets more new versions in a turn than the turn before it
 * left dead there. */
#include "../../src/engine/deal_int.h"
#include "test.h"
#include <stdlib.h>

#define PAGES 256
#define PER_PAGE_MAX 40
#define TURNS_SEEN 64

/* A window of pages with so many rows each. */
static struct window
window_of(size_t pages, size_t per_page)
{
	struct window w = {.rows = pages * per_page};

	w.tid = xcalloc(w.rows + 1, sizeof(*w.tid));
	for (size_t i = 0; i < w.rows; i++) {
		w.tid[i].block = (uint32_t)(i / per_page);
		w.tid[i].offset = (uint16_t)(i % per_page + 1);
	}
	return w;
}

/* Deals one window out, and counts what page 3 gives in each turn. */
static size_t
turns_of_a_page(size_t given[TURNS_SEEN], const struct window *w)
{
	struct deal d;
	size_t turns = 0, row, sum = 0;

	memset(given, 0, TURNS_SEEN * sizeof(*given));
	deal_begin(&d, w, 1);
	do {
		assert_true(turns < TURNS_SEEN);
		while (deal_row(&d, &row)) {
			given[turns] += w->tid[row].block == 3;
			sum++;
		}
		turns++;
	} while (deal_share(&d));
	assert_int_equal(sum, w->rows);
	return turns;
}

static void
no_turn_writes_more_rows_to_a_page_than_the_one_before(void **state)
{
	size_t given[TURNS_SEEN], turns;

	(void)state;
	for (size_t n = 1; n <= PER_PAGE_MAX; n++) {
		struct window w = window_of(PAGES, n);

		turns = turns_of_a_page(given, &w);
		for (size_t i = 1; i < turns; i++)
			assert_true(given[i] <= given[i - 1]);
		free(w.tid);
	}
}

/* Pages of 13 rows would take 13 turns, and those of less than 7 hold no
 * seventh part. */
static void
the_first_turn_takes_no_more_than_a_sixth_of_a_page(void **state)
{
	size_t given[TURNS_SEEN];

	(void)state;
	for (size_t n = 6; n <= PER_PAGE_MAX; n++) {
		struct window w = window_of(PAGES, n);
		size_t most = n == 12 || n == 13 ? 17 : n == 6 ? 17 : 15;

		turns_of_a_page(given, &w);
		assert_true(100 * given[0] <= most * n);
		free(w.tid);
	}
}

static void
few_rows_go_together(void **state)
{
	struct window w = window_of(4, 16);
	size_t given[TURNS_SEEN];

	(void)state;
	assert_int_equal(turns_of_a_page(given, &w), 1);
	assert_int_equal(given[0], 16);
	free(w.tid);
}

/* One row a page: there is no second turn, and none is waited for. */
static void
sparse_rows_go_in_one_turn(void **state)
{
	struct window w = window_of(PAGES, 1);
	size_t given[TURNS_SEEN];

	(void)state;
	turns_of_a_page(given, &w);
	assert_int_equal(given[0], 1);
	free(w.tid);
}

/* Windows take turns, so that the snapshots of others end in between. */
static void
every_window_gives_a_share_before_any_gives_the_next(void **state)
{
	struct window w[3] = {window_of(PAGES, 20), window_of(PAGES, 3),
		window_of(PAGES, 20)};
	size_t last[3] = {0}, row, shares[3] = {0};
	struct deal d;

	(void)state;
	deal_begin(&d, w, 3);
	do {
		size_t at = d.at, rows = 0;

		while (deal_row(&d, &row)) {
			if (rows++ > 0)
				assert_true(row > last[at]);
			last[at] = row;
		}
		if (rows > 0)
			shares[at]++;
		assert_true(shares[0] == shares[2] + (at < 2));
	} while (deal_share(&d));
	assert_int_equal(shares[0], 7);
	assert_int_equal(shares[1], 3);
	for (size_t i = 0; i < 3; i++)
		free(w[i].tid);
}

static void
a_share_that_is_too_large_is_cut_evenly(void **state)
{
	struct window w = window_of(PAGES, 20); /* 3 x 256 rows at first */
	struct deal d;

	(void)state;
	deal_begin(&d, &w, 1);
	assert_int_equal(deal_limit(&d, 1000), 768);
	assert_int_equal(deal_limit(&d, 768), 768);
	assert_int_equal(deal_limit(&d, 767), 384);
	assert_int_equal(deal_limit(&d, 50), 48);
	free(w.tid);
}

static void
no_window_has_no_share(void **state)
{
	struct deal d;
	size_t row;

	(void)state;
	deal_begin(&d, NULL, 0);
	assert_false(deal_row(&d, &row));
	assert_false(deal_share(&d));
	assert_int_equal(deal_limit(&d, 1000), 1000);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(
			no_turn_writes_more_rows_to_a_page_than_the_one_before),
		cmocka_unit_test(
			the_first_turn_takes_no_more_than_a_sixth_of_a_page),
		cmocka_unit_test(few_rows_go_together),
		cmocka_unit_test(sparse_rows_go_in_one_turn),
		cmocka_unit_test(
			every_window_gives_a_share_before_any_gives_the_next),
		cmocka_unit_test(a_share_that_is_too_large_is_cut_evenly),
		cmocka_unit_test(no_window_has_no_share),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
