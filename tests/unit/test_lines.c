#include "../../src/engine/lines_int.h"
#include "test.h"

/* Five lines, of which the first and the third matter most. */
static void
check(const struct report_screen *screen, const char *expected)
{
	static const struct {
		const char *text;
		int rank;
	} line[] = {
		{"state\n", 0},
		{"origin\n", 3},
		{"why\n", 0},
		{"\xe2\x82\xac\xe2\x82\xac\xe2\x82\xac\n", 7},
		{"a table\n", 1},
	};
	struct lines l;
	struct buf text;

	lines_init(&l);
	for (size_t i = 0; i < sizeof(line) / sizeof(line[0]); i++) {
		buf_adds(&l.text, line[i].text);
		lines_end(&l, line[i].rank);
		lines_end(&l, 0); /* nothing was added */
	}
	buf_init(&text, SIZE_MAX);
	lines_fit(&text, &l, screen);
	assert_string_equal(buf_str(&text), expected);
	buf_done(&text);
	lines_done(&l);
}

#define ALL                                                        \
	"state\norigin\nwhy\n\xe2\x82\xac\xe2\x82\xac\xe2\x82\xac" \
	"\na table\n"

static void
what_fits_is_left_as_it_is(void **state)
{
	(void)state;
	check(NULL, ALL);
	check(&(struct report_screen){6, 80}, ALL);
	check(&(struct report_screen){6, 7}, ALL);
}

static void
what_matters_least_is_left_out_first_and_counted(void **state)
{
	(void)state;
	check(&(struct report_screen){5, 80},
		"state\nwhy\na table\n... 2 more lines do not fit\n");
	check(&(struct report_screen){4, 80},
		"state\nwhy\n... 3 more lines do not fit\n");
	check(&(struct report_screen){1, 80},
		"state\n... 4 more lines do not fit\n");
}

static void
lines_that_wrap_count_as_often(void **state)
{
	(void)state;
	/* All but the first and the third take two rows of 5, the note six. */
	check(&(struct report_screen){9, 5}, ALL);
	check(&(struct report_screen){8, 5},
		"state\n... 4 more lines do not fit\n");
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_fits_is_left_as_it_is),
		cmocka_unit_test(
			what_matters_least_is_left_out_first_and_counted),
		cmocka_unit_test(lines_that_wrap_count_as_often),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
