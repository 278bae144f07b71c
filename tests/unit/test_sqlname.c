/* C22: names as the server's own scanner reads them, or a refusal. */
#include "../../src/cli/sqlname_int.h"
#include "../../src/cli/value_int.h"
#include "test.h"
#include <stdlib.h>

/* 63 bytes, the longest name there is. */
#define LONGEST \
	"abcdefghijklmnopqrstuvwxyzabcdefghijklmnopqrstuvwxyzabcdefgh123"
static const char too_long[] = LONGEST "4";
static const char too_long_quoted[] = "\"" LONGEST "4\"";

static void
unquoted_names_fold_and_quoted_ones_do_not(void **state)
{
	static const char *const cases[][2] = {
		{"users", "users"},
		{"Users_2$", "users_2$"},
		{"  a  ", "a"},
		{"\"Users\"", "Users"},
		{"\"We\"\"ird\"", "We\"ird"},
		{"\"a.b\"", "a.b"},
		{"\"a, b\"", "a, b"},
		{"\" \"", " "},
		{"\"; DROP TABLE x --\"", "; DROP TABLE x --"},
		{"\xc3\x84pfel", "\xc3\x84pfel"},
		{LONGEST, LONGEST},
		{"\"\"\"\"", "\""},
	};
	struct err err;

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		char *name = NULL;

		assert_int_equal(sqlname_parse(&name, cases[i][0], &err), 0);
		assert_string_equal(name, cases[i][1]);
		free(name);
	}
}

static void
what_is_no_single_name_is_refused(void **state)
{
	static const char *const bad[] = {"", " ", "\"\"", "\"a", "a\"b\"",
		"a b", "a.b", "a,b", "1a", "$a", "a-b", "a;", "'a'", "\"a\"b",
		"a--", "\"a\"\"", too_long, too_long_quoted, "u&\"a\"", "a\n"};
	struct err err;

	(void)state;
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		char *name = NULL;

		if (sqlname_parse(&name, bad[i], &err) == 0)
			fail_msg("'%s' passed", bad[i]);
		assert_int_equal(err.code, ERR_USAGE);
		assert_null(name);
	}
}

static void
a_table_may_have_a_schema_and_else_it_is_public(void **state)
{
	static const char *const cases[][3] = {
		{"t", "public", "t"},
		{"S.T", "s", "t"},
		{"\"S\" . \"T\"", "S", "T"},
		{"\"We\"\"ird\".tbl", "We\"ird", "tbl"},
		{"\"a.b\"", "public", "a.b"},
	};
	static const char *const bad[] = {
		"", ".t", "s.", "a.b.c", "s..t", "s.t u", "s.\"\""};
	char *schema = NULL, *table = NULL;
	struct err err;

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		assert_int_equal(
			sqlname_parse_table(&schema, &table, cases[i][0], &err),
			0);
		assert_string_equal(schema, cases[i][1]);
		assert_string_equal(table, cases[i][2]);
		free(schema);
		free(table);
	}
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		assert_int_equal(
			sqlname_parse_table(&schema, &table, bad[i], &err), -1);
}

static void
a_list_of_columns_is_quoted_like_sql(void **state)
{
	static const char *const bad[] = {"a,", ",a", "a,,b", "a b", "a,\"b"};
	char **list = NULL;
	struct err err;

	(void)state;
	assert_int_equal(sqlname_parse_list(&list, "A, \"B, c\" ,d", &err), 0);
	assert_int_equal(list_count(list), 3);
	assert_string_equal(list[0], "a");
	assert_string_equal(list[1], "B, c");
	assert_string_equal(list[2], "d");
	list_free(list);
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		list = NULL;
		assert_int_equal(sqlname_parse_list(&list, bad[i], &err), -1);
		list_free(list);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(unquoted_names_fold_and_quoted_ones_do_not),
		cmocka_unit_test(what_is_no_single_name_is_refused),
		cmocka_unit_test(
			a_table_may_have_a_schema_and_else_it_is_public),
		cmocka_unit_test(a_list_of_columns_is_quoted_like_sql),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
